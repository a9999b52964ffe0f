//! Files that hosts have mapped to share them: a memory file of the real kernel each, so that all mappings of one show
//! the same bytes at once.
//!
//! INVARIANT: no two processes share such a file. A branch of a run begins with the mappings of the run that it was
//! forked from, and puts files of its own behind them before any guest runs ([`SharedFiles::become_own`]).

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use bizarro_kernel::errno::Errno;

use crate::{outside, raw};

const CHUNK: u64 = 1 << 16;
/// What the names of these files begin with, as the real kernel's table of mappings shows them.
const NAME: &str = "bizarro-shared:";

/// A memory file.
struct SharedFile {
    host: u16,
    file: u64,
    fd: usize,
}

impl Drop for SharedFile {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours; mappings stay.
        unsafe { raw::call(libc::SYS_close, [self.fd, 0, 0, 0, 0, 0]) };
    }
}

/// A result of the real kernel.
fn result(value: isize) -> Result<usize, Errno> {
    usize::try_from(value).map_err(|_| Errno(-value as u16))
}

impl SharedFile {
    fn new(host: u16, file: u64) -> Result<SharedFile, Errno> {
        let name = format!("{NAME}{host}:{file}\0");
        let args = [name.as_ptr() as usize, libc::MFD_CLOEXEC as usize, 0, 0, 0, 0];
        // SAFETY: the name ends with a zero.
        let fd = result(unsafe { raw::call(libc::SYS_memfd_create, args) })?;
        Ok(SharedFile { host, file, fd })
    }

    fn resize(&self, size: u64) -> Result<(), Errno> {
        // SAFETY: pages that are cut off are the guest's, which gets SIGBUS where it touches them, as on Linux.
        result(unsafe { raw::call(libc::SYS_ftruncate, [self.fd, size as usize, 0, 0, 0, 0]) })?;
        Ok(())
    }

    fn seek(&self, from: u64, what: i32) -> Option<u64> {
        let args = [self.fd, from as usize, what as usize, 0, 0, 0];
        // SAFETY: moves an offset that nobody uses.
        let at = unsafe { raw::call(libc::SYS_lseek, args) };
        u64::try_from(at).ok()
    }

    fn data(&self, from: u64) -> Option<Range<u64>> {
        let start = self.seek(from, libc::SEEK_DATA)?;
        Some(start..self.seek(start, libc::SEEK_HOLE)?)
    }

    fn read(&self, offset: u64, into: &mut [u8]) {
        let args = [self.fd, into.as_mut_ptr() as usize, into.len(), offset as usize, 0, 0];
        // SAFETY: the real kernel writes at most the buffer's length.
        let read = unsafe { raw::call(libc::SYS_pread64, args) };
        into[usize::try_from(read).unwrap_or(0)..].fill(0);
    }

    fn write(&self, offset: u64, from: &[u8]) {
        let args = [self.fd, from.as_ptr() as usize, from.len(), offset as usize, 0, 0];
        // SAFETY: the bytes are a live slice; whoever maps the file expects that they change.
        let written = unsafe { raw::call(libc::SYS_pwrite64, args) };
        assert!(written == from.len() as isize, "a memory file takes what it has room for");
    }

    fn map(&self, at: usize, length: u64, prot: i32, offset: u64) -> Result<(), Errno> {
        let flags = (libc::MAP_SHARED | libc::MAP_FIXED | libc::MAP_NORESERVE) as usize;
        let args = [at, length as usize, prot as usize, flags, self.fd, offset as usize];
        // SAFETY: the host chose these addresses, or its window has them free.
        result(unsafe { raw::call(libc::SYS_mmap, args) })?;
        Ok(())
    }

    /// The same bytes in a file of its own.
    fn copy(&self) -> Result<SharedFile, Errno> {
        let copy = SharedFile::new(self.host, self.file)?;
        copy.resize(self.seek(0, libc::SEEK_END).unwrap_or(0))?;
        let mut buffer = vec![0; CHUNK as usize];
        let mut next = 0;
        while let Some(stretch) = self.data(next) {
            let mut at = stretch.start;
            while at < stretch.end {
                let bytes = &mut buffer[..CHUNK.min(stretch.end - at) as usize];
                self.read(at, bytes);
                copy.write(at, bytes);
                at += bytes.len() as u64;
            }
            next = stretch.end;
        }
        Ok(copy)
    }
}

/// A mapping of such a file, as the real kernel's table shows it.
#[derive(PartialEq, Eq, Debug)]
pub struct Place {
    /// First address.
    pub start: usize,
    /// First address after it.
    pub end: usize,
    /// mmap(2)'s protection.
    pub prot: i32,
    /// Where in the file it begins.
    pub offset: u64,
    /// The host.
    pub host: u16,
    /// The file.
    pub file: u64,
}

/// Reads a line of the real kernel's table of mappings; `None` where it shows something else.
pub fn place(line: &str) -> Option<Place> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let rights = fields.next()?;
    let offset = u64::from_str_radix(fields.next()?, 16).ok()?;
    let name = fields.nth(2)?.strip_prefix("/memfd:")?.strip_prefix(NAME)?;
    let (host, file) = name.split_once(':')?;
    let address = |text: &str| usize::from_str_radix(text, 16).ok();
    let bits = [('r', libc::PROT_READ), ('w', libc::PROT_WRITE), ('x', libc::PROT_EXEC)];
    let prot = bits.into_iter().filter(|(c, _)| rights.contains(*c)).map(|(_, prot)| prot).sum();
    Some(Place {
        start: address(start)?,
        end: address(end)?,
        prot,
        offset,
        host: host.parse().ok()?,
        file: file.parse().ok()?,
    })
}

