//! The plan of a run of a swarm.

use bizarro_fault::{SplitMix64, SystemModel, Timing};
use bizarro_record::{Effect, Injection, Nanos, Plan, RandomFaults, RunRecord, Schedule, Step};

use super::Parent;
use super::trouble::Troubles;

/// Purposes of draws, each with a stream of its own.
const ANEW: u64 = 0;
const CHANGED: u64 = 1 << 63;
const POWER: u64 = 1 << 62;

/// What the plans of a test are drawn from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Space {
    /// The effects that the model allows, but for a power loss.
    effects: Vec<Effect>,
    /// Whether it allows that.
    power: bool,
    /// Whether packets may be late.
    timing: Timing,
    /// System calls of a run, about.
    syscalls: u64,
    /// Exchanges of a run, about.
    exchanges: u64,
    /// What goes wrong with hosts.
    troubles: Troubles,
}

impl Space {
    /// Everything that `model` allows, for runs about as long as `baseline`.
    pub fn of(baseline: &RunRecord, model: SystemModel) -> Space {
        Space {
            effects: Effect::ALL
                .into_iter()
                .filter(|effect| *effect != Effect::PowerOff && model.allows(*effect))
                .collect(),
            power: model.allows(Effect::PowerOff),
            timing: model.timing,
            syscalls: baseline.stats.syscalls.max(1),
            exchanges: baseline.exchanges.len().max(1) as u64,
            troubles: Troubles::of(baseline, model),
        }
    }
}

/// The plan of the run with this number, from 1, in a swarm of this seed.
pub fn swarm_plan(seed: u64, number: u64, space: &Space) -> Plan {
    let draws = &mut SplitMix64::stream(seed, ANEW | number);
    Plan {
        seed: plan_seed(draws),
        schedule: schedule(draws, space),
        jitter: jitter(draws, space),
        faults: with_power((seed, number), space, faults(draws, space)),
        incidents: space.troubles.draw(draws),
        ..Plan::default()
    }
}

/// Power losses are among the drawn faults of every other run that has any. They have draws of their own, so that all
/// else is drawn as without them.
fn with_power(
    (seed, number): (u64, u64),
    space: &Space,
    faults: Option<RandomFaults>,
) -> Option<RandomFaults> {
    let mut faults = faults?;
    if space.power && SplitMix64::stream(seed, POWER | number).chance(500_000) {
        faults.effects.push(Effect::PowerOff);
    }
    Some(faults)
}

/// The same in a directed swarm, where `parents` are the runs of earlier batches that came to something new.
pub(super) fn directed(seed: u64, number: u64, space: &Space, parents: &[Parent]) -> Plan {
    let draws = &mut SplitMix64::stream(seed, CHANGED | number);
    if parents.is_empty() || space.effects.is_empty() || draws.chance(500_000) {
        return swarm_plan(seed, number, space);
    }
    let parent = &parents[draws.within(0, parents.len() as u64 - 1) as usize];
    let mut plan = parent.plan.clone();
    plan.seed = plan_seed(draws);
    // The way to the new state stays, or nearly; what comes after it is drawn.
    while plan.injections.len() > KEPT_MAX || plan.injections.len() > 1 && draws.chance(250_000) {
        plan.injections.remove(draws.within(0, plan.injections.len() as u64 - 1) as usize);
    }
    if draws.chance(500_000) {
        plan.schedule = schedule(draws, space);
    }
    plan.injections.extend(another(draws, space, parent));
    plan.faults = with_power((seed, CHANGED | number), space, faults(draws, space));
    // Those of the parent stay, or are drawn anew.
    if draws.chance(250_000) {
        plan.incidents = space.troubles.draw(draws);
    }
    plan.injections.sort();
    plan.injections.dedup();
    plan
}

/// Faults of a parent that its child keeps.
const KEPT_MAX: usize = 6;

/// A fault somewhere in the run of `parent`.
fn another(draws: &mut SplitMix64, space: &Space, parent: &Parent) -> Option<Injection> {
    let last = parent.exchanges.len().checked_sub(1)? as u64;
    let at = parent.exchanges[draws.within(0, last) as usize].clone();
    let step = Step::ALL[draws.within(0, 7) as usize];
    let possible: Vec<&Effect> =
        space.effects.iter().filter(|effect| effect.strikes_at(step)).collect();
    let last = possible.len().checked_sub(1)? as u64;
    Some(Injection::once(at, step, *possible[draws.within(0, last) as usize]))
}

/// Short enough to be typed.
fn plan_seed(draws: &mut SplitMix64) -> u64 {
    draws.within(1, 999_999)
}

fn schedule(draws: &mut SplitMix64, space: &Space) -> Schedule {
    match draws.within(0, 3) {
        0 => Schedule::Fair,
        1 => Schedule::Random,
        _ => {
            let depth = draws.within(1, 5) as u32;
            Schedule::Priority { depth, steps: space.syscalls }
        }
    }
}

/// None in half of the runs; else up to 1 ms, 2 ms, 4 ms, … or 2 s.
fn jitter(draws: &mut SplitMix64, space: &Space) -> Nanos {
    if space.timing == Timing::Synchronous || draws.chance(500_000) {
        return Nanos::ZERO;
    }
    Nanos::from_millis(1 << draws.within(0, 11))
}

/// Each kind of fault is on in half of the runs, and 1, 2, 4 or 8 of them strike, about.
fn faults(draws: &mut SplitMix64, space: &Space) -> Option<RandomFaults> {
    let mut effects = space.effects.clone();
    effects.retain(|_| draws.chance(500_000));
    let expected = 1 << draws.within(0, 3);
    let steps = space.exchanges * Step::ALL.len() as u64;
    let one_in = (steps / expected).clamp(1, u64::from(u32::MAX)) as u32;
    (!effects.is_empty()).then_some(RandomFaults { one_in, effects })
}
