//! Files that hold what all tests of a command came to: `--json` and `--junit`.

use std::fs;
use std::path::{Path, PathBuf};

use bizarro_report::report::{Document, Report};
use bizarro_report::{DATA, FileError, prepare_file, write_file};
use clap::Args;

use crate::built::Test;
use crate::{Failure, junit};

/// What is written beside what is shown.
#[derive(Clone, PartialEq, Eq, Debug, Default, Args)]
pub(crate) struct Outputs {
    /// Write the reports of all tests to this file, as JSON (docs/report.md).
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write all cells as test cases to this file, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

impl Outputs {
    /// Looks whether they can be written, before the work starts.
    pub(crate) fn prepare(&self) -> Result<(), Failure> {
        [&self.json, &self.junit].into_iter().flatten().try_for_each(|path| {
            prepare_file(path).map_err(|error| Failure::usage(format!("error: {error}")))
        })
    }

    /// Writes them, of the tests that left a report: all but those that could not be explored at all.
    pub(crate) fn write(&self, tests: &[Test]) -> Result<(), Failure> {
        if self.json.is_none() && self.junit.is_none() {
            return Ok(());
        }
        let mut reports = Vec::new();
        for test in tests {
            let path = test.reports.join(DATA);
            if path.exists() {
                reports.extend(read(&path)?);
            }
        }
        let document = Document::new(reports);
        let written = |path: &Option<PathBuf>, text: &dyn Fn() -> String| match path {
            Some(path) => write_file(path, text().as_bytes()).map_err(refused),
            None => Ok(()),
        };
        written(&self.json, &|| document.to_json())?;
        written(&self.junit, &|| junit::xml(&document.tests))
    }
}

fn refused(error: FileError) -> Failure {
    Failure::usage(format!("error: {error}"))
}

/// The reports that a test's own binary wrote: it may be of another version than this program.
fn read(path: &Path) -> Result<Vec<Report>, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        let name = path.display();
        Failure::usage(format!(
            "error: {name} cannot be read: {error}\n  \
             = the crate `bizarro` of the test and `cargo bizarro` have to be of the same version"
        ))
    };
    let text = fs::read(path).map_err(|error| wrong(&error))?;
    let document: Document = serde_json::from_slice(&text).map_err(|error| wrong(&error))?;
    Ok(document.tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_refused_before_the_work_starts() {
        let outputs = Outputs { json: Some("/proc/none/report.json".into()), junit: None };
        let failure = outputs.prepare().unwrap_err();
        assert_eq!(failure.exit, bizarro_report::Exit::Usage);
        let expected = "error: cannot write /proc/none/report.json: No such file or directory";
        assert!(failure.text.starts_with(expected), "{}", failure.text);
    }
}
