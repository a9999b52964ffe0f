//! What the supervisor and the process that makes its runs say to each other.
//!
//! Two pipes carry frames: the length of a value's postcard, eight bytes little-endian, and the postcard.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::plan::{Injection, Plan};
use crate::time::Nanos;
use crate::world::{Messages, RunRequest};

/// Exit status of the world process where the process that makes its runs was killed while it made none: it may have
/// taken a part of a command with it, so nobody could go on with these pipes.
pub const DIED_IDLE: i32 = 121;

/// What the facade asks of the shared object: to make the runs that the supervisor wants, until it wants no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServeRequest {
    /// Every run, but for what a [`Command`] says.
    pub run: RunRequest,
    /// Descriptor of the real kernel from which frames of [`Command`] are read.
    pub commands_fd: i32,
    /// Descriptor of the real kernel that gets a frame of [`Done`] for each.
    pub results_fd: i32,
    /// Descriptor of the real kernel that gets a line per system call of the runs of which that is wanted.
    pub trace_fd: i32,
}

/// One run is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Command {
    /// What happens in it.
    pub plan: Plan,
    /// What is recorded of messages.
    pub messages: Messages,
    /// Whether its system calls are written down.
    pub trace: Trace,
    /// When it is stopped, where that is before its deadline.
    pub until: Option<Nanos>,
    /// Other runs that are wanted, each of them that of the plan with one more fault. They begin as this one does, and
    /// are forked from it where their fault strikes for the first time; this one ends with the last of them, and leaves
    /// no record. Those whose fault never had its turn are not made.
    pub branches: Vec<Injection>,
}

/// Whether the system calls of a run are written down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Trace {
    /// They are not.
    #[default]
    Off,
    /// They are, a line each.
    On,
}

/// The record of a branch was taken: the run that it began in may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GoOn;

/// Bytes of the simulator's own memory that were in use when a run ended, as its allocator counts them. What guests have is
/// not among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    /// What happened: the run's events and exchanges.
    pub record: u64,
    /// Everything else: the hosts, their disks and the network as they were in the end, the images of processes.
    pub rest: u64,
}

/// The run is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Done {
    /// One of the [`Command::branches`], by its place there, ended with this wait status. [`GoOn`] is waited for.
    Branch(u32, i32),
    /// The run's process ended with this wait status, or would have if it ended with the run, which had left so much.
    Ended(i32, Memory),
    /// The simulator made no run: an errno.
    Refused(i32),
}
