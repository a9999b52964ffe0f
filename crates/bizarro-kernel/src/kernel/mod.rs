//! The kernel as a value: what all hosts share.
//!
//! [`Kernel::call`] and [`Kernel::schedule`] are where the runtime comes in.

mod call;
mod clock_fault;
mod disk;
mod disk_faults;
mod incident;
mod machine_fault;
mod network;
pub(crate) mod ntp;
pub mod oom;
mod schedule;
mod standstill;
mod tasks;
pub(crate) mod time;
mod wait;

pub use disk_faults::Left;

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bizarro_record::{Ending, Event, Nanos, Role, Stats, WorldSpec};

use crate::fingerprint::Fingerprint;
use crate::fs::Fs;
use crate::host::{Host, HostId, Life};
use crate::kernel::incident::Incidents;
use crate::net::{HostFault, Net, NetEvent, SockId, Wake};
use crate::object::{ObjId, Objects};
use crate::seams::{Decider, Observer, Outside};
use crate::sys::futex::Futexes;
use crate::sys::pipe::Pipes;
use crate::task::{Task, TaskId, Wait};
use crate::timers::Timers;

/// How a call reached the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// A system-call instruction was trapped.
    Trap,
    /// A replaced symbol of the C library.
    Hook,
}

/// What the runtime does after a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// The call is done; this is what the guest's `rax` shows. Signals may be waiting, see [`Kernel::attention`].
    Return(u64),
    /// The call waits, or the task gave way: run what [`Kernel::schedule`] says, and make the same call
    /// again when this task's turn comes.
    Again,
    /// Signal handlers run now, then the same call is made again (SA_RESTART).
    Restart,
    /// The task has ended: run what [`Kernel::schedule`] says and never come back.
    Gone,
    /// A thread was made. The runtime gives it a stack and registers; the caller's `rax` shows its `tid`.
    Cloned(Cloned),
}

/// A thread that was made by clone(2) or clone3(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cloned {
    /// The new task, already in the run queue.
    pub task: TaskId,
    /// Its thread id.
    pub tid: u32,
    /// Its initial stack pointer.
    pub stack: u64,
    /// Its thread pointer (FS base), if CLONE_SETTLS was asked for.
    pub tls: Option<u64>,
}

/// Who runs next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// This task.
    Task(TaskId),
    /// The runtime itself: there are commands, see [`Kernel::take_command`].
    Root,
}

/// What the runtime has to do outside any task.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Start this host's program as a new process.
    Start(HostId),
    /// Free the memory of this host's process: all of its tasks have gone.
    TearDown(HostId),
    /// The heap of this host's process may grow to so many bytes.
    LimitHeap(HostId, u64),
    /// The run is over.
    End(Ending),
}

/// How long a crashed host's program is down.
pub const RESTART_AFTER: Nanos = Nanos::from_secs(1);
/// How long a host is down that lost its power.
pub const BOOT_AFTER: Nanos = Nanos::from_secs(10);
/// How long a paused host stands still.
pub const PAUSE: Nanos = Nanos::from_secs(15);

/// A simulated Linux for many hosts.
pub struct Kernel {
    /// True virtual time.
    pub now: Nanos,
    /// True time at which the world started, in nanoseconds since 1970.
    pub epoch: u64,
    /// The hosts, by index.
    pub hosts: Vec<Host>,
    /// The task that runs.
    pub current: TaskId,
    /// All open file descriptions.
    pub objects: Objects,
    /// All pipes.
    pub pipes: Pipes,
    /// The network.
    pub net: Net,
    /// What happens later.
    pub timers: Timers,
    /// Tasks that wait on futexes.
    pub futexes: Futexes,
    /// Where choices come from.
    pub decider: Box<dyn Decider>,
    /// Where effects go.
    pub observer: Box<dyn Observer>,
    /// Real directories that were mounted.
    pub outside: Option<Box<dyn Outside>>,
    /// Hash of all effects.
    pub fingerprint: Fingerprint,
    /// Counts.
    pub stats: Stats,
    pub(crate) cloned: Option<Cloned>,
    tasks: Vec<Option<Task>>,
    free_tasks: Vec<TaskId>,
    run_queue: VecDeque<TaskId>,
    commands: VecDeque<Command>,
    tickets: u64,
    cost: Nanos,
    deadline: Nanos,
    ended: bool,
    socket_objects: Vec<Option<ObjId>>,
    net_timers: Vec<(Nanos, NetEvent)>,
    net_wakes: Vec<Wake>,
    net_strikes: Vec<HostFault>,
    net_released: Vec<u64>,
    /// The disk of this host asked for something in the current call, see [`Kernel::heed_disk`].
    pub(crate) disk_asks: Option<HostId>,
    pub(crate) incidents: Incidents,
    /// The disk of some host is slow.
    a_disk_is_slow: bool,
    /// Who waits in close(2) for what a socket still sends (SO_LINGER).
    pub(crate) lingering: Vec<(SockId, Wait)>,
}

