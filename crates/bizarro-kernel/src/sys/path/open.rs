//! Opening: open(2), creat(2).

use crate::errno::{Errno, SysResult};
use crate::fs::{At, Fs, Kind as Node, Lookup, OpenFlags, Opened};
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn open(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    open_at(k, memory, libc::AT_FDCWD, a.addr(0), a.int(1), a.word(2))
}

pub(super) fn openat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    open_at(k, memory, a.fd(0), a.addr(1), a.int(2), a.word(3))
}

pub(super) fn creat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
    open_at(k, memory, libc::AT_FDCWD, a.addr(0), flags, a.word(1))
}

pub(super) fn openat2(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Errno::ENOSYS.into())
}

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
    fn open_again(&mut self, fd: i32, status: i32) -> Result<ObjId, Errno> {
        let host = self.host_id();
        match self.object(fd)?.1.kind {
            Kind::Output(stream) => Ok(self.objects.open(host, Kind::Output(stream), status)),
            Kind::Pipe(pipe, end) => Ok(self.open_pipe_end(pipe, end, status)),
            // LINUX: a socket cannot be opened by its link, proc_pid_fd(5).
            _ => Err(Errno::ENXIO),
        }
    }
}
