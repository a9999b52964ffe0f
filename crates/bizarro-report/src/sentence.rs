//! What happened in a run, in plain words.

use bizarro_explore::{Finding, Place};
use bizarro_record::{Effect, Exchange, Injection, RunRecord, Step};

use crate::look::harmless;
use crate::words::ordinal;

/// One sentence: where the finding's representative was disturbed, how, and what its client did then.
pub(crate) fn sentence(finding: &Finding, baseline: &RunRecord) -> String {
    let record = &finding.record;
    let text = match &finding.place {
        Place::Baseline => "Without any fault".to_string(),
        Place::Schedule => format!("With another order of tasks (seed {})", record.plan.seed),
        Place::Exchange { .. } => {
            let faults: Vec<String> = record.plan.injections.iter().map(fault).collect();
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

/// `player's 3rd POST /move to board: the reply was lost on the way`
pub(crate) fn fault(injection: &Injection) -> String {
    let at = &injection.at;
    let what = effect(injection);
    format!("{}'s {} {} to {}: {what}", at.client, ordinal(at.ordinal), at.name, at.server)
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
        Effect::Reset => format!("the connection was reset before the {message} left"),
        Effect::Lost => format!("the {message} was lost on the way"),
        Effect::Late => format!("the {message} came a minute late"),
        Effect::BitFlip => format!("one bit of the {message} was flipped"),
        Effect::Truncated => format!("the second half of the {message} was missing"),
        Effect::Garbage => format!("the {message} arrived as noise"),
        Effect::Empty => format!("the connection ended in place of the {message}"),
        Effect::DiskFull => format!("{host}'s disk was full {when}"),
        Effect::IoError => format!("{host}'s disk failed {when}"),
        Effect::Crash => format!("{host} was killed {when}"),
        Effect::Pause => format!("{host} stood still for 15 s {when}"),
    }
}

/// What the struck client asked afterwards, where it differs from the baseline.
fn consequence(injection: &Injection, record: &RunRecord, baseline: &RunRecord) -> Option<String> {
    let client = &injection.at.client;
    let same = |exchange: &&Exchange| {
        exchange.id.client == *client
            && exchange.id.server == injection.at.server
            && exchange.id.name == injection.at.name
    };
    let of_client = |exchange: &&Exchange| exchange.id.client == *client;
    let now = record.exchanges.iter().filter(same).count();
    let usual = baseline.exchanges.iter().filter(same).count();
    let struck = record.exchanges.iter().find(|exchange| exchange.id == injection.at)?.requested;
    let asks_more = |record: &RunRecord| {
        record.exchanges.iter().filter(of_client).any(|exchange| exchange.requested > struck)
    };
    if now > usual {
        Some(format!("{client} asked again ({now} times instead of {usual})"))
    } else if asks_more(baseline) && !asks_more(record) {
        Some(format!("{client} asked for nothing more"))
    } else {
        None
    }
}
