//! What happened in a run, in plain words.

use bizarro_explore::{Finding, Place};
use bizarro_record::{
    Deviation, Effect, Exchange, Incident, Injection, Lasting, Level, Moment, Nanos, Plan, Removal,
    RunRecord, Schedule, Step, TaskName,
};

use crate::look::harmless;
use crate::words::{attempt, ordinal, span};

/// One sentence: where the finding's representative was disturbed, how, and what its client did then.
pub(crate) fn sentence(finding: &Finding, baseline: &RunRecord) -> String {
    let record = &finding.record;
    let text = match &finding.place {
        Place::Baseline => "Without any fault".to_string(),
        Place::Schedule => schedule(&record.plan),
        Place::Dependency { .. } => {
            let missing: Vec<String> = record.plan.removals.iter().map(removal).collect();
            missing.join(", and ")
        }
        Place::Trouble { .. } => {
            let removals = record.plan.removals.iter().map(removal);
            let incidents = record.plan.incidents.iter().map(incident);
            removals.chain(incidents).collect::<Vec<_>>().join(", and ")
        }
        Place::Exchange { .. } => {
            let missing = record.plan.removals.iter().map(removal);
            let missing = missing.chain(record.plan.incidents.iter().map(incident));
            let struck = record.plan.injections.iter();
            let struck = struck.map(|it| fault_of(it, attempt_of(it, record)));
            let faults: Vec<String> = missing.chain(struck).collect();
            let consequence = record
                .plan
                .injections
                .last()
                .and_then(|injection| consequence(injection, record, baseline))
                .map_or(String::new(), |what| format!("; {what}"));
            faults.join(", and ") + &consequence
        }
    };
    harmless(&text)
}

/// Deviations that are told one by one.
const TOLD: usize = 2;

/// How a run without faults differs from the baseline in its decisions.
fn schedule(plan: &Plan) -> String {
    let is_drawn = plan.schedule != Schedule::Fair;
    match plan.deviations.len() {
        _ if is_drawn => format!("With another order of tasks (seed {})", plan.seed),
        0 if plan.jitter > Nanos::ZERO => {
            format!("With packets that take up to {} longer", span(plan.jitter))
        }
        0 => format!("With other latencies and random numbers (seed {})", plan.seed),
        1..=TOLD => {
            let all: Vec<String> = plan.deviations.iter().map(deviation).collect();
            all.join(", and ")
        }
        many => format!("With {many} tasks running out of turn"),
    }
}

/// `at 3.00 s: pause board`
fn incident(incident: &Incident) -> String {
    let when = match &incident.moment {
        Moment::Time(at) => format!("at {}", span(*at)),
        Moment::Call { host, number } => format!("before system call {number} of {host}"),
        Moment::Disk { host, change } => format!("at change {change} of {host}'s disk"),
        Moment::Step { exchange, step } => format!("at {step} of {exchange}"),
        Moment::Milestone { milestone, later } => {
            let times = ordinal(milestone.count);
            let reached = format!("when \"{}\" was reached for the {times} time", milestone.name);
            match *later {
                Nanos::ZERO => reached,
                later => format!("{} later than {reached}", span(later)),
            }
        }
    };
    format!("{when}: {}", incident.trouble)
}

/// `board's task 101 gave way before its 57th system call`
fn deviation(deviation: &Deviation) -> String {
    let named = |task: &TaskName| format!("{}'s task {}", task.host, task.tid);
    match deviation {
        Deviation::Preempt { task, call } => {
            format!("{} gave way before its {} system call", named(task), ordinal(*call))
        }
        Deviation::Pass { task, turn, by } => {
            format!("{} ran before the {} turn of {}", named(by), ordinal(*turn), named(task))
        }
    }
}

/// `player's 3rd POST /move to board: the reply was lost on the way`
pub(crate) fn fault(injection: &Injection) -> String {
    fault_of(injection, 1)
}

/// The same where the exchange that is struck is this attempt at its call.
fn fault_of(injection: &Injection, number: u32) -> String {
    let at = &injection.at;
    let what = effect(injection);
    let later = match injection.lasting {
        Lasting::Once => "",
        Lasting::Sticky => " and each later one for a minute",
    };
    let which = ordinal(at.ordinal);
    let again = attempt(number);
    format!("{}'s {which} {} to {}{again}{later}: {what}", at.client, at.name, at.server)
}

