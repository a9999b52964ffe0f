//! Threads and futexes: clone(2), exit(2), futex(2), robust lists, and giving way.

use alloc::collections::{BTreeMap, VecDeque};

use crate::errno::{Errno, Stop, SysResult};
use crate::host::HostId;
use crate::kernel::{Cloned, Kernel};
use crate::seams::GuestMemory;
use crate::table::Arg::{Hex, Int, Ptr, Size};
use crate::table::{Args, Row, Support, row};
use crate::task::{Wait, WaitsFor};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_clone, "clone", &[Hex, Ptr, Ptr, Ptr, Ptr], clone)
        .support(Support::Partial("threads; a process that forks another is not simulated")),
    row(libc::SYS_clone3, "clone3", &[Ptr, Size], clone3)
        .support(Support::Partial("threads; a process that forks another is not simulated")),
    row(libc::SYS_exit, "exit", &[Int], exit),
    row(libc::SYS_exit_group, "exit_group", &[Int], exit_group),
    row(libc::SYS_futex, "futex", &[Ptr, Hex, Int, Ptr, Ptr, Hex], futex)
        .restarts()
        .support(Support::Partial("priority inheritance and FUTEX_FD are not simulated")),
    row(libc::SYS_sched_yield, "sched_yield", &[], sched_yield),
    row(libc::SYS_set_robust_list, "set_robust_list", &[Ptr, Size], set_robust_list),
    row(libc::SYS_get_robust_list, "get_robust_list", &[Int, Ptr, Ptr], get_robust_list),
    row(libc::SYS_set_tid_address, "set_tid_address", &[Ptr], set_tid_address),
    row(libc::SYS_rseq, "rseq", &[Ptr, Size, Hex, Hex], rseq),
    row(libc::SYS_membarrier, "membarrier", &[Int, Hex, Int], membarrier)
        .support(Support::Accepted("tasks run one at a time, so every barrier holds already")),
];

#[derive(Clone, Copy, Debug)]
struct Waiter {
    wait: Wait,
    bits: u32,
}

/// What a task waits on. LINUX: a private futex and a shared one of the same address are two, futex(2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    host: HostId,
    addr: u64,
    shared: bool,
}

impl Key {
    /// The futex that the kernel itself wakes: it knows of no private ones.
    pub(crate) fn shared(host: HostId, addr: u64) -> Key {
        Key { host, addr, shared: true }
    }

    /// The futex at `addr` of a call with this operation.
    fn of(k: &Kernel, addr: u64, op: i32) -> Key {
        Key { host: k.host_id(), addr, shared: op & libc::FUTEX_PRIVATE_FLAG == 0 }
    }

    /// LINUX: a private futex is its address, mapped or not; a shared one is found through its page.
    fn check(self, memory: &dyn GuestMemory) -> Result<(), Errno> {
        match self.shared {
            true => memory.read_u32(self.addr).map(drop),
            false if self.addr >= USER_END => Err(Errno::EFAULT),
            false => Ok(()),
        }
    }
}

/// No user address is this high.
const USER_END: u64 = 1 << 47;

/// Tasks that wait on futexes, first come, first served.
#[derive(Debug, Default)]
pub struct Futexes {
    queues: BTreeMap<Key, VecDeque<Waiter>>,
}

impl Futexes {
    /// Addresses at which somebody waits.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queues.len()
    }

    /// Forgets all waiters of a host whose process has ended.
    pub(crate) fn forget_host(&mut self, host: HostId) {
        self.queues.retain(|key, _| key.host != host);
    }

    fn push(&mut self, key: Key, waiter: Waiter) {
        self.queues.entry(key).or_default().push_back(waiter);
    }

    fn forget(&mut self, key: Key, wait: Wait) {
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.retain(|waiter| waiter.wait.task != wait.task);
            if queue.is_empty() {
                self.queues.remove(&key);
            }
        }
    }
}

impl Kernel {
    /// Wakes at most `count` tasks that wait on a futex with one of `bits`. Gives how many.
    pub(crate) fn wake_futex(&mut self, key: Key, count: u32, bits: u32) -> u64 {
        let Some(mut queue) = self.futexes.queues.remove(&key) else { return 0 };
        let mut woken = 0;
        let mut index = 0;
        while woken < count && index < queue.len() {
            if queue[index].bits & bits == 0 {
                index += 1;
                continue;
            }
            let Some(waiter) = queue.remove(index) else { break };
            woken += u32::from(self.wake_from_futex(waiter.wait));
        }
        if !queue.is_empty() {
            self.futexes.queues.insert(key, queue);
        }
        u64::from(woken)
    }

