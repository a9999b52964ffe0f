//! Advisory locks of files: flock(2), and the record locks of fcntl_locking(2), POSIX and open file
//! description ones.
//!
//! This is the table alone: it says who holds what and who is in whose way. Waiting is the caller's:
//! it tries, blocks where there is a conflict, and tries again when an [`Outcome::freed`] was
//! reported for the file. flock(2)'s locks and record locks do not see each other.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::types::Ino;
use crate::errno::Errno;

/// Who holds a record lock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Owner {
    /// A process, by its pid: a POSIX lock.
    Process(u32),
    /// An open file description: an OFD lock.
    Description(u64),
}

/// What a lock allows to others; the stronger kind is the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LockKind {
    /// Others may share it: F_RDLCK, LOCK_SH.
    Shared,
    /// Nobody else: F_WRLCK, LOCK_EX.
    Exclusive,
}

/// A range of bytes of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LockRange {
    /// First byte.
    pub start: u64,
    /// Last byte; [`LockRange::END`] for all that may ever follow.
    pub last: u64,
}

impl LockRange {
    /// The last byte that a file can have for fcntl(2).
    pub const END: u64 = i64::MAX as u64;

    /// A whole file.
    pub const ALL: LockRange = LockRange { start: 0, last: LockRange::END };

    /// From a `struct flock`: `base` is what `l_whence` stands for (0, the position, the size),
    /// `start` and `length` are `l_start` and `l_len`. A length of 0 is everything that follows; a
    /// negative one the bytes before.
    ///
    /// # Errors
    /// `EINVAL` for a range that begins before the file, `EOVERFLOW` for one that ends past
    /// [`LockRange::END`].
    pub fn new(base: u64, start: i64, length: i64) -> Result<LockRange, Errno> {
        let base = i64::try_from(base).map_err(|_| Errno::EOVERFLOW)?;
        let start = base.checked_add(start).ok_or(Errno::EOVERFLOW)?;
        if start < 0 {
            return Err(Errno::EINVAL);
        }
        let (start, last) = match length {
            0 => (start, i64::MAX),
            1.. => (start, start.checked_add(length - 1).ok_or(Errno::EOVERFLOW)?),
            _ => {
                let first = start.checked_add(length).filter(|first| *first >= 0);
                (first.ok_or(Errno::EINVAL)?, start - 1)
            }
        };
        Ok(LockRange { start: start as u64, last: last as u64 })
    }

    /// `l_len` as F_GETLK reports it: 0 where the range has no end.
    pub fn length(self) -> i64 {
        if self.last == LockRange::END { 0 } else { (self.last - self.start + 1) as i64 }
    }

    fn overlaps(self, other: LockRange) -> bool {
        self.start <= other.last && other.start <= self.last
    }

    fn touches(self, other: LockRange) -> bool {
        self.start <= other.last + 1 && other.start <= self.last + 1
    }
}

/// A record lock that somebody holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Who.
    pub owner: Owner,
    /// Whether it is shared.
    pub kind: LockKind,
    /// Which bytes.
    pub range: LockRange,
}

impl Held {
    fn refuses(&self, owner: Owner, range: LockRange, kind: LockKind) -> bool {
        self.owner != owner && self.range.overlaps(range) && excludes(self.kind, kind)
    }
}

/// How an attempt to lock or unlock went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome<C> {
    /// A lock was given up or weakened: whoever waits for one on this file tries again.
    pub freed: bool,
    /// What is in the way, `EAGAIN`; `None` if the caller has what it wants.
    pub conflict: Option<C>,
}

/// All locks of a host's files.
#[derive(Clone, Default, Debug)]
pub struct Locks {
    /// The holders that were first come first, and each one's ranges in order.
    records: BTreeMap<Ino, Vec<Held>>,
    /// flock(2)'s, by open file description.
    whole: BTreeMap<Ino, Vec<(u64, LockKind)>>,
    /// Tasks that wait for a POSIX lock: their process, and who holds what they want.
    waiting: BTreeMap<u32, (u32, Owner)>,
}

