//! The names that Unix sockets have in the file system: unix(7).

use crate::errno::Errno;
use crate::fs::{Access, At, Kind as Node, Lookup, Special};
use crate::kernel::Kernel;

impl Kernel {
    /// The inode of a Unix socket's name, made by bind(2).
    pub(crate) fn make_socket_node(&mut self, path: &[u8]) -> Result<u64, Errno> {
        let start = self.start(libc::AT_FDCWD, path, Lookup::empty())?;
        let mode = 0o777 & !self.host().process.umask;
        let made = self
            .with_fs(|fs, caller| fs.mknod(caller, At::new(start, path), Special::Socket(0), mode));
        match made {
            Ok(ino) => Ok(ino.0),
            Err(Errno::EEXIST) => Err(Errno::EADDRINUSE),
            Err(errno) => Err(errno),
        }
    }

    /// The inode that a Unix socket's path leads to, for connect(2).
    pub(crate) fn find_socket_node(&mut self, path: &[u8]) -> Result<u64, Errno> {
        let ino = self.find_node(libc::AT_FDCWD, path, Lookup::FOLLOW)?;
        let cred = self.host().cred();
        self.host().disk().permit(cred, ino, Access::WRITE)?;
        match self.host().disk().kind(ino) {
            Node::Socket(_) => Ok(ino.0),
            _ => Err(Errno::ECONNREFUSED),
        }
    }
}
