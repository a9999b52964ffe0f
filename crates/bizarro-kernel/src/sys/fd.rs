//! Descriptors: dup(2), close(2), fcntl(2), ioctl(2), and what other families need of them.

use alloc::format;

use bizarro_record::Nanos;

use crate::errno::{Errno, Stop, SysResult};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::object::{Descriptor, Kind, ObjId, Object};
use crate::seams::GuestMemory;
use crate::table::Arg::{Fd, Hex, Int, Ptr};
use crate::table::{Args, Row, Support, row};
use crate::task::WaitsFor;

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_close, "close", &[Fd], close),
    row(libc::SYS_close_range, "close_range", &[Fd, Fd, Hex], close_range),
    row(libc::SYS_dup, "dup", &[Fd], dup),
    row(libc::SYS_dup2, "dup2", &[Fd, Fd], dup2),
    row(libc::SYS_dup3, "dup3", &[Fd, Fd, Hex], dup3),
    row(libc::SYS_fcntl, "fcntl", &[Fd, Int, Hex], fcntl)
        .restarts()
        .support(Support::Partial("leases, notifications and signal-driven I/O are not simulated")),
    row(libc::SYS_ioctl, "ioctl", &[Fd, Hex, Ptr], ioctl)
        .support(Support::Partial("FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, SIOCOUTQ, SIOCATMARK, SIOCGIF*; terminals are absent")),
];

/// fcntl(2)'s commands for the signal of signal-driven I/O.
const F_SETSIG: i32 = 10;
const F_GETSIG: i32 = 11;
/// F_DUPFD_QUERY (Linux 6.10).
const F_DUPFD_QUERY: i32 = 1027;

impl Kernel {
    /// What a descriptor of the current process names.
    #[inline]
    pub fn descriptor(&self, fd: i32) -> Result<ObjId, Errno> {
        Ok(self.host().process.descriptors.get(fd)?.object)
    }

    /// The open file description of a descriptor of the current process.
    #[inline]
    pub fn object(&self, fd: i32) -> Result<(ObjId, &Object), Errno> {
        let id = self.descriptor(fd)?;
        Ok((id, self.objects.get(id).ok_or(Errno::EBADF)?))
    }

    /// Gives a description the lowest free descriptor of the current process.
    pub fn install(&mut self, object: ObjId, flags: i32) -> Result<i32, Errno> {
        self.install_from(object, flags & libc::O_CLOEXEC != 0, 0)
    }

    fn install_from(
        &mut self,
        object: ObjId,
        close_on_exec: bool,
        from: usize,
    ) -> Result<i32, Errno> {
        let limit = self.host().process.limits[libc::RLIMIT_NOFILE as usize].soft;
        let descriptor = Descriptor { object, close_on_exec };
        let fd = self.host_mut().process.descriptors.insert(descriptor, from, limit)?;
        self.retain(object);
        Ok(fd)
    }

    /// Opens a description and gives it the lowest free descriptor. Where there is none, nothing stays open.
    pub fn open_descriptor(&mut self, kind: Kind, status: i32, flags: i32) -> Result<i32, Errno> {
        let host = self.host_id();
        let object = self.objects.open(host, kind, status);
        self.install_or_close(object, flags)
    }

    /// Gives a description that nothing names yet the lowest free descriptor, or closes it.
    pub fn install_or_close(&mut self, object: ObjId, flags: i32) -> Result<i32, Errno> {
        self.install(object, flags).inspect_err(|_| {
            self.retain(object);
            self.release(object);
        })
    }

    /// One more name for a description.
    pub fn retain(&mut self, id: ObjId) {
        if let Some(object) = self.objects.get_mut(id) {
            object.refs += 1;
        }
    }

    /// One name less for a description; the last one closes it.
    pub fn release(&mut self, id: ObjId) {
        let Some(object) = self.objects.get_mut(id) else { return };
        object.refs -= 1;
        if object.refs > 0 {
            return;
        }
        let Some(object) = self.objects.close(id) else { return };
        for watch in &object.watchers {
            self.forget_epoll_item(*watch);
        }
        for wait in &object.waiters {
            self.wake(*wait);
        }
        self.close_kind(object.host, id, object.kind);
    }

    fn close_kind(&mut self, host: HostId, id: ObjId, kind: Kind) {
        match kind {
            Kind::Socket(socket) => self.close_socket(socket),
            Kind::Pipe(pipe, _) => self.close_pipe_end(host, pipe),
            Kind::Epoll(epoll) => self.close_epoll(id, epoll),
            Kind::File(file) => self.close_file(host, id, file),
            Kind::Event(_) | Kind::Timer(_) | Kind::Signal(_) | Kind::Output(_) => {}
        }
    }

