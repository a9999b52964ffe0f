//! Time daemons: they find the time, learn the drift, outvote a liar, and know when they know nothing.

use alloc::string::ToString;
use alloc::vec::Vec;

use bizarro_record::{ClockSpec, Nanos, NtpSpec};

use super::World;
use crate::host::HostId;
use crate::kernel::Left;

const HOUR: Nanos = Nanos::from_secs(3600);

/// A host that follows these ones.
fn follows(servers: &[u16], spec: ClockSpec) -> ClockSpec {
    let servers = servers.iter().map(u16::to_string).collect();
    ClockSpec { ntp: Some(NtpSpec { servers, poll: Nanos::from_secs(64) }), ..spec }
}

fn drifting(ppm: i64) -> ClockSpec {
    ClockSpec { drift_ppb: ppm * 1000, ..ClockSpec::default() }
}

/// How far a host's clock is from the truth, and how far it says that it may be, both in microseconds.
fn error(world: &World, host: u16) -> (i64, i64) {
    let (k, clock) = (&world.kernel, &world.kernel.hosts[usize::from(host)].clock);
    let off = clock.realtime(k.now).0 as i64 - (k.epoch + k.now.0) as i64;
    (off / 1000, clock.timex.max_error(clock.monotonic(k.now)))
}

#[test]
fn the_daemon_learns_the_drift_and_stays_within_its_bound() {
    let spec = ClockSpec { offset: 50_000_000, ..drifting(200) };
    let mut world = World::new(&[ClockSpec::default(), follows(&[0], spec)], &[]);
    let mut off = Vec::new();
    for _ in 0..24 {
        world.pass(HOUR);
        let (wrong, bound) = error(&world, 1);
        assert!(wrong.abs() <= bound, "{wrong} µs wrong, {bound} µs claimed");
        off.push(wrong);
    }
    assert!(off[2..].iter().all(|wrong| wrong.abs() < 500), "{off:?}");
    let frequency = world.kernel.hosts[1].clock.timex.frequency();
    assert!((-201 << 16..-198 << 16).contains(&frequency), "{frequency}");
}

#[test]
fn a_large_offset_is_stepped() {
    let spec = ClockSpec { offset: -3_000_000_000, ..ClockSpec::default() };
    let mut world = World::new(&[ClockSpec::default(), follows(&[0], spec)], &[]);
    world.pass(Nanos::from_secs(5));
    let (wrong, bound) = error(&world, 1);
    assert!(wrong.abs() < 10 && bound < 10_000, "{wrong} µs wrong, {bound} µs claimed");
}

#[test]
fn two_servers_outvote_one_that_lies() {
    let lies = ClockSpec { offset: 5_000_000_000, ..ClockSpec::default() };
    let honest = ClockSpec::default();
    let clocks = [lies.clone(), honest.clone(), honest, follows(&[0, 1, 2], drifting(10))];
    let mut world = World::new(&clocks, &[]);
    world.pass(HOUR);
    assert!(error(&world, 3).0.abs() < 1000);
    // Alone it is believed: five seconds and a bound that does not hold.
    let mut world = World::new(&[lies, follows(&[0], drifting(10))], &[]);
    world.pass(HOUR);
    let (wrong, bound) = error(&world, 1);
    assert!(wrong > 4_900_000 && bound < 100_000, "{wrong} µs wrong, {bound} µs claimed");
}

#[test]
fn a_server_may_begin_to_lie() {
    let mut world = World::new(&[ClockSpec::default(), follows(&[0], drifting(10))], &[]);
    world.pass(HOUR);
    assert!(error(&world, 1).0.abs() < 1000);
    world.kernel.step_clock(HostId(0), 60_000_000_000).unwrap();
    world.pass(HOUR);
    assert!(error(&world, 1).0 > 59_900_000);
}

#[test]
fn a_daemon_that_is_cut_off_drifts_and_says_so() {
    let clocks = [ClockSpec::default(), follows(&[0], drifting(200))];
    let mut world = World::new(&clocks, &[(1, 0)]);
    world.pass(HOUR);
    // 200 ppm of an hour.
    assert_eq!(error(&world, 1), (720_000, 16_000_000));
}

#[test]
fn a_frozen_machine_is_behind_until_its_daemon_asks_again() {
    let mut world = World::new(&[ClockSpec::default(), follows(&[0], ClockSpec::default())], &[]);
    world.pass(HOUR);
    world.kernel.freeze_host(HostId(1), world.kernel.now + HOUR);
    world.pass(HOUR);
    world.kernel.thaw_host(HostId(1));
    let (wrong, bound) = error(&world, 1);
    assert!(wrong < -3_599_000_000 && bound < 1_000_000, "{wrong} µs wrong, {bound} µs claimed");
    world.pass(Nanos::from_secs(66));
    assert!(error(&world, 1).0.abs() < 1000);
}

#[test]
fn a_daemon_starts_again_with_its_host() {
    let spec = ClockSpec { offset: -3_000_000_000, ..drifting(200) };
    let mut world = World::new(&[ClockSpec::default(), follows(&[0], spec)], &[]);
    world.pass(HOUR);
    world.start(1);
    world.kernel.power_off(HostId(1), Left::Nothing, Some(HOUR));
    world.pass(Nanos::from_secs(3590));
    // It has not asked while there was no power, and knows nothing when that is back.
    let off = error(&world, 1).0;
    assert!(off.abs() > 100_000, "{off} µs wrong");
    world.pass(Nanos::from_secs(15));
    let (wrong, bound) = error(&world, 1);
    assert!(wrong.abs() <= bound && bound < 100_000, "{wrong} µs wrong, {bound} µs claimed");
}
