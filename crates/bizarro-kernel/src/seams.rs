//! The seams: every byte of the guest, every choice, every effect, and the little that may come from
//! outside pass through these traits. The kernel knows nothing else of the world that runs it.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use bizarro_record::{Deviation, Effect, Event, ExchangeId, Incident, Nanos, Step};

use crate::errno::Errno;

/// Every byte of the guest.
///
/// An address that the guest does not own gives `EFAULT`.
pub trait GuestMemory {
    /// Copies guest bytes at `addr` into `into`.
    fn read(&self, addr: u64, into: &mut [u8]) -> Result<(), Errno>;
    /// Copies `from` to the guest's bytes at `addr`.
    fn write(&mut self, addr: u64, from: &[u8]) -> Result<(), Errno>;
    /// Maps, unmaps and protects the guest's pages.
    fn pages(&mut self) -> &mut dyn Pages;
}

/// The guest's page tables. Lengths are multiples of the page size.
pub trait Pages {
    /// Maps `length` zeroed private bytes for `host`: at `at` where it is given (replacing what is
    /// there), else where there is room. `prot` is mmap(2)'s.
    fn map(&mut self, host: u16, at: Option<u64>, length: u64, prot: i32) -> Result<u64, Errno>;
    /// Whether any page of the range is mapped.
    fn is_mapped(&self, host: u16, addr: u64, length: u64) -> bool;
    /// munmap(2).
    fn unmap(&mut self, host: u16, addr: u64, length: u64) -> Result<(), Errno>;
    /// mprotect(2).
    fn protect(&mut self, host: u16, addr: u64, length: u64, prot: i32) -> Result<(), Errno>;
    /// mremap(2): grows or shrinks, moving where `may_move` and needed; gives the new address.
    fn remap(
        &mut self,
        host: u16,
        addr: u64,
        old: u64,
        new: u64,
        moving: Moving,
    ) -> Result<u64, Errno>;
    /// madvise(2), for the advice values that change what the guest reads (MADV_DONTNEED, MADV_FREE) or nothing.
    fn advise(&mut self, host: u16, addr: u64, length: u64, advice: i32) -> Result<(), Errno>;
    /// Bytes that the C library's `malloc` has taken for the heap of `host`.
    fn heap(&self, host: u16) -> u64;
    /// How many it may take.
    fn limit_heap(&mut self, host: u16, bytes: u64);
    /// brk(2): sets the break where `to` is valid, and gives the break.
    fn brk(&mut self, host: u16, to: u64) -> u64;
    /// Maps `length` bytes of the pages that the host's mappings of the file `file` share, from `offset` on; the rest is as
    /// for [`Pages::map`]. Pages beyond the file's size cannot be touched (SIGBUS).
    fn map_shared(
        &mut self,
        host: u16,
        at: Option<u64>,
        length: u64,
        prot: i32,
        file: u64,
        offset: u64,
    ) -> Result<u64, Errno>;
    /// Says how many bytes the file has: what is cut off is gone, what is new is zero. The first time, makes its pages.
    fn resize_shared(&mut self, host: u16, file: u64, size: u64) -> Result<(), Errno>;
    /// The first stretch of the file at or after `from` of which a page may hold something.
    fn shared_data(&self, host: u16, file: u64, from: u64) -> Option<Range<u64>>;
    /// Copies bytes of the file's pages.
    fn read_shared(&self, host: u16, file: u64, offset: u64, into: &mut [u8]);
    /// Changes bytes of the file's pages.
    fn write_shared(&mut self, host: u16, file: u64, offset: u64, from: &[u8]);
    /// No mapping shows the file any more.
    fn forget_shared(&mut self, host: u16, file: u64);
}

/// Whether mremap(2) may move the mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moving {
    /// It must stay.
    Never,
    /// MREMAP_MAYMOVE.
    Allowed,
    /// MREMAP_FIXED: to this address.
    To(u64),
}

/// A task that could run, as a decider sees it. Its host and thread id are the same from run to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// Index of its host.
    pub host: u16,
    /// Its thread id, which no other task of the host has in the run.
    pub tid: u32,
    /// System calls that it has begun; while one is being begun, with that one.
    pub calls: u32,
    /// Turns that it had.
    pub turns: u32,
}

/// The tasks that wait for a turn, the longest-waiting one first. A task's entry is put together only when a decider
/// asks for it: most never do.
pub trait Queue {
    /// How many there are.
    fn len(&self) -> usize;
    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The task at this place, from 0.
    fn get(&self, place: usize) -> Turn;
}

impl Queue for Vec<Turn> {
    fn len(&self) -> usize {
        self.len()
    }
    fn get(&self, place: usize) -> Turn {
        self[place]
    }
}

