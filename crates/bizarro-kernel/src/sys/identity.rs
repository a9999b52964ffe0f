//! Users, groups, capabilities and resource limits.

use alloc::format;

use crate::errno::{Errno, Stop, SysResult};
use crate::host::{LIMITS, Limit};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Arg::{Int, Ptr, Size};
use crate::table::{Args, Row, Support, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_getuid, "getuid", &[], root),
    row(libc::SYS_geteuid, "geteuid", &[], root),
    row(libc::SYS_getgid, "getgid", &[], root),
    row(libc::SYS_getegid, "getegid", &[], root),
    row(libc::SYS_getresuid, "getresuid", &[Ptr, Ptr, Ptr], three_roots),
    row(libc::SYS_getresgid, "getresgid", &[Ptr, Ptr, Ptr], three_roots),
    row(libc::SYS_getgroups, "getgroups", &[Int, Ptr], getgroups),
    row(libc::SYS_setuid, "setuid", &[Int], become_root)
        .support(Support::Partial("programs stay root")),
    row(libc::SYS_setgid, "setgid", &[Int], become_root)
        .support(Support::Partial("programs stay root")),
    row(libc::SYS_capget, "capget", &[Ptr, Ptr], capget),
    row(libc::SYS_getrlimit, "getrlimit", &[Int, Ptr], getrlimit),
    row(libc::SYS_setrlimit, "setrlimit", &[Int, Ptr], setrlimit).support(Support::Partial(
        "RLIMIT_NOFILE, RLIMIT_NPROC and RLIMIT_FSIZE are enforced, the others remembered",
    )),
    row(libc::SYS_prlimit64, "prlimit64", &[Int, Int, Ptr, Ptr], prlimit64).support(
        Support::Partial(
            "RLIMIT_NOFILE, RLIMIT_NPROC and RLIMIT_FSIZE are enforced, the others remembered",
        ),
    ),
    row(libc::SYS_getrusage, "getrusage", &[Int, Ptr], getrusage),
    row(libc::SYS_ioprio_get, "ioprio_get", &[Int, Int], root),
    row(libc::SYS_ioprio_set, "ioprio_set", &[Int, Int, Size], root)
        .support(Support::Accepted("the disk serves everybody alike")),
];

fn root(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Ok(0)
}

fn getgroups(_: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.int(0) < 0 { Err(Errno::EINVAL.into()) } else { Ok(0) }
}

fn three_roots(_: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    for n in 0..3 {
        memory.write_u32(a.addr(n), 0)?;
    }
    Ok(0)
}

fn become_root(_: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    match a.int(0) {
        0 => Ok(0),
        id => Err(Stop::Unsupported(format!("becoming user or group {id}"))),
    }
}

fn capget(_: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    const VERSION_3: u32 = 0x2008_0522;
    if memory.read_u32(a.addr(0))? != VERSION_3 {
        memory.write_u32(a.addr(0), VERSION_3)?;
        return if a.addr(1) == 0 { Ok(0) } else { Err(Errno::EINVAL.into()) };
    }
    if a.addr(1) != 0 {
        // All of the 41 capabilities of Linux 6.1, effective and permitted, none inheritable.
        for (n, word) in [u32::MAX, u32::MAX, 0, 0x1ff, 0x1ff, 0].into_iter().enumerate() {
            memory.write_u32(a.addr(1) + n as u64 * 4, word)?;
        }
    }
    Ok(0)
}

fn resource(n: i32) -> Result<usize, Errno> {
    usize::try_from(n).ok().filter(|n| *n < LIMITS).ok_or(Errno::EINVAL)
}

fn read_limit(memory: &dyn GuestMemory, addr: u64) -> Result<Limit, Errno> {
    let limit = Limit { soft: memory.read_u64(addr)?, hard: memory.read_u64(addr + 8)? };
    if limit.soft > limit.hard { Err(Errno::EINVAL) } else { Ok(limit) }
}

fn write_limit(memory: &mut dyn GuestMemory, addr: u64, limit: Limit) -> Result<(), Errno> {
    memory.write_u64(addr, limit.soft)?;
    memory.write_u64(addr + 8, limit.hard)
}

fn getrlimit(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let limit = k.host().process.limits[resource(a.int(0))?];
    write_limit(memory, a.addr(1), limit)?;
    Ok(0)
}

fn setrlimit(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let n = resource(a.int(0))?;
    k.host_mut().process.limits[n] = read_limit(memory, a.addr(1))?;
    Ok(0)
}

fn prlimit64(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let n = resource(a.int(1))?;
    if a.int(0) != 0 && a.int(0) as u32 != k.host().process.pid {
        return Err(Errno::ESRCH.into());
    }
    let new = if a.addr(2) == 0 { None } else { Some(read_limit(memory, a.addr(2))?) };
    let old = k.host().process.limits[n];
    if let Some(new) = new {
        k.host_mut().process.limits[n] = new;
    }
    if a.addr(3) != 0 {
        write_limit(memory, a.addr(3), old)?;
    }
    Ok(0)
}

fn getrusage(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if ![libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN, libc::RUSAGE_THREAD].contains(&a.int(0)) {
        return Err(Errno::EINVAL.into());
    }
    memory.write(a.addr(1), &[0; 144])?;
    if a.int(0) != libc::RUSAGE_CHILDREN {
        let used = k.now - k.host().process.started;
        memory.write_timeval(a.addr(1), used)?;
        // ru_maxrss, in KiB: plausible, and the same on every machine.
        memory.write_u64(a.addr(1) + 32, 8192)?;
    }
    Ok(0)
}