impl Kernel {
    /// The disks of a world's hosts before anything has happened. A copy of them is cheap, and every run of the
    /// same world begins with one.
    ///
    /// # Panics
    /// See [`Host::fresh_disk`].
    pub fn disks(spec: &WorldSpec, outside: &mut dyn Outside) -> Vec<Fs> {
        spec.hosts.iter().map(|host| Host::fresh_disk(spec, host, outside)).collect()
    }

    /// A world in which nothing has happened yet, with the hosts' disks; the hosts' programs are to be started (see
    /// [`Command::Start`]).
    pub fn new(
        spec: &WorldSpec,
        disks: Vec<Fs>,
        decider: Box<dyn Decider>,
        observer: Box<dyn Observer>,
        outside: Box<dyn Outside>,
    ) -> Kernel {
        let incidents = [spec.incidents.clone(), decider.incidents()].concat();
        let hosts: Vec<Host> = (0..)
            .zip(spec.hosts.iter().zip(disks))
            .map(|(index, (host, disk))| {
                let names = [host.name.as_str(), host.group_name()];
                let mut disk = incident::ready_disk(disk, &incidents, &names);
                if decider.may_take_power() {
                    disk.keep_platter();
                }
                Host::new(HostId(index), host, spec.epoch, disk)
            })
            .collect();
        let commands: VecDeque<Command> =
            hosts.iter().map(|host| Command::Start(host.id)).collect();
        let mut kernel = Kernel {
            now: Nanos::ZERO,
            epoch: spec.epoch,
            hosts,
            current: TaskId(0),
            objects: Objects::default(),
            pipes: Pipes::default(),
            net: Net::new(spec),
            timers: Timers::default(),
            futexes: Futexes::default(),
            decider,
            observer,
            outside: Some(outside),
            fingerprint: Fingerprint::default(),
            stats: Stats::default(),
            cloned: None,
            tasks: Vec::new(),
            free_tasks: Vec::new(),
            run_queue: VecDeque::new(),
            commands,
            tickets: 0,
            cost: spec.syscall_cost,
            deadline: spec.deadline,
            ended: false,
            socket_objects: Vec::new(),
            net_timers: Vec::new(),
            net_wakes: Vec::new(),
            net_strikes: Vec::new(),
            net_released: Vec::new(),
            disk_asks: None,
            incidents: Incidents::new(incidents),
            a_disk_is_slow: false,
            lingering: Vec::new(),
        };
        kernel.look_out();
        kernel.start_time_daemons(spec);
        kernel
    }

    /// The current task's host.
    #[inline]
    pub fn host(&self) -> &Host {
        &self.hosts[usize::from(self.task().host.0)]
    }

    /// The current task's host.
    #[inline]
    pub fn host_mut(&mut self) -> &mut Host {
        let index = usize::from(self.task().host.0);
        &mut self.hosts[index]
    }

    /// The current task's host's index.
    #[inline]
    pub fn host_id(&self) -> HostId {
        self.task().host
    }

    /// Tells the observer of something that the current task did.
    pub fn emit(&mut self, event: Event) {
        let (host, tid) = (self.task().host.0, self.task().tid);
        self.observer.event(self.now, host, tid, event);
    }

    /// Whether no workload runs any more.
    pub(crate) fn workloads_have_ended(&self) -> bool {
        self.hosts
            .iter()
            .filter(|host| host.spec.role == Role::Workload)
            .all(|host| matches!(host.life, Life::Ended(_)))
    }
}
