//! adjtimex(2): what is set, what comes of it, and what is shown.

use bizarro_record::{ClockSpec, Nanos};

use super::{BUFFER, World};
use crate::task::TaskId;

const SECOND: Nanos = Nanos::from_secs(1);

/// `struct timex`, as far as tests set it.
#[derive(Default)]
struct Timex {
    modes: u32,
    offset: i64,
    freq: i64,
    maxerror: i64,
    status: i32,
    constant: i64,
    time: (i64, i64),
    tick: i64,
}

const FREQ: u64 = BUFFER + 16;
const MAXERROR: u64 = BUFFER + 24;

fn adjust(world: &mut World, task: TaskId, timex: &Timex) -> i64 {
    world.put(BUFFER, &[0; 208]);
    world.put(BUFFER, &timex.modes.to_le_bytes());
    let words = [(8, timex.offset), (16, timex.freq), (24, timex.maxerror), (48, timex.constant)];
    for (at, word) in words.into_iter().chain([(72, timex.time.0), (80, timex.time.1)]) {
        world.put(BUFFER + at, &word.to_le_bytes());
    }
    world.put(BUFFER + 40, &timex.status.to_le_bytes());
    world.put(BUFFER + 88, &timex.tick.to_le_bytes());
    world.call(task, libc::SYS_adjtimex, &[BUFFER])
}

fn world() -> (World, TaskId) {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    let task = world.start(0);
    (world, task)
}

/// What CLOCK_REALTIME has gained on true time, in microseconds.
fn gained(world: &mut World, task: TaskId) -> i64 {
    let wall = world.clock(task, libc::CLOCK_REALTIME);
    (wall.0 as i64 - (world.kernel.epoch + world.kernel.now.0) as i64) / 1000
}

#[test]
fn a_clock_that_nobody_has_set_says_so() {
    let (mut world, task) = world();
    assert_eq!(adjust(&mut world, task, &Timex::default()), i64::from(libc::TIME_ERROR));
    assert_eq!(world.word(MAXERROR), 16_000_000);
    assert_eq!(world.word(BUFFER + 88), 10_000);
    assert_eq!(world.word(BUFFER + 64), 500 << 16);
}

#[test]
fn a_frequency_makes_the_clock_faster_at_once() {
    let (mut world, task) = world();
    let timex = Timex { modes: libc::ADJ_FREQUENCY, freq: 100 << 16, ..Timex::default() };
    adjust(&mut world, task, &timex);
    assert_eq!(world.word(FREQ), 100 << 16);
    world.pass(Nanos::from_secs(1000));
    assert_eq!(gained(&mut world, task), 100_000);
    // More than 500 ppm is not to be had this way, but by the length of the tick.
    let timex = Timex { modes: libc::ADJ_FREQUENCY, freq: 900 << 16, ..Timex::default() };
    adjust(&mut world, task, &timex);
    assert_eq!(world.word(FREQ), 500 << 16);
    let slower = libc::ADJ_FREQUENCY | libc::ADJ_TICK;
    adjust(&mut world, task, &Timex { modes: slower, tick: 9_900, ..Timex::default() });
    world.pass(Nanos::from_secs(10));
    assert_eq!(gained(&mut world, task), 0);
}

#[test]
fn adjtime_works_off_half_a_millisecond_a_second() {
    let (mut world, task) = world();
    let modes = libc::ADJ_OFFSET_SINGLESHOT;
    adjust(&mut world, task, &Timex { modes, offset: -1200, ..Timex::default() });
    assert_eq!(world.word(BUFFER + 8), 0, "what was left of the one before");
    for (seconds, gain) in [(1, 0), (1, -500), (1, -1000), (1, -1200), (5, -1200)] {
        world.pass(Nanos::from_secs(seconds));
        assert_eq!(gained(&mut world, task), gain);
    }
    adjust(&mut world, task, &Timex { modes, offset: 800, ..Timex::default() });
    let read = libc::ADJ_OFFSET_SS_READ;
    adjust(&mut world, task, &Timex { modes: read, offset: 5, ..Timex::default() });
    assert_eq!(world.word(BUFFER + 8), 800);
}

