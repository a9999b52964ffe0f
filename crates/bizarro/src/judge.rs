//! Histories of a run, given to the checkers of `bizarro-check`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Debug;

use bizarro_check::budget::Exhausted;
use bizarro_check::checkers::Reason;
use bizarro_check::domain::Contradiction;
use bizarro_check::history::{Builder, History, Operation, Outcome, RawCall, Times, Value};
use bizarro_check::linearizable::{Options, Verdict, check};
use bizarro_check::model::Model;
use bizarro_check::online::{Event as Happened, Online};
use bizarro_check::{picture, sequential};
use bizarro_record::event::OpOutcome;
use bizarro_record::{Event, Nanos, RunRecord, Stamped};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::check::Wrong;

/// Operations of a core that are named.
const NAMED_MAX: usize = 12;

/// The history of this name.
pub(crate) fn operations<C: DeserializeOwned, R: DeserializeOwned>(
    run: &RunRecord,
    name: &str,
) -> Result<History<C, R>, String> {
    from_events(&run.events, name)
}

fn from_events<C: DeserializeOwned, R: DeserializeOwned>(
    events: &[Stamped],
    name: &str,
) -> Result<History<C, R>, String> {
    let mut builder = Builder::new();
    // By number of an operation, its process; and which process a task is, with those beside it.
    let mut open: BTreeMap<u64, i64> = BTreeMap::new();
    let mut lanes: BTreeMap<(u16, u32), Vec<i64>> = BTreeMap::new();
    let mut processes = 0;
    for stamped in events {
        builder.at(Times { virtual_ns: Some(stamped.at.0), wall_ns: None });
        match &stamped.event {
            Event::Invoked { history, op, value } if history == name => {
                let lanes = lanes.entry((stamped.host, stamped.tid)).or_default();
                let free = lanes.iter().copied().find(|it| !open.values().any(|busy| busy == it));
                let process = free.unwrap_or_else(|| {
                    processes += 1;
                    lanes.push(processes);
                    processes
                });
                let call = parse(value, "asked", stamped.at)?;
                builder.invoke(process, call).expect("the process is idle");
                open.insert(*op, process);
            }
            Event::Returned { op, outcome, value } => {
                let Some(process) = open.remove(op) else { continue };
                let outcome = outcome_of(*outcome, value, stamped.at)?;
                builder.end(process, outcome).expect("its operation is open");
            }
            _ => {}
        }
    }
    Ok(builder.finish())
}

fn parse<T: DeserializeOwned>(json: &[u8], what: &str, at: Nanos) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| {
        format!(
            "what was {what} at {at} is not of the model: `{}`: {error}",
            String::from_utf8_lossy(json)
        )
    })
}

/// The first event by which an online check of the history is broken, and how.
pub(crate) fn watched<O>(run: &RunRecord, name: &str, mut check: O) -> Option<(usize, Wrong)>
where
    O: Online,
    O::Call: DeserializeOwned + Debug,
    O::Reply: DeserializeOwned + Debug,
{
    // By number of an operation, its index in this history.
    let mut open: BTreeMap<u64, u32> = BTreeMap::new();
    let mut count = 0;
    for (event, stamped) in run.events.iter().enumerate() {
        match feed(&mut check, name, stamped, &mut open, &mut count) {
            Ok(None) => {}
            Ok(Some(Contradiction { rule, operations, because })) => {
                let events = &run.events[..=event];
                let so_far = from_events::<O::Call, O::Reply>(events, name);
                let told = so_far.map_or_else(|wrong| wrong, |it| all_told(&it, &operations));
                let picture = drawn(events, name, format!("{name}: {rule}"), &operations);
                return Some((event, Wrong { how: format!("{because}: {told}"), picture }));
            }
            Err(how) => return Some((event, how.into())),
        }
    }
    None
}

/// Gives an event to a check, if it is of the history.
fn feed<O: Online>(
    check: &mut O,
    name: &str,
    stamped: &Stamped,
    open: &mut BTreeMap<u64, u32>,
    count: &mut u32,
) -> Result<Option<Contradiction>, String>
where
    O::Call: DeserializeOwned,
    O::Reply: DeserializeOwned,
{
    Ok(match &stamped.event {
        Event::Invoked { history, op, value } if history == name => {
            let (call, index) = (parse(value, "asked", stamped.at)?, *count);
            *count += 1;
            open.insert(*op, index);
            check.feed(Happened::Invoked(index, &call)).err()
        }
        Event::Returned { op, outcome, value } => {
            let Some(index) = open.remove(op) else { return Ok(None) };
            let outcome = outcome_of(*outcome, value, stamped.at)?;
            check.feed(Happened::Ended(index, &outcome)).err()
        }
        _ => None,
    })
}

