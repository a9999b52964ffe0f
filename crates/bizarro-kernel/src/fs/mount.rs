//! The file systems of a host: which there are, where they hang, and how full they are.
//!
//! The root directory of a mount takes the place of the directory that it is mounted on, so path
//! resolution does not know of mounts; `Inode::mount` tells the file systems apart.
//!
//! Real directories are mounted read-only. Their nodes are looked at when a path first leads to
//! them and their files are read when they are first opened; both are kept for the rest of the run.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Fs;
use super::content::{Content, PAGE};
use super::directory::Directory;
use super::inode::{Body, Home, Inode, Nodes, Source};
use super::types::{By, Cred, Ino, Realtime, StatFs};
use crate::errno::Errno;
use crate::seams::{Outside, OutsideNode};

/// A mount of this host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MountId(u16);

impl MountId {
    /// The disk, mounted at `/`.
    pub(super) const DISK: MountId = MountId(0);
    /// /proc
    pub(super) const PROC: MountId = MountId(1);
}

/// What kind of file system is mounted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MountKind {
    /// The host's disk.
    Disk,
    /// /proc
    Proc,
    /// /sys
    Sys,
    /// /dev
    Dev,
    /// tmpfs
    Memory,
    /// A real directory, read-only.
    Outside,
}

/// What a mounted file system lets programs do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MountAccess {
    /// Read only.
    Read,
    /// Read and write.
    Write,
}

impl MountKind {
    fn name(self) -> &'static str {
        match self {
            MountKind::Disk | MountKind::Outside => "ext4",
            MountKind::Proc => "proc",
            MountKind::Sys => "sysfs",
            MountKind::Dev => "devtmpfs",
            MountKind::Memory => "tmpfs",
        }
    }

    /// `f_type`, statfs(2).
    fn magic(self) -> i64 {
        match self {
            MountKind::Disk | MountKind::Outside => libc::EXT4_SUPER_MAGIC,
            MountKind::Proc => libc::PROC_SUPER_MAGIC,
            MountKind::Sys => 0x6265_6572,
            MountKind::Dev | MountKind::Memory => libc::TMPFS_MAGIC,
        }
    }

    fn device(self, id: MountId) -> (u32, u32) {
        match self {
            MountKind::Disk => (8, 1),
            MountKind::Outside => (8, 16 + u32::from(id.0)),
            _ => (0, 20 + u32::from(id.0)),
        }
    }

    fn source(self) -> &'static str {
        match self {
            MountKind::Disk => "/dev/sda1",
            MountKind::Outside => "/dev/sdb1",
            MountKind::Proc => "proc",
            MountKind::Sys => "sysfs",
            MountKind::Dev => "udev",
            MountKind::Memory => "tmpfs",
        }
    }
}

/// One mount.
#[derive(Clone)]
pub(super) struct Mount {
    pub(super) kind: MountKind,
    /// Its root.
    pub(super) root: Ino,
    /// The directory that its root is an entry of.
    pub(super) parent: Ino,
    /// Where it hangs: an absolute path.
    target: String,
    read_only: bool,
    pages: Usage,
    files: Usage,
}

/// How much of something there may be, and is.
#[derive(Clone, Copy)]
struct Usage {
    most: u64,
    used: u64,
}

/// All mounts of a host.
#[derive(Clone, Default)]
pub(super) struct Mounts {
    list: Vec<Mount>,
}

/// ext4 makes one inode for every 16 KiB of a disk.
const BYTES_PER_FILE: u64 = 16 * 1024;

impl Mounts {
    /// Adds a file system of `capacity` bytes whose root is `root`, an entry of `parent`.
    pub(super) fn add(
        &mut self,
        kind: MountKind,
        target: &str,
        capacity: u64,
        root: Ino,
        parent: Ino,
    ) -> MountId {
        let id = MountId(self.list.len() as u16);
        self.list.push(Mount {
            kind,
            root,
            parent,
            target: String::from(target),
            read_only: matches!(kind, MountKind::Outside | MountKind::Sys),
            pages: Usage { most: capacity / PAGE, used: 0 },
            files: Usage { most: capacity / BYTES_PER_FILE, used: 0 },
        });
        id
    }

