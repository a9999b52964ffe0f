//! Which packages can have Bizarro tests, as `cargo metadata` tells.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use crate::Failure;
use crate::args::Build;

/// The packages of a workspace.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    /// Where cargo puts what it builds.
    #[serde(default)]
    pub(crate) target_directory: PathBuf,
}

/// A package.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct Dependency {
    name: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct Target {
    name: String,
}

impl Package {
    /// `#[bizarro::test]` names the crate, so the package depends on it directly, or is it.
    fn may_have_tests(&self) -> bool {
        self.name == "bizarro"
            || self.dependencies.iter().any(|dependency| dependency.name == "bizarro")
    }

    /// Whether this is its name, or that of one of its crates.
    fn is_called(&self, name: &str) -> bool {
        let crates = self.targets.iter().map(|target| &target.name);
        crates.chain([&self.name]).any(|known| known.replace('-', "_") == name.replace('-', "_"))
    }
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn read(build: &Build) -> Result<Workspace, Failure> {
        let mut command = cargo("metadata");
        command.args(["--no-deps", "--format-version=1"]);
        if let Some(path) = &build.manifest_path {
            command.args(["--manifest-path", path]);
        }
        let output = command.output().map_err(|error| Failure::usage(cannot_start(&error)))?;
        if !output.status.success() {
            return Err(Failure::usage(String::from_utf8_lossy(&output.stderr).trim()));
        }
        serde_json::from_slice(&output.stdout).map_err(Failure::bug)
    }

    /// The packages that have to be built to find the tests that a filter means: those of the crate it
    /// names, where it names one.
    pub(crate) fn to_build(&self, filter: Option<&str>) -> Vec<&Package> {
        let all = self.packages.iter().filter(|package| package.may_have_tests());
        let named = filter.map(first_part);
        let meant: Vec<&Package> = all
            .clone()
            .filter(|package| named.is_some_and(|name| package.is_called(name)))
            .collect();
        if meant.is_empty() { all.collect() } else { meant }
    }
}

/// The part of a test's name, or of a filter, that may be a crate.
pub(crate) fn first_part(name: &str) -> &str {
    name.split("::").next().unwrap_or(name)
}

/// Cargo, as the one that runs this, if one does.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(subcommand);
    command
}

pub(crate) fn cannot_start(error: &std::io::Error) -> String {
    format!("error: cargo could not be started: {error}\n  = is it in PATH?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependency: &str, targets: &[&str]) -> Package {
        let target = |name: &&str| Target { name: name.to_string() };
        Package {
            name: name.to_string(),
            dependencies: vec![Dependency { name: dependency.to_string() }],
            targets: targets.iter().map(target).collect(),
        }
    }

    #[track_caller]
    fn check(filter: Option<&str>, expected: &[&str]) {
        let workspace = Workspace {
            packages: vec![
                package("pac-man", "bizarro", &["pac-man", "matrix"]),
                package("bank", "bizarro", &["bank", "money"]),
                package("tool", "serde", &["tool"]),
            ],
            target_directory: PathBuf::new(),
        };
        let found: Vec<_> = workspace.to_build(filter).iter().map(|p| p.name.clone()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn only_what_can_have_tests_is_built() {
        check(None, &["pac-man", "bank"]);
        check(Some("pac_man"), &["pac-man"]);
        check(Some("money::is_conserved"), &["bank"]);
        check(Some("conserved"), &["pac-man", "bank"]);
        check(Some("tool"), &["pac-man", "bank"]);
    }

    #[test]
    fn what_cargo_says_is_understood() {
        let workspace = Workspace::read(&Build::default()).unwrap();
        let this = workspace.packages.iter().find(|package| package.name == "cargo-bizarro");
        assert!(this.unwrap().may_have_tests());
    }
}
