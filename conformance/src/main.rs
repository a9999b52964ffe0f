//! Runs conformance bodies natively: `list`, `run NAME`, `run --all`.

use std::env;
use std::process::{Command, ExitCode};

use conformance::{Echo, Test, all, find, run};

const USAGE: &str = "usage: conformance list
       conformance run NAME [--echo]   run one body in this process, print its transcript
       conformance run --all           run every body, each in a process of its own

--echo also writes each line to standard error as it comes, to see where a body hangs";

/// How a run of this program can end.
#[derive(Clone, Copy)]
enum Exit {
    Ok = 0,
    BodyFailed = 1,
    Usage = 2,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let exit = match arguments[..] {
        ["list"] => list(),
        ["run", "--all"] => run_all(),
        ["run", name] => run_one(name, Echo::Off),
        ["run", name, "--echo"] => run_one(name, Echo::On),
        _ => usage("no such command"),
    };
    ExitCode::from(exit as u8)
}

fn list() -> Exit {
    for test in all() {
        println!("{:<10} {}", format!("{:?}", test.family), test.name);
    }
    Exit::Ok
}

fn run_one(name: &str, echo: Echo) -> Exit {
    let Some(test) = find(name) else {
        return usage(&format!("no test is called {name:?}; `conformance list` names them all"));
    };
    print!("{}", run(test, echo));
    Exit::Ok
}

fn run_all() -> Exit {
    let failed = all().filter(|test| !run_in_child(test)).count();
    match failed {
        0 => Exit::Ok,
        _ => {
            eprintln!("{failed} of {} bodies died", all().count());
            Exit::BodyFailed
        }
    }
}

fn run_in_child(test: &Test) -> bool {
    println!("== {}", test.name);
    let this = env::current_exe().expect("the path of this program");
    let status = Command::new(this).args(["run", test.name]).status().expect("a child process");
    if !status.success() {
        println!("died: {status}");
    }
    status.success()
}

fn usage(problem: &str) -> Exit {
    eprintln!("conformance: {problem}\n{USAGE}");
    Exit::Usage
}
