//! The process and the machine as a program sees them: ids, names, CPUs, prctl(2), randomness.

use alloc::format;
use alloc::vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::signal;
use crate::table::Arg::{Hex, Int, Ptr, Size};
use crate::table::{Args, Row, Support, row};
use crate::task::TaskId;

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_getpid, "getpid", &[], getpid),
    row(libc::SYS_gettid, "gettid", &[], gettid),
    row(libc::SYS_getppid, "getppid", &[], getppid),
    row(libc::SYS_getpgrp, "getpgrp", &[], getpid),
    row(libc::SYS_getpgid, "getpgid", &[Int], getpgid),
    row(libc::SYS_getsid, "getsid", &[Int], getpgid),
    row(libc::SYS_setsid, "setsid", &[], no_permission)
        .support(Support::Refused("EPERM: the process leads its group already")),
    row(libc::SYS_setpgid, "setpgid", &[Int, Int], accept)
        .support(Support::Accepted("the process leads a group of its own already")),
    row(libc::SYS_uname, "uname", &[Ptr], uname),
    row(libc::SYS_sysinfo, "sysinfo", &[Ptr], sysinfo),
    row(libc::SYS_getrandom, "getrandom", &[Ptr, Size, Hex], getrandom),
    row(libc::SYS_getcpu, "getcpu", &[Ptr, Ptr, Ptr], getcpu),
    row(libc::SYS_sched_getaffinity, "sched_getaffinity", &[Int, Size, Ptr], sched_getaffinity),
    row(libc::SYS_sched_setaffinity, "sched_setaffinity", &[Int, Size, Ptr], sched_setaffinity)
        .support(Support::Accepted("tasks run one at a time, whatever their CPU")),
    row(libc::SYS_sched_getscheduler, "sched_getscheduler", &[Int], sched_getscheduler)
        .support(Support::Accepted("SCHED_OTHER is what everything runs under")),
    row(libc::SYS_sched_setscheduler, "sched_setscheduler", &[Int, Int, Ptr], sched_setscheduler)
        .support(Support::Partial(
            "real-time policies are EPERM, as for a program without CAP_SYS_NICE",
        )),
    row(libc::SYS_sched_getparam, "sched_getparam", &[Int, Ptr], sched_getparam),
    row(libc::SYS_sched_get_priority_max, "sched_get_priority_max", &[Int], priority_max),
    row(libc::SYS_sched_get_priority_min, "sched_get_priority_min", &[Int], priority_min),
    row(libc::SYS_getpriority, "getpriority", &[Int, Int], getpriority),
    row(libc::SYS_setpriority, "setpriority", &[Int, Int, Int], accept)
        .support(Support::Accepted("priorities have no effect on which task runs")),
    row(libc::SYS_prctl, "prctl", &[Int, Hex, Hex, Hex, Hex], prctl).support(Support::Partial(
        "names, dumpability, death signals, no-new-privileges, timer slack",
    )),
    row(libc::SYS_arch_prctl, "arch_prctl", &[Int, Ptr], arch_prctl).support(Support::Partial(
        "ARCH_GET_FS and ARCH_GET_GS; the thread pointer is set by clone(2) only",
    )),
    row(libc::SYS_personality, "personality", &[Hex], personality),
    row(libc::SYS_wait4, "wait4", &[Int, Ptr, Hex, Ptr], wait4),
    row(libc::SYS_waitid, "waitid", &[Int, Int, Ptr, Hex, Ptr], waitid),
    row(libc::SYS_fork, "fork", &[], no_fork)
        .support(Support::Partial("a process that makes another process is not simulated")),
    row(libc::SYS_vfork, "vfork", &[], no_fork)
        .support(Support::Partial("a process that makes another process is not simulated")),
    row(libc::SYS_execve, "execve", &[Ptr, Ptr, Ptr], no_fork)
        .support(Support::Partial("another program in the same process is not simulated")),
    row(libc::SYS_seccomp, "seccomp", &[Int, Hex, Ptr], no_filters)
        .support(Support::Refused("EINVAL, as on a kernel without seccomp")),
    row(libc::SYS_io_uring_setup, "io_uring_setup", &[Int, Ptr], no_rings).support(
        Support::Refused("ENOSYS, as where io_uring is switched off: libraries fall back to epoll"),
    ),
    row(libc::SYS_landlock_create_ruleset, "landlock_create_ruleset", &[Ptr, Size, Hex], no_rings)
        .support(Support::Refused("ENOSYS, as on a kernel without Landlock")),
    row(libc::SYS_pidfd_open, "pidfd_open", &[Int, Hex], no_rings)
        .support(Support::Refused("ENOSYS, as on kernels before 5.3")),
];

fn getpid(k: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Ok(k.host().process.pid.into())
}

/// The process leads its group and its session.
fn getpgid(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    named(k, a.int(0))?;
    Ok(k.host().process.pid.into())
}

fn gettid(k: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Ok(k.task().tid.into())
}

