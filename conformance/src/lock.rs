//! Locks on files: flock(2), fcntl(2) record locks, open file description locks.

use std::thread;
use std::time::Duration;

use libc::{
    F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_RDLCK, F_SETLK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB,
    LOCK_SH, LOCK_UN, O_RDONLY, O_RDWR, SEEK_END, SEEK_SET, c_int,
};

use crate::Transcript;
use crate::c::{self, BAD_FD};
use crate::scratch::Scratch;

tests![Lock:
    lock_flock_excludes,
    lock_flock_shared_and_upgrade,
    lock_flock_belongs_to_the_description,
    lock_flock_blocks_until_released,
    lock_flock_errors,
    lock_record_within_one_process,
    lock_record_errors,
    lock_description_locks_conflict,
    lock_description_get,
    lock_description_blocks_until_released,
    lock_lockf,
];

fn lock(fd: i32, operation: c_int) -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::flock(fd, operation) }
}

/// Two descriptions of one file.
fn two_opens(scratch: &Scratch) -> (i32, i32) {
    let path = scratch.file("f", b"0123456789");
    (c::must_open(&path, O_RDWR), c::must_open(&path, O_RDWR))
}

fn lock_flock_excludes(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = two_opens(&scratch);
    t.call("one takes it", lock(one, LOCK_EX));
    t.call("one takes it again", lock(one, LOCK_EX | LOCK_NB));
    t.call("two wants it", lock(two, LOCK_EX | LOCK_NB));
    t.call("two wants it shared", lock(two, LOCK_SH | LOCK_NB));
    t.call("one lets go", lock(one, LOCK_UN));
    t.call("two takes it", lock(two, LOCK_EX | LOCK_NB));
    c::close_all(&[two]);
    t.call("two closed, one takes it", lock(one, LOCK_EX | LOCK_NB));
    t.call("unlock twice", lock(one, LOCK_UN));
    t.call("unlock twice", lock(one, LOCK_UN));
    c::close_all(&[one]);
}

fn lock_flock_shared_and_upgrade(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = two_opens(&scratch);
    t.call("one shares", lock(one, LOCK_SH | LOCK_NB));
    t.call("two shares", lock(two, LOCK_SH | LOCK_NB));
    t.call("one wants it alone", lock(one, LOCK_EX | LOCK_NB));
    t.call("two lets go", lock(two, LOCK_UN));
    t.call("one takes it alone", lock(one, LOCK_EX | LOCK_NB));
    t.call("one shares again", lock(one, LOCK_SH | LOCK_NB));
    t.call("two shares", lock(two, LOCK_SH | LOCK_NB));
    c::close_all(&[one, two]);
}

fn lock_flock_belongs_to_the_description(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = two_opens(&scratch);
    let copy = c::must(c::dup(one));
    t.call("one takes it", lock(one, LOCK_EX));
    t.call("its duplicate takes it", lock(copy, LOCK_EX | LOCK_NB));
    c::close_all(&[one]);
    t.call("one closed, two wants it", lock(two, LOCK_EX | LOCK_NB));
    t.call("the duplicate lets go", lock(copy, LOCK_UN));
    t.call("two takes it", lock(two, LOCK_EX | LOCK_NB));
    c::close_all(&[copy, two]);
}

fn lock_flock_blocks_until_released(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = two_opens(&scratch);
    lock(one, LOCK_EX);
    thread::scope(|scope| {
        let waiter = scope.spawn(move || lock(two, LOCK_EX));
        thread::sleep(Duration::from_millis(15));
        t.holds("two waits", !waiter.is_finished());
        t.call("one lets go", lock(one, LOCK_UN));
        t.value("two got", waiter.join().expect("the waiter"));
    });
    t.call("one wants it", lock(one, LOCK_SH | LOCK_NB));
    c::close_all(&[one, two]);
}

fn lock_flock_errors(t: &mut Transcript) {
    let scratch = Scratch::new();
    let reader = c::must_open(scratch.file("f", b""), O_RDONLY);
    t.call("a reader may lock alone", lock(reader, LOCK_EX | LOCK_NB));
    t.call("operation 0", lock(reader, 0));
    t.call("both kinds", lock(reader, LOCK_EX | LOCK_SH));
    t.call("a closed descriptor", lock(BAD_FD, LOCK_EX));
    let dir = c::must_open(&*scratch, O_RDONLY);
    t.call("a directory", lock(dir, LOCK_EX | LOCK_NB));
    c::close_all(&[reader, dir]);
}

fn region(kind: c_int, whence: c_int, start: i64, len: i64) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: whence as i16,
        l_start: start,
        l_len: len,
        l_pid: 0,
    }
}

fn record(fd: i32, command: c_int, region: &mut libc::flock) -> i32 {
    // SAFETY: the region is of the caller's.
    unsafe { libc::fcntl(fd, command, region as *mut libc::flock) }
}

fn set(fd: i32, command: c_int, kind: c_int, start: i64, len: i64) -> i32 {
    record(fd, command, &mut region(kind, SEEK_SET, start, len))
}

fn lock_record_within_one_process(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = two_opens(&scratch);
    // Record locks belong to the process, so its own never conflict.
    t.call("one locks 0..5", set(one, F_SETLK, F_WRLCK, 0, 5));
    t.call("two locks 0..5", set(two, F_SETLK, F_WRLCK, 0, 5));
    let mut wanted = region(F_WRLCK, SEEK_SET, 0, 5);
    t.call("F_GETLK", record(two, libc::F_GETLK, &mut wanted));
    t.holds("nobody is in the way", wanted.l_type == F_UNLCK as i16);
    t.call("unlock", set(one, F_SETLK, F_UNLCK, 0, 0));
    t.call("unlock what is not locked", set(one, F_SETLK, F_UNLCK, 0, 0));
    let mut from_end = region(F_RDLCK, SEEK_END, -3, 2);
    t.call("a region from the end", record(one, F_SETLK, &mut from_end));
    c::close_all(&[one, two]);
}

