//! eventfd(2) and timerfd_create(2).

use std::ptr::null_mut;
use std::thread;
use std::time::{Duration, Instant};

use libc::{
    CLOCK_MONOTONIC, CLOCK_REALTIME, EFD_NONBLOCK, EFD_SEMAPHORE, POLLIN, POLLOUT, TFD_NONBLOCK,
    TFD_TIMER_ABSTIME, itimerspec,
};

use crate::c::{self, BAD_POINTER};
use crate::{Family, Test, Transcript};

pub(crate) const TESTS: &[Test] = &[
    event("eventfd_counts", eventfd_counts),
    event("eventfd_semaphore_counts_down", eventfd_semaphore_counts_down),
    event("eventfd_overflow", eventfd_overflow),
    event("eventfd_bad_arguments", eventfd_bad_arguments),
    event("eventfd_poll_events", eventfd_poll_events),
    event("eventfd_blocked_reader_wakes", eventfd_blocked_reader_wakes),
    event("eventfd_blocked_writer_wakes", eventfd_blocked_writer_wakes),
    timer("timerfd_one_shot", timerfd_one_shot),
    timer("timerfd_interval_counts_expirations", timerfd_interval_counts_expirations),
    timer("timerfd_absolute", timerfd_absolute),
    timer("timerfd_gettime_and_old_value", timerfd_gettime_and_old_value),
    timer("timerfd_disarm_and_rearm", timerfd_disarm_and_rearm),
    timer("timerfd_blocking_read", timerfd_blocking_read),
    timer("timerfd_bad_arguments", timerfd_bad_arguments),
    timer("timerfd_wakes_poll", timerfd_wakes_poll),
];

const fn event(name: &'static str, body: fn(&mut Transcript)) -> Test {
    Test { name, family: Family::EventFd, body, divergence: None }
}

const fn timer(name: &'static str, body: fn(&mut Transcript)) -> Test {
    Test { name, family: Family::TimerFd, body, divergence: None }
}

/// Reads an eventfd or timerfd and writes down the result and the number.
fn read(t: &mut Transcript, fd: i32) {
    let mut value = 0;
    match c::read_u64(fd, &mut value) {
        8 => t.line(format_args!("read = 8, value {value}")),
        result => {
            t.call("read", result);
        }
    }
}

fn eventfd_counts(t: &mut Transcript) {
    let fd = c::eventfd(3, EFD_NONBLOCK);
    read(t, fd);
    read(t, fd);
    t.call("write 2", c::write_u64(fd, 2));
    t.call("write 5", c::write_u64(fd, 5));
    t.call("write 0", c::write_u64(fd, 0));
    read(t, fd);
    read(t, fd);
    c::close_all(&[fd]);
}

fn eventfd_semaphore_counts_down(t: &mut Transcript) {
    let fd = c::eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
    t.call("write 1", c::write_u64(fd, 1));
    for _ in 0..4 {
        read(t, fd);
    }
    c::close_all(&[fd]);
}

fn eventfd_overflow(t: &mut Transcript) {
    let fd = c::eventfd(0, EFD_NONBLOCK);
    t.call("write u64::MAX", c::write_u64(fd, u64::MAX));
    t.call("write u64::MAX - 1", c::write_u64(fd, u64::MAX - 1));
    t.value("poll", c::poll_now(fd, POLLIN | POLLOUT));
    t.call("write 1", c::write_u64(fd, 1));
    t.call("write 0", c::write_u64(fd, 0));
    read(t, fd);
    t.value("poll", c::poll_now(fd, POLLIN | POLLOUT));
    c::close_all(&[fd]);
}

fn eventfd_bad_arguments(t: &mut Transcript) {
    let fd = c::eventfd(1, EFD_NONBLOCK);
    t.call("read into 7 bytes", c::read(fd, &mut [0; 7]));
    t.call("write of 7 bytes", c::write(fd, &[0; 7]));
    t.call("read into 16 bytes", c::read(fd, &mut [0; 16]));
    t.call("write of 16 bytes", c::write(fd, &[0; 16]));
    t.call("pread", c::pread(fd, &mut [0; 8], 0));
    c::close_all(&[fd]);
    // SAFETY: no memory is involved.
    t.call("eventfd with unknown flags", unsafe { libc::eventfd(0, 0x40) });
}