    pub(super) fn get(&self, id: MountId) -> &Mount {
        &self.list[usize::from(id.0)]
    }

    pub(super) fn is_disk(&self, id: MountId) -> bool {
        self.get(id).kind == MountKind::Disk
    }

    pub(super) fn is_read_only(&self, id: MountId) -> bool {
        self.get(id).read_only
    }

    /// Remounts a file system (mount(2), MS_REMOUNT) so that it can only be read, or can be written to again.
    pub(super) fn set_access(&mut self, id: MountId, access: MountAccess) {
        self.list[usize::from(id.0)].read_only = access == MountAccess::Read;
    }

    /// Whether a file system is mounted here.
    pub(super) fn is_root(&self, ino: Ino) -> bool {
        self.list.iter().any(|mount| mount.root == ino)
    }

    /// Pages that may still be allocated.
    pub(super) fn free_pages(&self, id: MountId) -> u64 {
        let pages = self.get(id).pages;
        pages.most.saturating_sub(pages.used)
    }

    /// `ENOSPC` unless there is room for another inode and, for directories, its page.
    pub(super) fn room_for_file(&self, id: MountId, pages: u64) -> Result<(), Errno> {
        if self.get(id).read_only {
            // Only its maker fills it, and that was decided elsewhere.
            return Ok(());
        }
        let files = self.get(id).files;
        let room = files.used < files.most && self.free_pages(id) >= pages;
        if room { Ok(()) } else { Err(Errno::ENOSPC) }
    }

    /// Counts pages that an inode has more (or fewer) than before.
    pub(super) fn count_pages(&mut self, id: MountId, before: u64, after: u64) {
        let pages = &mut self.list[usize::from(id.0)].pages;
        pages.used = (pages.used + after).saturating_sub(before);
    }

    /// Counts an inode that was made.
    pub(super) fn count_file(&mut self, id: MountId) {
        self.list[usize::from(id.0)].files.used += 1;
    }

    /// Counts an inode that is gone.
    pub(super) fn uncount_file(&mut self, id: MountId) {
        let files = &mut self.list[usize::from(id.0)].files;
        files.used = files.used.saturating_sub(1);
    }

    /// Says how many pages and inodes are in use.
    pub(super) fn set_used(&mut self, id: MountId, pages: u64, files: u64) {
        let mount = &mut self.list[usize::from(id.0)];
        (mount.pages.used, mount.files.used) = (pages, files);
    }

    /// The device number and the number in /proc/self/mountinfo.
    pub(super) fn identity(&self, id: MountId) -> ((u32, u32), u64) {
        (self.get(id).kind.device(id), 20 + u64::from(id.0))
    }

    /// statfs(2).
    pub(super) fn statfs(&self, id: MountId) -> StatFs {
        let mount = self.get(id);
        let no_suid = libc::ST_NOSUID * u64::from(mount.kind != MountKind::Disk);
        let read_only = libc::ST_RDONLY * u64::from(mount.read_only);
        StatFs {
            magic: mount.kind.magic(),
            block_size: PAGE,
            blocks: mount.pages.most,
            blocks_free: self.free_pages(id),
            files: mount.files.most,
            files_free: mount.files.most.saturating_sub(mount.files.used),
            id: u64::from(id.0) + 1,
            name_max: super::types::NAME_MAX as u64,
            flags: ST_VALID | libc::ST_RELATIME | no_suid | read_only,
        }
    }

    /// The text of /proc/PID/mounts, fstab(5).
    pub(super) fn mounts_text(&self) -> Vec<u8> {
        let mut text = String::new();
        for mount in &self.list {
            text += &format!(
                "{} {} {} {} 0 0\n",
                mount.kind.source(),
                escaped(&mount.target),
                mount.kind.name(),
                mount.options(),
            );
        }
        text.into_bytes()
    }

