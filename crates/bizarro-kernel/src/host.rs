//! Hosts: what belongs to a simulated machine and to the process on it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bizarro_record::{HostSpec, Nanos, WorldSpec};

use alloc::boxed::Box;

use crate::clock::{Due, HostClock};
use crate::fs::locks::Locks;
use crate::fs::{Cred, Fs, Ino, Realtime, Standard};
use crate::kernel::Left;
use crate::kernel::oom::Committed;
use crate::kernel::time::TimeKeeping;
use crate::net::Deadly;
use crate::object::Descriptors;
use crate::seams::Outside;
use crate::shared::SharedMaps;
use crate::signal::ProcessSignals;
use crate::sys::pipe::PipeId;
use crate::task::{TaskId, Wait};

/// Index of a host in its world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct HostId(pub u16);

/// Where a host's program is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// Not started yet, or crashed and not started again yet.
    Down,
    /// Its program runs.
    Up,
    /// Its program ended, with this status, and will not be started again.
    Ended(i32),
}

/// One resource limit (getrlimit(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// What is enforced.
    pub soft: u64,
    /// What the soft limit may be raised to.
    pub hard: u64,
}

/// No limit (RLIM_INFINITY).
pub const UNLIMITED: u64 = u64::MAX;
/// Number of resources that have a limit.
pub const LIMITS: usize = 16;

/// An interval timer that sends SIGALRM (setitimer(2), ITIMER_REAL).
#[derive(Clone, Copy, Debug, Default)]
pub struct IntervalTimer {
    /// When it expires; `None` while it is not armed.
    pub expires: Option<Due>,
    /// After that, how often; zero for once.
    pub interval: Nanos,
    /// Counts settings, so that an old expiry is not taken for a new one.
    pub generation: u32,
}

/// The process that a host runs, from one start to its end.
#[derive(Debug)]
pub struct Process {
    /// Its process id.
    pub pid: u32,
    /// Its tasks, in the order of their making.
    pub tasks: Vec<TaskId>,
    /// Its descriptors.
    pub descriptors: Descriptors,
    /// Its working directory.
    pub cwd: Ino,
    /// Its file mode creation mask.
    pub umask: u32,
    /// Its resource limits, by RLIMIT_ number.
    pub limits: [Limit; LIMITS],
    /// Handlers and pending signals.
    pub signals: ProcessSignals,
    /// ITIMER_REAL.
    pub interval: IntervalTimer,
    /// timer_create(2)'s timers, by number.
    pub posix_timers: Vec<Option<crate::sys::timer::PosixTimer>>,
    /// FIFOs that have an end open, by their inode.
    pub fifos: BTreeMap<Ino, PipeId>,
    /// What it has mapped to write.
    pub committed: Committed,
    /// PR_SET_DUMPABLE.
    pub dumpable: bool,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privileges: bool,
    /// When it was started, in true time.
    pub started: Nanos,
    /// What CLOCK_BOOTTIME showed then.
    pub started_after_boot: Nanos,
    /// Files that it has mapped and shares with other mappings.
    pub shared: SharedMaps,
    /// Ends of the output lines: what was written to stdout and stderr since the last newline.
    pub partial_output: [Vec<u8>; 2],
}

/// The process id of a host's first program. Not 1: programs treat being `init` as special.
const FIRST_PID: u32 = 100;
/// What a host's disk holds.
const DISK_CAPACITY: u64 = 64 << 30;

/// A simulated machine.
pub struct Host {
    /// Its index.
    pub id: HostId,
    /// What the test said of it.
    pub spec: HostSpec,
    /// What its clocks show.
    pub clock: HostClock,
    /// What is done to them.
    pub(crate) time: TimeKeeping,
    /// Its disk; away while a path is being resolved, which looks at the rest of the kernel.
    disk: Option<Box<Fs>>,
    /// The process it runs.
    pub process: Process,
    /// Locks on its files.
    pub locks: Locks,
    /// Tasks that wait for such a lock.
    pub lock_waiters: Vec<Wait>,
    /// Where its program is in its life.
    pub life: Life,
    /// How many times its program has been started.
    pub incarnation: u32,
    /// Its process is killed at one of its first system calls, up to this one, as often as it is started.
    pub(crate) crash_at_calls: Option<u32>,
    /// The task that was held without being named.
    pub(crate) held_task: Option<u32>,
    /// Bytes of memory that its process may use.
    pub memory_limit: u64,
    /// How many times as long as elsewhere its CPUs take for what a program does, from 1.
    pub slowdown: u32,
    /// Until when each of its CPUs is busy, where that is kept.
    pub(crate) cpus_busy: Vec<Nanos>,
    /// It stands still until then.
    pub paused_until: Option<Nanos>,
    /// Runnable tasks that wait for the end of the pause.
    pub parked: Vec<TaskId>,
    /// A planned crash strikes at this one of its next system calls, from 1.
    pub crash_at: Option<(u32, Deadly)>,
    /// Something has to be looked at before each of its system calls.
    pub(crate) watched: bool,
    /// How many it has made, where an incident waits for one.
    pub(crate) counted_calls: Option<u64>,
    /// It has no power.
    pub(crate) is_off: bool,
    /// How many times it has started anew after a loss of power.
    pub(crate) boots: u32,
    /// Its power has failed, and this is left of its disk as soon as the memory of its process was looked at.
    pub power_lost: Option<Left>,
    /// Calls that reach its disk take so much longer.
    pub disk_delay: Option<Nanos>,
    /// The next process id.
    pub next_pid: u32,
}

