//! The lines that clocks are.

extern crate std;

use std::vec::Vec;

use bizarro_record::{ClockSpec, Nanos};
use proptest::prelude::*;

use super::{Base, Due, HostClock};

const SECOND: Nanos = Nanos::from_secs(1);
const DAY: Nanos = Nanos::from_secs(86_400);
const EPOCH: u64 = 1_767_225_600_000_000_000;

fn clock(spec: ClockSpec) -> HostClock {
    HostClock::new(&spec, EPOCH)
}

#[test]
fn an_exact_clock_shows_true_time() {
    let clock = clock(ClockSpec { offset: -5, ..ClockSpec::default() });
    assert_eq!(clock.monotonic(Nanos(7)), Nanos(1_000_000_000_007));
    assert_eq!(clock.realtime(Nanos(7)), Nanos(EPOCH + 2));
    assert_eq!(clock.tai(Nanos(7)), Nanos(EPOCH + 37_000_000_002));
}

#[test]
fn two_hundred_ppm_are_seventeen_seconds_a_day() {
    for (ppm, gained) in [(200, 17_280_000_000i64), (-200, -17_280_000_000)] {
        let clock = clock(ClockSpec { drift_ppb: ppm * 1000, ..ClockSpec::default() });
        let shown = clock.realtime(DAY).0 as i64;
        assert_eq!(shown - (EPOCH + DAY.0) as i64, gained);
        assert_eq!(clock.raw(DAY), clock.monotonic(DAY));
    }
}

#[test]
fn slewing_moves_the_monotonic_clock_and_not_the_raw_one() {
    let mut clock = clock(ClockSpec { drift_ppb: 50_000, ..ClockSpec::default() });
    clock.timex.set_frequency(-50 << 16).unwrap();
    assert!(clock.follow_timex(Nanos::ZERO));
    // 1.00005 × 0.99995 is 2.5 parts in a thousand million too slow.
    assert_eq!(clock.monotonic(DAY).0, super::BOOT.0 + DAY.0 - 216_000);
    assert_eq!(clock.raw(DAY).0, super::BOOT.0 + DAY.0 + 4_320_000_000);
}

#[test]
fn a_frozen_clock_goes_on_where_it_was() {
    let mut clock = clock(ClockSpec::default());
    let due = clock.after(SECOND, SECOND);
    clock.freeze(SECOND, true);
    assert_eq!(clock.monotonic(DAY), clock.monotonic(SECOND));
    assert_eq!(clock.when(due, DAY), Nanos::MAX);
    clock.freeze(DAY, false);
    assert_eq!(clock.when(due, DAY), DAY + SECOND);
    assert_eq!(clock.realtime(DAY), Nanos(EPOCH + SECOND.0));
}

#[test]
fn a_coarse_clock_source_steps_and_never_ends_a_span_early() {
    let tick = Nanos::from_millis(4);
    let clock = clock(ClockSpec { resolution: tick, ..ClockSpec::default() });
    let now = Nanos::from_millis(7);
    assert_eq!(clock.monotonic(now), super::BOOT + tick);
    let due = clock.after(now, Nanos::from_millis(1));
    assert_eq!(clock.when(due, now), Nanos::from_millis(12));
}

/// Something that is done to a clock.
#[derive(Clone, Debug)]
enum Deed {
    Drift(i64),
    Frequency(i64),
    Tick(i64),
    Freeze(bool),
    Coarsen(u64),
    Step(i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (-100_000_000i64..=100_000_000).prop_map(Deed::Drift),
        (-(500i64 << 16)..=500 << 16).prop_map(Deed::Frequency),
        (9_000i64..=11_000).prop_map(Deed::Tick),
        any::<bool>().prop_map(Deed::Freeze),
        (1u64..10_000_000).prop_map(Deed::Coarsen),
        (-1_000_000_000_000i64..1_000_000_000_000).prop_map(Deed::Step),
    ]
}

