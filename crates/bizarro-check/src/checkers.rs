//! Every checker that a history from a file can be given to, by name.

use crate::history::{RawHistory, Value};
use crate::linearizable::{self, Options, Report};
use crate::model::{
    AppendLog, Bank, CasRegister, Counter, FencedLock, FromRaw, KeyValue, Lease, Misfit,
    MultiRegister, Mutex, PriorityQueue, Queue, Register, Set, Stack, UniqueId,
};

/// A checker of raw histories.
#[derive(Clone, Copy, Debug)]
pub struct Checker {
    /// Its name.
    pub name: &'static str,
    /// What it decides, in a sentence.
    pub about: &'static str,
    /// Checks a history. The value is what the object holds first; where there is none, `nil`, zero or
    /// nothing, as the model has it.
    pub check: fn(&RawHistory, Option<&Value>, &Options) -> Result<Report, Refusal>,
}

/// Why a history could not be checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The operation of this index is none that the model knows.
    Operation(usize, Misfit),
    /// The object cannot hold this first.
    Initial(Misfit),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Operation(index, misfit) => write!(f, "operation {index}: {misfit}"),
            Refusal::Initial(misfit) => write!(f, "the initial value: {misfit}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The checkers. All of them decide linearizability.
pub const CHECKERS: &[Checker] = &[
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

impl Checker {
    /// The checker of this name.
    pub fn named(name: &str) -> Option<&'static Checker> {
        CHECKERS.iter().find(|checker| checker.name == name)
    }
}

type Checked = Result<Report, Refusal>;

/// Lets the model understand the history, and checks it.
fn with<M>(model: &M, raw: &RawHistory, options: &Options) -> Checked
where
    M: FromRaw + Sync,
    M::Call: Sync,
    M::Reply: Sync,
{
    let history =
        model.history(raw).map_err(|(index, misfit)| Refusal::Operation(index, misfit))?;
    Ok(linearizable::check(model, &history, options))
}

fn register(raw: &RawHistory, initial: Option<&Value>, options: &Options) -> Checked {
    with(&Register::new(initial.cloned().unwrap_or_default()), raw, options)
}

fn cas_register(raw: &RawHistory, initial: Option<&Value>, options: &Options) -> Checked {
    with(&CasRegister::new(initial.cloned().unwrap_or_default()), raw, options)
}

fn multi_register(raw: &RawHistory, initial: Option<&Value>, options: &Options) -> Checked {
    with(&MultiRegister::new(initial.cloned().unwrap_or_default()), raw, options)
}

fn key_value(raw: &RawHistory, initial: Option<&Value>, options: &Options) -> Checked {
    with(&KeyValue::new(initial.cloned().unwrap_or_default()), raw, options)
}

fn counter(raw: &RawHistory, initial: Option<&Value>, options: &Options) -> Checked {
    let initial = match initial {
        None => 0,
        Some(Value::Int(initial)) => *initial,
        Some(other) => return Err(Refusal::Initial(Misfit::new("a whole number", other))),
    };
    with(&Counter { initial }, raw, options)
}

fn bank(raw: &RawHistory, initial: Option<&Value>, options: &Options) -> Checked {
    let wanted = |found: &Value| Refusal::Initial(Misfit::new("a map of balances", found));
    let mut accounts = Vec::new();
    let initial = initial.cloned().unwrap_or_default();
    for (account, balance) in initial.pairs().ok_or_else(|| wanted(&initial))? {
        accounts.push((account.clone(), balance.int().ok_or_else(|| wanted(balance))?));
    }
    with(&Bank::new(accounts), raw, options)
}

/// These begin empty or free, and with nothing else.
macro_rules! begins_empty {
    ($($name:ident: $model:expr;)*) => {$(
        fn $name(raw: &RawHistory, initial: Option<&Value>, options: &Options) -> Checked {
            match initial {
                None => with(&$model, raw, options),
                Some(other) => Err(Refusal::Initial(Misfit::new("none", other))),
            }
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
