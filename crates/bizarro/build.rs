//! Builds the shared object that holds the simulator, and leaves it as `libbizarro.so` in OUT_DIR.
//!
//! It is always optimised and always the same, whatever the profile, flags and wrappers of the build
//! that asks for it. Nothing needs to be installed: cargo builds it from the sources of
//! `bizarro-runtime` and of what that uses, in a package that is written here.
//!
//! Where these sources are: beside this package. In the repository they are `../bizarro-runtime`, …; in
//! cargo's registry and in a directory of `cargo vendor` `../bizarro-runtime-0.1.0`, … or the former.
//! Where they are not there, cargo is asked to fetch exactly this version.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The packages of the shared object that are ours.
const OURS: [&str; 5] =
    ["bizarro-runtime", "bizarro-kernel", "bizarro-fault", "bizarro-record", "bizarro-call"];
/// Our own profile: what a user's configuration says of `release` is not meant for it.
const PROFILE: &str = "simulator";

/// The whole source of the shared object's package. The core library was compiled to unwind and names the
/// routines that would do that, which a program without Rust or C++ in it does not have. Nothing here
/// unwinds; the symbols are hidden, for other programs have the real ones.
const LIBRARY: &str = r#"#![no_std]
extern crate bizarro_runtime;
core::arch::global_asm!(
    ".weak rust_eh_personality",
    ".hidden rust_eh_personality",
    ".weak _Unwind_Resume",
    ".hidden _Unwind_Resume",
    "rust_eh_personality:",
    "_Unwind_Resume:",
    "ud2",
);
"#;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(worlds)");
    let out = PathBuf::from(variable("OUT_DIR"));
    let library = out.join("libbizarro.so");
    if can_run_worlds() {
        println!("cargo:rustc-cfg=worlds");
    }
    if is_wanted() {
        let package = out.join("shared-object");
        write_package(&package);
        let built = build(&package);
        copy(&built, &library);
    } else {
        write(&library, "");
    }
}

/// Whether the target is one that the simulator knows.
fn can_run_worlds() -> bool {
    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    target("OS") == "linux" && target("ARCH") == "x86_64" && target("ENV") == "gnu"
}

/// Whether anything embeds the shared object, and could use it: documentation does not, nor do programs
/// that are only there to be refused by the compiler, which the crate `trybuild` marks by a `--cfg` of its name.
fn is_wanted() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    env::var_os("CARGO_FEATURE_SUPERVISOR").is_some()
        && !flags.split('\u{1f}').any(|flag| flag == "trybuild")
        && env::var_os("DOCS_RS").is_none()
        && can_run_worlds()
}

fn write_package(package: &Path) {
    let sources: Vec<(&str, PathBuf)> =
        OURS.iter().filter_map(|name| Some((*name, source_of(name)?))).collect();
    for (_, source) in &sources {
        println!("cargo:rerun-if-changed={}", source.join("src").display());
        println!("cargo:rerun-if-changed={}", source.join("Cargo.toml").display());
    }
    write(&package.join("Cargo.toml"), &manifest(&sources));
    write(&package.join("lib.rs"), LIBRARY);
    if let Some(lock) = lock_of_whoever_builds(package) {
        copy(&lock, &package.join("Cargo.lock"));
    }
}

/// Where the sources of one of our packages are, if they are beside this one's.
fn source_of(name: &str) -> Option<PathBuf> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let version = variable("CARGO_PKG_VERSION");
    let beside = here.parent()?;
    let places = [beside.join(format!("{name}-{version}")), beside.join(name)];
    places.into_iter().find(|place| place.join("Cargo.toml").is_file())
}

