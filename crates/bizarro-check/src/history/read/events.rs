//! Events as maps, as Jepsen writes them: `:process`, `:type`, `:f`, `:value`, and perhaps `:key` and times.
//! This knows what an event means, not how it is written.

use std::io::Read;

use super::super::{Builder, Disorder, Outcome, Process, RawCall, Times, Value};
use super::scan::{Place, Scanner};
use super::{Located, ReadError};

type Input<'a> = Scanner<&'a mut dyn Read>;

/// How a format writes values, and what stands around events.
pub(super) struct Syntax {
    /// Skips what means nothing.
    pub(super) blank: fn(&mut Input<'_>) -> Result<(), ReadError>,
    /// Reads a value.
    pub(super) value: fn(&mut Input<'_>) -> Result<Value, ReadError>,
    /// The brackets that may stand around all events.
    pub(super) brackets: &'static [(u8, u8)],
    /// What stands between events that are in brackets.
    pub(super) between: Option<u8>,
}

/// Reads events one by one to the end of the file.
pub(super) fn history(scanner: &mut Input<'_>, syntax: &Syntax) -> Result<Located, ReadError> {
    let mut events = Events::default();
    (syntax.blank)(scanner)?;
    let first = scanner.peek()?;
    let close = syntax.brackets.iter().find(|(open, _)| first == Some(*open)).map(|(_, it)| *it);
    if close.is_some() {
        scanner.next()?;
    }
    loop {
        (syntax.blank)(scanner)?;
        scanner.begin_event();
        let place = scanner.place();
        match (scanner.peek()?, close) {
            (None, None) => return Ok(events.finish()),
            (Some(byte), Some(close)) if byte == close => {
                scanner.next()?;
                break;
            }
            (Some(b'{' | b'#'), _) => {
                let value = (syntax.value)(scanner)?;
                events.add(place, &value, scanner.limits().memory_bytes_max)?;
            }
            (_, Some(close)) => {
                let expected = format!("an event or `{}`", close as char);
                return Err(place.expected(expected, scanner.found()?));
            }
            (_, None) => return Err(place.expected("an event", scanner.found()?)),
        }
        if let (Some(close), Some(between)) = (close, syntax.between) {
            (syntax.blank)(scanner)?;
            if scanner.peek()? != Some(close) {
                scanner
                    .expect(between, &format!("`{}` or `{}`", between as char, close as char))?;
            }
        }
    }
    (syntax.blank)(scanner)?;
    match scanner.peek()? {
        None => Ok(events.finish()),
        Some(_) => Err(scanner.place().expected("the end of the file", scanner.found()?)),
    }
}

/// What became of an operation, as formats name it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Invoke,
    Ok,
    Fail,
    Unknown,
}

impl Kind {
    /// Jepsen says `info` where the outcome is unknown.
    pub(super) fn named(name: &str) -> Option<Kind> {
        match name {
            "invoke" => Some(Kind::Invoke),
            "ok" => Some(Kind::Ok),
            "fail" => Some(Kind::Fail),
            "info" | "unknown" => Some(Kind::Unknown),
            _ => None,
        }
    }
}

/// Pairs events, and keeps count of what they take.
#[derive(Default)]
pub(super) struct Events {
    builder: Builder<RawCall, Value>,
    places: Vec<(u32, u32)>,
    memory_bytes: usize,
}

impl Events {
    /// The history, when there are no more events.
    pub(super) fn finish(self) -> Located {
        let Events { builder, places, memory_bytes } = self;
        Located { history: builder.finish(), places, bytes: memory_bytes }
    }

