//! The command line, and what of it is said to the supervisor.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use bizarro::supervisor::plan_file::ENDING;
use bizarro::supervisor::settings::{
    DIRECTED, DRIVEN, DRIVEN_FOR_MATRIX, GROUPS, JOBS, MATRIX, PAIRS, RUNS, SEEDS, SWARM_SEED,
    TIME, Until, WATCHDOG,
};
use bizarro_record::{Level, Plan, SpecError};
use clap::{Args, Parser, Subcommand};

use crate::check::Check;
use crate::exec::Exec;
use crate::outputs::Outputs;

/// The failure matrix of your distributed system, from the command line.
#[derive(Clone, PartialEq, Eq, Debug, Parser)]
#[command(name = "cargo bizarro", bin_name = "cargo bizarro", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 everything held, 1 a property is violated, 2 usage, 3 inconclusive, \
4 nondeterminism, 5 a bug of Bizarro.";

#[derive(Clone, PartialEq, Eq, Debug, Subcommand)]
pub(crate) enum Command {
    /// Name the tests of this workspace.
    List {
        /// Only tests whose name contains this; a crate's name means its tests.
        filter: Option<String>,
        #[command(flatten)]
        build: Build,
    },
    /// Do what `cargo test` does: baseline, matrix, random schedules.
    Run {
        /// Only tests whose name contains this; a crate's name means its tests.
        filter: Option<String>,
        /// And a swarm of this many runs.
        #[arg(long, value_name = "N")]
        swarm: Option<u32>,
        #[command(flatten)]
        search: Search,
        #[command(flatten)]
        outputs: Outputs,
        #[command(flatten)]
        build: Build,
    },
    /// Show the failure matrix: every request and reply, each of the eight ways it can fail.
    Matrix {
        /// Only tests whose name contains this; a crate's name means its tests.
        filter: Option<String>,
        /// How many faults strike in one run; with 2, pairs are tried beside single faults.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=2))]
        depth: u32,
        /// How many pairs of faults are run; 1,000 without this.
        #[arg(long, value_name = "N")]
        runs: Option<u32>,
        /// Ask between groups of hosts, as the test puts them together, in place of between hosts.
        #[arg(long)]
        groups: bool,
        #[command(flatten)]
        search: Search,
        #[command(flatten)]
        outputs: Outputs,
        #[command(flatten)]
        build: Build,
    },
    /// Make many runs, each with its own random schedule, latencies and faults, and shrink what fails.
    Swarm {
        /// Only tests whose name contains this; a crate's name means its tests.
        filter: Option<String>,
        #[command(flatten)]
        budget: Budget,
        #[command(flatten)]
        search: Search,
        #[command(flatten)]
        outputs: Outputs,
        #[command(flatten)]
        build: Build,
    },
    /// Repeat one run and tell its story.
    Replay(Box<Replay>),
    /// Run an unmodified program, dynamically linked, as the only host of a world.
    Exec(Exec),
    /// Say whether a history, of any system, keeps a promise.
    Check(Check),
    /// Write a plan of one line as a TOML file, or such a file as one line.
    Plan {
        /// The line, or a file that ends with .toml.
        plan: Planned,
    },
    /// Say which system calls are simulated, and how far.
    Syscalls {
        /// Only calls whose name contains this.
        name: Option<String>,
    },
    /// Look whether worlds can run on this machine, and say what to do where they cannot.
    Doctor,
}

/// A plan in one line or in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Planned {
    /// In one line.
    Line(Plan),
    /// In this file.
    File(PathBuf),
}

impl FromStr for Planned {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Planned, SpecError> {
        match text.ends_with(ENDING) {
            true => Ok(Planned::File(PathBuf::from(text))),
            false => text.parse().map(Planned::Line),
        }
    }
}

/// Which run is repeated.
#[derive(Clone, PartialEq, Eq, Debug, Args)]
pub(crate) struct Replay {
    /// The test's name, as `list` gives it; or, without a plan, a file that `--record` wrote.
    #[arg(value_name = "TEST|RECORD")]
    pub(crate) test: String,
    /// What happens in the run: `baseline`, `seed=7; random`, `player>board POST /move #3 deliver-reply=lost`, or a file
    /// that ends with .toml.
    pub(crate) plan: Option<Planned>,
    /// Print every system call, too.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Write the run to this file; repeating that tells whether it is still the same run.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Stop there and say where every task is: a virtual time such as `1.5s`, or a text of an event's line.
    #[arg(long, value_name = "TIME|EVENT", conflicts_with_all = ["record", "perfetto", "pcapng", "json", "junit"])]
    pub(crate) until: Option<Until>,
    /// Write the run to this file as a trace, for ui.perfetto.dev or chrome://tracing.
    #[arg(long, value_name = "FILE")]
    pub(crate) perfetto: Option<PathBuf>,
    /// Write the packets between hosts to this file, for Wireshark and tshark.
    #[arg(long, value_name = "FILE")]
    pub(crate) pcapng: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) outputs: Outputs,
    #[command(flatten)]
    pub(crate) build: Build,
}

