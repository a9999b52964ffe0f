//! Readers of histories. A format is a file and a line in [`FORMATS`].
//!
//! All of them read a stream once, hold no more than the history they give, and refuse what is malformed
//! with the line, the column and what was expected there.

mod edn;
mod etcd_log;
mod events;
mod json;
mod scan;

use std::fmt;
use std::io::Read;

use super::{RawHistory, Value};
use scan::Scanner;

/// How a history is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Maps of EDN, as Jepsen writes `history.edn`; in one vector or list, or one after the other.
    /// Porcupine's key-value histories are of this kind, with a `:key`.
    JepsenEdn,
    /// Objects of JSON with Jepsen's names, as `elle-cli` reads them; in one array, or one after the other.
    /// What [`Writer`](super::Writer) writes is of this kind.
    Json,
    /// Lines of Jepsen's log of etcd, as porcupine's test data has them:
    /// `INFO  jepsen.util - 0 :invoke :read nil`.
    EtcdLog,
}

/// A history, and where in the file its operations are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located {
    /// The history.
    pub history: RawHistory,
    /// The line and column of each operation's invocation, from 1.
    pub places: Vec<(u32, u32)>,
    /// About how many bytes the history takes in memory.
    pub bytes: usize,
}

type Reader = fn(&mut Scanner<&mut dyn Read>) -> Result<Located, ReadError>;

/// Every format: its value, its name, how its files usually end, and its reader.
pub const FORMATS: &[(Format, &str, &[&str], Reader)] = &[
    (Format::JepsenEdn, "jepsen-edn", &["edn", "txt"], edn::history),
    (Format::Json, "json", &["json", "jsonl"], json::history),
    (Format::EtcdLog, "etcd-log", &["log"], etcd_log::history),
];

impl Format {
    /// The format of this name.
    pub fn named(name: &str) -> Option<Format> {
        FORMATS.iter().find(|(_, known, _, _)| *known == name).map(|(format, ..)| *format)
    }

    /// The format that files with this extension (without a dot) usually have.
    pub fn of_extension(extension: &str) -> Option<Format> {
        FORMATS.iter().find(|(_, _, ends, _)| ends.contains(&extension)).map(|(format, ..)| *format)
    }
}

/// How much a history may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of one event in the file.
    pub event_bytes_max: usize,
    /// How deep lists and maps may be nested.
    pub depth_max: usize,
    /// About how many bytes the whole history may take in memory.
    pub memory_bytes_max: usize,
}

impl Default for Limits {
    /// 4 MiB an event, 64 levels, 1 GiB in all.
    fn default() -> Limits {
        Limits { event_bytes_max: 4 << 20, depth_max: 64, memory_bytes_max: 1 << 30 }
    }
}

/// Why a history was refused, and where.
#[derive(Debug)]
pub struct ReadError {
    /// The line, from 1.
    pub line: u64,
    /// The column in characters, from 1.
    pub column: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a history.
#[derive(Debug)]
pub enum Problem {
    /// Something else stands where this was expected.
    Expected {
        /// What was expected.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// More than the limits allow.
    TooLarge(&'static str, usize),
    /// The file could not be read.
    Io(std::io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Expected { expected, found } => {
                write!(f, "expected {expected}, found {found}")
            }
            Problem::TooLarge(what, limit) => write!(f, "{what} is over the limit of {limit}"),
            Problem::Io(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            Problem::Expected { .. } | Problem::TooLarge(..) => None,
        }
    }
}

/// Reads a history.
///
/// # Errors
/// Where the file is not a history in this format, or is over the limits.
pub fn read(format: Format, input: impl Read, limits: &Limits) -> Result<RawHistory, ReadError> {
    read_located(format, input, limits).map(|located| located.history)
}

/// Reads a history, and keeps where its operations are.
///
/// # Errors
/// Where the file is not a history in this format, or is over the limits.
pub fn read_located(
    format: Format,
    mut input: impl Read,
    limits: &Limits,
) -> Result<Located, ReadError> {
    let reader = FORMATS.iter().find(|(known, ..)| *known == format).map(|(.., reader)| reader);
    let reader = reader.expect("every format has a line in the list");
    reader(&mut Scanner::new(&mut input, *limits))
}

/// Reads a single value, written as EDN has it.
///
/// # Errors
/// Where the text is none, or is something more.
pub fn value(text: &str) -> Result<Value, ReadError> {
    let mut bytes = text.as_bytes();
    let input: &mut dyn Read = &mut bytes;
    let mut scanner = Scanner::new(input, Limits::default());
    edn::blank(&mut scanner)?;
    let value = edn::value(&mut scanner)?;
    edn::blank(&mut scanner)?;
    match scanner.peek()? {
        None => Ok(value),
        Some(_) => Err(scanner.place().expected("nothing after the value", scanner.found()?)),
    }
}
