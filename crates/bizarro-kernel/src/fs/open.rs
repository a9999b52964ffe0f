//! open(2): what may be opened, made and emptied.

use alloc::vec::Vec;

use super::create::Place;
use super::inode::{Body, Home, Inode};
use super::path::{LastKind, Walk};
use super::procfs::{ProcEntry, ProcNode};
use super::types::{Access, At, By, Caller, FileType, Found, Ino, Kind, Lookup, OpenFlags, Opened};
use super::{Change, Fs};
use crate::errno::Errno;

impl Fs {
    /// open(2): leads to a node that is retained for the caller. Flags that only concern the
    /// descriptor (`O_CLOEXEC`, `O_NONBLOCK`, …) are ignored; blocking on a FIFO is the caller's.
    ///
    /// # Errors
    /// open(2)'s. `ENXIO` for sockets and /dev/tty.
    pub fn open(
        &mut self,
        caller: &mut Caller<'_>,
        at: At<'_>,
        flags: OpenFlags,
        mode: u32,
    ) -> Result<Opened, Errno> {
        let flags = checked(flags)?;
        if flags.contains(OpenFlags::TEMPORARY) {
            return self.open_temporary(caller, at, flags, mode);
        }
        if !flags.contains(OpenFlags::CREATE) {
            let mut lookup = Lookup::empty();
            lookup.set(Lookup::FOLLOW, !flags.contains(OpenFlags::NO_FOLLOW));
            lookup.set(Lookup::DIRECTORY, flags.contains(OpenFlags::DIRECTORY));
            let end = self.walk_to(caller, at, lookup)?;
            if let (Found::Node(ino), LastKind::Name) = (end.found, end.last.kind) {
                self.reached(ino, end.walk.here, end.walk.name(&end.last));
            }
            return self.open_found(caller, end.found, flags);
        }
        self.open_or_create(caller, at, flags, mode)
    }

    /// Reads the text of an opened file of /proc again, as Linux does when it is read from its
    /// start. Other nodes are left alone.
    pub fn refresh(&mut self, caller: &mut Caller<'_>, ino: Ino) -> Result<(), Errno> {
        if ProcNode::from_ino(ino).is_some() {
            return Ok(());
        }
        if let Body::Proc(node, _) = self.nodes.get(ino).body {
            let text = self.proc_text(caller, node)?;
            self.nodes.get_mut(ino).body = Body::Proc(node, text);
        }
        Ok(())
    }

    /// A file with several names is known under the one that it was opened by.
    fn reached(&mut self, ino: Ino, directory: Ino, name: &[u8]) {
        if ProcNode::from_ino(ino).is_none() && self.nodes.get(ino).nlink > 1 {
            self.set_home(ino, directory, name);
        }
    }

    fn open_or_create(
        &mut self,
        caller: &mut Caller<'_>,
        at: At<'_>,
        flags: OpenFlags,
        mode: u32,
    ) -> Result<Opened, Errno> {
        let exclusive = flags.contains(OpenFlags::EXCLUSIVE);
        let mut walk = Walk::new(at)?;
        let found = loop {
            let last = walk.go_to_last(self, caller)?;
            if last.kind != LastKind::Name {
                break walk.standing(self, last.kind);
            }
            if last.slash {
                return Err(Errno::EISDIR);
            }
            let name = walk.name(&last);
            let Some(child) = self.child(caller, walk.here, name)? else {
                return self.create_opened(caller.by, walk.here, name, mode);
            };
            let follow = !exclusive && !flags.contains(OpenFlags::NO_FOLLOW);
            if follow && self.file_type(child) == FileType::Symlink {
                walk.follow_last(self, caller, child, &last)?;
                continue;
            }
            self.reached(child, walk.here, walk.name(&last));
            break Found::Node(child);
        };
        if exclusive {
            return Err(Errno::EEXIST);
        }
        match found {
            Found::Node(ino) if self.is_directory(ino) => Err(Errno::EISDIR),
            found => self.open_found(caller, found, flags),
        }
    }

    fn create_opened(
        &mut self,
        by: By,
        directory: Ino,
        name: &[u8],
        mode: u32,
    ) -> Result<Opened, Errno> {
        self.writable(directory)?;
        self.may_create(by.cred, directory)?;
        let place = Place { directory, name: name.into() };
        let ino = self.make(by, &place, Body::File(Default::default()), mode & 0o7777)?;
        self.retain(ino);
        Ok(Opened::Node { ino, created: true })
    }

