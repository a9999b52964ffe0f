//! Incidents of a run of a swarm.

use bizarro_fault::{SplitMix64, SystemModel};
use bizarro_record::{
    ANYBODY, End, ExchangeId, FORMS, Incident, Lie, LinkTrouble, Moment, Nanos, RunRecord, Step,
    Survivors, Trouble, Way,
};

/// What incidents are drawn from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Troubles {
    /// The places in [`KINDS`] of those that the model allows.
    kinds: Vec<usize>,
    /// One of each other kind that it allows, as its documentation has it.
    others: Vec<Trouble>,
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

/// Kinds whose arguments are drawn; the others are drawn as the documentation has them.
const KINDS: [Kind; 23] = [
    |_, host| Trouble::Crash { host: host.to_string() },
    |draws, host| {
        let survivors = [Survivors::Nothing, Survivors::Some, Survivors::All];
        let survivors = survivors[draws.within(0, 2) as usize];
        Trouble::PowerOff { host: host.to_string(), survivors }
    },
    |_, host| Trouble::Pause { host: host.to_string() },
    |draws, host| link(draws, host, LinkTrouble::Partition),
    |draws, host| {
        let period = Nanos::from_millis(1 << draws.within(4, 14));
        link(draws, host, LinkTrouble::Flap { period })
    },
    |draws, host| {
        let one_in = one_in(draws);
        link(draws, host, LinkTrouble::Loss { one_in })
    },
    |draws, host| {
        let by = span(draws);
        link(draws, host, LinkTrouble::Delay { by })
    },
    |draws, host| {
        let up_to = span(draws);
        link(draws, host, LinkTrouble::Jitter { up_to })
    },
    |draws, host| {
        let one_in = one_in(draws);
        link(draws, host, LinkTrouble::Duplicate { one_in })
    },
    |draws, host| {
        let (one_in, by) = (one_in(draws), span(draws));
        link(draws, host, LinkTrouble::Reorder { one_in, by })
    },
    |draws, host| link(draws, host, LinkTrouble::Stall),
    |draws, host| {
        let bandwidth = 1000 << draws.within(0, 10);
        link(draws, host, LinkTrouble::Limp { bandwidth })
    },
    |draws, host| {
        let one_in = one_in(draws);
        link(draws, host, LinkTrouble::Corrupt { one_in })
    },
    |_, host| Trouble::Link { way: to(host), trouble: LinkTrouble::Refuse },
    |draws, host| link(draws, host, LinkTrouble::Reset),
    |draws, host| link(draws, host, LinkTrouble::Unreachable),
    |draws, host| {
        let one_in = one_in(draws);
        link(draws, host, LinkTrouble::Tamper { one_in })
    },
    |draws, host| {
        let one_in = one_in(draws);
        link(draws, host, LinkTrouble::Replay { one_in })
    },
    |draws, host| {
        let one_in = one_in(draws);
        link(draws, host, LinkTrouble::Inject { one_in })
    },
    |draws, host| {
        let (way, one_in) = (from(host), one_in(draws));
        Trouble::Lie { way, lie: Lie::ALL[draws.within(0, 1) as usize], one_in }
    },
    |draws, host| {
        let (way, one_in) = (from(host), one_in(draws));
        Trouble::Lie { way, lie: Lie::ALL[draws.within(2, 3) as usize], one_in }
    },
    |draws, host| Trouble::Burst { way: from(host), copies: 1 << draws.within(0, 6) },
    |draws, host| Trouble::Burst { way: to(host), copies: 1 << draws.within(0, 6) },
];

/// What a host sends to all others.
fn from(host: &str) -> Way {
    Way { from: host.to_string(), to: ANYBODY.to_string(), is_both: false }
}

/// What all others send to a host.
fn to(host: &str) -> Way {
    Way { from: ANYBODY.to_string(), to: host.to_string(), is_both: false }
}

/// On what a host sends, or on what it receives, or, in half of the cases, on both.
fn link(draws: &mut SplitMix64, host: &str, trouble: LinkTrouble) -> Trouble {
    let way = match draws.within(0, 3) {
        0 => from(host),
        1 => to(host),
        _ => Way { is_both: true, ..from(host) },
    };
    Trouble::Link { way, trouble }
}

/// One in 1, 2, 4, … or 64.
fn one_in(draws: &mut SplitMix64) -> u32 {
    1 << draws.within(0, 6)
}

/// 1 ms, 2 ms, 4 ms, … or 4 s.
fn span(draws: &mut SplitMix64) -> Nanos {
    Nanos::from_millis(1 << draws.within(0, 12))
}

/// Incidents of one run at the most.
const COUNT_MAX: u64 = 3;

impl Troubles {
    /// All that `model` allows, for runs about as long as `baseline`.
    pub(super) fn of(baseline: &RunRecord, model: SystemModel) -> Troubles {
        let samples: Vec<Trouble> =
            KINDS.iter().map(|kind| kind(&mut SplitMix64::stream(0, 0), "host")).collect();
        let others = FORMS.iter().map(|form| {
            let example: Incident = form.example.parse().expect("an example is an incident");
            example.trouble
        });
        let is_other = |other: &Trouble| {
            model.allows_trouble(other) && !samples.iter().any(|kind| kind.word() == other.word())
        };
        Troubles {
            kinds: (0..KINDS.len()).filter(|kind| model.allows_trouble(&samples[*kind])).collect(),
            others: others.filter(is_other).collect(),
            hosts: baseline.hosts.clone(),
            exchanges: baseline.exchanges.iter().map(|exchange| exchange.id.clone()).collect(),
            time: baseline.stats.virtual_time,
            calls: baseline.stats.syscalls / baseline.hosts.len().max(1) as u64,
        }
    }

    /// None in three of four runs; else one to three.
    pub(super) fn draw(&self, draws: &mut SplitMix64) -> Vec<Incident> {
        if self.kinds.len() + self.others.len() == 0
            || self.hosts.is_empty()
            || draws.chance(750_000)
        {
            return Vec::new();
        }
        let count = draws.within(1, COUNT_MAX);
        (0..count).map(|_| self.one(draws)).collect()
    }

    fn one(&self, draws: &mut SplitMix64) -> Incident {
        let first = draws.within(0, self.hosts.len() as u64 - 1) as usize;
        let host = self.hosts[first].as_str();
        let kind = draws.within(0, (self.kinds.len() + self.others.len()) as u64 - 1) as usize;
        let trouble = match self.kinds.get(kind) {
            Some(place) => KINDS[*place](draws, host),
            None => self.others[kind - self.kinds.len()].renamed(|_| host.to_string()),
        };
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
