//! What a run leaves behind.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::event::Stamped;
use crate::exchange::Exchange;
use crate::plan::{Deviation, Plan};
use crate::time::Nanos;

/// Version of the record's format; a record of another version is refused.
pub const FORMAT: u32 = 6;

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every workload ended.
    Completed,
    /// The virtual deadline passed first.
    Deadline {
        /// What each task was doing.
        tasks: Vec<TaskState>,
    },
    /// Every task waits for something that can never happen.
    Deadlock {
        /// What each task waits for.
        tasks: Vec<TaskState>,
    },
    /// A task used real time without a system call.
    Spinning {
        /// The task and where it was.
        task: TaskState,
        /// One frame per line.
        backtrace: String,
    },
    /// A promise that is watched while the run goes on was broken: this is the end of what is told. What comes after
    /// is not in the record; the fingerprint and counts are those of the whole run.
    Broken {
        /// The property's name.
        property: String,
    },
    /// The world process itself died or had to be killed.
    Lost {
        /// What the supervisor saw.
        reason: String,
    },
}

/// What a task was doing when the run ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskState {
    /// Name of its host.
    pub host: String,
    /// Its thread id.
    pub tid: u32,
    /// Its name, as `prctl(PR_SET_NAME)` set it.
    pub name: String,
    /// What it waits for: `futex(0x7f…)`, `epoll_wait(5)`, or `running`.
    pub waits_for: String,
    /// Where it waits, one frame per line as in [`Event::Panicked`](crate::Event::Panicked), where that is known.
    pub backtrace: String,
}

/// When a property has to be true.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PropertyKind {
    /// Safety: whenever it is looked at.
    Always,
    /// At least once over all runs, so that a pass is not vacuous.
    Sometimes,
    /// The place is reached at least once over all runs.
    Reachable,
    /// The place is never reached.
    Unreachable,
    /// Liveness: at the end, after all faults.
    Eventually,
    /// Checked once when the run is over.
    AtEnd,
}

/// What a run saw of a property.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Property {
    /// When it has to be true.
    pub kind: PropertyKind,
    /// Its name, unique in the test.
    pub name: String,
    /// `file:line` of the assertion, or empty.
    pub place: String,
    /// How often it was looked at and true.
    pub passes: u64,
    /// How often it was looked at and false.
    pub failures: u64,
    /// When, where (index of the host) and with what detail it was false for the first time.
    pub first_failure: Option<(Nanos, u16, String)>,
    /// Why it was false for the first time, drawn as SVG, where a checker of a history knows.
    pub picture: Option<String>,
}

/// Counts of one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Virtual time at the end.
    pub virtual_time: Nanos,
    /// System calls made by guests.
    pub syscalls: u64,
    /// Of these, how many came through the trap (the others came through a hook).
    pub traps: u64,
    /// Switches between tasks.
    pub switches: u64,
    /// Tasks made.
    pub tasks: u64,
    /// Real nanoseconds from the run's beginning, or from where it was forked, to the end. Not part of the fingerprint.
    pub wall_ns: u64,
    /// Virtual time at which it was forked from a run that began alike; absent where it was made from its beginning. Not
    /// part of the fingerprint.
    pub forked: Option<Nanos>,
}

/// A run as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// Identifies the test binary and the simulator: a record of another build cannot be repeated.
    pub build: String,
    /// Name of the test.
    pub test: String,
    /// What was planned.
    pub plan: Plan,
    /// Hash of all effects: equal for equal runs.
    pub fingerprint: u64,
    /// How it ended.
    pub ending: Ending,
    /// Names of the hosts, by index.
    pub hosts: Vec<String>,
    /// Names of their groups, by index; of a host that is in none its own name.
    pub groups: Vec<String>,
    /// Every exchange, in the order of their requests.
    pub exchanges: Vec<Exchange>,
    /// Every property that was looked at.
    pub properties: Vec<Property>,
    /// What happened, in order.
    pub events: Vec<Stamped>,
    /// Files of the hosts' disks that the test wanted to see, as they were at the end.
    pub files: Vec<KeptFile>,
    /// Where the schedule left the fair one, in order; `None` where there were too many to keep.
    pub deviations: Option<Vec<Deviation>>,
    /// Counts.
    pub stats: Stats,
}

/// A file of a host's disk as it was when the run ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeptFile {
    /// Index of the host in the world.
    pub host: u16,
    /// Its absolute path.
    pub path: String,
    /// Its content; `None` where there was no such file.
    pub content: Option<Vec<u8>>,
}