fn outcome_of<R: DeserializeOwned>(
    outcome: OpOutcome,
    value: &[u8],
    at: Nanos,
) -> Result<Outcome<R>, String> {
    Ok(match outcome {
        OpOutcome::Ok => Outcome::Ok(parse(value, "answered", at)?),
        OpOutcome::Fail => Outcome::Fail,
        OpOutcome::Unknown => Outcome::Unknown,
    })
}

/// Whether the history is linearizable; otherwise the operations that contradict each other.
pub(crate) fn linearizable<M>(run: &RunRecord, name: &str, model: &M) -> Result<(), Wrong>
where
    M: Model + Sync,
    M::Call: DeserializeOwned + Debug + Sync,
    M::Reply: DeserializeOwned + Debug + Sync,
{
    let history = operations(run, name)?;
    match check(model, &history, &Options::default()).verdict {
        Verdict::Holds(_) => Ok(()),
        Verdict::Unknown(what) => Err(undecided(name, "linearizable", what).into()),
        Verdict::Violated(violation) => {
            Err(wrong(&run.events, name, "not linearizable", &history, &violation.core.operations))
        }
    }
}

/// Whether the history is sequentially consistent; otherwise the operations that contradict each other.
pub(crate) fn sequential<M>(run: &RunRecord, name: &str, model: &M) -> Result<(), Wrong>
where
    M: Model,
    M::Call: DeserializeOwned + Debug,
    M::Reply: DeserializeOwned + Debug,
{
    let history = operations(run, name)?;
    match sequential::check(model, &history, &Options::default()).verdict {
        sequential::Verdict::Holds(_) => Ok(()),
        sequential::Verdict::Unknown(what) => {
            Err(undecided(name, "sequentially consistent", what).into())
        }
        sequential::Verdict::Violated(violation) => {
            let what = "not sequentially consistent";
            Err(wrong(&run.events, name, what, &history, &violation.core.operations))
        }
    }
}

/// What is wrong with a history, in words and as a picture.
fn wrong<C: Debug, R: Debug>(
    events: &[Stamped],
    name: &str,
    what: &str,
    history: &History<C, R>,
    operations: &[u32],
) -> Wrong {
    let how = format!("`{name}` is {what}: {}", all_told(history, operations));
    Wrong { how, picture: drawn(events, name, format!("{name}: {what}"), operations) }
}

/// Operations of a history that contradict each other as SVG. It is made of what was recorded, whatever the types.
fn drawn(events: &[Stamped], name: &str, title: String, operations: &[u32]) -> Option<String> {
    let history = from_events::<Json, Json>(events, name).ok()?;
    let raw = history.translate(|call, outcome| {
        // As serde writes variants of an enum, which calls mostly are.
        let variant = call.as_object().filter(|it| it.len() == 1).and_then(|it| it.iter().next());
        let (function, value) = match (variant, call) {
            (Some((function, value)), _) => (function.as_str(), value),
            (None, Json::String(function)) => (function.as_str(), &Json::Null),
            (None, other) => ("asked", other),
        };
        let call = RawCall { function: function.into(), key: None, value: plain(value) };
        Ok::<_, Infallible>((call, outcome.map(plain)))
    });
    let (operations, because, arrows) = (operations.to_vec(), Vec::new(), Vec::new());
    Some(picture::draw(&raw.ok()?, &Reason { name: title, operations, because, arrows }))
}

/// A value as histories of files have it.
fn plain(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(it) => Value::Bool(*it),
        Json::Number(it) => it.as_i64().map_or_else(|| Value::text(it.to_string()), Value::from),
        Json::String(it) => Value::text(it.as_str()),
        Json::Array(it) => Value::list(it.iter().map(plain)),
        Json::Object(it) => {
            Value::map(it.iter().map(|(name, of)| (Value::text(name.as_str()), plain(of))))
        }
    }
}

fn undecided(name: &str, promise: &str, what: Exhausted) -> String {
    let what = match what {
        Exhausted::Memory => "memory",
        Exhausted::Time => "time",
    };
    format!("it could not be decided whether `{name}` is {promise}: the budget of {what} ended")
}

