//! How models understand histories that were read from files.

use std::fmt;

use crate::history::{History, Outcome, RawCall, RawHistory, Value};

use super::Model;

/// A model whose calls and replies have names in files.
pub trait FromRaw: Model {
    /// What an operation means.
    ///
    /// # Errors
    /// Where this is no operation of the model.
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit>;

    /// What a whole history means.
    ///
    /// # Errors
    /// The first operation that is none of the model, by its index.
    fn history(
        &self,
        raw: &RawHistory,
    ) -> Result<History<Self::Call, Self::Reply>, (usize, Misfit)> {
        raw.translate(|call, outcome| self.understand(call, outcome))
    }
}

/// An operation that a model does not know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    /// What it should have been.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl Misfit {
    /// Something else was expected.
    pub fn new(expected: impl Into<String>, found: impl fmt::Display) -> Misfit {
        Misfit { expected: expected.into(), found: found.to_string() }
    }

    /// The function is none of these.
    pub(crate) fn function(known: &str, call: &RawCall) -> Misfit {
        Misfit::new(format!("one of the functions {known}"), format!("`{}`", call.function))
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for Misfit {}

/// The outcome, with its reply understood.
pub(crate) fn reply<R>(
    outcome: &Outcome<Value>,
    understand: impl FnOnce(&Value) -> Result<R, Misfit>,
) -> Result<Outcome<R>, Misfit> {
    Ok(match outcome {
        Outcome::Ok(value) => Outcome::Ok(understand(value)?),
        Outcome::Fail => Outcome::Fail,
        Outcome::Unknown => Outcome::Unknown,
    })
}

/// A whole number.
pub(crate) fn int(value: &Value) -> Result<i64, Misfit> {
    value.int().ok_or_else(|| Misfit::new("a whole number", value))
}

/// Two values.
pub(crate) fn pair(value: &Value) -> Result<(Value, Value), Misfit> {
    match value.members() {
        Some([first, second]) => Ok((first.clone(), second.clone())),
        _ => Err(Misfit::new("a list of two values", value)),
    }
}

/// A list.
pub(crate) fn list(value: &Value) -> Result<Vec<Value>, Misfit> {
    value.members().map(<[Value]>::to_vec).ok_or_else(|| Misfit::new("a list", value))
}

/// A truth value.
pub(crate) fn truth(value: &Value) -> Result<bool, Misfit> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        _ => Err(Misfit::new("true or false", value)),
    }
}
