//! Real directories that a test mounted, read-only, and the table of mappings: the one place that opens real files.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bizarro_kernel::errno::Errno;
use bizarro_kernel::seams::{Mapping, Outside, OutsideNode, PROGRAM};

use crate::{guest_heap, objects, raw};

/// Reads the real file system.
pub struct RealFiles;

/// An open descriptor of the real kernel.
struct RealFd(usize);

impl RealFd {
    fn open(path: &str, flags: i32) -> Result<RealFd, Errno> {
        let mut bytes = Vec::from(path.as_bytes());
        bytes.push(0);
        let at = libc::AT_FDCWD as usize;
        let args = [at, bytes.as_ptr() as usize, (flags | libc::O_CLOEXEC) as usize, 0, 0, 0];
        // SAFETY: the path ends with a zero.
        result(unsafe { raw::call(libc::SYS_openat, args) }).map(RealFd)
    }
}

impl Drop for RealFd {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours.
        unsafe { raw::call(libc::SYS_close, [self.0, 0, 0, 0, 0, 0]) };
    }
}

/// The mappings of this process, as proc_pid_maps(5) shows them.
pub(crate) fn mappings() -> Result<Vec<u8>, Errno> {
    let fd = RealFd::open("/proc/self/maps", libc::O_RDONLY)?;
    let (mut text, mut buffer) = (Vec::new(), vec![0u8; 1 << 16]);
    loop {
        let args = [fd.0, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
        // SAFETY: the kernel writes at most the buffer's length.
        match result(unsafe { raw::call(libc::SYS_read, args) })? {
            0 => return Ok(text),
            len => text.extend_from_slice(&buffer[..len]),
        }
    }
}

fn result(value: isize) -> Result<usize, Errno> {
    if value < 0 { Err(Errno(-value as u16)) } else { Ok(value as usize) }
}

/// Links are guests' to follow, but for the one to the program, whose target is nobody's business.
fn no_follow(path: &str) -> i32 {
    if path == PROGRAM { 0 } else { libc::O_NOFOLLOW }
}

fn stat(path: &str) -> Result<libc::stat, Errno> {
    let fd = RealFd::open(path, libc::O_PATH | no_follow(path))?;
    // SAFETY: all zero is a valid `stat`, and the kernel fills it in.
    unsafe {
        let mut stat: libc::stat = core::mem::zeroed();
        let args = [fd.0, &raw mut stat as usize, 0, 0, 0, 0];
        result(raw::call(libc::SYS_fstat, args))?;
        Ok(stat)
    }
}

fn names(path: &str) -> Result<Vec<String>, Errno> {
    let fd = RealFd::open(path, libc::O_RDONLY | libc::O_DIRECTORY)?;
    let (mut names, mut buffer) = (Vec::new(), vec![0u8; 1 << 15]);
    loop {
        let args = [fd.0, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
        // SAFETY: the kernel writes at most the buffer's length.
        let len = result(unsafe { raw::call(libc::SYS_getdents64, args) })?;
        if len == 0 {
            break;
        }
        // struct linux_dirent64: inode 8, offset 8, length 2, type 1, name; getdents(2).
        let mut at = 0;
        while at < len {
            let length = usize::from(u16::from_le_bytes([buffer[at + 16], buffer[at + 17]]));
            let name = &buffer[at + 19..at + length];
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            if let Ok(name) = core::str::from_utf8(&name[..end])
                && ![".", ".."].contains(&name)
            {
                names.push(String::from(name));
            }
            at += length;
        }
    }
    names.sort();
    Ok(names)
}

fn link(path: &str) -> Result<String, Errno> {
    let mut name = Vec::from(path.as_bytes());
    name.push(0);
    let mut buffer = vec![0u8; 4096];
    let args = [name.as_ptr() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
    // SAFETY: the path ends with a zero; the kernel writes at most the buffer's length.
    let len = result(unsafe { raw::call(libc::SYS_readlink, args) })?;
    buffer.truncate(len);
    String::from_utf8(buffer).map_err(|_| Errno::EINVAL)
}

impl Outside for RealFiles {
    fn look(&mut self, path: &str) -> Result<OutsideNode, Errno> {
        let stat = stat(path)?;
        match stat.st_mode & libc::S_IFMT {
            // Who may run it depends on whoever built it; a world does not.
            libc::S_IFREG if path == PROGRAM => {
                Ok(OutsideNode::File { size: stat.st_size as u64, mode: 0o755 })
            }
            libc::S_IFREG => {
                Ok(OutsideNode::File { size: stat.st_size as u64, mode: stat.st_mode & 0o777 })
            }
            libc::S_IFDIR => names(path).map(OutsideNode::Directory),
            libc::S_IFLNK => link(path).map(OutsideNode::Symlink),
            // Devices and sockets of the real machine are not for a world.
            _ => Err(Errno::EACCES),
        }
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        let fd = RealFd::open(path, libc::O_RDONLY | no_follow(path))?;
        let mut content = vec![0u8; stat(path)?.st_size as usize];
        let mut done = 0;
        while done < content.len() {
            let args = [fd.0, content[done..].as_mut_ptr() as usize, content.len() - done, 0, 0, 0];
            // SAFETY: the kernel writes at most the rest of the buffer.
            match result(unsafe { raw::call(libc::SYS_read, args) })? {
                0 => break,
                len => done += len,
            }
        }
        content.truncate(done);
        Ok(content)
    }

    fn heap(&self, host: u16) -> u64 {
        guest_heap::used(usize::from(host) + 1)
    }

    fn mappings(&mut self) -> Result<Vec<Mapping>, Errno> {
        objects::of_current_process()
    }
}
