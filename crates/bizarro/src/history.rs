//! Histories: what programs asked of the system under test, and what they know came of it.
//!
//! A history is what a checker needs to say whether a run kept a promise about *results*
//! (linearizability and its kin): every operation with its beginning, its end, and one of three
//! outcomes.

use bizarro_call::{Op as Call, call};
use bizarro_record::event::OpOutcome;
use serde::Serialize;

/// A handle by which programs record operations. Plain data: clone it into any program and any
/// thread. Outside a world it records nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    name: String,
}

impl History {
    /// The history of this name. A program that is not part of the test's code gets its handle so;
    /// handles of the same name are the same history.
    pub fn new(name: &str) -> History {
        History { name: name.to_string() }
    }

    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An operation begins now. Give it an end with [`Op::ok`], [`Op::fail`] or [`Op::unknown`].
    ///
    /// # Panics
    /// Where `value` cannot be written as JSON (a map whose keys are not strings).
    pub fn invoke(&self, value: impl Serialize) -> Op {
        if !bizarro_call::present() {
            return Op { number: None };
        }
        let input = encode(&(self.name.as_str(), json(&value)));
        let number = call(Call::Invoke, &input, &mut []);
        Op { number: number.and_then(|number| u64::try_from(number).ok()) }
    }
}

/// An operation that has begun. Dropped without an end, its outcome is unknown.
#[derive(Debug)]
pub struct Op {
    /// `None` outside a world, and once the end was told.
    number: Option<u64>,
}

impl Op {
    /// It took effect, with this result.
    ///
    /// # Panics
    /// Where `value` cannot be written as JSON (a map whose keys are not strings).
    pub fn ok(mut self, value: impl Serialize) {
        if self.number.is_some() {
            self.end(OpOutcome::Ok, json(&value));
        }
    }

    /// It certainly had no effect, and never will.
    pub fn fail(mut self) {
        self.end(OpOutcome::Fail, Vec::new());
    }

    /// It may have taken effect, or may yet.
    pub fn unknown(mut self) {
        self.end(OpOutcome::Unknown, Vec::new());
    }

    fn end(&mut self, outcome: OpOutcome, value: Vec<u8>) {
        if let Some(number) = self.number.take() {
            call(Call::Return, &encode(&(number, outcome, value)), &mut []);
        }
    }
}

impl Drop for Op {
    fn drop(&mut self) {
        self.end(OpOutcome::Unknown, Vec::new());
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| {
        panic!("a history's values are kept as JSON, and this one cannot be: {error}")
    })
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("strings, numbers and bytes can always be encoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_a_world_nothing_is_recorded() {
        let history = History::new("bank");
        let op = history.invoke("withdraw");
        assert_eq!(op.number, None);
        op.ok(5);
        history.clone().invoke(1).fail();
    }
}
