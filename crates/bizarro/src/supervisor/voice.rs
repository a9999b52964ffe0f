//! How a supervisor speaks: to libtest, which shows the output of a test that panics, or to
//! `cargo bizarro`, which shows everything at once and takes the exit code for the verdict.

use std::io::{self, Write};
use std::panic::resume_unwind;
use std::time::Duration;

use bizarro_explore::{Phase, Progress, Verdict};
use bizarro_record::Plan;
use bizarro_report::{Colour, Exit, Look};

use super::session::Conclusion;
use super::settings::{COLOUR, DRIVEN, DRIVEN_FOR_MATRIX, WIDTH};
use super::signal::Signal;
use super::watchdog::is_readable;

/// Whom the supervisor speaks to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Voice {
    /// libtest, or nextest through it.
    Libtest,
    /// `cargo bizarro`, on a terminal that looks so.
    Driver(Look, Detail),
}

/// How much is said of what held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detail {
    /// A line; findings are told in full.
    Findings,
    /// Everything: the matrix itself was asked for.
    All,
}

impl Voice {
    /// Whom the environment names.
    pub(crate) fn of_environment() -> Voice {
        let detail = match std::env::var(DRIVEN).as_deref() {
            Err(_) => return Voice::Libtest,
            Ok(DRIVEN_FOR_MATRIX) => Detail::All,
            Ok(_) => Detail::Findings,
        };
        let width = std::env::var(WIDTH).ok().and_then(|text| text.parse().ok());
        let colour = match std::env::var(COLOUR).as_deref() {
            Ok("1") => Colour::Always,
            _ => Colour::Never,
        };
        Voice::Driver(Look { width: width.unwrap_or(Look::PLAIN.width), colour }, detail)
    }

    /// How much it is to say.
    pub(crate) fn detail(self) -> Detail {
        match self {
            Voice::Libtest => Detail::Findings,
            Voice::Driver(_, detail) => detail,
        }
    }

    /// How what it says is to look.
    pub(crate) fn look(self) -> Look {
        match self {
            Voice::Libtest => Look::PLAIN,
            Voice::Driver(look, _) => look,
        }
    }

    /// What tells whether the user wants to stop: a driver closes the pipe that is its supervisor's standard
    /// input, or has died, which closes it too. Under libtest Ctrl-C kills the process, and with it its worlds.
    pub(crate) fn stopping(self) -> fn() -> bool {
        match self {
            Voice::Libtest => || false,
            Voice::Driver(..) => || is_readable(&io::stdin(), Duration::ZERO).unwrap_or(true),
        }
    }

    /// What libtest has said so far may be the beginning of a line.
    pub(crate) fn begin(self) {
        if let Voice::Driver(..) = self {
            println!();
            self.signal(&Signal::Begin);
        }
    }

    /// Says the conclusion and ends: the process, for a driver; else the test, by a panic where it
    /// failed.
    pub(crate) fn end(self, conclusion: Conclusion) {
        let Conclusion { text, exit } = conclusion;
        println!("{}", text.trim_end());
        match self {
            Voice::Libtest if exit == Exit::Held => {}
            // What is to be read was said; the hook would add where in Bizarro this line stands.
            Voice::Libtest => resume_unwind(Box::new(text)),
            Voice::Driver(..) => {
                // A driver that is gone does not mind.
                let _ = io::stdout().flush();
                std::process::exit(exit.code().into());
            }
        }
    }

    fn signal(self, signal: &Signal) {
        if let Voice::Driver(..) = self {
            println!("{signal}");
        }
    }
}

impl Progress for Voice {
    fn begin(&mut self, phase: Phase, runs: u64) {
        let name = match phase {
            Phase::Baseline => "baseline",
            Phase::Matrix => "matrix",
            Phase::Sticky => "sticky faults",
            Phase::Dependencies => "dependencies",
            Phase::Pairs => "pairs of faults",
            Phase::Schedules => "schedules",
            Phase::Swarm => "swarm",
            Phase::Shrink => "shrinking",
        };
        self.signal(&Signal::Phase { name: name.to_string(), runs });
    }

    fn ran(&mut self, _plan: &Plan, verdict: &Verdict) {
        self.signal(&Signal::Ran { broken: verdict.outcome.is_failure() });
    }

    fn shrunk(&mut self, _plan: &Plan) {
        // It was counted when it was found.
        self.signal(&Signal::Ran { broken: false });
    }

    fn combinations(&mut self, count: u64) {
        self.signal(&Signal::Combinations { count });
    }
}
