//! /proc: which nodes there are, and how a path leads to them.
//!
//! A node of /proc is not stored: its [`ProcNode`] *is* its inode number, read backwards. What a
//! node shows comes from the kernel through [`Proc`] when it is opened; [`text`] has the formats.

mod facts;
mod host_text;
mod process_text;
mod table;

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

pub use facts::{
    HostFacts, IoFacts, LimitFacts, MapFacts, ProcFacts, ProcessFacts, SignalFacts, TaskFacts, text,
};
pub(super) use process_text::maps;
pub use table::ProcEntry;

use super::types::{Cred, FileType, Ino};
use crate::errno::Errno;
use table::Row;

/// What a symbolic link of /proc points to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProcLink {
    /// A node of the file system. Following it leads there even if it has no path any more.
    Node(Ino),
    /// A path, resolved as any link's text.
    Path(Vec<u8>),
    /// What has no node: `pipe:[17]`, `socket:[4]`, `anon_inode:[eventpoll]`.
    Foreign(Vec<u8>),
}

/// What the kernel supplies for /proc.
///
/// Processes are named by pid; where a pid is a thread's that leads no process, Linux shows that
/// thread's process, and so should this.
pub trait Proc {
    /// The calling task: pid of its process, and tid.
    fn current(&self) -> (u32, u32);
    /// All processes, in increasing order.
    fn pids(&self) -> Vec<u32>;
    /// The tasks of a process, in increasing order; `None` if there is no such process.
    fn tids(&self, pid: u32) -> Option<Vec<u32>>;
    /// The open descriptors of a process, in increasing order; `None` if there is no such process.
    fn fds(&self, pid: u32) -> Option<Vec<u32>>;
    /// What `exe`, `cwd`, `root` or `fd/N` points to.
    fn link(&self, node: &ProcNode) -> Result<ProcLink, Errno>;
    /// The text of a file. `mounts` and `mountinfo` are never asked for.
    fn content(&self, node: &ProcNode) -> Result<Vec<u8>, Errno>;
}

/// A node of /proc.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProcNode {
    /// What it shows.
    pub entry: ProcEntry,
    /// Of which process; 0 for what belongs to the host.
    pub pid: u32,
    /// Of which task or descriptor, where the entry is about one; else 0.
    pub arg: u32,
}

/// Set in the inode numbers of /proc, and of nothing else. All of them fit 53 bits, so that a
/// program which keeps numbers as doubles keeps these.
const PROC: u64 = 1 << 52;
const ENTRY_SHIFT: u32 = 44;
const ARG_SHIFT: u32 = 22;
/// pids and descriptors are smaller than this: Linux's `PID_MAX_LIMIT`.
const NUMBERS: u64 = 1 << 22;

impl ProcNode {
    /// /proc itself.
    pub const ROOT: ProcNode = ProcNode { entry: ProcEntry::Root, pid: 0, arg: 0 };

    /// Its inode number.
    pub fn ino(self) -> Ino {
        let (pid, arg) = (u64::from(self.pid), u64::from(self.arg));
        assert!(pid < NUMBERS && arg < NUMBERS, "{self:?} has no inode number");
        Ino(PROC | (self.entry as u64) << ENTRY_SHIFT | arg << ARG_SHIFT | pid)
    }

    /// The node with that number, if it is one of /proc.
    pub fn from_ino(ino: Ino) -> Option<ProcNode> {
        if ino.0 & PROC == 0 {
            return None;
        }
        let row = table::ROWS.get((ino.0 >> ENTRY_SHIFT & 0xff) as usize)?;
        let arg = (ino.0 >> ARG_SHIFT & (NUMBERS - 1)) as u32;
        Some(ProcNode { entry: row.entry, pid: (ino.0 & (NUMBERS - 1)) as u32, arg })
    }

    /// Type of the node.
    pub fn file_type(self) -> FileType {
        self.row().kind
    }

    /// Permission bits.
    pub fn mode(self) -> u32 {
        self.row().mode
    }

