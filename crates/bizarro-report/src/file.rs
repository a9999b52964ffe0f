//! Records as files: JSON, one record a file.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bizarro_record::{FORMAT, RunRecord};
use serde::Deserialize;

use crate::output::write_file;
use crate::words::replay_command;

/// Why a file could not be written or read.
#[derive(Debug)]
pub enum FileError {
    /// The operating system says no.
    Io {
        /// `write` or `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// The file holds no record.
    NotARecord {
        /// The file.
        path: PathBuf,
        /// Line and column, and what is wrong there.
        error: serde_json::Error,
    },
    /// The record has another format.
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The record was made by another build.
    Build {
        /// The file.
        path: PathBuf,
        /// The build that asks.
        expected: String,
        /// The record.
        record: Box<RunRecord>,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io { action, path, error } => {
                write!(f, "cannot {action} {}: {error}", path.display())
            }
            FileError::NotARecord { path, error } => write!(
                f,
                "{}:{}:{}: this is not a record that Bizarro wrote: {}",
                path.display(),
                error.line(),
                error.column(),
                // The place stands in front already.
                error.to_string().split(" at line ").next().unwrap_or_default()
            ),
            FileError::Format { path, found } => write!(
                f,
                "{} is a record of format {found}; this Bizarro reads format {FORMAT}",
                path.display()
            ),
            FileError::Build { path, expected, record } => write!(
                f,
                "{} was made by build {} of `{}`, and this is build {expected}: another program may \
                 run another way\n  = build as it was then (same sources, same profile), or try its plan on this build:\n{}",
                path.display(),
                record.build,
                record.test,
                replay_command(&record.test, &record.plan)
            ),
        }
    }
}

impl std::error::Error for FileError {}

/// What has to be known before the rest of a record can be read.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// Writes a record. A file that was there is replaced as a whole or not at all.
pub fn save(record: &RunRecord, path: &Path) -> Result<(), FileError> {
    let failed = |error| FileError::Io { action: "write", path: path.to_path_buf(), error };
    let text = serde_json::to_vec(record).map_err(|error| failed(error.into()))?;
    write_file(path, &text)
}

/// Reads a record that `build` made; `None` reads one of any build.
pub fn load(path: &Path, build: Option<&str>) -> Result<RunRecord, FileError> {
    let not_a_record = |error| FileError::NotARecord { path: path.to_path_buf(), error };
    let text = fs::read(path).map_err(|error| FileError::Io {
        action: "read",
        path: path.to_path_buf(),
        error,
    })?;
    let head: Head = serde_json::from_slice(&text).map_err(not_a_record)?;
    if head.format != FORMAT {
        return Err(FileError::Format { path: path.to_path_buf(), found: head.format });
    }
    let record: RunRecord = serde_json::from_slice(&text).map_err(not_a_record)?;
    match build {
        Some(build) if build != record.build => Err(FileError::Build {
            path: path.to_path_buf(),
            expected: build.to_string(),
            record: Box::new(record),
        }),
        _ => Ok(record),
    }
}
