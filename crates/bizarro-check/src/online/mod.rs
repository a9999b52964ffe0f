//! Checks of histories while they happen: a check is a small state machine that is fed each event, and says by which
//! one the promise is broken. What is kept grows with what is open and with the different values that were seen, not
//! with the length of the history.
//!
//! | check | promise |
//! |---|---|
//! | [`Tokens`] | fencing tokens are unique and rise; a store takes no stale one |
//! | [`Conservation`] | money is neither made nor lost |
//!
//! Each breaks at the first event by which the check of the same promise in [`domain`](crate::domain) finds what
//! has happened so far to be wrong, no earlier and no later.

mod conservation;
mod tokens;

pub use conservation::Conservation;
pub use tokens::Tokens;

use crate::domain::Contradiction;
use crate::history::{History, Outcome};

/// Something that happens to the operation of an index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'e, C, R> {
    /// It is asked. Indices count from zero.
    Invoked(u32, &'e C),
    /// It ends.
    Ended(u32, &'e Outcome<R>),
}

/// A check that is fed events as they happen.
pub trait Online {
    /// What can be asked.
    type Call;
    /// What can be answered.
    type Reply;

    /// Takes the next event. After an error nothing more is to be fed.
    ///
    /// # Errors
    /// The operations that contradict each other as soon as this has happened.
    fn feed(&mut self, event: Event<'_, Self::Call, Self::Reply>) -> Result<(), Contradiction>;
}

/// Feeds a whole history.
///
/// # Errors
/// The position of the event by which the promise is broken, and how.
pub fn replay<O: Online>(
    mut check: O,
    history: &History<O::Call, O::Reply>,
) -> Result<(), (u32, Contradiction)> {
    let mut events = Vec::with_capacity(2 * history.len());
    for (index, it) in (0..).zip(history.operations()) {
        events.push((it.invoked.position, Event::Invoked(index, &it.call)));
        events.extend(it.ended.map(|end| (end.position, Event::Ended(index, &it.outcome))));
    }
    events.sort_unstable_by_key(|(position, _)| *position);
    events.into_iter().try_for_each(|(position, event)| {
        check.feed(event).map_err(|contradiction| (position, contradiction))
    })
}
