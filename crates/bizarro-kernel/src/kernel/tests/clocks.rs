//! What programs see of clocks that drift, are set, freeze and leap.

use bizarro_record::{ClockSpec, LeapHandling, LeapSecond, Nanos};

use super::{BUFFER, World};
use crate::host::HostId;
use crate::kernel::{BOOT_AFTER, Command, Left, RESTART_AFTER};

const SECOND: Nanos = Nanos::from_secs(1);
const HOST: HostId = HostId(0);
/// The day of the worlds here begins with them.
const DAY: u64 = 86_400;

fn drifting(ppm: i64) -> ClockSpec {
    ClockSpec { drift_ppb: ppm * 1000, ..ClockSpec::default() }
}

#[test]
fn a_second_of_a_drifting_host_is_a_second_of_its_own() {
    let mut world = World::new(&[drifting(100_000), drifting(0), drifting(-100_000)], &[]);
    let tasks = [0, 1, 2].map(|host| world.start(host));
    let woken = world.sleep(&tasks.map(|task| (task, SECOND)));
    assert_eq!(
        woken,
        [
            (tasks[0], Nanos(909_090_910)),
            (tasks[1], Nanos(1_000_000_000)),
            (tasks[2], Nanos(1_111_111_112)),
        ]
    );
}

#[test]
fn a_sleep_goes_on_for_longer_where_the_clock_becomes_slower_meanwhile() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    let task = world.start(0);
    world.kernel.timers.push(
        Nanos::from_millis(500),
        crate::timers::Timer::Smear(
            HOST,
            // The rest of the second loses a tenth of itself.
            crate::kernel::time::Smear::Begin {
                gain: -100_000_000,
                until: Nanos::from_millis(1500),
            },
        ),
    );
    let woken = world.sleep(&[(task, SECOND)]);
    // 0.5 s, and 0.5 s at nine tenths.
    assert_eq!(woken, [(task, Nanos(1_055_555_556))]);
}

#[test]
fn setting_the_clock_ends_a_sleep_until_a_time_and_no_sleep_for_a_span() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    let main = world.start(0);
    let others = [world.thread(0, 900), world.thread(0, 901)];
    let wall = world.clock(main, libc::CLOCK_REALTIME);
    world.put_time(1024, wall + Nanos::from_secs(3600));
    world.put_time(1040, Nanos::from_secs(10));
    let sleep = |task, clock: i32, flags: i32, at| super::Call {
        task,
        number: libc::SYS_clock_nanosleep,
        args: [clock as u64, flags as u64, at, 0, 0, 0],
    };
    world.put_time(1056, wall + Nanos::from_secs(7200));
    let set = super::Call {
        task: main,
        number: libc::SYS_clock_settime,
        args: [libc::CLOCK_REALTIME as u64, 1056, 0, 0, 0, 0],
    };
    let done = world.run(alloc::vec![
        sleep(others[0], libc::CLOCK_REALTIME, libc::TIMER_ABSTIME, 1024),
        sleep(others[1], libc::CLOCK_REALTIME, 0, 1040),
        set,
    ]);
    assert_eq!(
        done,
        [(main, 0, Nanos::ZERO), (others[0], 0, Nanos::ZERO), (others[1], 0, Nanos::from_secs(10)),]
    );
}

#[test]
fn a_clock_cannot_be_set_to_before_the_machine_was_started() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    let task = world.start(0);
    world.put_time(1024, Nanos::from_secs(999));
    let set = [libc::CLOCK_REALTIME as u64, 1024];
    assert_eq!(world.call(task, libc::SYS_clock_settime, &set), -i64::from(libc::EINVAL));
    let set = [libc::CLOCK_MONOTONIC as u64, 1024];
    assert_eq!(world.call(task, libc::SYS_clock_settime, &set), -i64::from(libc::EINVAL));
}

#[test]
fn a_timerfd_is_told_that_the_clock_was_set_and_stays_armed() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    let task = world.start(0);
    let fd = world.call(task, libc::SYS_timerfd_create, &[libc::CLOCK_REALTIME as u64, 0]) as u64;
    let wall = world.clock(task, libc::CLOCK_REALTIME);
    world.put_time(1024, Nanos::ZERO);
    world.put_time(1040, wall + Nanos::from_secs(3600));
    let flags = (libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET) as u64;
    assert_eq!(world.call(task, libc::SYS_timerfd_settime, &[fd, flags, 1024, 0]), 0);
    world.kernel.step_clock(HOST, 60_000_000_000).unwrap();
    let read = [fd, BUFFER, 8];
    assert_eq!(world.call(task, libc::SYS_read, &read), -i64::from(libc::ECANCELED));
    // An hour, but for the minute.
    assert_eq!(world.call(task, libc::SYS_read, &read), 8);
    assert_eq!((world.word(BUFFER), world.kernel.now), (1, Nanos::from_secs(3540)));
}

