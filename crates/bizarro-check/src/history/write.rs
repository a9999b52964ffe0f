//! Writes a history as JSON lines while it happens: one event a line, nothing is held back.
//!
//! ```json
//! {"process":0,"type":"invoke","f":"write","key":"x","value":3,"virtual_ns":1500}
//! {"process":0,"type":"ok","f":"write","key":"x","value":3,"virtual_ns":2100}
//! ```
//!
//! `type` is `invoke`, `ok`, `fail` or `unknown`; `key`, `virtual_ns` and `wall_ns` are left out where
//! there are none.

use std::io::{self, Write};

use super::{Outcome, Process, RawCall, RawHistory, Times, Value};

/// Writes events. What JSON has no word for is written as its nearest: a keyword as a text, a set as a
/// list, a map's key as a text.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
}

impl<W: Write> Writer<W> {
    /// Writes to `output`, a line in one piece.
    pub fn new(output: W) -> Writer<W> {
        Writer { output }
    }

    /// A process asks something.
    ///
    /// # Errors
    /// What `output` says.
    pub fn invoke(&mut self, process: Process, call: &RawCall, times: Times) -> io::Result<()> {
        self.event(process, "invoke", call, &call.value, times)
    }

    /// What came of it.
    ///
    /// # Errors
    /// What `output` says.
    pub fn end(
        &mut self,
        process: Process,
        call: &RawCall,
        outcome: &Outcome<Value>,
        times: Times,
    ) -> io::Result<()> {
        match outcome {
            Outcome::Ok(reply) => self.event(process, "ok", call, reply, times),
            Outcome::Fail => self.event(process, "fail", call, &call.value, times),
            Outcome::Unknown => self.event(process, "unknown", call, &call.value, times),
        }
    }

    /// All events of a history, in their order.
    ///
    /// # Errors
    /// What `output` says.
    pub fn history(&mut self, history: &RawHistory) -> io::Result<()> {
        let mut events = Vec::with_capacity(2 * history.len());
        for operation in history.operations() {
            events.push((operation.invoked, operation, None));
            if let Some(ended) = operation.ended {
                events.push((ended, operation, Some(&operation.outcome)));
            }
        }
        events.sort_by_key(|(moment, _, _)| moment.position);
        for (moment, operation, outcome) in events {
            match outcome {
                None => self.invoke(operation.process, &operation.call, moment.times)?,
                Some(end) => self.end(operation.process, &operation.call, end, moment.times)?,
            }
        }
        Ok(())
    }

    /// Gives the output back.
    pub fn into_inner(self) -> W {
        self.output
    }

    fn event(
        &mut self,
        process: Process,
        kind: &str,
        call: &RawCall,
        value: &Value,
        times: Times,
    ) -> io::Result<()> {
        let mut line = format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":");
        text(&mut line, &call.function);
        if let Some(key) = &call.key {
            line.push_str(",\"key\":");
            json(&mut line, key);
        }
        line.push_str(",\"value\":");
        json(&mut line, value);
        for (name, time) in [("virtual_ns", times.virtual_ns), ("wall_ns", times.wall_ns)] {
            if let Some(time) = time {
                line.push_str(&format!(",\"{name}\":{time}"));
            }
        }
        line.push_str("}\n");
        self.output.write_all(line.as_bytes())
    }
}

fn json(to: &mut String, value: &Value) {
    match value {
        Value::Nil => to.push_str("null"),
        Value::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
        Value::Int(number) => to.push_str(&number.to_string()),
        Value::Number(number) if is_json(number) => to.push_str(number),
        Value::Number(number) => text(to, number),
        Value::Text(word) | Value::Keyword(word) => text(to, word),
        Value::List(members) | Value::Set(members) => {
            to.push('[');
            for (index, member) in members.iter().enumerate() {
                to.push_str(if index == 0 { "" } else { "," });
                json(to, member);
            }
            to.push(']');
        }
        Value::Map(pairs) => {
            to.push('{');
            for (index, (key, value)) in pairs.iter().enumerate() {
                to.push_str(if index == 0 { "" } else { "," });
                match key.word() {
                    Some(word) => text(to, word),
                    None => text(to, &key.to_string()),
                }
                to.push(':');
                json(to, value);
            }
            to.push('}');
        }
    }
}

/// EDN also has `1/2`, `1.5M` and `##NaN`.
fn is_json(number: &str) -> bool {
    number.ends_with(|c: char| c.is_ascii_digit())
        && number.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && !number.contains('/')
        && number.parse::<f64>().is_ok_and(f64::is_finite)
}

/// RFC 8259, section 7.
fn text(to: &mut String, text: &str) {
    to.push('"');
    for c in text.chars() {
        match c {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            c if (c as u32) < 0x20 => to.push_str(&format!("\\u{:04x}", c as u32)),
            c => to.push(c),
        }
    }
    to.push('"');
}