    fn wake_from_futex(&mut self, wait: Wait) -> bool {
        let woken = self.wake(wait);
        if woken && let Some(task) = self.task_by_id_mut(wait.task) {
            task.call.woken = true;
        }
        woken
    }

    /// Walks the list of robust futexes of the task that ends: an owned one gets FUTEX_OWNER_DIED and
    /// a waiter is woken (get_robust_list(2), and the kernel's Documentation/locking/robust-futexes.rst).
    pub(crate) fn release_robust_futexes(&mut self, memory: &mut dyn GuestMemory) {
        let head = self.task().robust_list;
        if head == 0 {
            return;
        }
        let (Ok(mut entry), Ok(offset)) = (memory.read_u64(head), memory.read_i64(head + 8)) else {
            return;
        };
        let pending = memory.read_u64(head + 16).unwrap_or(0);
        // LINUX: the kernel gives up after ROBUST_LIST_LIMIT entries, against circular lists.
        for _ in 0..2048 {
            let address = entry & !1;
            if address == head || address == 0 {
                break;
            }
            let next = memory.read_u64(address);
            if address != pending & !1 {
                self.owner_died(memory, address.wrapping_add_signed(offset));
            }
            let Ok(next) = next else { break };
            entry = next;
        }
        if pending & !1 != 0 {
            self.owner_died(memory, (pending & !1).wrapping_add_signed(offset));
        }
    }

    fn owner_died(&mut self, memory: &mut dyn GuestMemory, addr: u64) {
        let (host, tid) = (self.host_id(), self.task().tid);
        let Ok(value) = memory.read_u32(addr) else { return };
        if value & libc::FUTEX_TID_MASK != tid {
            return;
        }
        let died = value & libc::FUTEX_WAITERS | libc::FUTEX_OWNER_DIED;
        if memory.write_u32(addr, died).is_ok() && value & libc::FUTEX_WAITERS != 0 {
            self.wake_futex(Key::shared(host, addr), 1, !0);
        }
    }
}

