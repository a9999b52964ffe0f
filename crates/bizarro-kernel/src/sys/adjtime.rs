//! Setting and steering clocks: clock_settime(2), settimeofday(2), adjtimex(2).

use bizarro_record::Nanos;

use crate::clock::timex::{MAX_ERROR, TOLERANCE};
use crate::clock::{Base, HostClock};
use crate::errno::{Errno, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::sys::clock::{Clock, kind};
use crate::table::Arg::{Int, Ptr};
use crate::table::{Args, Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_clock_settime, "clock_settime", &[Int, Ptr], clock_settime),
    row(libc::SYS_settimeofday, "settimeofday", &[Ptr, Ptr], settimeofday),
    row(libc::SYS_adjtimex, "adjtimex", &[Ptr], adjtimex),
    row(libc::SYS_clock_adjtime, "clock_adjtime", &[Int, Ptr], clock_adjtime),
];

const NANOS: i64 = 1_000_000_000;
/// `struct timex` of x86-64: its length and where its fields are.
const LENGTH: usize = 208;
const OFFSET: u64 = 8;
const FREQ: u64 = 16;
const MAXERROR: u64 = 24;
const ESTERROR: u64 = 32;
const STATUS: u64 = 40;
const CONSTANT: u64 = 48;
const PRECISION: u64 = 56;
const TOLERANCE_AT: u64 = 64;
const SECONDS: u64 = 72;
const FRACTION: u64 = 80;
const TICK: u64 = 88;
const PPS: core::ops::Range<u64> = 96..160;
const TAI: u64 = 160;

fn clock_settime(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if kind(a.int(0))? != Clock::Base(Base::Realtime) || a.int(0) != libc::CLOCK_REALTIME {
        return Err(Errno::EINVAL.into());
    }
    let to = memory.read_timespec(a.addr(1))?;
    k.set_clock(k.host_id(), to)?;
    Ok(0)
}

fn settimeofday(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let to = if a.addr(0) == 0 { None } else { Some(memory.read_timeval(a.addr(0))?) };
    if a.addr(1) != 0 {
        // LINUX: the zone is only kept; minutes beyond 15 hours are refused, settimeofday(2).
        let west = memory.read_i32(a.addr(1))?;
        if west.unsigned_abs() > 15 * 60 {
            return Err(Errno::EINVAL.into());
        }
    }
    if let Some(to) = to {
        k.set_clock(k.host_id(), to)?;
    }
    Ok(0)
}

fn clock_adjtime(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    memory.read(a.addr(1), &mut [0; LENGTH])?;
    match a.int(0) {
        libc::CLOCK_REALTIME => adjust(k, memory, a.addr(1)),
        // LINUX: the other clocks of the machine exist, but are not steered.
        id => {
            kind(id)?;
            Err(Errno::EOPNOTSUPP.into())
        }
    }
}

fn adjtimex(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    adjust(k, memory, a.addr(0))
}

fn adjust(k: &mut Kernel, memory: &mut dyn GuestMemory, at: u64) -> SysResult {
    memory.read(at, &mut [0; LENGTH])?;
    let modes = memory.read_u32(at)?;
    let has = |bits: u32| modes & bits != 0;
    // adjtime(3) is one bit of its own, together with the one of ADJ_OFFSET.
    let is_adjtime = has(libc::ADJ_OFFSET_SINGLESHOT & !libc::ADJ_OFFSET);
    if is_adjtime && !has(libc::ADJ_OFFSET) {
        return Err(Errno::EINVAL.into());
    }
    if !is_adjtime
        && has(libc::ADJ_TICK)
        && !(9_000..=11_000).contains(&memory.read_i64(at + TICK)?)
    {
        return Err(Errno::EINVAL.into());
    }
    let host = k.host_id();
    if has(libc::ADJ_SETOFFSET) {
        k.step_clock(host, set_offset(memory, at, modes)?)?;
    }
    let shown_offset;
    if is_adjtime {
        let timex = &mut k.host_mut().clock.timex;
        shown_offset = timex.adjtime;
        if modes & libc::ADJ_OFFSET_SS_READ != libc::ADJ_OFFSET_SS_READ {
            timex.adjtime = memory.read_i64(at + OFFSET)?;
        }
    } else {
        let monotonic = k.host().clock.monotonic(k.now);
        change(&mut k.host_mut().clock, memory, at, modes, monotonic)?;
        shown_offset = k.host().clock.timex.offset();
    }
    if modes != 0 {
        k.timex_changed(host);
    }
    let now = k.now;
    show(&mut k.host_mut().clock, memory, at, now, shown_offset)
}

