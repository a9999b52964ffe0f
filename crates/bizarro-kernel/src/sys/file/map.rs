//! What mmap(2) takes from open files.

use crate::errno::{Errno, Stop};
use crate::fs::{Device, Kind as Node};
use crate::kernel::Kernel;
use crate::object::ObjId;

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
        if shared_write {
            return Err(Stop::Unsupported("a shared writable mapping of a file".into()));
        }
        Ok(id)
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
