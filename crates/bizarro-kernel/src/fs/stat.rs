//! What is told of nodes: stat(2), statfs(2), readlink(2), and the way back from a node to a path.

use alloc::vec::Vec;

use super::Fs;
use super::content::PAGE;
use super::inode::{Body, Inode};
use super::procfs::{self, ProcLink, ProcNode};
use super::types::{Caller, Ino, Stat, StatFs};
use crate::errno::Errno;

/// What ext4 says of a directory that fits one block.
const DIRECTORY_SIZE: u64 = PAGE;
/// What /proc says is a good size to read.
const PROC_BLOCK: u32 = 1024;

impl Fs {
    /// statx(2) of a node.
    pub fn stat(&self, ino: Ino) -> Stat {
        if let Some(node) = ProcNode::from_ino(ino) {
            return self.stat_proc(node);
        }
        let inode = self.nodes.get(ino);
        if let Body::Proc(node, _) = inode.body {
            return self.stat_proc(node);
        }
        let (dev, mount_id) = self.mounts.identity(inode.mount);
        let rdev = if let Body::Device(device) = inode.body { device.number() } else { (0, 0) };
        let (size, blocks) = size_and_blocks(inode);
        Stat {
            dev,
            ino: ino.0,
            mode: inode.file_type().mode() | inode.mode,
            nlink: inode.nlink,
            uid: inode.uid,
            gid: inode.gid,
            rdev,
            size,
            blksize: PAGE as u32,
            blocks,
            atime: inode.atime,
            mtime: inode.mtime,
            ctime: inode.ctime,
            btime: inode.btime,
            attributes: 0,
            attributes_mask: 0,
            mount_id,
        }
    }

    /// DIVERGENCE: Linux gives nodes of /proc the time at which they were first looked at; here it
    /// is when the host was made.
    fn stat_proc(&self, node: ProcNode) -> Stat {
        let (dev, mount_id) = self.mounts.identity(super::MountId::PROC);
        Stat {
            dev,
            ino: node.ino().0,
            mode: node.file_type().mode() | node.mode(),
            nlink: node.nlink(),
            uid: procfs::OWNER.uid,
            gid: procfs::OWNER.gid,
            rdev: (0, 0),
            size: 0,
            blksize: PROC_BLOCK,
            blocks: 0,
            atime: self.made,
            mtime: self.made,
            ctime: self.made,
            btime: self.made,
            attributes: 0,
            attributes_mask: 0,
            mount_id,
        }
    }

    /// statfs(2) of the file system that a node is of.
    pub fn statfs(&self, ino: Ino) -> StatFs {
        self.mounts.statfs(self.mount_of(ino))
    }

    /// What a symbolic link says. readlinkat(2) with an empty path of something else is `ENOENT`,
    /// which is the caller's to say.
    ///
    /// # Errors
    /// `EINVAL` for what is no link; for links of /proc what the kernel says.
    pub fn readlink(&mut self, caller: &Caller<'_>, ino: Ino) -> Result<Vec<u8>, Errno> {
        if let Some(node) = ProcNode::from_ino(ino) {
            if node.file_type() != super::FileType::Symlink {
                return Err(Errno::EINVAL);
            }
            return Ok(match node.link(caller.proc)? {
                ProcLink::Node(ino) => self.path_of(ino),
                ProcLink::Path(text) | ProcLink::Foreign(text) => text,
            });
        }
        let Body::Symlink(text) = &self.nodes.get(ino).body else { return Err(Errno::EINVAL) };
        let text = text.to_vec();
        self.accessed(ino, caller.by.now);
        Ok(text)
    }

    /// The path of a node, as /proc/PID/fd shows it: the name under which it was last reached, with
    /// ` (deleted)` after it if that is gone.
    ///
    /// DIVERGENCE: a file made by O_TMPFILE and linked shows its name; Linux goes on to show that it
    /// had none. Of a file with several names Linux remembers for each descriptor which it was.
    pub fn path_of(&self, ino: Ino) -> Vec<u8> {
        let node = ProcNode::from_ino(ino).or_else(|| match self.nodes.get(ino).body {
            Body::Proc(node, _) => Some(node),
            _ => None,
        });
        if let Some(node) = node {
            return node.path();
        }
        let mut path = self.bare_path(ino);
        if self.is_deleted(ino) {
            path.extend_from_slice(b" (deleted)");
        }
        path
    }

    /// getcwd(2) of a working directory.
    ///
    /// # Errors
    /// `ENOENT` if it was removed.
    pub fn cwd_path(&self, ino: Ino) -> Result<Vec<u8>, Errno> {
        if self.is_directory(ino) && self.is_dead(ino) {
            return Err(Errno::ENOENT);
        }
        Ok(self.path_of(ino))
    }

    fn is_deleted(&self, ino: Ino) -> bool {
        if ino == Fs::ROOT {
            return false;
        }
        let home = &self.nodes.get(ino).home;
        match self.nodes.find(home.parent).map(|inode| &inode.body) {
            Some(Body::Directory(entries)) => entries.get(&home.name) != Some(ino),
            _ => true,
        }
    }

    fn bare_path(&self, ino: Ino) -> Vec<u8> {
        let mut names = Vec::new();
        let mut here = ino;
        while here != Fs::ROOT {
            let Some(inode) = self.nodes.find(here) else { break };
            names.push(&inode.home.name);
            here = inode.home.parent;
        }
        if names.is_empty() {
            return b"/".to_vec();
        }
        let mut path = Vec::new();
        for name in names.into_iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        path
    }
}

/// Bytes, and units of 512 bytes on the disk.
fn size_and_blocks(inode: &Inode) -> (u64, u64) {
    match &inode.body {
        Body::File(content) => match inode.source.as_ref().and_then(|source| source.pending) {
            Some(size) => (size, size.div_ceil(PAGE) * (PAGE / 512)),
            None => (content.size(), content.pages() * (PAGE / 512)),
        },
        Body::Directory(_) => (DIRECTORY_SIZE, DIRECTORY_SIZE / 512),
        Body::Symlink(text) => (text.len() as u64, 0),
        _ => (0, 0),
    }
}