impl Locks {
    /// F_SETLK, or one attempt of F_SETLKW, of an open file that allows it: locks `range`, turning
    /// what `owner` holds of it into `kind`.
    pub fn lock(
        &mut self,
        ino: Ino,
        owner: Owner,
        range: LockRange,
        kind: LockKind,
    ) -> Outcome<Held> {
        let conflict = self.query(ino, owner, range, kind);
        if conflict.is_some() {
            return Outcome { freed: false, conflict };
        }
        let freed = self
            .cut(ino, owner, range, |held| held == LockKind::Exclusive && kind == LockKind::Shared);
        self.add(ino, Held { owner, kind, range });
        Outcome { freed, conflict: None }
    }

    /// F_UNLCK of `range`. Says whether anything was freed.
    pub fn unlock(&mut self, ino: Ino, owner: Owner, range: LockRange) -> bool {
        let freed = self.cut(ino, owner, range, |_| true);
        self.forget_empty(ino);
        freed
    }

    /// F_GETLK: the first lock that is in the way of this one.
    pub fn query(&self, ino: Ino, owner: Owner, range: LockRange, kind: LockKind) -> Option<Held> {
        let held = self.records.get(&ino)?;
        held.iter().find(|held| held.refuses(owner, range, kind)).copied()
    }

    /// Notes that the task `tid` of the process `pid` is about to wait for a POSIX lock that
    /// `holder` has. Undone by [`Locks::stop_waiting`].
    ///
    /// # Errors
    /// `EDEADLK` if the holder waits, in any number of steps, for a lock of `pid`. Waiting for and by
    /// open file descriptions is not looked into, as on Linux.
    pub fn wait(&mut self, tid: u32, pid: u32, holder: Owner) -> Result<(), Errno> {
        let mut seen = BTreeSet::new();
        let mut ahead = Vec::from([holder]);
        while let Some(owner) = ahead.pop() {
            if owner == Owner::Process(pid) {
                return Err(Errno::EDEADLK);
            }
            if seen.insert(owner) {
                let waits = self.waiting.values();
                let next = waits.filter(|(waiter, _)| Owner::Process(*waiter) == owner);
                ahead.extend(next.map(|(_, holder)| *holder));
            }
        }
        self.waiting.insert(tid, (pid, holder));
        Ok(())
    }

    /// The task waits no more: it tries again, was interrupted, or is gone.
    pub fn stop_waiting(&mut self, tid: u32) {
        self.waiting.remove(&tid);
    }

    /// flock(2), one attempt: gives the open file description a lock of the whole file, in place of
    /// the one it has.
    ///
    /// LINUX: a description that has a lock of the other kind gives that up first, so that a
    /// conversion that fails leaves it without any, flock(2).
    pub fn flock(&mut self, ino: Ino, description: u64, kind: LockKind) -> Outcome<u64> {
        let held = self.whole.entry(ino).or_default();
        if held.contains(&(description, kind)) {
            return Outcome { freed: false, conflict: None };
        }
        let before = held.len();
        held.retain(|(holder, _)| *holder != description);
        let freed = held.len() < before;
        let other = held.iter().find(|(_, held)| excludes(*held, kind));
        let conflict = other.map(|(holder, _)| *holder);
        if conflict.is_none() {
            held.push((description, kind));
        }
        self.forget_empty(ino);
        Outcome { freed, conflict }
    }

    /// flock(2) with LOCK_UN. Says whether anything was freed.
    pub fn funlock(&mut self, ino: Ino, description: u64) -> bool {
        let Some(held) = self.whole.get_mut(&ino) else { return false };
        let before = held.len();
        held.retain(|(holder, _)| *holder != description);
        let freed = held.len() < before;
        self.forget_empty(ino);
        freed
    }

