//! FIFOs: pipes with a name in the file system, fifo(7).

use crate::errno::{Errno, Stop, SysResult};
use crate::fs::Ino;
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::object::ObjId;
use crate::sys::pipe::{End, PipeId};

/// The end that must be open before an open of this one succeeds.
fn other(end: End) -> End {
    if end == End::Read { End::Write } else { End::Read }
}

impl Kernel {
    /// open(2) of a FIFO whose inode is retained for the call. It waits for the other end, or, with
    /// O_NONBLOCK, lets readers in at once and gives writers `ENXIO`. Opening for both never waits.
    pub(crate) fn open_fifo(&mut self, ino: Ino, status: i32) -> Result<ObjId, Stop> {
        let end = match status & libc::O_ACCMODE {
            libc::O_RDONLY => End::Read,
            libc::O_WRONLY => End::Write,
            _ => End::Both,
        };
        let existing = self.host().process.fifos.get(&ino).copied();
        let alone =
            end != End::Both && !existing.is_some_and(|pipe| self.pipes.has(pipe, other(end)));
        let waits = status & libc::O_NONBLOCK == 0;
        if alone && !waits && end == End::Write {
            self.host_mut().fs().release(ino);
            return Err(Errno::ENXIO.into());
        }
        let pipe = match existing {
            Some(pipe) => {
                // The pipe has retained the inode already.
                self.host_mut().fs().release(ino);
                pipe
            }
            None => self.make_fifo(ino),
        };
        let before = self.pipes.opens(pipe, other(end));
        let object = self.open_pipe_end(pipe, end, status);
        if alone && waits {
            self.task_mut().call.opening = Some((object, before));
            return Err(self.wait_for(object));
        }
        Ok(object)
    }

    fn make_fifo(&mut self, ino: Ino) -> PipeId {
        let pipe = self.pipes.make();
        self.pipes.set_name(pipe, ino);
        self.host_mut().process.fifos.insert(ino, pipe);
        pipe
    }

    /// Goes on with an open that waits. LINUX: it succeeds even where the other end has come and gone.
    pub(crate) fn go_on_opening(&mut self, flags: i32) -> Option<SysResult> {
        let (object, before) = self.task().call.opening?;
        let (pipe, end) = self.pipe_of(object)?;
        if self.pipes.opens(pipe, other(end)) == before {
            return Some(Err(self.wait_for(object)));
        }
        self.task_mut().call.opening = None;
        Some(self.install_or_close(object, flags).map(|fd| fd as u64).map_err(Stop::from))
    }

    /// The last end was closed: what nobody read is gone.
    pub(crate) fn forget_fifo(&mut self, host: HostId, ino: Ino, pipe: PipeId) {
        let host = &mut self.hosts[usize::from(host.0)];
        if host.process.fifos.get(&ino) == Some(&pipe) {
            host.process.fifos.remove(&ino);
        }
        host.fs().release(ino);
    }
}
