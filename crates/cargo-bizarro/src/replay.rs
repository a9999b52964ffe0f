//! `cargo bizarro replay`: one run again, by its plan or from a record of it.

use std::path::{Path, PathBuf};

use bizarro::supervisor::settings::{
    CAPTURE, DRIVEN, PERFETTO, PLAN, RECORD, REPEAT, TRACE, UNTIL,
};
use bizarro_report::{Exit, FileError, load, prepare_file, write_file};

use crate::args::{Planned, Replay, Variables};
use crate::{Failure, built, drive, pcapng, plans};

/// Builds the test and repeats the run.
pub(crate) fn run(wanted: &Replay) -> Result<Exit, Failure> {
    wanted.outputs.prepare()?;
    for path in wanted.files() {
        prepare_file(path).map_err(|error| Failure::usage(format!("error: {error}")))?;
    }
    let (test, variables) = match &wanted.plan {
        Some(plan) => (wanted.test.clone(), for_plan(plan)?),
        None => for_record(&wanted.test)?,
    };
    if wanted.until.is_some() && wanted.plan.is_none() {
        return Err(Failure::usage(
            "error: `--until` needs a plan\n  = of a record: cargo bizarro replay TEST PLAN --until TIME",
        ));
    }
    let test = built::test(&wanted.build, &test)?;
    let mut variables = variables;
    if wanted.trace {
        variables.push((TRACE, "1".to_string()));
    }
    if let Some(until) = &wanted.until {
        variables.push((UNTIL, until.to_string()));
    }
    if let Some(path) = &wanted.record {
        variables.push((RECORD, text(&absolute(path)?)?));
    }
    if let Some(path) = &wanted.perfetto {
        variables.push((PERFETTO, text(&absolute(path)?)?));
    }
    let capture = test.reports.join(CAPTURED);
    if wanted.pcapng.is_some() {
        variables.push((CAPTURE, text(&capture)?));
    }
    let exit = drive::all(&[test], &variables, &wanted.outputs)?;
    match &wanted.pcapng {
        Some(path) if capture.exists() => write_packets(&capture, path).map(|()| exit),
        _ => Ok(exit),
    }
}

/// The record from which packets are taken, beside the reports; it is not kept.
const CAPTURED: &str = "captured.json";

fn write_packets(capture: &Path, path: &Path) -> Result<(), Failure> {
    let refused = |error: FileError| Failure::usage(format!("error: {error}"));
    let record = load(capture, None).map_err(refused)?;
    // What stays behind is overwritten the next time.
    let _ = std::fs::remove_file(capture);
    write_file(path, &pcapng::pcapng(&record)).map_err(refused)
}

impl Replay {
    /// The files that are written.
    fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.record, &self.perfetto, &self.pcapng].into_iter().flatten().map(PathBuf::as_path)
    }
}

fn for_plan(plan: &Planned) -> Result<Variables, Failure> {
    let plan = match plan {
        Planned::Line(plan) => plan.to_string(),
        // The test runs in the directory of its package.
        Planned::File(path) => {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            plans::read(&absolute)?;
            absolute.display().to_string()
        }
    };
    Ok(vec![(DRIVEN, "replay".to_string()), (PLAN, plan)])
}

/// The test that a record is of, and what its supervisor is told. Which build made the record is the
/// supervisor's to compare: it knows its own.
fn for_record(path: &str) -> Result<(String, Variables), Failure> {
    let file = absolute(Path::new(path))?;
    if !file.exists() {
        return Err(Failure::usage(format!(
            "error: neither a plan nor a record to repeat: there is no file {path}\n  \
             = the run of a test without faults: cargo bizarro replay {path} baseline\n  \
             = a record, which `--record FILE` writes: cargo bizarro replay FILE"
        )));
    }
    let record = load(&file, None).map_err(|error| Failure::usage(format!("error: {error}")))?;
    let variables = vec![(DRIVEN, "replay".to_string()), (REPEAT, text(&file)?)];
    Ok((record.test, variables))
}

/// The supervisor runs in the directory of the test's package.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let complain = |error| Failure::usage(format!("error: {}: {error}", path.display()));
    std::path::absolute(path).map_err(complain)
}

fn text(path: &Path) -> Result<String, Failure> {
    let complain = || Failure::usage(format!("error: {} is not UTF-8", path.display()));
    path.to_str().map(str::to_string).ok_or_else(complain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_without_a_plan_is_refused_with_the_ways_out() {
        let failure = for_record("pacman::naive").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.text.contains("cargo bizarro replay pacman::naive baseline"));
    }

    #[test]
    fn a_file_that_is_no_record_is_refused() {
        let failure = for_record(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.text.contains("Cargo.toml:1:"), "{}", failure.text);
        assert!(failure.text.contains("this is not a record that Bizarro wrote"));
    }
}
