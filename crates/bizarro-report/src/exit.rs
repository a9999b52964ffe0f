//! Exit codes.

use bizarro_explore::{
    Difference, MatrixReport, Outcome, Properties, RunnerError, SchedulesReport, SwarmReport,
    Verdict,
};

/// How a command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Exit {
    /// Everything that was tried held.
    Held = 0,
    /// A property is broken.
    Violated = 1,
    /// What was asked for cannot be done; the message says what to write instead.
    Usage = 2,
    /// It cannot be said: a call is not simulated, a process was lost, a fault never struck, or the
    /// exploration was interrupted.
    Inconclusive = 3,
    /// Two runs of one plan differed.
    Nondeterminism = 4,
    /// Bizarro itself failed.
    OurBug = 5,
}

impl Exit {
    /// The code for the operating system.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The exit that matters most: the one that makes the others untrustworthy, then the worst.
    pub fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
        const ORDER: [Exit; 6] = [
            Exit::OurBug,
            Exit::Usage,
            Exit::Nondeterminism,
            Exit::Violated,
            Exit::Inconclusive,
            Exit::Held,
        ];
        let exits: Vec<Exit> = exits.into_iter().collect();
        ORDER.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Held)
    }

    /// The exit of a single run. A run whose fault never struck answers no question.
    pub fn of_verdict(verdict: &Verdict) -> Exit {
        match verdict.outcome {
            Outcome::Held => Exit::Held,
            Outcome::NotApplicable | Outcome::Inconclusive => Exit::Inconclusive,
            Outcome::Stuck | Outcome::Crashed | Outcome::Violated => Exit::Violated,
        }
    }

    /// The exit of a matrix. Cells that do not apply are no fault of anybody.
    pub fn of_matrix(report: &MatrixReport) -> Exit {
        let cells = report.cells.iter().map(|cell| match cell.outcome() {
            outcome if outcome.is_failure() => Exit::Violated,
            Outcome::Inconclusive => Exit::Inconclusive,
            _ => Exit::Held,
        });
        // A cell shows its worst variant, which may hide one that is in doubt; the worst exit is the same.
        let dependencies =
            report.dependencies.iter().map(|dependency| match dependency.outcome() {
                Outcome::Violated => Exit::Violated,
                Outcome::Inconclusive => Exit::Inconclusive,
                _ => Exit::Held,
            });
        let rest = [
            Exit::of_verdict(&report.baseline_verdict),
            Exit::of_difference(report.difference.as_ref()),
            Exit::of_interruption(report.interrupted),
        ];
        Exit::worst(cells.chain(dependencies).chain(rest))
    }

    /// The exit of random schedules.
    pub fn of_schedules(report: &SchedulesReport) -> Exit {
        let findings = report.findings.iter().map(|finding| Exit::of_verdict(&finding.verdict));
        let rest = [
            Exit::of_difference(report.difference.as_ref()),
            Exit::of_interruption(report.interrupted),
        ];
        Exit::worst(findings.chain(rest))
    }

    /// The exit of a swarm.
    pub fn of_swarm(report: &SwarmReport) -> Exit {
        let findings = report.findings.iter().map(|finding| Exit::of_verdict(&finding.verdict));
        let rest = [
            Exit::of_difference(report.difference.as_ref()),
            Exit::of_interruption(report.interrupted),
        ];
        Exit::worst(findings.chain(rest))
    }

    /// The exit of the self-check.
    pub fn of_difference(difference: Option<&Difference>) -> Exit {
        difference.map_or(Exit::Held, |_| Exit::Nondeterminism)
    }

    /// The exit of what all runs of a test together saw: violated where a *sometimes* or *reachable*
    /// property was never met. A single matrix need not meet them: give the merged properties of
    /// everything that was explored.
    pub fn of_properties(properties: &Properties) -> Exit {
        properties.unmet().next().map_or(Exit::Held, |_| Exit::Violated)
    }

    /// The exit of an exploration that could not be made.
    pub fn of_error(error: &RunnerError) -> Exit {
        match error {
            RunnerError::Usage(_) => Exit::Usage,
            RunnerError::Interrupted => Exit::Inconclusive,
            RunnerError::Bug(_) => Exit::OurBug,
        }
    }

    fn of_interruption(interrupted: bool) -> Exit {
        if interrupted { Exit::Inconclusive } else { Exit::Held }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> std::process::ExitCode {
        std::process::ExitCode::from(exit.code())
    }
}
