//! Open file descriptions, and the descriptors that name them.

use alloc::vec::Vec;

use bizarro_record::Stream;

use crate::errno::Errno;
use crate::host::HostId;
use crate::net::SockId;
use crate::sys::epoll::Epoll;
use crate::sys::event::{EventFd, TimerFd};
use crate::sys::file::OpenFile;
use crate::sys::pipe::{End, PipeId};
use crate::task::Wait;

/// Names an open file description. A name outlives its object and is then found stale.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ObjId {
    index: u32,
    generation: u32,
}

impl ObjId {
    /// One number for both parts, for messages that carry descriptions (SCM_RIGHTS) and for lock owners.
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The inverse of [`ObjId::to_bits`].
    pub fn from_bits(bits: u64) -> ObjId {
        ObjId { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// What a description is open on.
#[derive(Debug)]
pub enum Kind {
    /// A socket of any family.
    Socket(SockId),
    /// An end of a pipe or FIFO.
    Pipe(PipeId, End),
    /// eventfd(2).
    Event(EventFd),
    /// timerfd_create(2).
    Timer(TimerFd),
    /// signalfd(2): the set of signals it takes.
    Signal(u64),
    /// epoll_create(2).
    Epoll(Epoll),
    /// The program's captured stdout or stderr.
    Output(Stream),
    /// A file, directory or device of the host's file system.
    File(OpenFile),
}

/// Who is told when an object's readiness changes: an item of an epoll instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watch {
    /// The epoll instance.
    pub epoll: ObjId,
    /// Index of the item in it.
    pub item: u32,
}

/// An open file description.
#[derive(Debug)]
pub struct Object {
    /// What it is open on.
    pub kind: Kind,
    /// How many descriptors and messages in flight name it.
    pub refs: u32,
    /// Access mode and status flags as fcntl(F_GETFL) shows them.
    pub status: i32,
    /// Whose it is.
    pub host: HostId,
    /// Tasks that wait for its readiness to change.
    pub waiters: Vec<Wait>,
    /// Epoll items that watch it.
    pub watchers: Vec<Watch>,
}

impl Object {
    /// Whether calls on it return EAGAIN where they would wait.
    #[inline]
    pub fn nonblocking(&self) -> bool {
        self.status & libc::O_NONBLOCK != 0
    }
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    object: Option<Object>,
}

/// All open file descriptions of all hosts.
#[derive(Debug, Default)]
pub struct Objects {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Objects {
    /// Opens a description that nothing names yet.
    pub fn open(&mut self, host: HostId, kind: Kind, status: i32) -> ObjId {
        let object =
            Object { kind, refs: 0, status, host, waiters: Vec::new(), watchers: Vec::new() };
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[index as usize];
        slot.object = Some(object);
        ObjId { index, generation: slot.generation }
    }

    /// The description, unless it was closed.
    #[inline]
    pub fn get(&self, id: ObjId) -> Option<&Object> {
        let slot = self.slots.get(id.index as usize)?;
        if slot.generation == id.generation { slot.object.as_ref() } else { None }
    }

    /// The description, unless it was closed.
    #[inline]
    pub fn get_mut(&mut self, id: ObjId) -> Option<&mut Object> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation == id.generation { slot.object.as_mut() } else { None }
    }

    /// The timerfds of a host.
    pub fn timers_of(&self, host: HostId) -> impl Iterator<Item = ObjId> + '_ {
        (0..).zip(&self.slots).filter_map(move |(index, slot)| {
            let object = slot.object.as_ref()?;
            let is_its = object.host == host && matches!(object.kind, Kind::Timer(_));
            is_its.then_some(ObjId { index, generation: slot.generation })
        })
    }

    /// Places for which there is memory.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.slots.len()
    }

    /// Closes the description and gives what it was.
    pub fn close(&mut self, id: ObjId) -> Option<Object> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let object = slot.object.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        Some(object)
    }
}

/// What a descriptor names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptor {
    /// The open file description.
    pub object: ObjId,
    /// FD_CLOEXEC. Nothing is ever executed, but programs ask.
    pub close_on_exec: bool,
}

