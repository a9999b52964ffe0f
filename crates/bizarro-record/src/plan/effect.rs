//! What can go wrong, and where.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use super::SpecError;
use crate::exchange::Step;
use crate::time::Nanos;

/// What goes wrong at a step of an exchange.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The connection is reset. Before a request or reply leaves: its sender's `send` fails with ECONNRESET. After a
    /// reply left: it is lost, and both ends find the connection reset.
    Reset,
    /// As if nobody listened any more: the connection is reset before a byte leaves, and for five seconds the server
    /// refuses what the client sends and every connection that it asks for.
    Refused,
    /// As if there were no way to the server: the `send` fails with EHOSTUNREACH, and for five seconds nothing passes
    /// between the two hosts, and connections that the client asks for fail alike.
    Unreachable,
    /// The message vanishes, and its connection is silent from then on.
    Lost,
    /// For thirty seconds nothing passes between the two hosts, either way. What TCP sent meanwhile arrives afterwards.
    Partition,
    /// The message arrives, but only a minute later.
    Late,
    /// One bit of the message is flipped; checksums of the network did not notice.
    BitFlip,
    /// The second half of the message is missing and the connection ends.
    Truncated,
    /// The message's bytes are replaced by noise of the same length.
    Garbage,
    /// The bytes of the request before it, of the same name, come in its place.
    Older,
    /// The message is replaced by nothing: the connection ends in its place.
    Empty,
    /// A reply of success holds an error where its body was, of the same length.
    ErrorBody,
    /// The next write to the host's disk fails with ENOSPC.
    DiskFull,
    /// The next write to the host's disk fails with EIO.
    IoError,
    /// The host's process is killed and started again after a second; its disk survives.
    Crash,
    /// The same, just before the process's system call of this number since the message arrived, from 1. Where faults
    /// are drawn, the number is drawn too, up to this one.
    CrashAt(u32),
    /// The whole host stops for fifteen seconds while the world goes on.
    Pause,
    /// The host loses its power, and starts again after ten seconds with what was synced to its disk.
    PowerOff,
}

impl Effect {
    /// One of each kind.
    pub const ALL: [Effect; 18] = [
        Effect::Reset,
        Effect::Refused,
        Effect::Unreachable,
        Effect::Lost,
        Effect::Partition,
        Effect::Late,
        Effect::BitFlip,
        Effect::Truncated,
        Effect::Garbage,
        Effect::Older,
        Effect::Empty,
        Effect::ErrorBody,
        Effect::DiskFull,
        Effect::IoError,
        Effect::Crash,
        Effect::CrashAt(1),
        Effect::Pause,
        Effect::PowerOff,
    ];

    /// The word used in specs: `bit-flip`. Behind the one of [`Effect::CrashAt`] stands its number: `crash@3`.
    pub fn key(self) -> &'static str {
        match self {
            Effect::Reset => "reset",
            Effect::Refused => "refused",
            Effect::Unreachable => "unreachable",
            Effect::Lost => "lost",
            Effect::Partition => "partition",
            Effect::Late => "late",
            Effect::BitFlip => "bit-flip",
            Effect::Truncated => "truncated",
            Effect::Garbage => "garbage",
            Effect::Older => "older",
            Effect::Empty => "empty",
            Effect::ErrorBody => "error-body",
            Effect::DiskFull => "disk-full",
            Effect::IoError => "io-error",
            Effect::Crash => "crash",
            Effect::CrashAt(_) => "crash@",
            Effect::Pause => "pause",
            Effect::PowerOff => "power-off",
        }
    }

    /// How long it goes on by itself after it struck, where that is a matter of the network: until then nobody can be
    /// blamed for not being served.
    pub fn lasts(self) -> Nanos {
        match self {
            Effect::Refused | Effect::Unreachable => Nanos::from_secs(5),
            Effect::Partition => Nanos::from_secs(30),
            _ => Nanos::ZERO,
        }
    }

    /// Whether the two differ in a number at the most.
    pub fn is_kind_of(self, other: Effect) -> bool {
        self.key() == other.key()
    }

    /// Whether this effect is one that `step` can suffer.
    pub fn strikes_at(self, step: Step) -> bool {
        Effect::of(step).iter().any(|effect| effect.is_kind_of(self))
    }

    /// The effects that a step can suffer, one of each kind, in the order in which the matrix tries them.
    pub fn of(step: Step) -> &'static [Effect] {
        match step {
            Step::PostRequest => &[Effect::Reset, Effect::Refused, Effect::Unreachable],
            Step::DeliverRequest => &[Effect::Lost, Effect::Partition, Effect::Crash],
            Step::ValidateRequest => {
                &[Effect::BitFlip, Effect::Truncated, Effect::Garbage, Effect::Older]
            }
            Step::UpdateServer => &[
                Effect::DiskFull,
                Effect::IoError,
                Effect::Crash,
                Effect::CrashAt(1),
                Effect::Pause,
                Effect::PowerOff,
            ],
            Step::PostReply => &[Effect::Reset, Effect::Crash, Effect::PowerOff],
            Step::DeliverReply => &[Effect::Lost, Effect::Late, Effect::Reset],
            Step::ValidateReply => &[
                Effect::BitFlip,
                Effect::Truncated,
                Effect::Garbage,
                Effect::Empty,
                Effect::ErrorBody,
            ],
            Step::UpdateClient => {
                &[Effect::Crash, Effect::Pause, Effect::DiskFull, Effect::IoError, Effect::PowerOff]
            }
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())?;
        match self {
            Effect::CrashAt(call) => write!(f, "{call}"),
            _ => Ok(()),
        }
    }
}

impl FromStr for Effect {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Effect, SpecError> {
        let number = |digits: &str| digits.parse().ok().filter(|call: &u32| *call > 0);
        if let Some(call) = s.strip_prefix("crash@").and_then(number) {
            return Ok(Effect::CrashAt(call));
        }
        Effect::ALL.into_iter().find(|e| e.key() == s && *e != Effect::CrashAt(1)).ok_or_else(|| {
            SpecError::new(s, "one of reset, refused, unreachable, lost, partition, late, bit-flip, truncated, garbage, older, empty, error-body, disk-full, io-error, crash, crash@N, pause, power-off")
        })
    }
}
