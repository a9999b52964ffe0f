//! Reading and writing Linux's structures in guest memory.

use alloc::vec;
use alloc::vec::Vec;

use bizarro_record::Nanos;

use crate::errno::Errno;
use crate::seams::GuestMemory;

/// Longest path that Linux takes, with its terminating zero (PATH_MAX).
pub const PATH_MAX: usize = 4096;
const PAGE: u64 = 4096;

macro_rules! scalars {
    ($($read:ident $write:ident $type:ty;)*) => {
        impl dyn GuestMemory + '_ {
            $(
                /// Reads one number.
                #[inline]
                pub fn $read(&self, addr: u64) -> Result<$type, Errno> {
                    let mut bytes = [0; size_of::<$type>()];
                    self.read(addr, &mut bytes)?;
                    Ok(<$type>::from_le_bytes(bytes))
                }
                /// Writes one number.
                #[inline]
                pub fn $write(&mut self, addr: u64, value: $type) -> Result<(), Errno> {
                    self.write(addr, &value.to_le_bytes())
                }
            )*
        }
    };
}

scalars! {
    read_u16 write_u16 u16;
    read_u32 write_u32 u32;
    read_i32 write_i32 i32;
    read_u64 write_u64 u64;
    read_i64 write_i64 i64;
}

/// One element of a scatter/gather list (`struct iovec`, readv(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IoVec {
    /// Where the bytes are.
    pub base: u64,
    /// How many.
    pub len: u64,
}

impl dyn GuestMemory + '_ {
    /// Reads `len` bytes.
    pub fn read_vec(&self, addr: u64, len: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; len];
        self.read(addr, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads a zero-terminated string of less than [`PATH_MAX`] bytes; a longer one is `ENAMETOOLONG`.
    pub fn read_path(&self, addr: u64) -> Result<Vec<u8>, Errno> {
        let mut path = Vec::new();
        let mut at = addr;
        // Page by page, since the page after the terminating zero need not be there.
        while path.len() < PATH_MAX {
            let room = (PAGE - at % PAGE).min((PATH_MAX - path.len()) as u64).min(256);
            let start = path.len();
            path.resize(start + room as usize, 0);
            self.read(at, &mut path[start..])?;
            if let Some(end) = path[start..].iter().position(|byte| *byte == 0) {
                path.truncate(start + end);
                return Ok(path);
            }
            at += room;
        }
        Err(Errno::ENAMETOOLONG)
    }

    /// Reads a `struct timespec` as a span. Negative or over-full fields are `EINVAL`.
    pub fn read_timespec(&self, addr: u64) -> Result<Nanos, Errno> {
        let (secs, nanos) = (self.read_i64(addr)?, self.read_i64(addr + 8)?);
        if secs < 0 || !(0..1_000_000_000).contains(&nanos) {
            return Err(Errno::EINVAL);
        }
        Ok(Nanos((secs as u64).saturating_mul(1_000_000_000).saturating_add(nanos as u64)))
    }

    /// Writes a span as a `struct timespec`.
    pub fn write_timespec(&mut self, addr: u64, span: Nanos) -> Result<(), Errno> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(span.0 / 1_000_000_000).to_le_bytes());
        bytes[8..].copy_from_slice(&(span.0 % 1_000_000_000).to_le_bytes());
        self.write(addr, &bytes)
    }

    /// Reads a `struct timeval` as a span. Negative or over-full fields are `EINVAL`.
    pub fn read_timeval(&self, addr: u64) -> Result<Nanos, Errno> {
        let (secs, micros) = (self.read_i64(addr)?, self.read_i64(addr + 8)?);
        if secs < 0 || !(0..1_000_000).contains(&micros) {
            return Err(Errno::EINVAL);
        }
        Ok(Nanos((secs as u64).saturating_mul(1_000_000_000).saturating_add(micros as u64 * 1000)))
    }

    /// Writes a span as a `struct timeval`.
    pub fn write_timeval(&mut self, addr: u64, span: Nanos) -> Result<(), Errno> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(span.0 / 1_000_000_000).to_le_bytes());
        bytes[8..].copy_from_slice(&(span.0 % 1_000_000_000 / 1000).to_le_bytes());
        self.write(addr, &bytes)
    }

    /// Reads `count` elements of a scatter/gather list; over IOV_MAX (1024) is `EINVAL`.
    pub fn read_iovecs(&self, addr: u64, count: u64) -> Result<Vec<IoVec>, Errno> {
        if count > 1024 {
            return Err(Errno::EINVAL);
        }
        let bytes = self.read_vec(addr, count as usize * 16)?;
        let word = |at: usize| {
            u64::from_le_bytes(bytes[at..at + 8].try_into().expect("sixteen bytes an element"))
        };
        let vecs: Vec<IoVec> = (0..count as usize)
            .map(|i| IoVec { base: word(i * 16), len: word(i * 16 + 8) })
            .collect();
        // LINUX: a total that does not fit into ssize_t is EINVAL, readv(2).
        let total = vecs.iter().try_fold(0u64, |sum, vec| sum.checked_add(vec.len));
        if total.is_none_or(|total| total > i64::MAX as u64) {
            return Err(Errno::EINVAL);
        }
        Ok(vecs)
    }

    /// Reads the bytes that a scatter/gather list names, at most `max`.
    pub fn gather(&self, vecs: &[IoVec], max: usize) -> Result<Vec<u8>, Errno> {
        let total = vecs.iter().map(|vec| vec.len as usize).sum::<usize>().min(max);
        let mut bytes = vec![0; total];
        let mut at = 0;
        for vec in vecs {
            let len = (vec.len as usize).min(total - at);
            if len > 0 {
                self.read(vec.base, &mut bytes[at..at + len])?;
                at += len;
            }
        }
        Ok(bytes)
    }
}

/// Writes bytes one after the other into the places that a scatter/gather list names.
pub struct Scatter<'a> {
    memory: &'a mut dyn GuestMemory,
    vecs: &'a [IoVec],
    index: usize,
    offset: u64,
}

impl<'a> Scatter<'a> {
    /// Starts at the list's first byte.
    pub fn new(memory: &'a mut dyn GuestMemory, vecs: &'a [IoVec]) -> Scatter<'a> {
        Scatter { memory, vecs, index: 0, offset: 0 }
    }

    /// Leaves out the next `n` bytes of the list.
    pub fn skip(&mut self, mut n: usize) {
        while let Some(vec) = self.vecs.get(self.index).filter(|_| n > 0) {
            let rest = (vec.len - self.offset) as usize;
            if n < rest {
                self.offset += n as u64;
                return;
            }
            n -= rest;
            (self.index, self.offset) = (self.index + 1, 0);
        }
    }

    /// Writes `bytes` at the current place; what does not fit is left out.
    pub fn put(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        while let Some(vec) = self.vecs.get(self.index).filter(|_| !bytes.is_empty()) {
            let len = bytes.len().min((vec.len - self.offset) as usize);
            if len > 0 {
                self.memory.write(vec.base + self.offset, &bytes[..len])?;
            }
            bytes = &bytes[len..];
            self.offset += len as u64;
            if self.offset == vec.len {
                (self.index, self.offset) = (self.index + 1, 0);
            }
        }
        Ok(())
    }
}
