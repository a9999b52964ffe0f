//! READMEs of scenarios whose listings are what the tool prints.
//!
//! A listing is a block that begins with a command:
//!
//! ````text
//! ```console
//! $ cargo bizarro replay bank::naive 'withdraw #1 reply lost' | head -12
//! …
//! ```
//! ````
//!
//! The commands are `cargo bizarro matrix CRATE::TEST`, with `--groups` before the name or without, and
//! `cargo bizarro replay CRATE::TEST 'PLAN'`, both with `| head -N` or without. [`readme_is_true`] has the calling test
//! binary do what the command would have it do, and compares. Lines and parts of lines that differ from build to build are
//! left out on both sides: real times, how long recoveries take, how many calls a program makes and so between how many of
//! them it can be killed. Virtual times are shown, and not compared.
//!
//! `UPDATE_EXPECT=1 cargo test -p NAME` writes what is printed today into the README.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

pub mod counts;
mod listing;

use listing::{Block, Level, Listing, parts, without_times};

/// Compares every listing of `README.md` in this directory with what the tests of the calling binary print.
///
/// The directory is that of the package: `env!("CARGO_MANIFEST_DIR")`. Tests have to be in the same binary.
///
/// # Panics
///
/// If a listing differs (it says how, and how to write what is right), if there is none, or if a command is not one of
/// those above.
pub fn readme_is_true(directory: &str) {
    let path = Path::new(directory).join("README.md");
    let readme = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let (mut written, mut listings, mut wrong) = (String::new(), 0, Vec::new());
    for part in parts(&readme) {
        match part {
            Block::Text(text) => written.push_str(text),
            Block::Listing(listing) => {
                listings += 1;
                let printed = listing.cut(&shown(&listing));
                if without_times(&printed) != without_times(&listing.expected()) {
                    wrong.push(format!(
                        "$ {}\n--- README.md\n{}--- printed\n{printed}",
                        listing.command,
                        listing.expected()
                    ));
                }
                written.push_str(&listing.with(&printed));
            }
        }
    }
    assert!(listings > 0, "{} has no listing that begins with `$ cargo bizarro`", path.display());
    if wrong.is_empty() {
        return;
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, written).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        return;
    }
    panic!(
        "{} of {listings} listings of {} differ; UPDATE_EXPECT=1 writes what is printed\n{}",
        wrong.len(),
        path.display(),
        wrong.join("\n")
    );
}

/// What the tool prints, from the line that names the test.
fn shown(listing: &Listing) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this is a file"));
    command
        .args([listing.test, "--exact", "--nocapture", "--test-threads=1"])
        .env("BIZARRO_COLOUR", "0")
        .env("BIZARRO_WIDTH", "120");
    match listing.plan {
        None => command.envs([("BIZARRO_DRIVEN", "matrix"), ("BIZARRO_SEEDS", "0")]),
        Some(plan) => command.envs([("BIZARRO_DRIVEN", "replay"), ("BIZARRO_PLAN", plan)]),
    };
    if listing.level == Level::Groups {
        command.env("BIZARRO_GROUPS", "1");
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this binary can be started");
    // The pipe stays open: its end would mean that the driver wants to stop.
    let open = child.stdin.take();
    let output = child.wait_with_output().expect("its output can be read");
    drop(open);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed: Vec<&str> =
        text.lines().skip_while(|line| !line.starts_with(listing.name)).collect();
    assert!(
        !printed.is_empty(),
        "$ {}\nprints nothing of {}:\n{text}",
        listing.command,
        listing.name
    );
    printed.join("\n") + "\n"
}
