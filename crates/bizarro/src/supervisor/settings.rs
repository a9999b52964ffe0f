//! What the environment says of one invocation.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bizarro_explore::{Forks, Guidance};
use bizarro_record::{Level, Messages, Plan, Trace};

use super::plan_file::{ENDING, PlanFile};
pub use super::until::Until;

/// The variables, each documented in the crate's documentation.
pub const PLAN: &str = "BIZARRO_PLAN";
/// Whether runs of the matrix that begin alike are forked; `0` for never, `1` for always.
pub const FORKS: &str = "BIZARRO_FORKS";
/// How many random schedules.
pub const SEEDS: &str = "BIZARRO_SEEDS";
/// Whether plans that broke a test are kept and run first; `0` for not.
pub const REGRESSIONS: &str = "BIZARRO_REGRESSIONS";
/// Whether the matrix is asked between groups of hosts; `1` for that.
pub const GROUPS: &str = "BIZARRO_GROUPS";
/// How many pairs of faults the matrix tries at the most.
pub const PAIRS: &str = "BIZARRO_PAIRS";
/// How many runs a swarm has at the most.
pub const RUNS: &str = "BIZARRO_RUNS";
/// How many real seconds a swarm takes.
pub const TIME: &str = "BIZARRO_TIME";
/// What a swarm's plans are drawn from.
pub const SWARM_SEED: &str = "BIZARRO_SWARM_SEED";
/// Whether a swarm is directed; `0` for not.
pub const DIRECTED: &str = "BIZARRO_DIRECTED";
/// Whether the matrix is explored.
pub const MATRIX: &str = "BIZARRO_MATRIX";
/// Whether system calls are printed.
pub const TRACE: &str = "BIZARRO_TRACE";
/// Where the record of the only run is written.
pub const RECORD: &str = "BIZARRO_RECORD";
/// The record of a run that is to be made again and compared.
pub const REPEAT: &str = "BIZARRO_REPEAT";
/// Where the only run is written as a trace for Perfetto.
pub const PERFETTO: &str = "BIZARRO_PERFETTO";
/// Where the record of the only run is written with its packets.
pub const CAPTURE: &str = "BIZARRO_CAPTURE";
/// Where the only run is stopped.
pub const UNTIL: &str = "BIZARRO_UNTIL";
/// The directory that reports are written to: `report.html` and `report.json`.
pub const REPORT: &str = "BIZARRO_REPORT";
/// Whether hooks spare the trap; `0` for not.
pub const HOOKS: &str = "BIZARRO_HOOKS";
/// How many world processes.
pub const JOBS: &str = "BIZARRO_JOBS";
/// Real seconds a run may take.
pub const WATCHDOG: &str = "BIZARRO_WATCHDOG";
/// Set by `cargo bizarro`, which shows what the supervisor tells it.
pub const DRIVEN: &str = "BIZARRO_DRIVEN";
/// Its value where the matrix is what the user wants to see.
pub const DRIVEN_FOR_MATRIX: &str = "matrix";
/// Set beside it: columns of the terminal.
pub const WIDTH: &str = "BIZARRO_WIDTH";
/// Set beside it: `1` where the terminal has colours.
pub const COLOUR: &str = "BIZARRO_COLOUR";

/// What one invocation is to do, beyond what the test itself says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    /// The only run to make.
    pub(crate) plan: Option<Plan>,
    /// The file that it was read from.
    pub(crate) plan_file: Option<PlanFile>,
    /// Where its record is written.
    pub(crate) record: Option<PathBuf>,
    /// The record of a run to make again; the only run, too.
    pub(crate) repeat: Option<PathBuf>,
    /// Where it is written as a trace.
    pub(crate) perfetto: Option<PathBuf>,
    /// Where it is stopped.
    pub(crate) until: Option<Until>,
    /// Where its record is written with its packets.
    pub(crate) capture: Option<PathBuf>,
    /// Where reports are written.
    pub(crate) report: Option<PathBuf>,
    /// How many random schedules, where it is said.
    pub(crate) seeds: Option<u32>,
    /// Whether plans that broke the test are kept and run first.
    pub(crate) regressions: bool,
    /// How many pairs of faults the matrix tries.
    pub(crate) pairs: u32,
    /// How many runs a swarm has, where it is said.
    pub(crate) runs: Option<u32>,
    /// How much real time it takes, where it is said.
    pub(crate) time: Option<Duration>,
    /// What its plans are drawn from.
    pub(crate) swarm_seed: u32,
    /// How they are chosen.
    pub(crate) guidance: Guidance,
    /// Whether runs of the matrix that begin alike are forked.
    pub(crate) forks: Forks,
    /// Whether the matrix is explored, where it is said.
    pub(crate) matrix: Option<bool>,
    /// Whether it is asked between hosts or between groups of them.
    pub(crate) level: Level,
    /// Whether the system calls of the only run are printed.
    pub(crate) trace: Trace,
    /// How many world processes work at once.
    pub(crate) jobs: u32,
    /// Real time that a run may take.
    pub(crate) watchdog: Duration,
}

