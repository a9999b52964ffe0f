//! What makes a run.

use std::fmt;

use bizarro_record::{Injection, Plan, RunRecord};

/// Makes runs of one test. Two runners given the same plan make the same run.
pub trait Runner {
    /// Runs the test as `plan` says. A world process that died or had to be killed is a record too
    /// ([`Ending::Lost`](bizarro_record::Ending::Lost)), not an error.
    fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError>;

    /// Makes a run for each fault: that of `plan` with the fault as its last. A runner may make once what these runs have
    /// in common. Each record is handed to `each` with the place of its fault, in any order.
    fn run_branches(
        &mut self,
        plan: &Plan,
        faults: &[Injection],
        each: &mut dyn FnMut(usize, RunRecord),
    ) -> Result<(), RunnerError> {
        for (place, fault) in faults.iter().enumerate() {
            each(place, self.run(&plan.and(fault))?);
        }
        Ok(())
    }
}

/// The runners of an exploration: as many runs are made at a time as there are runners.
pub type Runners<'a> = &'a mut [Box<dyn Runner + Send>];

/// Why a run could not be made at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunnerError {
    /// The user asked for something that cannot be: what was found and what to write instead.
    Usage(String),
    /// The user asked to stop (Ctrl-C, or a budget of time). What is known so far is reported.
    Interrupted,
    /// Bizarro itself failed.
    Bug(String),
}

impl fmt::Display for RunnerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunnerError::Usage(text) => f.write_str(text),
            RunnerError::Interrupted => f.write_str("interrupted"),
            RunnerError::Bug(text) => write!(f, "a bug of Bizarro: {text}"),
        }
    }
}

impl std::error::Error for RunnerError {}
