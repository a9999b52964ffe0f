//! Runs of a report.

use bizarro_explore::{Verdict, Violation as Broken};
use bizarro_record::record::TaskState;
use bizarro_record::{Ending, Exchange as Seen, RunRecord, Stamped};
use serde::Serialize;

use super::{Event, Exchange, Run, Task, Violation};
use crate::page::inert_length;
use crate::words::replay_command;

/// A run brings at most this many events of its own, and fewer where the file would become too large; of a
/// longer one the last are kept, and of the baseline the first.
pub const EVENTS_MAX: usize = 100_000;
/// A run brings at most this many exchanges of its own: the first.
pub const EXCHANGES_MAX: usize = 15_000;
/// A text of a program has at most this many characters; a longer one ends in an ellipsis.
pub const TEXT_MAX: usize = 2_000;

/// A text as it stands in a report.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        None => text.to_string(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// The run without faults, which others refer to, with events of at most this many bytes.
pub(super) fn baseline(record: &RunRecord, verdict: &Verdict, bytes_max: usize) -> Run {
    let events = within(record.events.iter(), bytes_max);
    let exchanges = exchanges(&record.exchanges);
    Run {
        omitted: record.events.len() - events.len(),
        events,
        exchanges_omitted: record.exchanges.len() - exchanges.len(),
        exchanges,
        ..head(record, verdict)
    }
}

/// A run beside the baseline, whose own events and exchanges have at most this many bytes.
pub(super) fn beside(
    record: &RunRecord,
    verdict: &Verdict,
    baseline: (&RunRecord, &Run),
    bytes_max: usize,
) -> Run {
    let (baseline, shown) = baseline;
    let asked = alike(&record.exchanges, &baseline.exchanges);
    let exchanges_shared = asked.min(shown.exchanges.len());
    let exchanges = exchanges(&record.exchanges[asked..]);
    let common = alike(&record.events, &baseline.events);
    let shared = common.min(shown.events.len());
    let mut events = within(
        record.events[common..].iter().rev(),
        bytes_max.saturating_sub(size(&exchanges)).max(EVENTS_BYTES_MIN),
    );
    events.reverse();
    Run {
        exchanges_shared,
        exchanges_omitted: record.exchanges.len() - exchanges_shared - exchanges.len(),
        exchanges,
        shared,
        omitted: record.events.len() - shared - events.len(),
        events,
        ..head(record, verdict)
    }
}

/// However full a file is, the end of a run that has to be there is there.
const EVENTS_BYTES_MIN: usize = 1_000_000;

/// As many events as there may be.
fn within<'a>(events: impl Iterator<Item = &'a Stamped>, bytes_max: usize) -> Vec<Event> {
    let mut bytes = 0;
    let fits = |event: &Event| {
        bytes += size(event);
        bytes <= bytes_max
    };
    events.take(EVENTS_MAX).map(Event::of).take_while(fits).collect()
}

fn exchanges(seen: &[Seen]) -> Vec<Exchange> {
    seen.iter().take(EXCHANGES_MAX).map(exchange).collect()
}

/// How many bytes a value takes in a page.
pub(super) fn size(value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |json| inert_length(&json))
}

/// How many items two lists begin with alike: until its fault strikes, every run is the baseline.
fn alike<T: PartialEq>(one: &[T], other: &[T]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Everything but events and exchanges.
fn head(record: &RunRecord, verdict: &Verdict) -> Run {
    let (ending, tasks) = ending(&record.ending);
    Run {
        plan: record.plan.to_string(),
        command: replay_command(&record.test, &record.plan),
        fingerprint: format!("{:016x}", record.fingerprint),
        outcome: verdict.outcome.words().to_string(),
        broken: verdict.broken.iter().map(violation).collect(),
        doubts: verdict.doubts.clone(),
        missed: verdict.missed.iter().map(|injection| injection.to_string()).collect(),
        ending,
        tasks,
        virtual_time: record.stats.virtual_time.0,
        syscalls: record.stats.syscalls,
        exchanges_shared: 0,
        exchanges_omitted: 0,
        exchanges: vec![],
        shared: 0,
        omitted: 0,
        events: vec![],
    }
}

fn violation(broken: &Broken) -> Violation {
    Violation {
        property: broken.property.clone(),
        fact: cut(&broken.fact),
        at: broken.at.0,
        host: broken.host.clone(),
        place: broken.place.clone(),
        backtrace: broken.backtrace.clone(),
        picture: broken.picture.clone(),
    }
}

fn ending(ending: &Ending) -> (String, Vec<Task>) {
    let all = |tasks: &[TaskState]| tasks.iter().map(task).collect();
    match ending {
        Ending::Completed => ("the workload ended".to_string(), vec![]),
        Ending::Deadline { tasks } => ("the deadline passed".to_string(), all(tasks)),
        Ending::Deadlock { tasks } => {
            ("every task waits, and nothing can wake one".to_string(), all(tasks))
        }
        Ending::Spinning { task: spinning, backtrace } => {
            let task = Task { backtrace: backtrace.clone(), ..task(spinning) };
            ("a task loops without a system call".to_string(), vec![task])
        }
        Ending::Broken { property } => (format!("`{property}` was broken"), vec![]),
        Ending::Lost { reason } => (format!("the world process was lost: {reason}"), vec![]),
    }
}

fn task(state: &TaskState) -> Task {
    Task {
        host: state.host.clone(),
        task: state.tid,
        name: state.name.clone(),
        waits_for: state.waits_for.clone(),
        backtrace: state.backtrace.clone(),
    }
}

fn exchange(seen: &Seen) -> Exchange {
    Exchange {
        client: seen.id.client.clone(),
        server: seen.id.server.clone(),
        name: cut(&seen.id.name),
        ordinal: seen.id.ordinal,
        connection: seen.connection,
        requested: seen.requested.0,
        delivered: seen.delivered.map(|at| at.0),
        replied: seen.replied.map(|at| at.0),
        completed: seen.completed.map(|at| at.0),
        request_bytes: seen.request_bytes,
        reply_bytes: seen.reply_bytes,
        status: seen.status,
        attempt: seen.attempt,
    }
}
