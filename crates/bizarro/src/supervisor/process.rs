//! A world process: the test's own binary, started once more with the simulator in it, which makes
//! one run after the other.

use std::fs::File;
use std::io::{self, Seek};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use bizarro_record::{DIED_IDLE, RunRecord, Trace, WorldSpec};

use super::launch::{Group, Launch, memory_file};
use super::protocol::{
    Command, Done, GoOn, Hello, Memory, WORLD_ENV, WORLD_WITHOUT_HOOKS, fd, read_record,
    write_frame,
};
use super::settings::HOOKS;
use super::watchdog::{FrameReader, Waited};

/// How much of a world process's own output is shown where it died.
const OUTPUT_SHOWN: u64 = 4096;
/// Real time in which the processes of a killed group are gone.
const DYING: Duration = Duration::from_secs(5);
/// Exit status of the dynamic loader where it cannot load something.
const LOADER_FAILED: i32 = 127;

/// A world process that waits for a command.
#[derive(Debug)]
pub(crate) struct WorldProcess {
    group: Group,
    commands: File,
    results: FrameReader,
    record: File,
    trace: File,
    output: File,
}

/// Why there is no world process.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The description is wrong; in words for the user.
    Mistaken(String),
    /// It died, or said nothing in time.
    Died(String),
    /// It could not be started at all.
    Io(io::Error),
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> StartError {
        StartError::Io(error)
    }
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The record, or why there is none.
    pub(crate) record: Result<RunRecord, String>,
    /// Its system calls, where they were asked for.
    pub(crate) trace: String,
    /// What the simulator held when it ended; nothing where it died.
    pub(crate) memory: Memory,
    /// Whether the world process can make another run.
    pub(crate) process: Afterwards,
}

/// What is left of a world process after a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Afterwards {
    /// It waits for the next command.
    Ready,
    /// It died or was killed.
    Gone,
    /// It died before the run began, by no fault of the run's.
    GoneBefore,
}

impl WorldProcess {
    /// Starts the world process of the test with this libtest path, and gives the world as it was
    /// described there. `limit` is the real time that this may take.
    pub(crate) fn start(
        path: &str,
        limit: Duration,
    ) -> Result<(WorldProcess, WorldSpec), StartError> {
        match WorldProcess::start_with(path, limit, Vec::new()) {
            // The environment is the same on every machine, unless the binary cannot be loaded in it: the
            // libraries that cargo built may be found by this variable only.
            Err(StartError::Died(reason)) if reason.contains("error while loading shared") => {
                let libraries = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
                let variable = ("LD_LIBRARY_PATH".to_string(), libraries);
                WorldProcess::start_with(path, limit, vec![variable])
            }
            other => other,
        }
    }

    fn start_with(
        path: &str,
        limit: Duration,
        environment: Vec<(String, String)>,
    ) -> Result<(WorldProcess, WorldSpec), StartError> {
        let mut process = WorldProcess::launch(path, environment)?;
        match process.results.next(limit)? {
            Waited::Frame(Hello::Described(spec)) => Ok((process, *spec)),
            Waited::Frame(Hello::Mistaken(what)) => Err(StartError::Mistaken(what)),
            Waited::Closed => {
                let status = process.group.kill()?;
                Err(StartError::Died(format!("it {}{}", ended(status), process.said(0))))
            }
            Waited::TimedOut => Err(StartError::Died(format!(
                "it described no world within {} s of real time{}",
                limit.as_secs(),
                process.said(0)
            ))),
        }
    }

    fn launch(path: &str, environment: Vec<(String, String)>) -> io::Result<WorldProcess> {
        let (commanded, commands) = io::pipe()?;
        let (results, answers) = io::pipe()?;
        let (record, trace) = (memory_file("record")?, memory_file("trace")?);
        let output = memory_file("output")?;
        let launch = Launch {
            program: PathBuf::from("/proc/self/exe"),
            name: "world".to_string(),
            arguments: [path, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]
                .map(str::to_string)
                .to_vec(),
            environment: [(WORLD_ENV.to_string(), hooks().to_string())]
                .into_iter()
                .chain([("RUST_BACKTRACE".to_string(), "1".to_string())])
                // Else each host looks the same symbols up when it first calls them, in every run.
                .chain([("LD_BIND_NOW".to_string(), "1".to_string())])
                .chain(environment)
                .collect(),
            descriptors: vec![
                (commanded.into(), fd::COMMANDS),
                (answers.into(), fd::RESULTS),
                (record.try_clone()?.into(), fd::RECORD),
                (trace.try_clone()?.into(), fd::TRACE),
            ],
            stdout: output.try_clone()?.into(),
            stderr: output.try_clone()?.into(),
        };
        Ok(WorldProcess {
            group: launch.start()?,
            commands: File::from(OwnedFd::from(commands)),
            results: FrameReader::new(File::from(OwnedFd::from(results))),
            record,
            trace,
            output,
        })
    }

