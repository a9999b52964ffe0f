//! Incidents of a run of a swarm.

use bizarro_fault::{SplitMix64, SystemModel};
use bizarro_record::{
    End, ExchangeId, Incident, Moment, Nanos, RunRecord, Step, Survivors, Trouble,
};

/// What incidents are drawn from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Troubles {
    /// The places in [`KINDS`] of those that the model allows.
    kinds: Vec<usize>,
    /// The hosts that can be struck.
    hosts: Vec<String>,
    /// The exchanges of the baseline.
    exchanges: Vec<ExchangeId>,
    /// Virtual time of a run, about.
    time: Nanos,
    /// System calls of a host in a run, about.
    calls: u64,
}

/// Draws one of its kind for a host.
type Kind = fn(&mut SplitMix64, &str) -> Trouble;

/// Every kind that a swarm draws.
const KINDS: [Kind; 3] = [
    |_, host| Trouble::Crash { host: host.to_string() },
    |draws, host| {
        let survivors = [Survivors::Nothing, Survivors::Some, Survivors::All];
        let survivors = survivors[draws.within(0, 2) as usize];
        Trouble::PowerOff { host: host.to_string(), survivors }
    },
    |_, host| Trouble::Pause { host: host.to_string() },
];

/// Incidents of one run at the most.
const COUNT_MAX: u64 = 3;

impl Troubles {
    /// All that `model` allows, for runs about as long as `baseline`.
    pub(super) fn of(baseline: &RunRecord, model: SystemModel) -> Troubles {
        let sample = |kind: &Kind| kind(&mut SplitMix64::stream(0, 0), "host");
        let is_allowed = |kind: &usize| model.allows_trouble(&sample(&KINDS[*kind]));
        let allowed = (0..KINDS.len()).filter(is_allowed);
        Troubles {
            kinds: allowed.collect(),
            hosts: baseline.hosts.clone(),
            exchanges: baseline.exchanges.iter().map(|exchange| exchange.id.clone()).collect(),
            time: baseline.stats.virtual_time,
            calls: baseline.stats.syscalls / baseline.hosts.len().max(1) as u64,
        }
    }

    /// None in three of four runs; else one to three.
    pub(super) fn draw(&self, draws: &mut SplitMix64) -> Vec<Incident> {
        if self.kinds.is_empty() || self.hosts.is_empty() || draws.chance(750_000) {
            return Vec::new();
        }
        let count = draws.within(1, COUNT_MAX);
        (0..count).map(|_| self.one(draws)).collect()
    }

    fn one(&self, draws: &mut SplitMix64) -> Incident {
        let host = &self.hosts[draws.within(0, self.hosts.len() as u64 - 1) as usize];
        let kind = self.kinds[draws.within(0, self.kinds.len() as u64 - 1) as usize];
        let trouble = KINDS[kind](draws, host);
        let moment = self.moment(draws, host);
        // As long as its kind lasts by itself, or 1 ms, 2 ms, 4 ms, … or 65 s.
        let lasting = Nanos::from_millis(1 << draws.within(0, 16));
        let end = draws.chance(500_000).then_some(End::After(lasting));
        Incident { moment, end, trouble }
    }

    fn moment(&self, draws: &mut SplitMix64, host: &str) -> Moment {
        let last = self.exchanges.len() as u64;
        match draws.within(0, 2) {
            0 => Moment::Time(Nanos(draws.within(0, self.time.0))),
            1 => {
                Moment::Call { host: host.to_string(), number: draws.within(1, self.calls.max(1)) }
            }
            _ if last == 0 => Moment::Time(Nanos::ZERO),
            _ => Moment::Step {
                exchange: self.exchanges[draws.within(0, last - 1) as usize].clone(),
                step: Step::ALL[draws.within(0, 7) as usize],
            },
        }
    }
}
