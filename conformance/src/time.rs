//! Clocks, sleeping, interval timers.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use libc::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME, c_int, timespec,
};

use crate::c::{self, BAD_POINTER};
use crate::{Transcript, errno};

tests![Time:
    time_monotonic_never_goes_back,
    time_realtime_is_plausible,
    time_all_ways_to_ask_agree,
    time_clocks_that_exist,
    time_resolutions,
    time_bad_clocks_and_pointers,
    time_cpu_clocks_move_with_work,
    time_nanosleep_sleeps,
    time_nanosleep_bad_arguments,
    time_nanosleep_remainder_after_a_signal,
    time_clock_nanosleep_absolute,
    time_clock_nanosleep_bad_arguments,
    time_sleepers_wake_in_order,
    time_setitimer_fires_and_reports,
    time_alarm_counts_seconds,
    time_posix_timer,
];

const CLOCKS: [(&str, c_int); 9] = [
    ("CLOCK_REALTIME", CLOCK_REALTIME),
    ("CLOCK_MONOTONIC", CLOCK_MONOTONIC),
    ("CLOCK_MONOTONIC_RAW", CLOCK_MONOTONIC_RAW),
    ("CLOCK_REALTIME_COARSE", CLOCK_REALTIME_COARSE),
    ("CLOCK_MONOTONIC_COARSE", CLOCK_MONOTONIC_COARSE),
    ("CLOCK_BOOTTIME", CLOCK_BOOTTIME),
    ("CLOCK_TAI", CLOCK_TAI),
    ("CLOCK_PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID),
    ("CLOCK_THREAD_CPUTIME_ID", CLOCK_THREAD_CPUTIME_ID),
];

/// A time by which no clock of today is right: 2020-01-01 as seconds.
const YEAR_2020: u64 = 1_577_836_800;

extern "C" fn ignore(_: c_int) {}

fn clock_gettime(clock: c_int, into: *mut timespec) -> i32 {
    // SAFETY: the kernel checks the pointer, through the raw call even if the
    // vDSO would not.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, into) as i32 }
}

fn time_monotonic_never_goes_back(t: &mut Transcript) {
    for (name, clock) in CLOCKS.into_iter().filter(|(name, _)| name.contains("MONOTONIC")) {
        let mut last = c::now(clock);
        let mut back = 0;
        for _ in 0..1000 {
            let next = c::now(clock);
            back += u32::from(next < last);
            last = next;
        }
        t.value(format_args!("{name} went back"), back);
    }
    let start = Instant::now();
    thread::sleep(Duration::from_millis(10));
    t.holds("10 ms of sleep take 10 ms", start.elapsed() >= Duration::from_millis(10));
}

fn time_realtime_is_plausible(t: &mut Transcript) {
    let now = c::now(CLOCK_REALTIME);
    t.holds("after 2020", now.as_secs() > YEAR_2020);
    t.holds("before 2100", now.as_secs() < YEAR_2020 + 80 * 366 * 86400);
    let tai = c::now(CLOCK_TAI);
    t.holds("TAI is not behind", tai >= now);
    let (monotonic, boot) = (c::now(CLOCK_MONOTONIC), c::now(CLOCK_BOOTTIME));
    t.holds("BOOTTIME includes MONOTONIC", boot >= monotonic);
    t.holds("uptime is not zero", monotonic > Duration::ZERO);
}

fn time_all_ways_to_ask_agree(t: &mut Transcript) {
    let before = c::now(CLOCK_REALTIME);
    let std = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after the epoch");
    let mut raw = c::timespec(0);
    t.call("clock_gettime as a raw call", clock_gettime(CLOCK_REALTIME, &mut raw));
    let raw = Duration::new(raw.tv_sec as u64, raw.tv_nsec as u32);
    let mut day = c::timeval(0);
    // SAFETY: the timeval is of our own, and the zone may be null.
    t.call("gettimeofday", unsafe { libc::gettimeofday(&mut day, null_mut()) });
    let day = Duration::new(day.tv_sec as u64, day.tv_usec as u32 * 1000);
    // SAFETY: null asks for the return value only.
    let seconds = unsafe { libc::time(null_mut()) } as u64;
    let after = c::now(CLOCK_REALTIME);
    t.holds("std is between", before <= std && std <= after);
    t.holds("the raw call is between", std <= raw && raw <= after);
    // gettimeofday cuts off the nanoseconds.
    t.holds("gettimeofday is between", raw <= day + Duration::from_micros(1) && day <= after);
    // time(2) may take the coarse clock, which is a few milliseconds behind.
    t.holds("time is between", before.as_secs() <= seconds + 1 && seconds <= after.as_secs());
}

fn time_clocks_that_exist(t: &mut Transcript) {
    for (name, clock) in CLOCKS {
        let mut time = timespec { tv_sec: -1, tv_nsec: -1 };
        t.call(name, clock_gettime(clock, &mut time));
        t.holds("nsec is in range", (0..1_000_000_000).contains(&time.tv_nsec));
    }
}

fn time_resolutions(t: &mut Transcript) {
    for (name, clock) in CLOCKS {
        let mut resolution = c::timespec(0);
        // SAFETY: the timespec is of our own.
        t.call(name, unsafe { libc::clock_getres(clock, &mut resolution) });
        let coarse = name.ends_with("COARSE");
        t.holds("1 ns, or coarser where it says so", coarse || resolution.tv_nsec == 1);
        t.holds("under 20 ms", resolution.tv_sec == 0 && resolution.tv_nsec < 20_000_000);
    }
    // SAFETY: a null result is allowed, see clock_getres(2).
    t.call("clock_getres(null)", unsafe { libc::clock_getres(CLOCK_MONOTONIC, null_mut()) });
}

fn time_bad_clocks_and_pointers(t: &mut Transcript) {
    let mut time = c::timespec(0);
    t.call("clock 77", clock_gettime(77, &mut time));
    t.call("an unmapped result", clock_gettime(CLOCK_MONOTONIC, BAD_POINTER as *mut _));
    // SAFETY: the kernel checks the clock.
    t.call("clock_getres of clock 77", unsafe { libc::clock_getres(77, &mut time) });
    // SAFETY: the timespec is of our own; no user may set this clock.
    t.call("setting CLOCK_MONOTONIC", unsafe { libc::clock_settime(CLOCK_MONOTONIC, &time) });
}

fn time_cpu_clocks_move_with_work(t: &mut Transcript) {
    let thread_start = c::now(CLOCK_THREAD_CPUTIME_ID);
    let process_start = c::now(CLOCK_PROCESS_CPUTIME_ID);
    let moved = c::eventually(|| {
        c::now(CLOCK_THREAD_CPUTIME_ID) > thread_start
            && c::now(CLOCK_PROCESS_CPUTIME_ID) > process_start
    });
    t.holds("both moved", moved);
}

fn time_nanosleep_sleeps(t: &mut Transcript) {
    for millis in [0, 1, 15] {
        let start = Instant::now();
        // SAFETY: the time is of our own, and null asks for no remainder.
        let result = unsafe { libc::nanosleep(&c::timespec(millis), null_mut()) };
        t.call(format_args!("nanosleep of {millis} ms"), result);
        t.holds("it took that long", start.elapsed().as_millis() >= millis as u128);
    }
    // SAFETY: no memory is involved.
    t.call("usleep of 1 ms", unsafe { libc::usleep(1000) });
}

fn time_nanosleep_bad_arguments(t: &mut Transcript) {
    for (tv_sec, tv_nsec) in [(0, 1_000_000_000), (0, -1), (-1, 0)] {
        let time = timespec { tv_sec, tv_nsec };
        // SAFETY: the time is of our own.
        let result = unsafe { libc::nanosleep(&time, null_mut()) };
        t.call(format_args!("nanosleep of {tv_sec} s {tv_nsec} ns"), result);
    }
    // SAFETY: the kernel checks the pointer.
    let result = unsafe { libc::nanosleep(BAD_POINTER as *const _, null_mut()) };
    t.call("nanosleep of an unmapped time", result);
}

fn time_nanosleep_remainder_after_a_signal(t: &mut Transcript) {
    // SA_RESTART does not restart nanosleep, see signal(7).
    c::on_signal(libc::SIGUSR1, ignore, libc::SA_RESTART);
    let sleeper_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let me = c::pthread_self();
        scope.spawn({
            let done = &sleeper_done;
            move || {
                while !done.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(5));
                    c::pthread_kill(me, libc::SIGUSR1);
                }
            }
        });
        let mut left = c::timespec(0);
        // SAFETY: both times are of our own.
        let result = unsafe { libc::nanosleep(&c::timespec(60_000), &mut left) };
        t.call("nanosleep of a minute, interrupted", result);
        sleeper_done.store(true, Ordering::SeqCst);
        t.holds("the remainder is under a minute", left.tv_sec < 60);
        t.holds("most of it remains", left.tv_sec >= 30);
    });
}