#[test]
fn a_periodic_timer_counts_what_a_step_of_the_clock_left_out() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    let task = world.start(0);
    let fd = world.call(task, libc::SYS_timerfd_create, &[libc::CLOCK_REALTIME as u64, 0]) as u64;
    let wall = world.clock(task, libc::CLOCK_REALTIME);
    world.put_time(1024, SECOND);
    world.put_time(1040, wall + SECOND);
    let flags = libc::TFD_TIMER_ABSTIME as u64;
    assert_eq!(world.call(task, libc::SYS_timerfd_settime, &[fd, flags, 1024, 0]), 0);
    world.kernel.step_clock(HOST, 3_600_000_000_000).unwrap();
    assert_eq!(world.call(task, libc::SYS_read, &[fd, BUFFER, 8]), 8);
    assert_eq!((world.word(BUFFER), world.kernel.now), (3600, Nanos::ZERO));
    assert_eq!(world.call(task, libc::SYS_read, &[fd, BUFFER, 8]), 8);
    assert_eq!((world.word(BUFFER), world.kernel.now), (1, SECOND));
}

/// Sleeps to shortly before midnight and says what happens in the seconds around it, each as the second of the day and
/// the seconds by which TAI is ahead.
fn around_midnight(
    world: &mut World,
    task: crate::task::TaskId,
) -> alloc::vec::Vec<(u64, u64, i64)> {
    let left = DAY - world.clock(task, libc::CLOCK_REALTIME).0 / SECOND.0 % DAY;
    world.sleep(&[(task, Nanos::from_secs(left - 2) + Nanos::from_millis(500))]);
    let mut seen = alloc::vec::Vec::new();
    for _ in 0..5 {
        let wall = world.clock(task, libc::CLOCK_REALTIME);
        let tai = world.clock(task, libc::CLOCK_TAI);
        world.put(BUFFER, &[0; 208]);
        let state = world.call(task, libc::SYS_adjtimex, &[BUFFER]);
        seen.push((wall.0 / SECOND.0 % DAY, (tai - wall).0 / SECOND.0, state));
        world.sleep(&[(task, SECOND)]);
    }
    seen
}

fn synchronised(world: &mut World, task: crate::task::TaskId) {
    world.put(BUFFER, &[0; 208]);
    world.put(BUFFER, &(libc::ADJ_STATUS | libc::ADJ_MAXERROR).to_le_bytes());
    world.put(BUFFER + 40, &libc::STA_PLL.to_le_bytes());
    assert_eq!(world.call(task, libc::SYS_adjtimex, &[BUFFER]), i64::from(libc::TIME_OK));
}

#[test]
fn a_leap_second_repeats_the_last_second_of_the_day() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    let task = world.start(0);
    world.sleep(&[(task, Nanos::from_secs(DAY - 3600))]);
    synchronised(&mut world, task);
    world.kernel.leap_second(LeapSecond::Insert);
    let (ins, oop, wait) = (libc::TIME_INS, libc::TIME_OOP, libc::TIME_WAIT);
    assert_eq!(
        around_midnight(&mut world, task),
        [
            (86_398, 37, ins.into()),
            (86_399, 37, ins.into()),
            (86_399, 38, oop.into()),
            (0, 38, wait.into()),
            (1, 38, wait.into()),
        ]
    );
}

#[test]
fn a_leap_second_that_is_left_out_ends_the_day_early() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    let task = world.start(0);
    world.sleep(&[(task, Nanos::from_secs(DAY - 3600))]);
    synchronised(&mut world, task);
    world.kernel.leap_second(LeapSecond::Delete);
    let (del, wait) = (libc::TIME_DEL, libc::TIME_WAIT);
    assert_eq!(
        around_midnight(&mut world, task),
        [
            (86_398, 37, del.into()),
            (0, 36, wait.into()),
            (1, 36, wait.into()),
            (2, 36, wait.into()),
            (3, 36, wait.into()),
        ]
    );
}

