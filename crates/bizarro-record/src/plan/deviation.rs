//! Where a run leaves the fair schedule.
//!
//! A fair schedule is first come, first served, and a task runs until it blocks. Every other schedule differs from it
//! in a list of deviations, which is how a schedule is written down so that they can be taken away one by one. A
//! deviation is tied to a task's own count of calls or turns, and not to a count of all decisions: taking
//! one away moves the others little. The idea of a schedule as few delays of a deterministic one is Emmi,
//! Qadeer and Rakamarić's (*Delay-Bounded Scheduling*, POPL 2011).

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use super::SpecError;

/// A task, from run to run. Written `board/101`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub struct TaskName {
    /// Name of its host.
    pub host: String,
    /// Its thread id, which no other task of that host has in the run.
    pub tid: u32,
}

/// One scheduling decision that is not the fair one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deviation {
    /// The task gives way before a system call. Written `preempt board/101 #57`.
    Preempt {
        /// The task.
        task: TaskName,
        /// Which of its system calls, from 1.
        call: u32,
    },
    /// The task is next in the queue, and another one that stands behind it runs first. Written
    /// `pass board/101 #12 for player/102`. Several of one turn happen in the plan's order.
    Pass {
        /// The task that waits on.
        task: TaskName,
        /// Which of its turns it waits for, from 1.
        turn: u32,
        /// The task that runs.
        by: TaskName,
    },
}

impl Deviation {
    /// The tasks that it names.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskName> {
        match self {
            Deviation::Preempt { task, .. } => [Some(task), None],
            Deviation::Pass { task, by, .. } => [Some(task), Some(by)],
        }
        .into_iter()
        .flatten()
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.tid)
    }
}

impl FromStr for TaskName {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<TaskName, SpecError> {
        let wrong = || SpecError::new(s, "HOST/TASK, such as `board/101`");
        let (host, tid) = s.split_once('/').ok_or_else(wrong)?;
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(TaskName { host: host.to_string(), tid: tid.parse().map_err(|_| wrong())? })
    }
}

/// Whether a part of a plan is meant for a deviation.
pub(super) fn is_deviation(part: &str) -> bool {
    part.starts_with("preempt ") || part.starts_with("pass ")
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Deviation::Preempt { task, call } => write!(f, "preempt {task} #{call}"),
            Deviation::Pass { task, turn, by } => write!(f, "pass {task} #{turn} for {by}"),
        }
    }
}

impl FromStr for Deviation {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Deviation, SpecError> {
        let wrong =
            || SpecError::new(s, "`preempt board/101 #57` or `pass board/101 #12 for player/102`");
        let words: alloc::vec::Vec<&str> = s.split(' ').collect();
        let count = |word: &str| {
            let number = word.strip_prefix('#').and_then(|digits| digits.parse().ok());
            number.filter(|number: &u32| *number > 0).ok_or_else(wrong)
        };
        match words[..] {
            ["preempt", task, call] => {
                Ok(Deviation::Preempt { task: task.parse()?, call: count(call)? })
            }
            ["pass", task, turn, "for", by] => {
                Ok(Deviation::Pass { task: task.parse()?, turn: count(turn)?, by: by.parse()? })
            }
            _ => Err(wrong()),
        }
    }
}
