//! What can go wrong, and where.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use super::SpecError;
use crate::exchange::Step;

/// What goes wrong at a step of an exchange.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The connection is reset before a byte leaves: the sender's `send` fails with ECONNRESET.
    Reset,
    /// The message vanishes, and its connection is silent from then on.
    Lost,
    /// The message arrives, but only a minute later.
    Late,
    /// One bit of the message is flipped; checksums of the network did not notice.
    BitFlip,
    /// The second half of the message is missing and the connection ends.
    Truncated,
    /// The message's bytes are replaced by noise of the same length.
    Garbage,
    /// The message is replaced by nothing: the connection ends in its place.
    Empty,
    /// The next write to the host's disk fails with ENOSPC.
    DiskFull,
    /// The next write to the host's disk fails with EIO.
    IoError,
    /// The host's process is killed and started again after a second; its disk survives.
    Crash,
    /// The whole host stops for fifteen seconds while the world goes on.
    Pause,
}

impl Effect {
    /// All effects.
    pub const ALL: [Effect; 11] = [
        Effect::Reset,
        Effect::Lost,
        Effect::Late,
        Effect::BitFlip,
        Effect::Truncated,
        Effect::Garbage,
        Effect::Empty,
        Effect::DiskFull,
        Effect::IoError,
        Effect::Crash,
        Effect::Pause,
    ];

    /// The word used in specs: `bit-flip`.
    pub fn key(self) -> &'static str {
        match self {
            Effect::Reset => "reset",
            Effect::Lost => "lost",
            Effect::Late => "late",
            Effect::BitFlip => "bit-flip",
            Effect::Truncated => "truncated",
            Effect::Garbage => "garbage",
            Effect::Empty => "empty",
            Effect::DiskFull => "disk-full",
            Effect::IoError => "io-error",
            Effect::Crash => "crash",
            Effect::Pause => "pause",
        }
    }

    /// Its place in [`ALL`](Effect::ALL): equal for effects that differ in a number only.
    pub fn kind(self) -> usize {
        Effect::ALL.into_iter().position(|effect| effect.key() == self.key()).unwrap_or(0)
    }

    /// Whether this effect is one that `step` can suffer.
    pub fn strikes_at(self, step: Step) -> bool {
        Effect::of(step).contains(&self)
    }

    /// The effects that a step can suffer, in the order in which the matrix tries them.
    pub fn of(step: Step) -> &'static [Effect] {
        match step {
            Step::PostRequest => &[Effect::Reset],
            Step::DeliverRequest => &[Effect::Lost, Effect::Crash],
            Step::ValidateRequest => &[Effect::BitFlip, Effect::Truncated, Effect::Garbage],
            Step::UpdateServer => {
                &[Effect::DiskFull, Effect::IoError, Effect::Crash, Effect::Pause]
            }
            Step::PostReply => &[Effect::Reset, Effect::Crash],
            Step::DeliverReply => &[Effect::Lost, Effect::Late],
            Step::ValidateReply => {
                &[Effect::BitFlip, Effect::Truncated, Effect::Garbage, Effect::Empty]
            }
            Step::UpdateClient => &[Effect::Crash, Effect::Pause, Effect::DiskFull],
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for Effect {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Effect, SpecError> {
        Effect::ALL.into_iter().find(|e| e.key() == s).ok_or_else(|| {
            SpecError::new(s, "one of reset, lost, late, bit-flip, truncated, garbage, empty, disk-full, io-error, crash, pause")
        })
    }
}
