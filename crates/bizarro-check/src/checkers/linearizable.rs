//! Checkers of objects against their models: linearizability, and sequential consistency where that is asked for.

use super::{Answer, Case, Checker, Consistency, Doubt, Reason, Refusal, balances, misfit};
use crate::evidence::Core;
use crate::history::Value;
use crate::linearizable::{self, Verdict};
use crate::model::{
    AppendLog, Bank, CasRegister, Counter, FencedLock, FromRaw, KeyValue, Lease, Misfit,
    MultiRegister, Mutex, PriorityQueue, Queue, Register, Set, Stack, UniqueId,
};
use crate::sequential;

/// All of them.
pub(super) const CHECKERS: &[Checker] = &[
    Checker { name: "register", about: "a register with read and write", check: register },
    Checker { name: "cas-register", about: "a register with compare-and-set", check: cas_register },
    Checker {
        name: "multi-register",
        about: "several registers, read and written together",
        check: multi_register,
    },
    Checker { name: "key-value", about: "get, put, append, cas, delete by key", check: key_value },
    Checker { name: "counter", about: "a counter with add and read", check: counter },
    Checker { name: "set", about: "a set with add, remove, contains and read", check: set },
    Checker { name: "queue", about: "first in, first out", check: queue },
    Checker { name: "stack", about: "last in, first out", check: stack },
    Checker { name: "priority-queue", about: "the least comes out first", check: priority_queue },
    Checker { name: "mutex", about: "a lock with acquire and release", check: mutex },
    Checker { name: "fenced-lock", about: "a lock with fencing tokens", check: fenced_lock },
    Checker { name: "lease", about: "a lock whose grants end by themselves", check: lease },
    Checker { name: "bank", about: "accounts between which money moves", check: bank },
    Checker { name: "unique-id", about: "numbers that are given once", check: unique_id },
    Checker { name: "append-log", about: "a log that is only appended to", check: append_log },
];

type Checked = Result<Answer, Refusal>;

/// Lets the model understand the history, and checks it.
fn with<M>(model: &M, case: &Case<'_>) -> Checked
where
    M: FromRaw + Sync,
    M::Call: Sync,
    M::Reply: Sync,
{
    case.has_no_level()?;
    let history = model.history(case.history).map_err(misfit)?;
    if case.consistency == Consistency::Sequential {
        return Ok(sequential(sequential::check(model, &history, &case.options).verdict));
    }
    Ok(match linearizable::check(model, &history, &case.options).verdict {
        Verdict::Holds(_) => Answer::Holds,
        Verdict::Unknown(what) => Answer::Unknown(Doubt::Exhausted(what)),
        Verdict::Violated(violation) => {
            let stuck = violation.stuck;
            let because = vec![
                "in no order of these operations does each answer what it did".to_string(),
                format!("all can be put in order that ended before operation {stuck}"),
            ];
            violated("not linearizable", violation.core, because)
        }
    })
}

fn sequential(verdict: sequential::Verdict) -> Answer {
    match verdict {
        sequential::Verdict::Holds(_) => Answer::Holds,
        sequential::Verdict::Unknown(what) => Answer::Unknown(Doubt::Exhausted(what)),
        sequential::Verdict::Violated(violation) => {
            let because = "in no order of these operations that keeps each process's own does each answer \
                           what it did";
            violated("not sequentially consistent", violation.core, vec![because.to_string()])
        }
    }
}

fn violated(name: &str, core: Core, mut because: Vec<String>) -> Answer {
    if core.minimal {
        because.push("without any one of them there is an order".to_string());
    }
    let (name, operations, arrows) = (name.to_string(), core.operations, Vec::new());
    Answer::Violated(vec![Reason { name, operations, because, arrows }])
}

/// What the object holds first, or `nil`.
fn first(case: &Case<'_>) -> Value {
    case.initial.cloned().unwrap_or_default()
}

fn register(case: &Case<'_>) -> Checked {
    with(&Register::new(first(case)), case)
}

fn cas_register(case: &Case<'_>) -> Checked {
    with(&CasRegister::new(first(case)), case)
}

fn multi_register(case: &Case<'_>) -> Checked {
    with(&MultiRegister::new(first(case)), case)
}

fn key_value(case: &Case<'_>) -> Checked {
    with(&KeyValue::new(first(case)), case)
}

fn counter(case: &Case<'_>) -> Checked {
    let initial = match case.initial {
        None => 0,
        Some(Value::Int(initial)) => *initial,
        Some(other) => return Err(Refusal::Initial(Misfit::new("a whole number", other))),
    };
    with(&Counter { initial }, case)
}

fn bank(case: &Case<'_>) -> Checked {
    with(&Bank::new(balances(case.initial)?), case)
}

/// These begin empty or free, and with nothing else.
macro_rules! begins_empty {
    ($($name:ident: $model:expr;)*) => {$(
        fn $name(case: &Case<'_>) -> Checked {
            case.begins_empty()?;
            with(&$model, case)
        }
    )*};
}

begins_empty! {
    set: Set::new();
    queue: Queue::new();
    stack: Stack::new();
    priority_queue: PriorityQueue::new();
    mutex: Mutex;
    fenced_lock: FencedLock::default();
    lease: Lease;
    unique_id: UniqueId::new();
    append_log: AppendLog::new();
}