impl Host {
    /// Its disk.
    #[inline]
    pub fn disk(&self) -> &Fs {
        self.disk.as_deref().expect("the disk is there between calls")
    }

    /// Its disk, to be changed.
    #[inline]
    pub fn fs(&mut self) -> &mut Fs {
        self.disk.as_deref_mut().expect("the disk is there between calls")
    }

    pub(crate) fn take_disk(&mut self) -> Box<Fs> {
        self.disk.take().expect("only one call resolves at a time")
    }

    pub(crate) fn put_disk(&mut self, disk: Box<Fs>) {
        self.disk = Some(disk);
    }

    /// The disk of a host whose program has not been started yet.
    ///
    /// # Panics
    /// Where a file or a mount of the test cannot be put onto it; the facade has checked them.
    pub fn fresh_disk(world: &WorldSpec, spec: &HostSpec, outside: &mut dyn Outside) -> Fs {
        let now = Realtime(world.epoch.saturating_add_signed(spec.clock.offset) as i64);
        let standard = Standard {
            hostname: &spec.name,
            address: spec.address,
            nameserver: crate::net::RESOLVER,
            cpus: spec.cpus,
            capacity: DISK_CAPACITY,
            machine_id: u128::from(spec.address.to_bits()) << 64 | 0xb12a_2200,
            executable: &spec.executable,
            files: &spec.files,
            now,
        };
        let mut fs = match Fs::standard(&standard) {
            Ok(fs) => fs,
            Err(errno) => panic!("a file of host {} cannot be made: {errno}", spec.name),
        };
        for mount in &spec.mounts {
            if let Err(errno) = fs.mount(&mount.target, &mount.source, now, outside) {
                panic!("{} cannot be mounted on host {}: {errno}", mount.source, spec.name);
            }
        }
        fs
    }

    /// A host with this disk in a world that starts at `epoch`, in nanoseconds since 1970, whose program has not been started yet.
    pub fn new(id: HostId, spec: &HostSpec, epoch: u64, disk: Fs) -> Host {
        Host {
            id,
            clock: HostClock::new(&spec.clock, epoch),
            time: TimeKeeping::default(),
            spec: spec.clone(),
            disk: Some(Box::new(disk)),
            process: Process::new(0, Fs::ROOT, Nanos::ZERO),
            locks: Locks::default(),
            lock_waiters: Vec::new(),
            life: Life::Down,
            incarnation: 0,
            crash_at_calls: None,
            held_task: None,
            memory_limit: spec.memory_limit,
            slowdown: spec.slowdown.max(1),
            cpus_busy: Vec::new(),
            paused_until: None,
            parked: Vec::new(),
            crash_at: None,
            watched: spec.slowdown > 1,
            counted_calls: None,
            is_off: false,
            boots: 0,
            power_lost: None,
            disk_delay: None,
            next_pid: FIRST_PID,
        }
    }

    /// Whether none of its tasks runs: it is paused, or frozen.
    #[inline]
    pub fn stands_still(&self) -> bool {
        self.paused_until.is_some() || self.clock.is_frozen()
    }

    /// Who its program is: root, as in most containers.
    pub fn cred(&self) -> Cred {
        Cred { uid: 0, gid: 0 }
    }

    /// Its name.
    pub fn name(&self) -> &String {
        &self.spec.name
    }
}

impl Process {
    /// A process without tasks, descriptors, handlers.
    pub fn new(pid: u32, root: Ino, now: Nanos) -> Process {
        Process {
            pid,
            tasks: Vec::new(),
            descriptors: Descriptors::default(),
            cwd: root,
            umask: 0o022,
            limits: default_limits(),
            signals: ProcessSignals::default(),
            interval: IntervalTimer::default(),
            posix_timers: Vec::new(),
            fifos: BTreeMap::new(),
            committed: Committed::default(),
            dumpable: true,
            no_new_privileges: false,
            started: now,
            started_after_boot: Nanos::ZERO,
            shared: SharedMaps::default(),
            partial_output: [Vec::new(), Vec::new()],
        }
    }
}

/// What a Debian login shell shows with `ulimit -a`, but for the stack and core limits that matter to nobody here.
fn default_limits() -> [Limit; LIMITS] {
    let mut limits = [Limit { soft: UNLIMITED, hard: UNLIMITED }; LIMITS];
    limits[libc::RLIMIT_STACK as usize] = Limit { soft: 8 << 20, hard: UNLIMITED };
    limits[libc::RLIMIT_CORE as usize] = Limit { soft: 0, hard: UNLIMITED };
    limits[libc::RLIMIT_NOFILE as usize] = Limit { soft: 1024, hard: 1 << 20 };
    limits[libc::RLIMIT_MEMLOCK as usize] = Limit { soft: 8 << 20, hard: 8 << 20 };
    limits[libc::RLIMIT_NPROC as usize] = Limit { soft: 63_000, hard: 63_000 };
    limits[libc::RLIMIT_SIGPENDING as usize] = Limit { soft: 63_000, hard: 63_000 };
    limits[libc::RLIMIT_MSGQUEUE as usize] = Limit { soft: 819_200, hard: 819_200 };
    limits[libc::RLIMIT_NICE as usize] = Limit { soft: 0, hard: 0 };
    limits[libc::RLIMIT_RTPRIO as usize] = Limit { soft: 0, hard: 0 };
    limits
}