/// What is built.
#[derive(Clone, PartialEq, Eq, Debug, Default, Args)]
#[command(next_help_heading = "Build options")]
pub(crate) struct Build {
    /// Only tests of this package.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) package: Vec<String>,
    /// Only tests in this file of a tests directory; without --package, of the packages that `cargo test` would build.
    #[arg(long = "test", value_name = "NAME")]
    pub(crate) targets: Vec<String>,
    /// Profile of the programs under test.
    #[arg(long, value_name = "NAME", default_value = "release")]
    pub(crate) profile: String,
    /// Cargo features to build with.
    #[arg(short = 'F', long, value_name = "NAMES")]
    pub(crate) features: Vec<String>,
    /// Build with all features.
    #[arg(long)]
    pub(crate) all_features: bool,
    /// Build without the default features.
    #[arg(long)]
    pub(crate) no_default_features: bool,
    /// Where the workspace is.
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<String>,
}

/// How runs are searched for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Args)]
pub(crate) struct Search {
    /// How many runs are made at once; all processors without this.
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<NonZero<u32>>,
    /// How many random schedules are tried.
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<u32>,
    /// Real seconds that a run may take before it is called lost.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) watchdog: Option<NonZero<u32>>,
}

/// How many pairs of faults are run where nothing is said.
const PAIR_RUNS: u32 = 1_000;
/// How many runs a swarm has where nothing is said.
const SWARM_RUNS: u32 = 1_000;

/// What a swarm may cost, and where it begins.
#[derive(Clone, PartialEq, Eq, Debug, Default, Args)]
pub(crate) struct Budget {
    /// How many runs are made; 1,000 without this and without `--time`.
    #[arg(long, value_name = "N")]
    pub(crate) runs: Option<NonZero<u32>>,
    /// How long runs are made: `30s`, `5m`, `2h`. What fails is shrunk afterwards.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) time: Option<u32>,
    /// What the plans of the runs are drawn from; 1 without this.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u32>,
    /// Draw every run anew, whatever the ones before it came to.
    #[arg(long)]
    pub(crate) blind: bool,
}

impl Budget {
    /// A swarm, and nothing else but the baseline.
    pub(crate) fn variables(&self, search: &Search) -> Variables {
        let mut variables = search.variables();
        variables.push((DRIVEN, "swarm".to_string()));
        variables.push((MATRIX, "0".to_string()));
        variables.push((SEEDS, search.seeds.unwrap_or(0).to_string()));
        let runs = match (self.runs, self.time) {
            (None, None) => Some(SWARM_RUNS),
            (runs, _) => runs.map(NonZero::get),
        };
        let numbers = [(RUNS, runs), (TIME, self.time), (SWARM_SEED, self.seed)];
        variables.extend(numbers.into_iter().filter_map(|(name, n)| Some((name, n?.to_string()))));
        if self.blind {
            variables.push((DIRECTED, "0".to_string()));
        }
        variables
    }
}

/// `30s`, `5m`, `2h`, or a number of seconds.
fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("found `{text}`, expected a time such as `30s`, `5m` or `2h`");
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let each = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let count: u32 = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(each).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

