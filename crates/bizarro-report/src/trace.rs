//! A run as a trace for Perfetto (ui.perfetto.dev) and `chrome://tracing`: hosts are processes, their tasks
//! threads.
//!
//! The format is Google's *Trace Event Format*, in its JSON object form. What a run has is shown so:
//!
//! | in the run | in the trace |
//! |---|---|
//! | a host and its tasks | a process (its number is the host's index + 1) and its threads; thread 0 is the host itself |
//! | a program from its start to its end, a pause | slices of thread 0 |
//! | an exchange | an asynchronous slice of the client, with the server's work as one of the server |
//! | a message | a slice of one microsecond where it leaves and one where it arrives, and a flow between them |
//! | an operation of a history | an asynchronous slice of its host |
//! | a fault, what broke | instants across everything |
//! | a line of output, a note | instants of the task that wrote it |
//!
//! Times are virtual, in microseconds with three decimals.

use std::collections::{BTreeMap, BTreeSet};

use bizarro_explore::{Promise, Verdict};
use bizarro_record::{Event, Exchange, Nanos, RunRecord, Stamped};
use serde_json::{Map, Value, json};

use crate::event::text;
use crate::sentence::effect;

/// How long a message's slices are: a flow begins and ends in slices, and a message has no length at either end.
const TOUCH: Nanos = Nanos(1_000);

/// The trace of a run, as JSON.
pub fn trace(record: &RunRecord, verdict: &Verdict) -> String {
    let mut trace = Trace {
        record,
        events: Vec::new(),
        messages: BTreeMap::new(),
        operations: BTreeMap::new(),
    };
    trace.names();
    trace.lives();
    for exchange in record.exchanges.iter().enumerate() {
        trace.exchange(exchange);
    }
    for stamped in &record.events {
        trace.event(stamped);
    }
    trace.ends();
    for broken in &verdict.broken {
        // What tasks did is among the events.
        if matches!(broken.promise, Promise::Safety | Promise::Liveness) {
            let name = format!("violated: {}", broken.property);
            trace.add(
                "i",
                "fault",
                &name,
                broken.at,
                0,
                0,
                json!({"s": "g", "args": {"fact": broken.fact}}),
            );
        }
    }
    let whole = json!({
        "displayTimeUnit": "ns",
        "otherData": {
            "test": record.test,
            "plan": record.plan.to_string(),
            "fingerprint": format!("{:016x}", record.fingerprint),
        },
        "traceEvents": trace.events,
    });
    format!("{whole}\n")
}

struct Trace<'a> {
    record: &'a RunRecord,
    events: Vec<Value>,
    /// What each message carries.
    messages: BTreeMap<u64, &'a str>,
    /// Name and host of each operation that has not ended.
    operations: BTreeMap<u64, (String, u16)>,
}

/// Microseconds. A double holds nanoseconds of a hundred days.
fn micros(at: Nanos) -> Value {
    json!(at.0 as f64 / 1e3)
}