/// The files of all hosts that are mapped now.
#[derive(Default)]
pub struct SharedFiles(Vec<SharedFile>);

impl SharedFiles {
    fn find(&self, host: u16, file: u64) -> Option<&SharedFile> {
        self.0.iter().find(|known| (known.host, known.file) == (host, file))
    }

    /// See [`bizarro_kernel::seams::Pages::resize_shared`].
    pub fn resize(&mut self, host: u16, file: u64, size: u64) -> Result<(), Errno> {
        if self.find(host, file).is_none() {
            self.0.push(SharedFile::new(host, file)?);
        }
        self.find(host, file).map_or(Ok(()), |known| known.resize(size))
    }

    /// Maps a part of a file at addresses that are free, or given up.
    pub fn map(
        &self,
        (host, file): (u16, u64),
        at: u64,
        length: u64,
        prot: i32,
        offset: u64,
    ) -> Result<(), Errno> {
        let known = self.find(host, file).ok_or(Errno::ENODEV)?;
        known.map(at as usize, length, prot, offset)
    }

    /// See [`bizarro_kernel::seams::Pages::shared_data`].
    pub fn data(&self, host: u16, file: u64, from: u64) -> Option<Range<u64>> {
        self.find(host, file)?.data(from)
    }

    /// See [`bizarro_kernel::seams::Pages::read_shared`].
    pub fn read(&self, host: u16, file: u64, offset: u64, into: &mut [u8]) {
        if let Some(known) = self.find(host, file) {
            known.read(offset, into);
        }
    }

    /// See [`bizarro_kernel::seams::Pages::write_shared`].
    pub fn write(&self, host: u16, file: u64, offset: u64, from: &[u8]) {
        if let Some(known) = self.find(host, file) {
            known.write(offset, from);
        }
    }

    /// See [`bizarro_kernel::seams::Pages::forget_shared`].
    pub fn forget(&mut self, host: u16, file: u64) {
        self.0.retain(|known| (known.host, known.file) != (host, file));
    }

    /// Puts files of this process's own, with the same bytes, behind all mappings: to be called in a process that was
    /// forked, while the other one waits.
    pub fn become_own(&mut self) -> Result<(), Errno> {
        if self.0.is_empty() {
            return Ok(());
        }
        for known in &mut self.0 {
            *known = known.copy()?;
        }
        let text = String::from_utf8_lossy(&outside::mappings()?).into_owned();
        for place in text.lines().filter_map(place) {
            // What a process that has gone left behind is nobody's.
            if let Some(known) = self.find(place.host, place.file) {
                let length = (place.end - place.start) as u64;
                known.map(place.start, length, place.prot, place.offset)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    #[test]
    fn two_mappings_show_the_same_bytes_and_a_copy_others() {
        let mut files = SharedFiles::default();
        files.resize(3, 77, PAGE as u64 + 10).unwrap();
        files.write(3, 77, 4090, b"0123456789");
        let at = raw::map(None, 4 * PAGE, libc::PROT_NONE).unwrap();
        let both = libc::PROT_READ | libc::PROT_WRITE;
        files.map((3, 77), at as u64, 2 * PAGE as u64, both, 0).unwrap();
        files.map((3, 77), (at + 2 * PAGE) as u64, PAGE as u64, libc::PROT_READ, 4096).unwrap();
        // SAFETY: the pages were just mapped, and the file reaches into them.
        let byte = |at: usize| unsafe { core::ptr::read_volatile(at as *const u8) };
        assert_eq!((byte(at + 4090), byte(at + 2 * PAGE)), (b'0', b'6'));
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile((at + PAGE) as *mut u8, b'x') };
        assert_eq!(byte(at + 2 * PAGE), b'x');
        let mut bytes = [0; 4];
        files.read(3, 77, 4095, &mut bytes);
        assert_eq!(&bytes, b"5x78");
        assert_eq!(files.data(3, 77, 0), Some(0..PAGE as u64 + 10));

        let old = files.0[0].fd;
        // SAFETY: a second descriptor, to look at the file that is left.
        let kept = SharedFile { host: 0, file: 0, fd: unsafe { libc::dup(old as i32) } as usize };
        files.become_own().unwrap();
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile((at + PAGE) as *mut u8, b'y') };
        assert_eq!((byte(at + 4090), byte(at + 2 * PAGE)), (b'0', b'y'));
        kept.read(4096, &mut bytes[..1]);
        assert_eq!(bytes[0], b'x');
        // SAFETY: nobody else knows these pages.
        unsafe { raw::unmap(at, 4 * PAGE) };
    }

    #[test]
    fn lines_of_the_real_table_are_read() {
        let line = "410040002000-410040004000 rw-s 00001000 00:01 1234    /memfd:bizarro-shared:2:99 (deleted)";
        let read = place(line).unwrap();
        let both = libc::PROT_READ | libc::PROT_WRITE;
        assert_eq!((read.start, read.end), (0x4100_4000_2000, 0x4100_4000_4000));
        assert_eq!((read.prot, read.offset, read.host, read.file), (both, 0x1000, 2, 99));
        assert_eq!(
            place("410040002000-410040004000 rw-s 00001000 00:01 1234    /memfd:other:2:9"),
            None
        );
        assert_eq!(place("410040002000-410040004000 rw-p 00000000 00:00 0"), None);
    }
}
