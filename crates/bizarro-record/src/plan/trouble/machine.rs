//! A host is slow, one of its threads stands still, it has little memory, or its program crashes again and again.

use core::fmt;
use serde::{Deserialize, Serialize};

use super::Form;
use crate::time::Nanos;

/// What goes wrong with a machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineFault {
    /// Each system call takes this many times as long as elsewhere, on one of the host's CPUs.
    SlowCpu(u32),
    /// One thread stands still: the one of this thread id; `None` for the one that is about to make a system call when
    /// this begins there, else the first one.
    PauseTask(Option<u32>),
    /// The host has this many bytes of memory.
    MemoryLimit(u64),
    /// The process is killed at one of its first system calls, up to this one, as often as it is started.
    CrashAtCalls(u32),
}

/// How long a slow CPU is slow, and a thread stands still.
const SLOW_LASTS: Nanos = Nanos::from_secs(15);
/// How long a program crashes again and again.
const LOOP_LASTS: Nanos = Nanos::from_secs(60);
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

pub(super) const SLOW_CPU: Form = Form {
    word: "slow-cpu",
    form: "slow-cpu HOST TIMES, from 2, such as `slow-cpu db 1000`",
    example: "at 3s for 60s: slow-cpu db 1000",
    meaning: "each system call takes so many times as long as elsewhere, and where more threads want to run than the host has CPUs they wait for each other: a CPU that others steal",
    lasts: "15 s",
};

pub(super) const PAUSE_TASK: Form = Form {
    word: "pause-task",
    form: "pause-task HOST [TID], such as `pause-task db 101`",
    example: "at call db #1234 for 60s: pause-task @it",
    meaning: "one thread stands still while the others of its process go on: a page fault, or a thread that the scheduler forgets. Without a number it is the one that is about to make the call, else the first",
    lasts: "15 s",
};

pub(super) const MEMORY_LIMIT: Form = Form {
    word: "memory-limit",
    form: "memory-limit HOST SIZE in B, KiB, MiB or GiB, such as `memory-limit db 64MiB`",
    example: "at 3s for 60s: memory-limit db 64MiB",
    meaning: "it has so little memory; what a process has it keeps, and more is refused, or the process is killed, as the test said. At its end it has what it had",
    lasts: "to the end of the run",
};

pub(super) const CRASH_AT_CALLS: Form = Form {
    word: "crash-at-calls",
    form: "crash-at-calls HOST CALLS, such as `crash-at-calls db 500`",
    example: "at 3s for 600s: crash-at-calls db 500",
    meaning: "its process is killed, and started again 1 s later, again and again: each time at a system call that is drawn from its first so many",
    lasts: "60 s",
};

impl MachineFault {
    pub(super) fn form(&self) -> &'static Form {
        match self {
            MachineFault::SlowCpu(_) => &SLOW_CPU,
            MachineFault::PauseTask(_) => &PAUSE_TASK,
            MachineFault::MemoryLimit(_) => &MEMORY_LIMIT,
            MachineFault::CrashAtCalls(_) => &CRASH_AT_CALLS,
        }
    }

    pub(super) fn lasts(&self) -> Option<Nanos> {
        match self {
            MachineFault::SlowCpu(_) | MachineFault::PauseTask(_) => Some(SLOW_LASTS),
            MachineFault::CrashAtCalls(_) => Some(LOOP_LASTS),
            MachineFault::MemoryLimit(_) => None,
        }
    }

    /// The fault that a word and its arguments behind the host's name mean.
    pub(super) fn read(word: &str, arguments: &[&str]) -> Option<MachineFault> {
        let number = |text: &str, least: u32| text.parse().ok().filter(|number| *number >= least);
        match (word, arguments) {
            ("slow-cpu", [times]) => Some(MachineFault::SlowCpu(number(times, 2)?)),
            ("pause-task", []) => Some(MachineFault::PauseTask(None)),
            ("pause-task", [tid]) => Some(MachineFault::PauseTask(Some(number(tid, 1)?))),
            ("memory-limit", [size]) => {
                let digits = size.find(|c: char| !c.is_ascii_digit())?;
                let (count, unit) = size.split_at(digits);
                let (_, bytes) = SIZES.into_iter().find(|(name, _)| *name == unit)?;
                let size = count.parse::<u64>().ok()?.checked_mul(bytes)?;
                Some(MachineFault::MemoryLimit(size))
            }
            ("crash-at-calls", [calls]) => Some(MachineFault::CrashAtCalls(number(calls, 1)?)),
            _ => None,
        }
    }
}

impl fmt::Display for MachineFault {
    /// As it stands behind the host's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MachineFault::SlowCpu(number) | MachineFault::CrashAtCalls(number) => {
                write!(f, " {number}")
            }
            MachineFault::PauseTask(None) => Ok(()),
            MachineFault::PauseTask(Some(tid)) => write!(f, " {tid}"),
            MachineFault::MemoryLimit(size) => {
                let whole = SIZES.into_iter().find(|(_, bytes)| size.is_multiple_of(*bytes));
                let (unit, bytes) = whole.unwrap_or(("B", 1));
                write!(f, " {}{unit}", size / bytes)
            }
        }
    }
}
