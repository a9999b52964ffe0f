//! File locks: flock(2), and fcntl(2)'s record locks of processes and of descriptions.

use crate::errno::{Errno, Stop, SysResult};
use crate::fs::Ino;
use crate::fs::locks::{LockKind, LockRange, Owner};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::task::WaitsFor;

/// `struct flock`.
struct Record {
    kind: i32,
    range: LockRange,
}

/// What a record lock is asked for, or that it is given up.
fn lock_kind(kind: i32) -> Result<Option<LockKind>, Errno> {
    match kind {
        libc::F_RDLCK => Ok(Some(LockKind::Shared)),
        libc::F_WRLCK => Ok(Some(LockKind::Exclusive)),
        libc::F_UNLCK => Ok(None),
        _ => Err(Errno::EINVAL),
    }
}

impl Kernel {
    /// flock(2).
    pub(crate) fn lock_whole_file(&mut self, fd: i32, operation: i32) -> SysResult {
        let id = self.descriptor(fd)?;
        let Some(Kind::File(file)) = self.objects.get(id).map(|object| &object.kind) else {
            return Err(Errno::EINVAL.into());
        };
        let ino = file.ino;
        let kind = match operation & !libc::LOCK_NB {
            libc::LOCK_SH => Some(LockKind::Shared),
            libc::LOCK_EX => Some(LockKind::Exclusive),
            libc::LOCK_UN => None,
            _ => return Err(Errno::EINVAL.into()),
        };
        let locks = &mut self.host_mut().locks;
        let Some(kind) = kind else {
            let freed = locks.funlock(ino, id.to_bits());
            self.locks_changed(self.host_id(), freed);
            return Ok(0);
        };
        let outcome = locks.flock(ino, id.to_bits(), kind);
        self.locks_changed(self.host_id(), outcome.freed);
        match outcome.conflict {
            None => Ok(0),
            Some(_) if operation & libc::LOCK_NB != 0 => Err(Errno::EAGAIN.into()),
            Some(_) => Err(self.wait_for_lock()),
        }
    }

    /// fcntl(2)'s F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ forms.
    pub(crate) fn record_lock(
        &mut self,
        memory: &mut dyn GuestMemory,
        id: ObjId,
        command: i32,
        addr: u64,
    ) -> SysResult {
        let Some(object) = self.objects.get(id) else { return Err(Errno::EBADF.into()) };
        let Kind::File(file) = &object.kind else { return Err(Errno::EINVAL.into()) };
        let (ino, offset, access) = (file.ino, file.offset, object.status & libc::O_ACCMODE);
        let of_description =
            [libc::F_OFD_GETLK, libc::F_OFD_SETLK, libc::F_OFD_SETLKW].contains(&command);
        let size = self.host().disk().size(ino);
        let record = read_record(memory, addr, offset, size)?;
        // LINUX: for locks of descriptions the field for the process must be zero, fcntl_locking(2).
        if of_description && memory.read_i32(addr + 24)? != 0 {
            return Err(Errno::EINVAL.into());
        }
        let pid = self.host().process.pid;
        let owner =
            if of_description { Owner::Description(id.to_bits()) } else { Owner::Process(pid) };
        if [libc::F_GETLK, libc::F_OFD_GETLK].contains(&command) {
            return self.query_lock(memory, addr, ino, owner, &record);
        }
        let Some(kind) = lock_kind(record.kind)? else {
            let freed = self.host_mut().locks.unlock(ino, owner, record.range);
            self.locks_changed(self.host_id(), freed);
            return Ok(0);
        };
        let needed = if kind == LockKind::Shared { libc::O_WRONLY } else { libc::O_RDONLY };
        if access == needed {
            return Err(Errno::EBADF.into());
        }
        let outcome = self.host_mut().locks.lock(ino, owner, record.range, kind);
        self.locks_changed(self.host_id(), outcome.freed);
        let waits = [libc::F_SETLKW, libc::F_OFD_SETLKW].contains(&command);
        match outcome.conflict {
            None => Ok(0),
            Some(_) if !waits => Err(Errno::EAGAIN.into()),
            Some(held) => {
                if !of_description {
                    let tid = self.task().tid;
                    self.host_mut().locks.wait(tid, pid, held.owner)?;
                }
                Err(self.wait_for_lock())
            }
        }
    }

    fn query_lock(
        &mut self,
        memory: &mut dyn GuestMemory,
        addr: u64,
        ino: Ino,
        owner: Owner,
        record: &Record,
    ) -> SysResult {
        let kind = lock_kind(record.kind)?.ok_or(Errno::EINVAL)?;
        match self.host().locks.query(ino, owner, record.range, kind) {
            None => memory.write_u16(addr, libc::F_UNLCK as u16)?,
            Some(held) => {
                let shared = held.kind == LockKind::Shared;
                let kind = if shared { libc::F_RDLCK } else { libc::F_WRLCK };
                let pid = match held.owner {
                    Owner::Process(pid) => pid as i32,
                    Owner::Description(_) => -1,
                };
                memory.write_u16(addr, kind as u16)?;
                memory.write_u16(addr + 2, libc::SEEK_SET as u16)?;
                memory.write_u64(addr + 8, held.range.start)?;
                memory.write_i64(addr + 16, held.range.length())?;
                memory.write_i32(addr + 24, pid)?;
            }
        }
        Ok(0)
    }

    fn wait_for_lock(&mut self) -> Stop {
        let wait = self.wait(WaitsFor::Lock);
        self.host_mut().lock_waiters.push(wait);
        Stop::Block
    }

    /// Where a lock was given up, whoever waits for one tries again.
    fn locks_changed(&mut self, host: HostId, freed: bool) {
        let tid = self.task_by_id(self.current).map_or(0, |task| task.tid);
        let owner = &mut self.hosts[usize::from(host.0)];
        owner.locks.stop_waiting(tid);
        if freed {
            for wait in core::mem::take(&mut owner.lock_waiters) {
                self.wake(wait);
            }
        }
    }

    /// LINUX: closing any descriptor of a file gives up the process's record locks on it, fcntl_locking(2).
    pub(crate) fn release_locks_of_closed(&mut self, host: HostId, id: ObjId) {
        let Some(Kind::File(file)) = self.objects.get(id).map(|object| &object.kind) else {
            return;
        };
        let ino = file.ino;
        let owner = &mut self.hosts[usize::from(host.0)];
        let freed = owner.locks.descriptor_closed(ino, owner.process.pid);
        self.locks_changed(host, freed);
    }

    pub(crate) fn release_locks_of_description(&mut self, host: HostId, id: ObjId, ino: Ino) {
        let freed = self.hosts[usize::from(host.0)].locks.description_closed(ino, id.to_bits());
        self.locks_changed(host, freed);
    }
}

fn read_record(
    memory: &dyn GuestMemory,
    addr: u64,
    offset: u64,
    size: u64,
) -> Result<Record, Errno> {
    let kind = i32::from(memory.read_u16(addr)?);
    let base = match i32::from(memory.read_u16(addr + 2)?) {
        libc::SEEK_SET => 0,
        libc::SEEK_CUR => offset,
        libc::SEEK_END => size,
        _ => return Err(Errno::EINVAL),
    };
    let range = LockRange::new(base, memory.read_i64(addr + 8)?, memory.read_i64(addr + 16)?)?;
    Ok(Record { kind, range })
}
