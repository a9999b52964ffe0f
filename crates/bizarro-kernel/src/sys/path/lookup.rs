//! From the directory and the path that a guest gave to what they lead to: path_resolution(7), openat(2).

use crate::errno::{Errno, SysResult};
use crate::fs::{At, Caller, Found, Fs, Ino, Kind as Node, Lookup};
use crate::kernel::Kernel;
use crate::object::Kind;

impl Kernel {
    /// Where a path relative to `dirfd` starts. An absolute one starts anywhere.
    pub(super) fn start(&self, dirfd: i32, path: &[u8], lookup: Lookup) -> Result<Ino, Errno> {
        if path.first() == Some(&b'/') {
            return Ok(Fs::ROOT);
        }
        if path.is_empty() && !lookup.contains(Lookup::EMPTY) {
            return Err(Errno::ENOENT);
        }
        if dirfd == libc::AT_FDCWD {
            return Ok(self.host().process.cwd);
        }
        let (_, object) = self.object(dirfd)?;
        match &object.kind {
            Kind::File(file) => {
                let directory = self.host().disk().kind(file.ino) == Node::Directory;
                let itself = path.is_empty() && lookup.contains(Lookup::EMPTY);
                if directory || itself { Ok(file.ino) } else { Err(Errno::ENOTDIR) }
            }
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// What a path leads to.
    pub(super) fn find(&mut self, dirfd: i32, path: &[u8], lookup: Lookup) -> Result<Found, Errno> {
        let start = self.start(dirfd, path, lookup)?;
        self.with_fs(|fs, caller| fs.resolve(caller, At::new(start, path), lookup))
    }

    pub(super) fn find_node(
        &mut self,
        dirfd: i32,
        path: &[u8],
        lookup: Lookup,
    ) -> Result<Ino, Errno> {
        match self.find(dirfd, path, lookup)? {
            Found::Node(ino) => Ok(ino),
            // What has no node can be looked at through /proc, but not changed.
            Found::Foreign { .. } => Err(Errno::EPERM),
        }
    }
}

/// Finds where the name that a call makes or takes away starts, and calls `f` with it.
pub(super) fn with_name(
    k: &mut Kernel,
    dirfd: i32,
    path: &[u8],
    f: impl FnOnce(&mut Fs, &mut Caller<'_>, At<'_>) -> Result<(), Errno>,
) -> SysResult {
    let start = k.start(dirfd, path, Lookup::empty())?;
    k.with_fs(|fs, caller| f(fs, caller, At::new(start, path)))?;
    Ok(0)
}