fn futex(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let op = a.int(1);
    let addr = a.addr(0);
    let command = op & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    if !addr.is_multiple_of(4) {
        return Err(Errno::EINVAL.into());
    }
    // LINUX: only these take the flag, futex(2).
    let on_clock = [libc::FUTEX_WAIT_BITSET, libc::FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2];
    if op & libc::FUTEX_CLOCK_REALTIME != 0 && !on_clock.contains(&command) {
        return Err(Errno::ENOSYS.into());
    }
    let key = Key::of(k, addr, op);
    match command {
        libc::FUTEX_WAIT => wait(k, memory, a, !0),
        libc::FUTEX_WAIT_BITSET => wait(k, memory, a, a.int(5) as u32),
        libc::FUTEX_WAKE => {
            key.check(memory)?;
            Ok(k.wake_futex(key, count(a.int(2)).max(1), !0))
        }
        libc::FUTEX_WAKE_BITSET => {
            if a.int(5) == 0 {
                return Err(Errno::EINVAL.into());
            }
            key.check(memory)?;
            Ok(k.wake_futex(key, count(a.int(2)).max(1), a.int(5) as u32))
        }
        libc::FUTEX_REQUEUE => requeue(k, memory, a, None),
        libc::FUTEX_CMP_REQUEUE => requeue(k, memory, a, Some(a.int(5) as u32)),
        libc::FUTEX_WAKE_OP => wake_op(k, memory, a),
        libc::FUTEX_LOCK_PI
        | libc::FUTEX_UNLOCK_PI
        | libc::FUTEX_TRYLOCK_PI
        | libc::FUTEX_WAIT_REQUEUE_PI
        | libc::FUTEX_CMP_REQUEUE_PI
        | FUTEX_LOCK_PI2 => Err(Stop::Unsupported("priority inheritance".into())),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// FUTEX_LOCK_PI2 (Linux 5.14).
const FUTEX_LOCK_PI2: i32 = 13;

/// How many tasks a call may wake; a negative number is taken as none.
fn count(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

fn wait(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args, bits: u32) -> SysResult {
    if bits == 0 {
        return Err(Errno::EINVAL.into());
    }
    let (key, addr) = (Key::of(k, a.addr(0), a.int(1)), a.addr(0));
    if k.task().call.woken {
        return Ok(0);
    }
    let timeout = a.addr(3);
    if timeout != 0 && k.task().call.deadline.is_none() {
        let deadline = wait_deadline(k, memory, a.int(1), timeout)?;
        k.task_mut().call.deadline = Some(deadline);
    }
    if k.task().call.queued {
        let old = k.wait(WaitsFor::Futex(addr));
        k.futexes.forget(key, old);
        if k.timed_out() {
            return Err(Errno::ETIMEDOUT.into());
        }
    }
    // LINUX: the value is looked at again before a wait goes on that something else interrupted, such as a
    // signal that another thread took: meanwhile the waker may have come and found nobody.
    if memory.read_u32(addr)? != a.int(2) as u32 {
        return Err(Errno::EAGAIN.into());
    }
    if k.timed_out() {
        return Err(Errno::ETIMEDOUT.into());
    }
    k.task_mut().call.queued = true;
    let wait = k.wait(WaitsFor::Futex(addr));
    k.futexes.push(key, Waiter { wait, bits });
    Err(Stop::Block)
}

/// LINUX: FUTEX_WAIT's time-out is a span on CLOCK_MONOTONIC, FUTEX_WAIT_BITSET's a point in time on
/// the clock that FUTEX_CLOCK_REALTIME chooses, futex(2).
fn wait_deadline(
    k: &Kernel,
    memory: &mut dyn GuestMemory,
    op: i32,
    timeout: u64,
) -> Result<crate::clock::Due, Errno> {
    let time = memory.read_timespec(timeout)?;
    let relative =
        op & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) == libc::FUTEX_WAIT;
    if relative {
        return Ok(k.due_after(time));
    }
    let clock = if op & libc::FUTEX_CLOCK_REALTIME != 0 {
        libc::CLOCK_REALTIME
    } else {
        libc::CLOCK_MONOTONIC
    };
    k.due_at(clock, time)
}

fn requeue(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    a: &Args,
    expected: Option<u32>,
) -> SysResult {
    let (from, to) = (Key::of(k, a.addr(0), a.int(1)), Key::of(k, a.addr(4), a.int(1)));
    if !to.addr.is_multiple_of(4) || a.int(2) < 0 || a.int(3) < 0 {
        return Err(Errno::EINVAL.into());
    }
    from.check(memory)?;
    to.check(memory)?;
    if let Some(expected) = expected
        && memory.read_u32(from.addr)? != expected
    {
        return Err(Errno::EAGAIN.into());
    }
    let woken = k.wake_futex(from, count(a.int(2)), !0);
    let mut moved = 0;
    while moved < u64::from(count(a.int(3))) {
        let Some(queue) = k.futexes.queues.get_mut(&from) else { break };
        let Some(waiter) = queue.pop_front() else {
            k.futexes.queues.remove(&from);
            break;
        };
        let waits = k.task_by_id(waiter.wait.task).is_some_and(|task| {
            task.state == crate::task::TaskState::Waiting && task.ticket == waiter.wait.ticket
        });
        if waits {
            k.futexes.push(to, waiter);
            moved += 1;
        }
    }
    // LINUX: both commands give the sum, though futex(2) says that FUTEX_REQUEUE gives the number woken.
    Ok(woken + moved)
}

/// FUTEX_WAKE_OP: changes the second word, wakes on the first, and on the second if its old value compares.
fn wake_op(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (first, second) = (Key::of(k, a.addr(0), a.int(1)), a.addr(4));
    if !second.is_multiple_of(4) {
        return Err(Errno::EINVAL.into());
    }
    let encoded = a.int(5) as u32;
    let operand = |shift: u32| ((encoded >> shift & 0xfff) << 20).cast_signed() >> 20;
    let (mut argument, compared) = (operand(12), operand(0));
    if encoded >> 28 & 8 != 0 {
        argument = 1i32.wrapping_shl(argument as u32 & 31);
    }
    first.check(memory)?;
    let old = memory.read_i32(second)?;
    let new = match encoded >> 28 & 7 {
        0 => argument,
        1 => old.wrapping_add(argument),
        2 => old | argument,
        3 => old & !argument,
        4 => old ^ argument,
        _ => return Err(Errno::ENOSYS.into()),
    };
    memory.write_i32(second, new)?;
    let holds = match encoded >> 24 & 15 {
        0 => old == compared,
        1 => old != compared,
        2 => old < compared,
        3 => old <= compared,
        4 => old > compared,
        5 => old >= compared,
        _ => return Err(Errno::ENOSYS.into()),
    };
    let mut woken = k.wake_futex(first, count(a.int(2)).max(1), !0);
    if holds {
        woken += k.wake_futex(Key { addr: second, ..first }, count(a.word(3) as i32).max(1), !0);
    }
    Ok(woken)
}

/// The arguments that clone(2) and clone3(2) have in common.
struct CloneRequest {
    flags: u64,
    stack: u64,
    parent_tid: u64,
    child_tid: u64,
    tls: u64,
}

fn clone(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let request = CloneRequest {
        flags: a.word(0),
        stack: a.addr(1),
        parent_tid: a.addr(2),
        child_tid: a.addr(3),
        tls: a.addr(4),
    };
    make_thread(k, memory, &request)
}

fn clone3(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.word(1) < 64 {
        return Err(Errno::EINVAL.into());
    }
    let field = |memory: &dyn GuestMemory, n: u64| memory.read_u64(a.addr(0) + n * 8);
    let stack = field(memory, 5)?.wrapping_add(field(memory, 6)?);
    let request = CloneRequest {
        flags: field(memory, 0)?,
        stack,
        parent_tid: field(memory, 3)?,
        child_tid: field(memory, 2)?,
        tls: field(memory, 7)?,
    };
    make_thread(k, memory, &request)
}

fn make_thread(k: &mut Kernel, memory: &mut dyn GuestMemory, r: &CloneRequest) -> SysResult {
    let thread = (libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND) as u64;
    if r.flags & thread != thread {
        return Err(Stop::Unsupported("a process that makes another process".into()));
    }
    let limit = k.host().process.limits[libc::RLIMIT_NPROC as usize].soft;
    if k.host().process.tasks.len() as u64 >= limit {
        return Err(Errno::EAGAIN.into());
    }
    let id = k.make_thread();
    let tid = k.task_by_id(id).map_or(0, |task| task.tid);
    let has = |flag: i32| r.flags & flag as u64 != 0;
    if has(libc::CLONE_PARENT_SETTID) {
        memory.write_u32(r.parent_tid, tid)?;
    }
    if has(libc::CLONE_CHILD_SETTID) {
        memory.write_u32(r.child_tid, tid)?;
    }
    if has(libc::CLONE_CHILD_CLEARTID)
        && let Some(task) = k.task_by_id_mut(id)
    {
        task.clear_tid = r.child_tid;
    }
    let tls = has(libc::CLONE_SETTLS).then_some(r.tls);
    if let Some(task) = k.task_by_id_mut(id) {
        task.thread_pointer = r.tls;
    }
    k.cloned = Some(Cloned { task: id, tid, stack: r.stack, tls });
    Ok(tid.into())
}

fn exit(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    k.exit_task(memory, a.int(0) & 0xff);
    Err(Stop::Block)
}

fn exit_group(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let host = k.host_id();
    k.end_process(host, a.int(0) & 0xff);
    Err(Stop::Block)
}

fn sched_yield(k: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    if k.task().call.progress > 0 {
        return Ok(0);
    }
    k.task_mut().call.progress = 1;
    Err(Stop::Yield)
}

fn set_robust_list(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.word(1) != 24 {
        return Err(Errno::EINVAL.into());
    }
    k.task_mut().robust_list = a.addr(0);
    Ok(0)
}

fn get_robust_list(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let task = match a.int(0) {
        0 => k.current,
        tid => k.task_by_tid(tid as u32).ok_or(Errno::ESRCH)?,
    };
    let head = k.task_by_id(task).map_or(0, |task| task.robust_list);
    memory.write_u64(a.addr(1), head)?;
    memory.write_u64(a.addr(2), 24)?;
    Ok(0)
}

fn set_tid_address(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    k.task_mut().clear_tid = a.addr(0);
    Ok(k.task().tid.into())
}

/// Restartable sequences: tasks give way at system calls only, so none is ever interrupted and the CPU
/// is always the first (Documentation/userspace-api/rseq.rst).
fn rseq(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    const UNREGISTER: u64 = 1;
    const UNINITIALIZED: u32 = u32::MAX;
    let (area, registered) = (a.addr(0), k.task().restartable);
    if a.word(2) == UNREGISTER {
        if registered == 0 || registered != area {
            return Err(Errno::EINVAL.into());
        }
        memory.write_u32(area + 4, UNINITIALIZED)?;
        k.task_mut().restartable = 0;
        return Ok(0);
    }
    if a.word(2) != 0 || a.word(1) < 32 || !area.is_multiple_of(32) {
        return Err(Errno::EINVAL.into());
    }
    if registered != 0 {
        return Err(if registered == area { Errno::EBUSY } else { Errno::EINVAL }.into());
    }
    // cpu_id_start and cpu_id.
    memory.write_u64(area, 0)?;
    k.task_mut().restartable = area;
    Ok(0)
}

fn membarrier(_: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    // MEMBARRIER_CMD_QUERY gives the commands that are known: the private expedited ones and GLOBAL.
    Ok(if a.int(0) == 0 { 0b1_1001 } else { 0 })
}