    /// Makes one run, in at most `limit` of real time.
    pub(crate) fn run(&mut self, command: &Command, limit: Duration) -> io::Result<Ran> {
        self.forget_last_run(command.trace)?;
        let said_before = self.output.metadata()?.len();
        // A world process that is gone cannot take the command; waiting for its answer tells why.
        let _ = write_frame(&mut self.commands, command);
        let mut memory = Memory::default();
        let (record, process) = match self.results.next(limit)? {
            Waited::Frame(Done::Ended(status, left)) => {
                memory = left;
                (self.record(status, said_before), Afterwards::Ready)
            }
            Waited::Frame(Done::Branch(..)) => {
                return Err(io::Error::other("a branch of a run that has none"));
            }
            Waited::Frame(Done::Refused(errno)) => {
                let why = nix::errno::Errno::from_raw(errno).desc();
                (Err(format!("the simulator made no run: {why}")), Afterwards::Ready)
            }
            Waited::Closed => {
                let status = self.group.kill()?;
                let why = format!("the world process {}{}", ended(status), self.said(said_before));
                let afterwards = match status.code() {
                    Some(DIED_IDLE) => Afterwards::GoneBefore,
                    _ => Afterwards::Gone,
                };
                (Err(why), afterwards)
            }
            Waited::TimedOut => {
                self.group.kill()?;
                let why = format!(
                    "the run took more than {} s of real time{}",
                    limit.as_secs(),
                    self.said(said_before)
                );
                (Err(why), Afterwards::Gone)
            }
        };
        let trace = match command.trace {
            Trace::On => read_all(&self.trace, 0)?,
            Trace::Off => String::new(),
        };
        Ok(Ran { record, trace, memory, process })
    }

    /// Makes the branches of a run, each in at most `limit` of real time, and hands each record to `each` with its place
    /// among them. Those whose fault never had its turn are not made, nor those behind one after which `each` breaks.
    pub(crate) fn run_branches(
        &mut self,
        command: &Command,
        limit: Duration,
        mut each: impl FnMut(usize, Result<RunRecord, String>) -> ControlFlow<()>,
    ) -> io::Result<Afterwards> {
        self.forget_last_run(command.trace)?;
        let mut said_before = self.output.metadata()?.len();
        // As above.
        let _ = write_frame(&mut self.commands, command);
        loop {
            match self.results.next(limit)? {
                Waited::Frame(Done::Branch(place, status)) => {
                    let record = self.record(status, said_before);
                    self.forget_last_run(command.trace)?;
                    said_before = self.output.metadata()?.len();
                    let _ = write_frame(&mut self.commands, &GoOn);
                    if each(place as usize, record).is_break() {
                        self.group.kill()?;
                        return Ok(Afterwards::Gone);
                    }
                }
                Waited::Frame(Done::Ended(..) | Done::Refused(_)) => return Ok(Afterwards::Ready),
                Waited::Closed | Waited::TimedOut => {
                    self.group.kill()?;
                    return Ok(Afterwards::Gone);
                }
            }
        }
    }

    /// The record of a run whose process ended with a wait status, or why there is none.
    fn record(&self, status: i32, said_before: u64) -> Result<RunRecord, String> {
        let process = ended(ExitStatus::from_raw(status));
        let without = |why| format!("the run's process {process}; {why}{}", self.said(said_before));
        read_record(&self.record).map_err(without)
    }

    /// The processes share one position in each file, so both are set back here.
    fn forget_last_run(&mut self, trace: Trace) -> io::Result<()> {
        let forget = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()
        };
        forget(&mut self.record)?;
        match trace {
            Trace::On => forget(&mut self.trace),
            Trace::Off => Ok(()),
        }
    }

    /// The end of what the process has written since `from`, as the end of a sentence.
    fn said(&self, from: u64) -> String {
        let length = self.output.metadata().map_or(0, |metadata| metadata.len());
        let from = from.max(length.saturating_sub(OUTPUT_SHOWN));
        match read_all(&self.output, from) {
            Ok(text) if !text.trim().is_empty() => format!("; it wrote:\n{}", text.trim()),
            _ => String::new(),
        }
    }
}

impl Drop for WorldProcess {
    /// Leaves none of its processes behind: those that it forked are not ours to wait for, but each has the pipe open for
    /// as long as it lives.
    fn drop(&mut self) {
        // Whoever drops it is past caring how it ended.
        let _ = self.group.kill();
        self.results.wait_closed(DYING);
    }
}

/// The text in a file from a position on; where the file's own position is does not matter.
pub(crate) fn read_all(file: &File, from: u64) -> io::Result<String> {
    let length = file.metadata()?.len().saturating_sub(from);
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, from)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How a process ended, as the rest of a sentence about it.
pub(crate) fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(LOADER_FAILED), _) => "could not be loaded (status 127)".to_string(),
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was killed by {}", signal_name(signal)),
        (None, None) => format!("ended in an unknown way ({status})"),
    }
}

fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal)
        .map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_string())
}

/// What a world process is told about hooks.
fn hooks() -> &'static str {
    match std::env::var(HOOKS).as_deref() {
        Ok("0") => WORLD_WITHOUT_HOOKS,
        _ => "1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: i32, expected: &str) {
        assert_eq!(ended(ExitStatus::from_raw(raw)), expected);
    }

    #[test]
    fn endings_are_told_in_words() {
        check(3 << 8, "ended with status 3");
        check(127 << 8, "could not be loaded (status 127)");
        check(11, "was killed by SIGSEGV");
        check(64, "was killed by signal 64");
    }
}
