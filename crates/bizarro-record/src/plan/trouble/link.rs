//! Something is wrong with the way between hosts: what is lost, late, repeated or changed on it.
//!
//! Packets of TCP that are lost, late, repeated or out of order are never seen as such by a program, for the stream has
//! them in order, each once; it sees delay, and in the end a connection that is broken. Datagrams arrive as they come.

use core::fmt;
use serde::{Deserialize, Serialize};

use super::super::{Written, span};
use super::Trouble;
use super::way::Way;
use crate::time::Nanos;

/// What is wrong with the way between hosts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkTrouble {
    /// Nothing passes.
    Partition,
    /// Nothing passes in the first half of each period.
    Flap {
        /// From one loss of the link to the next.
        period: Nanos,
    },
    /// Packets are lost.
    Loss {
        /// One in this many, from 1.
        one_in: u32,
    },
    /// Each packet takes longer.
    Delay {
        /// By this much.
        by: Nanos,
    },
    /// Each packet takes longer by a time of its own, drawn evenly.
    Jitter {
        /// At most this long.
        up_to: Nanos,
    },
    /// A packet arrives twice.
    Duplicate {
        /// One in this many, from 1.
        one_in: u32,
    },
    /// A packet is held up while later ones pass.
    Reorder {
        /// One in this many, from 1.
        one_in: u32,
        /// How long it is held up.
        by: Nanos,
    },
    /// Nothing arrives as long as it lasts, then everything: a change of the topology, a switch that reboots.
    Stall,
    /// The link is slow: this many bytes a second, each way between each two hosts.
    Limp {
        /// Bytes a second, from 1.
        bandwidth: u64,
    },
    /// A bit of what a packet carries is flipped, and its checksum is right (Stone and Partridge, *When the CRC and TCP
    /// Checksum Disagree*, SIGCOMM 2000).
    Corrupt {
        /// One in this many, from 1.
        one_in: u32,
    },
    /// The second host refuses the connections and datagrams of the first; connections that are open stay.
    Refuse,
    /// A box on the way resets every connection on which something is sent.
    Reset,
    /// Nothing passes, and a router says so to whoever asks.
    Unreachable,
    /// An adversary reads everything; see [`Event::Overheard`](crate::Event::Overheard).
    Eavesdrop,
    /// An adversary changes what packets carry: a digit to another digit, or a bit where there is no digit.
    Tamper {
        /// One packet in this many, from 1.
        one_in: u32,
    },
    /// An adversary sends what a packet carried a second time: a datagram again, or the same bytes of a stream again.
    Replay {
        /// One packet in this many, from 1.
        one_in: u32,
    },
    /// An adversary sends what nobody did: a datagram, or bytes in a stream, put together from what was sent before.
    Inject {
        /// After one packet in this many, from 1.
        one_in: u32,
    },
}

impl LinkTrouble {
    /// How long it lasts where a plan does not say it.
    pub(super) fn lasts(self) -> Option<Nanos> {
        match self {
            LinkTrouble::Partition | LinkTrouble::Flap { .. } => Some(Nanos::from_secs(30)),
            LinkTrouble::Stall => Some(Nanos::from_secs(60)),
            LinkTrouble::Refuse | LinkTrouble::Unreachable => Some(Nanos::from_secs(5)),
            LinkTrouble::Reset => Some(Nanos::from_secs(1)),
            LinkTrouble::Loss { .. }
            | LinkTrouble::Delay { .. }
            | LinkTrouble::Jitter { .. }
            | LinkTrouble::Duplicate { .. }
            | LinkTrouble::Reorder { .. }
            | LinkTrouble::Limp { .. }
            | LinkTrouble::Corrupt { .. }
            | LinkTrouble::Eavesdrop
            | LinkTrouble::Tamper { .. }
            | LinkTrouble::Replay { .. }
            | LinkTrouble::Inject { .. } => None,
        }
    }