/// The span of ADJ_SETOFFSET, in nanoseconds. LINUX: of a negative one only the seconds are negative.
fn set_offset(memory: &dyn GuestMemory, at: u64, modes: u32) -> Result<i64, Errno> {
    let (seconds, fraction) = (memory.read_i64(at + SECONDS)?, memory.read_i64(at + FRACTION)?);
    let (units, each) = if modes & libc::ADJ_NANO != 0 { (NANOS, 1) } else { (1_000_000, 1000) };
    if !(0..units).contains(&fraction) {
        return Err(Errno::EINVAL);
    }
    let whole = seconds.checked_mul(NANOS).ok_or(Errno::EINVAL)?;
    whole.checked_add(fraction * each).ok_or(Errno::EINVAL)
}

/// What the bits of `modes` ask for, in Linux's order.
fn change(
    clock: &mut HostClock,
    memory: &dyn GuestMemory,
    at: u64,
    modes: u32,
    monotonic: Nanos,
) -> Result<(), Errno> {
    let has = |bits: u32| modes & bits != 0;
    let wrong = |_| Errno::EINVAL;
    if has(libc::ADJ_FREQUENCY) {
        // Refused before anything is changed.
        clock.timex.clone().set_frequency(memory.read_i64(at + FREQ)?).map_err(wrong)?;
    }
    if has(libc::ADJ_STATUS) {
        clock.timex.set_status(monotonic, memory.read_i32(at + STATUS)?);
    }
    if has(libc::ADJ_NANO) {
        clock.timex.status |= libc::STA_NANO;
    }
    if has(libc::ADJ_MICRO) {
        clock.timex.status &= !libc::STA_NANO;
    }
    if has(libc::ADJ_FREQUENCY) {
        clock.timex.set_frequency(memory.read_i64(at + FREQ)?).map_err(wrong)?;
    }
    if has(libc::ADJ_MAXERROR) {
        clock.timex.set_max_error(monotonic, memory.read_i64(at + MAXERROR)?);
    }
    if has(libc::ADJ_ESTERROR) {
        clock.timex.estimated_error = memory.read_i64(at + ESTERROR)?.clamp(0, MAX_ERROR);
    }
    let constant = memory.read_i64(at + CONSTANT)?;
    if has(libc::ADJ_TIMECONST) {
        clock.timex.set_constant(constant);
    }
    if has(libc::ADJ_TAI) && (0..=100_000).contains(&constant) {
        clock.set_tai_offset(constant as i32);
    }
    if has(libc::ADJ_OFFSET) {
        clock.timex.set_offset(monotonic, memory.read_i64(at + OFFSET)?);
    }
    if has(libc::ADJ_TICK) {
        clock.timex.set_tick(memory.read_i64(at + TICK)?).map_err(wrong)?;
    }
    Ok(())
}

/// Writes the whole state, and gives that of the clock (TIME_OK, …).
fn show(
    clock: &mut HostClock,
    memory: &mut dyn GuestMemory,
    at: u64,
    now: Nanos,
    offset: i64,
) -> SysResult {
    let (monotonic, time, tai) = (clock.monotonic(now), clock.realtime(now), clock.tai_offset());
    let timex = &mut clock.timex;
    let result = timex.result(monotonic);
    let per_unit = if timex.status & libc::STA_NANO != 0 { 1 } else { 1000 };
    memory.write_i64(at + OFFSET, offset)?;
    memory.write_i64(at + FREQ, timex.frequency())?;
    memory.write_i64(at + MAXERROR, timex.max_error(monotonic))?;
    memory.write_i64(at + ESTERROR, timex.estimated_error)?;
    memory.write_i32(at + STATUS, timex.status)?;
    memory.write_i64(at + CONSTANT, timex.constant)?;
    memory.write_i64(at + PRECISION, 1)?;
    memory.write_i64(at + TOLERANCE_AT, TOLERANCE)?;
    memory.write_u64(at + SECONDS, time.0 / NANOS as u64)?;
    memory.write_u64(at + FRACTION, time.0 % NANOS as u64 / per_unit)?;
    memory.write_i64(at + TICK, timex.tick)?;
    // There is no source of pulses.
    memory.write(at + PPS.start, &[0; (PPS.end - PPS.start) as usize])?;
    memory.write_i32(at + TAI, tai)?;
    Ok(result as u64)
}
