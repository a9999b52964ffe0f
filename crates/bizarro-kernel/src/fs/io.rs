//! Bytes of regular files: read(2), write(2), truncate(2), fallocate(2), lseek(2)'s holes.

use core::ops::Range;

use super::content::{Content, PAGE};
use super::inode::{Body, Inode};
use super::types::{Access, AllocateMode, By, Cred, FILE_SIZE_MAX, FileType, Ino};
use super::{Change, Fs};
use crate::errno::Errno;

/// What lseek(2) looks for in a sparse file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seek {
    /// SEEK_DATA
    Data,
    /// SEEK_HOLE
    Hole,
}

impl Fs {
    /// Copies bytes from `offset` of a file into `into` and gives how many there were; 0 at the end.
    /// The access time is the caller's to touch, with [`Fs::accessed`], unless O_NOATIME is set.
    ///
    /// # Errors
    /// `EISDIR`, and `EINVAL` for nodes whose bytes are not here.
    pub fn read_at(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        if self.is_directory(ino) {
            return Err(Errno::EISDIR);
        }
        match self.nodes.find(ino).map(|inode| &inode.body) {
            Some(Body::File(content)) => Ok(content.read(offset, into)),
            Some(Body::Proc(_, text)) => {
                let start = text.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
                let length = into.len().min(text.len() - start);
                into[..length].copy_from_slice(&text[start..start + length]);
                Ok(length)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// Bytes of a file, or of the text of an opened file of /proc; 0 for what has none.
    pub fn size(&self, ino: Ino) -> u64 {
        match self.nodes.find(ino).map(|inode| &inode.body) {
            Some(Body::File(content)) => content.size(),
            Some(Body::Proc(_, text)) => text.len() as u64,
            _ => 0,
        }
    }

    /// Writes `data` at `offset` of a file and gives how many bytes fitted: all, or fewer where the
    /// disk or the largest file ends.
    ///
    /// # Errors
    /// `ENOSPC` or `EFBIG` where nothing fits, an armed failure, and `EINVAL` for what is no file.
    pub fn write_at(&mut self, by: By, ino: Ino, offset: u64, data: &[u8]) -> Result<usize, Errno> {
        let content = file(self.nodes.get(ino))?;
        if data.is_empty() {
            return Ok(0);
        }
        if offset >= FILE_SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        let end = offset.saturating_add(data.len() as u64).min(FILE_SIZE_MAX);
        let mount = self.nodes.get(ino).mount;
        let free = self.mounts.free_pages(mount);
        let fits = if content.missing(offset..end) <= free {
            end - offset
        } else {
            content.fitting(offset..end, free)
        };
        if fits == 0 {
            return Err(Errno::ENOSPC);
        }
        self.change(mount, Change::Write)?;
        let data = &data[..fits as usize];
        let place = self.place_of_write(mount, self.size(ino), offset, fits);
        if place != offset {
            self.modify(by, ino, offset..offset + fits, |content| {
                content.resize(content.size().max(offset + fits));
            });
        }
        self.modify(by, ino, place..place + fits, |content| content.write(place, data));
        Ok(data.len())
    }

    /// Writes `data` at the end of a file, as O_APPEND does, and gives the end before and how many
    /// bytes fitted.
    ///
    /// # Errors
    /// As [`Fs::write_at`].
    pub fn append(&mut self, by: By, ino: Ino, data: &[u8]) -> Result<(u64, usize), Errno> {
        let end = file(self.nodes.get(ino))?.size();
        Ok((end, self.write_at(by, ino, end, data)?))
    }

    /// truncate(2), for a node that a path led to.
    ///
    /// # Errors
    /// `EISDIR`, `EINVAL` for what is no file, `EROFS`, `EACCES`, `EFBIG`, an armed failure.
    pub fn truncate(&mut self, by: By, ino: Ino, size: u64) -> Result<(), Errno> {
        match self.file_type(ino) {
            FileType::Directory => return Err(Errno::EISDIR),
            FileType::Regular => self.permit(by.cred, ino, Access::WRITE)?,
            _ => return Err(Errno::EINVAL),
        }
        if self.mount_of(ino) == super::MountId::PROC {
            // LINUX: the files of /proc let themselves be cut off, and are as before.
            return Ok(());
        }
        self.resize(by, ino, size)
    }

    /// ftruncate(2), for a file that is open for writing, and O_TRUNC.
    ///
    /// # Errors
    /// `EINVAL` for what is no file, `EFBIG`, an armed failure.
    pub fn resize(&mut self, by: By, ino: Ino, size: u64) -> Result<(), Errno> {
        let inode = self.nodes.find(ino).ok_or(Errno::EINVAL)?;
        let old = file(inode)?.size();
        if size > FILE_SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        self.change(inode.mount, if size > old { Change::Write } else { Change::Cut })?;
        self.modify(by, ino, size..size, |content| content.resize(size));
        if size == 0 {
            self.nodes.get_mut(ino).mark.forsaken = false;
        }
        Ok(())
    }

    /// fallocate(2): reserves room, punches holes, writes zeroes.
    ///
    /// # Errors
    /// fallocate(2)'s. `EOPNOTSUPP` for modes that are not in [`AllocateMode`]; `ENOSPC` leaves
    /// nothing reserved.
    pub fn fallocate(
        &mut self,
        by: By,
        ino: Ino,
        mode: AllocateMode,
        offset: i64,
        length: i64,
    ) -> Result<(), Errno> {
        if offset < 0 || length <= 0 {
            return Err(Errno::EINVAL);
        }
        let keeps = mode.contains(AllocateMode::KEEP_SIZE);
        let action = mode - AllocateMode::KEEP_SIZE;
        let punches = action == AllocateMode::PUNCH_HOLE;
        let zeroes = action == AllocateMode::ZERO_RANGE;
        if !(action.is_empty() || zeroes || (punches && keeps)) {
            return Err(Errno::EOPNOTSUPP);
        }
        match self.file_type(ino) {
            FileType::Fifo => return Err(Errno::ESPIPE),
            FileType::Directory => return Err(Errno::EISDIR),
            FileType::Regular => {}
            _ => return Err(Errno::ENODEV),
        }
        let (start, end) = (offset as u64, offset as u64 + length as u64);
        if end > FILE_SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        let inode = self.nodes.find(ino).ok_or(Errno::EOPNOTSUPP)?;
        let mount = inode.mount;
        if !punches && file(inode)?.missing(start..end) > self.mounts.free_pages(mount) {
            return Err(Errno::ENOSPC);
        }
        self.change(mount, if punches { Change::Cut } else { Change::Write })?;
        self.modify(by, ino, start..end, |content| {
            if punches || zeroes {
                content.punch(start..end);
            }
            if !punches {
                content.allocate(start..end);
            }
            if !keeps && end > content.size() {
                content.resize(end);
            }
        });
        Ok(())
    }

    /// Where, at or after `offset`, the next data or the next hole of a file is; pages of 4 KiB are
    /// either.
    ///
    /// # Errors
    /// `ENXIO` at or past the end and where no data follows; `EINVAL` for what is no file.
    pub fn seek(&self, ino: Ino, offset: u64, what: Seek) -> Result<u64, Errno> {
        let content = file(self.nodes.find(ino).ok_or(Errno::EINVAL)?)?;
        if offset >= content.size() {
            return Err(Errno::ENXIO);
        }
        match what {
            Seek::Data => content.data(offset).ok_or(Errno::ENXIO),
            Seek::Hole => Ok(content.hole(offset)),
        }
    }

    /// Makes `bytes` the file's bytes from `offset` on, which a mapping shows already, and gives each page that is new to
    /// `changed`. The offset is a multiple of the page size, and the bytes end with a page or with the file.
    pub(crate) fn store(
        &mut self,
        by: By,
        ino: Ino,
        offset: u64,
        bytes: &[u8],
        changed: &mut dyn FnMut(&[u8]),
    ) {
        let mut at = offset;
        for page in bytes.chunks(PAGE as usize) {
            let Ok(content) = file(self.nodes.get(ino)) else { return };
            if content.page(at / PAGE)[..page.len()] != *page {
                changed(page);
                let end = at + page.len() as u64;
                self.edit(by, ino, at..end, |content| content.write(at, page));
            }
            at += PAGE;
        }
    }

    /// Changes the content of a file, the bytes `written` of it, after [`Fs::change`] agreed, and everything that goes with
    /// it.
    fn modify(&mut self, by: By, ino: Ino, written: Range<u64>, edit: impl FnOnce(&mut Content)) {
        self.shown.changed(ino, written.clone());
        self.edit(by, ino, written, edit);
    }

    /// The same, of a change that mappings show already.
    fn edit(&mut self, by: By, ino: Ino, written: Range<u64>, edit: impl FnOnce(&mut Content)) {
        self.bytes_change(ino);
        let inode = self.nodes.get_mut(ino);
        let Body::File(content) = &mut inode.body else {
            panic!("the content of a node that is no file was to be changed")
        };
        let before = content.pages();
        edit(content);
        let after = content.pages();
        inode.modified(by.now);
        drop_privileges(inode, by.cred);
        let mount = inode.mount;
        self.mounts.count_pages(mount, before, after);
        self.content_changed(ino);
        self.bytes_changed(ino, written);
    }
}

/// LINUX: whoever but root writes to a file takes its set-id bits away, write(2).
fn drop_privileges(inode: &mut Inode, cred: Cred) {
    if cred.is_root() {
        return;
    }
    inode.mode &= !libc::S_ISUID;
    if inode.mode & libc::S_IXGRP != 0 {
        inode.mode &= !libc::S_ISGID;
    }
}

fn file(inode: &Inode) -> Result<&Content, Errno> {
    match &inode.body {
        Body::File(content) => Ok(content),
        _ => Err(Errno::EINVAL),
    }
}
