//! Starts a process with the simulator in it: same addresses, same environment, same directory,
//! whatever the machine and the shell; and ends it with everything that it started.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;

use command_fds::{CommandFdExt, FdMapping};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::personality::{self, Persona};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::protocol::fd;

/// The simulator, as the build script made it.
static SHARED_OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libbizarro.so"));

/// What to start. The shared object and its variable are added.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The executable.
    pub(crate) program: PathBuf,
    /// What it is told to be called.
    pub(crate) name: String,
    /// Its other arguments.
    pub(crate) arguments: Vec<String>,
    /// Its whole environment but for what the dynamic loader and the C library are told.
    pub(crate) environment: Vec<(String, String)>,
    /// Descriptors by the number that it finds them under.
    pub(crate) descriptors: Vec<(OwnedFd, i32)>,
    /// Where its standard output goes.
    pub(crate) stdout: OwnedFd,
    /// Where its standard error goes.
    pub(crate) stderr: OwnedFd,
}

/// A process and every process that it started, which end with this value at the latest.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    ended: Option<ExitStatus>,
}

impl Launch {
    /// Starts the process. It has a process group of its own, no standard input, and dies with the
    /// supervisor if it says so itself (PR_SET_PDEATHSIG(2const)): its parent is a thread that lives as long as
    /// the supervisor does.
    pub(crate) fn start(self) -> io::Result<Group> {
        let (answer, answered) = mpsc::sync_channel(1);
        spawner().send((self, answer)).map_err(io::Error::other)?;
        answered.recv().map_err(io::Error::other)?
    }

    fn spawn(self) -> io::Result<Group> {
        let mut command = Command::new(&self.program);
        command
            .arg0(&self.name)
            .args(&self.arguments)
            .env_clear()
            .env("LD_PRELOAD", format!("/proc/self/fd/{}", fd::SHARED_OBJECT))
            // Restartable sequences are the real kernel's business with a real thread; a C library that has
            // none for its first thread asks for none for the others.
            .env("GLIBC_TUNABLES", "glibc.pthread.rseq=0")
            .envs(self.environment)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(self.stdout)
            .stderr(self.stderr)
            .process_group(0);
        let mut mappings = vec![mapping(shared_object()?.try_clone()?, fd::SHARED_OBJECT)];
        mappings.extend(self.descriptors.into_iter().map(|(file, number)| mapping(file, number)));
        command.fd_mappings(mappings).map_err(io::Error::other)?;
        Ok(Group { leader: command.spawn()?, ended: None })
    }
}

fn mapping(parent_fd: OwnedFd, child_fd: i32) -> FdMapping {
    FdMapping { parent_fd, child_fd }
}

impl Group {
    /// Kills what is left of it, and tells how the first process ended.
    pub(crate) fn kill(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        // Until it is waited for, the leader's id cannot belong to another group. An error means that
        // the group is gone already.
        let _ = killpg(Pid::from_raw(self.leader.id() as i32), Signal::SIGKILL);
        self.wait()
    }

    /// Waits until the first process has ended by itself. What it started may still run.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.leader.wait()?;
        self.ended = Some(status);
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Whoever drops a group is past caring how it ended.
        let _ = self.kill();
    }
}

type Request = (Launch, mpsc::SyncSender<io::Result<Group>>);

/// The thread that all world processes are children of. The parent-death signal follows the thread
/// that forked, not its process (PR_SET_PDEATHSIG(2const)), so it must be one that does not end; and it can keep
/// address space randomisation off for its children without changing anything for the others.
fn spawner() -> &'static mpsc::SyncSender<Request> {
    static SPAWNER: OnceLock<mpsc::SyncSender<Request>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (requests, requested) = mpsc::sync_channel::<Request>(0);
        let serve = move || {
            switch_off_randomisation();
            for (launch, answer) in requested {
                // Whoever asked may have gone; then the group is killed as it is dropped.
                let _ = answer.send(launch.spawn());
            }
        };
        thread::Builder::new().name("bizarro-spawner".into()).spawn(serve).expect("a thread");
        requests
    })
}

/// Where this is refused (Docker's default profile does), images lie at random addresses; the
/// simulator places all other memory itself.
fn switch_off_randomisation() {
    if let Ok(persona) = personality::get() {
        let _ = personality::set(persona | Persona::ADDR_NO_RANDOMIZE);
    }
}

/// A file in memory.
pub(crate) fn memory_file(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?))
}

/// A file in memory that nobody can change any more.
pub(crate) fn sealed_file(name: &str, content: &[u8]) -> io::Result<OwnedFd> {
    let mut file =
        File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?);
    file.write_all(content)?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::all()))?;
    Ok(file.into())
}

/// The shared object as a file, written once in the life of the supervisor.
fn shared_object() -> io::Result<&'static OwnedFd> {
    static FILE: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(file) = FILE.get() {
        return Ok(file);
    }
    let file = sealed_file("libbizarro.so", SHARED_OBJECT)?;
    Ok(FILE.get_or_init(|| file))
}
