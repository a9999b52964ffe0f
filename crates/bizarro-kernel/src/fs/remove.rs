//! Taking names away: unlink(2), rmdir(2).

use super::path::{LastKind, Walk};
use super::permission::Wanted;
use super::types::{At, Caller, Ino, Realtime};
use super::{Change, Fs};
use crate::errno::Errno;

impl Fs {
    /// unlink(2). The node goes with its last name, unless it is retained.
    ///
    /// # Errors
    /// unlink(2)'s. A directory is `EISDIR`, as on Linux.
    pub fn unlink(&mut self, caller: &mut Caller<'_>, at: At<'_>) -> Result<(), Errno> {
        let mut walk = Walk::new(at)?;
        let last = walk.go_to_last(self, caller)?;
        if last.kind != LastKind::Name {
            return Err(Errno::EISDIR);
        }
        self.writable(walk.here)?;
        let name = walk.name(&last);
        let victim = self.child(caller, walk.here, name)?.ok_or(Errno::ENOENT)?;
        if last.slash {
            let directory = self.is_directory(victim);
            return Err(if directory { Errno::EISDIR } else { Errno::ENOTDIR });
        }
        self.may_delete(caller.by.cred, walk.here, victim, Wanted::Other)?;
        self.not_proc(walk.here)?;
        if self.mounts.is_root(victim) {
            return Err(Errno::EBUSY);
        }
        self.change(self.mount_of(walk.here), Change::Remove)?;
        self.take_name(walk.here, name, caller.by.now);
        self.drop_link(victim, caller.by.now);
        Ok(())
    }

    /// rmdir(2). A retained directory stays, empty, and nothing can be made in it.
    ///
    /// # Errors
    /// rmdir(2)'s.
    pub fn rmdir(&mut self, caller: &mut Caller<'_>, at: At<'_>) -> Result<(), Errno> {
        let mut walk = Walk::new(at)?;
        let last = walk.go_to_last(self, caller)?;
        match last.kind {
            LastKind::DotDot => return Err(Errno::ENOTEMPTY),
            LastKind::Dot => return Err(Errno::EINVAL),
            LastKind::None => return Err(Errno::EBUSY),
            LastKind::Name => {}
        }
        self.writable(walk.here)?;
        let name = walk.name(&last);
        let victim = self.child(caller, walk.here, name)?.ok_or(Errno::ENOENT)?;
        self.may_delete(caller.by.cred, walk.here, victim, Wanted::Directory)?;
        if self.mounts.is_root(victim) {
            return Err(Errno::EBUSY);
        }
        self.not_proc(walk.here)?;
        if !self.nodes.get(victim).directory().is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.change(self.mount_of(walk.here), Change::Remove)?;
        self.take_name(walk.here, name, caller.by.now);
        self.drop_directory(victim, caller.by.now);
        Ok(())
    }

    fn take_name(&mut self, directory: Ino, name: &[u8], now: Realtime) {
        self.name_changes(directory, name, None);
        let inode = self.nodes.get_mut(directory);
        inode.directory_mut().remove(name);
        inode.modified(now);
        self.content_changed(directory);
    }

    /// One name less for a node that is no directory.
    pub(super) fn drop_link(&mut self, ino: Ino, now: Realtime) {
        let inode = self.nodes.get_mut(ino);
        inode.nlink -= 1;
        inode.ctime = now;
        self.attributes_changed(ino);
        self.lost_its_name(ino);
    }

    /// No name any more for an empty directory; the one above has one less in it.
    pub(super) fn drop_directory(&mut self, ino: Ino, now: Realtime) {
        let inode = self.nodes.get_mut(ino);
        let parent = inode.home.parent;
        inode.directory_mut().dead = true;
        inode.nlink = 0;
        inode.ctime = now;
        self.nodes.get_mut(parent).nlink -= 1;
        self.attributes_changed(ino);
        self.lost_its_name(ino);
    }
}
