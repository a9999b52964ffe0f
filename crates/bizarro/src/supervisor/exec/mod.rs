//! Runs a program that knows nothing of Bizarro as the only host of a world.
//!
//! The shared object takes over in its constructor, before the program's first instruction; what it
//! is to do stands in a file in memory ([`bizarro_call::EXEC_ENV`]), and what the program writes it writes through
//! to its own output. A program that cannot be taken over must not be started: it would run on the machine
//! itself.

#[cfg(worlds)]
mod start;

use std::time::Duration;

use bizarro_explore::{RunnerError, verdict};
use bizarro_record::{Mount, Plan, RunRecord};
use bizarro_report::{Exit, Look, replay_command, verdict_text};

/// What is to be run, and in which world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Path of the executable, or its name in one of PATH's directories.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment, as `NAME=value`.
    pub environment: Vec<String>,
    /// Real directories that it may read.
    pub mounts: Vec<Mount>,
    /// What happens in the run.
    pub plan: Plan,
    /// Whether its system calls are told.
    pub traced: bool,
    /// Virtual time that it may take.
    pub deadline: Duration,
    /// Real time that it may take.
    pub limit: Duration,
}

/// What a program left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Executed {
    /// The run.
    pub record: RunRecord,
    /// A line for each system call, where they were asked for.
    pub calls: String,
}

impl Executed {
    /// The verdict in words and as a code. `command` is what repeats the run.
    pub fn verdict(&self, command: &str, look: Look) -> (String, Exit) {
        let RunRecord { test, plan, .. } = &self.record;
        let verdict = verdict(&self.record, None);
        let text = verdict_text(test, plan, &verdict, look);
        (text.replace(&replay_command(test, plan), command), Exit::of_verdict(&verdict))
    }
}

/// Runs the program to its end.
///
/// # Errors
/// Where it cannot be started or taken over. A run that ends badly is none.
#[cfg(worlds)]
pub fn exec(program: &Program) -> Result<Executed, RunnerError> {
    start::exec(program)
}

/// Says that no world can run on this kind of machine.
///
/// # Errors
/// Always.
#[cfg(not(worlds))]
pub fn exec(_program: &Program) -> Result<Executed, RunnerError> {
    Err(RunnerError::Usage(format!("error: {}", super::doctor::missing().join("; "))))
}
