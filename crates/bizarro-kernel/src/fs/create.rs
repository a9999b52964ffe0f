//! Making names: mkdir(2), mknod(2), symlink(2), link(2).

use alloc::boxed::Box;

use super::directory::Directory;
use super::inode::{Body, Home, Inode};
use super::path::{LastKind, Walk};
use super::types::{At, By, Caller, Cred, FileType, Found, Ino, LINK_MAX, Realtime, Special};
use super::{Change, Fs};
use crate::errno::Errno;

/// A name in a directory that is free.
pub(super) struct Place {
    pub(super) directory: Ino,
    pub(super) name: Box<[u8]>,
}

impl Fs {
    /// mkdir(2). Gives the directory.
    ///
    /// # Errors
    /// mkdir(2)'s.
    pub fn mkdir(&mut self, caller: &mut Caller<'_>, at: At<'_>, mode: u32) -> Result<Ino, Errno> {
        let place = self.free_place(caller, at, Wants::Directory)?;
        let by = caller.by;
        self.may_create(by.cred, place.directory)?;
        if self.nodes.get(place.directory).nlink >= LINK_MAX {
            return Err(Errno::EMLINK);
        }
        self.make(by, &place, Body::Directory(Directory::new()), mode & 0o1777)
    }

    /// mknod(2), and the node that bind(2) of a Unix socket makes. Gives the node.
    ///
    /// # Errors
    /// mknod(2)'s; bind(2) says `EADDRINUSE` where this says `EEXIST`.
    pub fn mknod(
        &mut self,
        caller: &mut Caller<'_>,
        at: At<'_>,
        special: Special,
        mode: u32,
    ) -> Result<Ino, Errno> {
        let place = self.free_place(caller, at, Wants::Other)?;
        let by = caller.by;
        self.may_create(by.cred, place.directory)?;
        if matches!(special, Special::Device(_)) && !by.cred.is_root() {
            return Err(Errno::EPERM);
        }
        let body = match special {
            Special::Regular => Body::File(Default::default()),
            Special::Fifo(id) => Body::Fifo(id),
            Special::Socket(id) => Body::Socket(id),
            Special::Device(device) => Body::Device(device),
        };
        self.make(by, &place, body, mode & 0o7777)
    }

