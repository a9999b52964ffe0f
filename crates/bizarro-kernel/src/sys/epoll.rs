//! epoll(7): level- and edge-triggered, one-shot, exclusive, nested.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bizarro_record::Nanos;

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId, Watch};
use crate::seams::GuestMemory;
use crate::sys::fd::milliseconds;
use crate::table::Arg::{Fd, Hex, Int, Ptr, Size};
use crate::table::{Args, Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_epoll_create, "epoll_create", &[Int], epoll_create),
    row(libc::SYS_epoll_create1, "epoll_create1", &[Hex], epoll_create1),
    row(libc::SYS_epoll_ctl, "epoll_ctl", &[Fd, Int, Fd, Ptr], epoll_ctl),
    row(libc::SYS_epoll_wait, "epoll_wait", &[Fd, Ptr, Int, Int], epoll_wait),
    row(libc::SYS_epoll_pwait, "epoll_pwait", &[Fd, Ptr, Int, Int, Ptr, Size], epoll_pwait),
    row(libc::SYS_epoll_pwait2, "epoll_pwait2", &[Fd, Ptr, Int, Ptr, Ptr, Size], epoll_pwait2),
];

const ALWAYS: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
const ONE_SHOT: u32 = libc::EPOLLONESHOT as u32;
const EDGE: u32 = libc::EPOLLET as u32;
const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;
/// What an item may ask for beside events.
const PRIVATE: u32 = ONE_SHOT | EDGE | EXCLUSIVE | libc::EPOLLWAKEUP as u32;
/// LINUX: an epoll instance may watch another to this depth (EP_MAX_NESTS).
const MAX_NESTING: u32 = 4;

/// LINUX: as many events of 12 bytes as an `int` can count the bytes of (EP_MAX_EVENTS).
const MAX_EVENTS: i32 = i32::MAX / 12;

/// A descriptor that an epoll instance watches.
#[derive(Clone, Copy, Debug)]
struct Item {
    object: ObjId,
    fd: i32,
    /// What it asks for, always with errors and hangups; nothing where it was disarmed (EPOLLONESHOT).
    events: u32,
    data: u64,
    queued: bool,
}

/// An epoll instance.
#[derive(Debug, Default)]
pub struct Epoll {
    items: Vec<Option<Item>>,
    free: Vec<u32>,
    by_descriptor: BTreeMap<(i32, ObjId), u32>,
    ready: VecDeque<u32>,
}

impl Epoll {
    fn insert(&mut self, item: Item) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.items.push(None);
            self.items.len() as u32 - 1
        });
        self.items[index as usize] = Some(item);
        self.by_descriptor.insert((item.fd, item.object), index);
        index
    }

    fn remove(&mut self, index: u32) -> Option<Item> {
        let item = self.items.get_mut(index as usize)?.take()?;
        self.by_descriptor.remove(&(item.fd, item.object));
        self.ready.retain(|other| *other != index);
        self.free.push(index);
        Some(item)
    }

    /// Queues an item; says whether it was not queued yet.
    fn queue(&mut self, index: u32) -> bool {
        match &mut self.items[index as usize] {
            Some(item) if !item.queued => {
                item.queued = true;
                self.ready.push_back(index);
                true
            }
            _ => false,
        }
    }
}

impl Kernel {
    fn epoll_mut(&mut self, id: ObjId) -> Option<&mut Epoll> {
        match self.objects.get_mut(id).map(|object| &mut object.kind) {
            Some(Kind::Epoll(epoll)) => Some(epoll),
            _ => None,
        }
    }

    fn epoll(&self, id: ObjId) -> Option<&Epoll> {
        match self.objects.get(id).map(|object| &object.kind) {
            Some(Kind::Epoll(epoll)) => Some(epoll),
            _ => None,
        }
    }

    /// Queues an object's items in the instances that watch it, where what is ready interests them.
    pub(crate) fn notify_watchers(&mut self, id: ObjId, events: u32) {
        let ready = self.readiness(id);
        let mut index = 0;
        while let Some(watch) =
            self.objects.get(id).and_then(|object| object.watchers.get(index)).copied()
        {
            index += 1;
            let Some(epoll) = self.epoll_mut(watch.epoll) else { continue };
            let interests = epoll.items[watch.item as usize]
                .map(|item| item.events)
                .is_some_and(|wanted| ready & wanted != 0 && events & wanted != 0);
            if interests && epoll.queue(watch.item) {
                self.notify(watch.epoll);
            }
        }
    }

