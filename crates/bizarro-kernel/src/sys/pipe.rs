//! Pipes and FIFOs: pipe(7).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::fs::Ino;
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::table::Arg::{Hex, Ptr};
use crate::table::{Args, Row, Support, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_pipe, "pipe", &[Ptr], pipe),
    row(libc::SYS_pipe2, "pipe2", &[Ptr, Hex], pipe2)
        .support(Support::Partial("packet mode (O_DIRECT) is not simulated")),
];

/// LINUX: a pipe holds 16 pages unless it is told otherwise, pipe(7).
const DEFAULT_CAPACITY: usize = 65536;
/// /proc/sys/fs/pipe-max-size.
const MAX_CAPACITY: usize = 1 << 20;
/// A write of at most this many bytes is atomic (PIPE_BUF).
const ATOMIC: usize = 4096;

/// Names a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PipeId(u32);

/// Which end of a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// For reading.
    Read,
    /// For writing.
    Write,
    /// For both: a FIFO opened with O_RDWR.
    Both,
}

impl End {
    fn reads(self) -> bool {
        self != End::Write
    }
    fn writes(self) -> bool {
        self != End::Read
    }
}

#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    readers: Vec<ObjId>,
    writers: Vec<ObjId>,
    /// The FIFO that it is the content of.
    name: Option<Ino>,
    /// How often an end for reading was opened.
    reader_opens: u64,
    /// How often an end for writing was opened. From the first on, no writer means a hangup.
    writer_opens: u64,
}

/// All pipes.
#[derive(Debug, Default)]
pub struct Pipes {
    slots: Vec<Pipe>,
    free: Vec<PipeId>,
}

impl Pipes {
    /// A new pipe without ends.
    pub fn make(&mut self) -> PipeId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Pipe::default());
            PipeId(self.slots.len() as u32 - 1)
        });
        self.slots[id.0 as usize] = Pipe { capacity: DEFAULT_CAPACITY, ..Pipe::default() };
        id
    }

    /// Places for which there is memory.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.slots.len()
    }

    fn get(&self, id: PipeId) -> &Pipe {
        &self.slots[id.0 as usize]
    }

    fn get_mut(&mut self, id: PipeId) -> &mut Pipe {
        &mut self.slots[id.0 as usize]
    }

    /// Bytes that can be read.
    pub fn len(&self, id: PipeId) -> usize {
        self.get(id).bytes.len()
    }

    /// Whether an end of this kind is open.
    pub fn has(&self, id: PipeId, end: End) -> bool {
        let pipe = self.get(id);
        match end {
            End::Read => !pipe.readers.is_empty(),
            End::Write => !pipe.writers.is_empty(),
            End::Both => !pipe.readers.is_empty() && !pipe.writers.is_empty(),
        }
    }

    /// How often an end of this kind was opened: [`End::Read`] or [`End::Write`].
    pub(crate) fn opens(&self, id: PipeId, end: End) -> u64 {
        let pipe = self.get(id);
        if end == End::Read { pipe.reader_opens } else { pipe.writer_opens }
    }

    /// The FIFO that it is the content of.
    pub(crate) fn name(&self, id: PipeId) -> Option<Ino> {
        self.get(id).name
    }

    /// Makes it the content of a FIFO.
    pub(crate) fn set_name(&mut self, id: PipeId, name: Ino) {
        self.get_mut(id).name = Some(name);
    }

    /// Bytes that can be written at once.
    pub(crate) fn room(&self, id: PipeId) -> usize {
        let pipe = self.get(id);
        pipe.capacity.saturating_sub(pipe.bytes.len())
    }

    /// A copy of the first bytes, at most `max`.
    pub(crate) fn peek(&self, id: PipeId, max: usize) -> Vec<u8> {
        self.get(id).bytes.iter().take(max).copied().collect()
    }

    /// The number in its `pipe:[…]` link and of its inode.
    pub(crate) fn inode_number(id: PipeId) -> u64 {
        4096 + u64::from(id.0)
    }

    /// What poll(2) says of an end.
    pub fn readiness(&self, id: PipeId, end: End) -> u32 {
        let pipe = self.get(id);
        let mut ready = 0;
        if end.reads() {
            if !pipe.bytes.is_empty() {
                ready |= libc::EPOLLIN;
            }
            if pipe.writers.is_empty() && pipe.writer_opens > 0 {
                ready |= libc::EPOLLHUP;
            }
        }
        if end.writes() {
            // LINUX: writable while a whole page is free, pipe(7); smaller pipes while anything is.
            if pipe.capacity - pipe.bytes.len() >= ATOMIC.min(pipe.capacity) {
                ready |= libc::EPOLLOUT;
            }
            if pipe.readers.is_empty() {
                ready |= libc::EPOLLERR;
            }
        }
        ready as u32
    }
}

