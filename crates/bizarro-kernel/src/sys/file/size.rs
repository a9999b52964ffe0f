//! How large a file is, and may become: ftruncate(2), fallocate(2), RLIMIT_FSIZE.

use crate::errno::{Errno, Stop, SysResult};
use crate::fs::{AllocateMode, Ino};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::signal::Info;
use crate::table::Args;

pub(super) fn ftruncate(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let ino = k.file(id).ok_or(Errno::EINVAL)?.ino;
    let size = u64::try_from(a.offset(1)).map_err(|_| Errno::EINVAL)?;
    k.may(id, libc::O_RDONLY).map_err(|_| Errno::EINVAL)?;
    k.check_size(ino, size)?;
    let by = k.by();
    k.with_disk(|fs| fs.resize(by, ino, size))?;
    Ok(0)
}

pub(super) fn fallocate(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let ino = k.file(id).ok_or(Errno::ESPIPE)?.ino;
    k.may(id, libc::O_RDONLY)?;
    let (by, mode) = (k.by(), AllocateMode::from_bits_retain(a.int(1)));
    if !mode.contains(AllocateMode::KEEP_SIZE) {
        k.check_size(ino, (a.offset(2) as u64).saturating_add(a.offset(3) as u64))?;
    }
    k.with_disk(|fs| fs.fallocate(by, ino, mode, a.offset(2), a.offset(3)))?;
    Ok(0)
}

impl Kernel {
    /// A file must not become larger than RLIMIT_FSIZE; it may be so already.
    pub(crate) fn check_size(&mut self, ino: Ino, size: u64) -> Result<(), Stop> {
        let limit = self.host().process.limits[libc::RLIMIT_FSIZE as usize].soft;
        if size > limit && size > self.host().disk().size(ino) {
            return Err(self.file_too_large());
        }
        Ok(())
    }

    /// A write beyond RLIMIT_FSIZE: SIGXFSZ and EFBIG.
    pub(super) fn file_too_large(&mut self) -> Stop {
        let (current, pid) = (self.current, self.host().process.pid);
        let info = Info { signal: libc::SIGXFSZ, code: libc::SI_USER, pid, uid: 0, value: 0 };
        self.send_to_task(current, info);
        Errno::EFBIG.into()
    }
}
