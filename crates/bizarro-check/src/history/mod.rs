//! Histories: what was asked of a system, by whom, when, and what came of it.
//!
//! An operation is invoked by a process and ends in one of three ways: *ok* (it took effect, with a
//! reply), *fail* (it certainly had no effect and never will) or *unknown* (it may have taken effect,
//! may yet, or never will). An operation without an end is unknown.
//!
//! What is before what is told by the order of events, never by times: clocks of several hosts cannot be
//! compared. Times are kept for pictures and messages.
//!
//! A history is generic over what is asked and what is answered. Programs build one with [`Builder`] in
//! the types of a [model](crate::model); [`read`] gives a [`RawHistory`], of plain [`Value`]s, which a
//! model then understands or refuses.

mod builder;
pub mod read;
mod value;
mod write;

use std::fmt;

pub use builder::{Builder, Disorder};
pub use value::Value;
pub use write::Writer;

/// Who invokes operations, one at a time.
pub type Process = i64;

/// What came of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<R> {
    /// It took effect between its invocation and its end, and answered this.
    Ok(R),
    /// It had no effect and never will.
    Fail,
    /// It may have taken effect at any time after its invocation, may yet, or never will.
    Unknown,
}

impl<R> Outcome<R> {
    /// The reply, if there was one.
    pub fn reply(&self) -> Option<&R> {
        match self {
            Outcome::Ok(reply) => Some(reply),
            Outcome::Fail | Outcome::Unknown => None,
        }
    }

    /// The same outcome with another reply.
    pub fn map<R2>(&self, reply: impl FnOnce(&R) -> R2) -> Outcome<R2> {
        match self {
            Outcome::Ok(it) => Outcome::Ok(reply(it)),
            Outcome::Fail => Outcome::Fail,
            Outcome::Unknown => Outcome::Unknown,
        }
    }
}

/// What clocks said at an event, in nanoseconds, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// Virtual time since the world began.
    pub virtual_ns: Option<u64>,
    /// Time by the clock of the process.
    pub wall_ns: Option<u64>,
}

/// One end of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The number of this event among all events of the history. This alone says what is before what.
    pub position: u32,
    /// What clocks said.
    pub times: Times,
}

/// Something that a process asked of the system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation<C, R> {
    /// Who asked.
    pub process: Process,
    /// What was asked.
    pub call: C,
    /// What came of it.
    pub outcome: Outcome<R>,
    /// When it was asked.
    pub invoked: Moment,
    /// When the process learnt the outcome. An unknown operation may have none.
    pub ended: Option<Moment>,
}

/// Operations in the order in which they were invoked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History<C, R> {
    operations: Vec<Operation<C, R>>,
}

impl<C, R> History<C, R> {
    /// The operations, in the order in which they were invoked. Reports name them by their index here.
    pub fn operations(&self) -> &[Operation<C, R>] {
        &self.operations
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The same history in other types.
    ///
    /// # Errors
    /// The first error of `translate`, with the index of the operation.
    pub fn translate<C2, R2, E>(
        &self,
        mut translate: impl FnMut(&C, &Outcome<R>) -> Result<(C2, Outcome<R2>), E>,
    ) -> Result<History<C2, R2>, (usize, E)> {
        let translated = self.operations.iter().enumerate().map(|(index, operation)| {
            let Operation { process, call, outcome, invoked, ended } = operation;
            let (call, outcome) = translate(call, outcome).map_err(|error| (index, error))?;
            let (process, invoked, ended) = (*process, *invoked, *ended);
            Ok(Operation { process, call, outcome, invoked, ended })
        });
        Ok(History { operations: translated.collect::<Result<_, _>>()? })
    }
}

/// What was asked, as data: the name of a function, the key of the object where there are several, and
/// an argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawCall {
    /// The name: `read`, `write`, `cas`, …
    pub function: std::sync::Arc<str>,
    /// Which of several objects it is about.
    pub key: Option<Value>,
    /// The argument.
    pub value: Value,
}

/// What was asked and what came of it, in a line.
impl fmt::Display for Operation<RawCall, Value> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RawCall { function, key, value } = &self.call;
        f.write_str(function)?;
        if let Some(key) = key {
            write!(f, " {key}")?;
        }
        write!(f, " {value} → ")?;
        match &self.outcome {
            Outcome::Ok(reply) => write!(f, "ok {reply}"),
            Outcome::Fail => f.write_str("fail"),
            Outcome::Unknown => f.write_str("unknown"),
        }
    }
}

/// A history as files hold it.
pub type RawHistory = History<RawCall, Value>;
