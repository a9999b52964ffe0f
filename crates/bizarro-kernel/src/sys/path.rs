//! Paths: open(2), stat(2), mkdir(2), rename(2) and everything else that names a file.

use alloc::format;
use alloc::vec::Vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::fs::{
    Access, At, By, Caller, Device, Found, Fs, Ino, Kind as Node, Lookup, OpenFlags, Opened,
    Realtime, RenameFlags, SetTime, Special, Stat, StatFs, XattrFlags,
};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::object::Kind;
use crate::procview::ProcView;
use crate::seams::GuestMemory;
use crate::sys::pipe::Pipes;
use crate::table::Arg::{Fd, Hex, Int, Path, Ptr, Size};
use crate::table::{Args, Row, Support, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_open, "open", &[Path, Hex, Hex], open).restarts(),
    row(libc::SYS_openat, "openat", &[Fd, Path, Hex, Hex], openat).restarts(),
    row(libc::SYS_openat2, "openat2", &[Fd, Path, Ptr, Size], openat2)
        .support(Support::Refused("ENOSYS, as on kernels before 5.6: libraries use openat")),
    row(libc::SYS_creat, "creat", &[Path, Hex], creat),
    row(libc::SYS_stat, "stat", &[Path, Ptr], stat),
    row(libc::SYS_lstat, "lstat", &[Path, Ptr], lstat),
    row(libc::SYS_fstat, "fstat", &[Fd, Ptr], fstat),
    row(libc::SYS_newfstatat, "newfstatat", &[Fd, Path, Ptr, Hex], newfstatat),
    row(libc::SYS_statx, "statx", &[Fd, Path, Hex, Hex, Ptr], statx),
    row(libc::SYS_statfs, "statfs", &[Path, Ptr], statfs),
    row(libc::SYS_fstatfs, "fstatfs", &[Fd, Ptr], fstatfs),
    row(libc::SYS_access, "access", &[Path, Hex], access),
    row(libc::SYS_faccessat, "faccessat", &[Fd, Path, Hex], faccessat),
    row(libc::SYS_faccessat2, "faccessat2", &[Fd, Path, Hex, Hex], faccessat2),
    row(libc::SYS_readlink, "readlink", &[Path, Ptr, Size], readlink),
    row(libc::SYS_readlinkat, "readlinkat", &[Fd, Path, Ptr, Size], readlinkat),
    row(libc::SYS_mkdir, "mkdir", &[Path, Hex], mkdir),
    row(libc::SYS_mkdirat, "mkdirat", &[Fd, Path, Hex], mkdirat),
    row(libc::SYS_mknod, "mknod", &[Path, Hex, Hex], mknod),
    row(libc::SYS_mknodat, "mknodat", &[Fd, Path, Hex, Hex], mknodat).support(Support::Partial(
        "block devices, and devices that no host has, are not simulated",
    )),
    row(libc::SYS_rmdir, "rmdir", &[Path], rmdir),
    row(libc::SYS_unlink, "unlink", &[Path], unlink),
    row(libc::SYS_unlinkat, "unlinkat", &[Fd, Path, Hex], unlinkat),
    row(libc::SYS_link, "link", &[Path, Path], link),
    row(libc::SYS_linkat, "linkat", &[Fd, Path, Fd, Path, Hex], linkat),
    row(libc::SYS_symlink, "symlink", &[Path, Path], symlink),
    row(libc::SYS_symlinkat, "symlinkat", &[Path, Fd, Path], symlinkat),
    row(libc::SYS_rename, "rename", &[Path, Path], rename),
    row(libc::SYS_renameat, "renameat", &[Fd, Path, Fd, Path], renameat),
    row(libc::SYS_renameat2, "renameat2", &[Fd, Path, Fd, Path, Hex], renameat2),
    row(libc::SYS_truncate, "truncate", &[Path, Size], truncate),
    row(libc::SYS_chmod, "chmod", &[Path, Hex], chmod),
    row(libc::SYS_fchmod, "fchmod", &[Fd, Hex], fchmod),
    row(libc::SYS_fchmodat, "fchmodat", &[Fd, Path, Hex], fchmodat),
    row(libc::SYS_chown, "chown", &[Path, Int, Int], chown),
    row(libc::SYS_lchown, "lchown", &[Path, Int, Int], lchown),
    row(libc::SYS_fchown, "fchown", &[Fd, Int, Int], fchown),
    row(libc::SYS_fchownat, "fchownat", &[Fd, Path, Int, Int, Hex], fchownat),
    row(libc::SYS_utimensat, "utimensat", &[Fd, Path, Ptr, Hex], utimensat),
    row(libc::SYS_getcwd, "getcwd", &[Ptr, Size], getcwd),
    row(libc::SYS_chdir, "chdir", &[Path], chdir),
    row(libc::SYS_fchdir, "fchdir", &[Fd], fchdir),
    row(libc::SYS_umask, "umask", &[Hex], umask),
    row(libc::SYS_getxattr, "getxattr", &[Path, Path, Ptr, Size], getxattr),
    row(libc::SYS_lgetxattr, "lgetxattr", &[Path, Path, Ptr, Size], lgetxattr),
    row(libc::SYS_fgetxattr, "fgetxattr", &[Fd, Path, Ptr, Size], fgetxattr),
    row(libc::SYS_setxattr, "setxattr", &[Path, Path, Ptr, Size, Hex], setxattr),
    row(libc::SYS_fsetxattr, "fsetxattr", &[Fd, Path, Ptr, Size, Hex], fsetxattr),
    row(libc::SYS_listxattr, "listxattr", &[Path, Ptr, Size], listxattr),
    row(libc::SYS_flistxattr, "flistxattr", &[Fd, Ptr, Size], flistxattr),
    row(libc::SYS_inotify_init1, "inotify_init1", &[Hex], no_watches)
        .support(Support::Refused("EMFILE, as where the limit of instances is reached")),
];