    /// The text of /proc/PID/mountinfo, proc_pid_mountinfo(5).
    pub(super) fn mountinfo_text(&self) -> Vec<u8> {
        let mut text = String::new();
        for (index, mount) in self.list.iter().enumerate() {
            let ((major, minor), id) = self.identity(MountId(index as u16));
            let parent = if index == 0 { 1 } else { self.parent_of(mount) };
            text += &format!(
                "{id} {parent} {major}:{minor} / {} {} - {} {} {}\n",
                escaped(&mount.target),
                mount.options(),
                mount.kind.name(),
                mount.kind.source(),
                if mount.read_only { "ro" } else { "rw" },
            );
        }
        text.into_bytes()
    }

    /// The number of the mount that `mount` hangs in: the one with the longest path above it.
    fn parent_of(&self, mount: &Mount) -> u64 {
        let above = |other: &Mount| {
            let rest = mount.target.strip_prefix(other.target.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.starts_with('/') && other.target != mount.target)
        };
        let hosts = self.list.iter().enumerate().filter(|(_, other)| above(other));
        let nearest = hosts.max_by_key(|(_, other)| other.target.len());
        20 + nearest.map_or(0, |(index, _)| index as u64)
    }
}

/// The bit by which statfs(2) tells the C library that `f_flags` means something.
const ST_VALID: u64 = 0x0020;

impl Mount {
    fn options(&self) -> &'static str {
        match (self.kind, self.read_only) {
            (MountKind::Disk, _) => "rw,relatime",
            (_, true) => "ro,nosuid,relatime",
            (_, false) => "rw,nosuid,relatime",
        }
    }
}

/// A path as mount tables write it: white space and backslashes in octal.
fn escaped(path: &str) -> String {
    let mut text = String::new();
    for c in path.chars() {
        match c {
            ' ' => text.push_str("\\040"),
            '\t' => text.push_str("\\011"),
            '\n' => text.push_str("\\012"),
            '\\' => text.push_str("\\134"),
            c => text.push(c),
        }
    }
    text
}

impl Fs {
    /// Mounts the real directory (or file) `source` read-only at the absolute path `target`, which
    /// is made if it is not there. What was at `target` is hidden. `now` becomes the time of all its
    /// nodes, which belong to root: real owners and times differ between machines.
    ///
    /// # Errors
    /// What the real path answers, and `ENOTDIR` or `ELOOP` where `target` leads through something
    /// that is no directory.
    pub fn mount(
        &mut self,
        target: &str,
        source: &str,
        now: Realtime,
        outside: &mut dyn Outside,
    ) -> Result<(), Errno> {
        let (above, name) = target.trim_end_matches('/').rsplit_once('/').ok_or(Errno::EINVAL)?;
        let node = outside.look(source)?;
        let parent = self.make_directories(above, now)?;
        let id = self.mount_kind(MountKind::Outside, target, 0, parent, name, now);
        let root = self.mounts.get(id).root;
        let inode = self.nodes.get_mut(root);
        inode.body = Body::Unseen;
        inode.source = Some(Box::new(Source { path: String::from(source), pending: None }));
        self.settle(root, node);
        Ok(())
    }

    /// Hangs an empty file system into `parent`, in the place of whatever has that name.
    pub(super) fn mount_kind(
        &mut self,
        kind: MountKind,
        target: &str,
        capacity: u64,
        parent: Ino,
        name: &str,
        now: Realtime,
    ) -> MountId {
        let by = By { cred: Cred::ROOT, umask: 0, now };
        let root = self.nodes.next();
        let id = self.mounts.add(kind, target, capacity, root, parent);
        let home = Home { parent, name: name.as_bytes().into() };
        let root =
            self.nodes.add(Inode::new(Body::Directory(Directory::new()), 0o755, by, id, home));
        let above = self.nodes.get_mut(parent).directory_mut();
        let hidden = above.get(name.as_bytes());
        above.insert(name.as_bytes(), root);
        let hidden_is_directory = hidden.is_some_and(|ino| self.is_directory(ino));
        if !hidden_is_directory {
            self.nodes.get_mut(parent).nlink += 1;
        }
        id
    }