    /// A watched description was closed: its item goes too (epoll(7), "Questions and answers").
    pub(crate) fn forget_epoll_item(&mut self, watch: Watch) {
        if let Some(epoll) = self.epoll_mut(watch.epoll) {
            epoll.remove(watch.item);
        }
    }

    pub(crate) fn close_epoll(&mut self, id: ObjId, epoll: Epoll) {
        for item in epoll.items.into_iter().flatten() {
            if let Some(object) = self.objects.get_mut(item.object) {
                object.watchers.retain(|watch| watch.epoll != id);
            }
        }
    }

    /// Whether a wait on the instance would give an event now.
    pub(crate) fn epoll_has_ready(&self, epoll: &Epoll) -> bool {
        epoll.ready.iter().any(|index| {
            epoll.items[*index as usize]
                .is_some_and(|item| self.readiness(item.object) & item.events & !PRIVATE != 0)
        })
    }

    /// Whether watching `target` from `epoll` would close a circle or nest too deeply.
    fn nests_badly(&self, epoll: ObjId, target: ObjId, depth: u32) -> bool {
        if target == epoll || depth > MAX_NESTING {
            return true;
        }
        let Some(inner) = self.epoll(target) else { return false };
        inner.items.iter().flatten().any(|item| self.nests_badly(epoll, item.object, depth + 1))
    }

    /// Takes at most `max` events.
    fn take_events(
        &mut self,
        id: ObjId,
        memory: &mut dyn GuestMemory,
        at: u64,
        max: usize,
    ) -> Result<usize, Errno> {
        let queued = self.epoll(id).map_or(0, |epoll| epoll.ready.len());
        let mut taken = 0;
        let mut again = Vec::new();
        for _ in 0..queued {
            if taken == max {
                break;
            }
            let Some(epoll) = self.epoll_mut(id) else { break };
            let Some(index) = epoll.ready.pop_front() else { break };
            let Some(item) = &mut epoll.items[index as usize] else { continue };
            item.queued = false;
            let item = *item;
            let ready = self.readiness(item.object) & item.events & !PRIVATE;
            if ready == 0 {
                continue;
            }
            let mut event = [0; 12];
            event[..4].copy_from_slice(&ready.to_le_bytes());
            event[4..].copy_from_slice(&item.data.to_le_bytes());
            memory.write(at + taken as u64 * 12, &event)?;
            self.fingerprint.mix(u64::from(ready) << 32 | item.fd as u64);
            taken += 1;
            if item.events & ONE_SHOT != 0 {
                self.disarm(id, index);
            } else if item.events & EDGE == 0 {
                again.push(index);
            }
        }
        if let Some(epoll) = self.epoll_mut(id) {
            for index in again {
                epoll.queue(index);
            }
        }
        Ok(taken)
    }

    fn disarm(&mut self, id: ObjId, index: u32) {
        if let Some(Some(item)) =
            self.epoll_mut(id).and_then(|epoll| epoll.items.get_mut(index as usize))
        {
            item.events = 0;
        }
    }

    fn epoll_wait_for(
        &mut self,
        memory: &mut dyn GuestMemory,
        a: &Args,
        timeout: Option<Nanos>,
    ) -> SysResult {
        let (id, object) = self.object(a.fd(0))?;
        if !matches!(object.kind, Kind::Epoll(_)) || !(1..=MAX_EVENTS).contains(&a.int(2)) {
            return Err(Errno::EINVAL.into());
        }
        let taken = self.take_events(id, memory, a.addr(1), a.int(2) as usize)?;
        if taken > 0 || timeout == Some(Nanos::ZERO) {
            return Ok(taken as u64);
        }
        if let Some(timeout) = timeout {
            self.give_up_after(timeout);
            if self.timed_out() {
                return Ok(0);
            }
        }
        Err(self.wait_for(id))
    }
}

fn epoll_create(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.int(0) <= 0 {
        return Err(Errno::EINVAL.into());
    }
    Ok(k.open_descriptor(Kind::Epoll(Epoll::default()), libc::O_RDWR, 0)? as u64)
}

fn epoll_create1(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.int(0) & !libc::EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL.into());
    }
    Ok(k.open_descriptor(Kind::Epoll(Epoll::default()), libc::O_RDWR, a.int(0))? as u64)
}