fn eventfd_poll_events(t: &mut Transcript) {
    let fd = c::eventfd(0, 0);
    t.value("at zero", c::poll_now(fd, POLLIN | POLLOUT));
    c::write_u64(fd, 1);
    t.value("at one", c::poll_now(fd, POLLIN | POLLOUT));
    c::close_all(&[fd]);
}

fn eventfd_blocked_reader_wakes(t: &mut Transcript) {
    let fd = c::eventfd(0, 0);
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(15));
            c::write_u64(fd, 9);
        });
        read(t, fd);
    });
    c::close_all(&[fd]);
}

fn eventfd_blocked_writer_wakes(t: &mut Transcript) {
    let fd = c::eventfd(0, 0);
    c::write_u64(fd, u64::MAX - 1);
    thread::scope(|scope| {
        let writer = scope.spawn(move || c::write_u64(fd, 5));
        thread::sleep(Duration::from_millis(15));
        t.holds("the writer waits", !writer.is_finished());
        read(t, fd);
        t.value("the writer got", writer.join().expect("the writer"));
        read(t, fd);
    });
    c::close_all(&[fd]);
}

fn timerfd(clock: i32, flags: i32) -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::timerfd_create(clock, flags) }
}

fn settime(fd: i32, flags: i32, value_ms: i64, interval_ms: i64) -> i32 {
    let new = itimerspec { it_value: c::timespec(value_ms), it_interval: c::timespec(interval_ms) };
    // SAFETY: the times are of our own, and null asks for no old ones.
    unsafe { libc::timerfd_settime(fd, flags, &new, null_mut()) }
}

fn gettime(fd: i32) -> itimerspec {
    let mut now = itimerspec { it_value: c::timespec(0), it_interval: c::timespec(0) };
    // SAFETY: the times are of our own.
    assert_eq!(unsafe { libc::timerfd_gettime(fd, &mut now) }, 0, "timerfd_gettime");
    now
}

fn is_zero(time: &libc::timespec) -> bool {
    time.tv_sec == 0 && time.tv_nsec == 0
}

fn timerfd_one_shot(t: &mut Transcript) {
    let fd = c::must(timerfd(CLOCK_MONOTONIC, TFD_NONBLOCK));
    read(t, fd);
    t.call("settime 10 ms", settime(fd, 0, 10, 0));
    t.value("poll at once", c::poll_now(fd, POLLIN));
    t.value("poll", c::poll_one(fd, POLLIN, 5000));
    read(t, fd);
    read(t, fd);
    t.value("poll at once", c::poll_now(fd, POLLIN));
    c::close_all(&[fd]);
}

fn timerfd_interval_counts_expirations(t: &mut Transcript) {
    let fd = c::must(timerfd(CLOCK_MONOTONIC, TFD_NONBLOCK));
    t.call("settime 5 ms, every 5 ms", settime(fd, 0, 5, 5));
    let start = Instant::now();
    thread::sleep(Duration::from_millis(28));
    let mut count = 0;
    t.call("read", c::read_u64(fd, &mut count));
    let passed = start.elapsed().as_millis() as u64;
    t.holds("five or more expirations", count >= 5);
    t.holds("no more than time allows", count <= passed / 5 + 1);
    c::await_readable(fd);
    t.call("read after the next", c::read_u64(fd, &mut count));
    t.holds("one or more", count >= 1);
    t.value("the interval in ns", gettime(fd).it_interval.tv_nsec);
    c::close_all(&[fd]);
}

fn timerfd_absolute(t: &mut Transcript) {
    for (name, clock) in [("MONOTONIC", CLOCK_MONOTONIC), ("REALTIME", CLOCK_REALTIME)] {
        let fd = c::must(timerfd(clock, TFD_NONBLOCK));
        t.call(format_args!("{name}: settime in the past"), settime(fd, TFD_TIMER_ABSTIME, 1, 0));
        c::await_readable(fd);
        read(t, fd);
        let soon = c::now(clock).as_millis() as i64 + 15;
        t.call("settime in 15 ms", settime(fd, TFD_TIMER_ABSTIME, soon, 0));
        c::await_readable(fd);
        t.holds("the time has come", c::now(clock).as_millis() as i64 >= soon);
        read(t, fd);
        c::close_all(&[fd]);
    }
}