    fn row(self) -> &'static Row {
        &table::ROWS[self.entry as usize]
    }

    /// The directory that it is in; /proc is its own.
    pub(super) fn parent(self) -> ProcNode {
        let entry = self.row().parent;
        let arg = if entry == ProcEntry::Task { self.arg } else { 0 };
        let pid = if entry == ProcEntry::Root { 0 } else { self.pid };
        ProcNode { entry, pid, arg }
    }

    /// Its path, from `/proc` on.
    pub(super) fn path(self) -> Vec<u8> {
        if self == ProcNode::ROOT {
            return b"/proc".to_vec();
        }
        let mut path = self.parent().path();
        path.push(b'/');
        match self.entry {
            ProcEntry::Process => path.extend(self.pid.to_string().bytes()),
            ProcEntry::Task | ProcEntry::Fd | ProcEntry::FdInfo => {
                path.extend(self.arg.to_string().bytes());
            }
            _ => path.extend(self.row().name.bytes()),
        }
        path
    }

    /// Hard links: a directory has one for each directory in it.
    ///
    /// DIVERGENCE: processes and tasks, which Linux counts in /proc and `task`, are not counted.
    pub(super) fn nlink(self) -> u32 {
        if self.file_type() != FileType::Directory {
            return 1;
        }
        let inside = |row: &&Row| row.parent == self.entry && row.entry != self.entry;
        let named = table::ROWS.iter().filter(inside).filter(|row| !row.name.is_empty());
        2 + named.filter(|row| row.kind == FileType::Directory).count() as u32
    }

    /// The node that `name` is in this directory.
    pub(super) fn child(self, name: &[u8], proc: &dyn Proc) -> Option<ProcNode> {
        if !self.exists(proc) {
            return None;
        }
        let rows = table::ROWS.iter().filter(|row| row.parent == self.entry);
        let fixed = rows.clone().find(|row| !row.name.is_empty() && row.name.as_bytes() == name);
        if let Some(row) = fixed {
            return Some(ProcNode { entry: row.entry, ..self });
        }
        let number = number(name)?;
        let node = match self.entry {
            ProcEntry::Root => ProcNode { entry: ProcEntry::Process, pid: number, arg: 0 },
            ProcEntry::Tasks => ProcNode { entry: ProcEntry::Task, arg: number, ..self },
            ProcEntry::Fds => ProcNode { entry: ProcEntry::Fd, arg: number, ..self },
            ProcEntry::FdInfos => ProcNode { entry: ProcEntry::FdInfo, arg: number, ..self },
            _ => return None,
        };
        node.exists(proc).then_some(node)
    }

    /// Whether the process, task or descriptor that it is about is there.
    pub(super) fn exists(self, proc: &dyn Proc) -> bool {
        if self.pid == 0 {
            return self.row().pid_free;
        }
        match self.entry {
            ProcEntry::Fd | ProcEntry::FdInfo => {
                proc.fds(self.pid).is_some_and(|fds| fds.contains(&self.arg))
            }
            _ if self.entry == ProcEntry::Task || self.row().parent == ProcEntry::Task => {
                proc.tids(self.pid).is_some_and(|tids| tids.contains(&self.arg))
            }
            _ => proc.tids(self.pid).is_some(),
        }
    }

    /// The entry of this directory at the position `from` or after it: its position, name and node.
    pub(super) fn entry_from(self, from: u64, proc: &dyn Proc) -> Option<(u64, Vec<u8>, ProcNode)> {
        let fixed = table::ROWS.iter().filter(|row| {
            row.parent == self.entry && !row.name.is_empty() && row.entry != self.entry
        });
        for (position, row) in (FIRST_POSITION..).zip(fixed) {
            if position >= from {
                let node = ProcNode { entry: row.entry, ..self };
                return Some((position, row.name.as_bytes().to_vec(), node));
            }
        }
        // Numbers come after the fixed names, each at a position of its own, so that a reader's
        // position stays valid while processes come and go.
        let (entry, numbers) = match self.entry {
            ProcEntry::Root => (ProcEntry::Process, proc.pids()),
            ProcEntry::Tasks => (ProcEntry::Task, proc.tids(self.pid)?),
            ProcEntry::Fds => (ProcEntry::Fd, proc.fds(self.pid)?),
            ProcEntry::FdInfos => (ProcEntry::FdInfo, proc.fds(self.pid)?),
            _ => return None,
        };
        let number = numbers.into_iter().find(|n| NUMBER_POSITION + u64::from(*n) >= from)?;
        let node = match entry {
            ProcEntry::Process => ProcNode { entry, pid: number, arg: 0 },
            _ => ProcNode { entry, pid: self.pid, arg: number },
        };
        let name = format!("{number}").into_bytes();
        Some((NUMBER_POSITION + u64::from(number), name, node))
    }

    /// What the link says, and where it leads.
    pub(super) fn link(self, proc: &dyn Proc) -> Result<ProcLink, Errno> {
        let (pid, tid) = proc.current();
        Ok(match self.entry {
            ProcEntry::SelfLink => ProcLink::Path(pid.to_string().into_bytes()),
            ProcEntry::ThreadSelf => ProcLink::Path(format!("{pid}/task/{tid}").into_bytes()),
            ProcEntry::HostMounts => ProcLink::Path(b"self/mounts".to_vec()),
            ProcEntry::HostNet => ProcLink::Path(b"self/net".to_vec()),
            _ => return proc.link(&self),
        })
    }
}

/// `.` and `..` have the positions 0 and 1.
const FIRST_POSITION: u64 = 2;
const NUMBER_POSITION: u64 = 1 << 10;

/// A pid or descriptor as a name: digits without a leading zero.
fn number(name: &[u8]) -> Option<u32> {
    let plain = name == b"0" || name.first().is_some_and(|b| (b'1'..=b'9').contains(b));
    if !plain || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u32 = core::str::from_utf8(name).ok()?.parse().ok()?;
    (u64::from(number) < NUMBERS).then_some(number)
}

/// The owner of every node of /proc, unless the world says otherwise.
pub(super) const OWNER: Cred = Cred::ROOT;
