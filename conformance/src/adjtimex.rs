//! How a program learns of the state of the clock: adjtimex(2), ntp_adjtime(3), clock_adjtime(2), ntp_gettime(3).
//!
//! These bodies run on the machine's own clock, too, some of them as root: they read, and ask for what every kernel
//! refuses. None of them may ask for a change that could be made.

use libc::{CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_TAI, c_int, timex};

use crate::c::{self, BAD_POINTER};
use crate::{Transcript, errno};

tests![Time:
    time_adjtimex_reads,
    time_adjtimex_reads_what_adjtime_has_left,
    time_adjtimex_refuses,
    time_clock_adjtime_is_of_the_realtime_clock,
    time_ntp_gettime_reads,
];

/// A clock may be so far off that nobody knows more (NTP_PHASE_LIMIT), in microseconds.
const ERROR_MAX: i64 = 16_000_000;

fn nothing() -> timex {
    // SAFETY: numbers, all zero: with no mode set, nothing is changed.
    unsafe { std::mem::zeroed() }
}

/// Whether it is a state of the clock: TIME_OK to TIME_ERROR.
fn is_state(result: c_int) -> bool {
    (libc::TIME_OK..=libc::TIME_ERROR).contains(&result)
}

/// What every machine's clock says of itself.
fn look(t: &mut Transcript, read: &timex) {
    t.value("precision in µs", read.precision);
    t.value("tolerance in ppm", read.tolerance >> 16);
    t.holds("the tick is within a tenth of 10 ms", (9_000..=11_000).contains(&read.tick));
    t.holds("the frequency is within the tolerance", read.freq.abs() <= read.tolerance);
    t.holds("the maximum error is one", (0..=ERROR_MAX).contains(&read.maxerror));
    t.holds("the estimated error is one", (0..=ERROR_MAX).contains(&read.esterror));
    let units = if read.status & libc::STA_NANO != 0 { 1_000_000_000 } else { 1_000_000 };
    t.holds("the fraction is in its unit", (0..units).contains(&read.time.tv_usec));
}

fn time_adjtimex_reads(t: &mut Transcript) {
    let mut read = nothing();
    let before = c::now(CLOCK_REALTIME).as_secs();
    // SAFETY: the structure is of our own.
    let result = unsafe { libc::adjtimex(&mut read) };
    let after = c::now(CLOCK_REALTIME).as_secs();
    t.holds("adjtimex gives a state", is_state(result));
    look(t, &read);
    let seconds = read.time.tv_sec as u64;
    t.holds("the time is CLOCK_REALTIME", (before..=after).contains(&seconds));
    let ahead = c::now(CLOCK_TAI).as_secs_f64() - c::now(CLOCK_REALTIME).as_secs_f64();
    t.holds("tai is what CLOCK_TAI is ahead", (ahead - f64::from(read.tai)).abs() < 0.5);
    // LINUX: a clock that nobody disciplines says so in both places, adjtimex(2).
    let unsynchronized = read.status & libc::STA_UNSYNC != 0;
    t.holds("unsynchronized means TIME_ERROR", !unsynchronized || result == libc::TIME_ERROR);
    // SAFETY: as above.
    t.holds("ntp_adjtime gives a state", is_state(unsafe { libc::ntp_adjtime(&mut nothing()) }));
}

fn time_adjtimex_reads_what_adjtime_has_left(t: &mut Transcript) {
    let mut read = timex { modes: libc::ADJ_OFFSET_SS_READ, ..nothing() };
    // SAFETY: the structure is of our own; the mode reads.
    t.holds("ADJ_OFFSET_SS_READ gives a state", is_state(unsafe { libc::adjtimex(&mut read) }));
    look(t, &read);
}

fn time_adjtimex_refuses(t: &mut Transcript) {
    let bad = BAD_POINTER as *mut timex;
    // SAFETY: the kernel checks the pointer.
    t.call("adjtimex of an unmapped structure", unsafe { libc::syscall(libc::SYS_adjtimex, bad) });
    // adjtime(3) is a bit that goes with the one of ADJ_OFFSET only.
    let adjtime = libc::ADJ_OFFSET_SINGLESHOT & !libc::ADJ_OFFSET;
    for (what, modes) in [
        ("the bit of adjtime alone", adjtime),
        ("the bit of adjtime and ADJ_FREQUENCY", adjtime | libc::ADJ_FREQUENCY),
        ("the bit of adjtime and ADJ_TICK", adjtime | libc::ADJ_TICK),
    ] {
        // SAFETY: the structure is of our own; no kernel takes this.
        t.call(what, unsafe { libc::adjtimex(&mut timex { modes, ..nothing() }) });
    }
    for tick in [0, 8_999, 11_001, -10_000] {
        let mut wrong = timex { modes: libc::ADJ_TICK, tick, ..nothing() };
        // SAFETY: as above.
        let result = unsafe { libc::adjtimex(&mut wrong) };
        // LINUX: whether the caller may set the clock is asked first.
        let refused = [libc::EINVAL, libc::EPERM].contains(&errno::last());
        t.holds(format_args!("a tick of {tick} µs is refused"), result == -1 && refused);
    }
}

fn clock_adjtime(clock: c_int, at: *mut timex) -> i64 {
    // SAFETY: the kernel checks the pointer.
    unsafe { libc::syscall(libc::SYS_clock_adjtime, clock, at) }
}

fn time_clock_adjtime_is_of_the_realtime_clock(t: &mut Transcript) {
    let mut read = nothing();
    let result = clock_adjtime(CLOCK_REALTIME, &mut read);
    t.holds("CLOCK_REALTIME gives a state", is_state(result as c_int));
    look(t, &read);
    for (name, clock) in [
        ("CLOCK_MONOTONIC", CLOCK_MONOTONIC),
        ("CLOCK_MONOTONIC_RAW", libc::CLOCK_MONOTONIC_RAW),
        ("CLOCK_REALTIME_COARSE", libc::CLOCK_REALTIME_COARSE),
        ("CLOCK_BOOTTIME", libc::CLOCK_BOOTTIME),
        ("CLOCK_TAI", CLOCK_TAI),
        ("CLOCK_PROCESS_CPUTIME_ID", libc::CLOCK_PROCESS_CPUTIME_ID),
        ("clock 77", 77),
    ] {
        t.call(name, clock_adjtime(clock, &mut nothing()));
    }
    // The structure is read before anybody asks which clock it is for.
    for clock in [CLOCK_REALTIME, CLOCK_MONOTONIC, 77] {
        t.call(
            format_args!("clock {clock}, unmapped"),
            clock_adjtime(clock, BAD_POINTER as *mut timex),
        );
    }
}

fn time_ntp_gettime_reads(t: &mut Transcript) {
    // SAFETY: numbers, all zero.
    let mut read: libc::ntptimeval = unsafe { std::mem::zeroed() };
    let before = c::now(CLOCK_REALTIME).as_secs();
    // SAFETY: the structure is of our own.
    let result = unsafe { libc::ntp_gettime(&mut read) };
    let after = c::now(CLOCK_REALTIME).as_secs();
    t.holds("ntp_gettime gives a state", is_state(result));
    t.holds("the time is CLOCK_REALTIME", (before..=after).contains(&(read.time.tv_sec as u64)));
    t.holds("the maximum error is one", (0..=ERROR_MAX).contains(&read.maxerror));
    t.holds("the estimated error is one", (0..=ERROR_MAX).contains(&read.esterror));
    t.holds("tai is no number of minutes", (0..60).contains(&read.tai));
}
