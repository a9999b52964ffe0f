//! Descriptions of files, directories and devices.

use crate::errno::{Errno, Stop};
use crate::fs::{Device, Fs, Ino, Kind as Node};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::sys::file::OpenFile;

impl Kernel {
    pub(super) fn file(&self, id: ObjId) -> Option<&OpenFile> {
        match self.objects.get(id).map(|object| &object.kind) {
            Some(Kind::File(file)) => Some(file),
            _ => None,
        }
    }

    pub(super) fn file_mut(&mut self, id: ObjId) -> Option<&mut OpenFile> {
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

    /// A description of /dev/null, for a process's stdin.
    pub(crate) fn open_null(&mut self, host: HostId) -> ObjId {
        let ino = self.resolve_on(host, b"/dev/null").unwrap_or(Fs::ROOT);
        self.hosts[usize::from(host.0)].fs().retain(ino);
        self.open_node(host, ino, libc::O_RDWR)
    }

    pub(crate) fn close_file(&mut self, host: HostId, id: ObjId, file: OpenFile) {
        self.release_locks_of_description(host, id, file.ino);
        self.hosts[usize::from(host.0)].fs().release(file.ino);
    }

    pub(crate) fn may(&self, id: ObjId, refused: i32) -> Result<(), Errno> {
        let status = self.objects.get(id).map_or(libc::O_PATH, |object| object.status);
        if status & libc::O_PATH != 0 || status & libc::O_ACCMODE == refused {
            return Err(Errno::EBADF);
        }
        Ok(())
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
}