/// What the supervisor finds in its environment.
pub(crate) type Variables = Vec<(&'static str, String)>;

impl Search {
    /// What the test itself asks for.
    pub(crate) fn for_everything(&self, swarm: Option<u32>) -> Variables {
        let mut variables = self.variables();
        variables.push((DRIVEN, "run".to_string()));
        if let Some(seeds) = self.seeds {
            variables.push((SEEDS, seeds.to_string()));
        }
        if let Some(runs) = swarm {
            variables.push((RUNS, runs.to_string()));
        }
        variables
    }

    /// The matrix, whatever the test says, and random schedules only if they are asked for.
    pub(crate) fn for_matrix(&self, level: Level, depth: u32, runs: Option<u32>) -> Variables {
        let mut variables = self.variables();
        if depth > 1 {
            variables.push((PAIRS, runs.unwrap_or(PAIR_RUNS).to_string()));
        }
        if level == Level::Groups {
            variables.push((GROUPS, "1".to_string()));
        }
        variables.push((DRIVEN, DRIVEN_FOR_MATRIX.to_string()));
        variables.push((MATRIX, "1".to_string()));
        variables.push((SEEDS, self.seeds.unwrap_or(0).to_string()));
        variables
    }

    fn variables(&self) -> Variables {
        let processors = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let jobs = self.jobs.map_or_else(processors, |jobs| jobs.get() as usize);
        let mut variables = vec![(JOBS, jobs.to_string())];
        if let Some(seconds) = self.watchdog {
            variables.push((WATCHDOG, seconds.to_string()));
        }
        variables
    }
}

/// Cargo gives a subcommand its own name as first argument; `cargo run` does not.
pub(crate) fn without_subcommand(
    arguments: impl Iterator<Item = OsString>,
) -> impl Iterator<Item = OsString> {
    arguments
        .enumerate()
        .filter(|(index, word)| *index != 1 || word != "bizarro")
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bizarro_report::replay_command;
    use clap::CommandFactory;

    /// Reads a command as a shell and cargo would.
    #[track_caller]
    fn parse(command: &str) -> Command {
        let words = shlex::split(command).unwrap();
        assert_eq!(words[0], "cargo");
        let words = ["cargo-bizarro".to_string()].into_iter().chain(words.into_iter().skip(1));
        Cli::try_parse_from(without_subcommand(words.map(OsString::from))).unwrap().command
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[track_caller]
    fn round_trips(test: &str, plan: &str) {
        let plan: Plan = plan.parse().unwrap();
        let Command::Replay(replay) = parse(&replay_command(test, &plan)) else {
            panic!("not a replay");
        };
        assert_eq!((replay.test.as_str(), replay.plan), (test, Some(Planned::Line(plan))));
        assert_eq!((replay.trace, replay.record), (false, None));
    }

    #[test]
    fn a_printed_command_is_read_as_it_was_meant() {
        round_trips("pacman::naive", "baseline");
        round_trips("pacman::naive", "seed=7; random");
        round_trips("pacman::naive", "player>board POST /move #3 deliver-reply=lost");
        round_trips("shop::r#async", "a>b GET /it's?x=\"1\"&y=$HOME #1 validate-reply=bit-flip");
        round_trips(
            "a::b",
            "seed=9; a>b tcp:80 #2 update-server=crash; a>b tcp:80 #3 post-reply=reset",
        );
    }

    #[test]
    fn cargos_own_word_is_dropped_once() {
        let words = |given: &[&str]| {
            without_subcommand(given.iter().map(OsString::from)).collect::<Vec<_>>()
        };
        assert_eq!(words(&["cargo-bizarro", "bizarro", "list"]), ["cargo-bizarro", "list"]);
        assert_eq!(words(&["cargo-bizarro", "list"]), ["cargo-bizarro", "list"]);
        assert_eq!(
            words(&["cargo-bizarro", "list", "bizarro"]),
            ["cargo-bizarro", "list", "bizarro"]
        );
    }

    #[test]
    fn a_plan_that_is_none_is_refused_with_what_was_expected() {
        let error =
            Cli::try_parse_from(["cargo-bizarro", "replay", "a::b", "move #3"]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("found `move #3`, expected EXCHANGE STEP=EFFECT"), "{text}");
    }

    #[test]
    fn pairs_are_tried_where_the_depth_is_two() {
        let pairs = |command: &str| {
            let Command::Matrix { search, depth, runs, .. } = parse(command) else { panic!() };
            let variables = search.for_matrix(Level::Hosts, depth, runs);
            variables.into_iter().find(|(name, _)| *name == PAIRS).map(|(_, value)| value)
        };
        assert_eq!(pairs("cargo bizarro matrix"), None);
        assert_eq!(pairs("cargo bizarro matrix --depth 2").as_deref(), Some("1000"));
        assert_eq!(pairs("cargo bizarro matrix --depth 2 --runs 50").as_deref(), Some("50"));
    }

    #[test]
    fn groups_are_asked_where_that_is_wanted() {
        for (command, level) in
            [("cargo bizarro matrix", false), ("cargo bizarro matrix --groups", true)]
        {
            let Command::Matrix { groups, .. } = parse(command) else { panic!() };
            assert_eq!(groups, level, "{command}");
        }
        let variables = Search::default().for_matrix(Level::Groups, 1, None);
        assert!(variables.contains(&(GROUPS, "1".to_string())));
    }

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        assert_eq!(["30s", "5m", "2h", "7"].map(seconds), [Ok(30), Ok(300), Ok(7200), Ok(7)]);
        for wrong in ["", "s", "0s", "5ms", "1.5s", "-3", "99999999h"] {
            assert!(seconds(wrong).unwrap_err().contains("expected a time"), "{wrong}");
        }
    }

    #[test]
    fn a_swarm_has_an_end() {
        let variables = |budget: Budget| budget.variables(&Search::default());
        let has = |variables: &Variables, name: &str, value: &str| {
            variables.iter().any(|(known, text)| *known == name && text == value)
        };
        let plain = variables(Budget::default());
        assert!(has(&plain, RUNS, "1000") && has(&plain, MATRIX, "0") && has(&plain, SEEDS, "0"));
        let timed = variables(Budget { time: Some(30), blind: true, ..Budget::default() });
        assert!(has(&timed, TIME, "30") && has(&timed, DIRECTED, "0"));
        assert!(!timed.iter().any(|(name, _)| *name == RUNS));
    }

    #[test]
    fn what_is_asked_for_is_said_to_the_supervisor() {
        let search = Search { jobs: NonZero::new(3), seeds: Some(5), watchdog: NonZero::new(9) };
        let expected =
            [(JOBS, "3"), (WATCHDOG, "9"), (DRIVEN, "matrix"), (MATRIX, "1"), (SEEDS, "5")];
        assert_eq!(
            search.for_matrix(Level::Hosts, 1, Some(9)),
            expected.map(|(name, value)| (name, value.to_string()))
        );
    }
}
