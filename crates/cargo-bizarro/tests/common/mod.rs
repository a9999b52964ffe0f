//! Starts the command line and compares what it says.

use std::path::Path;
use std::process::{Command, Output};

/// Runs `cargo bizarro` in a directory.
pub(crate) fn bizarro(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cargo-bizarro"))
        .arg("bizarro")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

/// Compares its output and its exit code; its complaints hold `stderr`, or there are none where that is empty.
#[track_caller]
pub(crate) fn check(directory: &Path, arguments: &[&str], code: i32, stdout: &str, stderr: &str) {
    let output = bizarro(directory, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((said.as_str(), output.status.code()), (stdout, Some(code)), "{complained}");
    match stderr.is_empty() {
        true => assert_eq!(complained, ""),
        false => assert!(complained.contains(stderr), "`{stderr}` is not in:\n{complained}"),
    }
}