impl Kernel {
    /// Opens an end of a pipe.
    pub fn open_pipe_end(&mut self, pipe: PipeId, end: End, status: i32) -> ObjId {
        let host = self.host_id();
        let id = self.objects.open(host, Kind::Pipe(pipe, end), status);
        let ends = self.pipes.get_mut(pipe);
        if end.reads() {
            ends.readers.push(id);
            ends.reader_opens += 1;
        }
        if end.writes() {
            ends.writers.push(id);
            ends.writer_opens += 1;
        }
        self.notify_pipe(pipe);
        id
    }

    pub(crate) fn close_pipe_end(&mut self, host: HostId, pipe: PipeId) {
        let objects = &self.objects;
        let ends = self.pipes.get_mut(pipe);
        ends.readers.retain(|id| objects.get(*id).is_some());
        ends.writers.retain(|id| objects.get(*id).is_some());
        if ends.readers.is_empty() && ends.writers.is_empty() {
            ends.bytes = VecDeque::new();
            let name = ends.name.take();
            self.pipes.free.push(pipe);
            if let Some(ino) = name {
                self.forget_fifo(host, ino, pipe);
            }
        } else {
            self.notify_pipe(pipe);
        }
    }

    /// There is more room in a pipe. LINUX: writers that watch it by edge-triggered epoll are told only
    /// where they could not write before.
    fn notify_writers(&mut self, pipe: PipeId, could_write: bool) {
        let events = if could_write { 0 } else { libc::EPOLLOUT as u32 };
        for id in self.pipes.get(pipe).writers.clone() {
            self.notify_of(id, events);
        }
    }

    /// There is more to read in a pipe.
    fn notify_readers(&mut self, pipe: PipeId) {
        for id in self.pipes.get(pipe).readers.clone() {
            self.notify_of(id, libc::EPOLLIN as u32);
        }
    }

    /// Takes the first bytes of a pipe away.
    pub(crate) fn drain_pipe(&mut self, pipe: PipeId, len: usize) {
        let could_write = self.pipes.readiness(pipe, End::Write) & libc::EPOLLOUT as u32 != 0;
        self.pipes.get_mut(pipe).bytes.drain(..len);
        if len > 0 {
            self.notify_writers(pipe, could_write);
        }
    }

    /// Appends bytes to a pipe that has room for them.
    pub(crate) fn fill_pipe(&mut self, pipe: PipeId, bytes: &[u8]) {
        self.pipes.get_mut(pipe).bytes.extend(bytes);
        if !bytes.is_empty() {
            self.notify_readers(pipe);
        }
    }

    fn notify_pipe(&mut self, pipe: PipeId) {
        let ends = self.pipes.get(pipe);
        let all: Vec<ObjId> = ends.readers.iter().chain(&ends.writers).copied().collect();
        for id in all {
            self.notify(id);
        }
    }

