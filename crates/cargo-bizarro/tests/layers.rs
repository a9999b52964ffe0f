//! The map in ARCHITECTURE.md, as a test: which crate of the workspace may use which, which of them
//! have no standard library, and where unsafe code may stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which packages of the workspace a package may use. Packages stand in the order of the layers: each
/// uses only packages above it.
const LAYERS: [(&str, &[&str]); 21] = [
    ("bizarro-call", &[]),
    ("bizarro-record", &[]),
    ("bizarro-macros", &[]),
    // Usable on its own, for histories of any system.
    ("bizarro-check", &[]),
    ("bizarro-kernel", &["bizarro-record"]),
    ("bizarro-fault", &["bizarro-record", "bizarro-kernel"]),
    ("bizarro-runtime", &["bizarro-call", "bizarro-record", "bizarro-kernel", "bizarro-fault"]),
    // The kernel's seams are used by the toy, which only tests build.
    ("bizarro-explore", &["bizarro-record", "bizarro-kernel", "bizarro-fault"]),
    ("bizarro-report", &["bizarro-record", "bizarro-explore"]),
    // The runtime is only embedded as a shared object: see `nobody_links_the_runtime`.
    (
        "bizarro",
        &[
            "bizarro-call",
            "bizarro-record",
            "bizarro-macros",
            "bizarro-check",
            "bizarro-fault",
            "bizarro-runtime",
            "bizarro-explore",
            "bizarro-report",
        ],
    ),
    // The kernel is only asked for its table of system calls.
    (
        "cargo-bizarro",
        &["bizarro-record", "bizarro-check", "bizarro-kernel", "bizarro-report", "bizarro"],
    ),
    // What the tests of scenarios share. It runs the calling test's binary, and links nothing of ours.
    ("scenario-tests", &[]),
    // What their programs share: they know nothing of what is above.
    ("scenario-programs", &[]),
    // Production code without Bizarro; its tests prove what it promises on simulated hosts.
    ("bizarro-remedy", &["bizarro", "bizarro-record", "bizarro-fault", "bizarro-explore"]),
    ("conformance", &["bizarro"]),
    ("guests", &["bizarro"]),
    ("guests-jemalloc", &["bizarro", "guests"]),
    ("guests-net", &["bizarro", "guests"]),
    ("guests-disk", &["bizarro"]),
    // A scenario, whose programs know nothing of what is above.
    ("pacman", &["bizarro"]),
    ("bench", &["bizarro", "pacman"]),
];

/// Packages that are `no_std`, and all that they use from outside the workspace: nothing that brings
/// input and output, time or randomness.
const NO_STD: [(&str, &[&str]); 5] = [
    ("bizarro-call", &[]),
    ("bizarro-record", &["serde"]),
    ("bizarro-kernel", &["bitflags", "httparse", "libc", "zerodds-hpack"]),
    ("bizarro-fault", &["serde"]),
    ("bizarro-runtime", &["libc", "postcard"]),
];

/// The only packages below `crates/` with unsafe code.
const UNSAFE: [&str; 2] = ["bizarro-call", "bizarro-runtime"];

/// A package of the workspace.
struct Package {
    name: String,
    directory: PathBuf,
    dependencies: Vec<Dependency>,
    /// Whether `cargo test` leaves its library out.
    is_untested: bool,
}

struct Dependency {
    name: String,
    /// `normal`, `dev` or `build`.
    kind: String,
    /// The platforms it is for, where it is not for all.
    target: Option<String>,
}

impl Package {
    fn uses(&self, kind: &str) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(move |dependency| dependency.kind == kind)
    }

    fn is_scenario(&self) -> bool {
        self.directory.parent().is_some_and(|parent| parent.ends_with("scenarios"))
    }
}

fn workspace() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    assert!(packages.len() > LAYERS.len(), "this is not the whole workspace");
    packages.iter().map(package).collect()
}

fn package(value: &Value) -> Package {
    let manifest = Path::new(text(&value["manifest_path"]));
    let dependencies = value["dependencies"].as_array().expect("a list of dependencies");
    let targets = value["targets"].as_array().expect("a list of targets");
    Package {
        name: text(&value["name"]).to_string(),
        directory: manifest.parent().expect("a manifest is in a directory").to_path_buf(),
        dependencies: dependencies.iter().map(dependency).collect(),
        is_untested: targets
            .iter()
            .any(|target| target["kind"][0] == "lib" && target["test"] == false),
    }
}