    /// Fetches what a node of a mounted real directory is, if nobody did before.
    pub(super) fn look(&mut self, ino: Ino, outside: &mut dyn Outside) -> Result<(), Errno> {
        let Some(inode) = self.nodes.find(ino) else { return Ok(()) };
        let (Body::Unseen, Some(source)) = (&inode.body, &inode.source) else { return Ok(()) };
        let node = outside.look(&source.path)?;
        self.settle(ino, node);
        Ok(())
    }

    /// Makes an unseen node what the real one is.
    fn settle(&mut self, ino: Ino, node: OutsideNode) {
        let inode = self.nodes.get_mut(ino);
        match node {
            OutsideNode::File { size, mode } => {
                inode.body = Body::File(Content::default());
                inode.mode = mode & 0o7777;
                if let Some(source) = &mut inode.source {
                    source.pending = Some(size);
                }
            }
            OutsideNode::Symlink(target) => {
                inode.body = Body::Symlink(target.into_bytes().into());
                inode.mode = 0o777;
            }
            OutsideNode::Directory(names) => {
                let path = inode.source.take().map(|source| source.path).unwrap_or_default();
                self.unfold(ino, &path, &names);
            }
        }
    }

    /// Makes the entries of a real directory; each is looked at when it is reached.
    fn unfold(&mut self, ino: Ino, path: &str, names: &[String]) {
        let mount = self.nodes.get(ino).mount;
        let by = By { cred: Cred::ROOT, umask: 0, now: self.nodes.get(ino).btime };
        let mut directory = Directory::new();
        for name in names {
            let home = Home { parent: ino, name: name.as_bytes().into() };
            let mut child = Inode::new(Body::Unseen, 0o444, by, mount, home);
            let path = format!("{}/{name}", path.trim_end_matches('/'));
            child.source = Some(Box::new(Source { path, pending: None }));
            directory.insert(name.as_bytes(), self.nodes.add(child));
        }
        let inode = self.nodes.get_mut(ino);
        inode.body = Body::Directory(directory);
        inode.mode = 0o755;
        inode.nlink = 2;
    }

    /// Fetches the bytes of a file of a mounted real directory, if nobody did before.
    pub(super) fn fetch(&mut self, ino: Ino, outside: &mut dyn Outside) -> Result<(), Errno> {
        let Some(source) = &self.nodes.get(ino).source else { return Ok(()) };
        if source.pending.is_none() {
            return Ok(());
        }
        let bytes = outside.read(&source.path)?;
        let inode = self.nodes.get_mut(ino);
        inode.body = Body::File(Content::from_bytes(&bytes));
        inode.source = None;
        Ok(())
    }

    /// The directory at the absolute path `path`; those that are missing are made, as root. Used to
    /// set a host up, so it does not count as writing to the disk.
    pub(super) fn make_directories(&mut self, path: &str, now: Realtime) -> Result<Ino, Errno> {
        let mut here = Nodes::ROOT;
        let mut links = 0;
        let mut rest: Vec<Cow<'_, [u8]>> = components(path.as_bytes()).map(Cow::Borrowed).collect();
        while let Some(name) = rest.pop() {
            if *name == *b".." {
                here = self.parent(here);
                continue;
            }
            let directory = match &self.nodes.find(here).ok_or(Errno::EROFS)?.body {
                Body::Directory(directory) => directory,
                _ => return Err(Errno::ENOTDIR),
            };
            match directory.get(&name) {
                None => {
                    here = self.plant(here, &name, Body::Directory(Directory::new()), 0o755, now)?
                }
                Some(ino) => match self.nodes.find(ino).map(|inode| &inode.body) {
                    Some(Body::Symlink(target)) => {
                        links += 1;
                        if links > super::types::LINKS_MAX {
                            return Err(Errno::ELOOP);
                        }
                        if target.starts_with(b"/") {
                            here = Nodes::ROOT;
                        }
                        rest.extend(components(target).map(|name| Cow::Owned(name.to_vec())));
                    }
                    _ => here = ino,
                },
            }
        }
        if self.is_directory(here) { Ok(here) } else { Err(Errno::ENOTDIR) }
    }
}

/// The names of a path, last one first; `.` and empty ones left out.
fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let names = path.split(|b| *b == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.rev()
}
