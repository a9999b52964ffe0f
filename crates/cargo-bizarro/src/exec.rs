//! `cargo bizarro exec`: an unmodified program as the only host of a world.

use std::io::{self, Write};
use std::time::Duration;

use bizarro::supervisor::exec::{Program, exec};
use bizarro_record::{Mount, Plan, Stream};
use bizarro_report::{Exit, Look};
use clap::Args;

use crate::Failure;

/// Real seconds without `--watchdog`: a program that is looked at by a person may take its time.
const LIMIT_SECONDS: u32 = 600;

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
    /// Virtual seconds that it may take.
    #[arg(long, value_name = "SECONDS")]
    deadline: Option<u32>,
    /// Real seconds that it may take.
    #[arg(long, value_name = "SECONDS", default_value_t = LIMIT_SECONDS)]
    watchdog: u32,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<String>,
}

/// Runs it, and prints what it wrote; on standard error, what is wrong with the run.
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
        deadline: wanted.deadline.map(seconds),
        limit: seconds(wanted.watchdog),
    });
    let executed = executed
        .map_err(|error| Failure { exit: Exit::of_error(&error), text: error.to_string() })?;
    let (verdict, exit) = executed.verdict(Look::PLAIN);
    let printed =
        print(&executed.calls, executed.output(), (exit != Exit::Held).then_some(&verdict));
    printed.map_err(Failure::bug)?;
    Ok(exit)
}

fn print<'a>(
    calls: &str,
    output: impl Iterator<Item = (Stream, &'a str)>,
    verdict: Option<&String>,
) -> io::Result<()> {
    let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr().lock());
    stderr.write_all(calls.as_bytes())?;
    for (stream, line) in output {
        match stream {
            Stream::Stdout => writeln!(stdout, "{line}")?,
            Stream::Stderr => writeln!(stderr, "{line}")?,
        }
    }
    stdout.flush()?;
    verdict.map_or(Ok(()), |verdict| stderr.write_all(verdict.as_bytes()))
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
    fn a_variable_has_a_name() {
        assert_eq!(variable("A=b=c"), Ok("A=b=c".to_string()));
        assert_eq!(refused(variable("A")), "expected NAME=VALUE");
        assert_eq!(refused(variable("=b")), "expected NAME=VALUE");
    }
}
