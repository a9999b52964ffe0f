//! What the texts of /proc are made of, and which fact becomes which text.

use alloc::string::String;
use alloc::vec::Vec;

use bizarro_record::Nanos;

use super::table::ProcEntry;
use super::{host_text, process_text};
use crate::fs::types::{Cred, Ino};

/// Everything that a file of /proc may tell.
#[derive(Clone, Copy, Debug)]
pub struct ProcFacts<'a> {
    /// About the host.
    pub host: &'a HostFacts,
    /// About the process that the file is of; for a file of the host, the caller's.
    pub process: &'a ProcessFacts,
    /// About the task that the file is of; for a file of a process, its first.
    pub task: &'a TaskFacts,
}

/// About a host.
#[derive(Clone, Debug, Default)]
pub struct HostFacts {
    /// Its name.
    pub hostname: String,
    /// `uname -r`, such as `6.1.0`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// CPUs.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Bytes of memory that nobody uses.
    pub memory_free: u64,
    /// Since it was started.
    pub uptime: Nanos,
    /// All its CPUs together did nothing for so long.
    pub idle: Nanos,
    /// When it was started, in seconds since 1970.
    pub booted_s: u64,
    /// Tasks that can run now.
    pub running: u32,
    /// Tasks in all.
    pub tasks: u32,
    /// The pid that was given last.
    pub last_pid: u32,
    /// Switches between tasks since it was started.
    pub switches: u64,
    /// Tasks made since it was started.
    pub forks: u64,
    /// Drawn when it was started.
    pub boot_id: [u8; 16],
    /// Drawn for this reading.
    pub uuid: [u8; 16],
}

/// About a process.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    /// Its pid.
    pub pid: u32,
    /// Its parent's pid.
    pub ppid: u32,
    /// Its process group.
    pub pgid: u32,
    /// Its session.
    pub sid: u32,
    /// Arguments, each ended by a NUL.
    pub cmdline: Vec<u8>,
    /// Environment, each ended by a NUL.
    pub environ: Vec<u8>,
    /// Auxiliary vector, as the program got it.
    pub auxv: Vec<u8>,
    /// Tasks.
    pub threads: u32,
    /// Its user and group; `None` is root.
    pub cred: Option<Cred>,
    /// Its umask.
    pub umask: u32,
    /// Descriptors that its table has room for.
    pub fd_size: u32,
    /// Bytes of mappings.
    pub memory_mapped: u64,
    /// Bytes of memory in use.
    pub memory_resident: u64,
    /// Bytes of stack.
    pub memory_stack: u64,
    /// Bytes of data and heap.
    pub memory_data: u64,
    /// Bytes of program text.
    pub memory_text: u64,
    /// After the start of the host.
    pub started: Nanos,
    /// Time in the program.
    pub user_time: Nanos,
    /// Time in the kernel.
    pub system_time: Nanos,
    /// Its resource limits.
    pub limits: LimitFacts,
    /// What it read and wrote.
    pub io: IoFacts,
    /// oom_score_adj, -1000 to 1000.
    pub oom_score_adj: i32,
    /// Signals that wait for any of its tasks, one bit each from 1 on.
    pub pending: u64,
}

/// About a task.
#[derive(Clone, Debug)]
pub struct TaskFacts {
    /// Its tid.
    pub tid: u32,
    /// Its name, at most 15 bytes.
    pub comm: Vec<u8>,
    /// `R`, `S`, `T` or `Z`, as proc_pid_stat(5) lists them.
    pub state: char,
    /// Its signals.
    pub signals: SignalFacts,
    /// Times it blocked.
    pub voluntary_switches: u64,
    /// Times it was preempted.
    pub involuntary_switches: u64,
}

/// Sets of signals, one bit each from signal 1 on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignalFacts {
    /// Waiting for this task.
    pub pending: u64,
    /// Blocked by this task.
    pub blocked: u64,
    /// Ignored by the process.
    pub ignored: u64,
    /// Caught by the process.
    pub caught: u64,
}

/// One mapping.
#[derive(Clone, Debug, Default)]
pub struct MapFacts {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// mmap(2)'s protection.
    pub prot: i32,
    /// Whether it is shared.
    pub shared: bool,
    /// Where in the file it begins.
    pub offset: u64,
    /// The file's device.
    pub dev: (u32, u32),
    /// The file, if it is mapped from one.
    pub ino: Option<Ino>,
    /// The file's path, `[heap]`, `[stack]`, or nothing.
    pub name: Vec<u8>,
}

/// Resource limits: soft and hard, `u64::MAX` for none, by the number of getrlimit(2)'s resource.
#[derive(Clone, Debug)]
pub struct LimitFacts(pub [(u64, u64); 16]);

impl Default for LimitFacts {
    fn default() -> LimitFacts {
        LimitFacts([(u64::MAX, u64::MAX); 16])
    }
}

/// What a process read and wrote, proc_pid_io(5).
#[derive(Clone, Copy, Debug, Default)]
pub struct IoFacts {
    /// Bytes that read calls gave.
    pub read_chars: u64,
    /// Bytes that write calls took.
    pub written_chars: u64,
    /// Read calls.
    pub read_calls: u64,
    /// Write calls.
    pub write_calls: u64,
    /// Bytes from the disk.
    pub read_bytes: u64,
    /// Bytes to the disk.
    pub written_bytes: u64,
}

/// The text that `entry` shows, or `None` where it is no matter of these facts: directories, links
/// and the mount tables.
pub fn text(entry: ProcEntry, facts: &ProcFacts<'_>) -> Option<Vec<u8>> {
    host_text::text(entry, facts.host).or_else(|| process_text::text(entry, facts))
}