/// A process's table of descriptors.
#[derive(Debug, Default)]
pub struct Descriptors {
    table: Vec<Option<Descriptor>>,
    /// No descriptor below this is free.
    full_below: usize,
}

impl Descriptors {
    /// What `fd` names.
    #[inline]
    pub fn get(&self, fd: i32) -> Result<Descriptor, Errno> {
        usize::try_from(fd)
            .ok()
            .and_then(|fd| self.table.get(fd).copied().flatten())
            .ok_or(Errno::EBADF)
    }

    /// Gives the lowest free descriptor, at least `from`, to `descriptor`. `limit` is RLIMIT_NOFILE:
    /// reaching it is `EMFILE`.
    pub fn insert(
        &mut self,
        descriptor: Descriptor,
        from: usize,
        limit: u64,
    ) -> Result<i32, Errno> {
        let start = from.max(self.full_below);
        let fd = (start..self.table.len())
            .find(|fd| self.table[*fd].is_none())
            .unwrap_or(self.table.len().max(start));
        if fd as u64 >= limit {
            return Err(Errno::EMFILE);
        }
        if from <= self.full_below {
            self.full_below = fd + 1;
        }
        self.put(fd, Some(descriptor));
        Ok(fd as i32)
    }

    /// Whether no descriptor below `limit` is free.
    pub fn is_full(&self, limit: u64) -> bool {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.table.len() >= limit
            && self.table[self.full_below.min(limit)..limit].iter().all(Option::is_some)
    }

    /// Makes `fd` name `descriptor`; gives what it named before.
    pub fn replace(&mut self, fd: i32, descriptor: Descriptor) -> Option<Descriptor> {
        let before = self.get(fd).ok();
        self.put(fd as usize, Some(descriptor));
        before
    }

    /// Frees `fd`; gives what it named.
    pub fn remove(&mut self, fd: i32) -> Result<Descriptor, Errno> {
        let descriptor = self.get(fd)?;
        self.table[fd as usize] = None;
        self.full_below = self.full_below.min(fd as usize);
        Ok(descriptor)
    }

    /// Sets FD_CLOEXEC.
    pub fn set_close_on_exec(&mut self, fd: i32, on: bool) -> Result<(), Errno> {
        self.get(fd)?;
        if let Some(descriptor) = &mut self.table[fd as usize] {
            descriptor.close_on_exec = on;
        }
        Ok(())
    }

    /// All descriptors, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (i32, Descriptor)> + '_ {
        self.table.iter().enumerate().filter_map(|(fd, entry)| Some((fd as i32, (*entry)?)))
    }

    fn put(&mut self, fd: usize, descriptor: Option<Descriptor>) {
        if fd >= self.table.len() {
            self.table.resize(fd + 1, None);
        }
        self.table[fd] = descriptor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(index: u32) -> Descriptor {
        Descriptor { object: ObjId { index, generation: 0 }, close_on_exec: false }
    }

    #[test]
    fn the_lowest_free_descriptor_is_used() {
        let mut fds = Descriptors::default();
        let got: Vec<_> = (0..4).map(|i| fds.insert(named(i), 0, 1024).unwrap()).collect();
        assert_eq!(got, [0, 1, 2, 3]);
        fds.remove(1).unwrap();
        fds.remove(2).unwrap();
        assert_eq!(fds.insert(named(9), 2, 1024), Ok(2));
        assert_eq!(fds.insert(named(9), 0, 1024), Ok(1));
        assert_eq!(fds.insert(named(9), 0, 1024), Ok(4));
        assert_eq!(fds.insert(named(9), 10, 1024), Ok(10));
        assert_eq!(fds.insert(named(9), 0, 1024), Ok(5));
        assert_eq!(fds.insert(named(9), 0, 6), Err(Errno::EMFILE));
    }

    #[test]
    fn a_closed_description_is_found_stale() {
        let mut objects = Objects::default();
        let first = objects.open(HostId(0), Kind::Signal(0), 0);
        objects.close(first).unwrap();
        let second = objects.open(HostId(0), Kind::Signal(1), 0);
        assert_ne!(first, second);
        assert!(objects.get(first).is_none());
        assert!(objects.get(second).is_some());
        assert_eq!(ObjId::from_bits(second.to_bits()), second);
    }
}
