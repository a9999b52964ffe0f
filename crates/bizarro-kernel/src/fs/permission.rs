//! Who may do what: path_resolution(7), inode(7), capabilities(7) for root.

use super::Fs;
use super::procfs::{self, ProcNode};
use super::types::{Access, Cred, FileType, Ino};
use crate::errno::Errno;

impl Fs {
    /// Whether `cred` may use the node in this way, as access(2) asks and open(2) and connect(2)
    /// demand.
    ///
    /// # Errors
    /// `EROFS` for writing to files of a read-only file system, `EACCES`.
    pub fn permit(&self, cred: Cred, ino: Ino, access: Access) -> Result<(), Errno> {
        let kind = self.file_type(ino);
        if access.contains(Access::WRITE) && self.mounts.is_read_only(self.mount_of(ino)) {
            let data = [FileType::Regular, FileType::Directory, FileType::Symlink];
            if data.contains(&kind) {
                return Err(Errno::EROFS);
            }
        }
        let (mode, uid, gid) = self.rights(ino);
        let allowed = if cred.is_root() {
            let runnable = kind == FileType::Directory || mode & 0o111 != 0;
            runnable || !access.contains(Access::EXECUTE)
        } else {
            let class = if cred.uid == uid {
                mode >> 6
            } else if cred.gid == gid {
                mode >> 3
            } else {
                mode
            };
            Access::from_bits_truncate(class).contains(access)
        };
        if allowed { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Whether `cred` owns the node or is root.
    pub(super) fn owns(&self, cred: Cred, ino: Ino) -> bool {
        cred.is_root() || self.rights(ino).1 == cred.uid
    }

    /// Mode bits, user and group.
    pub(super) fn rights(&self, ino: Ino) -> (u32, u32, u32) {
        match ProcNode::from_ino(ino) {
            Some(node) => (node.mode(), procfs::OWNER.uid, procfs::OWNER.gid),
            None => {
                let inode = self.nodes.get(ino);
                (inode.mode, inode.uid, inode.gid)
            }
        }
    }

    /// Whether a name may be made in the directory: Linux's `may_create`.
    pub(super) fn may_create(&self, cred: Cred, directory: Ino) -> Result<(), Errno> {
        if self.is_dead(directory) {
            return Err(Errno::ENOENT);
        }
        self.permit(cred, directory, Access::WRITE | Access::EXECUTE)
    }

    /// Whether the name that leads to `victim` may be taken out of the directory, for a call that
    /// wants a directory or wants none: Linux's `may_delete`.
    pub(super) fn may_delete(
        &self,
        cred: Cred,
        directory: Ino,
        victim: Ino,
        wanted: Wanted,
    ) -> Result<(), Errno> {
        self.permit(cred, directory, Access::WRITE | Access::EXECUTE)?;
        let (mode, owner, _) = self.rights(directory);
        let sticky = mode & libc::S_ISVTX != 0 && owner != cred.uid;
        if sticky && !self.owns(cred, victim) {
            return Err(Errno::EPERM);
        }
        match (wanted, self.is_directory(victim)) {
            (Wanted::Directory, false) => Err(Errno::ENOTDIR),
            (Wanted::Other, true) => Err(Errno::EISDIR),
            _ => Ok(()),
        }
    }

    /// `EROFS` for the file systems that cannot be written.
    pub(super) fn writable(&self, ino: Ino) -> Result<(), Errno> {
        if self.mounts.is_read_only(self.mount_of(ino)) { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// `EPERM` in /proc, where nothing can be made or removed by anybody.
    pub(super) fn not_proc(&self, directory: Ino) -> Result<(), Errno> {
        if ProcNode::from_ino(directory).is_some() { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Whether the directory was removed.
    pub(super) fn is_dead(&self, directory: Ino) -> bool {
        ProcNode::from_ino(directory).is_none() && self.nodes.get(directory).directory().dead
    }
}

/// What a call that removes a name wants to find there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Directory,
    Other,
}