    /// The current call waits for a change of the object's readiness, or, on a non-blocking object, gives EAGAIN.
    pub fn wait_unless_nonblocking(&mut self, id: ObjId) -> Stop {
        match self.objects.get(id) {
            Some(object) if object.nonblocking() => Errno::EAGAIN.into(),
            _ => self.wait_for(id),
        }
    }

    /// The current call waits for a change of the object's readiness.
    pub fn wait_for(&mut self, id: ObjId) -> Stop {
        let wait = self.wait(WaitsFor::Object(id));
        if let Some(object) = self.objects.get_mut(id) {
            object.waiters.push(wait);
        }
        Stop::Block
    }

    /// What poll(2) and epoll(7) would say of the object now, as EPOLL bits.
    pub fn readiness(&self, id: ObjId) -> u32 {
        let Some(object) = self.objects.get(id) else { return 0 };
        match &object.kind {
            Kind::Socket(socket) => self.net.readiness(*socket),
            Kind::Pipe(pipe, end) => self.pipes.readiness(*pipe, *end),
            Kind::Event(event) => event.readiness(),
            Kind::Timer(timer) => timer.readiness(),
            Kind::Signal(set) => self.signalfd_readiness(*set),
            Kind::Epoll(epoll) => {
                if self.epoll_has_ready(epoll) {
                    libc::EPOLLIN as u32
                } else {
                    0
                }
            }
            Kind::Output(_) => libc::EPOLLOUT as u32,
            Kind::File(_) => (libc::EPOLLIN | libc::EPOLLOUT) as u32,
        }
    }

    /// `EBADF` for a description that was opened with O_PATH: it stands for a place only, open(2).
    pub(crate) fn refuse_path_only(&self, id: ObjId) -> Result<(), Errno> {
        let status = self.objects.get(id).map_or(0, |object| object.status);
        if status & libc::O_PATH != 0 { Err(Errno::EBADF) } else { Ok(()) }
    }

    pub(crate) fn close_fd(&mut self, fd: i32) -> Result<(), Errno> {
        let host = self.host_id();
        let descriptor = self.host_mut().process.descriptors.remove(fd)?;
        self.release_locks_of_closed(host, descriptor.object);
        self.release(descriptor.object);
        Ok(())
    }
}

fn close(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if k.task().call.progress > 0 {
        // It is closed, and has lingered long enough.
        return Ok(0);
    }
    let linger = k.linger_of(a.fd(0));
    k.close_fd(a.fd(0))?;
    match linger {
        Some((socket, seconds)) if k.net.lingers(socket) => {
            k.task_mut().call.progress = 1;
            Err(k.wait_to_linger(socket, seconds))
        }
        _ => Ok(0),
    }
}

fn close_range(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (first, last) = (a.word(0) as u32, a.word(1) as u32);
    let cloexec = a.word(2) as u32 & libc::CLOSE_RANGE_CLOEXEC != 0;
    let known = libc::CLOSE_RANGE_CLOEXEC | libc::CLOSE_RANGE_UNSHARE;
    if first > last || a.word(2) as u32 & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    let descriptors = &k.host().process.descriptors;
    let fds: alloc::vec::Vec<i32> = descriptors
        .iter()
        .map(|(fd, _)| fd)
        .filter(|fd| (first..=last).contains(&(*fd as u32)))
        .collect();
    for fd in fds {
        if cloexec {
            k.host_mut().process.descriptors.set_close_on_exec(fd, true)?;
        } else {
            k.close_fd(fd)?;
        }
    }
    Ok(0)
}

fn dup(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let object = k.descriptor(a.fd(0))?;
    Ok(k.install(object, 0)? as u64)
}

fn dup2(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let object = k.descriptor(a.fd(0))?;
    if a.fd(0) == a.fd(1) {
        return Ok(a.fd(1) as u64);
    }
    replace(k, object, a.fd(1), false)
}

fn dup3(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.int(2) & !libc::O_CLOEXEC != 0 || a.fd(0) == a.fd(1) {
        return Err(Errno::EINVAL.into());
    }
    let object = k.descriptor(a.fd(0))?;
    replace(k, object, a.fd(1), a.int(2) & libc::O_CLOEXEC != 0)
}

fn replace(k: &mut Kernel, object: ObjId, fd: i32, close_on_exec: bool) -> SysResult {
    let limit = k.host().process.limits[libc::RLIMIT_NOFILE as usize].soft;
    if fd < 0 || fd as u64 >= limit {
        return Err(Errno::EBADF.into());
    }
    k.retain(object);
    let descriptor = Descriptor { object, close_on_exec };
    if let Some(before) = k.host_mut().process.descriptors.replace(fd, descriptor) {
        let host = k.host_id();
        k.release_locks_of_closed(host, before.object);
        k.release(before.object);
    }
    Ok(fd as u64)
}

