//! Builds test binaries and knows which tests are in which.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use crate::Failure;
use crate::args::Build;
use crate::names::{select, select_one, unknown};
use crate::scan::tests_in;
use crate::workspace::{Package, Workspace, cannot_start, cargo, first_part};

/// A test and the binary that holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Test {
    /// Its full name.
    pub(crate) name: String,
    /// The test binary.
    pub(crate) binary: PathBuf,
    /// Directory of its package, in which cargo runs tests.
    pub(crate) directory: PathBuf,
    /// Where its reports are written.
    pub(crate) reports: PathBuf,
}

impl Test {
    /// The name under which libtest knows it: without the crate.
    pub(crate) fn libtest_path(&self) -> &str {
        &self.name[first_part(&self.name).len() + "::".len()..]
    }
}

/// Builds what may hold the tests that the filter means, and gives those tests, sorted by name.
pub(crate) fn tests(build: &Build, filter: Option<&str>) -> Result<Vec<Test>, Failure> {
    let all = build_all(build, filter)?;
    let names: Vec<String> = all.iter().map(|test| test.name.clone()).collect();
    let Some(filter) = filter else {
        return if all.is_empty() { Err(unknown(&names, "")) } else { Ok(all) };
    };
    let selected = select(&names, filter);
    if selected.is_empty() {
        return Err(unknown(&names, filter));
    }
    Ok(all.iter().filter(|test| selected.contains(&&test.name)).cloned().collect())
}

/// Builds what may hold the test of this name, and gives it.
pub(crate) fn test(build: &Build, name: &str) -> Result<Test, Failure> {
    let all = build_all(build, Some(name))?;
    let names: Vec<String> = all.iter().map(|test| test.name.clone()).collect();
    let name = select_one(&names, name)?;
    let index = names.iter().position(|known| known == name).expect("it was selected from these");
    Ok(all[index].clone())
}

fn build_all(build: &Build, filter: Option<&str>) -> Result<Vec<Test>, Failure> {
    let workspace = Workspace::read(build)?;
    let packages = workspace.to_build(filter);
    if packages.is_empty() {
        return Err(unknown(&[], ""));
    }
    let mut tests = Vec::new();
    for artifact in run_cargo(build, &packages)? {
        let Artifact { executable: Some(binary), manifest_path, .. } = artifact else { continue };
        let directory = manifest_path.parent().unwrap_or(Path::new("/")).to_path_buf();
        let bytes = fs::read(&binary)
            .map_err(|error| Failure::bug(format!("{}: {error}", binary.display())))?;
        let found = tests_in(&bytes).into_iter();
        tests.extend(found.map(|name| Test {
            reports: workspace.target_directory.join("bizarro").join(name.replace("::", "-")),
            name,
            binary: binary.clone(),
            directory: directory.clone(),
        }));
    }
    tests.sort_by(|one, other| one.name.cmp(&other.name));
    refuse_twins(&tests)?;
    Ok(tests)
}

/// What cargo says of a file that it built; other messages lack what is needed here.
#[derive(Debug, Deserialize)]
struct Artifact {
    reason: String,
    executable: Option<PathBuf>,
    #[serde(default)]
    manifest_path: PathBuf,
}

fn run_cargo(build: &Build, packages: &[&Package]) -> Result<Vec<Artifact>, Failure> {
    let mut command = cargo("test");
    command.args(["--no-run", "--message-format=json-render-diagnostics"]);
    command.args(["--profile", &build.profile]);
    let mut targets = build.targets.iter().peekable();
    let packages: Vec<&str> = match (build.package.is_empty(), targets.peek()) {
        (false, _) => build.package.iter().map(String::as_str).collect(),
        // Cargo looks for them, and builds libraries with the features that all tests together want.
        (true, Some(_)) => Vec::new(),
        (true, None) => packages.iter().map(|package| &*package.name).collect(),
    };
    for name in packages {
        command.args(["--package", name]);
    }
    if targets.peek().is_none() {
        command.arg("--tests");
    }
    for name in targets {
        command.args(["--test", name]);
    }
    for names in &build.features {
        command.args(["--features", names]);
    }
    if build.all_features {
        command.arg("--all-features");
    }
    if build.no_default_features {
        command.arg("--no-default-features");
    }
    if let Some(path) = &build.manifest_path {
        command.args(["--manifest-path", path]);
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::usage(cannot_start(&error)))?;
    let lines = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
    let artifacts = lines
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Artifact>(&line).ok())
        .filter(|artifact| artifact.reason == "compiler-artifact")
        .collect();
    match child.wait() {
        Ok(status) if status.success() => Ok(artifacts),
        // Cargo has said why.
        Ok(_) => Err(Failure::usage("error: the tests could not be built")),
        Err(error) => Err(Failure::bug(error)),
    }
}

/// Two crates of one name can hold two tests of one name, which no command could tell apart.
fn refuse_twins(tests: &[Test]) -> Result<(), Failure> {
    let Some(twins) = tests.windows(2).find(|pair| pair[0].name == pair[1].name) else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "error: two tests are called `{}`: in {} and in {}\n  = choose one with `--package NAME`",
        twins[0].name,
        twins[0].directory.display(),
        twins[1].directory.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, directory: &str) -> Test {
        Test {
            name: name.into(),
            binary: "/b".into(),
            directory: directory.into(),
            reports: "/r".into(),
        }
    }

    #[test]
    fn libtest_does_not_know_the_crate() {
        assert_eq!(test("pacman::cells::naive", "/").libtest_path(), "cells::naive");
    }

    #[test]
    fn twins_are_refused_with_the_way_out() {
        let twins = [test("world::a", "/one"), test("world::a", "/two")];
        let text = refuse_twins(&twins).unwrap_err().text;
        assert_eq!(
            text,
            "error: two tests are called `world::a`: in /one and in /two\n  = choose one with `--package NAME`"
        );
        assert_eq!(refuse_twins(&[test("world::a", "/one"), test("world::b", "/one")]), Ok(()));
    }
}
