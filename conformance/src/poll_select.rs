//! poll(2), ppoll(2), select(2), pselect(2).

use std::mem::zeroed;
use std::ptr::null_mut;
use std::thread;
use std::time::{Duration, Instant};

use libc::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLRDHUP, fd_set, pollfd, timeval};

use crate::Transcript;
use crate::c::{self, BAD_FD, BAD_POINTER};
use crate::scratch::Scratch;

tests![Poll:
    poll_bad_and_negative_descriptors,
    poll_timeouts,
    poll_no_descriptors_sleeps,
    poll_files_are_always_ready,
    poll_counts_descriptors_not_events,
    poll_same_descriptor_twice,
    poll_unasked_events,
    poll_wakes_on_write,
    poll_too_many_and_bad_pointer,
    poll_ppoll_mask_and_timeout,
    select_reports_and_clears,
    select_timeouts,
    select_bad_descriptors,
    select_pselect_mask,
];

fn asked(fd: i32, events: i16) -> pollfd {
    pollfd { fd, events, revents: -1 }
}

fn poll_bad_and_negative_descriptors(t: &mut Transcript) {
    let event = c::eventfd(1, 0);
    let mut fds = [asked(-1, POLLIN), asked(BAD_FD, POLLIN), asked(event, POLLIN), asked(-7, 0)];
    t.call("poll of -1, a closed one, a ready one, -7", c::poll(&mut fds, 5000));
    for fd in fds {
        t.value("revents", c::poll_names(fd.revents));
    }
    t.call("poll of only -1", c::poll(&mut [asked(-1, POLLIN)], 5));
    c::close_all(&[event]);
}

fn poll_timeouts(t: &mut Transcript) {
    let event = c::eventfd(0, 0);
    for millis in [0, 1, 15] {
        let start = Instant::now();
        let mut fds = [asked(event, POLLIN)];
        t.call(format_args!("poll for {millis} ms"), c::poll(&mut fds, millis));
        t.holds("it took that long", start.elapsed().as_millis() >= millis as u128);
        t.value("revents", fds[0].revents);
    }
    c::close_all(&[event]);
}

fn poll_no_descriptors_sleeps(t: &mut Transcript) {
    let start = Instant::now();
    t.call("poll of none", c::poll(&mut [], 10));
    // SAFETY: null is allowed with a count of zero.
    t.call("poll of null", unsafe { libc::poll(null_mut(), 0, 10) });
    t.holds("they took 20 ms or more", start.elapsed().as_millis() >= 20);
}

fn poll_files_are_always_ready(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = c::must_open(scratch.file("f", b""), libc::O_RDONLY);
    let dir = c::must_open(&*scratch, libc::O_RDONLY);
    let null = c::must_open("/dev/null", libc::O_RDWR);
    for (name, fd) in [("an empty file", file), ("a directory", dir), ("/dev/null", null)] {
        t.value(name, c::poll_now(fd, POLLIN | POLLOUT));
    }
    c::close_all(&[file, dir, null]);
}

fn poll_counts_descriptors_not_events(t: &mut Transcript) {
    let event = c::eventfd(1, 0);
    let mut fds = [asked(event, POLLIN | POLLOUT), asked(event, POLLIN)];
    t.call("poll", c::poll(&mut fds, 0));
    t.value("revents", c::poll_names(fds[0].revents));
    c::close_all(&[event]);
}

fn poll_same_descriptor_twice(t: &mut Transcript) {
    let event = c::eventfd(0, 0);
    let mut fds = [asked(event, POLLIN), asked(event, POLLOUT)];
    t.call("poll", c::poll(&mut fds, 0));
    t.value("for reading", c::poll_names(fds[0].revents));
    t.value("for writing", c::poll_names(fds[1].revents));
    c::close_all(&[event]);
}

fn poll_unasked_events(t: &mut Transcript) {
    let [left, right] = c::socketpair(libc::SOCK_STREAM);
    t.value("asked for errors only", c::poll_now(left, POLLERR | POLLHUP | POLLNVAL));
    c::shutdown(right, libc::SHUT_WR);
    t.value("half closed, asked for nothing", c::poll_now(left, 0));
    t.value("half closed, asked for RDHUP", c::poll_now(left, POLLRDHUP));
    c::close_all(&[right]);
    t.value("closed, asked for nothing", c::poll_now(left, 0));
    c::close_all(&[left]);
}

fn poll_wakes_on_write(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(15));
            c::write(writer, b"x");
            thread::sleep(Duration::from_millis(15));
            c::close(writer);
        });
        t.value("poll without a timeout", c::poll_one(reader, POLLIN, -1));
        c::read(reader, &mut [0; 1]);
        t.value("poll without a timeout", c::poll_one(reader, POLLIN, -1));
    });
    c::close_all(&[reader]);
}

fn poll_too_many_and_bad_pointer(t: &mut Transcript) {
    // SAFETY: the kernel checks count and pointer.
    unsafe {
        t.call("poll of an unmapped array", libc::poll(BAD_POINTER as *mut _, 1, 0));
        t.call("poll of u32::MAX descriptors", libc::poll(null_mut(), u64::from(u32::MAX), 0));
    }
}

extern "C" fn ignore(_: libc::c_int) {}

