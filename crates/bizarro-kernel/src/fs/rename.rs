//! rename(2) and renameat2(2).

use alloc::boxed::Box;

use super::path::{Last, LastKind, Walk};
use super::permission::Wanted;
use super::types::{Access, At, Caller, Cred, Ino, LINK_MAX, Realtime, RenameFlags};
use super::{Change, Fs};
use crate::errno::Errno;

/// One of the two names.
struct Side {
    directory: Ino,
    name: Box<[u8]>,
    kind: LastKind,
    slash: bool,
    /// What has the name.
    node: Option<Ino>,
}

impl Side {
    fn new(walk: &Walk<'_>, last: &Last) -> Side {
        let name = walk.name(last).into();
        Side { directory: walk.here, name, kind: last.kind, slash: last.slash, node: None }
    }
}

impl Fs {
    /// renameat2(2), and with no flags rename(2).
    ///
    /// # Errors
    /// rename(2)'s. RENAME_WHITEOUT is `EINVAL`, as on a file system that does not have it.
    pub fn rename(
        &mut self,
        caller: &mut Caller<'_>,
        from: At<'_>,
        to: At<'_>,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let known = RenameFlags::NO_REPLACE | RenameFlags::EXCHANGE;
        if !known.contains(flags) || flags == known {
            return Err(Errno::EINVAL);
        }
        let mut old = self.side(caller, from)?;
        let mut new = self.side(caller, to)?;
        self.check_sides(caller, &mut old, &mut new, flags)?;
        let (source, target) = (old.node.ok_or(Errno::ENOENT)?, new.node);
        if target == Some(source) {
            return Ok(());
        }
        self.check_rights(caller.by.cred, &old, &new, flags)?;
        if self.mounts.is_root(source) || target.is_some_and(|ino| self.mounts.is_root(ino)) {
            return Err(Errno::EBUSY);
        }
        self.not_proc(old.directory)?;
        self.check_links(&old, &new, source, flags)?;
        self.change(self.mount_of(old.directory), Change::Rename)?;
        match target {
            Some(target) if flags.contains(RenameFlags::EXCHANGE) => {
                self.exchange(&old, &new, source, target);
            }
            target => self.replace(&old, &new, source, target, caller.by.now),
        }
        self.stamp_rename(&old, &new, source, target, caller.by.now);
        Ok(())
    }

    fn side(&mut self, caller: &mut Caller<'_>, at: At<'_>) -> Result<Side, Errno> {
        let mut walk = Walk::new(at)?;
        let last = walk.go_to_last(self, caller)?;
        Ok(Side::new(&walk, &last))
    }

    /// The checks of Linux's `do_renameat2`, which finds the two nodes on the way.
    fn check_sides(
        &mut self,
        caller: &mut Caller<'_>,
        old: &mut Side,
        new: &mut Side,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        let fresh = flags.contains(RenameFlags::NO_REPLACE);
        if self.mount_of(old.directory) != self.mount_of(new.directory) {
            return Err(Errno::EXDEV);
        }
        if old.kind != LastKind::Name {
            return Err(Errno::EBUSY);
        }
        if new.kind != LastKind::Name {
            return Err(if fresh { Errno::EEXIST } else { Errno::EBUSY });
        }
        self.writable(old.directory)?;
        let source = self.child(caller, old.directory, &old.name)?.ok_or(Errno::ENOENT)?;
        let target = self.child(caller, new.directory, &new.name)?;
        (old.node, new.node) = (Some(source), target);
        match target {
            Some(_) if fresh => return Err(Errno::EEXIST),
            None if exchange => return Err(Errno::ENOENT),
            Some(ino) if exchange && new.slash && !self.is_directory(ino) => {
                return Err(Errno::ENOTDIR);
            }
            _ => {}
        }
        if !self.is_directory(source) && (old.slash || (new.slash && !exchange)) {
            return Err(Errno::ENOTDIR);
        }
        if self.is_above(source, new.directory) {
            return Err(Errno::EINVAL);
        }
        if target.is_some_and(|target| self.is_above(target, old.directory)) {
            return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
        }
        Ok(())
    }

