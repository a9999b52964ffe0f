//! getdents64(2).

use super::Fs;
use super::procfs::ProcNode;
use super::types::{Caller, Dirent, FileType, Ino, Take};
use crate::errno::Errno;

impl Fs {
    /// Gives the entries of an open directory from `position` on to `take`, `.` and `..` first, until
    /// it says [`Take::Full`] or there are no more. `position` is 0 or the `next` of an entry that
    /// was taken, and stays good whatever is made and removed between two calls: what was there all
    /// the time is given once.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOENT` for a removed directory, and what a mounted real directory answers.
    pub fn read_directory(
        &mut self,
        caller: &mut Caller<'_>,
        ino: Ino,
        position: u64,
        take: &mut dyn FnMut(Dirent<'_>) -> Take,
    ) -> Result<(), Errno> {
        if !self.is_directory(ino) {
            return Err(Errno::ENOTDIR);
        }
        if self.is_dead(ino) {
            return Err(Errno::ENOENT);
        }
        self.accessed(ino, caller.by.now);
        let dots = [(ino, &b"."[..]), (self.parent(ino), b"..")];
        for (at, (node, name)) in (0u64..).zip(dots) {
            let kind = FileType::Directory;
            let entry = Dirent { ino: node.0, next: at + 1, kind, name };
            if at >= position && take(entry) == Take::Full {
                return Ok(());
            }
        }
        match ProcNode::from_ino(ino) {
            Some(node) => read_proc(caller, node, position, take),
            None => self.read_entries(caller, ino, position, take)?,
        }
        Ok(())
    }

    fn read_entries(
        &mut self,
        caller: &mut Caller<'_>,
        ino: Ino,
        mut position: u64,
        take: &mut dyn FnMut(Dirent<'_>) -> Take,
    ) -> Result<(), Errno> {
        loop {
            let Some((_, _, node)) = self.nodes.get(ino).directory().next_entry(position) else {
                return Ok(());
            };
            // Only looking at a real node tells its type. One that cannot be looked at is listed as
            // a file; opening it will say why.
            let _ = self.look(node, caller.outside);
            let kind = self.file_type(node);
            let entries = self.nodes.get(ino).directory();
            let Some((slot, name, _)) = entries.next_entry(position) else { return Ok(()) };
            if take(Dirent { ino: node.0, next: slot + 1, kind, name }) == Take::Full {
                return Ok(());
            }
            position = slot + 1;
        }
    }
}

fn read_proc(
    caller: &Caller<'_>,
    node: ProcNode,
    mut position: u64,
    take: &mut dyn FnMut(Dirent<'_>) -> Take,
) {
    while let Some((slot, name, child)) = node.entry_from(position, caller.proc) {
        let (ino, kind) = (child.ino().0, child.file_type());
        if take(Dirent { ino, next: slot + 1, kind, name: &name }) == Take::Full {
            return;
        }
        position = slot + 1;
    }
}