    /// Its word in a plan.
    pub fn word(self) -> &'static str {
        match self {
            LinkTrouble::Partition => "partition",
            LinkTrouble::Flap { .. } => "flap",
            LinkTrouble::Loss { .. } => "loss",
            LinkTrouble::Delay { .. } => "delay",
            LinkTrouble::Jitter { .. } => "jitter",
            LinkTrouble::Duplicate { .. } => "duplicate",
            LinkTrouble::Reorder { .. } => "reorder",
            LinkTrouble::Stall => "stall",
            LinkTrouble::Limp { .. } => "limp",
            LinkTrouble::Corrupt { .. } => "corrupt",
            LinkTrouble::Refuse => "refuse",
            LinkTrouble::Reset => "reset",
            LinkTrouble::Unreachable => "unreachable",
            LinkTrouble::Eavesdrop => "eavesdrop",
            LinkTrouble::Tamper { .. } => "tamper",
            LinkTrouble::Replay { .. } => "replay",
            LinkTrouble::Inject { .. } => "inject",
        }
    }
}

/// As it is written behind its word, around the way: ` a<>b 1/10`.
pub(super) struct OnWay<'a>(pub(super) &'a Way, pub(super) LinkTrouble);

impl fmt::Display for OnWay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OnWay(way, trouble) = self;
        write!(f, " {way}")?;
        match *trouble {
            LinkTrouble::Partition
            | LinkTrouble::Stall
            | LinkTrouble::Refuse
            | LinkTrouble::Reset
            | LinkTrouble::Unreachable
            | LinkTrouble::Eavesdrop => Ok(()),
            LinkTrouble::Flap { period: time }
            | LinkTrouble::Delay { by: time }
            | LinkTrouble::Jitter { up_to: time } => write!(f, " {}", Written(time)),
            LinkTrouble::Loss { one_in }
            | LinkTrouble::Duplicate { one_in }
            | LinkTrouble::Corrupt { one_in }
            | LinkTrouble::Tamper { one_in }
            | LinkTrouble::Replay { one_in }
            | LinkTrouble::Inject { one_in } => write!(f, " 1/{one_in}"),
            LinkTrouble::Reorder { one_in, by } => write!(f, " 1/{one_in} {}", Written(by)),
            LinkTrouble::Limp { bandwidth } => write!(f, " {bandwidth}B/s"),
        }
    }
}

/// Reads what stands behind the word: the way, and what the trouble needs besides.
pub(super) fn read(word: &str, arguments: &[&str]) -> Option<Trouble> {
    let (way, rest) = arguments.split_first()?;
    let way: Way = way.parse().ok()?;
    let time = |text: &&str| span(text).filter(|time| *time > Nanos::ZERO);
    let trouble = match (word, rest) {
        ("partition", []) => LinkTrouble::Partition,
        ("flap", [period]) => LinkTrouble::Flap { period: time(period).filter(|p| p.0 > 1)? },
        ("loss", [rate]) => LinkTrouble::Loss { one_in: one_in(rate)? },
        ("delay", [by]) => LinkTrouble::Delay { by: time(by)? },
        ("jitter", [up_to]) => LinkTrouble::Jitter { up_to: time(up_to)? },
        ("duplicate", [rate]) => LinkTrouble::Duplicate { one_in: one_in(rate)? },
        ("reorder", [rate, by]) => LinkTrouble::Reorder { one_in: one_in(rate)?, by: time(by)? },
        ("stall", []) => LinkTrouble::Stall,
        ("limp", [rate]) => {
            let bandwidth = rate.strip_suffix("B/s")?.parse().ok().filter(|rate| *rate > 0)?;
            LinkTrouble::Limp { bandwidth }
        }
        ("corrupt", [rate]) => LinkTrouble::Corrupt { one_in: one_in(rate)? },
        // It is the second that refuses, not both.
        ("refuse", []) if !way.is_both => LinkTrouble::Refuse,
        ("reset", []) => LinkTrouble::Reset,
        ("unreachable", []) => LinkTrouble::Unreachable,
        ("eavesdrop", []) => LinkTrouble::Eavesdrop,
        ("tamper", [rate]) => LinkTrouble::Tamper { one_in: one_in(rate)? },
        ("replay", [rate]) => LinkTrouble::Replay { one_in: one_in(rate)? },
        ("inject", [rate]) => LinkTrouble::Inject { one_in: one_in(rate)? },
        _ => return None,
    };
    Some(Trouble::Link { way, trouble })
}

/// `1/N`.
pub(super) fn one_in(text: &str) -> Option<u32> {
    text.strip_prefix("1/")?.parse().ok().filter(|n| *n > 0)
}