    /// The checks of Linux's `vfs_rename`.
    fn check_rights(
        &self,
        cred: Cred,
        old: &Side,
        new: &Side,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        let Some(source) = old.node else { return Err(Errno::ENOENT) };
        let moves = self.wanted_as(source);
        self.may_delete(cred, old.directory, source, moves)?;
        match new.node {
            None => self.may_create(cred, new.directory)?,
            Some(target) => {
                let wanted = if exchange { self.wanted_as(target) } else { moves };
                self.may_delete(cred, new.directory, target, wanted)?;
            }
        }
        // A directory that gets another parent is written, because its `..` changes.
        if old.directory != new.directory {
            if moves == Wanted::Directory {
                self.permit(cred, source, Access::WRITE)?;
            }
            if let Some(target) = new.node.filter(|ino| exchange && self.is_directory(*ino)) {
                self.permit(cred, target, Access::WRITE)?;
            }
        }
        Ok(())
    }

    /// What only the file system can say: full directories, too many links.
    fn check_links(
        &self,
        old: &Side,
        new: &Side,
        source: Ino,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        let moves = self.is_directory(source);
        let gains = moves && old.directory != new.directory && new.node.is_none();
        if gains && self.nodes.get(new.directory).nlink >= LINK_MAX {
            return Err(Errno::EMLINK);
        }
        match new.node {
            Some(target) if moves && !exchange => {
                let empty = self.nodes.get(target).directory().is_empty();
                if empty { Ok(()) } else { Err(Errno::ENOTEMPTY) }
            }
            _ => Ok(()),
        }
    }

    fn wanted_as(&self, ino: Ino) -> Wanted {
        if self.is_directory(ino) { Wanted::Directory } else { Wanted::Other }
    }

    /// Whether `below` is `above` or lies in it.
    fn is_above(&self, above: Ino, below: Ino) -> bool {
        if !self.is_directory(above) {
            return false;
        }
        let mut here = below;
        loop {
            if here == above {
                return true;
            }
            let parent = self.parent(here);
            if parent == here {
                return false;
            }
            here = parent;
        }
    }

    /// Moves `source` to the new name, whose node, if any, loses it.
    fn replace(&mut self, old: &Side, new: &Side, source: Ino, target: Option<Ino>, now: Realtime) {
        self.both_names_change(old, new);
        if old.directory == new.directory {
            let entries = self.nodes.get_mut(old.directory).directory_mut();
            entries.rename(&old.name, &new.name);
        } else {
            self.nodes.get_mut(old.directory).directory_mut().remove(&old.name);
            self.nodes.get_mut(new.directory).directory_mut().insert(&new.name, source);
            if self.is_directory(source) {
                self.nodes.get_mut(old.directory).nlink -= 1;
                self.nodes.get_mut(new.directory).nlink += 1;
            }
        }
        match target {
            Some(target) if self.is_directory(target) => self.drop_directory(target, now),
            Some(target) => self.drop_link(target, now),
            None => {}
        }
        self.move_home(source, old, new);
    }

    fn both_names_change(&mut self, old: &Side, new: &Side) {
        self.name_changes(old.directory, &old.name, Some(new.directory));
        self.name_changes(new.directory, &new.name, Some(old.directory));
    }

    fn exchange(&mut self, old: &Side, new: &Side, source: Ino, target: Ino) {
        self.both_names_change(old, new);
        self.nodes.get_mut(old.directory).directory_mut().insert(&old.name, target);
        self.nodes.get_mut(new.directory).directory_mut().insert(&new.name, source);
        let came = u32::from(self.is_directory(target));
        let went = u32::from(self.is_directory(source));
        let above = self.nodes.get_mut(old.directory);
        above.nlink = above.nlink + came - went;
        let above = self.nodes.get_mut(new.directory);
        above.nlink = above.nlink + went - came;
        self.move_home(source, old, new);
        self.move_home(target, new, old);
    }

    /// A node that was known under its old name is now known under the new one.
    fn move_home(&mut self, ino: Ino, old: &Side, new: &Side) {
        let home = &self.nodes.get(ino).home;
        if home.parent == old.directory && home.name == old.name {
            self.set_home(ino, new.directory, &new.name);
        }
    }

    fn stamp_rename(
        &mut self,
        old: &Side,
        new: &Side,
        source: Ino,
        target: Option<Ino>,
        now: Realtime,
    ) {
        for directory in [old.directory, new.directory] {
            self.nodes.get_mut(directory).modified(now);
            self.content_changed(directory);
        }
        for ino in [Some(source), target].into_iter().flatten() {
            if self.nodes.find(ino).is_some() {
                self.nodes.get_mut(ino).ctime = now;
                self.attributes_changed(ino);
            }
        }
    }
}
