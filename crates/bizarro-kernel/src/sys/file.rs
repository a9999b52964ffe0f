//! Open files: read(2), write(2) and their kin on everything that has bytes, offsets, sizes, getdents64(2), syncing.

use alloc::vec;
use alloc::vec::Vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::fs::{AllocateMode, Device, Dirent, Fs, Ino, Kind as Node, Realtime, Seek, Take};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::memory::{IoVec, Scatter};
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::sys::socket::TRANSFER_MAX;
use crate::table::Arg::{Fd, Hex, Int, Path, Ptr, Size};
use crate::table::{Args, Row, Support, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_read, "read", &[Fd, Ptr, Size], read).restarts(),
    row(libc::SYS_write, "write", &[Fd, Ptr, Size], write).restarts(),
    row(libc::SYS_readv, "readv", &[Fd, Ptr, Int], readv).restarts(),
    row(libc::SYS_writev, "writev", &[Fd, Ptr, Int], writev).restarts(),
    row(libc::SYS_pread64, "pread64", &[Fd, Ptr, Size, Size], pread64),
    row(libc::SYS_pwrite64, "pwrite64", &[Fd, Ptr, Size, Size], pwrite64),
    row(libc::SYS_preadv, "preadv", &[Fd, Ptr, Int, Size], preadv),
    row(libc::SYS_pwritev, "pwritev", &[Fd, Ptr, Int, Size], pwritev),
    row(libc::SYS_preadv2, "preadv2", &[Fd, Ptr, Int, Size, Hex, Hex], preadv2).support(
        Support::Partial("RWF_HIPRI and RWF_NOWAIT have no effect: files are always ready"),
    ),
    row(libc::SYS_pwritev2, "pwritev2", &[Fd, Ptr, Int, Size, Hex, Hex], pwritev2)
        .support(Support::Partial("RWF_APPEND is not simulated")),
    row(libc::SYS_lseek, "lseek", &[Fd, Size, Int], lseek),
    row(libc::SYS_ftruncate, "ftruncate", &[Fd, Size], ftruncate),
    row(libc::SYS_fallocate, "fallocate", &[Fd, Hex, Size, Size], fallocate),
    row(libc::SYS_fsync, "fsync", &[Fd], fsync),
    row(libc::SYS_fdatasync, "fdatasync", &[Fd], fdatasync),
    row(libc::SYS_sync, "sync", &[], sync),
    row(libc::SYS_syncfs, "syncfs", &[Fd], syncfs),
    row(libc::SYS_sync_file_range, "sync_file_range", &[Fd, Size, Size, Hex], fdatasync),
    row(libc::SYS_getdents64, "getdents64", &[Fd, Ptr, Size], getdents64),
    row(libc::SYS_sendfile, "sendfile", &[Fd, Fd, Ptr, Size], sendfile),
    row(
        libc::SYS_copy_file_range,
        "copy_file_range",
        &[Fd, Ptr, Fd, Ptr, Size, Hex],
        copy_file_range,
    ),
    row(libc::SYS_fadvise64, "fadvise64", &[Fd, Size, Size, Int], fadvise64)
        .support(Support::Accepted("everything is in memory already")),
    row(libc::SYS_readahead, "readahead", &[Fd, Size, Size], fadvise64)
        .support(Support::Accepted("everything is in memory already")),
    row(libc::SYS_memfd_create, "memfd_create", &[Path, Hex], memfd_create)
        .support(Support::Partial("sealing and huge pages are not simulated")),
    row(libc::SYS_flock, "flock", &[Fd, Int], flock).restarts(),
];

/// An open file, directory or device.
#[derive(Debug)]
pub struct OpenFile {
    /// The node; the description retains it.
    pub ino: Ino,
    /// Where the next read or write happens; of a directory: the position of the next entry.
    pub offset: u64,
}

/// One transfer's bytes at a time go through a buffer of this size.
pub(crate) const CHUNK: usize = 1 << 16;

/// Where a transfer starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// At the description's offset, which moves on.
    Current,
    /// At a place of its own.
    At(u64),
}