#[test]
fn a_leap_second_is_smeared_from_noon_to_noon_or_ignored() {
    let handled = |leap| ClockSpec { leap, ..ClockSpec::default() };
    let clocks = [LeapHandling::Step, LeapHandling::Smear, LeapHandling::Ignore].map(handled);
    let mut world = World::new(&clocks, &[]);
    let tasks = [0, 1, 2].map(|host| world.start(host));
    world.kernel.leap_second(LeapSecond::Insert);
    let mut ahead = |at: Nanos| {
        let span = at - world.kernel.now;
        world.pass(span);
        let epoch = world.kernel.epoch;
        tasks.map(|task| {
            let wall = world.clock(task, libc::CLOCK_REALTIME);
            (wall.0 as i64 - (epoch + world.kernel.now.0) as i64) / 1_000_000
        })
    };
    assert_eq!(ahead(Nanos::from_secs(DAY / 2)), [0, 0, 0]);
    assert_eq!(ahead(Nanos::from_secs(DAY)), [-1000, -500, 0]);
    assert_eq!(ahead(Nanos::from_secs(2 * DAY)), [-1000, -1000, 0]);
}

#[test]
fn coarse_clocks_step_with_the_timer_tick() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    let task = world.start(0);
    world.sleep(&[(task, Nanos::from_millis(10))]);
    let fine = world.clock(task, libc::CLOCK_MONOTONIC);
    let coarse = world.clock(task, libc::CLOCK_MONOTONIC_COARSE);
    assert_eq!(fine - coarse, Nanos::from_millis(2));
    let fine = world.clock(task, libc::CLOCK_REALTIME);
    let coarse = world.clock(task, libc::CLOCK_REALTIME_COARSE);
    assert_eq!(fine - coarse, Nanos::from_millis(2));
}

/// What the clocks of a host show, whether or not somebody runs on it.
fn shown(world: &World) -> (Nanos, Nanos) {
    let (clock, now) = (&world.kernel.hosts[0].clock, world.kernel.now);
    (clock.monotonic(now), clock.realtime(now))
}

/// Lets as much time pass as a host needs to start again, and starts its program.
fn start_again(world: &mut World) -> crate::task::TaskId {
    world.pass(Nanos::from_secs(60));
    assert_eq!(world.kernel.take_command(), Some(Command::TearDown(HOST)));
    assert_eq!(world.kernel.take_command(), Some(Command::Start(HOST)));
    world.start(0)
}

#[test]
fn a_crash_leaves_the_clocks_as_they_are_and_a_boot_begins_uptime_anew() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    world.start(0);
    world.pass(Nanos::from_secs(100));
    let (monotonic, realtime) = shown(&world);
    world.kernel.crash_host(HOST, Some(RESTART_AFTER));
    let task = start_again(&mut world);
    let minute = Nanos::from_secs(60);
    assert_eq!(world.clock(task, libc::CLOCK_MONOTONIC), monotonic + minute);
    assert_eq!(world.clock(task, libc::CLOCK_REALTIME), realtime + minute);

    world.kernel.power_off(HOST, Left::Nothing, Some(BOOT_AFTER));
    let task = start_again(&mut world);
    // The rest of the minute is that since the boot.
    let up = crate::clock::BOOTED + minute - BOOT_AFTER;
    for clock in [libc::CLOCK_MONOTONIC, libc::CLOCK_MONOTONIC_RAW, libc::CLOCK_BOOTTIME] {
        assert_eq!(world.clock(task, clock), up);
    }
    assert_eq!(world.clock(task, libc::CLOCK_REALTIME), realtime + minute + minute);
    assert_eq!(world.kernel.hosts[0].process.started_after_boot, up);
    // What waits counts from there, too.
    let woken = world.sleep(&[(task, SECOND)]);
    assert_eq!(woken, [(task, world.kernel.now)]);
    assert_eq!(world.clock(task, libc::CLOCK_MONOTONIC), up + SECOND);
}

#[test]
fn a_clock_that_drifts_does_so_without_power_too() {
    let mut world = World::new(&[ClockSpec { drift_ppb: 1_000_000, ..ClockSpec::default() }], &[]);
    world.start(0);
    world.pass(SECOND);
    let realtime = shown(&world).1;
    world.kernel.power_off(HOST, Left::Nothing, Some(BOOT_AFTER));
    let task = start_again(&mut world);
    let gained = world.clock(task, libc::CLOCK_REALTIME).0 - realtime.0;
    // A minute, and a thousandth of it.
    assert!(gained.abs_diff(60_060_000_000) <= 2, "{gained}");
}