fn clock_nanosleep(clock: c_int, flags: c_int, time: &timespec) -> c_int {
    // SAFETY: the time is of the caller's, and null asks for no remainder.
    unsafe { libc::clock_nanosleep(clock, flags, time, null_mut()) }
}

fn time_clock_nanosleep_absolute(t: &mut Transcript) {
    let past = c::timespec(1);
    for (name, clock) in [("MONOTONIC", CLOCK_MONOTONIC), ("REALTIME", CLOCK_REALTIME)] {
        t.code(format_args!("{name} in the past"), clock_nanosleep(clock, TIMER_ABSTIME, &past));
        let target = c::now(clock) + Duration::from_millis(15);
        let until =
            timespec { tv_sec: target.as_secs() as i64, tv_nsec: i64::from(target.subsec_nanos()) };
        t.code(format_args!("{name} in 15 ms"), clock_nanosleep(clock, TIMER_ABSTIME, &until));
        t.holds("the time has come", c::now(clock) >= target);
    }
    t.code("BOOTTIME, relative", clock_nanosleep(CLOCK_BOOTTIME, 0, &c::timespec(1)));
}

fn time_clock_nanosleep_bad_arguments(t: &mut Transcript) {
    // clock_nanosleep returns the error and leaves errno alone.
    errno::set(0);
    let bad = timespec { tv_sec: 0, tv_nsec: 1_000_000_000 };
    t.code("nsec of a second", clock_nanosleep(CLOCK_MONOTONIC, 0, &bad));
    t.code("clock 77", clock_nanosleep(77, 0, &c::timespec(1)));
    let own = clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &c::timespec(1));
    t.code("the thread's own CPU clock", own);
    // SAFETY: the kernel checks the pointer.
    let unmapped =
        unsafe { libc::clock_nanosleep(CLOCK_MONOTONIC, 0, BAD_POINTER as *const _, null_mut()) };
    t.code("an unmapped time", unmapped);
    t.value("errno", errno::last());
}