impl Kernel {
    /// Who does something to files now.
    pub(crate) fn by(&self) -> By {
        By { cred: self.host().cred(), umask: self.host().process.umask, now: self.realtime() }
    }

    /// Calls a function of the current host's file system that resolves paths.
    pub(crate) fn with_fs<R>(&mut self, f: impl FnOnce(&mut Fs, &mut Caller<'_>) -> R) -> R {
        let by = self.by();
        let host = self.host_id();
        let mut fs = self.host_mut().take_disk();
        let mut outside = self.outside.take().expect("only one call resolves at a time");
        let before = fs.writes();
        let result = {
            let view = ProcView::new(self);
            f(&mut fs, &mut Caller { by, proc: &view, outside: &mut *outside })
        };
        let written = fs.writes() != before;
        self.outside = Some(outside);
        self.host_mut().put_disk(fs);
        if written {
            self.net.disk_written(host.0);
        }
        result
    }

    /// Calls a function of the current host's file system that resolves no path.
    pub(crate) fn with_disk<R>(&mut self, f: impl FnOnce(&mut Fs) -> R) -> R {
        let host = self.host_id();
        let fs = self.host_mut().fs();
        let before = fs.writes();
        let result = f(fs);
        if fs.writes() != before {
            self.net.disk_written(host.0);
        }
        result
    }

    /// The content of a regular file of a host, for whoever looks at the run from outside.
    pub fn file_content(&mut self, host: HostId, path: &[u8]) -> Option<Vec<u8>> {
        let ino = self.resolve_on(host, path)?;
        let disk = self.hosts[usize::from(host.0)].disk();
        if disk.kind(ino) != Node::Regular {
            return None;
        }
        let mut content = alloc::vec![0; usize::try_from(disk.size(ino)).ok()?];
        let len = disk.read_at(ino, 0, &mut content).ok()?;
        content.truncate(len);
        Some(content)
    }

    /// What an absolute path of a host leads to, for the kernel's own use.
    pub(crate) fn resolve_on(&mut self, host: HostId, path: &[u8]) -> Option<Ino> {
        let now = Realtime(self.hosts[usize::from(host.0)].realtime(self.epoch, self.now) as i64);
        let mut outside = self.outside.take().expect("only one call resolves at a time");
        let mut fs = self.hosts[usize::from(host.0)].take_disk();
        let by = By { cred: crate::fs::Cred::ROOT, umask: 0, now };
        let found = {
            let view = ProcView::new(self);
            let mut caller = Caller { by, proc: &view, outside: &mut *outside };
            fs.resolve(&mut caller, At::new(Fs::ROOT, path), Lookup::FOLLOW)
        };
        self.outside = Some(outside);
        self.hosts[usize::from(host.0)].put_disk(fs);
        match found {
            Ok(Found::Node(ino)) => Some(ino),
            _ => None,
        }
    }

    /// Where a path relative to `dirfd` starts. An absolute one starts anywhere.
    fn start(&self, dirfd: i32, path: &[u8], lookup: Lookup) -> Result<Ino, Errno> {
        if path.first() == Some(&b'/') {
            return Ok(Fs::ROOT);
        }
        if path.is_empty() && !lookup.contains(Lookup::EMPTY) {
            return Err(Errno::ENOENT);
        }
        if dirfd == libc::AT_FDCWD {
            return Ok(self.host().process.cwd);
        }
        let (_, object) = self.object(dirfd)?;
        match &object.kind {
            Kind::File(file) => {
                let directory = self.host().disk().kind(file.ino) == Node::Directory;
                let itself = path.is_empty() && lookup.contains(Lookup::EMPTY);
                if directory || itself { Ok(file.ino) } else { Err(Errno::ENOTDIR) }
            }
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// What a path leads to.
    fn find(&mut self, dirfd: i32, path: &[u8], lookup: Lookup) -> Result<Found, Errno> {
        let start = self.start(dirfd, path, lookup)?;
        self.with_fs(|fs, caller| fs.resolve(caller, At::new(start, path), lookup))
    }

    fn find_node(&mut self, dirfd: i32, path: &[u8], lookup: Lookup) -> Result<Ino, Errno> {
        match self.find(dirfd, path, lookup)? {
            Found::Node(ino) => Ok(ino),
            // What has no node can be looked at through /proc, but not changed.
            Found::Foreign { .. } => Err(Errno::EPERM),
        }
    }

    /// The inode of a Unix socket's name, made by bind(2).
    pub(crate) fn make_socket_node(&mut self, path: &[u8]) -> Result<u64, Errno> {
        let start = self.start(libc::AT_FDCWD, path, Lookup::empty())?;
        let mode = 0o777 & !self.host().process.umask;
        let made = self
            .with_fs(|fs, caller| fs.mknod(caller, At::new(start, path), Special::Socket(0), mode));
        match made {
            Ok(ino) => Ok(ino.0),
            Err(Errno::EEXIST) => Err(Errno::EADDRINUSE),
            Err(errno) => Err(errno),
        }
    }

    /// The inode that a Unix socket's path leads to, for connect(2).
    pub(crate) fn find_socket_node(&mut self, path: &[u8]) -> Result<u64, Errno> {
        let ino = self.find_node(libc::AT_FDCWD, path, Lookup::FOLLOW)?;
        let cred = self.host().cred();
        self.host().disk().permit(cred, ino, Access::WRITE)?;
        match self.host().disk().kind(ino) {
            Node::Socket(_) => Ok(ino.0),
            _ => Err(Errno::ECONNREFUSED),
        }
    }

    /// A file without a name, for memfd_create(2).
    pub(crate) fn open_unnamed(&mut self, flags: i32) -> SysResult {
        let wanted = OpenFlags::TEMPORARY | OpenFlags::READ_WRITE;
        let opened = self
            .with_fs(|fs, caller| fs.open(caller, At::new(Fs::ROOT, b"/dev/shm"), wanted, 0o777))?;
        self.install_opened(opened, libc::O_RDWR, flags)
    }

    fn install_opened(&mut self, opened: Opened, status: i32, flags: i32) -> SysResult {
        let host = self.host_id();
        let object = match opened {
            Opened::Node { ino, .. } => {
                let fifo = matches!(self.host().disk().kind(ino), Node::Fifo(_));
                match fifo && status & libc::O_PATH == 0 {
                    true => self.open_fifo(ino, status)?,
                    false => self.open_node(host, ino, status),
                }
            }
            Opened::Foreign { fd, .. } => self.open_again(fd as i32, status)?,
        };
        Ok(self.install_or_close(object, flags)? as u64)
    }

    /// Opens what a link in /proc/PID/fd names, though it has no node.
    fn open_again(&mut self, fd: i32, status: i32) -> Result<crate::object::ObjId, Errno> {
        let host = self.host_id();
        match self.object(fd)?.1.kind {
            Kind::Output(stream) => Ok(self.objects.open(host, Kind::Output(stream), status)),
            Kind::Pipe(pipe, end) => Ok(self.open_pipe_end(pipe, end, status)),
            // LINUX: a socket cannot be opened by its link, proc_pid_fd(5).
            _ => Err(Errno::ENXIO),
        }
    }
}

// ---- Opening.

/// What fcntl(F_GETFL) shows of open(2)'s flags.
const STATUS: i32 = libc::O_ACCMODE
    | libc::O_APPEND
    | libc::O_NONBLOCK
    | libc::O_DSYNC
    | libc::O_SYNC
    | libc::O_DIRECT
    | libc::O_NOATIME
    | libc::O_PATH
    | libc::O_DIRECTORY
    | libc::O_NOFOLLOW;
/// O_LARGEFILE, which every open of a 64-bit program has.
const O_LARGEFILE: i32 = 0o100000;

fn open_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    flags: i32,
    mode: u64,
) -> SysResult {
    if let Some(result) = k.go_on_opening(flags) {
        return result;
    }
    let path = memory.read_path(path)?;
    let start = k.start(dirfd, &path, Lookup::empty())?;
    k.check_free_descriptor()?;
    let wanted = OpenFlags::from_bits_retain(flags);
    let opened = k.with_fs(|fs, caller| {
        fs.open(caller, At::new(start, &path), wanted, mode as u32 & 0o7777)
    })?;
    k.install_opened(opened, flags & STATUS | O_LARGEFILE, flags)
}

impl Kernel {
    /// `EMFILE` where no descriptor is free: told before a call does anything.
    pub(crate) fn check_free_descriptor(&mut self) -> Result<(), Errno> {
        let limit = self.host().process.limits[libc::RLIMIT_NOFILE as usize].soft;
        if self.host().process.descriptors.is_full(limit) { Err(Errno::EMFILE) } else { Ok(()) }
    }
}

fn open(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    open_at(k, memory, libc::AT_FDCWD, a.addr(0), a.int(1), a.word(2))
}

fn openat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    open_at(k, memory, a.fd(0), a.addr(1), a.int(2), a.word(3))
}

fn creat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
    open_at(k, memory, libc::AT_FDCWD, a.addr(0), flags, a.word(1))
}

