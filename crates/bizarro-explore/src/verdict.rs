//! The judgement of one run.

use std::collections::BTreeSet;

use bizarro_record::record::TaskState;
use bizarro_record::{
    Ending, Event, Fault, Incident, Injection, Nanos, Property, PropertyKind, Removal, RunRecord,
    Trouble,
};
use serde::{Deserialize, Serialize};

/// How a run is judged, from the mildest to the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The planned fault never struck, so the run says nothing about it.
    NotApplicable,
    /// Every property held.
    Held,
    /// The run cannot be judged: a call is not simulated, or the world process was lost.
    Inconclusive,
    /// The run did not end: deadlock, deadline, or a loop without system calls. Liveness is broken.
    Stuck,
    /// A guest panicked, was killed by a signal or ended without success, and no fault did that.
    Crashed,
    /// A property that the test states is broken.
    Violated,
}

impl Outcome {
    /// Whether something is broken.
    pub fn is_failure(self) -> bool {
        self >= Outcome::Stuck
    }

    /// `held`, `not applicable`, …
    pub fn words(self) -> &'static str {
        match self {
            Outcome::NotApplicable => "not applicable",
            Outcome::Held => "held",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Stuck => "stuck",
            Outcome::Crashed => "crashed",
            Outcome::Violated => "violated",
        }
    }
}

/// What is promised: by the test, or by default for every test.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// The test states it, and it has to hold always: safety.
    Safety,
    /// The test states it, and it has to hold once the faults are over: liveness.
    Liveness,
    /// By default: no thread panics.
    NoPanic,
    /// By default: no process is killed by a signal of its own making.
    NoSignal,
    /// By default: every program that ends does so with status 0.
    Success,
    /// By default: not every task waits for something that cannot happen.
    NoDeadlock,
    /// By default: the workload ends before the virtual deadline.
    Ends,
    /// By default: no task loops without a system call.
    NoSpinning,
}

impl Promise {
    /// The name under which a default property is reported; a stated one has its own.
    fn default_name(self) -> &'static str {
        match self {
            Promise::Safety | Promise::Liveness => "",
            Promise::NoPanic => "no panic",
            Promise::NoSignal => "no crash by a signal",
            Promise::Success => "programs end with success",
            Promise::NoDeadlock => "no deadlock",
            Promise::Ends => "the workload ends",
            Promise::NoSpinning => "no endless loop",
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Promise::Safety | Promise::Liveness => Outcome::Violated,
            Promise::NoPanic | Promise::NoSignal | Promise::Success => Outcome::Crashed,
            Promise::NoDeadlock | Promise::Ends | Promise::NoSpinning => Outcome::Stuck,
        }
    }
}

/// A property that a run broke, and the facts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Violation {
    /// What kind of promise it was.
    pub promise: Promise,
    /// The property's name: the test's words, or ours for a default one.
    pub property: String,
    /// What was seen.
    pub fact: String,
    /// When, in virtual time.
    pub at: Nanos,
    /// Name of the host, where it is one host's doing.
    pub host: Option<String>,
    /// Thread id of the task that did it, where it is one task's doing.
    pub task: Option<u32>,
    /// `file:line` of the assertion, or empty.
    pub place: String,
    /// Where the program was, one frame per line, where that is known.
    pub backtrace: String,
    /// Why, drawn as SVG, where a checker of a history knows.
    pub picture: Option<String>,
}

/// The judgement of one run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// In a word.
    pub outcome: Outcome,
    /// What was broken: stated properties first, each property once.
    pub broken: Vec<Violation>,
    /// Why the run is inconclusive, one sentence each; empty otherwise.
    pub doubts: Vec<String>,
    /// Faults that the plan names and that never struck.
    pub missed: Vec<Fault>,
}

impl Verdict {
    /// A run in which everything held.
    pub fn held() -> Verdict {
        Verdict { outcome: Outcome::Held, broken: vec![], doubts: vec![], missed: vec![] }
    }

    /// The names of the broken properties.
    pub fn properties(&self) -> impl Iterator<Item = &str> {
        self.broken.iter().map(|violation| violation.property.as_str())
    }
}