fn getppid(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Ok(1)
}

fn accept(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Ok(0)
}

fn no_permission(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Errno::EPERM.into())
}

fn wait4(_: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    no_children(a.int(2), libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED)
}

fn waitid(_: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let states = libc::WEXITED | libc::WSTOPPED | libc::WCONTINUED;
    if a.int(3) & states == 0 {
        return Err(Errno::EINVAL.into());
    }
    no_children(a.int(3), states | libc::WNOHANG | libc::WNOWAIT)
}

/// No process has children here, wait(2). Options beside `known` are `EINVAL`.
fn no_children(options: i32, known: i32) -> SysResult {
    let known = known | libc::__WNOTHREAD | libc::__WALL | libc::__WCLONE;
    Err(if options & !known != 0 { Errno::EINVAL } else { Errno::ECHILD }.into())
}

fn no_fork(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Stop::Unsupported("a process that makes another process".into()))
}

fn no_filters(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Errno::EINVAL.into())
}

fn no_rings(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Errno::ENOSYS.into())
}

/// The kernel that is simulated: what Debian 12 shows.
pub const RELEASE: &str = "6.1.0-18-amd64";

fn uname(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let mut bytes = [0; 65 * 6];
    let name = k.host().name().clone();
    let fields =
        ["Linux", &name, RELEASE, "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1", "x86_64", "(none)"];
    for (n, field) in fields.into_iter().enumerate() {
        let len = field.len().min(64);
        bytes[n * 65..n * 65 + len].copy_from_slice(&field.as_bytes()[..len]);
    }
    memory.write(a.addr(0), &bytes)?;
    Ok(0)
}

fn sysinfo(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (limit, left) = (k.host().memory_limit, k.memory_left(memory));
    let mut bytes = [0; 112];
    let words = [k.host().clock.monotonic(k.now).0 / 1_000_000_000, 0, 0, 0, limit, left];
    for (n, word) in words.into_iter().enumerate() {
        bytes[n * 8..n * 8 + 8].copy_from_slice(&word.to_le_bytes());
    }
    let threads = k.host().process.tasks.len() as u16;
    bytes[80..82].copy_from_slice(&threads.to_le_bytes());
    bytes[104..108].copy_from_slice(&1u32.to_le_bytes());
    memory.write(a.addr(0), &bytes)?;
    Ok(0)
}

impl Kernel {
    /// Random bytes as the guest sees them: /dev/urandom and getrandom(2).
    pub(crate) fn random_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.decider.random().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}

fn getrandom(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    // LINUX: to ask for the best and for the worst at once is EINVAL, getrandom(2).
    let (flags, both) = (a.word(2) as u32, libc::GRND_RANDOM | libc::GRND_INSECURE);
    if flags & !(libc::GRND_NONBLOCK | both) != 0 || flags & both == both {
        return Err(Errno::EINVAL.into());
    }
    // LINUX: one call gives at most 32 MiB - 1, getrandom(2).
    let len = a.word(1).min((32 << 20) - 1);
    let mut buffer = vec![0; len.min(1 << 16) as usize];
    let mut done = 0;
    while done < len {
        let part = (len - done).min(buffer.len() as u64) as usize;
        k.random_bytes(&mut buffer[..part]);
        memory.write(a.addr(0) + done, &buffer[..part])?;
        done += part as u64;
    }
    Ok(len)
}

fn getcpu(_: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    for n in [0, 1] {
        if a.addr(n) != 0 {
            memory.write_u32(a.addr(n), 0)?;
        }
    }
    Ok(0)
}

/// The task that a thread id names; 0 is the caller.
fn named(k: &Kernel, tid: i32) -> Result<TaskId, Errno> {
    match tid {
        0 => Ok(k.current),
        tid => k.task_by_tid(tid as u32).ok_or(Errno::ESRCH),
    }
}

fn sched_getaffinity(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    named(k, a.int(0))?;
    let cpus = k.host().spec.cpus.clamp(1, 1024);
    let bytes = cpus.div_ceil(64) as u64 * 8;
    if a.word(1) < bytes || !a.word(1).is_multiple_of(8) {
        return Err(Errno::EINVAL.into());
    }
    let mut mask = vec![0u8; bytes as usize];
    for cpu in 0..cpus as usize {
        mask[cpu / 8] |= 1 << (cpu % 8);
    }
    memory.write(a.addr(2), &mask)?;
    // LINUX: the system call, unlike its wrapper, gives the size of the mask, sched_setaffinity(2).
    Ok(bytes)
}

fn sched_setaffinity(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    named(k, a.int(0))?;
    let mask = memory.read_vec(a.addr(2), a.word(1).min(128) as usize)?;
    let cpus = k.host().spec.cpus.clamp(1, 1024) as usize;
    let any = (0..cpus).any(|cpu| mask.get(cpu / 8).is_some_and(|byte| byte >> (cpu % 8) & 1 != 0));
    if any { Ok(0) } else { Err(Errno::EINVAL.into()) }
}

