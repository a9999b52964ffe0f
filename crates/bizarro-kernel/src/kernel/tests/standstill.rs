//! Hosts and tasks that stand still, and slow CPUs.

use bizarro_record::{ClockSpec, Nanos};

use super::World;
use crate::host::HostId;

const HOST: HostId = HostId(0);
const SECOND: Nanos = Nanos::from_secs(1);

fn world() -> World {
    World::new(&[ClockSpec::default(), ClockSpec::default()], &[])
}

#[test]
fn a_frozen_hosts_sleep_lasts_as_long_as_its_clock_says() {
    let mut world = world();
    let tasks = [world.start(0), world.start(1)];
    world.kernel.freeze_host(HOST, Nanos::from_secs(30));
    let thaw = |world: &mut World| {
        let woken = world.sleep(&[(tasks[1], Nanos::from_secs(30))]);
        assert_eq!(woken, [(tasks[1], Nanos::from_secs(30))]);
        world.kernel.thaw_host(HOST);
    };
    let before = world.kernel.hosts[0].clock.monotonic(world.kernel.now);
    thaw(&mut world);
    assert_eq!(world.clock(tasks[0], libc::CLOCK_MONOTONIC), before);
    let woken = world.sleep(&[(tasks[0], SECOND)]);
    assert_eq!(woken, [(tasks[0], Nanos::from_secs(31))]);
}

#[test]
fn a_paused_hosts_clock_goes_on() {
    let mut world = world();
    let task = world.start(0);
    world.kernel.pause_host(HOST, Nanos::from_secs(15));
    let woken = world.sleep(&[(task, SECOND)]);
    // The call was not made before the host went on.
    assert_eq!(woken, [(task, Nanos::from_secs(16))]);
    let shown = world.clock(task, libc::CLOCK_MONOTONIC);
    assert_eq!(shown, crate::clock::BOOT + Nanos::from_secs(16));
}

#[test]
fn a_held_task_stands_still_and_the_others_do_not() {
    let mut world = world();
    let main = world.start(0);
    let other = world.thread(0, 900);
    assert!(world.kernel.hold_task(HOST, 900));
    assert!(!world.kernel.hold_task(HOST, 901));
    let third = world.thread(0, 902);
    world.sleep(&[(main, SECOND)]);
    world.kernel.timers.push(Nanos::from_secs(5), crate::timers::Timer::Release(other));
    if let Some(task) = world.kernel.task_by_id_mut(other) {
        task.held_until = Some(Nanos::from_secs(5));
    }
    let woken = world.sleep(&[(other, SECOND), (third, SECOND)]);
    assert_eq!(woken, [(third, Nanos::from_secs(2)), (other, Nanos::from_secs(5))]);
}

#[test]
fn slow_cpus_are_shared_by_the_tasks_that_want_them() {
    let cost = Nanos::from_millis(1);
    let mut world = World::with_cost(&[ClockSpec::default(), ClockSpec::default()], &[], cost);
    let first = world.start(0);
    let others = [world.thread(0, 900), world.thread(0, 901)];
    let elsewhere = world.start(1);
    world.kernel.slow_down(HOST, 101);
    let call = |task| super::Call { task, number: libc::SYS_getppid, args: [0; 6] };
    let done =
        world.run(alloc::vec![call(first), call(others[0]), call(others[1]), call(elsewhere)]);
    let millis = done.iter().map(|(task, _, at)| (*task, at.0 / 1_000_000));
    // Two CPUs take 100 ms each; the third call waits for the first of them. The other host waits for nobody.
    let expected = [(elsewhere, 4), (first, 101), (others[0], 102), (others[1], 201)];
    assert_eq!(millis.collect::<alloc::vec::Vec<_>>(), expected);
}
