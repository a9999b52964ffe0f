//! The file system of one host, in memory, as Linux's system calls see it.
//!
//! [`Fs`] is a plain value: it knows no descriptors, no guest memory and no blocking, and it gets
//! the time, the caller's rights and everything that only the kernel knows with each call. Calls
//! that take a path get a [`Caller`] and an [`At`]; calls on a descriptor get an [`Ino`]. A call on
//! a path that has no method here (stat, chmod, truncate, …) is [`Fs::resolve`] and the method on
//! the node. Every error is the one that Linux gives, and where several apply, the one that Linux
//! gives first.
//!
//! The disk looks like ext4 where file systems differ (`f_type`, sizes of directories, limits).
//! `/dev`, `/sys`, `/proc`, `/run` and `/dev/shm` are mounts of their own, so renaming across them is
//! `EXDEV`. What a crash and a power loss leave is written in [`journal`].
//!
//! INVARIANT: a node lives while it has a name or is retained. An [`Ino`] that came from a
//! resolution is good until the next call that may remove it; [`Fs::retain`] keeps it longer, and
//! [`Fs::open`] retains what it gives. A call with the number of a node that is gone panics: it
//! would be our mistake, not the guest's. Numbers of /proc's nodes are always good.
//!
//! DIVERGENCE: entries of a directory are listed in the order of their making (ext4 lists by
//! hash); every process of a host sees the same mounts and the same root directory.

mod attributes;
mod content;
mod create;
mod devfs;
mod directory;
mod faults;
mod inode;
mod io;
pub mod journal;
mod listing;
pub mod locks;
mod maps;
mod mount;
mod open;
mod path;
mod permission;
mod platter;
pub mod procfs;
mod remove;
mod rename;
mod shown;
mod standard;
mod stat;
mod types;
mod xattr;

#[cfg(test)]
mod tests;

pub use devfs::Device;
pub use io::Seek;
pub use journal::Durable;
pub use procfs::{Proc, ProcEntry, ProcFacts, ProcLink, ProcNode};
pub use standard::Standard;
pub use types::*;

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use bizarro_record::Nanos;

use faults::Faults;
use inode::{Body, Home, Inode, Nodes};
use journal::{Change, Journal};
use mount::{MountId, Mounts};
use platter::Platter;
use shown::Shown;

/// The file systems of one host. See the module.
#[derive(Clone)]
pub struct Fs {
    nodes: Nodes,
    mounts: Mounts,
    journal: Journal,
    /// When the host was made: the time of what has no time of its own.
    made: Realtime,
    /// Virtual time, as the kernel told it last.
    clock: Nanos,
    /// What of the disk is not durable, where the power may fail.
    platter: Option<Box<Platter>>,
    /// What is wrong with the disk.
    faults: Faults,
    /// Files whose changes mappings show, and the changes that they do not show yet.
    shown: Shown,
    /// Path and node of the program's binary, as it was when the host was made.
    program: Option<(String, Ino)>,
}

impl fmt::Debug for Fs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fs").field("journal", &self.journal).finish_non_exhaustive()
    }
}

impl Fs {
    /// Says what time it is: what is dirty long enough is written back.
    #[inline]
    pub(crate) fn tell_time(&mut self, now: Nanos) {
        self.clock = now;
    }

    /// Groups of inodes for which there is memory.
    #[cfg(test)]
    pub(crate) fn inode_groups(&self) -> usize {
        self.nodes.groups()
    }

    /// The root directory.
    pub const ROOT: Ino = Nodes::ROOT;

    /// What the node is.
    pub fn kind(&self, ino: Ino) -> Kind {
        match ProcNode::from_ino(ino) {
            Some(node) => match node.file_type() {
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::Symlink,
                _ => Kind::Proc(node),
            },
            None => self.nodes.get(ino).kind(),
        }
    }

    /// Keeps a node alive without a name: for a descriptor, a working directory, a mapping.
    pub fn retain(&mut self, ino: Ino) {
        if ProcNode::from_ino(ino).is_none() {
            self.nodes.get_mut(ino).opens += 1;
        }
    }