    /// A process closed a descriptor of the file, any of them: its POSIX locks on it are gone,
    /// fcntl_locking(2). Says whether anything was freed.
    pub fn descriptor_closed(&mut self, ino: Ino, pid: u32) -> bool {
        self.unlock(ino, Owner::Process(pid), LockRange::ALL)
    }

    /// The last descriptor of an open file description was closed: its locks of either kind are
    /// gone. Says whether anything was freed.
    pub fn description_closed(&mut self, ino: Ino, description: u64) -> bool {
        let records = self.unlock(ino, Owner::Description(description), LockRange::ALL);
        let whole = self.funlock(ino, description);
        records || whole
    }

    /// A process ended: all its POSIX locks are gone. Gives the files on which anything was freed.
    pub fn process_ended(&mut self, pid: u32) -> Vec<Ino> {
        self.waiting.retain(|_, (waiter, _)| *waiter != pid);
        let owner = Owner::Process(pid);
        let files: Vec<Ino> = self
            .records
            .iter()
            .filter(|(_, held)| held.iter().any(|held| held.owner == owner))
            .map(|(ino, _)| *ino)
            .collect();
        for ino in &files {
            self.unlock(*ino, owner, LockRange::ALL);
        }
        files
    }

    /// Every process of the host was killed: nothing is held any more.
    pub fn clear(&mut self) {
        *self = Locks::default();
    }

    /// The record locks of a file, for /proc/locks and for tests.
    pub fn held(&self, ino: Ino) -> &[Held] {
        self.records.get(&ino).map_or(&[], |held| held)
    }

    /// Takes `range` out of what `owner` holds, and says whether `weakened` is true of any lock that
    /// was touched.
    fn cut(
        &mut self,
        ino: Ino,
        owner: Owner,
        range: LockRange,
        weakened: impl Fn(LockKind) -> bool,
    ) -> bool {
        let Some(held) = self.records.get_mut(&ino) else { return false };
        let mut freed = false;
        let mut kept = Vec::with_capacity(held.len() + 1);
        for lock in held.drain(..) {
            if lock.owner != owner || !lock.range.overlaps(range) {
                kept.push(lock);
                continue;
            }
            freed |= weakened(lock.kind);
            if lock.range.start < range.start {
                let left = LockRange { start: lock.range.start, last: range.start - 1 };
                kept.push(Held { range: left, ..lock });
            }
            if lock.range.last > range.last {
                let right = LockRange { start: range.last + 1, last: lock.range.last };
                kept.push(Held { range: right, ..lock });
            }
        }
        *held = kept;
        freed
    }

    /// Adds a lock where nothing of its owner overlaps it, and joins it with its neighbours.
    fn add(&mut self, ino: Ino, mut lock: Held) {
        let held = self.records.entry(ino).or_default();
        let of_owner = held.iter().position(|other| other.owner == lock.owner);
        held.retain(|other| {
            let joins = other.owner == lock.owner
                && other.kind == lock.kind
                && other.range.touches(lock.range);
            if joins {
                lock.range.start = lock.range.start.min(other.range.start);
                lock.range.last = lock.range.last.max(other.range.last);
            }
            !joins
        });
        let first = of_owner.unwrap_or(held.len()).min(held.len());
        let before = held[first..]
            .iter()
            .take_while(|other| other.owner == lock.owner && other.range.start < lock.range.start);
        let position = first + before.count();
        held.insert(position, lock);
    }

    fn forget_empty(&mut self, ino: Ino) {
        if self.records.get(&ino).is_some_and(Vec::is_empty) {
            self.records.remove(&ino);
        }
        if self.whole.get(&ino).is_some_and(Vec::is_empty) {
            self.whole.remove(&ino);
        }
    }
}