#[test]
fn the_loop_works_off_an_offset_by_parts() {
    let (mut world, task) = world();
    let modes = libc::ADJ_STATUS | libc::ADJ_NANO | libc::ADJ_TIMECONST | libc::ADJ_MAXERROR;
    let timex = Timex { modes, status: libc::STA_PLL, constant: 2, ..Timex::default() };
    assert_eq!(adjust(&mut world, task, &timex), i64::from(libc::TIME_OK));
    let modes = libc::ADJ_OFFSET;
    adjust(&mut world, task, &Timex { modes, offset: 16_000_000, ..Timex::default() });
    assert_eq!(world.word(FREQ), 0, "no time has passed since the loop was closed");
    world.pass(SECOND + SECOND);
    assert_eq!(gained(&mut world, task), 999, "a sixteenth, rounded down");
    world.pass(Nanos::from_secs(1000));
    // A second that is slewed is over a little early, and so is its part.
    assert!((15_985..=16_000).contains(&gained(&mut world, task)));
}

#[test]
fn the_maximum_error_grows_until_the_clock_counts_as_unsynchronised() {
    let (mut world, task) = world();
    let modes = libc::ADJ_STATUS | libc::ADJ_MAXERROR;
    let timex = Timex { modes, status: libc::STA_PLL, maxerror: 1000, ..Timex::default() };
    assert_eq!(adjust(&mut world, task, &timex), i64::from(libc::TIME_OK));
    world.pass(Nanos::from_secs(10));
    assert_eq!(adjust(&mut world, task, &Timex::default()), i64::from(libc::TIME_OK));
    assert_eq!(world.word(MAXERROR), 6000);
    world.pass(Nanos::from_secs(32_000));
    assert_eq!(adjust(&mut world, task, &Timex::default()), i64::from(libc::TIME_ERROR));
    assert_eq!(world.word(MAXERROR), 16_000_000);
}

#[test]
fn an_offset_is_set_at_once_and_the_state_is_forgotten() {
    let (mut world, task) = world();
    let modes = libc::ADJ_SETOFFSET | libc::ADJ_NANO;
    let timex = Timex { modes, time: (-3, 250_000_000), ..Timex::default() };
    assert_eq!(adjust(&mut world, task, &timex), i64::from(libc::TIME_ERROR));
    assert_eq!(gained(&mut world, task), -2_750_000);
}

#[test]
fn what_is_out_of_range_is_refused() {
    let (mut world, task) = world();
    let mut refused = |timex: Timex| {
        assert_eq!(adjust(&mut world, task, &timex), -i64::from(libc::EINVAL));
    };
    refused(Timex { modes: libc::ADJ_TICK, tick: 8_999, ..Timex::default() });
    refused(Timex { modes: libc::ADJ_TICK, tick: 11_001, ..Timex::default() });
    refused(Timex { modes: libc::ADJ_FREQUENCY, freq: i64::MAX, ..Timex::default() });
    refused(Timex { modes: libc::ADJ_SETOFFSET, time: (0, 1_000_000), ..Timex::default() });
    refused(Timex { modes: libc::ADJ_SETOFFSET, time: (-i64::MAX, 0), ..Timex::default() });
    let adjtime = libc::ADJ_OFFSET_SINGLESHOT & !libc::ADJ_OFFSET;
    refused(Timex { modes: adjtime, ..Timex::default() });
    let clock = |world: &mut World, id: i32| {
        world.call(task, libc::SYS_clock_adjtime, &[id as u64, BUFFER])
    };
    world.put(BUFFER, &[0; 208]);
    assert_eq!(clock(&mut world, libc::CLOCK_MONOTONIC), -i64::from(libc::EOPNOTSUPP));
    assert_eq!(clock(&mut world, 77), -i64::from(libc::EINVAL));
    assert_eq!(clock(&mut world, libc::CLOCK_REALTIME), i64::from(libc::TIME_ERROR));
}
