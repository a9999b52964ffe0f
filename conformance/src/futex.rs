//! futex(2).
//!
//! Which of several waiters sleeps already is a race, so the bodies first
//! gather their waiters: a requeue to another word moves exactly those that
//! sleep, and its count tells when all are there.

use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use libc::{
    FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_WAIT,
    FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP, c_int, c_long, timespec,
};

use crate::c::{self, BAD_POINTER};
use crate::{Transcript, errno};

tests![Futex:
    futex_wait_wrong_value,
    futex_wait_times_out,
    futex_wait_times_out_at_once_on_zero,
    futex_wait_bitset_takes_an_absolute_time,
    futex_wait_bitset_on_the_realtime_clock,
    futex_wake_without_waiters,
    futex_wake_counts_waiters,
    futex_wake_bitset_selects_waiters,
    futex_bitset_zero_is_invalid,
    futex_requeue_counts,
    futex_cmp_requeue_compares,
    futex_wake_op_wakes_both_words,
    futex_wake_op_stores_its_result,
    futex_bad_addresses,
    futex_bad_timeouts_and_commands,
    futex_private_and_shared_are_apart,
    futex_waiter_sees_the_store,
];

/// The words that the waiters of one body sleep on.
#[derive(Default)]
struct Words {
    first: AtomicU32,
    second: AtomicU32,
    third: AtomicU32,
}

fn futex(word: &AtomicU32, command: c_int, value: u32) -> c_long {
    futex_at(word.as_ptr() as usize, command, value, null())
}

fn futex_at(address: usize, command: c_int, value: u32, timeout: *const timespec) -> c_long {
    // SAFETY: the kernel checks the address; the timeout is null or lives on
    // the caller's stack.
    unsafe { libc::syscall(libc::SYS_futex, address, command | FUTEX_PRIVATE_FLAG, value, timeout) }
}

fn wait_bitset(
    word: &AtomicU32,
    value: u32,
    until: Option<&timespec>,
    bits: u32,
    flags: c_int,
) -> c_long {
    let until = until.map_or(null(), |time| time as *const timespec);
    let command = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | flags;
    // SAFETY: the word and the time outlive the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), command, value, until, 0, bits) }
}

fn wake_bitset(word: &AtomicU32, count: u32, bits: u32) -> c_long {
    let command = FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG;
    // SAFETY: the word outlives the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), command, count, 0, 0, bits) }
}

/// The commands with two words: REQUEUE, CMP_REQUEUE and WAKE_OP. `second` is
/// a count, and `third` the expected value or the operation.
fn two_words(
    command: c_int,
    words: [&AtomicU32; 2],
    first: u32,
    second: u32,
    third: u32,
) -> c_long {
    let [from, to] = words.map(AtomicU32::as_ptr);
    let command = command | FUTEX_PRIVATE_FLAG;
    // SAFETY: both words outlive the call.
    unsafe { libc::syscall(libc::SYS_futex, from, command, first, second as usize, to, third) }
}

/// Starts a thread for each of `bits` that waits on the first word with these
/// bits, and returns when all of them sleep, on the second word.
fn gather(words: &Arc<Words>, bits: &[u32]) -> Vec<JoinHandle<c_long>> {
    let waiters = bits.iter().map(|bits| {
        let (words, bits) = (Arc::clone(words), *bits);
        thread::spawn(move || wait_bitset(&words.first, 0, None, bits, 0))
    });
    let waiters: Vec<JoinHandle<c_long>> = waiters.collect();
    let mut asleep = 0;
    let all_asleep = c::eventually(|| {
        asleep += two_words(FUTEX_REQUEUE, [&words.first, &words.second], 0, u32::MAX >> 1, 0);
        asleep == waiters.len() as c_long
    });
    assert!(all_asleep, "the waiters fall asleep");
    waiters
}