    /// O_TMPFILE: a file without a name in the directory that the path leads to.
    fn open_temporary(
        &mut self,
        caller: &mut Caller<'_>,
        at: At<'_>,
        flags: OpenFlags,
        mode: u32,
    ) -> Result<Opened, Errno> {
        let mut lookup = Lookup::DIRECTORY;
        lookup.set(Lookup::FOLLOW, !flags.contains(OpenFlags::NO_FOLLOW));
        let Found::Node(directory) = self.resolve(caller, at, lookup)? else {
            return Err(Errno::ENOTDIR);
        };
        let by = caller.by;
        self.writable(directory)?;
        self.permit(by.cred, directory, Access::WRITE | Access::EXECUTE)?;
        self.not_proc(directory).map_err(|_| Errno::EOPNOTSUPP)?;
        if self.is_dead(directory) {
            // LINUX: ext4 refuses to make nodes in what is being removed.
            return Err(Errno::EPERM);
        }
        let mount = self.mount_of(directory);
        self.mounts.room_for_file(mount, 0)?;
        self.change(mount, Change::Create)?;
        let name = alloc::format!("#{}", self.nodes.next().0).into_bytes();
        let home = Home { parent: directory, name: name.into() };
        let mode = mode & 0o7777 & !by.umask;
        let mut inode = Inode::new(Body::File(Default::default()), mode, by, mount, home);
        inode.nlink = 0;
        inode.linkable = !flags.contains(OpenFlags::EXCLUSIVE);
        inode.opens = 1;
        self.inherit_group(&mut inode, directory, by.cred);
        let ino = self.add_node(inode);
        self.content_changed(ino);
        self.attributes_changed(ino);
        self.lost_its_name(ino);
        Ok(Opened::Node { ino, created: true })
    }

    /// Opens what is there.
    fn open_found(
        &mut self,
        caller: &mut Caller<'_>,
        found: Found,
        flags: OpenFlags,
    ) -> Result<Opened, Errno> {
        let ino = match found {
            Found::Foreign { pid, fd } => return Ok(Opened::Foreign { pid, fd }),
            Found::Node(ino) => ino,
        };
        if flags.contains(OpenFlags::PATH) {
            self.retain(ino);
            return Ok(Opened::Node { ino, created: false });
        }
        self.may_open(caller.by, ino, flags)?;
        let ino = match self.kind(ino) {
            Kind::Socket(_) => return Err(Errno::ENXIO),
            Kind::Device(device) => device.open().map(|()| ino)?,
            Kind::Proc(_) => self.open_proc(caller, ino)?,
            Kind::Regular => {
                self.fetch(ino, caller.outside)?;
                if flags.contains(OpenFlags::TRUNCATE) {
                    self.resize(caller.by, ino, 0)?;
                }
                ino
            }
            _ => ino,
        };
        self.retain(ino);
        Ok(Opened::Node { ino, created: false })
    }

    /// Linux's `may_open`.
    fn may_open(&self, by: By, ino: Ino, flags: OpenFlags) -> Result<(), Errno> {
        let access = wanted(flags);
        match self.file_type(ino) {
            FileType::Symlink => return Err(Errno::ELOOP),
            FileType::Directory if access.contains(Access::WRITE) => return Err(Errno::EISDIR),
            _ => {}
        }
        self.permit(by.cred, ino, access)?;
        if flags.contains(OpenFlags::NO_ACCESS_TIME) && !self.owns(by.cred, ino) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// A file of /proc gets a node of its own when it is opened, to hold its text.
    fn open_proc(&mut self, caller: &mut Caller<'_>, ino: Ino) -> Result<Ino, Errno> {
        let node = match (ProcNode::from_ino(ino), &self.nodes.find(ino).map(|i| &i.body)) {
            (Some(node), _) => node,
            (None, Some(Body::Proc(node, _))) => *node,
            _ => return Err(Errno::ENOENT),
        };
        let text = self.proc_text(caller, node)?;
        let home = Home { parent: node.parent().ino(), name: [].into() };
        let mount = super::MountId::PROC;
        let by = By { cred: super::procfs::OWNER, ..caller.by };
        let mut inode = Inode::new(Body::Proc(node, text), node.mode(), by, mount, home);
        inode.nlink = 0;
        Ok(self.nodes.add(inode))
    }

    fn proc_text(&self, caller: &mut Caller<'_>, node: ProcNode) -> Result<Vec<u8>, Errno> {
        match node.entry {
            ProcEntry::Maps => Ok(self.maps_text(&caller.outside.mappings()?)),
            ProcEntry::Mounts => Ok(self.mounts.mounts_text()),
            ProcEntry::MountInfo => Ok(self.mounts.mountinfo_text()),
            _ => caller.proc.content(&node),
        }
    }
}

/// The flags with what they imply, or `EINVAL`.
fn checked(flags: OpenFlags) -> Result<OpenFlags, Errno> {
    if flags.contains(OpenFlags::PATH) {
        let kept = OpenFlags::DIRECTORY | OpenFlags::NO_FOLLOW | OpenFlags::PATH;
        return Ok(flags & kept);
    }
    if flags.contains(OpenFlags::CREATE | OpenFlags::DIRECTORY) {
        return Err(Errno::EINVAL);
    }
    if flags.contains(OpenFlags::TEMPORARY) {
        return if wanted(flags).contains(Access::WRITE) { Ok(flags) } else { Err(Errno::EINVAL) };
    }
    if flags.bits() & (libc::O_TMPFILE & !libc::O_DIRECTORY) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(flags)
}

/// What the flags want to do with the content. Access mode 3 wants both and gives neither.
fn wanted(flags: OpenFlags) -> Access {
    let mut access = match flags.bits() & libc::O_ACCMODE {
        libc::O_RDONLY => Access::READ,
        libc::O_WRONLY => Access::WRITE,
        _ => Access::READ | Access::WRITE,
    };
    if flags.contains(OpenFlags::TRUNCATE) {
        access |= Access::WRITE;
    }
    access
}
