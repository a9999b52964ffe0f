//! Inodes and the table that holds them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::content::Content;
use super::devfs::Device;
use super::directory::Directory;
use super::journal::Mark;
use super::mount::MountId;
use super::procfs::ProcNode;
use super::types::{By, FileType, Ino, Kind, Realtime};

/// What an inode is, and what it holds.
#[derive(Clone)]
pub(super) enum Body {
    File(Content),
    Directory(Directory),
    Symlink(Box<[u8]>),
    Fifo(u64),
    Socket(u64),
    Device(Device),
    /// An opened file of /proc and its text.
    Proc(ProcNode, Vec<u8>),
    /// A node of a mounted real directory at which nobody has looked yet.
    Unseen,
}

/// What is still outside of a node of a mounted real directory.
#[derive(Clone)]
pub(super) struct Source {
    /// The real path.
    pub(super) path: String,
    /// The size of a file whose bytes were not fetched yet.
    pub(super) pending: Option<u64>,
}

/// Where a node is found: the directory and the name under which it was last reached.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) parent: Ino,
    pub(super) name: Box<[u8]>,
}

/// One node.
#[derive(Clone)]
pub(super) struct Inode {
    pub(super) body: Body,
    /// Permission bits, set-id bits and the sticky bit: `07777`.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) nlink: u32,
    /// Descriptors, working directories and mappings that keep it alive without a name.
    pub(super) opens: u32,
    pub(super) mount: MountId,
    pub(super) home: Home,
    /// The home's directory is retained, because nothing else keeps the way to it.
    pub(super) holds_parent: bool,
    /// Made by O_TMPFILE without O_EXCL: linkat(2) may give it a name although it has none.
    pub(super) linkable: bool,
    pub(super) atime: Realtime,
    pub(super) mtime: Realtime,
    pub(super) ctime: Realtime,
    pub(super) btime: Realtime,
    pub(super) xattrs: BTreeMap<Box<[u8]>, Box<[u8]>>,
    pub(super) source: Option<Box<Source>>,
    pub(super) mark: Mark,
}

impl Inode {
    /// A node that `by` makes in `parent`; `mode` is taken as it is. It has one link (a directory
    /// two).
    pub(super) fn new(body: Body, mode: u32, by: By, mount: MountId, home: Home) -> Inode {
        let nlink = if matches!(body, Body::Directory(_)) { 2 } else { 1 };
        Inode {
            body,
            mode,
            uid: by.cred.uid,
            gid: by.cred.gid,
            nlink,
            opens: 0,
            mount,
            home,
            holds_parent: false,
            linkable: false,
            atime: by.now,
            mtime: by.now,
            ctime: by.now,
            btime: by.now,
            xattrs: BTreeMap::new(),
            source: None,
            mark: Mark::default(),
        }
    }

    pub(super) fn file_type(&self) -> FileType {
        match self.body {
            Body::File(_) | Body::Proc(..) | Body::Unseen => FileType::Regular,
            Body::Directory(_) => FileType::Directory,
            Body::Symlink(_) => FileType::Symlink,
            Body::Fifo(_) => FileType::Fifo,
            Body::Socket(_) => FileType::Socket,
            Body::Device(_) => FileType::CharDevice,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.body {
            Body::File(_) | Body::Unseen => Kind::Regular,
            Body::Directory(_) => Kind::Directory,
            Body::Symlink(_) => Kind::Symlink,
            Body::Fifo(id) => Kind::Fifo(id),
            Body::Socket(id) => Kind::Socket(id),
            Body::Device(device) => Kind::Device(device),
            Body::Proc(node, _) => Kind::Proc(node),
        }
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.body, Body::File(_))
    }

    /// The entries; it is our mistake to ask anything but a directory.
    pub(super) fn directory(&self) -> &Directory {
        match &self.body {
            Body::Directory(directory) => directory,
            _ => panic!("the entries of a node that is not a directory were asked for"),
        }
    }

    /// The entries, to be changed.
    pub(super) fn directory_mut(&mut self) -> &mut Directory {
        match &mut self.body {
            Body::Directory(directory) => directory,
            _ => panic!("the entries of a node that is not a directory were to be changed"),
        }
    }

    /// Content and inode changed: mtime and ctime.
    pub(super) fn modified(&mut self, now: Realtime) {
        self.mtime = now;
        self.ctime = now;
    }
}

/// All inodes of a host, by number.
///
/// A copy shares the nodes until one of the two changes them: every run begins with a copy of the same disks.
#[derive(Clone, Default)]
pub(super) struct Nodes {
    /// A number is a position plus [`FIRST`]; freed positions stay empty, which costs eight bytes each.
    table: Vec<Option<Rc<Inode>>>,
}

/// The number of the first inode, which is the root directory's: 2, as on ext4.
const FIRST: u64 = 2;

impl Nodes {
    /// The root directory.
    pub(super) const ROOT: Ino = Ino(FIRST);

    /// The number that the next node will get.
    pub(super) fn next(&self) -> Ino {
        Ino(self.table.len() as u64 + FIRST)
    }

    /// Keeps `inode` under a new number.
    pub(super) fn add(&mut self, inode: Inode) -> Ino {
        let ino = self.next();
        self.table.push(Some(Rc::new(inode)));
        ino
    }

    /// The node, unless it is gone or not in the table.
    pub(super) fn find(&self, ino: Ino) -> Option<&Inode> {
        self.table.get(index(ino))?.as_deref()
    }

    /// The node. It is our mistake to ask for one that nobody kept.
    pub(super) fn get(&self, ino: Ino) -> &Inode {
        self.find(ino).unwrap_or_else(|| panic!("inode {} is gone", ino.0))
    }

    /// The node, to be changed.
    pub(super) fn get_mut(&mut self, ino: Ino) -> &mut Inode {
        match self.table.get_mut(index(ino)) {
            Some(Some(inode)) => Rc::make_mut(inode),
            _ => panic!("inode {} is gone", ino.0),
        }
    }

    /// Forgets the node and gives it back.
    pub(super) fn remove(&mut self, ino: Ino) -> Inode {
        match self.table[index(ino)].take() {
            Some(inode) => Rc::unwrap_or_clone(inode),
            None => panic!("inode {} is gone already", ino.0),
        }
    }

    /// Keeps `inode` under a number that is free.
    pub(super) fn put(&mut self, ino: Ino, inode: Inode) {
        self.skip_to(Ino(ino.0 + 1));
        self.table[index(ino)] = Some(Rc::new(inode));
    }

    /// Gives no number below `next` to a node any more.
    pub(super) fn skip_to(&mut self, next: Ino) {
        let length = self.table.len().max(index(next));
        self.table.resize(length, None);
    }

    /// The numbers of all nodes that there are.
    pub(super) fn numbers(&self) -> Vec<Ino> {
        let there = (FIRST..).zip(&self.table).filter(|(_, slot)| slot.is_some());
        there.map(|(number, _)| Ino(number)).collect()
    }

    /// All nodes that there are.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Inode> {
        self.table.iter_mut().filter_map(|slot| slot.as_mut().map(Rc::make_mut))
    }
}

fn index(ino: Ino) -> usize {
    usize::try_from(ino.0.wrapping_sub(FIRST)).unwrap_or(usize::MAX)
}
