//! The packages as a stranger gets them: from their archives, in a project outside this repository, with
//! nothing installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a project needs that has `bizarro` among its dev-dependencies.
const PACKAGES: [&str; 10] = [
    "bizarro",
    "bizarro-call",
    "bizarro-check",
    "bizarro-explore",
    "bizarro-fault",
    "bizarro-kernel",
    "bizarro-macros",
    "bizarro-record",
    "bizarro-report",
    "bizarro-runtime",
];

const TEST: &str = r#"
use bizarro::prelude::*;

fn hello() {
    println!("hello from {}", std::env::var("WHO").unwrap());
}

#[bizarro::test]
fn a_stranger_says_hello(world: &mut World) {
    world.host("stranger").env("WHO", "a stranger").workload(hello);
    world.explore(Explore::baseline_only());
    world.check("it says hello", |run| match run.output("stranger")[..] {
        ["hello from a stranger"] => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
}
"#;

#[test]
fn a_strangers_project_needs_nothing_installed() {
    let scratch = tempfile::tempdir().unwrap();
    let archives = package(&scratch.path().join("packaged"));
    let unpacked = unpack(&archives, &scratch.path().join("unpacked"));
    let project = write_project(&scratch.path().join("project"), &unpacked);

    let output = cargo_test(&project);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stdout.contains("test a_stranger_says_hello ... ok"),
        "{stdout}\n{stderr}"
    );
}

fn cargo(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(directory);
    command
}

/// Makes the archives, without building what is in them: that is what the rest of the test does.
fn package(target: &Path) -> PathBuf {
    let mut command = cargo(Path::new(env!("CARGO_MANIFEST_DIR")));
    command.args(["package", "--no-verify", "--allow-dirty", "--exclude-lockfile", "--target-dir"]);
    command.arg(target);
    for name in PACKAGES {
        command.args(["--package", name]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("package")
}

/// Unpacks them beside each other; gives each package's name and directory.
fn unpack(archives: &Path, into: &Path) -> Vec<(&'static str, PathBuf)> {
    fs::create_dir_all(into).unwrap();
    let unpack = |name: &'static str| {
        let directory = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let archive = archives.join(format!("{directory}.crate"));
        let status = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(into).status();
        assert!(status.unwrap().success(), "{}", archive.display());
        (name, into.join(directory))
    };
    PACKAGES.into_iter().map(unpack).collect()
}

fn write_project(project: &Path, packages: &[(&str, PathBuf)]) -> PathBuf {
    let patches: String = packages
        .iter()
        .map(|(name, directory)| format!("{name} = {{ path = {directory:?} }}\n"))
        .collect();
    let manifest = format!(
        "[package]\nname = \"stranger\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dev-dependencies]\nbizarro = \"{}\"\n\n[patch.crates-io]\n{patches}",
        env!("CARGO_PKG_VERSION")
    );
    fs::create_dir_all(project.join("src")).unwrap();
    fs::create_dir_all(project.join("tests")).unwrap();
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::write(project.join("src/lib.rs"), "").unwrap();
    fs::write(project.join("tests/world.rs"), TEST).unwrap();
    project.to_path_buf()
}

/// Without the network where that is possible: everything was downloaded when this test was built. With
/// it otherwise.
fn cargo_test(project: &Path) -> Output {
    let run = |arguments: &[&str]| {
        let mut command = cargo(project);
        command.arg("test").args(arguments).env("CARGO_TARGET_DIR", project.join("target"));
        command.output().unwrap()
    };
    let offline = run(&["--offline"]);
    if offline.status.success() { offline } else { run(&[]) }
}