fn join(t: &mut Transcript, waiters: Vec<JoinHandle<c_long>>) {
    for (index, waiter) in waiters.into_iter().enumerate() {
        t.value(format_args!("waiter {index} got"), waiter.join().expect("a waiter"));
    }
}

fn futex_wait_wrong_value(t: &mut Transcript) {
    let word = AtomicU32::new(7);
    t.call("FUTEX_WAIT for 8 on 7", futex(&word, FUTEX_WAIT, 8));
    t.call("FUTEX_WAIT_BITSET for 8 on 7", wait_bitset(&word, 8, None, 1, 0));
}

fn futex_wait_times_out(t: &mut Transcript) {
    let word = AtomicU32::new(0);
    let start = Instant::now();
    let timeout = c::timespec(20);
    let result = futex_at(word.as_ptr() as usize, FUTEX_WAIT, 0, &timeout);
    t.call("FUTEX_WAIT with a relative timeout of 20 ms", result);
    t.holds("it took 20 ms or more", start.elapsed().as_millis() >= 20);
    t.holds("the timeout is left alone", timeout.tv_nsec == 20_000_000);
}

fn futex_wait_times_out_at_once_on_zero(t: &mut Transcript) {
    let word = AtomicU32::new(0);
    let zero = c::timespec(0);
    t.call("timeout zero", futex_at(word.as_ptr() as usize, FUTEX_WAIT, 0, &zero));
    let result = futex_at(word.as_ptr() as usize, FUTEX_WAIT, 1, &zero);
    t.call("timeout zero, wrong value", result);
}

fn futex_wait_bitset_takes_an_absolute_time(t: &mut Transcript) {
    let word = AtomicU32::new(0);
    let past = c::timespec(1);
    t.call("until 1 ms after boot", wait_bitset(&word, 0, Some(&past), u32::MAX, 0));
    let start = c::now(libc::CLOCK_MONOTONIC);
    let soon = c::timespec(start.as_millis() as i64 + 20);
    t.call("until 20 ms from now", wait_bitset(&word, 0, Some(&soon), u32::MAX, 0));
    let elapsed = c::now(libc::CLOCK_MONOTONIC) - start;
    t.holds("it took 19 ms or more", elapsed.as_millis() >= 19);
}

fn futex_wait_bitset_on_the_realtime_clock(t: &mut Transcript) {
    let word = AtomicU32::new(0);
    let past = c::timespec(1000);
    let result = wait_bitset(&word, 0, Some(&past), u32::MAX, FUTEX_CLOCK_REALTIME);
    t.call("until one second after the epoch", result);
    let start = c::now(libc::CLOCK_REALTIME);
    let soon = c::timespec(start.as_millis() as i64 + 20);
    let result = wait_bitset(&word, 0, Some(&soon), u32::MAX, FUTEX_CLOCK_REALTIME);
    t.call("until 20 ms from now", result);
    t.holds(
        "it took 15 ms or more",
        start.as_millis() + 15 <= c::now(libc::CLOCK_REALTIME).as_millis(),
    );
}

fn futex_wake_without_waiters(t: &mut Transcript) {
    let word = AtomicU32::new(0);
    t.call("FUTEX_WAKE 1", futex(&word, FUTEX_WAKE, 1));
    t.call("FUTEX_WAKE 0", futex(&word, FUTEX_WAKE, 0));
    t.call("FUTEX_WAKE_BITSET all", wake_bitset(&word, 1, u32::MAX));
}

fn futex_wake_counts_waiters(t: &mut Transcript) {
    let words = Arc::new(Words::default());
    let waiters = gather(&words, &[u32::MAX; 4]);
    t.call("wake 1 of 4", futex(&words.second, FUTEX_WAKE, 1));
    t.call("wake 2 of 3", futex(&words.second, FUTEX_WAKE, 2));
    t.call("wake 100 of 1", futex(&words.second, FUTEX_WAKE, 100));
    t.call("wake 100 of none", futex(&words.second, FUTEX_WAKE, 100));
    join(t, waiters);
}