impl Settings {
    /// Reads the variables with `get`, or says which of them cannot be understood and why.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Settings, String> {
        let (plan, plan_file) = match get(PLAN) {
            None => (None, None),
            Some(path) if path.ends_with(ENDING) => {
                let file = PlanFile::read(Path::new(&path))?;
                (Some(file.plan.clone()), Some(file))
            }
            Some(text) => (Some(text.parse().map_err(|error| format!("{PLAN}: {error}"))?), None),
        };
        Ok(Settings {
            plan,
            plan_file,
            record: get(RECORD).map(PathBuf::from),
            repeat: get(REPEAT).map(PathBuf::from),
            until: get(UNTIL)
                .map(|text| text.parse().map_err(|error| format!("{UNTIL}: {error}")))
                .transpose()?,
            perfetto: get(PERFETTO).map(PathBuf::from),
            capture: get(CAPTURE).map(PathBuf::from),
            report: get(REPORT).map(PathBuf::from),
            seeds: number(&get, SEEDS, 0)?,
            regressions: switch(&get, REGRESSIONS)?.unwrap_or(true),
            pairs: number(&get, PAIRS, 0)?.unwrap_or(0),
            runs: number(&get, RUNS, 0)?,
            time: number(&get, TIME, 1)?.map(|seconds| Duration::from_secs(seconds.into())),
            swarm_seed: number(&get, SWARM_SEED, 0)?.unwrap_or(1),
            guidance: match switch(&get, DIRECTED)? {
                Some(false) => Guidance::Blind,
                _ => Guidance::Directed,
            },
            forks: match switch(&get, FORKS)? {
                None => Forks::WherePaid,
                Some(false) => Forks::Never,
                Some(true) => Forks::Always,
            },
            matrix: switch(&get, MATRIX)?,
            level: match switch(&get, GROUPS)? {
                Some(true) => Level::Groups,
                _ => Level::Hosts,
            },
            trace: if switch(&get, TRACE)?.unwrap_or(false) { Trace::On } else { Trace::Off },
            jobs: number(&get, JOBS, 1)?.unwrap_or(1),
            watchdog: Duration::from_secs(number(&get, WATCHDOG, 1)?.unwrap_or(30).into()),
        })
    }

    /// What records are to say of messages: a report draws them, and a record of a single run always has them,
    /// so that it can be compared with one that somebody else makes.
    pub(crate) fn messages(&self) -> Messages {
        match (&self.plan, &self.repeat, &self.report) {
            (None, None, None) => Messages::Hidden,
            _ => Messages::Shown,
        }
    }
}

fn number(
    get: impl Fn(&str) -> Option<String>,
    name: &str,
    least: u32,
) -> Result<Option<u32>, String> {
    let Some(text) = get(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if number >= least => Ok(Some(number)),
        _ => Err(format!("{name}: found `{text}`, expected a whole number from {least} on")),
    }
}

fn switch(get: impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<bool>, String> {
    match get(name).as_deref() {
        None => Ok(None),
        Some("0") => Ok(Some(false)),
        Some("1") => Ok(Some(true)),
        Some(other) => Err(format!("{name}: found `{other}`, expected 0 or 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn nothing_said_is_nothing_changed() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.plan, settings.seeds, settings.matrix), (None, None, None));
        assert_eq!((settings.trace, settings.jobs), (Trace::Off, 1));
        assert_eq!(settings.watchdog, Duration::from_secs(30));
    }

    #[test]
    fn variables_are_read() {
        let settings = read(&[
            (PLAN, "seed=3; a>b GET / #1 deliver-reply=lost"),
            (SEEDS, "0"),
            (RUNS, "500"),
            (TIME, "30"),
            (SWARM_SEED, "7"),
            (DIRECTED, "0"),
            (MATRIX, "0"),
            (GROUPS, "1"),
            (TRACE, "1"),
            (JOBS, "2"),
            (WATCHDOG, "5"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.plan.unwrap().injections.len(), 1);
        assert_eq!((settings.seeds, settings.matrix), (Some(0), Some(false)));
        assert_eq!((settings.runs, settings.time), (Some(500), Some(Duration::from_secs(30))));
        assert_eq!((settings.swarm_seed, settings.guidance), (7, Guidance::Blind));
        assert_eq!((settings.trace, settings.jobs), (Trace::On, 2));
        assert_eq!(settings.level, Level::Groups);
        assert_eq!(settings.watchdog, Duration::from_secs(5));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let wrong = |name, value| read(&[(name, value)]).unwrap_err();
        assert_eq!(wrong(JOBS, "0"), "BIZARRO_JOBS: found `0`, expected a whole number from 1 on");
        assert_eq!(wrong(MATRIX, "no"), "BIZARRO_MATRIX: found `no`, expected 0 or 1");
        assert!(
            wrong(PLAN, "move #3").starts_with("BIZARRO_PLAN: found `move #3`, expected EXCHANGE")
        );
    }
}