fn openat2(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Errno::ENOSYS.into())
}

// ---- Looking.

fn device_number((major, minor): (u32, u32)) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (major & 0xffff_f000) << 32 | (major & 0xfff) << 8 | (minor & 0xffff_ff00) << 12 | minor & 0xff
}

/// Seconds and nanoseconds of a time.
fn parts(time: Realtime) -> (i64, u64) {
    (time.0.div_euclid(1_000_000_000), time.0.rem_euclid(1_000_000_000) as u64)
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

impl Kernel {
    fn stat_found(&self, found: Found) -> Result<Stat, Errno> {
        match found {
            Found::Node(ino) => Ok(self.host().disk().stat(ino)),
            Found::Foreign { fd, .. } => self.stat_descriptor(fd as i32),
        }
    }

    /// The inode number of what has no inode: both ends of a pipe have one.
    pub(crate) fn inode_number(&self, id: crate::object::ObjId, kind: &Kind) -> u64 {
        match kind {
            Kind::Pipe(pipe, _) => Pipes::inode_number(*pipe),
            _ => 1 << 20 | u64::from(id.to_bits() as u32),
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
        let made = Realtime(self.host().realtime(self.epoch, bizarro_record::Nanos::ZERO) as i64);
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

fn stat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let stat = stat_at(k, memory, libc::AT_FDCWD, a.addr(0), 0)?;
    write_stat(memory, a.addr(1), &stat)?;
    Ok(0)
}

fn lstat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let stat = stat_at(k, memory, libc::AT_FDCWD, a.addr(0), libc::AT_SYMLINK_NOFOLLOW)?;
    write_stat(memory, a.addr(1), &stat)?;
    Ok(0)
}

fn fstat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let stat = k.stat_descriptor(a.fd(0))?;
    write_stat(memory, a.addr(1), &stat)?;
    Ok(0)
}

fn newfstatat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let known = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | libc::AT_NO_AUTOMOUNT;
    if a.int(3) & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    let stat = stat_at(k, memory, a.fd(0), a.addr(1), a.int(3))?;
    write_stat(memory, a.addr(2), &stat)?;
    Ok(0)
}