fn manifest(sources: &[(&str, PathBuf)]) -> String {
    let version = variable("CARGO_PKG_VERSION");
    let runtime = match sources.iter().find(|(name, _)| *name == "bizarro-runtime") {
        Some((_, source)) => format!("path = {:?}", source.display().to_string()),
        None => format!("version = \"={version}\""),
    };
    // In the repository the packages name each other by path, and cargo says that these lines are not
    // needed; unpacked from their archives they name each other by version, and they are.
    let patches: String = sources
        .iter()
        .map(|(name, source)| format!("{name} = {{ path = {:?} }}\n", source.display().to_string()))
        .collect();
    format!(
        "[package]\nname = \"bizarro-shared-object\"\nversion = \"{version}\"\nedition = \"2024\"\npublish = false\n\n\
         [lib]\nname = \"bizarro\"\npath = \"lib.rs\"\ncrate-type = [\"cdylib\"]\n\n\
         [dependencies]\nbizarro-runtime = {{ {runtime}, features = [\"shared-object\"] }}\n\n\
         [patch.crates-io]\n{patches}\n\
         [profile.{PROFILE}]\ninherits = \"release\"\nopt-level = 3\npanic = \"abort\"\nlto = \"fat\"\ncodegen-units = 1\ndebug = 1\n\
         strip = \"none\"\nincremental = false\noverflow-checks = false\ndebug-assertions = false\nrpath = false\n\n\
         [workspace]\n"
    )
}

/// The lock file of the workspace that this build belongs to, as far as it can be found: the shared
/// object then uses the same versions, which are also those that were downloaded or vendored.
fn lock_of_whoever_builds(package: &Path) -> Option<PathBuf> {
    let locks = package.ancestors().skip(1).map(|directory| directory.join("Cargo.lock"));
    let ours = |lock: &PathBuf| {
        fs::read_to_string(lock).is_ok_and(|text| text.contains("name = \"bizarro-call\""))
    };
    locks.into_iter().find(ours)
}

/// Builds the package without the network if that is possible, else with it.
fn build(package: &Path) -> PathBuf {
    let offline = cargo(package, &["--offline"]);
    let built = if offline.status.success() { offline } else { cargo(package, &[]) };
    if !built.status.success() {
        eprintln!("the simulator's shared object could not be built; cargo said:");
        eprintln!("{}", String::from_utf8_lossy(&built.stderr));
        std::process::exit(1);
    }
    package.join("target").join(variable("TARGET")).join(PROFILE).join("libbizarro.so")
}

/// Runs cargo in the package's directory, so that a configuration above the target directory (such as
/// a replaced registry) is found, but with nothing of the outer build's own settings.
fn cargo(package: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(variable("CARGO"));
    command
        .args(["build", "--lib", "--profile", PROFILE, "--target", &variable("TARGET")])
        .args(["--target-dir", "target"])
        .args(arguments)
        .current_dir(package);
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_the_outer_build(name)) {
        command.env_remove(name);
    }
    // Set and empty these also hide what a configuration file says.
    command
        .env("CARGO_ENCODED_RUSTFLAGS", "")
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "");
    let output = command.output();
    output.unwrap_or_else(|error| panic!("cargo could not be started: {error}"))
}

fn is_of_the_outer_build(name: &OsString) -> bool {
    const PREFIXES: [&str; 5] =
        ["CARGO_FEATURE_", "CARGO_CFG_", "CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_TARGET_"];
    const NAMES: [&str; 4] = ["RUSTFLAGS", "RUSTC_LINKER", "CLIPPY_ARGS", "CLIPPY_CONF_DIR"];
    let Some(name) = name.to_str() else { return false };
    // How many jobs may run at once is a limit of the machine, not a setting of the outcome.
    name != "CARGO_BUILD_JOBS"
        && (PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name))
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Writes a file unless it is so already: a newer file is built again.
fn write(path: &Path, content: &str) {
    if fs::read_to_string(path).is_ok_and(|known| known == content) {
        return;
    }
    let directory = path.parent().expect("a file is in a directory");
    let written = fs::create_dir_all(directory).and_then(|()| fs::write(path, content));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn copy(from: &Path, to: &Path) {
    let copied = fs::copy(from, to);
    copied.unwrap_or_else(|error| panic!("{} to {}: {error}", from.display(), to.display()));
}
