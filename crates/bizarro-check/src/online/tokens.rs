//! Fencing tokens.

use std::collections::BTreeMap;

use super::{Event, Online};
use crate::domain::{Contradiction, Rule};
use crate::history::Outcome;
use crate::model::{FencedLockCall, FencedLockReply};

/// No token is granted twice; each is above those of grants that had ended before; and the store takes none that is
/// below one which it had taken before. The same as [`fencing::tokens`](crate::domain::fencing::tokens).
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// Who was granted each.
    granted: BTreeMap<i64, u32>,
    /// The highest that was granted, and that was accepted, and to whom.
    highest: Highest,
    /// What these were when an operation was invoked that is still open.
    open: BTreeMap<u32, (FencedLockCall, Highest)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Highest {
    granted: Option<(i64, u32)>,
    accepted: Option<(i64, u32)>,
}

impl Tokens {
    /// Nothing was granted yet.
    pub fn new() -> Tokens {
        Tokens::default()
    }

    fn grant(&mut self, index: u32, token: i64, before: Highest) -> Result<(), Contradiction> {
        if let Some(first) = self.granted.insert(token, index) {
            let because = format!("both were granted token {token}");
            let operations = vec![first, index];
            return Err(Contradiction { rule: Rule::UniqueToken, operations, because });
        }
        rises(before.granted, (token, index), Rule::RisingToken, "granted")?;
        self.highest.granted = highest(self.highest.granted, (token, index));
        Ok(())
    }

    fn accept(&mut self, index: u32, token: i64, before: Highest) -> Result<(), Contradiction> {
        rises(before.accepted, (token, index), Rule::StaleToken, "accepted")?;
        self.highest.accepted = highest(self.highest.accepted, (token, index));
        Ok(())
    }
}

/// The first of those with the highest token.
fn highest(one: Option<(i64, u32)>, other: (i64, u32)) -> Option<(i64, u32)> {
    one.filter(|one| one.0 >= other.0).or(Some(other))
}

fn rises(
    before: Option<(i64, u32)>,
    (token, index): (i64, u32),
    rule: Rule,
    what: &str,
) -> Result<(), Contradiction> {
    match before {
        Some((earlier, first)) if earlier > token => {
            let because = format!("token {token} was {what} after token {earlier}");
            Err(Contradiction { rule, operations: vec![first, index], because })
        }
        _ => Ok(()),
    }
}

impl Online for Tokens {
    type Call = FencedLockCall;
    type Reply = FencedLockReply;

    fn feed(
        &mut self,
        event: Event<'_, FencedLockCall, FencedLockReply>,
    ) -> Result<(), Contradiction> {
        let (index, outcome) = match event {
            Event::Invoked(index, call) => {
                self.open.insert(index, (*call, self.highest));
                return Ok(());
            }
            Event::Ended(index, outcome) => (index, outcome),
        };
        let Some((call, before)) = self.open.remove(&index) else { return Ok(()) };
        match (call, outcome) {
            (FencedLockCall::Acquire, Outcome::Ok(FencedLockReply::Granted(token))) => {
                self.grant(index, *token, before)
            }
            (FencedLockCall::Use(token), Outcome::Ok(FencedLockReply::Accepted(true))) => {
                self.accept(index, token, before)
            }
            _ => Ok(()),
        }
    }
}
