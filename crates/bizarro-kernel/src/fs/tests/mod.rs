//! Tests of the file system as a whole: a host with fresh files, and a shell-like way to use it.

mod durability;
mod files;
mod guarantees;
mod names;
mod native;
mod outside;
mod paths;
mod power;
mod proc;
mod rights;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::*;
use crate::errno::Errno;
use crate::seams::{Mapping, Outside, OutsideNode};

/// A host as a test uses it: paths are relative to `cwd`, and time moves with every call.
pub(super) struct Host {
    pub(super) fs: Fs,
    pub(super) kernel: Kernel,
    pub(super) outside: Elsewhere,
    pub(super) by: By,
    pub(super) cwd: Ino,
}

/// The other side of [`Proc`]: process 7 with the tasks 7 and 8, and its descriptors.
#[derive(Default)]
pub(super) struct Kernel {
    pub(super) links: BTreeMap<u32, ProcLink>,
    pub(super) cwd: Option<Ino>,
    /// How often a text was made.
    pub(super) made: core::cell::Cell<u32>,
}

impl Proc for Kernel {
    fn current(&self) -> (u32, u32) {
        (7, 8)
    }
    fn pids(&self) -> Vec<u32> {
        Vec::from([1, 7])
    }
    fn tids(&self, pid: u32) -> Option<Vec<u32>> {
        match pid {
            1 => Some(Vec::from([1])),
            7 => Some(Vec::from([7, 8])),
            _ => None,
        }
    }
    fn fds(&self, pid: u32) -> Option<Vec<u32>> {
        self.tids(pid)?;
        Some(if pid == 7 { self.links.keys().copied().collect() } else { Vec::new() })
    }
    fn link(&self, node: &ProcNode) -> Result<ProcLink, Errno> {
        match node.entry {
            ProcEntry::Fd => self.links.get(&node.arg).cloned().ok_or(Errno::ENOENT),
            ProcEntry::Cwd => self.cwd.map(ProcLink::Node).ok_or(Errno::EACCES),
            ProcEntry::Exe => Ok(ProcLink::Path(b"/usr/bin/guest".to_vec())),
            _ => Ok(ProcLink::Node(Fs::ROOT)),
        }
    }
    fn content(&self, node: &ProcNode) -> Result<Vec<u8>, Errno> {
        self.made.set(self.made.get() + 1);
        Ok(format!("{:?} of {}:{}, made {}\n", node.entry, node.pid, node.arg, self.made.get())
            .into_bytes())
    }
}

/// The other side of [`Outside`]: real paths, and how often each was asked for.
#[derive(Default)]
pub(super) struct Elsewhere {
    pub(super) nodes: BTreeMap<String, (OutsideNode, Vec<u8>)>,
    pub(super) asked: Vec<String>,
    pub(super) mappings: Vec<Mapping>,
}

impl Outside for Elsewhere {
    fn heap(&self, _: u16) -> u64 {
        0
    }
    fn look(&mut self, path: &str) -> Result<OutsideNode, Errno> {
        self.asked.push(format!("look {path}"));
        self.nodes.get(path).map(|(node, _)| node.clone()).ok_or(Errno::ENOENT)
    }
    fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        self.asked.push(format!("read {path}"));
        self.nodes.get(path).map(|(_, bytes)| bytes.clone()).ok_or(Errno::ENOENT)
    }
    fn mappings(&mut self) -> Result<Vec<Mapping>, Errno> {
        Ok(self.mappings.clone())
    }
}

/// A fresh host with a disk of a mebibyte, used by root.
pub(super) fn host() -> Host {
    host_with(1 << 20)
}

pub(super) fn host_with(capacity: u64) -> Host {
    let standard = Standard {
        hostname: "board",
        address: Ipv4Addr::new(10, 0, 0, 2),
        nameserver: Ipv4Addr::new(10, 0, 0, 1),
        cpus: 2,
        capacity,
        machine_id: 0xfeed,
        executable: "/usr/bin/guest",
        files: &[(String::from("/srv/data/seed"), b"seed".to_vec())],
        now: Realtime(1_000),
    };
    let fs = Fs::standard(&standard).unwrap();
    let by = By { cred: Cred::ROOT, umask: 0o022, now: Realtime(1_000) };
    let mut host =
        Host { fs, kernel: Kernel::default(), outside: Elsewhere::default(), by, cwd: Fs::ROOT };
    host.cwd = host.find("/tmp").unwrap();
    host
}