fn dependency(value: &Value) -> Dependency {
    Dependency {
        name: text(&value["name"]).to_string(),
        kind: value["kind"].as_str().unwrap_or("normal").to_string(),
        target: value["target"].as_str().map(str::to_string),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn row<'a>(table: &'a [(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(known, _)| *known == name).map(|(_, row)| *row)
}

#[test]
fn a_layer_uses_only_what_is_below_it() {
    for (index, (name, allowed)) in LAYERS.iter().enumerate() {
        for used in *allowed {
            let below = LAYERS.iter().position(|(other, _)| other == used);
            assert!(below.is_some_and(|below| below < index), "{name} is not above {used}");
        }
    }
}

#[test]
fn a_crate_uses_only_the_crates_that_the_map_allows() {
    let packages = workspace();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut wrong = Vec::new();
    for package in packages.iter().filter(|package| !package.is_scenario()) {
        let Some(allowed) = row(&LAYERS, &package.name) else {
            wrong.push(format!("{} has no row in LAYERS", package.name));
            continue;
        };
        for used in package.dependencies.iter().filter(|used| ours.contains(used.name.as_str())) {
            // A package's tests use the package itself, with features that only they need.
            if used.name != package.name && !allowed.contains(&used.name.as_str()) {
                wrong.push(format!("{} may not use {} ({})", package.name, used.name, used.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_programs_of_scenarios_do_not_know_bizarro() {
    let packages = workspace();
    let scenarios: Vec<&Package> = packages.iter().filter(|p| p.is_scenario()).collect();
    assert!(!scenarios.is_empty(), "there is no scenario");
    for scenario in scenarios {
        for used in scenario.uses("normal").chain(scenario.uses("build")) {
            let name = &used.name;
            let is_ours = name.starts_with("bizarro") && name != "bizarro-remedy";
            assert!(!is_ours, "{} uses {name}, not for tests", scenario.name);
        }
    }
}

#[test]
fn remedies_do_not_know_bizarro() {
    let packages = workspace();
    let remedies = packages.iter().find(|package| package.name == "bizarro-remedy");
    for used in remedies.expect("it is here").uses("normal") {
        assert!(!used.name.starts_with("bizarro"), "they use {}, not for tests", used.name);
    }
}

#[test]
fn nobody_links_the_runtime() {
    for package in workspace() {
        for used in package.dependencies.iter().filter(|used| used.name == "bizarro-runtime") {
            let never = used.target.as_deref() == Some("cfg(any())");
            assert!(never, "{} links the runtime into ordinary programs", package.name);
        }
    }
}

#[test]
fn the_simulator_uses_nothing_that_brings_time_randomness_or_files() {
    let packages = workspace();
    let found: BTreeMap<&str, BTreeSet<&str>> = packages
        .iter()
        .map(|package| {
            let names = package.uses("normal").map(|used| used.name.as_str());
            let others = names.filter(|name| row(&LAYERS, name).is_none());
            (package.name.as_str(), others.collect())
        })
        .collect();
    for (name, allowed) in NO_STD {
        assert_eq!(found[name], BTreeSet::from_iter(allowed.iter().copied()), "{name}");
    }
    for package in packages.iter().filter(|package| row(&NO_STD, &package.name).is_some()) {
        let library = fs::read_to_string(package.directory.join("src/lib.rs")).unwrap();
        assert!(library.lines().any(|line| line == "#![no_std]"), "{} is not no_std", package.name);
    }
}

/// Building a library for tests that it does not have takes time; leaving out those that it has would tell nobody.
#[test]
fn libraries_that_are_not_tested_have_no_tests() {
    let packages = workspace();
    let untested: Vec<&Package> = packages.iter().filter(|package| package.is_untested).collect();
    assert!(!untested.is_empty(), "there is none any more: this test can go");
    for package in untested {
        let mut files = Vec::new();
        rust_files(&package.directory.join("src"), &mut files);
        for file in files {
            let has_tests = fs::read_to_string(&file).unwrap().contains("#[cfg(test)]");
            assert!(!has_tests, "{} has tests and its package says test = false", file.display());
        }
    }
}

#[test]
fn unsafe_code_stands_between_guest_and_kernel_only() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a directory of crates");
    let mut with_unsafe = BTreeSet::new();
    for package in workspace().iter().filter(|package| package.directory.starts_with(crates)) {
        let mut files = Vec::new();
        rust_files(&package.directory, &mut files);
        assert!(!files.is_empty(), "{} has no source", package.name);
        if files.iter().any(|file| has_unsafe_code(&fs::read_to_string(file).unwrap())) {
            with_unsafe.insert(package.name.clone());
        }
    }
    assert_eq!(with_unsafe, BTreeSet::from(UNSAFE.map(str::to_string)));
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether the word `unsafe` opens a block, a function or a declaration, and is not part of a comment
/// or of another word, such as the name of a lint.
fn has_unsafe_code(source: &str) -> bool {
    const OPENED: [&str; 6] = ["{", "fn ", "extern ", "impl ", "trait ", "(no_mangle)"];
    let code = source.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(|line| line.match_indices("unsafe").map(move |(at, word)| (line, at, word))).any(
        |(line, at, word)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].trim_start();
            before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '"')
                && OPENED.iter().any(|opened| after.starts_with(opened))
        },
    )
}

#[test]
fn unsafe_code_is_told_from_talk_about_it() {
    // The word is put in here, so that this file holds none of it.
    let with_word = |text: &str| text.replace('~', "unsafe");
    for code in
        ["~ { x() }", "pub ~ fn f()", "#[~(no_mangle)]", "let x = ~ {", "a; ~ extern \"C\" {"]
    {
        assert!(has_unsafe_code(&with_word(code)), "{code}");
    }
    for talk in ["// ~ { }", "~_code = 1", "/// all ~ code", "let s = \"~\";"] {
        assert!(!has_unsafe_code(&with_word(talk)), "{talk}");
    }
}