/// Judges a run.
///
/// The worst thing that happened names the outcome, with two exceptions. A run in which an
/// unsimulated call was made, or whose process was lost, is inconclusive whatever else it broke, for
/// the missing call may be the reason. A run whose planned faults all missed, and which breaks nothing
/// that `baseline` does not break, is not applicable.
pub fn verdict(record: &RunRecord, baseline: Option<&RunRecord>) -> Verdict {
    let broken = broken(record);
    let doubts = doubts(record);
    let missed = missed(record);
    let plan = &record.plan;
    let named = plan.injections.len() + plan.removals.len() + plan.incidents.len();
    let struck_none = !missed.is_empty() && missed.len() == named;
    let outcome = if !doubts.is_empty() {
        Outcome::Inconclusive
    } else if struck_none && !breaks_more_than(&broken, baseline) {
        Outcome::NotApplicable
    } else {
        broken.iter().map(|v| v.promise.outcome()).max().unwrap_or(Outcome::Held)
    };
    Verdict { outcome, broken, doubts, missed }
}

fn breaks_more_than(broken: &[Violation], baseline: Option<&RunRecord>) -> bool {
    let known = baseline.map(self::broken).unwrap_or_default();
    broken.iter().any(|v| !known.iter().any(|k| k.property == v.property))
}

fn broken(record: &RunRecord) -> Vec<Violation> {
    let mut broken: Vec<Violation> = Vec::new();
    let stated = record.properties.iter().filter_map(|p| stated(record, p));
    for violation in stated.chain(accidents(record)).chain(ending(record)) {
        if !broken.iter().any(|known| known.property == violation.property) {
            broken.push(violation);
        }
    }
    broken
}

/// Judges a property that the test states; [`Properties`](crate::Properties) tells how the kinds fold.
fn stated(record: &RunRecord, property: &Property) -> Option<Violation> {
    let promise = match property.kind {
        PropertyKind::Always | PropertyKind::Unreachable | PropertyKind::AtEnd => Promise::Safety,
        PropertyKind::Eventually => Promise::Liveness,
        PropertyKind::Sometimes | PropertyKind::Reachable => return None,
    };
    if !crate::property::is_broken(property) {
        return None;
    }
    let (at, host, fact) = match &property.first_failure {
        Some((at, host, detail)) => (*at, record.hosts.get(usize::from(*host)), detail.clone()),
        None => (record.stats.virtual_time, None, String::new()),
    };
    Some(Violation {
        promise,
        property: property.name.clone(),
        fact,
        at,
        host: host.cloned(),
        task: None,
        place: property.place.clone(),
        backtrace: String::new(),
        picture: property.picture.clone(),
    })
}

/// Panics, signals and unsuccessful ends of guests.
///
/// A process that panicked ends with status 101, or with SIGABRT where panics abort: that is the same
/// accident, and is not told twice.
fn accidents(record: &RunRecord) -> Vec<Violation> {
    const STATUS_OF_PANIC: i32 = 101;
    const SIGABRT: i32 = 6;
    let mut panicked: BTreeSet<u16> = BTreeSet::new();
    let mut found = Vec::new();
    for stamped in &record.events {
        let after_panic = panicked.contains(&stamped.host);
        let (promise, fact, backtrace) = match &stamped.event {
            Event::Panicked { message, backtrace } => {
                panicked.insert(stamped.host);
                (Promise::NoPanic, message.clone(), backtrace.as_str())
            }
            Event::Started { .. } => {
                panicked.remove(&stamped.host);
                continue;
            }
            Event::Killed { signal, backtrace } if !(after_panic && *signal == SIGABRT) => (
                Promise::NoSignal,
                format!("killed by {}", signal_name(*signal)),
                backtrace.as_str(),
            ),
            Event::Exited { status, backtrace } if *status != 0 => {
                if after_panic && *status == STATUS_OF_PANIC {
                    continue;
                }
                (Promise::Success, format!("ended with status {status}"), backtrace.as_str())
            }
            _ => continue,
        };
        let host = record.hosts.get(usize::from(stamped.host)).cloned();
        found.push(Violation {
            task: (stamped.tid != 0).then_some(stamped.tid),
            backtrace: backtrace.to_string(),
            ..by_default(promise, fact, stamped.at, host)
        });
    }
    found
}

fn ending(record: &RunRecord) -> Option<Violation> {
    let (promise, fact, host, backtrace) = match &record.ending {
        Ending::Completed | Ending::Broken { .. } | Ending::Lost { .. } => return None,
        Ending::Deadline { tasks } => (Promise::Ends, waiting(tasks), None, first(tasks)),
        Ending::Deadlock { tasks } => (Promise::NoDeadlock, waiting(tasks), None, first(tasks)),
        Ending::Spinning { task, backtrace } => (
            Promise::NoSpinning,
            format!("task {} `{}` uses time without a system call", task.tid, task.name),
            Some(task.host.clone()),
            backtrace.as_str(),
        ),
    };
    let backtrace = backtrace.to_string();
    Some(Violation { backtrace, ..by_default(promise, fact, record.stats.virtual_time, host) })
}