impl<'a> Trace<'a> {
    /// An event of this phase; `rest` brings the fields that only it has.
    #[allow(
        clippy::too_many_arguments,
        reason = "these are the fields that every event of the format has"
    )]
    fn add(
        &mut self,
        phase: &str,
        category: &str,
        name: &str,
        at: Nanos,
        host: u16,
        task: u32,
        rest: Value,
    ) {
        let mut event = Map::new();
        event.insert("ph".into(), phase.into());
        event.insert("cat".into(), category.into());
        event.insert("name".into(), name.into());
        event.insert("ts".into(), micros(at));
        event.insert("pid".into(), (host + 1).into());
        event.insert("tid".into(), task.into());
        if let Value::Object(rest) = rest {
            event.extend(rest);
        }
        self.events.push(event.into());
    }

    /// What processes and threads are called.
    fn names(&mut self) {
        let record = self.record;
        let tasks: BTreeSet<(u16, u32)> = record.events.iter().map(|s| (s.host, s.tid)).collect();
        for (host, name) in (0..).zip(&record.hosts) {
            self.add(
                "M",
                "",
                "process_name",
                Nanos::ZERO,
                host,
                0,
                json!({"args": {"name": name}}),
            );
            let sorted = json!({"args": {"sort_index": host}});
            self.add("M", "", "process_sort_index", Nanos::ZERO, host, 0, sorted);
            self.add(
                "M",
                "",
                "thread_name",
                Nanos::ZERO,
                host,
                0,
                json!({"args": {"name": "host"}}),
            );
        }
        for (host, task) in tasks.into_iter().filter(|(_, task)| *task != 0) {
            let name = json!({"args": {"name": format!("task {task}")}});
            self.add("M", "", "thread_name", Nanos::ZERO, host, task, name);
        }
    }

    /// When each host's program ran.
    fn lives(&mut self) {
        let record = self.record;
        let mut started: BTreeMap<u16, (Nanos, u32)> = BTreeMap::new();
        let mut lives = Vec::new();
        for stamped in &record.events {
            match &stamped.event {
                Event::Started { incarnation } => {
                    started.insert(stamped.host, (stamped.at, *incarnation));
                }
                Event::Exited { .. }
                | Event::Killed { .. }
                | Event::Crashed
                | Event::PowerFailed { .. } => {
                    lives.extend(
                        started.remove(&stamped.host).map(|life| (stamped.host, life, stamped.at)),
                    );
                }
                _ => {}
            }
        }
        let end = record.stats.virtual_time;
        lives.extend(started.into_iter().map(|(host, life)| (host, life, end)));
        lives.sort_by_key(|(host, (from, _), _)| (*from, *host));
        for (host, (from, incarnation), to) in lives {
            let name = match incarnation {
                1 => "program".to_string(),
                n => format!("program, start {n}"),
            };
            self.add("X", "host", &name, from, host, 0, json!({"dur": micros(to - from)}));
        }
    }

    fn host(&self, name: &str) -> u16 {
        self.record.hosts.iter().position(|known| known == name).unwrap_or_default() as u16
    }

    fn exchange(&mut self, (index, exchange): (usize, &Exchange)) {
        let name = format!("{} #{}", exchange.id.name, exchange.id.ordinal);
        let (client, server) = (self.host(&exchange.id.client), self.host(&exchange.id.server));
        let end = self.record.stats.virtual_time;
        let facts = json!({
            "server": exchange.id.server,
            "status": exchange.status,
            "request bytes": exchange.request_bytes,
            "reply bytes": exchange.reply_bytes,
            "completed": exchange.completed.is_some(),
        });
        let id = json!({"id": format!("exchange {index}"), "args": facts});
        self.add("b", "exchange", &name, exchange.requested, client, 0, id.clone());
        self.add("e", "exchange", &name, exchange.completed.unwrap_or(end), client, 0, id);
        if let Some(delivered) = exchange.delivered {
            let id = json!({"id": format!("work {index}")});
            self.add("b", "exchange", &name, delivered, server, 0, id.clone());
            self.add("e", "exchange", &name, exchange.replied.unwrap_or(end), server, 0, id);
        }
    }

    fn event(&mut self, stamped: &'a Stamped) {
        let (at, host, task) = (stamped.at, stamped.host, stamped.tid);
        let said = text(&stamped.event, &self.record.hosts);
        match &stamped.event {
            Event::Sent { message, label, bytes, .. } => {
                let name = if label.is_empty() { "data" } else { label };
                self.messages.insert(*message, name);
                self.touch(name, at, host, task, json!({"bytes": bytes}));
                self.add("s", "message", name, at, host, task, json!({"id": message}));
            }
            Event::Delivered { message } => {
                let name = self.messages.remove(message).unwrap_or("data");
                self.touch(name, at, host, task, json!({}));
                self.add("f", "message", name, at, host, task, json!({"id": message, "bp": "e"}));
            }
            Event::Dropped { message } => {
                let name = format!("lost: {}", self.messages.remove(message).unwrap_or("data"));
                self.add("i", "message", &name, at, host, 0, json!({"s": "p"}));
            }
            Event::Struck { injection } => {
                let name = format!("fault: {}", effect(injection));
                let facts = json!({"s": "g", "args": {"fault": injection.to_string()}});
                self.add("i", "fault", &name, at, host, 0, facts);
            }
            Event::Began { incident, .. } => {
                let facts = json!({"s": "g", "args": {"fault": incident.to_string()}});
                self.add("i", "fault", &said, at, host, 0, facts);
            }
            Event::Healed { .. } | Event::Removed { .. } | Event::Felt { .. } => {
                self.add("i", "fault", &said, at, host, 0, json!({"s": "g"}))
            }
            Event::Paused { until } => {
                let length = json!({"dur": micros(*until - at)});
                self.add("X", "fault", "stands still", at, host, 0, length);
            }
            Event::Invoked { history, op, value } => {
                let name = format!("{history}: {}", String::from_utf8_lossy(value));
                let id = json!({"id": format!("operation {op}")});
                self.add("b", "operation", &name, at, host, 0, id);
                self.operations.insert(*op, (name, host));
            }
            Event::Returned { op, .. } => {
                if let Some((name, host)) = self.operations.remove(op) {
                    let id = json!({"id": format!("operation {op}"), "args": {"end": said}});
                    self.add("e", "operation", &name, at, host, 0, id);
                }
            }
            Event::Output { line, .. } => {
                self.add("i", "output", line, at, host, task, json!({"s": "t"}))
            }
            Event::Note { text } | Event::Milestone { name: text } => {
                self.add("i", "note", text, at, host, task, json!({"s": "t"}));
            }
            Event::Panicked { backtrace, .. }
            | Event::Exited { backtrace, .. }
            | Event::Killed { backtrace, .. } => {
                let facts = json!({"s": "p", "args": {"backtrace": backtrace}});
                self.add("i", "host", &said, at, host, task, facts);
            }
            // What it carries is a message.
            Event::Packet { .. } => {}
            Event::Started { .. }
            | Event::Overheard { .. }
            | Event::Crashed
            | Event::PowerFailed { .. }
            | Event::Unsupported { .. } => {
                self.add("i", "host", &said, at, host, task, json!({"s": "p"}));
            }
        }
    }

    /// Where a flow begins or ends.
    fn touch(&mut self, name: &str, at: Nanos, host: u16, task: u32, facts: Value) {
        let rest = json!({"dur": micros(TOUCH), "args": facts});
        self.add("X", "message", name, at, host, task, rest);
    }

    /// What never ended ends with the run.
    fn ends(&mut self) {
        let end = self.record.stats.virtual_time;
        for (op, (name, host)) in std::mem::take(&mut self.operations) {
            let id = json!({"id": format!("operation {op}"), "args": {"end": "never known"}});
            self.add("e", "operation", &name, end, host, 0, id);
        }
    }
}
