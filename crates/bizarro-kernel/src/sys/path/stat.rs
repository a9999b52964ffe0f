//! What is told of a file, or of what else a descriptor names: stat(2), statx(2).

use crate::errno::{Errno, SysResult};
use crate::fs::{Found, Lookup, Realtime, Stat};
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::sys::pipe::Pipes;
use crate::table::Args;

pub(super) fn stat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let stat = stat_at(k, memory, libc::AT_FDCWD, a.addr(0), 0)?;
    write_stat(memory, a.addr(1), &stat)?;
    Ok(0)
}

pub(super) fn lstat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let stat = stat_at(k, memory, libc::AT_FDCWD, a.addr(0), libc::AT_SYMLINK_NOFOLLOW)?;
    write_stat(memory, a.addr(1), &stat)?;
    Ok(0)
}

pub(super) fn fstat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let stat = k.stat_descriptor(a.fd(0))?;
    write_stat(memory, a.addr(1), &stat)?;
    Ok(0)
}

pub(super) fn newfstatat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let known = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | libc::AT_NO_AUTOMOUNT;
    if a.int(3) & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    let stat = stat_at(k, memory, a.fd(0), a.addr(1), a.int(3))?;
    write_stat(memory, a.addr(2), &stat)?;
    Ok(0)
}

pub(super) fn statx(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    // LINUX: the highest bit of the mask is reserved, and so are both sync bits together, statx(2).
    let both = libc::AT_STATX_FORCE_SYNC | libc::AT_STATX_DONT_SYNC;
    if a.word(3) as u32 & 1 << 31 != 0 || a.int(2) & both == both {
        return Err(Errno::EINVAL.into());
    }
    let stat = stat_at(k, memory, a.fd(0), a.addr(1), a.int(2))?;
    write_statx(memory, a.addr(4), &stat)?;
    Ok(0)
}

fn stat_at(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    dirfd: i32,
    path: u64,
    flags: i32,
) -> Result<Stat, Errno> {
    let path = memory.read_path(path)?;
    let empty = path.is_empty() && flags & libc::AT_EMPTY_PATH != 0;
    if empty && dirfd != libc::AT_FDCWD {
        return k.stat_descriptor(dirfd);
    }
    let found = k.find(dirfd, &path, Lookup::following(flags))?;
    k.stat_found(found)
}

impl Kernel {
    fn stat_found(&self, found: Found) -> Result<Stat, Errno> {
        match found {
            Found::Node(ino) => Ok(self.host().disk().stat(ino)),
            Found::Foreign { fd, .. } => self.stat_descriptor(fd as i32),
        }
    }

    /// fstat(2).
    fn stat_descriptor(&self, fd: i32) -> Result<Stat, Errno> {
        let (id, object) = self.object(fd)?;
        let (mode, dev) = match &object.kind {
            Kind::File(file) => return Ok(self.host().disk().stat(file.ino)),
            Kind::Socket(_) => (libc::S_IFSOCK | 0o777, (0, 8)),
            Kind::Pipe(pipe, _) => match self.pipes.name(*pipe) {
                Some(ino) => return Ok(self.host().disk().stat(ino)),
                None => (libc::S_IFIFO | 0o600, (0, 14)),
            },
            Kind::Output(_) => (libc::S_IFIFO | 0o600, (0, 14)),
            // LINUX: the inode that all of these share has no type.
            Kind::Event(_) | Kind::Timer(_) | Kind::Signal(_) | Kind::Epoll(_) => (0o600, (0, 15)),
        };
        let made = Realtime(self.host().clock.realtime_then(bizarro_record::Nanos::ZERO).0 as i64);
        Ok(Stat {
            dev,
            ino: self.inode_number(id, &object.kind),
            mode,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: (0, 0),
            size: 0,
            blksize: 4096,
            blocks: 0,
            atime: made,
            mtime: made,
            ctime: made,
            btime: made,
            attributes: 0,
            attributes_mask: 0,
            mount_id: 0,
        })
    }

    /// The inode number of what has no inode: both ends of a pipe have one.
    pub(crate) fn inode_number(&self, id: ObjId, kind: &Kind) -> u64 {
        match kind {
            Kind::Pipe(pipe, _) => Pipes::inode_number(*pipe),
            _ => 1 << 20 | u64::from(id.to_bits() as u32),
        }
    }
}

fn write_stat(memory: &mut dyn GuestMemory, addr: u64, stat: &Stat) -> Result<(), Errno> {
    let mut bytes = [0; 144];
    let mut put = |at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put(0, device_number(stat.dev));
    put(8, stat.ino);
    put(16, u64::from(stat.nlink));
    put(24, u64::from(stat.mode) | u64::from(stat.uid) << 32);
    put(32, u64::from(stat.gid));
    put(40, device_number(stat.rdev));
    put(48, stat.size);
    put(56, u64::from(stat.blksize));
    put(64, stat.blocks);
    for (at, time) in [(72, stat.atime), (88, stat.mtime), (104, stat.ctime)] {
        let (secs, nanos) = parts(time);
        put(at, secs as u64);
        put(at + 8, nanos);
    }
    memory.write(addr, &bytes)
}

/// LINUX: everything is always filled in, whatever was asked for: the basic stats and the time of birth.
const STATX_GIVEN: u32 = libc::STATX_BASIC_STATS | libc::STATX_BTIME | STATX_MNT_ID;
const STATX_MNT_ID: u32 = 0x1000;

fn write_statx(memory: &mut dyn GuestMemory, addr: u64, stat: &Stat) -> Result<(), Errno> {
    let mut bytes = [0; 256];
    let mut put4 = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    put4(0, STATX_GIVEN);
    put4(4, stat.blksize);
    put4(16, stat.nlink);
    put4(20, stat.uid);
    put4(24, stat.gid);
    put4(28, stat.mode);
    put4(128, stat.rdev.0);
    put4(132, stat.rdev.1);
    put4(136, stat.dev.0);
    put4(140, stat.dev.1);
    let mut put = |at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put(8, stat.attributes);
    put(32, stat.ino);
    put(40, stat.size);
    put(48, stat.blocks);
    put(56, stat.attributes_mask);
    put(144, stat.mount_id);
    let times = [(64, stat.atime), (80, stat.btime), (96, stat.ctime), (112, stat.mtime)];
    for (at, time) in times {
        let (secs, nanos) = parts(time);
        put(at, secs as u64);
        put(at + 8, nanos);
    }
    memory.write(addr, &bytes)
}

fn device_number((major, minor): (u32, u32)) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (major & 0xffff_f000) << 32 | (major & 0xfff) << 8 | (minor & 0xffff_ff00) << 12 | minor & 0xff
}

/// Seconds and nanoseconds of a time.
fn parts(time: Realtime) -> (i64, u64) {
    (time.0.div_euclid(1_000_000_000), time.0.rem_euclid(1_000_000_000) as u64)
}