fn statx(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    // LINUX: the highest bit of the mask is reserved, and so are both sync bits together, statx(2).
    let both = libc::AT_STATX_FORCE_SYNC | libc::AT_STATX_DONT_SYNC;
    if a.word(3) as u32 & 1 << 31 != 0 || a.int(2) & both == both {
        return Err(Errno::EINVAL.into());
    }
    let stat = stat_at(k, memory, a.fd(0), a.addr(1), a.int(2))?;
    write_statx(memory, a.addr(4), &stat)?;
    Ok(0)
}

fn write_statfs(memory: &mut dyn GuestMemory, addr: u64, s: &StatFs) -> Result<(), Errno> {
    let words = [
        s.magic as u64,
        s.block_size,
        s.blocks,
        s.blocks_free,
        s.blocks_free,
        s.files,
        s.files_free,
        s.id,
        s.name_max,
        s.block_size,
        s.flags,
    ];
    let mut bytes = [0; 120];
    for (n, word) in words.into_iter().enumerate() {
        bytes[n * 8..n * 8 + 8].copy_from_slice(&word.to_le_bytes());
    }
    memory.write(addr, &bytes)
}

fn statfs(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW)?;
    let stat = k.host().disk().statfs(ino);
    write_statfs(memory, a.addr(1), &stat)?;
    Ok(0)
}

