//! An event as a line of text.

use bizarro_explore::signal_name;
use bizarro_record::event::OpOutcome;
use bizarro_record::{Event, Stamped, Stream};

use crate::look::harmless;
use crate::sentence::{effect, removed};
use crate::words::ordinal;

/// The name of the host of an event.
pub(crate) fn host<'a>(hosts: &'a [String], stamped: &Stamped) -> &'a str {
    hosts.get(usize::from(stamped.host)).map_or("?", String::as_str)
}

/// What happened, without time and host.
pub(crate) fn text(event: &Event, hosts: &[String]) -> String {
    let text = match event {
        Event::Started { incarnation: 1 } => "starts".to_string(),
        Event::Started { incarnation } => format!("starts for the {} time", ordinal(*incarnation)),
        Event::Exited { status, .. } => format!("ends with status {status}"),
        Event::Killed { signal, .. } => {
            format!("is killed by {} of its own making", signal_name(*signal))
        }
        Event::Panicked { message, .. } => format!("panics: {message}"),
        Event::Crashed => "is killed by the fault".to_string(),
        Event::PowerFailed { change } => {
            format!("loses its power before change {change} of its disk")
        }
        Event::Began { trouble, .. } => format!("fault: {trouble}"),
        Event::Healed { incident } => format!("`{}` is over", incident.trouble),
        Event::Milestone { name } => format!("has come to `{name}`"),
        Event::Paused { until } => format!("stands still until {until}"),
        Event::Output { stream: Stream::Stdout, line } => format!("│ {line}"),
        Event::Output { stream: Stream::Stderr, line } => format!("┆ {line}"),
        Event::Struck { injection } => format!("fault at {}: {}", injection.at, effect(injection)),
        Event::Removed { server, effect } => {
            format!(
                "fault: {}",
                removed(hosts.get(usize::from(*server)).map_or("?", String::as_str), *effect)
            )
        }
        Event::Felt { trouble, to, label } => {
            let to = hosts.get(usize::from(*to)).map_or("?", String::as_str);
            match label.is_empty() {
                true => format!("fault: {trouble}, felt first on the way to {to}"),
                false => format!("fault: {trouble}, in {label} to {to}"),
            }
        }
        Event::Overheard { to, bytes } => {
            let to = hosts.get(usize::from(*to)).map_or("?", String::as_str);
            format!("overheard on the way to {to}: {}", String::from_utf8_lossy(bytes))
        }
        Event::Sent { message, to, bytes, label } => {
            let to = hosts.get(usize::from(*to)).map_or("?", String::as_str);
            format!("sends {bytes} bytes to {to}, message {message} {label}").trim_end().to_string()
        }
        Event::Delivered { message } => format!("receives message {message}"),
        Event::Dropped { message } => format!("message {message} is lost on the way here"),
        Event::Packet { packet } => format!("a packet for {}", packet.destination),
        Event::Unsupported { call } => format!("calls {call}, which is not simulated"),
        Event::Invoked { history, op, value } => {
            format!("{history} op {op}: {}", String::from_utf8_lossy(value))
        }
        Event::Returned { op, outcome, value } => {
            let outcome = match outcome {
                OpOutcome::Ok => "ok",
                OpOutcome::Fail => "fail",
                OpOutcome::Unknown => "unknown",
            };
            format!("op {op} {outcome} {}", String::from_utf8_lossy(value)).trim_end().to_string()
        }
        Event::Note { text } => format!("note: {text}"),
    };
    harmless(&text)
}
