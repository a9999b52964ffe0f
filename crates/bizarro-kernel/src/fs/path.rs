//! From a path to a node: path_resolution(7), symlink(7).
//!
//! A symbolic link is resolved by putting its text in front of what is left of the path, so the
//! rules for slashes and last components need not know where a component came from.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;

use super::Fs;
use super::inode::Body;
use super::procfs::{ProcLink, ProcNode};
use super::types::{
    Access, At, Caller, FileType, Found, Ino, LINKS_MAX, Lookup, NAME_MAX, PATH_MAX,
};
use crate::errno::Errno;

/// A path on its way.
pub(super) struct Walk<'p> {
    /// Where it is.
    pub(super) here: Ino,
    /// Where it is instead, after a link of /proc to something without a node.
    foreign: Option<Found>,
    path: Cow<'p, [u8]>,
    position: usize,
    links: u32,
}

/// The last component of a path.
pub(super) struct Last {
    pub(super) kind: LastKind,
    name: Range<usize>,
    /// Whether a slash follows.
    pub(super) slash: bool,
}

/// Where a path led, and by which last component.
pub(super) struct End<'p> {
    pub(super) found: Found,
    pub(super) walk: Walk<'p>,
    pub(super) last: Last,
}

/// What the last component is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LastKind {
    /// There is none: the path is `/`, or a link of /proc led to the end.
    None,
    Dot,
    DotDot,
    Name,
}

impl<'p> Walk<'p> {
    /// A path at its start.
    pub(super) fn new(at: At<'p>) -> Result<Walk<'p>, Errno> {
        if at.path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if at.path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let here = if at.path[0] == b'/' { Fs::ROOT } else { at.start };
        Ok(Walk { here, foreign: None, path: Cow::Borrowed(at.path), position: 0, links: 0 })
    }

    /// The name of the last component.
    pub(super) fn name(&self, last: &Last) -> &[u8] {
        &self.path[last.name.clone()]
    }

    /// Goes to the directory that the last component is in, which the caller may then search.
    pub(super) fn go_to_last(
        &mut self,
        fs: &mut Fs,
        caller: &mut Caller<'_>,
    ) -> Result<Last, Errno> {
        loop {
            let start = self.skip_slashes(self.position);
            if start == self.path.len() {
                let slash = start > self.position;
                return Ok(Last { kind: LastKind::None, name: start..start, slash });
            }
            if self.foreign.is_some() || !fs.is_directory(self.here) {
                return Err(Errno::ENOTDIR);
            }
            fs.permit(caller.by.cred, self.here, Access::EXECUTE)?;
            let length = self.path[start..].iter().position(|b| *b == b'/');
            let end = length.map_or(self.path.len(), |length| start + length);
            let kind = match &self.path[start..end] {
                b"." => LastKind::Dot,
                b".." => LastKind::DotDot,
                _ => LastKind::Name,
            };
            if self.skip_slashes(end) == self.path.len() {
                self.position = start;
                return Ok(Last { kind, name: start..end, slash: end < self.path.len() });
            }
            self.step(fs, caller, kind, start..end)?;
        }
    }

    /// Goes through a component that is not the last one.
    fn step(
        &mut self,
        fs: &mut Fs,
        caller: &mut Caller<'_>,
        kind: LastKind,
        name: Range<usize>,
    ) -> Result<(), Errno> {
        self.position = name.end;
        match kind {
            LastKind::DotDot => self.here = fs.parent(self.here),
            LastKind::Name => {
                let child = fs.child(caller, self.here, &self.path[name.clone()])?;
                let child = child.ok_or(Errno::ENOENT)?;
                match fs.file_type(child) {
                    FileType::Directory => self.here = child,
                    FileType::Symlink => self.follow(fs, caller, child, name.end)?,
                    _ => return Err(Errno::ENOTDIR),
                }
            }
            LastKind::Dot | LastKind::None => {}
        }
        Ok(())
    }

    /// Puts what the link says in front of the path from `end` on.
    pub(super) fn follow(
        &mut self,
        fs: &mut Fs,
        caller: &mut Caller<'_>,
        link: Ino,
        end: usize,
    ) -> Result<(), Errno> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Errno::ELOOP);
        }
        self.position = end;
        if let Some(node) = ProcNode::from_ino(link) {
            match node.link(caller.proc)? {
                ProcLink::Node(ino) => self.here = ino,
                ProcLink::Foreign(_) => {
                    self.foreign = Some(Found::Foreign { pid: node.pid, fd: node.arg });
                }
                ProcLink::Path(text) => self.splice(&text, end),
            }
            return Ok(());
        }
        if let Body::Symlink(text) = &fs.nodes.get(link).body {
            self.splice(text, end);
            fs.accessed(link, caller.by.now);
        }
        Ok(())
    }

    fn splice(&mut self, text: &[u8], end: usize) {
        if text.first() == Some(&b'/') {
            self.here = Fs::ROOT;
        }
        let mut path = Vec::with_capacity(text.len() + self.path.len() - end);
        path.extend_from_slice(text);
        path.extend_from_slice(&self.path[end..]);
        self.path = Cow::Owned(path);
        self.position = 0;
    }

    /// Follows the link that the last component is.
    pub(super) fn follow_last(
        &mut self,
        fs: &mut Fs,
        caller: &mut Caller<'_>,
        link: Ino,
        last: &Last,
    ) -> Result<(), Errno> {
        self.follow(fs, caller, link, last.name.end)
    }

    /// Where the walk stands, if it needs no last name.
    pub(super) fn standing(&self, fs: &Fs, kind: LastKind) -> Found {
        match self.foreign {
            Some(foreign) => foreign,
            None if kind == LastKind::DotDot => Found::Node(fs.parent(self.here)),
            None => Found::Node(self.here),
        }
    }

    fn skip_slashes(&self, from: usize) -> usize {
        let slashes = self.path[from..].iter().take_while(|b| **b == b'/').count();
        from + slashes
    }
}

