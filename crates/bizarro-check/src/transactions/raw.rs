//! Transactions as files hold them: lists of `[function, key, value]`, with `nil` where a read was not
//! answered yet.

use std::sync::Arc;

use super::list_append::{ListAccess, ListHistory};
use super::rw_register::RegisterHistory;
use crate::history::{Outcome, RawHistory, Value};
use crate::model::{Access, Misfit};

/// `[:append key value]` and `[:r key list]`. A read of `nil` saw an empty list.
///
/// # Errors
/// The first operation that is no transaction of these, by its index.
pub fn lists(raw: &RawHistory) -> Result<ListHistory<Value, Value>, (usize, Misfit)> {
    let empty: Arc<[Value]> = Arc::from([]);
    raw.translate(|call, outcome| {
        let accesses = members(&call.value)?.iter().map(|access| match triple(access)? {
            ("append", key, value) => Ok(ListAccess::Append(key.clone(), value.clone())),
            ("r", key, _) => Ok(ListAccess::Read(key.clone())),
            _ => Err(Misfit::new("`append` or `r`", access)),
        });
        let accesses: Vec<ListAccess<Value, Value>> = accesses.collect::<Result<_, Misfit>>()?;
        let seen = seen(outcome, accesses.len(), |list| match list {
            Value::Nil => Ok(empty.clone()),
            Value::List(list) => Ok(list.clone()),
            other => Err(Misfit::new("a list", other)),
        })?;
        Ok((accesses, seen))
    })
}

/// `[:w key value]` and `[:r key value]`. A read of `nil` saw a register that nobody had written.
///
/// # Errors
/// The first operation that is no transaction of these, by its index.
pub fn registers(raw: &RawHistory) -> Result<RegisterHistory<Value>, (usize, Misfit)> {
    raw.translate(|call, outcome| {
        let accesses = members(&call.value)?.iter().map(|access| match triple(access)? {
            ("w", key, value) => Ok(Access::Write(key.clone(), value.clone())),
            ("r", key, _) => Ok(Access::Read(key.clone())),
            _ => Err(Misfit::new("`w` or `r`", access)),
        });
        let accesses: Vec<Access<Value>> = accesses.collect::<Result<_, Misfit>>()?;
        let seen = seen(outcome, accesses.len(), |value| Ok(Some(value.clone())))?;
        Ok((accesses, seen))
    })
}

/// Transactions of registers, or single operations: `read` or `get`, `write` or `put`, each of its key if it has
/// one.
///
/// # Errors
/// The first operation that is none of these, by its index.
pub fn accesses(raw: &RawHistory) -> Result<RegisterHistory<Value>, (usize, Misfit)> {
    let single = |function: &str| matches!(function, "read" | "get" | "write" | "put");
    if !raw.operations().first().is_some_and(|it| single(&it.call.function)) {
        return registers(raw);
    }
    raw.translate(|call, outcome| {
        let key = call.key.clone().unwrap_or_default();
        match &*call.function {
            "read" | "get" => {
                Ok((vec![Access::Read(key)], outcome.map(|value| vec![Some(value.clone())])))
            }
            "write" | "put" => {
                Ok((vec![Access::Write(key, call.value.clone())], outcome.map(|_| Vec::new())))
            }
            _ => Err(Misfit::function("read, get, write, put", call)),
        }
    })
}

/// What the reads of a transaction saw.
fn seen<R>(
    outcome: &Outcome<Value>,
    accesses: usize,
    understand: impl Fn(&Value) -> Result<R, Misfit>,
) -> Result<Outcome<Vec<R>>, Misfit> {
    let Some(reply) = outcome.reply() else { return Ok(outcome.map(|_| Vec::new())) };
    let reply = members(reply)?;
    if reply.len() != accesses {
        return Err(Misfit::new(format!("{accesses} accesses, as in the call"), reply.len()));
    }
    let mut seen = Vec::new();
    for access in reply {
        if let ("r", _, value) = triple(access)? {
            seen.push(understand(value)?);
        }
    }
    Ok(Outcome::Ok(seen))
}

fn members(value: &Value) -> Result<&[Value], Misfit> {
    value.members().ok_or_else(|| Misfit::new("a transaction, which is a list of accesses", value))
}

fn triple(access: &Value) -> Result<(&str, &Value, &Value), Misfit> {
    let wrong =
        || Misfit::new("an access, which is a list of a function, a key and a value", access);
    match access.members() {
        Some([function, key, value]) => Ok((function.word().ok_or_else(wrong)?, key, value)),
        _ => Err(wrong()),
    }
}