fn carry_out(clock: &mut HostClock, now: Nanos, deed: &Deed) {
    match deed {
        Deed::Drift(ppb) => clock.drift(now, *ppb),
        Deed::Frequency(frequency) => clock.timex.set_frequency(*frequency).unwrap(),
        Deed::Tick(tick) => clock.timex.set_tick(*tick).unwrap(),
        Deed::Freeze(frozen) => clock.freeze(now, *frozen),
        Deed::Coarsen(nanos) => clock.coarsen(now, Nanos(*nanos)),
        Deed::Step(by) => assert!(clock.step(*by)),
    }
    clock.follow_timex(now);
}

proptest! {
    #[test]
    fn the_monotonic_clock_never_goes_back(
        deeds in prop::collection::vec((deed(), 0u64..5_000_000_000), 1..20),
    ) {
        let mut clock = clock(ClockSpec::default());
        let mut now = Nanos::ZERO;
        let (mut raw, mut monotonic) = (Nanos::ZERO, Nanos::ZERO);
        // A coarser clock shows an earlier tick: only the lines themselves are compared.
        let mut lines = clock.lines(now);
        for (deed, later) in deeds {
            let is_coarse = matches!(deed, Deed::Coarsen(_));
            carry_out(&mut clock, now, &deed);
            if is_coarse {
                (raw, monotonic) = (Nanos::ZERO, Nanos::ZERO);
            }
            for at in [now, now + Nanos(1), now + Nanos(later / 2), now + Nanos(later)] {
                let next = clock.lines(at);
                prop_assert!(next.0 >= lines.0 && next.1 >= lines.1);
                lines = next;
                prop_assert!(clock.raw(at) >= raw && clock.monotonic(at) >= monotonic);
                (raw, monotonic) = (clock.raw(at), clock.monotonic(at));
            }
            now += Nanos(later);
        }
    }

    #[test]
    fn a_moment_comes_when_the_clock_shows_it_first(
        deeds in prop::collection::vec(deed(), 0..5),
        later in 0u64..3_000_000_000,
        span in 0u64..3_000_000_000,
    ) {
        let mut clock = clock(ClockSpec::default());
        let deeds: Vec<Deed> =
            deeds.into_iter().filter(|deed| !matches!(deed, Deed::Freeze(true))).collect();
        for (at, deed) in (0..).zip(&deeds) {
            carry_out(&mut clock, Nanos(at * 1000), deed);
        }
        let now = Nanos(later.max(5000));
        for base in [Base::Monotonic, Base::Realtime, Base::Tai] {
            let due = Due { base, at: clock.read(base, now) + Nanos(span) };
            let when = clock.when(due, now);
            prop_assert!(when >= now && clock.is_due(due, when));
            prop_assert!(when == now || !clock.is_due(due, when - Nanos(1)));
        }
    }
}

#[test]
fn a_boot_begins_the_monotonic_clock_anew_and_no_other() {
    for spec in [
        ClockSpec { offset: -7, ..ClockSpec::default() },
        ClockSpec { drift_ppb: 123_456, offset: 3_000_000_000, ..ClockSpec::default() },
        ClockSpec { resolution: Nanos::from_millis(10), ..ClockSpec::default() },
    ] {
        let mut clock = clock(spec);
        clock.timex.set_frequency(50 << 16).unwrap();
        clock.follow_timex(SECOND);
        let (before, tai) = (clock.realtime(DAY), clock.tai(DAY));
        clock.lost_power(DAY);
        clock.rebooted(DAY);
        assert_eq!(clock.monotonic(DAY), super::BOOTED);
        assert_eq!(clock.raw(DAY), super::BOOTED);
        let near = |shown: Nanos, before: Nanos| shown.0.abs_diff(before.0) <= 10_000_000;
        assert!(near(clock.realtime(DAY), before) && near(clock.tai(DAY), tai));
        assert_eq!(clock.timex.frequency(), 0);
        // And all of them go on from there.
        let after = clock.monotonic(DAY + SECOND);
        assert!(near(after, super::BOOTED + SECOND), "{after}");
        assert!(near(clock.realtime(DAY + SECOND), before + SECOND));
    }
}
