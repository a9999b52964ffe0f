//! read(2) and its kin, on everything that has bytes.

use alloc::vec;

use crate::errno::{Errno, SysResult};
use crate::fs::{Ino, Kind as Node};
use crate::kernel::Kernel;
use crate::memory::{IoVec, Scatter};
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::sys::file::transfer::{CHUNK, Place, TRANSFER_MAX, one, transfer_flags};
use crate::table::Args;

pub(super) fn read(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.read_object(memory, id, &one(a), Place::Current)
}

pub(super) fn readv(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let vecs = memory.read_iovecs(a.addr(1), a.word(2))?;
    k.read_object(memory, id, &vecs, Place::Current)
}

pub(super) fn pread64(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.read_object(memory, id, &one(a), Place::at(a.offset(3))?)
}

pub(super) fn preadv(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let vecs = memory.read_iovecs(a.addr(1), a.word(2))?;
    k.read_object(memory, id, &vecs, Place::at(a.offset(3))?)
}

pub(super) fn preadv2(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    transfer_flags(a)?;
    match a.offset(3) {
        -1 => readv(k, memory, a),
        _ => preadv(k, memory, a),
    }
}

impl Kernel {
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
                self.collect_here(memory, ino);
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

    pub(super) fn read_file_bytes(
        &mut self,
        ino: Ino,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, Errno> {
        match self.host().disk().kind(ino) {
            Node::Device(device) => {
                let decider = &mut self.decider;
                device.read(into, &mut || decider.random())
            }
            _ => {
                self.host_mut().fs().may_read(ino)?;
                self.host().disk().read_at(ino, offset, into)
            }
        }
    }
}
