//! Events of a report: those of a record, with bytes as text.

use bizarro_record::event::OpOutcome;
use bizarro_record::{Event as Recorded, Stamped, Stream};
use serde::{Deserialize, Serialize};

use super::run::cut;
use crate::sentence::effect;

/// What happened, when and where.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: u64,
    /// Index of the host.
    pub host: u16,
    /// Thread id of the task that acted; absent where none did.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub task: u32,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

// What serde wants here is a reference.
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What happened: the field `kind` says which of these, and each brings fields of its own.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// The host's program was started.
    Started {
        /// 1 for the first time.
        incarnation: u32,
    },
    /// The program ended by itself.
    Exited {
        /// Its exit status.
        status: i32,
        /// Where it ended, one frame per line, if not with success.
        backtrace: String,
    },
    /// The process was killed by a signal of its own making.
    Killed {
        /// Signal number.
        signal: i32,
        /// What it was doing, one frame per line.
        backtrace: String,
    },
    /// A thread panicked.
    Panicked {
        /// Message and place.
        text: String,
        /// Where it was, one frame per line.
        backtrace: String,
    },
    /// The process was killed by a fault.
    Crashed,
    /// The host lost its power.
    PowerFailed {
        /// Before which change of its disk, from 1.
        change: u64,
    },
    /// An incident of the plan or of the test began.
    Began {
        /// It, as plans name it.
        fault: String,
        /// What goes wrong, with the hosts that it strikes.
        text: String,
    },
    /// An incident that lasted is over.
    Healed {
        /// It, as plans name it.
        fault: String,
        /// What had gone wrong.
        text: String,
    },
    /// The program has come to something that plans can name.
    Milestone {
        /// What it says.
        text: String,
    },
    /// The host stands still.
    Paused {
        /// Until then.
        until: u64,
    },
    /// A line of standard output.
    Stdout {
        /// The line.
        text: String,
    },
    /// A line of standard error.
    Stderr {
        /// The line.
        text: String,
    },
    /// A planned fault struck.
    Struck {
        /// The fault, as plans name it.
        fault: String,
        /// What it did, in words.
        text: String,
    },
    /// This host asked, for the first time, a host that the plan takes away from it.
    Removed {
        /// Index of the host that it asked.
        server: u16,
        /// What it is told: `refused`, `unreachable`, or nothing at all: `partition`.
        effect: String,
    },
    /// Trouble with the network was felt: by the first packet of each, or by each message that is a lie or asked too often.
    Felt {
        /// As plans have it.
        trouble: String,
        /// Index of the host that the packet or message is for.
        to: u16,
        /// Which message; empty for a packet.
        label: String,
    },
    /// An adversary on the wire read what was for another host.
    Overheard {
        /// Index of that host.
        to: u16,
        /// What it read.
        text: String,
    },
    /// Bytes left this host.
    Sent {
        /// Number of the message in this run.
        message: u64,
        /// Index of the host they are sent to.
        to: u16,
        /// How many bytes.
        bytes: u32,
        /// What they carry: `POST /move #3`, the same with ` reply`, `syn`, `fin`, `rst`.
        label: String,
    },
    /// Bytes arrived at this host.
    Delivered {
        /// Number of the message.
        message: u64,
    },
    /// Bytes were lost on the way to this host.
    Dropped {
        /// Number of the message.
        message: u64,
    },
    /// The program asked for something that is not simulated.
    Unsupported {
        /// The call.
        text: String,
    },
    /// An operation of a history began.
    Invoked {
        /// Name of the history.
        history: String,
        /// Number of the operation in this run.
        op: u64,
        /// What was asked, in the program's own encoding.
        text: String,
    },
    /// An operation ended.
    Returned {
        /// Number of the operation.
        op: u64,
        /// `ok`, `fail` or `unknown`.
        outcome: String,
        /// The result, in the program's own encoding.
        text: String,
    },
    /// A note of the program or of the test.
    Note {
        /// The note.
        text: String,
    },
}

impl Event {
    /// An event of a record.
    pub(super) fn of(stamped: &Stamped) -> Event {
        Event {
            at: stamped.at.0,
            host: stamped.host,
            task: stamped.tid,
            what: What::of(&stamped.event),
        }
    }
}

impl What {
    fn of(event: &Recorded) -> What {
        let bytes = |value: &[u8]| cut(&String::from_utf8_lossy(value));
        match event {
            Recorded::Started { incarnation } => What::Started { incarnation: *incarnation },
            Recorded::Exited { status, backtrace } => {
                What::Exited { status: *status, backtrace: backtrace.clone() }
            }
            Recorded::Killed { signal, backtrace } => {
                What::Killed { signal: *signal, backtrace: backtrace.clone() }
            }
            Recorded::Panicked { message, backtrace } => {
                What::Panicked { text: cut(message), backtrace: backtrace.clone() }
            }
            Recorded::Crashed => What::Crashed,
            Recorded::PowerFailed { change } => What::PowerFailed { change: *change },
            Recorded::Began { incident, trouble } => {
                What::Began { fault: incident.to_string(), text: trouble.to_string() }
            }
            Recorded::Healed { incident } => {
                What::Healed { fault: incident.to_string(), text: incident.trouble.to_string() }
            }
            Recorded::Milestone { name } => What::Milestone { text: cut(name) },
            Recorded::Paused { until } => What::Paused { until: until.0 },
            Recorded::Output { stream: Stream::Stdout, line } => What::Stdout { text: cut(line) },
            Recorded::Output { stream: Stream::Stderr, line } => What::Stderr { text: cut(line) },
            Recorded::Struck { injection } => {
                What::Struck { fault: injection.to_string(), text: effect(injection) }
            }
            Recorded::Removed { server, effect } => {
                What::Removed { server: *server, effect: effect.to_string() }
            }
            Recorded::Felt { trouble, to, label } => {
                What::Felt { trouble: trouble.to_string(), to: *to, label: cut(label) }
            }
            Recorded::Overheard { to, bytes } => {
                What::Overheard { to: *to, text: cut(&String::from_utf8_lossy(bytes)) }
            }
            Recorded::Sent { message, to, bytes, label } => {
                What::Sent { message: *message, to: *to, bytes: *bytes, label: cut(label) }
            }
            Recorded::Delivered { message } => What::Delivered { message: *message },
            Recorded::Dropped { message } => What::Dropped { message: *message },
            Recorded::Packet { packet } => {
                What::Note { text: format!("a packet for {}", packet.destination) }
            }
            Recorded::Unsupported { call } => What::Unsupported { text: cut(call) },
            Recorded::Invoked { history, op, value } => {
                What::Invoked { history: history.clone(), op: *op, text: bytes(value) }
            }
            Recorded::Returned { op, outcome, value } => {
                let outcome = match outcome {
                    OpOutcome::Ok => "ok",
                    OpOutcome::Fail => "fail",
                    OpOutcome::Unknown => "unknown",
                };
                What::Returned { op: *op, outcome: outcome.to_string(), text: bytes(value) }
            }
            Recorded::Note { text } => What::Note { text: cut(text) },
        }
    }
}