fn futex_wake_bitset_selects_waiters(t: &mut Transcript) {
    let words = Arc::new(Words::default());
    let waiters = gather(&words, &[0b001, 0b010, 0b110]);
    t.call("wake bits 1000", wake_bitset(&words.second, 10, 0b1000));
    t.call("wake bits 0010", wake_bitset(&words.second, 10, 0b0010));
    t.call("wake bits 0010 again", wake_bitset(&words.second, 10, 0b0010));
    t.call("FUTEX_WAKE matches every bit", futex(&words.second, FUTEX_WAKE, 10));
    join(t, waiters);
}

fn futex_bitset_zero_is_invalid(t: &mut Transcript) {
    let word = AtomicU32::new(0);
    t.call("FUTEX_WAIT_BITSET with no bits", wait_bitset(&word, 0, None, 0, 0));
    t.call("FUTEX_WAKE_BITSET with no bits", wake_bitset(&word, 1, 0));
}

fn futex_requeue_counts(t: &mut Transcript) {
    let words = Arc::new(Words::default());
    let waiters = gather(&words, &[u32::MAX; 4]);
    let pair = [&words.second, &words.third];
    let result = two_words(FUTEX_REQUEUE, pair, 1, 2, 0);
    t.call("FUTEX_REQUEUE of 4, wake 1, move 2", result);
    t.call("wake all on the target", futex(&words.third, FUTEX_WAKE, 100));
    t.call("wake all on the source", futex(&words.second, FUTEX_WAKE, 100));
    t.call("FUTEX_REQUEUE of none", two_words(FUTEX_REQUEUE, pair, 1, 2, 0));
    join(t, waiters);
}

fn futex_cmp_requeue_compares(t: &mut Transcript) {
    let words = Arc::new(Words::default());
    let waiters = gather(&words, &[u32::MAX; 3]);
    words.second.store(5, Ordering::SeqCst);
    let pair = [&words.second, &words.third];
    t.call("expects 4, finds 5", two_words(FUTEX_CMP_REQUEUE, pair, 1, 100, 4));
    t.call("expects 5, finds 5", two_words(FUTEX_CMP_REQUEUE, pair, 1, 100, 5));
    t.call("wake all on the target", futex(&words.third, FUTEX_WAKE, 100));
    t.call("wake all on the source", futex(&words.second, FUTEX_WAKE, 100));
    let result = two_words(FUTEX_CMP_REQUEUE, pair, u32::MAX, 1, 5);
    t.call("a negative count", result);
    join(t, waiters);
}

/// The encoding of FUTEX_WAKE_OP's last argument, as futex(2) gives it.
const fn operation(op: u32, operand: u32, compare: u32, against: u32) -> u32 {
    (op << 28) | (compare << 24) | (operand << 12) | against
}

fn futex_wake_op_wakes_both_words(t: &mut Transcript) {
    let words = Arc::new(Words::default());
    let waiters = gather(&words, &[u32::MAX; 3]);
    // Move two of the three to the third word.
    let moved = two_words(FUTEX_REQUEUE, [&words.second, &words.third], 0, 2, 0);
    t.value("moved", moved);
    let pair = [&words.second, &words.third];
    // FUTEX_OP_ADD 1, then wake on the other word if it was == 9.
    let result = two_words(FUTEX_WAKE_OP, pair, 10, 10, operation(1, 1, 0, 9));
    t.call("the comparison fails", result);
    t.value("the other word", words.third.load(Ordering::SeqCst));
    let result = two_words(FUTEX_WAKE_OP, pair, 10, 10, operation(1, 1, 0, 1));
    t.call("the comparison holds for the old value", result);
    t.value("the other word", words.third.load(Ordering::SeqCst));
    join(t, waiters);
}