impl Place {
    pub(crate) fn at(offset: i64) -> Result<Place, Errno> {
        u64::try_from(offset).map(Place::At).map_err(|_| Errno::EINVAL)
    }

    /// LINUX: a transfer that would end beyond the largest offset is EINVAL, whatever there is to transfer.
    fn check(self, current: u64, len: usize) -> Result<u64, Errno> {
        let start = if let Place::At(offset) = self { offset } else { current };
        let end = start.checked_add(len as u64).ok_or(Errno::EINVAL)?;
        if i64::try_from(end).is_ok() { Ok(start) } else { Err(Errno::EINVAL) }
    }
}

impl Kernel {
    fn file(&self, id: ObjId) -> Option<&OpenFile> {
        match self.objects.get(id).map(|object| &object.kind) {
            Some(Kind::File(file)) => Some(file),
            _ => None,
        }
    }

    fn file_mut(&mut self, id: ObjId) -> Option<&mut OpenFile> {
        match self.objects.get_mut(id).map(|object| &mut object.kind) {
            Some(Kind::File(file)) => Some(file),
            _ => None,
        }
    }

    /// The node behind a descriptor of a file.
    pub(crate) fn file_of(&self, fd: i32) -> Result<(ObjId, Ino), Errno> {
        let id = self.descriptor(fd)?;
        self.refuse_path_only(id)?;
        self.file(id).map(|file| (id, file.ino)).ok_or(Errno::EINVAL)
    }

    /// Where the next read or write of an open file happens.
    pub(crate) fn file_offset(&self, id: ObjId) -> Option<u64> {
        self.file(id).map(|file| file.offset)
    }

    /// Moves that place.
    pub(crate) fn set_file_offset(&mut self, id: ObjId, offset: u64) {
        if let Some(file) = self.file_mut(id) {
            file.offset = offset;
        }
    }

    /// Opens a description on a node that is retained for it already.
    pub(crate) fn open_node(&mut self, host: HostId, ino: Ino, status: i32) -> ObjId {
        self.objects.open(host, Kind::File(OpenFile { ino, offset: 0 }), status)
    }

    pub(crate) fn close_file(&mut self, host: HostId, id: ObjId, file: OpenFile) {
        self.release_locks_of_description(host, id, file.ino);
        self.hosts[usize::from(host.0)].fs().release(file.ino);
    }

    /// A description of /dev/null, for a process's stdin.
    pub(crate) fn open_null(&mut self, host: HostId) -> ObjId {
        let ino = self.resolve_on(host, b"/dev/null").unwrap_or(Fs::ROOT);
        self.hosts[usize::from(host.0)].fs().retain(ino);
        self.open_node(host, ino, libc::O_RDWR)
    }

    /// Whether epoll(7) takes the file: devices only.
    pub(crate) fn file_is_pollable(&self, id: ObjId) -> bool {
        let Some(file) = self.file(id) else { return false };
        let host = self.objects.get(id).map_or(0, |object| usize::from(object.host.0));
        matches!(
            self.hosts[host].disk().kind(file.ino),
            Node::Device(Device::Random | Device::Urandom | Device::Tty)
        )
    }

    /// FIONREAD on a file.
    pub(crate) fn bytes_to_end_of_file(&self, id: ObjId) -> Result<u32, Stop> {
        let file = self.file(id).ok_or(Errno::ENOTTY)?;
        match self.host().disk().kind(file.ino) {
            Node::Regular => Ok((self.host().disk().size(file.ino) - file.offset) as u32),
            _ => Err(Errno::ENOTTY.into()),
        }
    }

    pub(crate) fn may(&self, id: ObjId, refused: i32) -> Result<(), Errno> {
        let status = self.objects.get(id).map_or(libc::O_PATH, |object| object.status);
        if status & libc::O_PATH != 0 || status & libc::O_ACCMODE == refused {
            return Err(Errno::EBADF);
        }
        Ok(())
    }

    // ---- Reading.