/// The how-manieth attempt the exchange is that a fault strikes, in the run in which it does.
fn attempt_of(injection: &Injection, record: &RunRecord) -> u32 {
    let exchanges = record.exchanges_at(level_of(injection, record));
    exchanges
        .iter()
        .find(|exchange| exchange.id == injection.at)
        .map_or(1, |exchange| exchange.attempt)
}

/// `player without board: board refused every connection, from the start to the end`
pub(crate) fn removal(removal: &Removal) -> String {
    let Removal { client, server, effect } = removal;
    let what = removed(server, *effect);
    format!("{client} without {server}: {what}, from the start to the end")
}

/// How a server is missing, as a clause.
pub(crate) fn removed(server: &str, effect: Effect) -> String {
    match effect {
        Effect::Refused => format!("{server} refused every connection"),
        Effect::Unreachable => format!("there was no way to {server}"),
        _ => format!("nothing was heard of {server}"),
    }
}

/// What a fault does, as a clause that can stand behind the name of its exchange.
pub(crate) fn effect(injection: &Injection) -> String {
    let (client, server) = (&injection.at.client, &injection.at.server);
    let message = match injection.step {
        Step::PostRequest | Step::DeliverRequest | Step::ValidateRequest => "request",
        _ => "reply",
    };
    let (host, when) = match injection.step {
        Step::UpdateClient => (client, "when the reply arrived"),
        Step::PostReply => (server, "just before it replied"),
        Step::DeliverRequest => (server, "when the request arrived"),
        _ => (server, "while it handled the request"),
    };
    match injection.effect {
        Effect::Reset if injection.step == Step::DeliverReply => {
            "the reply was lost and the connection reset after it had left".to_string()
        }
        Effect::Reset => format!("the connection was reset before the {message} left"),
        Effect::Refused => format!("{server} refused it and every connection for 5 s"),
        Effect::Unreachable => format!("{server} could not be reached for 5 s"),
        Effect::Partition => format!("nothing passed between {client} and {server} for 30 s"),
        Effect::Older => format!("the {message} before it came in its place"),
        Effect::ErrorBody => "the reply of success held an error".to_string(),
        Effect::CrashAt(call) => format!(
            "{server} was killed before its {} system call since the request had arrived",
            ordinal(call)
        ),
        Effect::Lost => format!("the {message} was lost on the way"),
        Effect::Late => format!("the {message} came a minute late"),
        Effect::BitFlip => format!("one bit of the {message} was flipped"),
        Effect::Truncated => format!("the second half of the {message} was missing"),
        Effect::Garbage => format!("the {message} arrived as noise"),
        Effect::Empty => format!("the connection ended in place of the {message}"),
        Effect::DiskFull => format!("{host}'s disk was full {when}"),
        Effect::IoError => format!("{host}'s disk failed {when}"),
        Effect::Crash => format!("{host} was killed {when}"),
        Effect::PowerOff => format!("{host} lost its power {when}"),
        Effect::Pause => format!("{host} stood still for 15 s {when}"),
    }
}

/// What the struck client asked afterwards, where it differs from the baseline.
fn consequence(injection: &Injection, record: &RunRecord, baseline: &RunRecord) -> Option<String> {
    let client = &injection.at.client;
    let level = level_of(injection, record);
    let (record, baseline) = (record.exchanges_at(level), baseline.exchanges_at(level));
    let same = |exchange: &&Exchange| exchange.id.is_of_kind(&injection.at);
    let of_client = |exchange: &&Exchange| exchange.id.client == *client;
    let now = record.iter().filter(same).count();
    let usual = baseline.iter().filter(same).count();
    let struck = record.iter().find(|exchange| exchange.id == injection.at)?.requested;
    let asks_more = |exchanges: &[Exchange]| {
        exchanges.iter().filter(of_client).any(|exchange| exchange.requested > struck)
    };
    let later = record.iter().filter(same).filter(|exchange| exchange.requested > struck);
    let tries = later.map(|exchange| exchange.attempt).max().unwrap_or(1);
    if now > usual && tries > 1 {
        Some(format!("{client} asked again, attempt {tries} ({now} times instead of {usual})"))
    } else if now > usual {
        Some(format!("{client} asked again ({now} times instead of {usual})"))
    } else if asks_more(&baseline) && !asks_more(&record) {
        Some(format!("{client} asked for nothing more"))
    } else {
        None
    }
}

/// Whether a fault is named between hosts or between groups of them.
fn level_of(injection: &Injection, record: &RunRecord) -> Level {
    let ends = [&injection.at.client, &injection.at.server];
    if ends.iter().all(|name| record.hosts.contains(name)) { Level::Hosts } else { Level::Groups }
}
