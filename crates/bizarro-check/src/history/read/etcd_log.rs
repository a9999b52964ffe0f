//! Jepsen's log of its etcd test, as porcupine's test data has it: a line an event,
//! `INFO  jepsen.util - PROCESS TYPE FUNCTION VALUE`, with values in EDN.
//!
//! What the log calls `:fail` is of two kinds. A `:cas` that fails was answered: the register held another
//! value; here it is ok with the reply `false` (and with `true` where it succeeded). A `:read` that fails
//! with `:timed-out` was not answered, and is unknown.

use std::io::Read;

use super::super::{RawCall, Value};
use super::events::{Events, Kind};
use super::scan::{Place, Scanner};
use super::{Located, ReadError, edn};

type Input<'a> = Scanner<&'a mut dyn Read>;

pub(super) fn history(scanner: &mut Input<'_>) -> Result<Located, ReadError> {
    let mut events = Events::default();
    loop {
        edn::blank(scanner)?;
        if scanner.peek()?.is_none() {
            return Ok(events.finish());
        }
        scanner.begin_event();
        line(scanner, &mut events)?;
    }
}

fn line(scanner: &mut Input<'_>, events: &mut Events) -> Result<(), ReadError> {
    for expected in ["INFO", "jepsen.util", "-"] {
        let place = scanner.place();
        let found = edn::token(scanner, &format!("`{expected}`"))?;
        if found != expected {
            return Err(place.expected(format!("`{expected}`"), format!("`{found}`")));
        }
        edn::blank(scanner)?;
    }
    let place = scanner.place();
    let process = match field(scanner, "a process")? {
        Value::Int(process) => Some(process),
        Value::Keyword(_) => None,
        other => return Err(place.expected("the number of a process", other.kind())),
    };
    let kind_place = scanner.place();
    let kind = field(scanner, "`:invoke`, `:ok`, `:fail` or `:info`")?;
    let Some(kind) = kind.word().and_then(Kind::named) else {
        return Err(kind_place.expected("`:invoke`, `:ok`, `:fail` or `:info`", kind.to_string()));
    };
    let function_place = scanner.place();
    let function = field(scanner, "the name of a function")?;
    let Some(function) = function.word() else {
        return Err(function_place.expected("the name of a function", function.kind()));
    };
    let value = field(scanner, "a value")?;
    // Lines of Jepsen's own actors are no client's operations.
    let Some(process) = process else { return Ok(()) };
    event(scanner, events, place, process, kind, function, value)
}

fn event(
    scanner: &Input<'_>,
    events: &mut Events,
    place: Place,
    process: i64,
    kind: Kind,
    function: &str,
    value: Value,
) -> Result<(), ReadError> {
    let limit = scanner.limits().memory_bytes_max;
    if kind == Kind::Invoke {
        let call = RawCall { function: function.into(), key: None, value };
        return events.invoke(place, process, call, limit);
    }
    events.same_function(place, process, Some(function))?;
    let (kind, value) = match (kind, function) {
        (Kind::Ok, "cas") => (Kind::Ok, Value::Bool(true)),
        (Kind::Fail, "cas") => (Kind::Ok, Value::Bool(false)),
        (Kind::Fail, "read") => (Kind::Unknown, value),
        _ => (kind, value),
    };
    events.end(place, process, kind, value, limit)
}

/// The next value of this line.
fn field(scanner: &mut Input<'_>, what: &str) -> Result<Value, ReadError> {
    while let Some(b' ' | b'\t') = scanner.peek()? {
        scanner.next()?;
    }
    if matches!(scanner.peek()?, None | Some(b'\n' | b'\r')) {
        return Err(scanner.place().expected(what, scanner.found()?));
    }
    edn::value(scanner)
}