fn excludes(one: LockKind, other: LockKind) -> bool {
    one == LockKind::Exclusive || other == LockKind::Exclusive
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: Ino = Ino(7);
    const P1: Owner = Owner::Process(1);
    const P2: Owner = Owner::Process(2);
    use LockKind::{Exclusive, Shared};

    fn range(start: u64, last: u64) -> LockRange {
        LockRange { start, last }
    }

    #[test]
    fn ranges_are_read_from_struct_flock() {
        assert_eq!(LockRange::new(0, 0, 0), Ok(LockRange::ALL));
        assert_eq!(LockRange::new(10, -4, 2), Ok(range(6, 7)));
        assert_eq!(LockRange::new(0, 10, -4), Ok(range(6, 9)));
        assert_eq!(LockRange::new(0, -1, 1), Err(Errno::EINVAL));
        assert_eq!(LockRange::new(0, 3, -4), Err(Errno::EINVAL));
        assert_eq!(LockRange::new(1, i64::MAX, 1), Err(Errno::EOVERFLOW));
        assert_eq!(LockRange::new(0, i64::MAX, 1), Ok(range(LockRange::END, LockRange::END)));
        assert_eq!(LockRange::new(0, i64::MAX, 2), Err(Errno::EOVERFLOW));
        assert_eq!(LockRange::new(0, 5, 3).map(LockRange::length), Ok(3));
        assert_eq!(LockRange::new(0, 5, 0).map(LockRange::length), Ok(0));
    }

    #[test]
    fn unlocking_the_middle_splits_and_locking_it_again_joins() {
        let mut locks = Locks::default();
        locks.lock(FILE, P1, range(0, 99), Exclusive);
        assert!(locks.unlock(FILE, P1, range(40, 59)));
        let ranges = |locks: &Locks| locks.held(FILE).iter().map(|h| h.range).collect::<Vec<_>>();
        assert_eq!(ranges(&locks), [range(0, 39), range(60, 99)]);
        assert_eq!(locks.query(FILE, P2, range(45, 55), Exclusive), None);
        locks.lock(FILE, P1, range(40, 59), Exclusive);
        assert_eq!(ranges(&locks), [range(0, 99)]);
    }

    #[test]
    fn weakening_a_lock_frees_readers() {
        let mut locks = Locks::default();
        locks.lock(FILE, P1, LockRange::ALL, Exclusive);
        let conflict = locks.lock(FILE, P2, range(5, 5), Shared).conflict;
        assert_eq!(conflict, Some(Held { owner: P1, kind: Exclusive, range: LockRange::ALL }));
        assert!(locks.lock(FILE, P1, range(0, 9), Shared).freed);
        assert_eq!(locks.lock(FILE, P2, range(5, 5), Shared).conflict, None);
        assert!(locks.lock(FILE, P1, range(0, 9), Exclusive).conflict.is_some());
    }

    #[test]
    fn open_file_descriptions_conflict_with_processes_and_each_other() {
        let mut locks = Locks::default();
        let (one, two) = (Owner::Description(1), Owner::Description(2));
        locks.lock(FILE, one, range(0, 9), Exclusive);
        assert!(locks.lock(FILE, two, range(9, 9), Shared).conflict.is_some());
        assert!(locks.lock(FILE, P1, range(9, 9), Shared).conflict.is_some());
        assert!(!locks.descriptor_closed(FILE, 1));
        assert!(locks.description_closed(FILE, 1));
        assert_eq!(locks.lock(FILE, P1, range(9, 9), Shared).conflict, None);
    }

    #[test]
    fn closing_any_descriptor_drops_the_locks_of_its_process() {
        let mut locks = Locks::default();
        locks.lock(FILE, P1, range(0, 9), Exclusive);
        locks.lock(FILE, P2, range(10, 19), Exclusive);
        assert!(locks.descriptor_closed(FILE, 1));
        assert_eq!(locks.held(FILE).len(), 1);
        locks.lock(Ino(8), P2, range(0, 0), Shared);
        assert_eq!(locks.process_ended(2), [FILE, Ino(8)]);
        assert_eq!(locks.held(FILE), []);
    }

    #[test]
    fn a_circle_of_waiters_is_a_deadlock() {
        let mut locks = Locks::default();
        assert_eq!(locks.wait(11, 1, P2), Ok(()));
        assert_eq!(locks.wait(22, 2, Owner::Process(3)), Ok(()));
        assert_eq!(locks.wait(33, 3, P1), Err(Errno::EDEADLK));
        assert_eq!(locks.wait(33, 3, Owner::Description(1)), Ok(()));
        locks.stop_waiting(22);
        locks.stop_waiting(33);
        assert_eq!(locks.wait(33, 3, P1), Ok(()));
        assert_eq!(locks.wait(22, 2, Owner::Process(3)), Err(Errno::EDEADLK));
        locks.process_ended(1);
        assert_eq!(locks.wait(22, 2, Owner::Process(3)), Ok(()));
    }

    #[test]
    fn a_failed_conversion_of_flock_loses_the_lock() {
        let mut locks = Locks::default();
        assert_eq!(locks.flock(FILE, 1, Shared).conflict, None);
        assert_eq!(locks.flock(FILE, 2, Shared).conflict, None);
        assert_eq!(locks.flock(FILE, 1, Exclusive), Outcome { freed: true, conflict: Some(2) });
        assert_eq!(locks.flock(FILE, 2, Exclusive).conflict, None);
        assert_eq!(locks.flock(FILE, 1, Shared).conflict, Some(2));
        assert!(locks.description_closed(FILE, 2));
        assert!(!locks.funlock(FILE, 2));
        assert_eq!(locks.flock(FILE, 1, Exclusive).conflict, None);
        assert_eq!(locks.flock(FILE, 1, Exclusive), Outcome { freed: false, conflict: None });
    }

    /// Every byte of a small file on its own: who holds it, and how.
    type Naive = [BTreeMap<Owner, LockKind>; 24];

    proptest! {
        #[test]
        fn locks_are_what_single_bytes_would_be(
            ops in prop::collection::vec((0..3u32, 0..24u64, 0..24u64, 0..3u8), 1..40)
        ) {
            let mut locks = Locks::default();
            let mut naive = Naive::default();
            for (pid, a, b, action) in ops {
                let owner = if pid == 2 { Owner::Description(2) } else { Owner::Process(pid) };
                let span = range(a.min(b), a.max(b));
                let bytes = span.start as usize..=span.last as usize;
                if action == 0 {
                    let held = naive[bytes.clone()].iter().any(|byte| byte.contains_key(&owner));
                    prop_assert_eq!(locks.unlock(FILE, owner, span), held);
                    naive[bytes].iter_mut().for_each(|byte| { byte.remove(&owner); });
                } else {
                    let kind = if action == 1 { Shared } else { Exclusive };
                    let refused = naive[bytes.clone()].iter().any(|byte| {
                        byte.iter().any(|(o, k)| *o != owner && excludes(*k, kind))
                    });
                    let weakened = naive[bytes.clone()].iter().any(|byte| byte.get(&owner).is_some_and(|k| *k > kind));
                    let outcome = locks.lock(FILE, owner, span, kind);
                    prop_assert_eq!(outcome.conflict.is_some(), refused);
                    if !refused {
                        prop_assert_eq!(outcome.freed, weakened);
                        naive[bytes].iter_mut().for_each(|byte| { byte.insert(owner, kind); });
                    }
                }
                let mut table = Naive::default();
                for held in locks.held(FILE) {
                    for byte in held.range.start..=held.range.last {
                        prop_assert_eq!(table[byte as usize].insert(held.owner, held.kind), None);
                    }
                }
                prop_assert_eq!(&table, &naive);
                for pair in locks.held(FILE).windows(2).filter(|p| p[0].owner == p[1].owner) {
                    prop_assert!(pair[0].range.last < pair[1].range.start);
                    prop_assert!(pair[0].kind != pair[1].kind || pair[0].range.last + 1 < pair[1].range.start);
                }
            }
        }
    }
}
