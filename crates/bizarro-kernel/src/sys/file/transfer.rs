//! What reading and writing share.

use crate::errno::{Errno, Stop};
use crate::memory::IoVec;
use crate::table::Args;

/// LINUX: more bytes than this are cut off a single transfer (MAX_RW_COUNT).
pub(crate) const TRANSFER_MAX: usize = 0x7fff_f000;
/// One transfer's bytes at a time go through a buffer of this size.
pub(crate) const CHUNK: usize = 1 << 16;

/// Where a transfer starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// At the description's offset, which moves on.
    Current,
    /// At a place of its own.
    At(u64),
}

impl Place {
    pub(crate) fn at(offset: i64) -> Result<Place, Errno> {
        u64::try_from(offset).map(Place::At).map_err(|_| Errno::EINVAL)
    }

    /// LINUX: a transfer that would end beyond the largest offset is EINVAL, whatever there is to transfer.
    pub(super) fn check(self, current: u64, len: usize) -> Result<u64, Errno> {
        let start = if let Place::At(offset) = self { offset } else { current };
        let end = start.checked_add(len as u64).ok_or(Errno::EINVAL)?;
        if i64::try_from(end).is_ok() { Ok(start) } else { Err(Errno::EINVAL) }
    }
}

pub(super) fn one(a: &Args) -> [IoVec; 1] {
    [IoVec { base: a.addr(1), len: a.word(2) }]
}

/// The flags of preadv2(2) and pwritev2(2).
pub(super) fn transfer_flags(a: &Args) -> Result<i32, Stop> {
    let flags = a.int(5);
    let harmless = libc::RWF_HIPRI | libc::RWF_NOWAIT | libc::RWF_DSYNC | libc::RWF_SYNC;
    match flags & !harmless {
        0 => Ok(flags),
        libc::RWF_APPEND => Err(Stop::Unsupported("RWF_APPEND".into())),
        _ => Err(Errno::EOPNOTSUPP.into()),
    }
}