fn sched_getscheduler(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    named(k, a.int(0))?;
    Ok(libc::SCHED_OTHER as u64)
}

fn sched_setscheduler(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    /// SCHED_RESET_ON_FORK may be added to any policy.
    const RESET_ON_FORK: i32 = 0x4000_0000;
    named(k, a.int(0))?;
    let priority = memory.read_i32(a.addr(2))?;
    match a.int(1) & !RESET_ON_FORK {
        libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE if priority == 0 => Ok(0),
        libc::SCHED_FIFO | libc::SCHED_RR if (1..=99).contains(&priority) => {
            Err(Errno::EPERM.into())
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

fn sched_getparam(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    named(k, a.int(0))?;
    memory.write_u32(a.addr(1), 0)?;
    Ok(0)
}

fn priority_max(_: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    match a.int(0) {
        libc::SCHED_FIFO | libc::SCHED_RR => Ok(99),
        libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn priority_min(_: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    match a.int(0) {
        libc::SCHED_FIFO | libc::SCHED_RR => Ok(1),
        libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn getpriority(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    // LINUX: the system call gives 20 minus the nice value, getpriority(2).
    Ok(20)
}

fn prctl(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    match a.int(0) {
        libc::PR_SET_NAME => {
            let mut name = [0; 16];
            for (n, byte) in name[..15].iter_mut().enumerate() {
                let mut one = [0];
                memory.read(a.addr(1) + n as u64, &mut one)?;
                if one[0] == 0 {
                    break;
                }
                *byte = one[0];
            }
            k.task_mut().name = name;
            Ok(0)
        }
        libc::PR_GET_NAME => {
            let name = k.task().name;
            memory.write(a.addr(1), &name)?;
            Ok(0)
        }
        libc::PR_GET_DUMPABLE => Ok(k.host().process.dumpable.into()),
        libc::PR_SET_DUMPABLE if a.word(1) > 1 => Err(Errno::EINVAL.into()),
        libc::PR_SET_DUMPABLE => {
            k.host_mut().process.dumpable = a.word(1) == 1;
            Ok(0)
        }
        libc::PR_SET_PDEATHSIG if a.word(1) > signal::SIGNALS as u64 => Err(Errno::EINVAL.into()),
        libc::PR_SET_NO_NEW_PRIVS if a.word(1) != 1 => Err(Errno::EINVAL.into()),
        libc::PR_SET_NO_NEW_PRIVS => {
            k.host_mut().process.no_new_privileges = true;
            Ok(0)
        }
        libc::PR_GET_NO_NEW_PRIVS => Ok(k.host().process.no_new_privileges.into()),
        libc::PR_GET_TIMERSLACK => Ok(50_000),
        libc::PR_GET_KEEPCAPS | libc::PR_GET_SECUREBITS => Ok(0),
        libc::PR_GET_SECCOMP => Ok(0),
        libc::PR_CAPBSET_READ => Ok(1),
        libc::PR_SET_PDEATHSIG
        | libc::PR_SET_TIMERSLACK
        | libc::PR_SET_KEEPCAPS
        | libc::PR_SET_CHILD_SUBREAPER
        | libc::PR_SET_THP_DISABLE
        | libc::PR_SET_PTRACER => Ok(0),
        // Names of anonymous mappings (PR_SET_VMA) are for readers of /proc/PID/maps only.
        libc::PR_SET_VMA => Ok(0),
        // No Linux has such an option.
        option if !(1..128).contains(&option) => Err(Errno::EINVAL.into()),
        option => Err(Stop::Unsupported(format!("prctl option {option}"))),
    }
}

fn arch_prctl(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    const ARCH_SET_GS: i32 = 0x1001;
    const ARCH_SET_FS: i32 = 0x1002;
    const ARCH_GET_FS: i32 = 0x1003;
    const ARCH_GET_GS: i32 = 0x1004;
    const ARCH_CET_STATUS: i32 = 0x3001;
    const ARCH_GET_XCOMP_SUPP: i32 = 0x1021;
    match a.int(0) {
        ARCH_CET_STATUS | ARCH_GET_XCOMP_SUPP => Err(Errno::EINVAL.into()),
        ARCH_GET_FS | ARCH_GET_GS => {
            let base = if a.int(0) == ARCH_GET_FS { k.task().thread_pointer } else { 0 };
            memory.write_u64(a.addr(1), base)?;
            Ok(0)
        }
        // CPUID faulting, tagged addresses, shadow stacks and their like.
        option @ (ARCH_SET_GS
        | ARCH_SET_FS
        | 0x1011..=0x10ff
        | 0x2001..=0x20ff
        | 0x3001..=0x50ff) => Err(Stop::Unsupported(format!("arch_prctl option {option:#x}"))),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn personality(_: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.word(0) as u32 == u32::MAX || a.word(0) == 0 { Ok(0) } else { Err(Errno::EINVAL.into()) }
}
