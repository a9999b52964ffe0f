//! Starts the program and waits for it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bizarro_call::EXEC_ENV;
use bizarro_explore::RunnerError;
use bizarro_record::{Declared, Hooks, HostSpec, Messages, Role, RunRequest, WorldSpec};

use super::{Executed, Program};
use crate::supervisor::launch::{Launch, memory_file, sealed_file};
use crate::supervisor::process::{ended, read_all};
use crate::supervisor::protocol::{Done, fd, read_record};
use crate::supervisor::symbols::Symbols;
use crate::supervisor::watchdog::{FrameReader, Waited};
use crate::supervisor::{doctor, elf};

/// Runs the program to its end.
pub(super) fn exec(program: &Program) -> Result<Executed, RunnerError> {
    let path = find(&program.program)?;
    refuse_untakeable(&path)?;
    start_and_wait(program, path).map_err(|error| RunnerError::Bug(error.to_string()))?
}

fn start_and_wait(program: &Program, path: PathBuf) -> io::Result<Result<Executed, RunnerError>> {
    let (record, trace) = (memory_file("record")?, memory_file("trace")?);
    let (results, held_open) = io::pipe()?;
    let binary = binary(&path);
    let request =
        postcard::to_allocvec(&request(program, &path, &binary)).map_err(io::Error::other)?;
    let launch = Launch {
        program: path,
        name: program.program.clone(),
        arguments: program.arguments.clone(),
        environment: program
            .environment
            .iter()
            .filter_map(|entry| entry.split_once('='))
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .chain([(EXEC_ENV.to_string(), fd::EXEC.to_string())])
            .collect(),
        descriptors: vec![
            (held_open.into(), fd::RESULTS),
            (record.try_clone()?.into(), fd::RECORD),
            (trace.try_clone()?.into(), fd::TRACE),
            (sealed_file("request", &request)?, fd::EXEC),
        ],
        stdout: io::stdout().as_fd().try_clone_to_owned()?,
        stderr: io::stderr().as_fd().try_clone_to_owned()?,
    };
    let mut group = launch.start()?;
    // Nothing is written to the pipe; it is closed when the last process that has it is gone.
    let mut results = FrameReader::new(File::from(OwnedFd::from(results)));
    let is_late = matches!(results.next::<Done>(program.limit)?, Waited::TimedOut);
    let status = group.kill()?;
    let record = match read_record(&record) {
        _ if is_late => {
            Err(format!("it took more than {} s of real time", program.limit.as_secs()))
        }
        Ok(mut record) => {
            Symbols::of(&binary).name_record(&mut record);
            Ok(record)
        }
        Err(why) => Err(format!("it {}; {why}", ended(status))),
    };
    let calls = read_all(&trace, 0)?;
    Ok(record.map(|record| Executed { record, calls }).map_err(|why| not_taken_over(&why)))
}

fn not_taken_over(why: &str) -> RunnerError {
    let missing = doctor::missing();
    match missing.is_empty() {
        true => RunnerError::Bug(format!("the program left no record: {why}")),
        false => RunnerError::Usage(format!("error: {why}\n  = {}", missing.join("\n  = "))),
    }
}

/// The world of one host whose program is the process itself.
fn request(program: &Program, path: &Path, binary: &Path) -> RunRequest {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut world = WorldSpec::new(&name);
    world.hosts.push(HostSpec {
        name: "host".to_string(),
        address: Ipv4Addr::new(10, 0, 0, 1),
        cpus: 2,
        slowdown: 1,
        clock: Default::default(),
        memory_limit: crate::host::MEMORY_LIMIT,
        out_of_memory: Default::default(),
        role: Role::Workload,
        group: None,
        declared: Declared::Nothing,
        entry: 0,
        data: 0,
        executable: executable(binary),
        arguments: [&program.program].into_iter().chain(&program.arguments).cloned().collect(),
        env: program.environment.clone(),
        mounts: program.mounts.clone(),
        files: Vec::new(),
        kept: Vec::new(),
    });
    world.deadline = program.deadline.into();
    RunRequest {
        hooks: Hooks::On,
        world,
        plan: program.plan.clone(),
        messages: Messages::Hidden,
        record_fd: fd::RECORD,
        trace_fd: if program.traced { fd::TRACE } else { -1 },
        spin_limit_ms: crate::guest::SPIN_LIMIT_MS,
    }
}