    fn read_object(
        &mut self,
        memory: &mut dyn GuestMemory,
        id: ObjId,
        vecs: &[IoVec],
        place: Place,
    ) -> SysResult {
        self.may(id, libc::O_WRONLY)?;
        let total = vecs.iter().map(|vec| vec.len as usize).sum::<usize>().min(TRANSFER_MAX);
        let seekable = matches!(self.objects.get(id).map(|o| &o.kind), Some(Kind::File(_)));
        if place != Place::Current && !seekable {
            return Err(Errno::ESPIPE.into());
        }
        let Some(object) = self.objects.get(id) else { return Err(Errno::EBADF.into()) };
        match &object.kind {
            Kind::Socket(socket) => {
                let socket = *socket;
                self.read_socket(memory, id, socket, vecs)
            }
            Kind::Pipe(pipe, _) => {
                let pipe = *pipe;
                let bytes = self.read_pipe(id, pipe, total)?;
                Scatter::new(memory, vecs).put(&bytes)?;
                self.drain_pipe(pipe, bytes.len());
                Ok(bytes.len() as u64)
            }
            Kind::Event(_) => {
                let count = self.read_eventfd(id, total as u64)?;
                Scatter::new(memory, vecs).put(&count.to_le_bytes())?;
                Ok(8)
            }
            Kind::Timer(_) => {
                let count = self.read_timerfd(id, total as u64)?;
                Scatter::new(memory, vecs).put(&count.to_le_bytes())?;
                Ok(8)
            }
            Kind::Signal(set) => {
                let set = *set;
                if total < 128 {
                    return Err(Errno::EINVAL.into());
                }
                let info = self.read_signalfd(id, set)?;
                Scatter::new(memory, vecs).put(&info)?;
                Ok(128)
            }
            Kind::Epoll(_) => Err(Errno::EINVAL.into()),
            Kind::Output(_) => Err(Errno::EBADF.into()),
            Kind::File(file) => {
                let (ino, offset) = (file.ino, file.offset);
                self.read_node(memory, id, ino, vecs, total, place, offset)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one transfer")]
    fn read_node(
        &mut self,
        memory: &mut dyn GuestMemory,
        id: ObjId,
        ino: Ino,
        vecs: &[IoVec],
        total: usize,
        place: Place,
        current: u64,
    ) -> SysResult {
        let mut offset = place.check(current, total)?;
        if let Node::Proc(_) = self.host().disk().kind(ino)
            && offset == 0
        {
            self.with_fs(|fs, caller| fs.refresh(caller, ino))?;
        }
        let mut buffer = vec![0; total.min(CHUNK)];
        let mut into = Scatter::new(memory, vecs);
        let mut done = 0;
        while done < total {
            let want = buffer.len().min(total - done);
            let got = self.read_file_bytes(ino, offset, &mut buffer[..want])?;
            into.put(&buffer[..got])?;
            done += got;
            offset += got as u64;
            if got < want {
                break;
            }
        }
        if total == 0 && self.host().disk().kind(ino) == Node::Directory {
            return Err(Errno::EISDIR.into());
        }
        if place == Place::Current
            && let Some(file) = self.file_mut(id)
        {
            file.offset = offset;
        }
        let now = self.realtime();
        self.host_mut().fs().accessed(ino, now);
        Ok(done as u64)
    }

    fn read_file_bytes(&mut self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        match self.host().disk().kind(ino) {
            Node::Device(device) => {
                let decider = &mut self.decider;
                device.read(into, &mut || decider.random())
            }
            _ => self.host().disk().read_at(ino, offset, into),
        }
    }

    /// Bytes of an open file for mmap(2).
    pub(crate) fn read_file_at(
        &mut self,
        id: ObjId,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, Errno> {
        let ino = self.file(id).ok_or(Errno::ENODEV)?.ino;
        self.read_file_bytes(ino, offset, into)
    }

    /// The file that a descriptor lets mmap(2) map.
    pub(crate) fn file_to_map(&self, fd: i32, kind: i32, prot: i32) -> Result<ObjId, Stop> {
        let (id, object) = self.object(fd)?;
        let file = self.file(id).ok_or(Errno::ENODEV)?;
        let access = object.status & libc::O_ACCMODE;
        let shared_write = kind != libc::MAP_PRIVATE && prot & libc::PROT_WRITE != 0;
        if access == libc::O_WRONLY || shared_write && access != libc::O_RDWR {
            return Err(Errno::EACCES.into());
        }
        match self.host().disk().kind(file.ino) {
            Node::Regular | Node::Device(Device::Zero) => {}
            _ => return Err(Errno::ENODEV.into()),
        }
        if shared_write {
            return Err(Stop::Unsupported("a shared writable mapping of a file".into()));
        }
        Ok(id)
    }

    // ---- Writing.

    fn write_object(
        &mut self,
        memory: &mut dyn GuestMemory,
        id: ObjId,
        vecs: &[IoVec],
        place: Place,
    ) -> SysResult {
        self.may(id, libc::O_RDONLY)?;
        let Some(object) = self.objects.get(id) else { return Err(Errno::EBADF.into()) };
        if let Kind::Socket(socket) = object.kind {
            if place != Place::Current {
                return Err(Errno::ESPIPE.into());
            }
            return self.write_socket(memory, id, socket, vecs);
        }
        let bytes = memory.gather(vecs, TRANSFER_MAX)?;
        self.write_bytes(id, &bytes, place)
    }

    /// Bytes of the kernel's own to anything that can be written.
    pub(crate) fn write_bytes(&mut self, id: ObjId, bytes: &[u8], place: Place) -> SysResult {
        let Some(object) = self.objects.get(id) else { return Err(Errno::EBADF.into()) };
        match &object.kind {
            Kind::File(_) => self.write_file(id, bytes, place),
            _ if place != Place::Current => Err(Errno::ESPIPE.into()),
            Kind::Socket(socket) => {
                let socket = *socket;
                self.write_socket_bytes(id, socket, bytes)
            }
            Kind::Pipe(pipe, _) => {
                let pipe = *pipe;
                self.fingerprint.bytes(bytes);
                self.write_pipe(id, pipe, bytes)
            }
            Kind::Event(_) => {
                // LINUX: exactly eight bytes; older kernels take more for eight.
                let value = bytes.try_into().map_err(|_| Errno::EINVAL)?;
                self.write_eventfd(id, u64::from_le_bytes(value))?;
                Ok(8)
            }
            Kind::Output(stream) => {
                let stream = *stream;
                self.fingerprint.bytes(bytes);
                self.output(stream, bytes);
                Ok(bytes.len() as u64)
            }
            Kind::Timer(_) | Kind::Signal(_) | Kind::Epoll(_) => Err(Errno::EINVAL.into()),
        }
    }

    fn write_file(&mut self, id: ObjId, bytes: &[u8], place: Place) -> SysResult {
        let Some(file) = self.file(id) else { return Err(Errno::EBADF.into()) };
        let (ino, current) = (file.ino, file.offset);
        let offset = place.check(current, bytes.len())?;
        if let Node::Device(device) = self.host().disk().kind(ino) {
            return Ok(device.write(bytes.len())? as u64);
        }
        let append = self.objects.get(id).is_some_and(|o| o.status & libc::O_APPEND != 0);
        let by = self.by();
        self.fingerprint.bytes(bytes);
        // LINUX: with O_APPEND even pwrite(2) appends, pwrite(2), "Bugs".
        let offset = if append { self.host().disk().size(ino) } else { offset };
        let limit = self.host().process.limits[libc::RLIMIT_FSIZE as usize].soft;
        if !bytes.is_empty() && offset >= limit {
            return Err(self.file_too_large());
        }
        let room = usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let part = &bytes[..bytes.len().min(room)];
        let (start, written) = if append {
            self.with_disk(|fs| fs.append(by, ino, part))?
        } else {
            (offset, self.with_disk(|fs| fs.write_at(by, ino, offset, part))?)
        };
        if place == Place::Current
            && let Some(file) = self.file_mut(id)
        {
            file.offset = start + written as u64;
        }
        let synced = self.objects.get(id).is_some_and(|o| o.status & libc::O_DSYNC != 0);
        if synced {
            self.with_disk(|fs| fs.fdatasync(ino))?;
        }
        Ok(written as u64)
    }

    /// A write beyond RLIMIT_FSIZE: SIGXFSZ and EFBIG.
    fn file_too_large(&mut self) -> Stop {
        use crate::signal::Info;
        let (current, pid) = (self.current, self.host().process.pid);
        let info = Info { signal: libc::SIGXFSZ, code: libc::SI_USER, pid, uid: 0, value: 0 };
        self.send_to_task(current, info);
        Errno::EFBIG.into()
    }

    /// A file must not become larger than RLIMIT_FSIZE; it may be so already.
    pub(crate) fn check_size(&mut self, ino: Ino, size: u64) -> Result<(), Stop> {
        let limit = self.host().process.limits[libc::RLIMIT_FSIZE as usize].soft;
        if size > limit && size > self.host().disk().size(ino) {
            return Err(self.file_too_large());
        }
        Ok(())
    }

    /// The current host's CLOCK_REALTIME.
    pub(crate) fn realtime(&self) -> Realtime {
        Realtime(self.host().realtime(self.epoch, self.now) as i64)
    }
}

fn one(a: &Args) -> [IoVec; 1] {
    [IoVec { base: a.addr(1), len: a.word(2) }]
}

fn read(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.read_object(memory, id, &one(a), Place::Current)
}

fn write(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.write_object(memory, id, &one(a), Place::Current)
}

fn readv(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let vecs = memory.read_iovecs(a.addr(1), a.word(2))?;
    k.read_object(memory, id, &vecs, Place::Current)
}

fn writev(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let vecs = memory.read_iovecs(a.addr(1), a.word(2))?;
    k.write_object(memory, id, &vecs, Place::Current)
}

fn pread64(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.read_object(memory, id, &one(a), Place::at(a.offset(3))?)
}

fn pwrite64(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.write_object(memory, id, &one(a), Place::at(a.offset(3))?)
}

fn preadv(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let vecs = memory.read_iovecs(a.addr(1), a.word(2))?;
    k.read_object(memory, id, &vecs, Place::at(a.offset(3))?)
}

fn pwritev(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let vecs = memory.read_iovecs(a.addr(1), a.word(2))?;
    k.write_object(memory, id, &vecs, Place::at(a.offset(3))?)
}

fn preadv2(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    transfer_flags(a)?;
    match a.offset(3) {
        -1 => readv(k, memory, a),
        _ => preadv(k, memory, a),
    }
}

fn pwritev2(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let flags = transfer_flags(a)?;
    let written = match a.offset(3) {
        -1 => writev(k, memory, a),
        _ => pwritev(k, memory, a),
    }?;
    if flags & (libc::RWF_DSYNC | libc::RWF_SYNC) != 0
        && let Some(file) = k.file(k.descriptor(a.fd(0))?)
    {
        let ino = file.ino;
        k.with_disk(|fs| fs.fdatasync(ino))?;
    }
    Ok(written)
}

/// The flags of preadv2(2) and pwritev2(2).
fn transfer_flags(a: &Args) -> Result<i32, Stop> {
    let flags = a.int(5);
    let harmless = libc::RWF_HIPRI | libc::RWF_NOWAIT | libc::RWF_DSYNC | libc::RWF_SYNC;
    match flags & !harmless {
        0 => Ok(flags),
        libc::RWF_APPEND => Err(Stop::Unsupported("RWF_APPEND".into())),
        _ => Err(Errno::EOPNOTSUPP.into()),
    }
}

fn lseek(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.refuse_path_only(id)?;
    let Some(file) = k.file(id) else { return Err(Errno::ESPIPE.into()) };
    let (ino, current) = (file.ino, file.offset);
    let disk = k.host().disk();
    let size = disk.size(ino);
    let target = match a.int(2) {
        libc::SEEK_SET => Some(a.offset(1)),
        libc::SEEK_CUR => (current as i64).checked_add(a.offset(1)),
        libc::SEEK_END => (size as i64).checked_add(a.offset(1)),
        libc::SEEK_DATA | libc::SEEK_HOLE => {
            let offset = u64::try_from(a.offset(1)).map_err(|_| Errno::ENXIO)?;
            let what = if a.int(2) == libc::SEEK_DATA { Seek::Data } else { Seek::Hole };
            Some(disk.seek(ino, offset, what)? as i64)
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    let target = target.ok_or(Errno::EINVAL)?;
    let target = u64::try_from(target).map_err(|_| Errno::EINVAL)?;
    if let Node::Device(_) = disk.kind(ino) {
        return Ok(0);
    }
    if let Some(file) = k.file_mut(id) {
        file.offset = target;
    }
    Ok(target)
}

fn ftruncate(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let ino = k.file(id).ok_or(Errno::EINVAL)?.ino;
    let size = u64::try_from(a.offset(1)).map_err(|_| Errno::EINVAL)?;
    k.may(id, libc::O_RDONLY).map_err(|_| Errno::EINVAL)?;
    k.check_size(ino, size)?;
    let by = k.by();
    k.with_disk(|fs| fs.resize(by, ino, size))?;
    Ok(0)
}

fn fallocate(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let ino = k.file(id).ok_or(Errno::ESPIPE)?.ino;
    k.may(id, libc::O_RDONLY)?;
    let (by, mode) = (k.by(), AllocateMode::from_bits_retain(a.int(1)));
    if !mode.contains(AllocateMode::KEEP_SIZE) {
        k.check_size(ino, (a.offset(2) as u64).saturating_add(a.offset(3) as u64))?;
    }
    k.with_disk(|fs| fs.fallocate(by, ino, mode, a.offset(2), a.offset(3)))?;
    Ok(0)
}

fn fsync(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    k.with_disk(|fs| fs.fsync(ino))?;
    Ok(0)
}

fn fdatasync(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    k.with_disk(|fs| fs.fdatasync(ino))?;
    Ok(0)
}

fn sync(k: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    k.with_disk(|fs| fs.sync_all());
    Ok(0)
}

fn syncfs(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    k.descriptor(a.fd(0))?;
    k.with_disk(|fs| fs.sync_all());
    Ok(0)
}

fn getdents64(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.may(id, -1)?;
    let file = k.file(id).ok_or(Errno::ENOTDIR)?;
    let (ino, mut position) = (file.ino, file.offset);
    let room = a.word(2) as u32 as usize;
    let (mut bytes, mut too_small) = (Vec::new(), false);
    k.with_fs(|fs, caller| {
        fs.read_directory(caller, ino, position, &mut |entry| {
            if bytes.len() + entry_length(&entry) > room {
                too_small = bytes.is_empty();
                return Take::Full;
            }
            put_entry(&mut bytes, &entry);
            position = entry.next;
            Take::More
        })
    })?;
    if too_small {
        return Err(Errno::EINVAL.into());
    }
    memory.write(a.addr(1), &bytes)?;
    if let Some(file) = k.file_mut(id) {
        file.offset = position;
    }
    Ok(bytes.len() as u64)
}

/// Length of a `struct linux_dirent64`: 19 bytes, the name and its zero, rounded up to eight.
fn entry_length(entry: &Dirent<'_>) -> usize {
    (19 + entry.name.len() + 1).next_multiple_of(8)
}

fn put_entry(bytes: &mut Vec<u8>, entry: &Dirent<'_>) {
    let (start, length) = (bytes.len(), entry_length(entry));
    bytes.extend(entry.ino.to_le_bytes());
    bytes.extend(entry.next.to_le_bytes());
    bytes.extend((length as u16).to_le_bytes());
    bytes.push(entry.kind.dirent());
    bytes.extend(entry.name);
    bytes.resize(start + length, 0);
}

/// Copies bytes of a file to a descriptor; gives how many went.
fn copy(
    k: &mut Kernel,
    from: ObjId,
    to: ObjId,
    mut offset: u64,
    place: Place,
    len: usize,
) -> Result<(u64, u64), Stop> {
    let len = len.min(CHUNK);
    let mut buffer = vec![0; len];
    let got = k.read_file_at(from, offset, &mut buffer)?;
    if got == 0 {
        return Ok((0, offset));
    }
    // One transfer at a time, and what is not taken is not sent: the progress of a blocking write is its own.
    let written = k.write_bytes(to, &buffer[..got], place)?;
    offset += written;
    Ok((written, offset))
}

fn sendfile(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (to, from) = (k.descriptor(a.fd(0))?, k.descriptor(a.fd(1))?);
    k.may(to, libc::O_RDONLY)?;
    k.may(from, libc::O_WRONLY)?;
    let file = k.file(from).ok_or(Errno::EINVAL)?;
    if k.host().disk().kind(file.ino) != Node::Regular {
        return Err(Errno::EINVAL.into());
    }
    let current = file.offset;
    let offset = match a.addr(2) {
        0 => current,
        addr => u64::try_from(memory.read_i64(addr)?).map_err(|_| Errno::EINVAL)?,
    };
    let (sent, offset) = copy(k, from, to, offset, Place::Current, a.word(3) as usize)?;
    if a.addr(2) == 0 {
        if let Some(file) = k.file_mut(from) {
            file.offset = offset;
        }
    } else {
        memory.write_u64(a.addr(2), offset)?;
    }
    Ok(sent)
}

fn copy_file_range(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.int(5) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (from, to) = (k.descriptor(a.fd(0))?, k.descriptor(a.fd(2))?);
    let (source, target) = (k.file(from), k.file(to));
    let (Some(source), Some(target)) = (source, target) else { return Err(Errno::EINVAL.into()) };
    let disk = k.host().disk();
    for ino in [source.ino, target.ino] {
        match disk.kind(ino) {
            Node::Regular => {}
            Node::Directory => return Err(Errno::EISDIR.into()),
            _ => return Err(Errno::EINVAL.into()),
        }
    }
    k.may(from, libc::O_WRONLY)?;
    k.may(to, libc::O_RDONLY)?;
    if k.objects.get(to).is_some_and(|object| object.status & libc::O_APPEND != 0) {
        return Err(Errno::EBADF.into());
    }
    let start = if a.addr(1) == 0 { source.offset } else { memory.read_u64(a.addr(1))? };
    let place =
        if a.addr(3) == 0 { Place::Current } else { Place::At(memory.read_u64(a.addr(3))?) };
    let (copied, end) = copy(k, from, to, start, place, a.word(4) as usize)?;
    match a.addr(1) {
        0 => {
            if let Some(file) = k.file_mut(from) {
                file.offset = end;
            }
        }
        addr => memory.write_u64(addr, end)?,
    }
    if let Place::At(at) = place {
        memory.write_u64(a.addr(3), at + copied)?;
    }
    Ok(copied)
}

fn fadvise64(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    if k.file(id).is_none() {
        return Err(Errno::ESPIPE.into());
    }
    Ok(0)
}

fn memfd_create(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    memory.read_path(a.addr(0))?;
    let known =
        libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | libc::MFD_NOEXEC_SEAL | libc::MFD_EXEC;
    if a.int(1) as u32 & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    let flags = if a.int(1) as u32 & libc::MFD_CLOEXEC != 0 { libc::O_CLOEXEC } else { 0 };
    k.open_unnamed(flags)
}

fn flock(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    k.lock_whole_file(a.fd(0), a.int(1))
}

impl Kernel {
    /// fcntl(F_ADD_SEALS, F_GET_SEALS).
    pub(crate) fn seals(&mut self, id: ObjId, command: i32, _: u64) -> SysResult {
        if self.file(id).is_none() {
            return Err(Errno::EINVAL.into());
        }
        if command == libc::F_GET_SEALS {
            // What memfd_create(2) gives without MFD_ALLOW_SEALING.
            return Ok(libc::F_SEAL_SEAL as u64);
        }
        Err(Errno::EPERM.into())
    }
}
