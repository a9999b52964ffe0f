//! Pictures of why a promise is not kept, as SVG (W3C, *Scalable Vector Graphics 2*) that needs nothing else:
//! operations that contradict each other as a [timeline](Arrow), and transactions that each come before the
//! next as a cycle. Colours follow the reader's light or dark scheme, and all that is drawn can be read as
//! text.

mod cycle;
mod svg;
mod timeline;

use crate::checkers::Reason;
use crate::history::RawHistory;

/// Operations that are drawn; of more it is said how many there are.
const DRAWN_MAX: usize = 40;

/// That one operation comes before another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrow {
    /// The index of the first.
    pub from: u32,
    /// The index of the second.
    pub to: u32,
    /// Why.
    pub because: String,
}

/// Draws a reason: a cycle if it has arrows, else the time of its operations.
///
/// # Panics
/// If the reason is not of this history.
pub fn draw(history: &RawHistory, reason: &Reason) -> String {
    let is_cycle = reason.arrows.len() > 1
        && reason
            .arrows
            .iter()
            .zip(reason.arrows.iter().cycle().skip(1))
            .all(|(one, next)| one.to == next.from);
    if is_cycle { cycle::draw(history, reason) } else { timeline::draw(history, reason) }
}