fn time_sleepers_wake_in_order(t: &mut Transcript) {
    let (sender, receiver) = std::sync::mpsc::channel();
    for millis in [90, 10, 50] {
        let sender = sender.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(millis));
            let _ = sender.send(millis);
        });
    }
    drop(sender);
    let order: Vec<u64> = receiver.into_iter().collect();
    t.line(format_args!("woke: {order:?}"));
}

static ALARMS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_alarm(_: c_int) {
    ALARMS.fetch_add(1, Ordering::SeqCst);
}

fn setitimer(value: i64, interval: i64, old: *mut libc::itimerval) -> i32 {
    let new = libc::itimerval { it_value: c::timeval(value), it_interval: c::timeval(interval) };
    // SAFETY: both are null or of the caller's.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &new, old) }
}

fn time_setitimer_fires_and_reports(t: &mut Transcript) {
    let mut old = libc::itimerval { it_value: c::timeval(1), it_interval: c::timeval(1) };
    c::on_signal(libc::SIGALRM, count_alarm, libc::SA_RESTART);
    t.call("setitimer(5 ms, every 5 ms)", setitimer(5, 5, &mut old));
    t.holds("nothing was set", old.it_value.tv_usec == 0 && old.it_interval.tv_usec == 0);
    t.holds("it fires again and again", c::eventually(|| ALARMS.load(Ordering::SeqCst) >= 3));
    t.call("setitimer(a minute, once)", setitimer(60_000, 0, &mut old));
    t.value("the old interval in µs", old.it_interval.tv_usec);
    t.holds("the old value was within it", old.it_value.tv_usec <= 5000);
    // SAFETY: `old` is of our own.
    t.call("getitimer", unsafe { libc::getitimer(libc::ITIMER_REAL, &mut old) });
    t.holds("30 to 60 s are left", (30..=60).contains(&old.it_value.tv_sec));
    t.call("setitimer(0)", setitimer(0, 0, null_mut()));
    let count = ALARMS.load(Ordering::SeqCst);
    thread::sleep(Duration::from_millis(15));
    t.holds("it is silent", ALARMS.load(Ordering::SeqCst) == count);
}

fn time_alarm_counts_seconds(t: &mut Transcript) {
    // SAFETY: no memory is involved in any of these.
    unsafe {
        t.value("alarm(100)", libc::alarm(100));
        // The seconds left are rounded to the nearest, so 100 unless the
        // machine slept for half a second here.
        let left = libc::alarm(50);
        t.holds("about 100 were left", (98..=100).contains(&left));
        let left = libc::alarm(0);
        t.holds("about 50 were left", (48..=50).contains(&left));
        t.value("alarm(0)", libc::alarm(0));
    }
}

fn time_posix_timer(t: &mut Transcript) {
    c::on_signal(libc::SIGALRM, count_alarm, libc::SA_RESTART);
    let mut timer: libc::timer_t = null_mut();
    // SAFETY: a null event means SIGALRM; the timer is of our own.
    t.call("timer_create", unsafe { libc::timer_create(CLOCK_MONOTONIC, null_mut(), &mut timer) });
    let spec = libc::itimerspec { it_value: c::timespec(5), it_interval: c::timespec(0) };
    // SAFETY: the timer was created above.
    t.call("timer_settime(5 ms)", unsafe { libc::timer_settime(timer, 0, &spec, null_mut()) });
    t.holds("it fires", c::eventually(|| ALARMS.load(Ordering::SeqCst) == 1));
    let mut left = libc::itimerspec { it_value: c::timespec(9), it_interval: c::timespec(9) };
    // SAFETY: the timer was created above.
    t.call("timer_gettime", unsafe { libc::timer_gettime(timer, &mut left) });
    t.holds("nothing is left", left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
    // SAFETY: the timer was created above.
    t.call("timer_delete", unsafe { libc::timer_delete(timer) });
    // SAFETY: no timer has this clock.
    t.call("timer_create(clock 77)", unsafe { libc::timer_create(77, null_mut(), &mut timer) });
}