    /// Undoes one [`Fs::retain`] or [`Fs::open`]. A node without a name goes with the last one.
    pub fn release(&mut self, ino: Ino) {
        let mut next = Some(ino);
        while let Some(ino) = next.take() {
            if ProcNode::from_ino(ino).is_some() {
                return;
            }
            let inode = self.nodes.get_mut(ino);
            assert!(inode.opens > 0, "inode {} was released more often than retained", ino.0);
            inode.opens -= 1;
            next = self.forget_if_unused(ino);
        }
    }

    /// Every process of the host is gone, as after a crash: nothing is retained any more, and what
    /// has no name goes. Everything else stays, synced or not; see [`journal`].
    pub fn release_all(&mut self) {
        for ino in self.nodes.numbers() {
            let inode = self.nodes.get_mut(ino);
            inode.opens = 0;
            inode.holds_parent = false;
            self.forget_if_unused(ino);
        }
    }

    /// Whether the node is a directory, of any file system.
    pub fn is_directory(&self, ino: Ino) -> bool {
        match ProcNode::from_ino(ino) {
            Some(node) => node.file_type() == FileType::Directory,
            None => self.nodes.get(ino).is_directory(),
        }
    }

    fn file_type(&self, ino: Ino) -> FileType {
        match ProcNode::from_ino(ino) {
            Some(node) => node.file_type(),
            None => self.nodes.get(ino).file_type(),
        }
    }

    /// Which file system the node is of.
    fn mount_of(&self, ino: Ino) -> MountId {
        match ProcNode::from_ino(ino) {
            Some(_) => MountId::PROC,
            None => self.nodes.get(ino).mount,
        }
    }

    /// The directory above a directory; the root's is itself, and that of a removed directory is
    /// where it was.
    fn parent(&self, ino: Ino) -> Ino {
        match ProcNode::from_ino(ino) {
            Some(ProcNode::ROOT) => self.mounts.get(MountId::PROC).parent,
            Some(node) => node.parent().ino(),
            None => self.nodes.get(ino).home.parent,
        }
    }

    /// Adds a node to the table and counts it.
    fn add_node(&mut self, inode: Inode) -> Ino {
        let mount = inode.mount;
        self.mounts.count_file(mount);
        if inode.is_directory() {
            self.mounts.count_pages(mount, 0, 1);
        }
        let ino = self.nodes.add(inode);
        self.node_is_new(ino);
        ino
    }

    /// Forgets a node that has neither names nor holders, and gives the directory that it held.
    fn forget_if_unused(&mut self, ino: Ino) -> Option<Ino> {
        let inode = self.nodes.get(ino);
        if inode.nlink > 0 || inode.opens > 0 {
            return None;
        }
        let inode = self.nodes.remove(ino);
        self.node_is_gone(ino, &inode);
        match &inode.body {
            // The text of an opened file of /proc was never counted.
            Body::Proc(..) => return None,
            Body::File(content) => self.mounts.count_pages(inode.mount, content.pages(), 0),
            Body::Directory(_) => self.mounts.count_pages(inode.mount, 1, 0),
            _ => {}
        }
        self.mounts.uncount_file(inode.mount);
        inode.holds_parent.then_some(inode.home.parent)
    }

    /// After the last name of a node went: it goes too, or holds on to where it was, so that its
    /// old path can still be told.
    fn lost_its_name(&mut self, ino: Ino) {
        let inode = self.nodes.get(ino);
        if inode.nlink > 0 {
            return;
        }
        let parent = inode.home.parent;
        if inode.opens == 0 {
            self.forget_if_unused(ino);
        } else if !inode.holds_parent && self.nodes.find(parent).is_some() {
            self.nodes.get_mut(ino).holds_parent = true;
            self.nodes.get_mut(parent).opens += 1;
        }
    }

    /// Makes `parent` and `name` the place where the node is found.
    fn set_home(&mut self, ino: Ino, parent: Ino, name: &[u8]) {
        if ProcNode::from_ino(ino).is_some() {
            return;
        }
        let inode = self.nodes.get_mut(ino);
        if inode.home.parent == parent && *inode.home.name == *name {
            return;
        }
        let old = core::mem::replace(&mut inode.home, Home { parent, name: name.into() });
        if core::mem::take(&mut inode.holds_parent) {
            self.release(old.parent);
        }
    }
}
