//! What mmap(2) takes from open files.

use crate::errno::{Errno, Stop};
use crate::fs::{Device, Ino, Kind as Node};
use crate::kernel::Kernel;
use crate::object::ObjId;
use crate::seams::GuestMemory;
use crate::shared::Access;

impl Kernel {
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
        Ok(id)
    }

    /// The file of a shared mapping and what a program may do with it; `None` for a device, whose bytes are nobody's.
    pub(crate) fn file_to_share(&self, id: ObjId) -> Option<(Ino, Access)> {
        let ino = self.file(id)?.ino;
        let writes = self.objects.get(id)?.status & libc::O_ACCMODE == libc::O_RDWR;
        let is_file = self.host().disk().kind(ino) == Node::Regular;
        is_file.then_some((ino, if writes { Access::Write } else { Access::Read }))
    }

    /// Whether the current process has shared mappings there of files that it may not write to.
    pub(crate) fn is_shared_to_read(&self, addr: u64, length: u64) -> bool {
        let shared = &self.host().process.shared;
        !shared.is_empty()
            && shared.within(addr, length).iter().any(|(_, map)| map.access == Access::Read)
    }

    /// Finds what was stored in mappings of an open file.
    #[inline]
    pub(crate) fn collect_open(&mut self, memory: &mut dyn GuestMemory, id: ObjId) {
        if !self.host().process.shared.is_empty()
            && let Some(ino) = self.file(id).map(|file| file.ino)
        {
            self.collect_here(memory, ino);
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
}
