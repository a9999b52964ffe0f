//! Owner, mode and times: chmod(2), chown(2), utimensat(2), and the access time of reading.

use super::procfs::ProcNode;
use super::types::{Access, By, FileType, Ino, Realtime, SetTime};
use super::{Change, Fs};
use crate::errno::Errno;

/// relatime, mount(8): an access time older than this is renewed in any case.
const DAY_NS: i64 = 24 * 60 * 60 * 1_000_000_000;

impl Fs {
    /// chmod(2): sets permission, set-id and sticky bits.
    ///
    /// # Errors
    /// `EROFS`, `EPERM`; `EOPNOTSUPP` for a symbolic link, fchmodat(2).
    pub fn chmod(&mut self, by: By, ino: Ino, mode: u32) -> Result<(), Errno> {
        self.writable(ino)?;
        if self.file_type(ino) == FileType::Symlink {
            return Err(Errno::EOPNOTSUPP);
        }
        if !self.owns(by.cred, ino) || self.forgets(ino) {
            return Err(Errno::EPERM);
        }
        let inode = self.nodes.get(ino);
        let mut mode = mode & 0o7777;
        if !by.cred.is_root() && by.cred.gid != inode.gid {
            mode &= !libc::S_ISGID;
        }
        self.change(inode.mount, Change::Attributes)?;
        let inode = self.nodes.get_mut(ino);
        inode.mode = mode;
        inode.ctime = by.now;
        self.attributes_changed(ino);
        Ok(())
    }

    /// chown(2): sets user and group; `None` leaves one. Takes the set-id bits of what is no
    /// directory away, as Linux does for root too.
    ///
    /// # Errors
    /// `EROFS`, `EPERM`.
    pub fn chown(
        &mut self,
        by: By,
        ino: Ino,
        uid: Option<u32>,
        gid: Option<u32>,
    ) -> Result<(), Errno> {
        self.writable(ino)?;
        let (_, old_uid, old_gid) = self.rights(ino);
        let owner = old_uid == by.cred.uid;
        let user_kept = uid.is_none_or(|uid| owner && uid == old_uid);
        let group_kept = gid.is_none_or(|gid| owner && (gid == by.cred.gid || gid == old_gid));
        let allowed = by.cred.is_root() || (user_kept && group_kept);
        if !allowed {
            return Err(Errno::EPERM);
        }
        if self.forgets(ino) {
            return Ok(());
        }
        self.change(self.mount_of(ino), Change::Attributes)?;
        let inode = self.nodes.get_mut(ino);
        if !inode.is_directory() {
            inode.mode &= !libc::S_ISUID;
            let outside = !by.cred.is_root() && by.cred.gid != inode.gid;
            if inode.mode & libc::S_IXGRP != 0 || outside {
                inode.mode &= !libc::S_ISGID;
            }
        }
        inode.uid = uid.unwrap_or(inode.uid);
        inode.gid = gid.unwrap_or(inode.gid);
        inode.ctime = by.now;
        self.attributes_changed(ino);
        Ok(())
    }

    /// utimensat(2): sets access and modification time. utimensat(2) without times is
    /// `SetTime::Now` twice.
    ///
    /// # Errors
    /// `EROFS`; `EACCES` where both become now and the caller neither owns the node nor may write
    /// it; else `EPERM` where it does not own it.
    pub fn utimens(
        &mut self,
        by: By,
        ino: Ino,
        atime: SetTime,
        mtime: SetTime,
    ) -> Result<(), Errno> {
        if (atime, mtime) == (SetTime::Omit, SetTime::Omit) {
            return Ok(());
        }
        self.writable(ino)?;
        if !self.owns(by.cred, ino) {
            if (atime, mtime) != (SetTime::Now, SetTime::Now) {
                return Err(Errno::EPERM);
            }
            self.permit(by.cred, ino, Access::WRITE)?;
        }
        if self.forgets(ino) {
            return Ok(());
        }
        self.change(self.mount_of(ino), Change::Attributes)?;
        let inode = self.nodes.get_mut(ino);
        let pick = |set: SetTime, old: Realtime| match set {
            SetTime::Now => by.now,
            SetTime::Omit => old,
            SetTime::To(time) => time,
        };
        inode.atime = pick(atime, inode.atime);
        inode.mtime = pick(mtime, inode.mtime);
        inode.ctime = by.now;
        self.attributes_changed(ino);
        Ok(())
    }

    /// Notes that the node was read, under the rule of `relatime`: the access time moves only if it
    /// is not newer than the last change, or a day old. Not a write to the disk in itself.
    pub fn accessed(&mut self, ino: Ino, now: Realtime) {
        if ProcNode::from_ino(ino).is_some() || self.writable(ino).is_err() {
            return;
        }
        let inode = self.nodes.get_mut(ino);
        let stale = inode.atime <= inode.mtime || inode.atime <= inode.ctime;
        if stale || now.0.saturating_sub(inode.atime.0) >= DAY_NS {
            inode.atime = now;
        }
    }

    /// Nodes of /proc forget what they are told when nobody looks, on Linux; here at once.
    fn forgets(&self, ino: Ino) -> bool {
        self.mount_of(ino) == super::MountId::PROC
    }
}