fn timerfd_gettime_and_old_value(t: &mut Transcript) {
    let fd = c::must(timerfd(CLOCK_MONOTONIC, TFD_NONBLOCK));
    let now = gettime(fd);
    t.holds("unarmed is zero", is_zero(&now.it_value) && is_zero(&now.it_interval));
    t.call("settime 60 s, every 7 s", settime(fd, 0, 60_000, 7000));
    let now = gettime(fd);
    t.holds("about 60 s are left", (30..=60).contains(&now.it_value.tv_sec));
    t.value("the interval in s", now.it_interval.tv_sec);
    let new = itimerspec { it_value: c::timespec(0), it_interval: c::timespec(3000) };
    let mut old = new;
    // SAFETY: both are of our own.
    t.call("settime 0", unsafe { libc::timerfd_settime(fd, 0, &new, &mut old) });
    t.holds("the old value had about 60 s left", (30..=60).contains(&old.it_value.tv_sec));
    t.value("the old interval in s", old.it_interval.tv_sec);
    t.holds("it is disarmed", is_zero(&gettime(fd).it_value));
    c::close_all(&[fd]);
}

fn timerfd_disarm_and_rearm(t: &mut Transcript) {
    let fd = c::must(timerfd(CLOCK_MONOTONIC, TFD_NONBLOCK));
    settime(fd, 0, 10, 0);
    t.call("disarm", settime(fd, 0, 0, 0));
    t.value("poll for 20 ms", c::poll_one(fd, POLLIN, 20));
    settime(fd, 0, 1, 0);
    c::await_readable(fd);
    t.call("rearm after it fired, unread", settime(fd, 0, 60_000, 0));
    t.value("poll at once", c::poll_now(fd, POLLIN));
    read(t, fd);
    c::close_all(&[fd]);
}

fn timerfd_blocking_read(t: &mut Transcript) {
    let fd = c::must(timerfd(CLOCK_MONOTONIC, 0));
    let start = Instant::now();
    settime(fd, 0, 15, 0);
    read(t, fd);
    t.holds("it took 15 ms or more", start.elapsed().as_millis() >= 15);
    c::close_all(&[fd]);
}

fn timerfd_bad_arguments(t: &mut Transcript) {
    t.call("timerfd_create(clock 77)", timerfd(77, 0));
    t.call("timerfd_create(unknown flags)", timerfd(CLOCK_MONOTONIC, 0x40));
    t.call("timerfd_create(a CPU clock)", timerfd(libc::CLOCK_THREAD_CPUTIME_ID, 0));
    let fd = c::must(timerfd(CLOCK_MONOTONIC, TFD_NONBLOCK));
    let pipe = c::pipe(0);
    t.call("settime of a pipe", settime(pipe[0], 0, 1, 0));
    t.call("settime with unknown flags", settime(fd, 0x40, 1, 0));
    let mut bad = itimerspec { it_value: c::timespec(1), it_interval: c::timespec(0) };
    bad.it_value.tv_nsec = 1_000_000_000;
    // SAFETY: the kernel checks the pointers.
    unsafe {
        let result = libc::timerfd_settime(fd, 0, &bad, null_mut());
        t.call("settime with nsec of a second", result);
        let result = libc::timerfd_settime(fd, 0, BAD_POINTER as *const _, null_mut());
        t.call("settime of an unmapped time", result);
    }
    settime(fd, 0, 1, 0);
    c::await_readable(fd);
    t.call("read into 7 bytes", c::read(fd, &mut [0; 7]));
    t.call("write", c::write_u64(fd, 1));
    t.value("poll", c::poll_now(fd, POLLIN | POLLOUT));
    c::close_all(&[fd, pipe[0], pipe[1]]);
}

fn timerfd_wakes_poll(t: &mut Transcript) {
    let late = c::must(timerfd(CLOCK_MONOTONIC, 0));
    let early = c::must(timerfd(CLOCK_MONOTONIC, 0));
    settime(late, 0, 60_000, 0);
    settime(early, 0, 10, 0);
    let mut fds = [late, early].map(|fd| libc::pollfd { fd, events: POLLIN, revents: 0 });
    t.call("poll of two", c::poll(&mut fds, 5000));
    t.value("the late one", c::poll_names(fds[0].revents));
    t.value("the early one", c::poll_names(fds[1].revents));
    c::close_all(&[late, early]);
}