fn fstatfs(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    let stat = k.host().disk().statfs(ino);
    write_statfs(memory, a.addr(1), &stat)?;
    Ok(0)
}

fn access_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    mode: i32,
    flags: i32,
) -> SysResult {
    let wanted = Access::from_bits(mode as u32).ok_or(Errno::EINVAL)?;
    let path = memory.read_path(path)?;
    let ino = match k.find(dirfd, &path, Lookup::following(flags))? {
        Found::Node(ino) => ino,
        Found::Foreign { .. } => return Ok(0),
    };
    let cred = k.host().cred();
    k.host().disk().permit(cred, ino, wanted)?;
    Ok(0)
}

fn access(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    access_at(k, memory, libc::AT_FDCWD, a.addr(0), a.int(1), 0)
}

fn faccessat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    access_at(k, memory, a.fd(0), a.addr(1), a.int(2), 0)
}

fn faccessat2(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let known = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    if a.int(3) & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    access_at(k, memory, a.fd(0), a.addr(1), a.int(2), a.int(3))
}

fn readlink_at(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    dirfd: i32,
    path: u64,
    (into, room): (u64, u64),
) -> SysResult {
    if room as i32 <= 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = memory.read_path(path)?;
    let ino = k.find_node(dirfd, &path, Lookup::EMPTY)?;
    let target = k.with_fs(|fs, caller| fs.readlink(caller, ino))?;
    let len = target.len().min(room as usize);
    memory.write(into, &target[..len])?;
    Ok(len as u64)
}

fn readlink(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    readlink_at(k, memory, libc::AT_FDCWD, a.addr(0), (a.addr(1), a.word(2)))
}

fn readlinkat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    readlink_at(k, memory, a.fd(0), a.addr(1), (a.addr(2), a.word(3)))
}

