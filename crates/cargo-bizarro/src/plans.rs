//! `cargo bizarro plan`: a plan of one line as a file, and a file as one line.

use std::path::Path;

use bizarro::supervisor::plan_file::{PlanFile, to_toml};
use bizarro_record::Plan;
use bizarro_report::Exit;

use crate::Failure;
use crate::args::Planned;

/// Prints the other form.
pub(crate) fn convert(plan: &Planned) -> Result<Exit, Failure> {
    match plan {
        Planned::Line(plan) => print!("{}", to_toml(plan)),
        Planned::File(path) => println!("{}", read(path)?),
    }
    Ok(Exit::Held)
}

/// The plan in the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Plan, Failure> {
    let file = PlanFile::read(path).map_err(|wrong| Failure::usage(format!("error: {wrong}")))?;
    Ok(file.plan)
}
