//! splice(2) and tee(2): bytes from a pipe, into a pipe, or both, without passing through the program.

use alloc::vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::sys::file::transfer::{CHUNK, Place};
use crate::sys::pipe::{End, PipeId};
use crate::table::Arg::{Fd, Hex, Ptr, Size};
use crate::table::{Args, Row, Support, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_splice, "splice", &[Fd, Ptr, Fd, Ptr, Size, Hex], splice).support(
        Support::Partial(
            "from a socket into a pipe it is EINVAL, as where a file cannot be spliced",
        ),
    ),
    row(libc::SYS_tee, "tee", &[Fd, Fd, Size, Hex], tee),
];

const KNOWN: u32 =
    libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK | libc::SPLICE_F_MORE | libc::SPLICE_F_GIFT;

/// What stays of two pipes after bytes went from one to the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// It gives the bytes away: splice(2).
    Emptied,
    /// It keeps them: tee(2).
    Kept,
}

impl Kernel {
    /// The pipe behind a description, and which end of it.
    pub(crate) fn pipe_of(&self, id: ObjId) -> Option<(PipeId, End)> {
        match self.objects.get(id)?.kind {
            Kind::Pipe(pipe, end) => Some((pipe, end)),
            _ => None,
        }
    }

    /// Waits for an end of a pipe, or gives EAGAIN where the call or the end must not wait.
    fn wait_for_pipe(&mut self, id: ObjId, flags: u32) -> Stop {
        if flags & libc::SPLICE_F_NONBLOCK != 0 {
            return Errno::EAGAIN.into();
        }
        self.wait_unless_nonblocking(id)
    }

    /// How many bytes a pipe has for splicing, at most `len`. `None` at its end of file.
    fn bytes_to_splice(
        &mut self,
        (id, pipe): (ObjId, PipeId),
        len: usize,
        flags: u32,
    ) -> Result<Option<usize>, Stop> {
        match self.pipes.len(pipe) {
            0 if !self.pipes.has(pipe, End::Write) => Ok(None),
            0 => Err(self.wait_for_pipe(id, flags)),
            available => Ok(Some(available.min(len))),
        }
    }

    /// How many bytes a pipe takes from splicing, at most `len`; at least one.
    fn room_to_splice(
        &mut self,
        (id, pipe): (ObjId, PipeId),
        len: usize,
        flags: u32,
    ) -> Result<usize, Stop> {
        if !self.pipes.has(pipe, End::Read) {
            self.raise_sigpipe();
            return Err(Errno::EPIPE.into());
        }
        match self.pipes.room(pipe) {
            0 => Err(self.wait_for_pipe(id, flags)),
            room => Ok(room.min(len)),
        }
    }

    fn between_pipes(
        &mut self,
        from: (ObjId, PipeId),
        to: (ObjId, PipeId),
        len: usize,
        flags: u32,
        source: Source,
    ) -> SysResult {
        if from.1 == to.1 {
            return Err(Errno::EINVAL.into());
        }
        let Some(available) = self.bytes_to_splice(from, len, flags)? else { return Ok(0) };
        let moved = self.room_to_splice(to, available, flags)?;
        let bytes = self.pipes.peek(from.1, moved);
        self.fingerprint.bytes(&bytes);
        self.fill_pipe(to.1, &bytes);
        if source == Source::Emptied {
            self.drain_pipe(from.1, moved);
        }
        Ok(moved as u64)
    }
}

fn splice(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (len, flags) = (a.word(4).min(CHUNK as u64) as usize, a.word(5) as u32);
    if len == 0 {
        return Ok(0);
    }
    let (from, to) = ends(k, (a.fd(0), a.fd(2)), flags)?;
    match (k.pipe_of(from), k.pipe_of(to)) {
        (Some(_), _) if a.addr(1) != 0 => Err(Errno::ESPIPE.into()),
        (_, Some(_)) if a.addr(3) != 0 => Err(Errno::ESPIPE.into()),
        (Some((source, _)), Some((target, _))) => {
            k.between_pipes((from, source), (to, target), len, flags, Source::Emptied)
        }
        (Some((source, _)), None) => {
            let Some(len) = k.bytes_to_splice((from, source), len, flags)? else { return Ok(0) };
            out_of_pipe(k, memory, source, to, a.addr(3), len)
        }
        (None, Some((target, _))) => {
            let room = k.room_to_splice((to, target), len, flags)?;
            into_pipe(k, memory, from, a.addr(1), target, room)
        }
        (None, None) => Err(Errno::EINVAL.into()),
    }
}

fn tee(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (len, flags) = (a.word(2).min(CHUNK as u64) as usize, a.word(3) as u32);
    if len == 0 {
        return Ok(0);
    }
    let (from, to) = ends(k, (a.fd(0), a.fd(1)), flags)?;
    match (k.pipe_of(from), k.pipe_of(to)) {
        (Some((source, _)), Some((target, _))) => {
            k.between_pipes((from, source), (to, target), len, flags, Source::Kept)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

fn ends(k: &Kernel, (from, to): (i32, i32), flags: u32) -> Result<(ObjId, ObjId), Errno> {
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let (from, to) = (k.descriptor(from)?, k.descriptor(to)?);
    k.may(from, libc::O_WRONLY)?;
    k.may(to, libc::O_RDONLY)?;
    Ok((from, to))
}

fn out_of_pipe(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    source: PipeId,
    to: ObjId,
    offset: u64,
    len: usize,
) -> SysResult {
    // LINUX: a file that is open for appending cannot be spliced to, splice(2).
    if k.objects.get(to).is_some_and(|object| object.status & libc::O_APPEND != 0) {
        return Err(Errno::EINVAL.into());
    }
    let place = if offset == 0 { Place::Current } else { Place::at(memory.read_i64(offset)?)? };
    let bytes = k.pipes.peek(source, len);
    let written = k.write_bytes(to, &bytes, place)?;
    k.drain_pipe(source, written as usize);
    if let Place::At(at) = place {
        memory.write_u64(offset, at + written)?;
    }
    Ok(written)
}

fn into_pipe(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    from: ObjId,
    offset: u64,
    target: PipeId,
    room: usize,
) -> SysResult {
    let current = k.file_offset(from).ok_or(Errno::EINVAL)?;
    let at = match offset {
        0 => current,
        addr => u64::try_from(memory.read_i64(addr)?).map_err(|_| Errno::EINVAL)?,
    };
    let mut buffer = vec![0; room];
    k.collect_open(memory, from);
    let got = k.read_file_at(from, at, &mut buffer)?;
    k.fingerprint.bytes(&buffer[..got]);
    k.fill_pipe(target, &buffer[..got]);
    match offset {
        0 => k.set_file_offset(from, at + got as u64),
        addr => memory.write_u64(addr, at + got as u64)?,
    }
    Ok(got as u64)
}