// ---- Making and removing.

/// Resolves where a new name goes and calls `f` with it.
fn make(
    k: &mut Kernel,
    dirfd: i32,
    path: &[u8],
    f: impl FnOnce(&mut Fs, &mut Caller<'_>, At<'_>) -> Result<(), Errno>,
) -> SysResult {
    let start = k.start(dirfd, path, Lookup::empty())?;
    k.with_fs(|fs, caller| f(fs, caller, At::new(start, path)))?;
    Ok(0)
}

fn mkdir_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    mode: u64,
) -> SysResult {
    let path = memory.read_path(path)?;
    make(k, dirfd, &path, |fs, caller, at| fs.mkdir(caller, at, mode as u32).map(drop))
}

fn mkdir(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    mkdir_at(k, memory, libc::AT_FDCWD, a.addr(0), a.word(1))
}

fn mkdirat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    mkdir_at(k, memory, a.fd(0), a.addr(1), a.word(2))
}

fn mknod_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    mode: u32,
    device: u64,
) -> SysResult {
    let path = memory.read_path(path)?;
    let special = match mode & libc::S_IFMT {
        0 | libc::S_IFREG => Special::Regular,
        libc::S_IFIFO => Special::Fifo(0),
        libc::S_IFSOCK => Special::Socket(0),
        libc::S_IFCHR => {
            let number = (libc::major(device), libc::minor(device));
            match Device::from_number(number) {
                Some(device) => Special::Device(device),
                None => return Err(Stop::Unsupported(format!("a device {number:?}"))),
            }
        }
        libc::S_IFBLK => return Err(Stop::Unsupported("a block device".into())),
        _ => return Err(Errno::EINVAL.into()),
    };
    make(k, dirfd, &path, |fs, caller, at| fs.mknod(caller, at, special, mode & 0o7777).map(drop))
}

fn mknod(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    mknod_at(k, memory, libc::AT_FDCWD, a.addr(0), a.int(1) as u32, a.word(2))
}

fn mknodat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    mknod_at(k, memory, a.fd(0), a.addr(1), a.int(2) as u32, a.word(3))
}

fn remove_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    flags: i32,
) -> SysResult {
    if flags & !libc::AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = memory.read_path(path)?;
    make(
        k,
        dirfd,
        &path,
        |fs, caller, at| {
            if flags == 0 { fs.unlink(caller, at) } else { fs.rmdir(caller, at) }
        },
    )
}

fn rmdir(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    remove_at(k, memory, libc::AT_FDCWD, a.addr(0), libc::AT_REMOVEDIR)
}

fn unlink(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    remove_at(k, memory, libc::AT_FDCWD, a.addr(0), 0)
}

fn unlinkat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    remove_at(k, memory, a.fd(0), a.addr(1), a.int(2))
}

fn link_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    (old_fd, old): (i32, u64),
    (new_fd, new): (i32, u64),
    flags: i32,
) -> SysResult {
    if flags & !(libc::AT_SYMLINK_FOLLOW | libc::AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (old, new) = (memory.read_path(old)?, memory.read_path(new)?);
    let from = k.find(old_fd, &old, Lookup::not_following(flags))?;
    make(k, new_fd, &new, |fs, caller, at| fs.link(caller, from, at))
}

fn link(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let here = libc::AT_FDCWD;
    link_at(k, memory, (here, a.addr(0)), (here, a.addr(1)), 0)
}

fn linkat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    link_at(k, memory, (a.fd(0), a.addr(1)), (a.fd(2), a.addr(3)), a.int(4))
}

fn symlink_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    target: u64,
    dirfd: i32,
    path: u64,
) -> SysResult {
    let (target, path) = (memory.read_path(target)?, memory.read_path(path)?);
    make(k, dirfd, &path, |fs, caller, at| fs.symlink(caller, &target, at).map(drop))
}

fn symlink(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    symlink_at(k, memory, a.addr(0), libc::AT_FDCWD, a.addr(1))
}

