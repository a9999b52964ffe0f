//! `cargo bizarro`: finds the Bizarro tests of a workspace, builds them in release mode, and has their
//! own binaries do the work; what they say is passed on.

mod args;
mod built;
mod check;
mod doctor;
mod drive;
mod exec;
mod interrupt;
mod junit;
mod names;
mod outputs;
mod pcapng;
mod plans;
mod replay;
mod scan;
mod syscalls;
mod workspace;

use std::process::ExitCode;

use bizarro_record::Level;
use bizarro_report::Exit;
use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse_from(args::without_subcommand(std::env::args_os()));
    match run(cli.command) {
        Ok(exit) => exit.into(),
        Err(Failure { exit, text }) => {
            eprintln!("{text}");
            exit.into()
        }
    }
}

/// Why a command could not be carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Failure {
    exit: Exit,
    /// For the user.
    text: String,
}

impl Failure {
    fn usage(text: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, text: text.into() }
    }

    fn bug(text: impl std::fmt::Display) -> Failure {
        Failure { exit: Exit::OurBug, text: format!("error: {text}") }
    }
}

fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { filter, build } => {
            for test in built::tests(&build, filter.as_deref())? {
                println!("{}", test.name);
            }
            Ok(Exit::Held)
        }
        Command::Run { filter, swarm, search, outputs, build } => {
            outputs.prepare()?;
            let tests = built::tests(&build, filter.as_deref())?;
            drive::all(&tests, &search.for_everything(swarm), &outputs)
        }
        Command::Swarm { filter, budget, search, outputs, build } => {
            outputs.prepare()?;
            let tests = built::tests(&build, filter.as_deref())?;
            drive::all(&tests, &budget.variables(&search), &outputs)
        }
        Command::Matrix { filter, depth, runs, groups, search, outputs, build } => {
            let level = if groups { Level::Groups } else { Level::Hosts };
            outputs.prepare()?;
            let tests = built::tests(&build, filter.as_deref())?;
            drive::all(&tests, &search.for_matrix(level, depth, runs), &outputs)
        }
        Command::Replay(wanted) => replay::run(&wanted),
        Command::Exec(wanted) => exec::run(&wanted),
        Command::Check(wanted) => check::run(&wanted),
        Command::Syscalls { name } => syscalls::report(name.as_deref()),
        Command::Plan { plan } => plans::convert(&plan),
        Command::Doctor => Ok(doctor::report()),
    }
}
