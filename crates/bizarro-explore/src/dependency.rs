//! What depends on what, and how much: each dependency of the baseline is taken away for a whole run.
//!
//! A service that a critical one cannot do without is critical, whatever its owners think of it (Chen Hao, *Left Ear
//! Listens to Wind*, on the dependencies of services); nobody finds that out by reading, for it is a matter of timeouts
//! and defaults. So it is measured.

use std::collections::BTreeMap;

use bizarro_fault::SystemModel;
use bizarro_record::event::OpOutcome;
use bizarro_record::{
    Declared, Event, Exchange, ExchangeId, Level, Nanos, Plan, Removal, RunRecord,
};
use serde::{Deserialize, Serialize};

use crate::cells::Skip;
use crate::measure::{Impact, went_worse};
use crate::verdict::{Outcome, Verdict};

/// How much depends on a dependency, from the mildest to the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criticality {
    /// Without it everything holds, nothing else is lost and nothing takes longer.
    NotNeeded,
    /// Without it everything holds, but something else is lost or takes longer: see [`Loss`].
    Degraded,
    /// It cannot be said.
    Unknown,
    /// Without it a property breaks.
    Critical,
}

impl Criticality {
    /// `critical`, `not needed`, …
    pub fn words(self) -> &'static str {
        match self {
            Criticality::NotNeeded => "not needed",
            Criticality::Degraded => "degraded",
            Criticality::Unknown => "inconclusive",
            Criticality::Critical => "critical",
        }
    }
}

/// One host, or group, asks another one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dependency {
    /// Who asks.
    pub client: String,
    /// Who is asked.
    pub server: String,
    /// What is asked in the baseline and how often, in the order of the first requests.
    pub names: Vec<(String, u64)>,
    /// What the test says of the server; of a group, where it says so of each of its hosts.
    pub declared: Declared,
    /// One for each way in which the server can be missing, in the order of [`Removal::EFFECTS`].
    pub removals: Vec<Removed>,
}

impl Dependency {
    /// The worst of what was tried; `None` where nothing was.
    pub fn criticality(&self) -> Option<Criticality> {
        self.removals.iter().filter_map(|removed| removed.criticality).max()
    }

    /// Whether the test breaks without a server of which it says that it holds without it: something critical depends
    /// on what is not to be critical.
    pub fn is_misplaced(&self) -> bool {
        self.declared == Declared::NonCritical && self.criticality() == Some(Criticality::Critical)
    }

    /// What it means for the test: whether a server is needed is a fact and not a failure, unless the test says that it
    /// is not.
    pub fn outcome(&self) -> Outcome {
        match (self.declared, self.criticality()) {
            (Declared::NonCritical, Some(Criticality::Critical)) => Outcome::Violated,
            (Declared::NonCritical, Some(Criticality::Unknown)) => Outcome::Inconclusive,
            _ => Outcome::Held,
        }
    }
}

/// A run without the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Removed {
    /// What was taken away, and how.
    pub removal: Removal,
    /// How much depends on it; `None` where there was no run.
    pub criticality: Option<Criticality>,
    /// The verdict of its run, or what is known without one.
    pub verdict: Verdict,
    /// How the run differs from the baseline, where there was one.
    pub impact: Option<Impact>,
    /// What was lost beside the dependency itself, where there was a run.
    pub loss: Option<Loss>,
    /// Why there was no run; absent where there was one.
    pub skip: Option<Skip>,
}

impl Removed {
    /// Fills in what its run says.
    pub(crate) fn judge(&mut self, verdict: Verdict, impact: Impact, loss: Loss) {
        self.criticality = Some(match verdict.outcome {
            Outcome::NotApplicable | Outcome::Inconclusive => Criticality::Unknown,
            outcome if outcome.is_failure() => Criticality::Critical,
            _ if loss == Loss::default() => Criticality::NotNeeded,
            _ => Criticality::Degraded,
        });
        self.verdict = verdict;
        self.impact = Some(impact);
        self.loss = Some(loss);
    }
}

/// What a run without a server lacks that the baseline has, beside the dependency itself.
///
/// The requests to the missing server are not counted, nor what it would have asked of others to answer them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Loss {
    /// How much longer the run took; zero where that is less than 100 ms and less than a tenth of the baseline, for that
    /// much may come of other latencies.
    pub longer: Nanos,
    /// Exchanges of the baseline that are missing or went worse, as [`Blast`](crate::Blast) counts them.
    pub exchanges: usize,
    /// Operations of histories that are `ok` in the baseline and not here.
    pub operations: usize,
}