fn symlinkat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    symlink_at(k, memory, a.addr(0), a.fd(1), a.addr(2))
}

fn rename_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    (old_fd, old): (i32, u64),
    (new_fd, new): (i32, u64),
    flags: u32,
) -> SysResult {
    let (old, new) = (memory.read_path(old)?, memory.read_path(new)?);
    let from = k.start(old_fd, &old, Lookup::empty())?;
    let to = k.start(new_fd, &new, Lookup::empty())?;
    let flags = RenameFlags::from_bits_retain(flags);
    k.with_fs(|fs, caller| fs.rename(caller, At::new(from, &old), At::new(to, &new), flags))?;
    Ok(0)
}

fn rename(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let here = libc::AT_FDCWD;
    rename_at(k, memory, (here, a.addr(0)), (here, a.addr(1)), 0)
}

fn renameat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    rename_at(k, memory, (a.fd(0), a.addr(1)), (a.fd(2), a.addr(3)), 0)
}

fn renameat2(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    rename_at(k, memory, (a.fd(0), a.addr(1)), (a.fd(2), a.addr(3)), a.int(4) as u32)
}

// ---- Changing.

fn truncate(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let size = u64::try_from(a.offset(1)).map_err(|_| Errno::EINVAL)?;
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW)?;
    k.check_size(ino, size)?;
    let by = k.by();
    k.with_disk(|fs| fs.truncate(by, ino, size))?;
    Ok(0)
}

fn chmod_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    mode: u64,
) -> SysResult {
    let path = memory.read_path(path)?;
    let ino = k.find_node(dirfd, &path, Lookup::FOLLOW)?;
    let by = k.by();
    k.with_disk(|fs| fs.chmod(by, ino, mode as u32 & 0o7777))?;
    Ok(0)
}

fn chmod(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    chmod_at(k, memory, libc::AT_FDCWD, a.addr(0), a.word(1))
}

fn fchmodat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    chmod_at(k, memory, a.fd(0), a.addr(1), a.word(2))
}

fn fchmod(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    let by = k.by();
    k.with_disk(|fs| fs.chmod(by, ino, a.word(1) as u32 & 0o7777))?;
    Ok(0)
}

/// -1 leaves an owner as it is.
fn owner(id: i32) -> Option<u32> {
    (id != -1).then_some(id as u32)
}

fn chown_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    (dirfd, path): (i32, u64),
    (uid, gid): (i32, i32),
    flags: i32,
) -> SysResult {
    let path = memory.read_path(path)?;
    let ino = k.find_node(dirfd, &path, Lookup::following(flags))?;
    let by = k.by();
    k.with_disk(|fs| fs.chown(by, ino, owner(uid), owner(gid)))?;
    Ok(0)
}

fn chown(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    chown_at(k, memory, (libc::AT_FDCWD, a.addr(0)), (a.int(1), a.int(2)), 0)
}

fn lchown(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    chown_at(k, memory, (libc::AT_FDCWD, a.addr(0)), (a.int(1), a.int(2)), flags)
}

fn fchownat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    chown_at(k, memory, (a.fd(0), a.addr(1)), (a.int(2), a.int(3)), a.int(4))
}

fn fchown(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    let by = k.by();
    k.with_disk(|fs| fs.chown(by, ino, owner(a.int(1)), owner(a.int(2))))?;
    Ok(0)
}

fn set_time(memory: &dyn GuestMemory, addr: u64) -> Result<SetTime, Errno> {
    let (secs, nanos) = (memory.read_i64(addr)?, memory.read_i64(addr + 8)?);
    match nanos {
        libc::UTIME_NOW => Ok(SetTime::Now),
        libc::UTIME_OMIT => Ok(SetTime::Omit),
        0..1_000_000_000 => Ok(SetTime::To(Realtime(secs.saturating_mul(1_000_000_000) + nanos))),
        _ => Err(Errno::EINVAL),
    }
}

