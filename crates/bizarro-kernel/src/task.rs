//! Tasks: what the scheduler runs. A guest's thread is a task.

use bizarro_record::Nanos;

use crate::clock::Due;
use crate::host::HostId;
use crate::object::ObjId;
use crate::seams::Turn;
use crate::signal::TaskSignals;

/// Names a task. Numbers are used again after a task has gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct TaskId(pub u32);

/// A task's wait: waking it is a no-op once the task waits for something else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wait {
    /// Who waits.
    pub task: TaskId,
    /// Which of its waits; unique over all tasks.
    pub ticket: u64,
}

/// Where a task is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskState {
    /// In the run queue, or running.
    Runnable,
    /// Waits; see [`Task::waits_for`].
    Waiting,
    /// Has ended; its number may be used again.
    Gone,
}

/// What a task waits for, for whoever asks why it does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitsFor {
    /// Nothing.
    Nothing,
    /// A futex at this address.
    Futex(u64),
    /// A descriptor's object to become ready.
    Object(ObjId),
    /// One of several descriptors.
    Objects,
    /// Time to pass.
    Time,
    /// A signal.
    Signal,
    /// A file lock.
    Lock,
    /// A disk that is slow.
    Disk,
}

/// The system call that a task is in. Outlives its attempts: a call that blocks is made again on waking.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallState {
    /// The call was attempted before, or was about to be when another task got its turn.
    pub again: bool,
    /// The last attempt waited: a signal ends it.
    pub blocked: bool,
    /// The call gives up then. Set by the first attempt.
    pub deadline: Option<Due>,
    /// Somebody woke the task on purpose (futex).
    pub woken: bool,
    /// What earlier attempts have already done, in the handler's own unit (bytes written, say).
    pub progress: u64,
    /// An earlier attempt stood in the queue of a futex.
    pub queued: bool,
    /// The end of a FIFO that open(2) holds while it waits for the other one, and how often that had
    /// been opened before.
    pub opening: Option<(ObjId, u64)>,
    /// It waits for a slow disk until then, and goes on afterwards.
    pub disk_until: Option<Nanos>,
    /// When recvmmsg(2) takes no further message. It ends no wait.
    pub limit: Option<Due>,
    /// Where a sleep's unslept rest goes if a signal ends it; 0 for nowhere.
    pub remainder: u64,
    /// A signal mask that the call replaced for its duration (ppoll, sigsuspend).
    pub saved_mask: Option<u64>,
}

/// A task.
#[derive(Debug)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// Where it runs.
    pub host: HostId,
    /// Its thread id, as the guest sees it.
    pub tid: u32,
    /// Its name (PR_SET_NAME), zero-padded.
    pub name: [u8; 16],
    /// Where it is in its life.
    pub state: TaskState,
    /// Its current wait.
    pub ticket: u64,
    /// Why it waits.
    pub waits_for: WaitsFor,
    /// The call it is in.
    pub call: CallState,
    /// The thread pointer that it was made with (CLONE_SETTLS).
    pub thread_pointer: u64,
    /// Cleared and woken at its end (CLONE_CHILD_CLEARTID, set_tid_address(2)).
    pub clear_tid: u64,
    /// Head of its list of robust futexes (set_robust_list(2)).
    pub robust_list: u64,
    /// Its registered area for restartable sequences (rseq(2)), or 0.
    pub restartable: u64,
    /// Mask, pending signals, alternate stack.
    pub signals: TaskSignals,
    /// System calls since it last gave way.
    pub slice: u32,
    /// System calls that it has begun.
    pub calls: u32,
    /// Turns that it had.
    pub turns: u32,
    /// It gets no turn before this true time.
    pub held_until: Option<Nanos>,
    /// It could run but for that, and is in no queue.
    pub is_held_back: bool,
}

impl Task {
    /// A runnable task.
    pub fn new(id: TaskId, host: HostId, tid: u32, name: [u8; 16]) -> Task {
        Task {
            id,
            host,
            tid,
            name,
            state: TaskState::Runnable,
            ticket: 0,
            waits_for: WaitsFor::Nothing,
            call: CallState::default(),
            thread_pointer: 0,
            clear_tid: 0,
            robust_list: 0,
            restartable: 0,
            signals: TaskSignals::default(),
            slice: 0,
            calls: 0,
            turns: 0,
            held_until: None,
            is_held_back: false,
        }
    }

    /// What a decider sees of it.
    #[inline]
    pub(crate) fn turn(&self) -> Turn {
        Turn { host: self.host.0, tid: self.tid, calls: self.calls, turns: self.turns }
    }

    /// Its name without the padding, as text.
    pub fn name(&self) -> alloc::borrow::Cow<'_, str> {
        let end = self.name.iter().position(|byte| *byte == 0).unwrap_or(self.name.len());
        alloc::string::String::from_utf8_lossy(&self.name[..end])
    }
}
