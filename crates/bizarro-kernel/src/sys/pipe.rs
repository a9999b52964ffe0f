//! Pipes and FIFOs: pipe(7).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::errno::{Errno, Stop, SysResult};
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
    /// A writer has been there: from then on, none means end of file.
    was_written: bool,
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

    /// What poll(2) says of an end.
    pub fn readiness(&self, id: PipeId, end: End) -> u32 {
        let pipe = self.get(id);
        let mut ready = 0;
        if end.reads() {
            if !pipe.bytes.is_empty() {
                ready |= libc::EPOLLIN;
            }
            if pipe.writers.is_empty() && pipe.was_written {
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
        }
        if end.writes() {
            ends.writers.push(id);
            ends.was_written = true;
        }
        self.notify_pipe(pipe);
        id
    }

    pub(crate) fn close_pipe_end(&mut self, pipe: PipeId, _: End) {
        let objects = &self.objects;
        let ends = self.pipes.get_mut(pipe);
        ends.readers.retain(|id| objects.get(*id).is_some());
        ends.writers.retain(|id| objects.get(*id).is_some());
        if ends.readers.is_empty() && ends.writers.is_empty() {
            ends.bytes = VecDeque::new();
            self.pipes.free.push(pipe);
        } else {
            self.notify_pipe(pipe);
        }
    }

    fn notify_pipe(&mut self, pipe: PipeId) {
        let ends = self.pipes.get(pipe);
        let all: Vec<ObjId> = ends.readers.iter().chain(&ends.writers).copied().collect();
        for id in all {
            self.notify(id);
        }
    }

    /// Takes at most `max` bytes from a pipe; none at the end of file.
    pub(crate) fn read_pipe(
        &mut self,
        id: ObjId,
        pipe: PipeId,
        max: usize,
    ) -> Result<Vec<u8>, Stop> {
        let ends = self.pipes.get_mut(pipe);
        if ends.bytes.is_empty() && max > 0 {
            if ends.writers.is_empty() {
                return Ok(Vec::new());
            }
            return Err(self.wait_unless_nonblocking(id));
        }
        let taken: Vec<u8> = {
            let len = max.min(ends.bytes.len());
            ends.bytes.drain(..len).collect()
        };
        if !taken.is_empty() {
            self.notify_pipe(pipe);
        }
        Ok(taken)
    }

    /// Puts bytes into a pipe; says how many went in. A blocking write goes on until all did.
    pub(crate) fn write_pipe(
        &mut self,
        id: ObjId,
        pipe: PipeId,
        bytes: &[u8],
    ) -> Result<u64, Stop> {
        let done = self.task().call.progress as usize;
        let rest = &bytes[done.min(bytes.len())..];
        let ends = self.pipes.get_mut(pipe);
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
        ends.bytes.extend(&rest[..len]);
        if len > 0 {
            self.notify_pipe(pipe);
        }
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