fn futex_wake_op_stores_its_result(t: &mut Transcript) {
    let (first, second) = (AtomicU32::new(0), AtomicU32::new(0));
    const FUTEX_OP_OPARG_SHIFT: u32 = 8;
    let operations = [
        ("SET 5", 0, 5),
        ("ADD 5", 1, 5),
        ("OR 5", 2, 5),
        ("ANDN 5", 3, 5),
        ("XOR 5", 4, 5),
        ("OR 1 << 4", 2 | FUTEX_OP_OPARG_SHIFT, 4),
        ("ADD -1", 1, 0xfff),
    ];
    for (name, op, operand) in operations {
        second.store(12, Ordering::SeqCst);
        let encoded = operation(op, operand, 0, 0);
        t.call(name, two_words(FUTEX_WAKE_OP, [&first, &second], 1, 1, encoded));
        t.value("12 became", second.load(Ordering::SeqCst) as i32);
    }
}

fn futex_bad_addresses(t: &mut Transcript) {
    let words = [AtomicU32::new(0), AtomicU32::new(0)];
    let odd = words[0].as_ptr() as usize + 2;
    t.call("FUTEX_WAIT on a misaligned word", futex_at(odd, FUTEX_WAIT, 0, null()));
    t.call("FUTEX_WAKE on a misaligned word", futex_at(odd, FUTEX_WAKE, 1, null()));
    t.call("FUTEX_WAIT on an unmapped word", futex_at(BAD_POINTER, FUTEX_WAIT, 0, null()));
    t.call("FUTEX_WAIT on null", futex_at(0, FUTEX_WAIT, 0, null()));
    t.call(
        "a private FUTEX_WAKE on an unmapped word",
        futex_at(BAD_POINTER, FUTEX_WAKE, 1, null()),
    );
    let word = words[0].as_ptr() as usize;
    let result = futex_at(word, FUTEX_WAIT, 0, BAD_POINTER as *const timespec);
    t.call("FUTEX_WAIT with an unmapped timeout", result);
}

fn futex_bad_timeouts_and_commands(t: &mut Transcript) {
    let word = AtomicU32::new(0);
    let address = word.as_ptr() as usize;
    for (what, tv_sec, tv_nsec) in [
        ("a timeout with nsec of a second", 0, 1_000_000_000),
        ("a timeout with negative nsec", 0, -1),
        ("a timeout with negative sec", -1, 0),
    ] {
        t.call(what, futex_at(address, FUTEX_WAIT, 0, &timespec { tv_sec, tv_nsec }));
    }
    t.call("command 99", futex_at(address, 99, 0, null()));
    let result = futex_at(address, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, null());
    t.call("FUTEX_WAKE with FUTEX_CLOCK_REALTIME", result);
}

fn futex_private_and_shared_are_apart(t: &mut Transcript) {
    let words = Arc::new(Words::default());
    let waiters = gather(&words, &[u32::MAX]);
    let word = words.second.as_ptr();
    // SAFETY: the word outlives the call.
    let shared = unsafe { libc::syscall(libc::SYS_futex, word, FUTEX_WAKE, 10) };
    t.call("a shared wake for a private waiter", shared);
    t.call("a private wake", futex(&words.second, FUTEX_WAKE, 10));
    join(t, waiters);
}

fn futex_waiter_sees_the_store(t: &mut Transcript) {
    let word = Arc::new(AtomicU32::new(0));
    let waiter = thread::spawn({
        let word = Arc::clone(&word);
        move || {
            while word.load(Ordering::Relaxed) == 0 {
                let result = futex(&word, FUTEX_WAIT, 0);
                // Either it was woken or the value was there already.
                assert!(result == 0 || errno::last() == libc::EAGAIN);
            }
            word.load(Ordering::Relaxed)
        }
    });
    word.store(42, Ordering::Relaxed);
    t.holds("woken is 0 or 1", (0..=1).contains(&futex(&word, FUTEX_WAKE, 1)));
    t.value("the waiter read", waiter.join().expect("the waiter"));
}