impl Fs {
    /// The node that a path leads to. It is not retained.
    ///
    /// # Errors
    /// path_resolution(7)'s: `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`, and what a
    /// mounted real directory answers.
    pub fn resolve(
        &mut self,
        caller: &mut Caller<'_>,
        at: At<'_>,
        lookup: Lookup,
    ) -> Result<Found, Errno> {
        if at.path.is_empty() && lookup.contains(Lookup::EMPTY) {
            let wrong = lookup.contains(Lookup::DIRECTORY) && !self.is_directory(at.start);
            return if wrong { Err(Errno::ENOTDIR) } else { Ok(Found::Node(at.start)) };
        }
        self.walk_to(caller, at, lookup).map(|end| end.found)
    }

    /// As [`Fs::resolve`], and says which name led there. An empty path is `ENOENT`.
    pub(super) fn walk_to<'p>(
        &mut self,
        caller: &mut Caller<'_>,
        at: At<'p>,
        lookup: Lookup,
    ) -> Result<End<'p>, Errno> {
        let mut walk = Walk::new(at)?;
        loop {
            let last = walk.go_to_last(self, caller)?;
            let found = if last.kind == LastKind::Name {
                let child = self.child(caller, walk.here, walk.name(&last))?;
                let child = child.ok_or(Errno::ENOENT)?;
                let follow = lookup.contains(Lookup::FOLLOW) || last.slash;
                if follow && self.file_type(child) == FileType::Symlink {
                    walk.follow_last(self, caller, child, &last)?;
                    continue;
                }
                Found::Node(child)
            } else {
                walk.standing(self, last.kind)
            };
            if last.slash || lookup.contains(Lookup::DIRECTORY) {
                self.must_be_directory(found)?;
            }
            return Ok(End { found, walk, last });
        }
    }

    /// `ENOTDIR` unless it is one.
    pub(super) fn must_be_directory(&self, found: Found) -> Result<(), Errno> {
        match found {
            Found::Node(ino) if self.is_directory(ino) => Ok(()),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The node that `name` is in a directory. The caller's right to search was checked.
    pub(super) fn child(
        &mut self,
        caller: &mut Caller<'_>,
        directory: Ino,
        name: &[u8],
    ) -> Result<Option<Ino>, Errno> {
        if let Some(node) = ProcNode::from_ino(directory) {
            // LINUX: a name that /proc does not have is an error to look up, so that every call
            // that would make it fails with ENOENT.
            let child = node.child(name, caller.proc).ok_or(Errno::ENOENT)?;
            return Ok(Some(child.ino()));
        }
        let entries = self.nodes.get(directory).directory();
        if entries.dead {
            return Err(Errno::ENOENT);
        }
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let Some(ino) = entries.get(name) else { return Ok(None) };
        self.look(ino, caller.outside)?;
        Ok(Some(ino))
    }
}