impl Host {
    /// Calls with what the file system needs of the rest of the world; a nanosecond passes.
    pub(super) fn call<T>(&mut self, f: impl FnOnce(&mut Fs, &mut Caller<'_>, Ino) -> T) -> T {
        self.by.now.0 += 1;
        let mut caller = Caller { by: self.by, proc: &self.kernel, outside: &mut self.outside };
        f(&mut self.fs, &mut caller, self.cwd)
    }

    pub(super) fn resolve(&mut self, path: &str, lookup: Lookup) -> Result<Found, Errno> {
        self.call(|fs, caller, cwd| fs.resolve(caller, At::new(cwd, path.as_bytes()), lookup))
    }

    /// The node at the end of a path, links followed.
    pub(super) fn find(&mut self, path: &str) -> Result<Ino, Errno> {
        match self.resolve(path, Lookup::FOLLOW)? {
            Found::Node(ino) => Ok(ino),
            Found::Foreign { .. } => Err(Errno::ENXIO),
        }
    }

    pub(super) fn stat(&mut self, path: &str) -> Result<Stat, Errno> {
        self.find(path).map(|ino| self.fs.stat(ino))
    }

    pub(super) fn open(&mut self, path: &str, flags: i32) -> Result<Opened, Errno> {
        let flags = OpenFlags::from_bits_retain(flags);
        self.call(|fs, caller, cwd| fs.open(caller, At::new(cwd, path.as_bytes()), flags, 0o666))
    }

    /// Opens a node; the test owes its release.
    pub(super) fn open_node(&mut self, path: &str, flags: i32) -> Result<Ino, Errno> {
        match self.open(path, flags)? {
            Opened::Node { ino, .. } => Ok(ino),
            Opened::Foreign { .. } => Err(Errno::ENXIO),
        }
    }

    /// `printf %s TEXT > PATH`
    pub(super) fn put(&mut self, path: &str, text: &str) -> Result<(), Errno> {
        let ino = self.open_node(path, libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC)?;
        let written = self.write(ino, 0, text.as_bytes());
        self.fs.release(ino);
        written.map(|_| ())
    }

    pub(super) fn write(&mut self, ino: Ino, offset: u64, data: &[u8]) -> Result<usize, Errno> {
        self.call(|fs, caller, _| fs.write_at(caller.by, ino, offset, data))
    }

    /// `cat PATH`
    pub(super) fn get(&mut self, path: &str) -> Result<String, Errno> {
        let ino = self.open_node(path, libc::O_RDONLY)?;
        let text = self.read(ino);
        self.fs.release(ino);
        text
    }

    /// All bytes of a node.
    pub(super) fn read(&mut self, ino: Ino) -> Result<String, Errno> {
        let mut bytes = Vec::from([0; 64]);
        let mut all = Vec::new();
        loop {
            let length = self.fs.read_at(ino, all.len() as u64, &mut bytes)?;
            if length == 0 {
                return Ok(String::from_utf8_lossy(&all).to_string());
            }
            all.extend_from_slice(&bytes[..length]);
        }
    }

    pub(super) fn mkdir(&mut self, path: &str) -> Result<Ino, Errno> {
        self.call(|fs, caller, cwd| fs.mkdir(caller, At::new(cwd, path.as_bytes()), 0o777))
    }

    pub(super) fn rmdir(&mut self, path: &str) -> Result<(), Errno> {
        self.call(|fs, caller, cwd| fs.rmdir(caller, At::new(cwd, path.as_bytes())))
    }

    pub(super) fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        self.call(|fs, caller, cwd| fs.unlink(caller, At::new(cwd, path.as_bytes())))
    }

    pub(super) fn symlink(&mut self, target: &str, path: &str) -> Result<Ino, Errno> {
        self.call(|fs, caller, cwd| {
            fs.symlink(caller, target.as_bytes(), At::new(cwd, path.as_bytes()))
        })
    }

    pub(super) fn link(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        let from = self.resolve(from, Lookup::empty())?;
        self.call(|fs, caller, cwd| fs.link(caller, from, At::new(cwd, to.as_bytes())))
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        self.rename_with(from, to, RenameFlags::empty())
    }

    pub(super) fn rename_with(
        &mut self,
        from: &str,
        to: &str,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        self.call(|fs, caller, cwd| {
            let (from, to) = (At::new(cwd, from.as_bytes()), At::new(cwd, to.as_bytes()));
            fs.rename(caller, from, to, flags)
        })
    }

    pub(super) fn mknod(&mut self, path: &str, special: Special) -> Result<Ino, Errno> {
        self.call(|fs, caller, cwd| fs.mknod(caller, At::new(cwd, path.as_bytes()), special, 0o666))
    }

    pub(super) fn readlink(&mut self, path: &str) -> Result<String, Errno> {
        let Found::Node(ino) = self.resolve(path, Lookup::empty())? else {
            return Err(Errno::EINVAL);
        };
        let text = self.call(|fs, caller, _| fs.readlink(caller, ino))?;
        Ok(String::from_utf8(text).unwrap())
    }

    /// The names of a directory, in the order in which they are listed, `.` and `..` left out.
    pub(super) fn list(&mut self, path: &str) -> Result<Vec<String>, Errno> {
        let ino = self.find(path)?;
        let mut names = Vec::new();
        self.call(|fs, caller, _| {
            fs.read_directory(caller, ino, 0, &mut |entry| {
                names.push(String::from_utf8_lossy(entry.name).to_string());
                Take::More
            })
        })?;
        Ok(names.split_off(2))
    }

    pub(super) fn path_of(&self, ino: Ino) -> String {
        String::from_utf8(self.fs.path_of(ino)).unwrap()
    }
}