fn epoll_ctl(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (operation, fd) = (a.int(1), a.fd(2));
    let (events, data) = if operation == libc::EPOLL_CTL_DEL {
        (0, 0)
    } else {
        (memory.read_u32(a.addr(3))?, memory.read_u64(a.addr(3) + 4)?)
    };
    let id = k.descriptor(a.fd(0))?;
    let object = k.descriptor(fd)?;
    let watchable = match k.objects.get(object).map(|object| &object.kind) {
        Some(Kind::File(_)) => k.file_is_pollable(object),
        Some(_) => true,
        None => false,
    };
    // LINUX: regular files and directories do not support epoll, epoll_ctl(2).
    if !watchable {
        return Err(Errno::EPERM.into());
    }
    if id == object || k.epoll(id).is_none() {
        return Err(Errno::EINVAL.into());
    }
    if events & EXCLUSIVE != 0 {
        let allowed = (libc::EPOLLIN | libc::EPOLLOUT) as u32 | ALWAYS | PRIVATE & !ONE_SHOT;
        let nested = k.epoll(object).is_some();
        if operation == libc::EPOLL_CTL_MOD || nested || events & !allowed != 0 {
            return Err(Errno::EINVAL.into());
        }
    }
    let existing = k.epoll(id).and_then(|epoll| epoll.by_descriptor.get(&(fd, object)).copied());
    match (operation, existing) {
        (libc::EPOLL_CTL_ADD, Some(_)) => return Err(Errno::EEXIST.into()),
        (libc::EPOLL_CTL_ADD, None) => add(k, id, object, fd, events, data)?,
        (libc::EPOLL_CTL_MOD | libc::EPOLL_CTL_DEL, None) => return Err(Errno::ENOENT.into()),
        (libc::EPOLL_CTL_MOD, Some(index)) => modify(k, id, index, events, data)?,
        (libc::EPOLL_CTL_DEL, Some(index)) => delete(k, id, index),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

fn add(
    k: &mut Kernel,
    id: ObjId,
    object: ObjId,
    fd: i32,
    events: u32,
    data: u64,
) -> Result<(), Stop> {
    if k.epoll(object).is_some() && k.nests_badly(id, object, 1) {
        return Err(Errno::ELOOP.into());
    }
    let item = Item { object, fd, events: events | ALWAYS, data, queued: false };
    let Some(index) = k.epoll_mut(id).map(|epoll| epoll.insert(item)) else { return Ok(()) };
    if let Some(object) = k.objects.get_mut(object) {
        object.watchers.push(Watch { epoll: id, item: index });
    }
    queue_if_ready(k, id, index, object, events);
    Ok(())
}

fn modify(k: &mut Kernel, id: ObjId, index: u32, events: u32, data: u64) -> Result<(), Stop> {
    let item = k.epoll_mut(id).and_then(|epoll| epoll.items[index as usize].as_mut());
    let Some(item) = item else { return Ok(()) };
    if item.events & EXCLUSIVE != 0 {
        return Err(Errno::EINVAL.into());
    }
    (item.events, item.data) = (events | ALWAYS, data);
    let object = item.object;
    queue_if_ready(k, id, index, object, events);
    Ok(())
}

fn queue_if_ready(k: &mut Kernel, id: ObjId, index: u32, object: ObjId, events: u32) {
    if k.readiness(object) & (events | ALWAYS) == 0 {
        return;
    }
    if k.epoll_mut(id).is_some_and(|epoll| epoll.queue(index)) {
        k.notify(id);
    }
}

fn delete(k: &mut Kernel, id: ObjId, index: u32) {
    let Some(item) = k.epoll_mut(id).and_then(|epoll| epoll.remove(index)) else { return };
    if let Some(object) = k.objects.get_mut(item.object) {
        object.watchers.retain(|watch| *watch != Watch { epoll: id, item: index });
    }
}

fn epoll_wait(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    k.epoll_wait_for(memory, a, milliseconds(a.int(3)))
}

fn epoll_pwait(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    k.replace_mask_for_call(memory, a.addr(4), a.word(5))?;
    k.epoll_wait_for(memory, a, milliseconds(a.int(3)))
}

fn epoll_pwait2(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let timeout = if a.addr(3) == 0 { None } else { Some(memory.read_timespec(a.addr(3))?) };
    k.replace_mask_for_call(memory, a.addr(4), a.word(5))?;
    k.epoll_wait_for(memory, a, timeout)
}