/// Every choice: whatever could have gone otherwise is asked here, so that replay, search, shrinking
/// and the self-check are other deciders and nothing else.
pub trait Decider {
    /// Which task of the queue, which holds two or more, runs next: its place.
    fn next_task(&mut self, queue: &dyn Queue) -> usize;
    /// Whether the task that is about to make a system call is preempted first. The queue may be empty.
    fn preempt(&mut self, running: Turn, queue: &dyn Queue) -> bool;
    /// Random bits for what the guest sees as random (getrandom(2), ports, sequence numbers).
    fn random(&mut self) -> u64;
    /// A value in `low..=high`.
    fn within(&mut self, low: u64, high: u64) -> u64;
    /// How many nanoseconds a packet travels on a link of this shortest and longest latency.
    fn latency(&mut self, shortest: u64, longest: u64) -> u64;
    /// Whether a thing that happens `ppm` times in a million happens now.
    fn chance(&mut self, ppm: u32) -> bool;
    /// Whether a fault strikes this step of this exchange now. Asked at most once per exchange and step.
    fn fault(&mut self, now: Nanos, exchange: &ExchangeId, step: Step) -> Option<Effect>;
    /// Whether `server` is missing for `client` in this run, and what the client is told. The answer is always the same.
    fn removed(&self, client: u16, server: u16) -> Option<Effect>;
    /// Whether a request may be replaced by the one before it, so that requests have to be kept. The answer is always
    /// the same.
    fn keeps_requests(&self) -> bool;
    /// Whether a fault at a step of an exchange may take a host's power, so that it has to be known what is on its disk. The
    /// answer is always the same.
    fn may_take_power(&self) -> bool;
    /// What goes wrong with hosts, beside what the test itself says. The answer is always the same.
    fn incidents(&self) -> Vec<Incident>;
    /// After how many system calls, from 1 to `most`, a process is killed that is not to live for long.
    fn lifetime(&mut self, most: u32) -> u32;
    /// A value below `below`, for what survives.
    fn survivor(&mut self, below: u64) -> u64;
    /// A value in `low..=high` for what trouble on the network does to packets and messages.
    fn disturbance(&mut self, low: u64, high: u64) -> u64;
    /// Where the schedule has left the fair one so far, in order; `None` where there were too many to keep.
    fn deviations(&self) -> Option<Vec<Deviation>>;
}

/// Every effect that a reader of the run may want to see.
pub trait Observer {
    /// Something happened at virtual time `at` on `host`, done by the task `tid` (0: by none).
    fn event(&mut self, at: Nanos, host: u16, tid: u32, event: Event);
    /// A system call ended; `line` is what strace would print. Only called while [`Observer::traces`].
    fn call(&mut self, at: Nanos, host: u16, tid: u32, line: &str);
    /// Whether it wants to see each message ([`Event::Sent`] and its kin); they are many.
    fn wants_messages(&self) -> bool;
    /// Whether it wants to see each packet with its bytes ([`Event::Packet`]).
    fn wants_packets(&self) -> bool;
    /// Whether [`Observer::call`] wants to be called.
    fn traces(&self) -> bool;
}

/// What a path outside the world is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OutsideNode {
    /// A regular file of this size in bytes and these permission bits.
    File {
        /// Bytes.
        size: u64,
        /// Permission bits.
        mode: u32,
    },
    /// A directory and the names in it, sorted.
    Directory(Vec<String>),
    /// A symbolic link and its target.
    Symlink(String),
}

/// The real directories that a test declared, read-only, and the program itself. Nothing else of the
/// machine can be reached.
pub trait Outside {
    /// What is at the real absolute path `path`.
    fn look(&mut self, path: &str) -> Result<OutsideNode, Errno>;
    /// The whole content of the real file at `path`.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno>;
    /// Bytes that the C library's `malloc` has taken for the heap of `host`.
    fn heap(&self, host: u16) -> u64;
    /// The mappings of the process that makes the current call, by address.
    fn mappings(&mut self) -> Result<Vec<Mapping>, Errno>;
}

/// The path at which [`Outside`] shows the binary of the guests' program, wherever it really is.
pub const PROGRAM: &str = "/proc/self/exe";

/// A range of a process's addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// mmap(2)'s protection.
    pub prot: i32,
    /// What its bytes come from.
    pub backing: Backing,
}

/// What a mapping's bytes come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Backing {
    /// Nothing: zeroes, as with MAP_ANONYMOUS.
    Nothing,
    /// The program's binary, from this offset on.
    Program(u64),
    /// A library of the real machine: its path, and the offset.
    Library(String, u64),
    /// What Linux calls `[heap]` or `[stack]`.
    Named(&'static str),
    /// A file of the host, by its inode number, that other mappings may show too, and the offset.
    Shared(u64, u64),
}
