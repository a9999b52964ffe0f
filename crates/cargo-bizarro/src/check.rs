//! `cargo bizarro check`: whether a history in a file keeps a promise. The history may be of any system.

use std::fs::File;
use std::io::{self, ErrorKind::TimedOut, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bizarro_check::budget::Budget;
use bizarro_check::checkers::{Answer, Case, Checker, Consistency, Reason, checkers};
use bizarro_check::history::read::{
    FORMATS, Format, Limits, Located, Problem, ReadError, read_located, value,
};
use bizarro_check::history::{Operation, RawCall, Value};
use bizarro_check::linearizable::Options;
use bizarro_check::picture;
use bizarro_check::transactions::{LEVELS, Level, Unwritten};
use bizarro_report::Exit;
use clap::{Args, ValueEnum};

use crate::Failure;

/// Reasons that are shown in full.
const REASONS_SHOWN: usize = 5;
/// Operations of one reason that are shown.
const OPERATIONS_SHOWN: usize = 20;
/// Characters of one operation that are shown.
const WIDTH: usize = 160;

/// What a read of a value means that no transaction of the file wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum UnwrittenReads {
    /// Something is wrong.
    #[default]
    Anomaly,
    /// Somebody else wrote it, or it was there before.
    Foreign,
}

/// Which orders of operations count where an object is checked against its model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Orders {
    /// Those that keep real time.
    #[default]
    Linearizable,
    /// Those that keep the order of each process; for small histories.
    Sequential,
}

/// Which history is checked, and against what.
#[derive(Clone, PartialEq, Eq, Debug, Args)]
pub(crate) struct Check {
    /// A file of Jepsen's EDN (`.edn`), of events in JSON (`.json`, `.jsonl`), or of Jepsen's etcd log (`.log`).
    pub(crate) file: PathBuf,
    /// What is promised: `register`, `list-append`, …; a name that there is not lists those that there are.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) model: String,
    /// How the file is written, where its name does not tell: `jepsen-edn`, `json` or `etcd-log`.
    #[arg(long, value_name = "NAME")]
    pub(crate) format: Option<String>,
    /// What the object holds first, as EDN has it: `0`, `nil`, `{"a" 10}`.
    #[arg(long, value_name = "VALUE")]
    pub(crate) initial: Option<String>,
    /// Which orders of operations count where an object is checked against its model.
    #[arg(long, value_enum, default_value = "linearizable")]
    pub(crate) consistency: Orders,
    /// The level of isolation of transactions; strict-serializable without this.
    #[arg(long, value_name = "NAME")]
    pub(crate) level: Option<String>,
    /// What a read of a value means that no transaction of the file wrote.
    #[arg(long, value_enum, default_value = "anomaly")]
    pub(crate) unwritten: UnwrittenReads,
    /// Where to draw the first reason of a violation, as SVG. Nothing is drawn where there is none.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Real seconds that the check may take.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub(crate) budget_time: NonZero<u64>,
    /// MiB that the history and the check may take.
    #[arg(long, value_name = "MIB", default_value = "1024")]
    pub(crate) budget_memory: NonZero<usize>,
    /// Threads that share the parts of a history.
    #[arg(short, long, value_name = "N", default_value = "1")]
    pub(crate) jobs: NonZero<usize>,
}

/// Checks, and prints what came out.
pub(crate) fn run(wanted: &Check) -> Result<Exit, Failure> {
    let checker = checker(&wanted.model)?;
    let level = wanted.level.as_deref().map(level).transpose()?;
    let initial = wanted.initial.as_deref().map(initial).transpose()?;
    let memory_bytes = wanted.budget_memory.get().saturating_mul(1 << 20);
    let time = Duration::from_secs(wanted.budget_time.get());
    let start = Instant::now();
    let located = match read(wanted, memory_bytes, start + time)? {
        Ok(located) => located,
        Err(unknown) => {
            println!("unknown: {unknown}");
            return Ok(Exit::Inconclusive);
        }
    };
    let budget = Budget {
        memory_bytes: memory_bytes.saturating_sub(located.bytes),
        time: time.saturating_sub(start.elapsed()),
    };
    let options = Options { budget, threads: wanted.jobs, ..Options::default() };
    let unwritten = match wanted.unwritten {
        UnwrittenReads::Anomaly => Unwritten::Anomaly,
        UnwrittenReads::Foreign => Unwritten::Foreign,
    };
    let consistency = match wanted.consistency {
        Orders::Linearizable => Consistency::Linearizable,
        Orders::Sequential => Consistency::Sequential,
    };
    let (history, initial) = (&located.history, initial.as_ref());
    let case = Case { history, initial, consistency, level, unwritten, options };
    let answer = (checker.check)(&case).map_err(|refusal| {
        let place = refusal.operation().and_then(|index| located.places.get(index));
        Failure::usage(match place {
            Some(place) => format!("error: {}: {refusal}", position(&wanted.file, *place)),
            None => format!("error: {refusal}"),
        })
    })?;
    let (text, exit) = told(&answer, &located, checker.name);
    print!("{text}");
    if let (Some(file), Answer::Violated(reasons)) = (&wanted.svg, &answer) {
        let picture = picture::draw(&located.history, &reasons[0]);
        std::fs::write(file, picture)
            .map_err(|error| Failure::usage(format!("error: {}: {error}", file.display())))?;
    }
    Ok(exit)
}

