//! write(2) and its kin, on everything that takes bytes.

use crate::errno::{Errno, SysResult};
use crate::fs::Kind as Node;
use crate::kernel::Kernel;
use crate::memory::IoVec;
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::sys::file::sync::Durability;
use crate::sys::file::transfer::{Place, TRANSFER_MAX, one, transfer_flags};
use crate::table::Args;

pub(super) fn write(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.write_object(memory, id, &one(a), Place::Current)
}

pub(super) fn writev(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let vecs = memory.read_iovecs(a.addr(1), a.word(2))?;
    k.write_object(memory, id, &vecs, Place::Current)
}

pub(super) fn pwrite64(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.write_object(memory, id, &one(a), Place::at(a.offset(3))?)
}

pub(super) fn pwritev(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let vecs = memory.read_iovecs(a.addr(1), a.word(2))?;
    k.write_object(memory, id, &vecs, Place::at(a.offset(3))?)
}

pub(super) fn pwritev2(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let durability = Durability::of_flags(transfer_flags(a)?);
    let id = k.descriptor(a.fd(0))?;
    if durability == Durability::Synced {
        k.collect_open(memory, id);
    }
    let written = match a.offset(3) {
        -1 => writev(k, memory, a),
        _ => pwritev(k, memory, a),
    }?;
    if let Some(ino) = k.file(id).map(|file| file.ino) {
        let start = match a.offset(3) {
            -1 => k.just_written(id, written),
            offset => offset as u64,
        };
        k.make_durable(ino, (start, written), durability)?;
    }
    Ok(written)
}

impl Kernel {
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
        if object.status & libc::O_DSYNC != 0 {
            self.collect_open(memory, id);
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
        let status = self.objects.get(id).map_or(0, |object| object.status);
        self.make_durable(ino, (start, written as u64), Durability::of_status(status))?;
        Ok(written as u64)
    }
}
