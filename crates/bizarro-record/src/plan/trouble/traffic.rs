//! A host sends what it should not: it lies, or it asks too much.

use core::fmt;
use serde::{Deserialize, Serialize};

use super::Trouble;
use super::link::one_in;
use super::way::Way;
use crate::time::Nanos;

/// How long a client asks too much where a plan does not say it.
pub(super) const BURST_LASTS: Nanos = Nanos::from_secs(10);

/// How a Byzantine host lies in the messages that it sends. The other end hears it as if the host had meant it, for it is
/// done before encryption would be of any help: to messages that are sent in the clear.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// What a message says is changed: a digit to another digit, or a bit where there is no digit.
    Mutate,
    /// The same, and every receiver is told something else, always the same one thing.
    Equivocate,
    /// A message is never sent; on a connection nothing is any more.
    Withhold,
    /// The message before it, to this receiver or another one, takes its place.
    Replay,
}

impl Lie {
    /// All of them.
    pub const ALL: [Lie; 4] = [Lie::Mutate, Lie::Equivocate, Lie::Withhold, Lie::Replay];

    /// Its word in a plan.
    pub fn word(self) -> &'static str {
        match self {
            Lie::Mutate => "mutate",
            Lie::Equivocate => "equivocate",
            Lie::Withhold => "withhold",
            Lie::Replay => "replay",
        }
    }
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Reads what stands behind `lie`: `db>* equivocate 1/3`.
pub(super) fn lie(arguments: &[&str]) -> Option<Trouble> {
    let [way, lie, rate] = *arguments else { return None };
    let way: Way = way.parse().ok()?;
    let lie = Lie::ALL.into_iter().find(|known| known.word() == lie)?;
    let one_in = one_in(rate)?;
    (!way.is_both).then_some(Trouble::Lie { way, lie, one_in })
}

/// Reads what stands behind `burst`: `client>server 20`.
pub(super) fn burst(arguments: &[&str]) -> Option<Trouble> {
    let [way, copies] = *arguments else { return None };
    let way: Way = way.parse().ok()?;
    let copies = copies.parse().ok().filter(|copies| (1..=COPIES_MAX).contains(copies))?;
    (!way.is_both).then_some(Trouble::Burst { way, copies })
}

/// More copies of a request than this are no plan, but a slip of the finger.
const COPIES_MAX: u32 = 10_000;