/// The history, or that it does not fit into the budget.
fn read(
    wanted: &Check,
    memory_bytes: usize,
    until: Instant,
) -> Result<Result<Located, String>, Failure> {
    let format = format(wanted)?;
    let name = wanted.file.display();
    let file = File::open(&wanted.file)
        .map_err(|error| Failure::usage(format!("error: {name}: {error}")))?;
    let limits = Limits { memory_bytes_max: memory_bytes, ..Limits::default() };
    match read_located(format, Timed { file, until }, &limits) {
        Ok(located) => Ok(Ok(located)),
        Err(ReadError { problem: Problem::TooLarge("the history", _), .. }) => {
            Ok(Err("the budget of memory ended while the history was read".to_string()))
        }
        Err(ReadError { problem: Problem::Io(error), .. }) if error.kind() == TimedOut => {
            Ok(Err("the budget of time ended while the history was read".to_string()))
        }
        Err(error) => {
            let ReadError { line, column, problem } = error;
            Err(Failure::usage(format!("error: {name}:{line}:{column}: {problem}")))
        }
    }
}

/// A file that can be read until some time.
struct Timed {
    file: File,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.until {
            return Err(TimedOut.into());
        }
        self.file.read(buffer)
    }
}

fn format(wanted: &Check) -> Result<Format, Failure> {
    let known = || FORMATS.iter().map(|(_, name, ..)| *name).collect::<Vec<_>>().join(", ");
    if let Some(name) = &wanted.format {
        let format = Format::named(name);
        return format.ok_or_else(|| {
            Failure::usage(format!(
                "error: no format is called `{name}`\n  = there are {}",
                known()
            ))
        });
    }
    let extension = wanted.file.extension().and_then(|extension| extension.to_str());
    extension.and_then(Format::of_extension).ok_or_else(|| {
        Failure::usage(format!(
            "error: {}: the name does not tell how it is written\n  = say so with `--format`: {}",
            wanted.file.display(),
            known()
        ))
    })
}

fn checker(name: &str) -> Result<&'static Checker, Failure> {
    Checker::named(name).ok_or_else(|| {
        let lines = checkers().map(|it| format!("      {:<18} {}", it.name, it.about));
        let lines = lines.collect::<Vec<_>>().join("\n");
        Failure::usage(format!("error: no model is called `{name}`\n  = there are:\n{lines}"))
    })
}

fn level(name: &str) -> Result<Level, Failure> {
    Level::named(name).ok_or_else(|| {
        let known = LEVELS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        Failure::usage(format!("error: no level is called `{name}`\n  = there are {known}"))
    })
}

fn initial(text: &str) -> Result<Value, Failure> {
    value(text).map_err(|error| {
        Failure::usage(format!(
            "error: `--initial {text}`: column {}: {}",
            error.column, error.problem
        ))
    })
}

/// As compilers write places, so that terminals and editors find them.
fn position(file: &Path, (line, column): (u32, u32)) -> String {
    format!("{}:{line}:{column}", file.display())
}

fn told(answer: &Answer, located: &Located, model: &str) -> (String, Exit) {
    let count = located.history.len();
    match answer {
        Answer::Holds => (format!("held: {model}, {count} operations\n"), Exit::Held),
        Answer::Unknown(doubt) => (format!("unknown: {model}: {doubt}\n"), Exit::Inconclusive),
        Answer::Violated(reasons) => {
            let mut text = format!("VIOLATED: {model}, {count} operations\n");
            for reason in reasons.iter().take(REASONS_SHOWN) {
                text.push_str(&shown(reason, located));
            }
            match reasons.len().saturating_sub(REASONS_SHOWN) {
                0 => {}
                more => text.push_str(&format!("\n… and {more} more\n")),
            }
            (text, Exit::Violated)
        }
    }
}

/// A reason, and the operations that it is about as the file has them.
fn shown(reason: &Reason, located: &Located) -> String {
    let mut text = format!("\n{}\n", reason.name);
    for index in reason.operations.iter().take(OPERATIONS_SHOWN) {
        let operation = &located.history.operations()[*index as usize];
        let (line, _) = located.places[*index as usize];
        text.push_str(&format!("  {index:>6}  line {line}: {}\n", one_line(operation)));
    }
    match reason.operations.len().saturating_sub(OPERATIONS_SHOWN) {
        0 => {}
        more => text.push_str(&format!("  … and {more} more operations\n")),
    }
    for sentence in &reason.because {
        text.push_str(&format!("  = {sentence}\n"));
    }
    text
}

fn one_line(operation: &Operation<RawCall, Value>) -> String {
    let text = format!("process {}: {operation}", operation.process);
    match text.char_indices().nth(WIDTH) {
        None => text,
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}
