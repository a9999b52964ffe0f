//! `cargo bizarro matrix --json FILE`, then `cargo run -p scenario-tests --bin counts -- FILE`: writes the table of counts in
//! `scenarios/README.md`.

use std::process::ExitCode;
use std::{env, fs};

use scenario_tests::counts::{table, written};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/README.md");

fn main() -> ExitCode {
    let Some(file) = env::args().nth(1) else {
        eprintln!("error: expected the file that `cargo bizarro matrix --json FILE` wrote");
        return ExitCode::from(2);
    };
    match write(&file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            ExitCode::from(2)
        }
    }
}

fn write(file: &str) -> Result<(), String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let table = table(&read(file)?).map_err(|wrong| format!("{file}: {wrong}"))?;
    let readme = written(&read(README)?, &table).map_err(|wrong| format!("{README}: {wrong}"))?;
    fs::write(README, readme).map_err(|error| format!("{README}: {error}"))
}