/// Where the world shows the binary that runs: in the usual place, under its own name.
fn executable(binary: &Path) -> String {
    let name = binary.file_name().unwrap_or_default();
    format!("/usr/bin/{}", name.to_string_lossy())
}

/// The binary that the kernel starts for a program: for a script the last of its interpreters.
fn binary(path: &Path) -> PathBuf {
    /// Linux follows a few and then refuses.
    const SCRIPTS_MAX: usize = 5;
    let mut path = path.to_path_buf();
    for _ in 0..SCRIPTS_MAX {
        let bytes = fs::read(&path).unwrap_or_default();
        let Some(next) = interpreter(&bytes) else { break };
        path = PathBuf::from(next);
    }
    fs::canonicalize(&path).unwrap_or(path)
}

/// The executable, as a shell finds it.
fn find(program: &str) -> Result<PathBuf, RunnerError> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let candidates: Vec<PathBuf> = match program.contains('/') {
        true => vec![here.join(program)],
        false => {
            std::env::split_paths(&directories).map(|path| here.join(path).join(program)).collect()
        }
    };
    let is_executable = |path: &&PathBuf| {
        fs::metadata(path)
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    candidates.iter().find(is_executable).cloned().ok_or_else(|| {
        RunnerError::Usage(format!(
            "error: `{program}` is no executable file\n  = write the path of one, or a name that PATH leads to"
        ))
    })
}

/// Refuses what the dynamic loader would start without the shared object.
fn refuse_untakeable(path: &Path) -> Result<(), RunnerError> {
    const SET_ID: u32 = 0o6000;
    let refuse = |why: &str| {
        Err(RunnerError::Usage(format!(
            "error: {} cannot be taken over: {why}\n  = Bizarro runs dynamically linked programs of x86_64 Linux with glibc",
            path.display()
        )))
    };
    let unreadable =
        |error: io::Error| RunnerError::Usage(format!("error: {}: {error}", path.display()));
    let mut file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.permissions().mode() & SET_ID != 0 {
        return refuse(
            "it runs with another user's rights, and the dynamic loader then takes no orders",
        );
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    match interpreter(&bytes) {
        Some(interpreter) => refuse_untakeable(Path::new(&interpreter)),
        None if !elf::is_elf(&bytes) => refuse("it is not a program"),
        None if !elf::is_dynamic(&bytes) => refuse("it is linked statically"),
        None => Ok(()),
    }
}

/// What runs a script (execve(2)).
fn interpreter(file: &[u8]) -> Option<String> {
    let line = file.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    String::from_utf8_lossy(line).split_whitespace().next().map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn script(first_line: &str, mode: u32) -> tempfile::TempPath {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{first_line}").unwrap();
        file.as_file().set_permissions(fs::Permissions::from_mode(mode)).unwrap();
        file.into_temp_path()
    }

    fn refused(path: &Path) -> String {
        let RunnerError::Usage(text) = refuse_untakeable(path).unwrap_err() else {
            panic!("not the user's mistake");
        };
        text
    }

    #[test]
    fn what_would_run_on_the_machine_itself_is_refused() {
        assert!(refused(&script("hello", 0o755)).contains("it is not a program"));
        let inner = script("hello", 0o755);
        let outer = script(&format!("#! {} -x", inner.display()), 0o755);
        assert!(refused(&outer).contains(&format!("{} cannot be taken over", inner.display())));
        assert!(refused(&script("#!/bin/sh", 0o4755)).contains("another user's rights"));
        assert_eq!(refuse_untakeable(&script("#!/bin/sh", 0o755)), Ok(()));
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        assert!(find("sh").unwrap().ends_with("sh"));
        assert_eq!(find("/bin/sh").unwrap(), Path::new("/bin/sh"));
        assert!(find("/etc/passwd").is_err());
        assert!(find("no-such-program").unwrap_err().to_string().contains("`no-such-program`"));
    }
}