impl Loss {
    /// Compares the run of `record`, in which `removal` is missing, with the baseline.
    pub fn of(record: &RunRecord, baseline: &RunRecord, removal: &Removal) -> Loss {
        let (end, usual) = (record.stats.virtual_time, baseline.stats.virtual_time);
        let longer = end.saturating_sub(usual);
        let least = Nanos::from_millis(100).min(Nanos(usual.0 / 10));
        Loss {
            longer: if longer >= least { longer } else { Nanos::ZERO },
            exchanges: exchanges_lost(record, baseline, removal),
            operations: succeeded(baseline).saturating_sub(succeeded(record)),
        }
    }
}

fn succeeded(record: &RunRecord) -> usize {
    let is_ok = |event: &Event| matches!(event, Event::Returned { outcome: OpOutcome::Ok, .. });
    record.events.iter().filter(|stamped| is_ok(&stamped.event)).count()
}

fn exchanges_lost(record: &RunRecord, baseline: &RunRecord, removal: &Removal) -> usize {
    let seen: BTreeMap<&ExchangeId, &Exchange> =
        record.exchanges.iter().map(|exchange| (&exchange.id, exchange)).collect();
    // Those that cannot be there without the server, in the order of their requests.
    let mut gone: Vec<&Exchange> = Vec::new();
    let mut lost = 0;
    for usual in &baseline.exchanges {
        if is_of(&usual.id, removal, baseline) || gone.iter().any(|by| is_asked_by(usual, by)) {
            gone.push(usual);
        } else if seen.get(&usual.id).is_none_or(|exchange| went_worse(exchange, usual)) {
            lost += 1;
        }
    }
    lost
}

/// Whether a request is one of those that are taken away.
fn is_of(id: &ExchangeId, removal: &Removal, record: &RunRecord) -> bool {
    let is = |host: &str, name: &str| host == name || record.group_of(host) == name;
    is(&id.client, &removal.client) && is(&id.server, &removal.server)
}

/// Whether a server makes a request while it handles another one.
fn is_asked_by(asked: &Exchange, by: &Exchange) -> bool {
    asked.id.client == by.id.server
        && by.delivered.is_some_and(|from| from <= asked.requested)
        && by.replied.is_none_or(|to| asked.requested <= to)
}

/// The dependencies of the baseline at a level, in the order of the first requests, with what is known before any run.
pub(crate) fn dependencies(
    baseline: &RunRecord,
    level: Level,
    model: SystemModel,
    non_critical: &[String],
) -> Vec<Dependency> {
    let mut all: Vec<Dependency> = Vec::new();
    for Exchange { id, .. } in baseline.exchanges_at(level) {
        let known = all.iter().position(|d| d.client == id.client && d.server == id.server);
        let index = known.unwrap_or_else(|| {
            let removals = Removal::EFFECTS.map(|effect| {
                let (client, server) = (id.client.clone(), id.server.clone());
                untried(Removal { client, server, effect }, model)
            });
            all.push(Dependency {
                client: id.client.clone(),
                server: id.server.clone(),
                names: vec![],
                declared: declared(baseline, &id.server, non_critical),
                removals: removals.to_vec(),
            });
            all.len() - 1
        });
        let names = &mut all[index].names;
        match names.iter_mut().find(|(name, _)| *name == id.name) {
            Some((_, count)) => *count += 1,
            None => names.push((id.name, 1)),
        }
    }
    all
}

fn untried(removal: Removal, model: SystemModel) -> Removed {
    let skip = (!model.allows(removal.effect)).then_some(Skip::OutsideModel);
    let verdict = Verdict { outcome: Outcome::NotApplicable, ..Verdict::held() };
    Removed { removal, criticality: None, verdict, impact: None, loss: None, skip }
}

/// What the test says of a host, or of each host of a group.
fn declared(record: &RunRecord, name: &str, non_critical: &[String]) -> Declared {
    let mut members =
        record.hosts.iter().filter(|host| *host == name || record.group_of(host) == name);
    match members.all(|host| non_critical.contains(host)) {
        true => Declared::NonCritical,
        false => Declared::Nothing,
    }
}

/// The plan of a run without the server.
pub fn plan_without(removal: &Removal, baseline: &Plan) -> Plan {
    Plan { removals: vec![removal.clone()], ..baseline.clone() }
}