fn block_and_raise() {
    c::on_signal(libc::SIGUSR1, ignore, 0);
    c::mask(libc::SIG_BLOCK, &[libc::SIGUSR1]);
    c::raise(libc::SIGUSR1);
}

fn poll_ppoll_mask_and_timeout(t: &mut Transcript) {
    let event = c::eventfd(0, 0);
    let mut fds = [asked(event, POLLIN)];
    let time = c::timespec(10);
    let none = c::sigset(&[]);
    block_and_raise();
    // SAFETY: all pointers are to values of our own, or null.
    unsafe {
        let result = libc::ppoll(fds.as_mut_ptr(), 1, &time, std::ptr::null());
        t.call("ppoll without a mask", result);
        t.holds("glibc leaves the time alone", time.tv_nsec == 10_000_000);
        let result = libc::ppoll(fds.as_mut_ptr(), 1, std::ptr::null(), &none);
        t.call("ppoll that unblocks a pending signal", result);
        let bad = libc::timespec { tv_sec: 0, tv_nsec: -1 };
        t.call("ppoll with a bad time", libc::ppoll(fds.as_mut_ptr(), 1, &bad, &none));
    }
    c::write_u64(event, 1);
    // SAFETY: as above.
    let result = unsafe { libc::ppoll(fds.as_mut_ptr(), 1, &c::timespec(0), &none) };
    t.call("ppoll of a ready one", result);
    c::close_all(&[event]);
}

fn set_of(fds: &[i32]) -> fd_set {
    // SAFETY: FD_SET is given numbers below FD_SETSIZE.
    unsafe {
        let mut set: fd_set = zeroed();
        for fd in fds {
            libc::FD_SET(*fd, &mut set);
        }
        set
    }
}

fn has(set: &fd_set, fd: i32) -> bool {
    // SAFETY: the number is below FD_SETSIZE.
    unsafe { libc::FD_ISSET(fd, set) }
}

fn select(count: i32, read: &mut fd_set, write: &mut fd_set, time: &mut timeval) -> i32 {
    // SAFETY: all are values of the caller's.
    unsafe { libc::select(count, read, write, null_mut(), time) }
}

fn select_reports_and_clears(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    let event = c::eventfd(1, 0);
    let count = event.max(writer) + 1;
    let (mut read, mut write) = (set_of(&[reader, event]), set_of(&[writer, event]));
    t.call("select", select(count, &mut read, &mut write, &mut c::timeval(5000)));
    t.holds("the pipe is readable", has(&read, reader));
    t.holds("the eventfd is readable", has(&read, event));
    t.holds("the pipe is writable", has(&write, writer));
    t.holds("the eventfd is writable", has(&write, event));
    c::close_all(&[writer]);
    let (mut read, mut write) = (set_of(&[reader]), set_of(&[]));
    let result = select(reader + 1, &mut read, &mut write, &mut c::timeval(0));
    t.call("select of a pipe at its end", result);
    t.holds("it is readable", has(&read, reader));
    c::close_all(&[reader, event]);
}

fn select_timeouts(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    for millis in [0, 15] {
        let start = Instant::now();
        let mut time = c::timeval(millis);
        let mut read = set_of(&[reader]);
        let result = select(reader + 1, &mut read, &mut set_of(&[]), &mut time);
        t.call(format_args!("select for {millis} ms"), result);
        t.holds("it took that long", start.elapsed().as_millis() >= millis as u128);
        t.holds("the set is empty", !has(&read, reader));
        t.value("Linux writes back the time left, µs", time.tv_usec);
    }
    c::write(writer, b"x");
    let mut time = c::timeval(60_000);
    let result = select(reader + 1, &mut set_of(&[reader]), &mut set_of(&[]), &mut time);
    t.call("select of a ready pipe for a minute", result);
    t.holds("most of the time is left", time.tv_sec >= 30);
    // SAFETY: null sets are allowed: select is then a sleep.
    let result = unsafe { libc::select(0, null_mut(), null_mut(), null_mut(), &mut c::timeval(5)) };
    t.call("select of nothing", result);
    c::close_all(&[reader, writer]);
}

fn select_bad_descriptors(t: &mut Transcript) {
    let fd = c::eventfd(0, 0);
    c::close_all(&[fd]);
    let mut time = c::timeval(0);
    let result = select(fd + 1, &mut set_of(&[fd]), &mut set_of(&[]), &mut time);
    t.call("select of a closed descriptor", result);
    let result = select(fd, &mut set_of(&[fd]), &mut set_of(&[]), &mut time);
    t.call("select that does not reach it", result);
    t.call(
        "select with a negative count",
        select(-1, &mut set_of(&[]), &mut set_of(&[]), &mut time),
    );
    time.tv_sec = -1;
    t.call("select with a negative time", select(0, &mut set_of(&[]), &mut set_of(&[]), &mut time));
}

fn select_pselect_mask(t: &mut Transcript) {
    block_and_raise();
    let none = c::sigset(&[]);
    // SAFETY: null sets are allowed, the rest is of our own.
    unsafe {
        let time = c::timespec(5);
        let null = null_mut();
        t.call("pselect, blocked", libc::pselect(0, null, null, null, &time, std::ptr::null()));
        let time = c::timespec(5000);
        t.call("pselect, unblocked", libc::pselect(0, null, null, null, &time, &none));
    }
    t.holds("the signal was delivered", !c::is_pending(libc::SIGUSR1));
}