    /// A copy of at most `max` bytes that a pipe gives next; none at the end of file. The reader takes
    /// them with [`Kernel::drain_pipe`] once they have arrived.
    pub(crate) fn read_pipe(
        &mut self,
        id: ObjId,
        pipe: PipeId,
        max: usize,
    ) -> Result<Vec<u8>, Stop> {
        let ends = self.pipes.get(pipe);
        if ends.bytes.is_empty() && max > 0 {
            if ends.writers.is_empty() {
                return Ok(Vec::new());
            }
            return Err(self.wait_unless_nonblocking(id));
        }
        Ok(self.pipes.peek(pipe, max))
    }

    /// Puts bytes into a pipe; says how many went in. A blocking write goes on until all did.
    pub(crate) fn write_pipe(
        &mut self,
        id: ObjId,
        pipe: PipeId,
        bytes: &[u8],
    ) -> Result<u64, Stop> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let done = self.task().call.progress as usize;
        let rest = &bytes[done.min(bytes.len())..];
        let ends = self.pipes.get(pipe);
        if ends.readers.is_empty() {
            if done > 0 {
                return Ok(done as u64);
            }
            self.raise_sigpipe();
            return Err(Errno::EPIPE.into());
        }
        let free = ends.capacity - ends.bytes.len().min(ends.capacity);
        // LINUX: a write of at most PIPE_BUF bytes goes in whole or not at all, pipe(7).
        let len = if bytes.len() <= ATOMIC && free < rest.len() { 0 } else { free.min(rest.len()) };
        self.fill_pipe(pipe, &rest[..len]);
        let done = done + len;
        self.task_mut().call.progress = done as u64;
        if done == bytes.len() {
            return Ok(done as u64);
        }
        match self.wait_unless_nonblocking(id) {
            Stop::Errno(_) if done > 0 => Ok(done as u64),
            stop => Err(stop),
        }
    }

    /// fcntl(F_GETPIPE_SZ, F_SETPIPE_SZ).
    pub(crate) fn pipe_size(&mut self, id: ObjId, command: i32, size: u64) -> SysResult {
        let Some(Kind::Pipe(pipe, _)) = self.objects.get(id).map(|object| &object.kind) else {
            return Err(Errno::EBADF.into());
        };
        let pipe = *pipe;
        if command == libc::F_GETPIPE_SZ {
            return Ok(self.pipes.get(pipe).capacity as u64);
        }
        let size = (size as u32 as usize).max(4096).next_power_of_two();
        if size > MAX_CAPACITY {
            return Err(Errno::EPERM.into());
        }
        if size < self.pipes.len(pipe) {
            return Err(Errno::EBUSY.into());
        }
        self.pipes.get_mut(pipe).capacity = size;
        self.notify_pipe(pipe);
        Ok(size as u64)
    }
}

fn pipe(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    make_pipe(k, memory, a.addr(0), 0)
}

fn pipe2(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    make_pipe(k, memory, a.addr(0), a.int(1))
}

fn make_pipe(k: &mut Kernel, memory: &mut dyn GuestMemory, addr: u64, flags: i32) -> SysResult {
    if flags & !(libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_DIRECT) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if flags & libc::O_DIRECT != 0 {
        return Err(Stop::Unsupported("packet mode".into()));
    }
    // The place for the two numbers is looked at first, so that nothing stays open where it is bad.
    memory.write_u64(addr, 0)?;
    let pipe = k.pipes.make();
    let status = flags & libc::O_NONBLOCK;
    let read = k.open_pipe_end(pipe, End::Read, libc::O_RDONLY | status);
    let write = k.open_pipe_end(pipe, End::Write, libc::O_WRONLY | status);
    let fds = k.install_or_close(read, flags).and_then(|read_fd| {
        Ok((
            read_fd,
            k.install_or_close(write, flags).inspect_err(|_| {
                // Where the second end finds no descriptor, the first one goes as well.
                if let Ok(first) = k.host_mut().process.descriptors.remove(read_fd) {
                    k.release(first.object);
                }
            })?,
        ))
    })?;
    memory.write_i32(addr, fds.0)?;
    memory.write_i32(addr + 4, fds.1)?;
    Ok(0)
}