fn by_default(promise: Promise, fact: String, at: Nanos, host: Option<String>) -> Violation {
    let property = promise.default_name().to_string();
    let (place, backtrace) = (String::new(), String::new());
    Violation { promise, property, fact, at, host, task: None, place, backtrace, picture: None }
}

/// Where the task that [`waiting`] names is.
fn first(tasks: &[TaskState]) -> &str {
    tasks.first().map_or("", |task| &task.backtrace)
}

/// `player's main waits for epoll_wait(5), and 3 other tasks wait`: the first task, and how many more.
fn waiting(tasks: &[TaskState]) -> String {
    let Some(first) = tasks.first() else { return "no task is left".to_string() };
    let what = match first.waits_for.as_str() {
        "running" => "is running".to_string(),
        call => format!("waits in {call}"),
    };
    let rest = match tasks.len() - 1 {
        0 => String::new(),
        1 => ", and 1 other task waits".to_string(),
        n => format!(", and {n} other tasks wait"),
    };
    format!("{}'s task {} `{}` {what}{rest}", first.host, first.tid, first.name)
}

fn doubts(record: &RunRecord) -> Vec<String> {
    let mut doubts: Vec<String> = Vec::new();
    if let Ending::Lost { reason } = &record.ending {
        doubts.push(format!("the world process was lost: {reason}"));
    }
    let mut seen: Vec<(u16, &str)> = Vec::new();
    for stamped in &record.events {
        let Event::Unsupported { call } = &stamped.event else { continue };
        // A program that is refused tries again with other arguments: one line per call and host.
        let name = call.split('(').next().unwrap_or(call);
        if seen.contains(&(stamped.host, name)) {
            continue;
        }
        seen.push((stamped.host, name));
        let host = record.hosts.get(usize::from(stamped.host)).map_or("a host", String::as_str);
        doubts.push(format!(
            "{host} called {call} at {} (task {}), which Bizarro does not simulate yet",
            stamped.at, stamped.tid
        ));
    }
    doubts
}

fn missed(record: &RunRecord) -> Vec<Fault> {
    let injections = record.plan.injections.iter().filter(|wanted| !has_struck(record, wanted));
    let removals = record.plan.removals.iter().filter(|wanted| !was_asked_for(record, wanted));
    let removals = removals.cloned().map(Fault::Removal);
    let has_felt = |wanted: &Trouble| {
        let is_it =
            |event: &Event| matches!(event, Event::Felt { trouble, .. } if **trouble == *wanted);
        record.events.iter().any(|stamped| is_it(&stamped.event))
    };
    let began = |wanted: &&Incident| {
        let is_it = |event: &Event| match event {
            Event::Began { incident, trouble } => {
                **incident == **wanted && (!trouble.is_felt() || has_felt(trouble))
            }
            _ => false,
        };
        record.events.iter().any(|stamped| is_it(&stamped.event))
    };
    let incidents = record.plan.incidents.iter().filter(|wanted| !began(wanted));
    let incidents = incidents.cloned().map(Fault::Incident);
    injections.cloned().map(Fault::Injection).chain(removals).chain(incidents).collect()
}

fn has_struck(record: &RunRecord, wanted: &Injection) -> bool {
    let is_host = |name: &String| record.hosts.contains(name);
    let names_hosts = is_host(&wanted.at.client) && is_host(&wanted.at.server);
    record.events.iter().any(|stamped| {
        let Event::Struck { injection } = &stamped.event else { return false };
        if names_hosts {
            return wanted.covers(injection);
        }
        let between = record.group_id(&injection.at);
        between.is_some_and(|at| wanted.covers(&Injection { at, ..(**injection).clone() }))
    })
}

/// Whether somebody asked a server that the plan takes away from him.
fn was_asked_for(record: &RunRecord, wanted: &Removal) -> bool {
    let is = |index: u16, name: &String| {
        let index = usize::from(index);
        [record.hosts.get(index), record.groups.get(index)].contains(&Some(name))
    };
    record.events.iter().any(|stamped| {
        matches!(stamped.event, Event::Removed { server, .. }
            if is(stamped.host, &wanted.client) && is(server, &wanted.server))
    })
}

/// Linux's name of a signal that a program can bring upon itself, signal(7), for x86-64.
pub fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.to_string()
}

#[cfg(test)]
mod tests;
