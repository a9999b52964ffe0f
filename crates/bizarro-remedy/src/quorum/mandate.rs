//! Until when a leader leads.

use std::time::{Duration, Instant};

use super::majority;

/// Whether a leader still has the majority behind it, as far as it can know.
///
/// A member that answers promises to follow no other leader for `term`, counted from the answer. The leader counts from when
/// it *asked*, which was earlier, so its own count ends first: a leader whose members no longer hear it, or whom it no longer
/// hears, steps down before another one can be elected. This holds where clocks that measure spans (`CLOCK_MONOTONIC`) run
/// at the same rate up to the `margin`.
///
/// It is a reason to step down, and no permission to write: between a look at it and a write the leader may stand still for
/// as long as it likes. What is written has to be refused by those who follow another leader.
#[derive(Clone, Debug)]
pub struct Mandate {
    span: Duration,
    /// For each member, when it was asked what it answered last.
    asked: Vec<Option<Instant>>,
}

impl Mandate {
    /// Of so many members, the leader among them (it counts as a member and has to confirm itself too). `margin` is taken off
    /// the `term` for the error of the clocks.
    pub fn new(members: usize, term: Duration, margin: Duration) -> Mandate {
        Mandate { span: term.saturating_sub(margin), asked: vec![None; members] }
    }

    /// This member answered what it was asked then.
    pub fn confirm(&mut self, member: usize, asked: Instant) {
        if let Some(last) = self.asked.get_mut(member) {
            *last = (*last).max(Some(asked));
        }
    }

    /// When it ends; nothing if it has not begun.
    pub fn ends(&self) -> Option<Instant> {
        let mut asked = self.asked.clone();
        asked.sort_unstable_by(|a, b| b.cmp(a));
        // The latest moment from which on a majority answered.
        Some((*asked.get(majority(asked.len()) - 1)?)? + self.span)
    }

    /// Whether it lasts at this moment.
    pub fn lasts(&self, now: Instant) -> bool {
        self.ends().is_some_and(|end| now < end)
    }
}