    /// An event that was written as a map at `place`.
    fn add(&mut self, place: Place, event: &Value, limit: usize) -> Result<(), ReadError> {
        if event.pairs().is_none() {
            return Err(place.expected("an event, which is a map", event.kind()));
        }
        let process = match event.get("process") {
            Some(Value::Int(process)) => *process,
            // Jepsen's own actors, such as the nemesis, are no clients.
            Some(Value::Keyword(_) | Value::Text(_)) => return Ok(()),
            other => return Err(place.expected("a whole number as `process`", kind(other))),
        };
        let name = event.get("type");
        let Some(what) = name.and_then(Value::word).and_then(Kind::named) else {
            let found = name.map_or("nothing".to_string(), Value::to_string);
            return Err(place.expected("`type` invoke, ok, fail, info or unknown", found));
        };
        let times = Times {
            virtual_ns: time(place, event, "virtual_ns")?.or(time(place, event, "time")?),
            wall_ns: time(place, event, "wall_ns")?,
        };
        let value = event.get("value").cloned().unwrap_or_default();
        let function = match event.get("f") {
            None => None,
            Some(function) => match function.word() {
                Some(word) => Some(word),
                None => return Err(place.expected("a name as `f`", function.kind())),
            },
        };
        self.builder.at(times);
        match what {
            Kind::Invoke => {
                // Elle's histories of transactions leave it out.
                let function = function.unwrap_or("txn");
                let key = event.get("key").cloned();
                self.invoke(
                    place,
                    process,
                    RawCall { function: function.into(), key, value },
                    limit,
                )
            }
            Kind::Ok | Kind::Fail | Kind::Unknown => {
                self.same_function(place, process, function)?;
                self.end(place, process, what, value, limit)
            }
        }
    }

    /// An operation begins.
    pub(super) fn invoke(
        &mut self,
        place: Place,
        process: Process,
        call: RawCall,
        limit: usize,
    ) -> Result<(), ReadError> {
        let bytes = call.key.as_ref().map_or(0, Value::weight) + call.function.len();
        self.charge(place, 168 + bytes + call.value.weight(), limit)?;
        self.builder.invoke(process, call).map_err(|disorder| disordered(place, disorder))?;
        self.places.push(place.line_and_column());
        Ok(())
    }

    /// The open operation of a process ends.
    pub(super) fn end(
        &mut self,
        place: Place,
        process: Process,
        kind: Kind,
        value: Value,
        limit: usize,
    ) -> Result<(), ReadError> {
        let outcome = match kind {
            Kind::Ok => {
                self.charge(place, value.weight(), limit)?;
                Outcome::Ok(value)
            }
            Kind::Fail => Outcome::Fail,
            Kind::Invoke | Kind::Unknown => Outcome::Unknown,
        };
        self.builder.end(process, outcome).map_err(|disorder| disordered(place, disorder))
    }

    /// An end that names another function than its invocation belongs to something else.
    pub(super) fn same_function(
        &self,
        place: Place,
        process: Process,
        function: Option<&str>,
    ) -> Result<(), ReadError> {
        match (self.builder.open(process), function) {
            (Some(open), Some(function)) if &*open.function != function => {
                let expected = format!("the end of `{}` of process {process}", open.function);
                Err(place.expected(expected, format!("the end of `{function}`")))
            }
            _ => Ok(()),
        }
    }

    fn charge(&mut self, place: Place, bytes: usize, limit: usize) -> Result<(), ReadError> {
        self.memory_bytes += bytes;
        if self.memory_bytes > limit {
            return Err(place.too_large("the history", limit));
        }
        Ok(())
    }
}

fn time(place: Place, event: &Value, name: &str) -> Result<Option<u64>, ReadError> {
    match event.get(name) {
        None | Some(Value::Nil) => Ok(None),
        // Clocks of Jepsen's nodes may begin before zero.
        Some(Value::Int(time)) => Ok(u64::try_from(*time).ok()),
        // Some histories have dates or fractions here. Times order nothing, so they are let go.
        Some(Value::Number(_) | Value::Text(_)) => Ok(None),
        Some(other) => Err(place.expected(format!("a time as `{name}`"), other.kind())),
    }
}

fn kind(value: Option<&Value>) -> &'static str {
    value.map_or("nothing", Value::kind)
}

fn disordered(place: Place, disorder: Disorder) -> ReadError {
    match disorder {
        Disorder::AlreadyOpen(process) => place.expected(
            format!("the end of the open operation of process {process}"),
            "another invocation by it",
        ),
        Disorder::NotOpen(process) => place.expected(
            format!("an invocation by process {process} before its end"),
            "an end without invocation",
        ),
        Disorder::TooLong => place.too_large("the number of events", u32::MAX as usize),
    }
}