fn fcntl(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    match a.int(1) {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
            let limit = k.host().process.limits[libc::RLIMIT_NOFILE as usize].soft;
            if a.int(2) < 0 || a.int(2) as u64 >= limit {
                return Err(Errno::EINVAL.into());
            }
            let cloexec = a.int(1) == libc::F_DUPFD_CLOEXEC;
            Ok(k.install_from(id, cloexec, a.int(2) as usize)? as u64)
        }
        libc::F_GETFD => Ok(u64::from(k.host().process.descriptors.get(a.fd(0))?.close_on_exec)),
        libc::F_SETFD => {
            let on = a.int(2) & libc::FD_CLOEXEC != 0;
            k.host_mut().process.descriptors.set_close_on_exec(a.fd(0), on)?;
            Ok(0)
        }
        libc::F_GETFL => Ok(k.object(a.fd(0))?.1.status as u64),
        libc::F_SETFL => {
            // LINUX: only these can change after open, fcntl(2).
            let may_change = libc::O_APPEND
                | libc::O_NONBLOCK
                | libc::O_ASYNC
                | libc::O_DIRECT
                | libc::O_NOATIME;
            if let Some(object) = k.objects.get_mut(id) {
                object.status = object.status & !may_change | a.int(2) & may_change;
            }
            Ok(0)
        }
        F_DUPFD_QUERY => Ok(u64::from(k.descriptor(a.int(2))? == id)),
        libc::F_GETPIPE_SZ | libc::F_SETPIPE_SZ => k.pipe_size(id, a.int(1), a.word(2)),
        libc::F_GETLK
        | libc::F_SETLK
        | libc::F_SETLKW
        | libc::F_OFD_GETLK
        | libc::F_OFD_SETLK
        | libc::F_OFD_SETLKW => k.record_lock(memory, id, a.int(1), a.addr(2)),
        libc::F_GETOWN
        | libc::F_SETOWN
        | F_GETSIG
        | F_SETSIG
        | libc::F_GETLEASE
        | libc::F_SETLEASE
        | libc::F_NOTIFY => {
            Err(Stop::Unsupported("signal-driven I/O, leases and notifications".into()))
        }
        libc::F_ADD_SEALS | libc::F_GET_SEALS => k.seals(id, a.int(1), a.word(2)),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn ioctl(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.refuse_path_only(id)?;
    match a.word(1) {
        libc::FIONBIO => {
            let on = memory.read_i32(a.addr(2))? != 0;
            if let Some(object) = k.objects.get_mut(id) {
                let flag = if on { libc::O_NONBLOCK } else { 0 };
                object.status = object.status & !libc::O_NONBLOCK | flag;
            }
            Ok(0)
        }
        libc::FIOCLEX | libc::FIONCLEX => {
            let on = a.word(1) == libc::FIOCLEX;
            k.host_mut().process.descriptors.set_close_on_exec(a.fd(0), on)?;
            Ok(0)
        }
        libc::FIONREAD => {
            let available = available(k, id)?;
            memory.write_u32(a.addr(2), available)?;
            Ok(0)
        }
        // Nothing here is a terminal; isatty(3) asks with these.
        libc::TCGETS | libc::TIOCGWINSZ | libc::TIOCGPGRP => Err(Errno::ENOTTY.into()),
        request => match k.objects.get(id).map(|object| &object.kind) {
            Some(Kind::Socket(socket)) => {
                let socket = *socket;
                k.socket_ioctl(memory, socket, request, a.addr(2))
            }
            _ => Err(Stop::Unsupported(format!("ioctl {request:#x}"))),
        },
    }
}

fn available(k: &mut Kernel, id: ObjId) -> Result<u32, Stop> {
    match k.objects.get(id).map(|object| &object.kind) {
        Some(Kind::Socket(socket)) => {
            let socket = *socket;
            Ok(k.net.unread(socket)? as u32)
        }
        Some(Kind::Pipe(pipe, _)) => Ok(k.pipes.len(*pipe) as u32),
        Some(Kind::File(_)) => k.bytes_to_end_of_file(id),
        _ => Err(Errno::ENOTTY.into()),
    }
}

/// A time-out in milliseconds as epoll_wait(2) and poll(2) take it: negative waits for ever.
pub(crate) fn milliseconds(timeout: i32) -> Option<Nanos> {
    u64::try_from(timeout).ok().map(Nanos::from_millis)
}
