//! Incidents of a run of a swarm.

use bizarro_fault::{SplitMix64, SystemModel};
use bizarro_record::{
    End, ExchangeId, FORMS, Incident, Moment, Nanos, RunRecord, Step, Survivors, Trouble,
};

/// What incidents are drawn from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Troubles {
    /// One of each kind that the model allows, as its documentation has it.
    kinds: Vec<Trouble>,
    /// The hosts that can be struck.
    hosts: Vec<String>,
    /// The exchanges of the baseline.
    exchanges: Vec<ExchangeId>,
    /// Virtual time of a run, about.
    time: Nanos,
    /// System calls of a host in a run, about.
    calls: u64,
}

/// Incidents of one run at the most.
const COUNT_MAX: u64 = 3;

impl Troubles {
    /// All that `model` allows, for runs about as long as `baseline`.
    pub(super) fn of(baseline: &RunRecord, model: SystemModel) -> Troubles {
        let all = FORMS.iter().map(|form| {
            let example: Incident = form.example.parse().expect("an example is an incident");
            example.trouble
        });
        let allowed = all.filter(|trouble| model.allows_trouble(trouble));
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
        let first = draws.within(0, self.hosts.len() as u64 - 1) as usize;
        let host = self.hosts[first].as_str();
        let kind = &self.kinds[draws.within(0, self.kinds.len() as u64 - 1) as usize];
        // The hosts of the example, one after the other, become this one and those behind it.
        let mut named: Vec<String> = Vec::new();
        for name in kind.hosts() {
            if !named.iter().any(|known| known == name) {
                named.push(name.to_string());
            }
        }
        let behind = |name: &str| named.iter().position(|known| known == name).unwrap_or(0);
        let mut trouble =
            kind.renamed(|name| self.hosts[(first + behind(name)) % self.hosts.len()].clone());
        if let Trouble::PowerOff { survivors, .. } = &mut trouble {
            let all = [Survivors::Nothing, Survivors::Some, Survivors::All];
            *survivors = all[draws.within(0, 2) as usize];
        }
        let moment = self.moment(draws, host);
        // As long as its kind lasts by itself, or 1 ms, 2 ms, 4 ms, … or 65 s.
        let lasting = Nanos::from_millis(1 << draws.within(0, 16));
        // Nobody can be blamed for what never works again.
        let ends = draws.chance(500_000) || trouble.lasts().is_none();
        let end = ends.then_some(End::After(lasting));
        let incident = Incident { moment, end, trouble };
        match incident.to_string().parse::<Incident>() {
            Ok(_) => incident,
            // Its kind ends by itself.
            Err(_) => Incident { end: None, ..incident },
        }
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