/// The operations that contradict each other.
fn all_told<C: Debug, R: Debug>(history: &History<C, R>, operations: &[u32]) -> String {
    let named = operations.iter().take(NAMED_MAX);
    let named = named.map(|index| told(&history.operations()[*index as usize]));
    let named = named.collect::<Vec<_>>().join("; ");
    match operations.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

/// What was asked and when, and what came of it.
fn told<C: Debug, R: Debug>(operation: &Operation<C, R>) -> String {
    let at = |ns: Option<u64>| Nanos(ns.unwrap_or_default());
    let (call, process) = (&operation.call, operation.process);
    let from = at(operation.invoked.times.virtual_ns);
    let until = operation.ended.map(|end| at(end.times.virtual_ns));
    match (&operation.outcome, until) {
        (Outcome::Ok(reply), Some(until)) => {
            format!("{process} asked {call:?} at {from} and was answered {reply:?} at {until}")
        }
        (_, _) => format!("{process} asked {call:?} at {from} and knows no answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fixtures::record;
    use bizarro_check::model::{Register, RegisterCall, RegisterReply};

    type Call = RegisterCall<u64>;
    type Reply = RegisterReply<u64>;

    /// A run in which two tasks say this of a register.
    fn run(said: &[(u32, u64, Result<Call, Reply>)]) -> RunRecord {
        let mut run = record();
        run.events.clear();
        for (at, (tid, op, what)) in (1..).zip(said) {
            let event = match what {
                Ok(call) => {
                    let value = serde_json::to_vec(call).unwrap();
                    Event::Invoked { history: "register".into(), op: *op, value }
                }
                Err(reply) => {
                    let value = serde_json::to_vec(reply).unwrap();
                    Event::Returned { op: *op, outcome: OpOutcome::Ok, value }
                }
            };
            run.events.push(Stamped { at: Nanos::from_millis(at), host: 0, tid: *tid, event });
        }
        run
    }

    fn judged(said: &[(u32, u64, Result<Call, Reply>)]) -> Result<(), Wrong> {
        linearizable(&run(said), "register", &Register::new(0))
    }

    #[test]
    fn a_stale_read_is_named_with_what_contradicts_it() {
        use RegisterCall::{Read, Write};
        use RegisterReply::{Value, Written};
        let write = [(1, 0, Ok(Write(5))), (1, 0, Err(Written)), (2, 1, Ok(Read))];
        assert_eq!(judged(&[&write[..], &[(2, 1, Err(Value(5)))]].concat()), Ok(()));
        let said = judged(&[&write[..], &[(2, 1, Err(Value(0)))]].concat()).unwrap_err();
        let picture = said.picture.unwrap();
        assert!(picture.starts_with("<svg ") && picture.contains("register: not linearizable"));
        assert!(picture.contains("0: Write 5") && picture.contains("1: Read nil"), "{picture}");
        assert_eq!(
            said.how,
            "`register` is not linearizable: 1 asked Write(5) at 0.001000 s and was answered Written at \
             0.002000 s; 2 asked Read at 0.003000 s and was answered Value(0) at 0.004000 s"
        );
    }

    /// The other task was told nothing of the write, as long as it is another one.
    #[test]
    fn a_stale_read_is_in_order_unless_its_own_task_wrote() {
        use RegisterCall::{Read, Write};
        use RegisterReply::{Value, Written};
        let judged = |reader| {
            let said = [
                (1, 0, Ok(Write(5))),
                (1, 0, Err(Written)),
                (reader, 1, Ok(Read)),
                (reader, 1, Err(Value(0))),
            ];
            sequential(&run(&said), "register", &Register::new(0_u64))
        };
        assert_eq!(judged(2), Ok(()));
        assert_eq!(
            judged(1).unwrap_err().how,
            "`register` is not sequentially consistent: 1 asked Write(5) at 0.001000 s and was answered \
             Written at 0.002000 s; 1 asked Read at 0.003000 s and was answered Value(0) at 0.004000 s"
        );
    }

    #[test]
    fn what_one_task_has_open_at_one_time_is_of_several_processes() {
        use RegisterCall::{Read, Write};
        use RegisterReply::{Value, Written};
        let said = [
            (1, 0, Ok(Write(5))),
            (1, 1, Ok(Read)),
            (1, 1, Err(Value(5))),
            (1, 0, Err(Written)),
            (1, 2, Ok(Read)),
        ];
        let history = operations::<Call, Reply>(&run(&said), "register").unwrap();
        let processes: Vec<i64> = history.operations().iter().map(|it| it.process).collect();
        assert_eq!(processes, [1, 2, 1]);
        assert_eq!(history.operations()[2].outcome, Outcome::Unknown);
    }

    #[test]
    fn what_is_not_of_the_model_is_said_with_its_time() {
        let said = linearizable(&record(), "bank", &Register::new(0_u64)).unwrap_err().how;
        assert!(
            said.starts_with("what was asked at 0.002000 s is not of the model: `5`:"),
            "{said}"
        );
    }
}
