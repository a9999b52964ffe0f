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
/// A copy shares the nodes until one of the two changes them: every run begins with a copy of the same disks. Numbers are not
/// used again, and those of nodes that have gone cost nothing: a program may make very many files.
#[derive(Clone, Default)]
pub(super) struct Nodes {
    /// The nodes whose positions, which are their numbers without [`FIRST`], are the same but for the last six bits.
    groups: BTreeMap<u64, Box<Group>>,
    /// The position of the next node.
    next: u64,
}

/// Nodes with adjacent numbers.
type Group = [Option<Rc<Inode>>; GROUP as usize];

/// Positions of a group.
const GROUP: u64 = 64;

/// The number of the first inode, which is the root directory's: 2, as on ext4.
const FIRST: u64 = 2;

impl Nodes {
    /// The root directory.
    pub(super) const ROOT: Ino = Ino(FIRST);

    /// The number that the next node will get.
    pub(super) fn next(&self) -> Ino {
        Ino(self.next + FIRST)
    }

    /// Keeps `inode` under a new number.
    pub(super) fn add(&mut self, inode: Inode) -> Ino {
        let ino = self.next();
        self.put(ino, inode);
        ino
    }

    /// The node, unless it is gone or not in the table.
    pub(super) fn find(&self, ino: Ino) -> Option<&Inode> {
        let (group, place) = position(ino);
        self.groups.get(&group)?[place].as_deref()
    }

    /// The node. It is our mistake to ask for one that nobody kept.
    pub(super) fn get(&self, ino: Ino) -> &Inode {
        self.find(ino).unwrap_or_else(|| panic!("inode {} is gone", ino.0))
    }

    /// The node, to be changed.
    pub(super) fn get_mut(&mut self, ino: Ino) -> &mut Inode {
        let (group, place) = position(ino);
        let slot = self.groups.get_mut(&group).and_then(|group| group[place].as_mut());
        slot.map_or_else(|| panic!("inode {} is gone", ino.0), Rc::make_mut)
    }

    /// Forgets the node and gives it back.
    pub(super) fn remove(&mut self, ino: Ino) -> Inode {
        let (number, place) = position(ino);
        let group = self.groups.get_mut(&number);
        let Some((group, inode)) = group.and_then(|group| {
            let inode = group[place].take()?;
            Some((group, inode))
        }) else {
            panic!("inode {} is gone already", ino.0)
        };
        if group.iter().all(Option::is_none) {
            self.groups.remove(&number);
        }
        Rc::unwrap_or_clone(inode)
    }

    /// Keeps `inode` under a number that is free.
    pub(super) fn put(&mut self, ino: Ino, inode: Inode) {
        self.skip_to(Ino(ino.0 + 1));
        let (group, place) = position(ino);
        let empty = || Box::new([const { None }; GROUP as usize]);
        self.groups.entry(group).or_insert_with(empty)[place] = Some(Rc::new(inode));
    }

    /// Gives no number below `next` to a node any more.
    pub(super) fn skip_to(&mut self, next: Ino) {
        self.next = self.next.max(next.0.saturating_sub(FIRST));
    }

    /// The numbers of all nodes that there are.
    pub(super) fn numbers(&self) -> Vec<Ino> {
        let nodes = self.groups.iter().flat_map(|(group, nodes)| {
            let first = group * GROUP + FIRST;
            (first..).zip(&**nodes).filter(|(_, slot)| slot.is_some())
        });
        nodes.map(|(number, _)| Ino(number)).collect()
    }

    /// All nodes that there are.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Inode> {
        let slots = self.groups.values_mut().flat_map(|group| &mut **group);
        slots.filter_map(|slot| slot.as_mut().map(Rc::make_mut))
    }

    /// Groups for which there is memory.
    #[cfg(test)]
    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }
}

/// The group of a number, and its place there.
fn position(ino: Ino) -> (u64, usize) {
    let position = ino.0.wrapping_sub(FIRST);
    (position / GROUP, (position % GROUP) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::types::Cred;

    fn node(mode: u32) -> Inode {
        let by = By { cred: Cred { uid: 0, gid: 0 }, umask: 0, now: Realtime(0) };
        let home = Home { parent: Nodes::ROOT, name: [].into() };
        Inode::new(Body::Fifo(0), mode, by, MountId::DISK, home)
    }

    #[test]
    fn numbers_go_up_and_nodes_that_have_gone_cost_nothing() {
        let mut nodes = Nodes::default();
        for number in 0..10 {
            assert_eq!(nodes.add(node(number)), Ino(FIRST + u64::from(number)));
        }
        for _ in 0..10_000 {
            let made = nodes.add(node(99));
            assert_eq!(nodes.remove(made).mode, 99);
        }
        assert_eq!(nodes.next(), Ino(FIRST + 10_010));
        assert!(nodes.groups() <= 2, "{}", nodes.groups());
        let late = nodes.add(node(77));
        nodes.get_mut(late).mode += 1;
        assert_eq!(nodes.get(late).mode, 78);
        let there: Vec<u64> = nodes.numbers().into_iter().map(|ino| ino.0).collect();
        assert_eq!(there, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 10_012]);
        let modes: Vec<u32> = nodes.iter_mut().map(|inode| inode.mode).collect();
        assert_eq!(modes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 78]);
        for absent in [0, 1, 12, 10_011, 10_013, u64::MAX] {
            assert!(nodes.find(Ino(absent)).is_none(), "{absent}");
        }
    }

    #[test]
    fn a_number_may_be_taken_and_others_skipped() {
        let mut nodes = Nodes::default();
        nodes.put(Ino(200), node(1));
        nodes.put(Ino(200), node(2));
        nodes.skip_to(Ino(100));
        assert_eq!(nodes.next(), Ino(201));
        nodes.skip_to(Ino(500));
        assert_eq!(nodes.add(node(3)), Ino(500));
        assert_eq!(nodes.remove(Ino(200)).mode, 2);
        assert_eq!(nodes.numbers(), [Ino(500)]);
        let copy = nodes.clone();
        nodes.get_mut(Ino(500)).mode = 4;
        assert_eq!((nodes.get(Ino(500)).mode, copy.get(Ino(500)).mode), (4, 3));
    }
}