    /// symlink(2): makes a link at `at` that says `target`.
    ///
    /// # Errors
    /// symlink(2)'s.
    pub fn symlink(
        &mut self,
        caller: &mut Caller<'_>,
        target: &[u8],
        at: At<'_>,
    ) -> Result<Ino, Errno> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if target.len() >= super::types::PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let place = self.free_place(caller, at, Wants::Other)?;
        self.may_create(caller.by.cred, place.directory)?;
        let by = By { umask: 0, ..caller.by };
        self.make(by, &place, Body::Symlink(target.into()), 0o777)
    }

    /// linkat(2), for a node that was resolved (with or without [`super::Lookup::FOLLOW`], as its flags
    /// say): gives it another name.
    ///
    /// # Errors
    /// link(2)'s. `EXDEV` for what has no node.
    pub fn link(&mut self, caller: &mut Caller<'_>, from: Found, at: At<'_>) -> Result<(), Errno> {
        let place = self.free_place(caller, at, Wants::Other)?;
        let Found::Node(ino) = from else { return Err(Errno::EXDEV) };
        let directory = place.directory;
        if self.mount_of(ino) != self.mount_of(directory) {
            return Err(Errno::EXDEV);
        }
        self.may_create(caller.by.cred, directory)?;
        let inode = self.nodes.get(ino);
        if inode.is_directory() {
            return Err(Errno::EPERM);
        }
        if inode.nlink == 0 && !inode.linkable {
            return Err(Errno::ENOENT);
        }
        if inode.nlink >= LINK_MAX {
            return Err(Errno::EMLINK);
        }
        self.change(inode.mount, Change::Create)?;
        self.add_link(ino, &place, caller.by.now);
        Ok(())
    }

    fn add_link(&mut self, ino: Ino, place: &Place, now: Realtime) {
        self.name_changes(place.directory, &place.name, None);
        let directory = self.nodes.get_mut(place.directory);
        directory.directory_mut().insert(&place.name, ino);
        directory.modified(now);
        let inode = self.nodes.get_mut(ino);
        inode.nlink += 1;
        inode.ctime = now;
        if inode.nlink == 1 {
            inode.linkable = false;
            self.set_home(ino, place.directory, &place.name);
        }
        self.content_changed(place.directory);
        self.attributes_changed(ino);
    }

    /// Resolves all of a path but its last name, which must be free: Linux's `filename_create`.
    fn free_place(
        &mut self,
        caller: &mut Caller<'_>,
        at: At<'_>,
        wants: Wants,
    ) -> Result<Place, Errno> {
        let mut walk = Walk::new(at)?;
        let last = walk.go_to_last(self, caller)?;
        if last.kind != LastKind::Name {
            return Err(Errno::EEXIST);
        }
        let name = walk.name(&last);
        if self.child(caller, walk.here, name)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if last.slash && wants == Wants::Other {
            return Err(Errno::ENOENT);
        }
        self.writable(walk.here)?;
        Ok(Place { directory: walk.here, name: name.into() })
    }

    /// Makes a node at a free place, when only the disk can still say no.
    pub(super) fn make(
        &mut self,
        by: By,
        place: &Place,
        body: Body,
        mode: u32,
    ) -> Result<Ino, Errno> {
        let mount = self.nodes.get(place.directory).mount;
        let is_directory = matches!(body, Body::Directory(_));
        self.mounts.room_for_file(mount, u64::from(is_directory))?;
        self.change(mount, Change::Create)?;
        let home = Home { parent: place.directory, name: place.name.clone() };
        let mut inode = Inode::new(body, mode & !by.umask, by, mount, home);
        self.inherit_group(&mut inode, place.directory, by.cred);
        let ino = self.add_node(inode);
        self.name_changes(place.directory, &place.name, None);
        let directory = self.nodes.get_mut(place.directory);
        directory.directory_mut().insert(&place.name, ino);
        directory.modified(by.now);
        if is_directory {
            directory.nlink += 1;
        }
        self.content_changed(place.directory);
        self.content_changed(ino);
        self.attributes_changed(ino);
        Ok(ino)
    }

    /// In a set-group-ID directory new nodes get its group, and new directories the bit: inode(7).
    pub(super) fn inherit_group(&self, inode: &mut Inode, directory: Ino, cred: Cred) {
        let above = self.nodes.get(directory);
        if above.mode & libc::S_ISGID == 0 {
            return;
        }
        inode.gid = above.gid;
        let both = libc::S_ISGID | libc::S_IXGRP;
        if inode.file_type() == FileType::Directory {
            inode.mode |= libc::S_ISGID;
        } else if inode.mode & both == both && cred.gid != above.gid && !cred.is_root() {
            inode.mode &= !libc::S_ISGID;
        }
    }

    /// Puts a node into a directory while a host is being set up: by root, counting nothing as a
    /// write, and durable from the start.
    pub(super) fn plant(
        &mut self,
        directory: Ino,
        name: &[u8],
        body: Body,
        mode: u32,
        now: Realtime,
    ) -> Result<Ino, Errno> {
        if name.len() > super::types::NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let by = By { cred: Cred::ROOT, umask: 0, now };
        let mount = self.nodes.get(directory).mount;
        if let Body::File(content) = &body {
            let pages = content.pages();
            self.mounts.room_for_file(mount, pages)?;
            self.mounts.count_pages(mount, 0, pages);
        }
        let home = Home { parent: directory, name: name.into() };
        let ino = self.add_node(Inode::new(body, mode, by, mount, home));
        let is_directory = self.nodes.get(ino).is_directory();
        let above = self.nodes.get_mut(directory);
        above.directory_mut().insert(name, ino);
        above.nlink += u32::from(is_directory);
        Ok(ino)
    }
}

/// What a call that makes a name makes: only a directory may be named with a slash at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Directory,
    Other,
}
