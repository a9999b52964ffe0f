//! Signals as a descriptor: signalfd(2).

use alloc::vec::Vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::signal::UNBLOCKABLE;
use crate::sys::signals::mask::eight;
use crate::table::Args;

pub(super) fn signalfd(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    make_signalfd(k, memory, a, 0)
}

pub(super) fn signalfd4(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    make_signalfd(k, memory, a, a.int(3))
}

fn make_signalfd(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args, flags: i32) -> SysResult {
    eight(a.word(2))?;
    if flags & !(libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let set = memory.read_u64(a.addr(1))? & !UNBLOCKABLE;
    if a.fd(0) != -1 {
        let id = k.descriptor(a.fd(0))?;
        return match k.objects.get_mut(id).map(|object| &mut object.kind) {
            Some(Kind::Signal(old)) => {
                *old = set;
                Ok(a.fd(0) as u64)
            }
            _ => Err(Errno::EINVAL.into()),
        };
    }
    let status = libc::O_RDWR | flags & libc::O_NONBLOCK;
    Ok(k.open_descriptor(Kind::Signal(set), status, flags)? as u64)
}

impl Kernel {
    /// Readiness of a signalfd for the current task.
    pub(crate) fn signalfd_readiness(&self, set: u64) -> u32 {
        let pending = self.task_by_id(self.current).map_or(0, |task| {
            task.signals.pending.set()
                | self.hosts[usize::from(task.host.0)].process.signals.pending.set()
        });
        if pending & set != 0 { libc::EPOLLIN as u32 } else { 0 }
    }

    /// read(2) on a signalfd: one `struct signalfd_siginfo`.
    pub(crate) fn read_signalfd(&mut self, id: ObjId, set: u64) -> Result<[u8; 128], Stop> {
        match self.take_signal(set) {
            Some(info) => {
                let mut bytes = [0; 128];
                bytes[0..4].copy_from_slice(&info.signal.to_le_bytes());
                bytes[8..12].copy_from_slice(&info.code.to_le_bytes());
                bytes[12..16].copy_from_slice(&info.pid.to_le_bytes());
                bytes[16..20].copy_from_slice(&info.uid.to_le_bytes());
                bytes[44..48].copy_from_slice(&(info.value as u32).to_le_bytes());
                bytes[48..56].copy_from_slice(&info.value.to_le_bytes());
                Ok(bytes)
            }
            None => Err(self.wait_unless_nonblocking(id)),
        }
    }

    pub(super) fn notify_signalfds(&mut self, host: HostId) {
        let descriptors = &self.hosts[usize::from(host.0)].process.descriptors;
        let ids: Vec<ObjId> = descriptors
            .iter()
            .map(|(_, descriptor)| descriptor.object)
            .filter(|id| {
                matches!(self.objects.get(*id).map(|object| &object.kind), Some(Kind::Signal(_)))
            })
            .collect();
        for id in ids {
            self.notify(id);
        }
    }
}