fn utimensat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (atime, mtime) = if a.addr(2) == 0 {
        (SetTime::Now, SetTime::Now)
    } else {
        (set_time(memory, a.addr(2))?, set_time(memory, a.addr(2) + 16)?)
    };
    let ino = if a.addr(1) == 0 {
        // futimens(3): the descriptor's own file.
        k.file_of(a.fd(0))?.1
    } else {
        let path = memory.read_path(a.addr(1))?;
        k.find_node(a.fd(0), &path, Lookup::following(a.int(3)))?
    };
    let by = k.by();
    k.with_disk(|fs| fs.utimens(by, ino, atime, mtime))?;
    Ok(0)
}

// ---- The working directory.

fn getcwd(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let cwd = k.host().process.cwd;
    let mut path = k.host().disk().cwd_path(cwd)?;
    path.push(0);
    if path.len() as u64 > a.word(1) {
        return Err(Errno::ERANGE.into());
    }
    memory.write(a.addr(0), &path)?;
    Ok(path.len() as u64)
}

fn enter(k: &mut Kernel, ino: Ino) -> SysResult {
    let cred = k.host().cred();
    k.host().disk().permit(cred, ino, Access::EXECUTE)?;
    let before = core::mem::replace(&mut k.host_mut().process.cwd, ino);
    k.with_disk(|fs| {
        fs.retain(ino);
        fs.release(before);
    });
    Ok(0)
}

fn chdir(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW | Lookup::DIRECTORY)?;
    enter(k, ino)
}

fn fchdir(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let ino = match k.objects.get(id).map(|object| &object.kind) {
        Some(Kind::File(file)) if k.host().disk().kind(file.ino) == Node::Directory => file.ino,
        _ => return Err(Errno::ENOTDIR.into()),
    };
    enter(k, ino)
}

fn umask(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let new = a.word(0) as u32 & 0o777;
    Ok(core::mem::replace(&mut k.host_mut().process.umask, new).into())
}

// ---- Extended attributes.

fn give(memory: &mut dyn GuestMemory, addr: u64, room: u64, bytes: &[u8]) -> SysResult {
    if room > 0 {
        if (room as usize) < bytes.len() {
            return Err(Errno::ERANGE.into());
        }
        memory.write(addr, bytes)?;
    }
    Ok(bytes.len() as u64)
}

fn read_name(memory: &dyn GuestMemory, addr: u64) -> Result<Vec<u8>, Errno> {
    let name = memory.read_path(addr)?;
    if name.is_empty() || name.len() > 255 { Err(Errno::ERANGE) } else { Ok(name) }
}

fn get_attribute(k: &mut Kernel, memory: &mut dyn GuestMemory, ino: Ino, a: &Args) -> SysResult {
    let name = read_name(memory, a.addr(1))?;
    let value = k.host().disk().xattr(k.host().cred(), ino, &name)?.to_vec();
    give(memory, a.addr(2), a.word(3), &value)
}

fn getxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW)?;
    get_attribute(k, memory, ino, a)
}

fn lgetxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::empty())?;
    get_attribute(k, memory, ino, a)
}

fn fgetxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    get_attribute(k, memory, ino, a)
}

fn set_attribute(k: &mut Kernel, memory: &mut dyn GuestMemory, ino: Ino, a: &Args) -> SysResult {
    let name = read_name(memory, a.addr(1))?;
    if a.word(3) > 65536 {
        return Err(Errno::E2BIG.into());
    }
    let value = memory.read_vec(a.addr(2), a.word(3) as usize)?;
    let (by, flags) = (k.by(), XattrFlags::from_bits_retain(a.int(4)));
    k.with_disk(|fs| fs.set_xattr(by, ino, &name, &value, flags))?;
    Ok(0)
}

fn setxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW)?;
    set_attribute(k, memory, ino, a)
}

fn fsetxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    set_attribute(k, memory, ino, a)
}

fn listxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW)?;
    let names = k.host().disk().list_xattrs(k.host().cred(), ino);
    give(memory, a.addr(1), a.word(2), &names)
}

fn flistxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    let names = k.host().disk().list_xattrs(k.host().cred(), ino);
    give(memory, a.addr(1), a.word(2), &names)
}

fn no_watches(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Errno::EMFILE.into())
}