fn lock_record_errors(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"0123456789");
    let reader = c::must_open(&path, O_RDONLY);
    let writer = c::must_open(&path, libc::O_WRONLY);
    t.call("a reader wants to write", set(reader, F_SETLK, F_WRLCK, 0, 1));
    t.call("a writer wants to read", set(writer, F_SETLK, F_RDLCK, 0, 1));
    t.call("a negative start", set(writer, F_SETLK, F_WRLCK, -1, 1));
    t.call("a negative length", set(writer, F_SETLK, F_WRLCK, 5, -5));
    t.call("a length before the start", set(writer, F_SETLK, F_WRLCK, 5, -6));
    t.call("kind 99", set(writer, F_SETLK, 99, 0, 1));
    t.call("whence 99", record(writer, F_SETLK, &mut region(F_WRLCK, 99, 0, 1)));
    t.call("a closed descriptor", set(BAD_FD, F_SETLK, F_WRLCK, 0, 1));
    c::close_all(&[reader, writer]);
}

fn lock_description_locks_conflict(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = two_opens(&scratch);
    t.call("one locks 2..6", set(one, F_OFD_SETLK, F_WRLCK, 2, 4));
    t.call("two wants 5..7", set(two, F_OFD_SETLK, F_WRLCK, 5, 2));
    t.call("two wants to read 0..3", set(two, F_OFD_SETLK, F_RDLCK, 0, 3));
    t.call("two locks 6..8", set(two, F_OFD_SETLK, F_WRLCK, 6, 2));
    t.call("one unlocks 5..6", set(one, F_OFD_SETLK, F_UNLCK, 5, 1));
    t.call("two locks 5..6", set(two, F_OFD_SETLK, F_WRLCK, 5, 1));
    t.call("two wants 4..5", set(two, F_OFD_SETLK, F_WRLCK, 4, 1));
    t.call("one turns its own into reading", set(one, F_OFD_SETLK, F_RDLCK, 2, 3));
    t.call("two reads 2..5", set(two, F_OFD_SETLK, F_RDLCK, 2, 3));
    t.call("one wants to write 2..3", set(one, F_OFD_SETLK, F_WRLCK, 2, 1));
    c::close_all(&[two]);
    t.call("two closed, one writes 2..3", set(one, F_OFD_SETLK, F_WRLCK, 2, 1));
    t.call("to the end, however far", set(one, F_OFD_SETLK, F_WRLCK, 0, 0));
    let three = c::must_open(scratch.path("f"), O_RDWR);
    t.call("three wants 1,000,000..", set(three, F_OFD_SETLK, F_WRLCK, 1_000_000, 1));
    c::close_all(&[one, three]);
}

fn lock_description_get(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = two_opens(&scratch);
    set(one, F_OFD_SETLK, F_RDLCK, 3, 4);
    let mut wanted = region(F_WRLCK, SEEK_SET, 0, 0);
    t.call("F_OFD_GETLK", record(two, F_OFD_GETLK, &mut wanted));
    t.holds("a reader is in the way", wanted.l_type == F_RDLCK as i16);
    t.line(format_args!("at {}, {} bytes, pid {}", wanted.l_start, wanted.l_len, wanted.l_pid));
    let mut wanted = region(F_RDLCK, SEEK_SET, 0, 0);
    t.call("F_OFD_GETLK to read", record(two, F_OFD_GETLK, &mut wanted));
    t.holds("nobody is in the way", wanted.l_type == F_UNLCK as i16);
    let mut with_pid = region(F_RDLCK, SEEK_SET, 0, 0);
    with_pid.l_pid = 1;
    t.call("a pid must be 0", record(two, F_OFD_SETLK, &mut with_pid));
    let mut process = region(F_WRLCK, SEEK_SET, 0, 0);
    t.call("F_GETLK", record(two, libc::F_GETLK, &mut process));
    t.value("says the pid is", process.l_pid);
    c::close_all(&[one, two]);
}

fn lock_description_blocks_until_released(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = two_opens(&scratch);
    set(one, F_OFD_SETLK, F_WRLCK, 0, 0);
    thread::scope(|scope| {
        let waiter = scope.spawn(move || set(two, F_OFD_SETLKW, F_WRLCK, 4, 2));
        thread::sleep(Duration::from_millis(15));
        t.holds("two waits", !waiter.is_finished());
        t.call("one unlocks the other half", set(one, F_OFD_SETLK, F_UNLCK, 0, 4));
        thread::sleep(Duration::from_millis(10));
        t.holds("two waits", !waiter.is_finished());
        t.call("one unlocks the rest", set(one, F_OFD_SETLK, F_UNLCK, 4, 0));
        t.value("two got", waiter.join().expect("the waiter"));
    });
    c::close_all(&[one, two]);
}

fn lock_lockf(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"0123456789"), O_RDWR);
    // SAFETY: no memory is involved.
    unsafe {
        t.call("lockf F_TLOCK 4", libc::lockf(fd, libc::F_TLOCK, 4));
        t.call("lockf F_TEST 4", libc::lockf(fd, libc::F_TEST, 4));
        t.call("lockf F_ULOCK 4", libc::lockf(fd, libc::F_ULOCK, 4));
        t.call("lockf 99", libc::lockf(fd, 99, 4));
    }
    c::close_all(&[fd]);
}
