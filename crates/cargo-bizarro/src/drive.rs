//! Has a test's own binary do the work: starts it as a supervisor, passes on what it says and shows how
//! far it is.

use std::fmt::Write;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use bizarro::supervisor::settings::{COLOUR, REPORT, WIDTH};
use bizarro::supervisor::signal::Signal;
use bizarro_report::{Exit, PAGE, prepare_folder};
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::args::Variables;
use crate::built::Test;
use crate::outputs::Outputs;
use crate::{Failure, interrupt};

/// The exits by their codes.
const EXITS: [Exit; 6] = [
    Exit::Held,
    Exit::Violated,
    Exit::Usage,
    Exit::Inconclusive,
    Exit::Nondeterminism,
    Exit::OurBug,
];

/// Drives one test after the other; the worst exit counts.
pub(crate) fn all(
    tests: &[Test],
    variables: &Variables,
    outputs: &Outputs,
) -> Result<Exit, Failure> {
    interrupt::watch().map_err(interrupt::as_io).map_err(Failure::bug)?;
    let mut exits = Vec::new();
    let mut done = Vec::new();
    let mut failure = None;
    for (index, test) in tests.iter().enumerate() {
        if index > 0 {
            println!();
        }
        match one(test, variables) {
            Ok(exit) => exits.push(exit),
            Err(why) => failure = Some(why),
        }
        done.push(test.clone());
        if failure.is_some() || interrupt::was_asked() {
            break;
        }
    }
    // What was found before the end is written down, whatever the end was.
    outputs.write(&done)?;
    failure.map_or(Ok(Exit::worst(exits)), Err)
}

fn one(test: &Test, variables: &Variables) -> Result<Exit, Failure> {
    prepare_folder(&test.reports).map_err(|error| Failure::usage(format!("error: {error}")))?;
    let mut child = start(test, variables)
        .map_err(|error| Failure::bug(format!("{}: {error}", test.binary.display())))?;
    interrupt::arm(child.stdin.take());
    let output = BufReader::new(child.stdout.take().expect("it was asked for"));
    let before = pass_on(output, &mut Progress::new(&test.name)).map_err(Failure::bug)?;
    let status = child.wait().map_err(Failure::bug)?;
    interrupt::disarm();
    let page = test.reports.join(PAGE);
    if page.exists() {
        println!(" report  {}", from_here(&page).display());
    }
    exit(status).ok_or_else(|| {
        Failure::bug(format!(
            "{} ended with {status} and no verdict; it wrote:\n{before}",
            test.name
        ))
    })
}

/// A path as it is typed in this directory.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_path_buf()
}

fn start(test: &Test, variables: &Variables) -> std::io::Result<Child> {
    let terminal = Term::stdout();
    let mut command = Command::new(&test.binary);
    command
        .args([
            test.libtest_path(),
            "--exact",
            "--nocapture",
            "--test-threads=1",
            "--include-ignored",
        ])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .env(REPORT, &test.reports)
        .env(COLOUR, if console::colors_enabled() { "1" } else { "0" })
        .current_dir(&test.directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C is for this process, which passes it on in its own way.
        .process_group(0);
    if terminal.is_term() {
        command.env(WIDTH, terminal.size().1.to_string());
    }
    command.spawn()
}

/// The verdict, where the status is one.
fn exit(status: ExitStatus) -> Option<Exit> {
    EXITS.into_iter().find(|exit| Some(i32::from(exit.code())) == status.code())
}

/// Shows what the supervisor says; gives what libtest said before it.
fn pass_on(mut output: impl BufRead, progress: &mut Progress) -> std::io::Result<String> {
    let mut before = String::new();
    let mut line = Vec::new();
    let mut has_begun = false;
    while output.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        match text.trim_end_matches('\n').parse() {
            Ok(Signal::Begin) => has_begun = true,
            Ok(signal) => progress.show(&signal),
            Err(()) if has_begun => progress.beside(|| std::io::stdout().write_all(&line))?,
            Err(()) => before.push_str(&text),
        }
        line.clear();
    }
    Ok(before)
}

/// A longer line is passed on in pieces.
const LINE_MAX: u64 = 1 << 20;

/// The bar on standard error, where that is a terminal.
struct Progress {
    bar: ProgressBar,
    test: String,
    broken: u64,
    combinations: u64,
}

impl Progress {
    fn new(test: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar, test: test.to_string(), broken: 0, combinations: 0 }
    }

    fn show(&mut self, signal: &Signal) {
        match signal {
            Signal::Begin => {}
            Signal::Phase { name, runs } => {
                self.bar.reset();
                match runs {
                    0 => self.bar.unset_length(),
                    runs => self.bar.set_length(*runs),
                }
                self.bar.set_style(style(*runs));
                self.bar.set_prefix(format!("{} {name}", self.test));
            }
            Signal::Ran { broken } => {
                self.broken += u64::from(*broken);
                self.tell();
                self.bar.inc(1);
            }
            Signal::Combinations { count } => {
                self.combinations = *count;
                self.tell();
            }
        }
    }

    fn tell(&self) {
        let counts = [(self.combinations, "combinations"), (self.broken, "broken")];
        let parts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        self.bar.set_message(parts.collect::<Vec<_>>().join("  "));
    }

    /// Writes without the bar in the way.
    fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Without a number of runs there is nothing to fill, and no end to foresee.
fn style(runs: u64) -> ProgressStyle {
    let template = match runs {
        0 => "{prefix}  {spinner} {pos} runs  {speed}  {msg:.red}  {elapsed}",
        _ => "{prefix}  {wide_bar:.green/dim} {pos}/{len} runs  {speed}  {msg:.red}  {eta} left",
    };
    ProgressStyle::with_template(template).expect("the template is a constant").with_key(
        "speed",
        |state: &ProgressState, to: &mut dyn Write| {
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(to, "{:.0}/s", state.per_sec());
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn what_libtest_says_is_kept_for_the_case_that_nothing_follows() {
        let said = "\nrunning 1 test\nthread panicked\n";
        let before = pass_on(said.as_bytes(), &mut Progress::new("t")).unwrap();
        assert_eq!(before, said);
        let begun = format!("running 1 test\n{}\n", Signal::Begin);
        assert_eq!(pass_on(begun.as_bytes(), &mut Progress::new("t")).unwrap(), "running 1 test\n");
    }

    #[test]
    fn only_a_verdict_is_an_exit() {
        let of = |raw| exit(ExitStatus::from_raw(raw));
        assert_eq!(of(0), Some(Exit::Held));
        assert_eq!(of(5 << 8), Some(Exit::OurBug));
        assert_eq!(of(101 << 8), None);
        assert_eq!(of(9), None);
    }
}
