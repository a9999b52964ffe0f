//! `cargo bizarro exec`: an unmodified program as the only host of a world.

use std::time::Duration;

use bizarro::supervisor::exec::{Program, exec};
use bizarro_record::{Mount, Plan};
use bizarro_report::{Exit, Look};
use clap::Args;

use crate::Failure;

/// Real seconds without `--watchdog`: a program that is looked at by a person may take its time.
const LIMIT_SECONDS: u32 = 600;
/// Seconds of a year.
const YEAR: u32 = 365 * 24 * 3600;

/// What is run, and in which world.
#[derive(Clone, PartialEq, Eq, Debug, Args)]
pub(crate) struct Exec {
    /// Let it read this real directory, at the same path or at another: DIR or DIR:PATH.
    #[arg(long, value_name = "DIR[:PATH]", value_parser = mount)]
    mount: Vec<Mount>,
    /// Set an environment variable; nothing is inherited.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<String>,
    /// What happens in the run.
    #[arg(long, default_value = "baseline")]
    plan: Plan,
    /// Print every system call, too.
    #[arg(long)]
    trace: bool,
    /// Virtual seconds that it may take; a year without this.
    #[arg(long, value_name = "SECONDS", default_value_t = YEAR, hide_default_value = true)]
    deadline: u32,
    /// Real seconds that it may take.
    #[arg(long, value_name = "SECONDS", default_value_t = LIMIT_SECONDS)]
    watchdog: u32,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<String>,
}

/// Runs it; what is wrong with the run is said on standard error.
pub(crate) fn run(wanted: &Exec) -> Result<Exit, Failure> {
    let seconds = |n: u32| Duration::from_secs(n.into());
    let (program, arguments) = wanted.command.split_first().expect("clap asks for one at least");
    let executed = exec(&Program {
        program: program.clone(),
        arguments: arguments.to_vec(),
        environment: wanted.env.clone(),
        mounts: wanted.mount.clone(),
        plan: wanted.plan.clone(),
        traced: wanted.trace,
        deadline: seconds(wanted.deadline),
        limit: seconds(wanted.watchdog),
    });
    let executed = executed
        .map_err(|error| Failure { exit: Exit::of_error(&error), text: error.to_string() })?;
    eprint!("{}", executed.calls);
    let (verdict, exit) = executed.verdict(&command_line(std::env::args().skip(1)), Look::PLAIN);
    if exit != Exit::Held {
        eprint!("{verdict}");
    }
    Ok(exit)
}

/// What was typed, as far as a shell is concerned.
fn command_line(arguments: impl Iterator<Item = String>) -> String {
    let arguments = arguments.skip_while(|word| word == "bizarro").map(|word| quoted(&word));
    ["cargo".to_string(), "bizarro".to_string()]
        .into_iter()
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word as it is typed in a POSIX shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-:./=,+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn mount(text: &str) -> Result<Mount, String> {
    let (real, guest) = text.split_once(':').unwrap_or((text, ""));
    let source = std::fs::canonicalize(real).map_err(|error| format!("{real}: {error}"))?;
    if !source.is_dir() {
        return Err(format!("{real} is not a directory"));
    }
    let path = |path: &std::path::Path| path.to_str().map(str::to_string).ok_or("not UTF-8");
    let target = match guest {
        // As it was written: what a program is told may be a symbolic link.
        "" => path(&std::path::absolute(real).map_err(|error| error.to_string())?)?,
        guest if guest.starts_with('/') => guest.to_string(),
        _ => return Err(format!("{guest} is not an absolute path")),
    };
    Ok(Mount { source: path(&source)?, target })
}

fn variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_string()),
        _ => Err("expected NAME=VALUE".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T>(result: Result<T, String>) -> String {
        result.err().unwrap_or_default()
    }

    #[test]
    fn a_directory_is_mounted_where_it_is_or_elsewhere() {
        let mount_of = |source: &str, target: &str| {
            Ok(Mount { source: source.to_string(), target: target.to_string() })
        };
        assert_eq!(mount("/etc"), mount_of("/etc", "/etc"));
        assert_eq!(mount("/etc:/other"), mount_of("/etc", "/other"));
        assert_eq!(mount("/proc/self/../../etc").unwrap().source, "/etc");
        assert_eq!(refused(mount("/etc:other")), "other is not an absolute path");
        assert_eq!(refused(mount("/etc/passwd")), "/etc/passwd is not a directory");
        assert!(refused(mount("/no/such")).starts_with("/no/such: No such file"));
    }

    #[test]
    fn the_command_that_was_typed_is_told_as_one_that_can_be() {
        let typed = ["exec", "--env", "A=it's", "--", "sh", "-c", "echo $HOME", ""];
        let told = command_line(["bizarro"].into_iter().chain(typed).map(str::to_string));
        let read = shlex::split(&told).unwrap();
        assert_eq!(read[..2], ["cargo", "bizarro"]);
        assert_eq!(read[2..], typed);
    }

    #[test]
    fn a_variable_has_a_name() {
        assert_eq!(variable("A=b=c"), Ok("A=b=c".to_string()));
        assert_eq!(refused(variable("A")), "expected NAME=VALUE");
        assert_eq!(refused(variable("=b")), "expected NAME=VALUE");
    }
}
