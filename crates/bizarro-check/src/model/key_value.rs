//! A store of values under keys. Keys are objects of their own: each is checked for itself.

use crate::history::{Outcome, RawCall, Value};

use super::raw::{self, FromRaw, Misfit};
use super::{Model, RegisterUse};

/// A store with `get`, `put`, `append`, `cas` and `delete`.
#[derive(Clone, Debug, Default)]
pub struct KeyValue {
    /// What `get` answers where nothing was put: `nil`, or an empty text.
    pub missing: Value,
}

impl KeyValue {
    /// A store whose `get` answers `missing` where nothing was put.
    pub fn new(missing: Value) -> KeyValue {
        KeyValue { missing }
    }
}

/// What can be asked of a [`KeyValue`]. The first value is the key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum KeyValueCall {
    /// What is under it?
    Get(Value),
    /// Put this under it.
    Put(Value, Value),
    /// Add this to the end of the text or list under it; where nothing is, put it there.
    Append(Value, Value),
    /// Put the third under it, if the second is there.
    Cas(Value, Value, Value),
    /// Let nothing be under it.
    Delete(Value),
}

/// What a [`KeyValue`] can answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum KeyValueReply {
    /// This is under the key.
    Value(Value),
    /// It was put, appended or deleted.
    Done,
    /// Whether it was put; where it was not, something else was there.
    Set(bool),
}

impl Model for KeyValue {
    type State = Value;
    type Call = KeyValueCall;
    type Reply = KeyValueReply;
    type Part = Value;

    fn initial(&self) -> Value {
        self.missing.clone()
    }

    fn step(
        &self,
        held: &Value,
        call: &KeyValueCall,
        reply: Option<&KeyValueReply>,
        next: &mut Vec<Value>,
    ) {
        if !self.allows(held, call, reply) {
            return;
        }
        next.push(match call {
            KeyValueCall::Get(_) => held.clone(),
            KeyValueCall::Put(_, value) => value.clone(),
            KeyValueCall::Append(_, value) => self.appended(held, value),
            KeyValueCall::Cas(_, from, to) => if from == held { to } else { held }.clone(),
            KeyValueCall::Delete(_) => self.missing.clone(),
        });
    }

    fn part(&self, call: &KeyValueCall) -> Value {
        match call {
            KeyValueCall::Get(key)
            | KeyValueCall::Put(key, _)
            | KeyValueCall::Append(key, _)
            | KeyValueCall::Cas(key, ..)
            | KeyValueCall::Delete(key) => key.clone(),
        }
    }

    fn observes(&self, call: &KeyValueCall, reply: Option<&KeyValueReply>) -> bool {
        matches!(call, KeyValueCall::Get(_)) || reply == Some(&KeyValueReply::Set(false))
    }

    fn allows(&self, held: &Value, call: &KeyValueCall, reply: Option<&KeyValueReply>) -> bool {
        let Some(reply) = reply else { return true };
        match (call, reply) {
            (KeyValueCall::Get(_), KeyValueReply::Value(seen)) => seen == held,
            (KeyValueCall::Cas(_, from, _), KeyValueReply::Set(set)) => (from == held) == *set,
            (
                KeyValueCall::Put(..) | KeyValueCall::Append(..) | KeyValueCall::Delete(_),
                KeyValueReply::Done,
            ) => true,
            _ => false,
        }
    }

    fn register_use<'c>(
        &self,
        call: &'c KeyValueCall,
        reply: Option<&'c KeyValueReply>,
    ) -> Option<RegisterUse<'c, Value>> {
        match (call, reply) {
            (KeyValueCall::Get(_), None) => Some(RegisterUse::Read(None)),
            (KeyValueCall::Get(_), Some(KeyValueReply::Value(seen))) => {
                Some(RegisterUse::Read(Some(seen)))
            }
            (KeyValueCall::Put(_, value), None | Some(KeyValueReply::Done)) => {
                Some(RegisterUse::Write(value))
            }
            _ => None,
        }
    }

    fn grows(&self, call: &KeyValueCall) -> bool {
        matches!(call, KeyValueCall::Append(..))
    }

    fn is_blind(&self, call: &KeyValueCall, reply: Option<&KeyValueReply>) -> bool {
        let changes = !matches!(call, KeyValueCall::Get(_) | KeyValueCall::Cas(..));
        changes && reply.is_none_or(|reply| *reply == KeyValueReply::Done)
    }

    fn out_of_reach(&self, held: &Value, call: &KeyValueCall, reply: &KeyValueReply) -> bool {
        let (KeyValueCall::Get(_), KeyValueReply::Value(seen)) = (call, reply) else {
            return false;
        };
        match (held, seen) {
            (Value::Text(held), Value::Text(seen)) => !seen.starts_with(&**held),
            (Value::List(held), Value::List(seen)) => !seen.starts_with(held),
            _ => false,
        }
    }

    fn weight(&self, held: &Value) -> usize {
        held.weight()
    }
}

impl KeyValue {
    fn appended(&self, held: &Value, value: &Value) -> Value {
        match (held, value) {
            (Value::Text(held), Value::Text(value)) => {
                let mut text = String::with_capacity(held.len() + value.len());
                text.push_str(held);
                text.push_str(value);
                Value::Text(text.into())
            }
            (Value::List(held), value) => Value::list(held.iter().chain([value]).cloned()),
            (Value::Nil, Value::Text(_)) => value.clone(),
            (_, value) => Value::list([value.clone()]),
        }
    }
}

/// `get`, `put`, `append`, `cas` (with a list of two values) and `delete`, each with a key. A `cas` that is
/// ok was set, unless it answered `false`.
impl FromRaw for KeyValue {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(KeyValueCall, Outcome<KeyValueReply>), Misfit> {
        let Some(key) = call.key.clone() else {
            return Err(Misfit::new("an operation with a key", "one without"));
        };
        let done = raw::reply(outcome, |_| Ok(KeyValueReply::Done))?;
        let value = call.value.clone();
        match &*call.function {
            "get" | "read" => {
                let seen = |value: &Value| match value {
                    Value::Nil => Ok(KeyValueReply::Value(self.missing.clone())),
                    value => Ok(KeyValueReply::Value(value.clone())),
                };
                Ok((KeyValueCall::Get(key), raw::reply(outcome, seen)?))
            }
            "put" | "write" => Ok((KeyValueCall::Put(key, value), done)),
            "append" => Ok((KeyValueCall::Append(key, value), done)),
            "cas" => {
                let (from, to) = raw::pair(&value)?;
                let set = |value: &Value| Ok(KeyValueReply::Set(*value != Value::Bool(false)));
                Ok((KeyValueCall::Cas(key, from, to), raw::reply(outcome, set)?))
            }
            "delete" => Ok((KeyValueCall::Delete(key), done)),
            _ => Err(Misfit::function("get, put, append, cas, delete", call)),
        }
    }
}
