//! What happened in a run, one value per thing that a reader may want to see.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::packet::Packet;
use crate::plan::{Effect, Incident, Injection, Trouble};
use crate::time::Nanos;

/// What a frame of a backtrace calls the program's own file.
pub const PROGRAM: &str = "program";

/// Which of a program's outputs a line was written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// An event with the virtual time and the host at which it happened.
///
/// A run may have very many, and most of them say little: what is large in an event stands elsewhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stamped {
    /// True virtual time, not the host's own clock.
    pub at: Nanos,
    /// Index of the host in the world.
    pub host: u16,
    /// Thread id of the task that acted, or 0 where none did.
    pub tid: u32,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The host's program was started; 1 for the first time.
    Started {
        /// How many times it has been started.
        incarnation: u32,
    },
    /// The host's program ended by itself with this status.
    Exited {
        /// Exit status, as `wait(2)` would report it.
        status: i32,
        /// Where it ended, if not with success; see [`Panicked`](Event::Panicked).
        backtrace: String,
    },
    /// The host's process was killed by a signal of its own making.
    Killed {
        /// Signal number.
        signal: i32,
        /// What the process was doing, where it could be told; see [`Panicked`](Event::Panicked).
        backtrace: String,
    },
    /// A thread panicked.
    Panicked {
        /// Message and place.
        message: String,
        /// Where it was, innermost first, one frame per line: `object+0x12a4`, an address in the file
        /// of that path ([`PROGRAM`] for the program's own), or the function and its place once somebody
        /// has looked them up. No line depends on where anything was loaded.
        backtrace: String,
    },
    /// The process was killed by a fault.
    Crashed,
    /// The host lost its power, because the plan said so.
    PowerFailed {
        /// Which change of its disk did not come about any more, from 1.
        change: u64,
    },
    /// The whole host stands still until the given time.
    Paused {
        /// When it goes on.
        until: Nanos,
    },
    /// A line of output.
    Output {
        /// Stdout or stderr.
        stream: Stream,
        /// The line, without its newline.
        line: String,
    },
    /// A planned fault struck.
    Struck {
        /// Which one.
        injection: Box<Injection>,
    },
    /// A planned incident began, and took effect.
    Began {
        /// As the plan has it.
        incident: Box<Incident>,
        /// What went wrong, with the names of hosts for `@it`.
        trouble: Box<Trouble>,
    },
    /// A planned incident that lasted is over.
    Healed {
        /// As the plan has it.
        incident: Box<Incident>,
    },
    /// The program has come to what it calls so.
    Milestone {
        /// What it says.
        name: String,
    },
    /// Trouble with the network was felt: by a packet, which is said once for each trouble, or by a message that is a lie or
    /// is asked too often, which is said each time.
    Felt {
        /// What is wrong.
        trouble: Box<Trouble>,
        /// Index of the host that the packet or message is for.
        to: u16,
        /// Which message it is: `GET /leader #2 reply`; empty for a packet.
        label: String,
    },
    /// An adversary on the wire read what arrived.
    Overheard {
        /// Index of the receiving host.
        to: u16,
        /// What it read.
        bytes: Vec<u8>,
    },
    /// This host asked, for the first time, a host that the plan takes away from it.
    Removed {
        /// Index of the host that it asked.
        server: u16,
        /// What it is told.
        effect: Effect,
    },
    /// Bytes left this host.
    Sent {
        /// Identifies the message in this run.
        message: u64,
        /// Index of the receiving host.
        to: u16,
        /// How many bytes.
        bytes: u32,
        /// What it carries: `POST /move #3`, `syn`, `fin`, or empty.
        label: String,
    },
    /// Bytes arrived at this host.
    Delivered {
        /// The message that was sent.
        message: u64,
    },
    /// Bytes were lost on the way to this host.
    Dropped {
        /// The message that was sent.
        message: u64,
    },
    /// A packet left this host. Only in a run that was asked for packets; see
    /// [`Messages::Captured`](crate::Messages::Captured).
    Packet {
        /// It.
        packet: Box<Packet>,
    },
    /// The program asked for something that is not simulated.
    Unsupported {
        /// The call as strace would print it.
        call: String,
    },
    /// An operation of a history began.
    Invoked {
        /// Name of the history.
        history: String,
        /// Number of the operation in the run.
        op: u64,
        /// The operation, in the program's own encoding.
        value: Vec<u8>,
    },
    /// An operation of a history ended.
    Returned {
        /// Number of the operation in the run.
        op: u64,
        /// `ok`, `fail` or `unknown`.
        outcome: OpOutcome,
        /// The result, in the program's own encoding.
        value: Vec<u8>,
    },
    /// A note of the program or of the test, shown in the run's timeline.
    Note {
        /// The text.
        text: String,
    },
}

/// How an operation of a history ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpOutcome {
    /// It took effect.
    Ok,
    /// It certainly did not take effect.
    Fail,
    /// It may have taken effect, or may yet.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_small() {
        assert!(size_of::<Stamped>() <= 80, "{}", size_of::<Stamped>());
    }
}
