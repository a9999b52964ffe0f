//! Extended attributes, xattr(7).

use alloc::vec::Vec;

use super::procfs::ProcNode;
use super::types::{Access, By, Cred, FileType, Ino, XattrFlags};
use super::{Change, Fs};
use crate::errno::Errno;

/// Longest name, limits.h's `XATTR_NAME_MAX`.
const NAME_MAX: usize = 255;
/// Longest value, limits.h's `XATTR_SIZE_MAX`.
const VALUE_MAX: usize = 65_536;
/// Names and values of a node together: ext4 has one block for them, with 32 bytes of header.
const NODE_MAX: usize = 4096 - 32;
/// What ext4 adds to each.
const ENTRY_HEADER: usize = 16;

impl Fs {
    /// getxattr(2): the whole value; comparing it with the caller's buffer is the caller's.
    ///
    /// # Errors
    /// getxattr(2)'s, `ENODATA` above all.
    pub fn xattr(&self, cred: Cred, ino: Ino, name: &[u8]) -> Result<&[u8], Errno> {
        let space = space(name)?;
        self.may_touch(cred, ino, space, Access::READ)?;
        let suffix = supported(space, name)?;
        if suffix.is_empty() {
            return Err(Errno::EINVAL);
        }
        let Some(inode) = self.nodes.find(ino) else { return Err(Errno::EOPNOTSUPP) };
        inode.xattrs.get(name).map(|value| &**value).ok_or(Errno::ENODATA)
    }

    /// setxattr(2).
    ///
    /// # Errors
    /// setxattr(2)'s.
    pub fn set_xattr(
        &mut self,
        by: By,
        ino: Ino,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<(), Errno> {
        let (create, replace) = (XattrFlags::CREATE, XattrFlags::REPLACE);
        if !(create | replace).contains(flags) {
            return Err(Errno::EINVAL);
        }
        let space = space(name)?;
        if value.len() > VALUE_MAX {
            return Err(Errno::E2BIG);
        }
        self.may_change(by.cred, ino, space, name)?;
        let inode = self.nodes.get(ino);
        match inode.xattrs.contains_key(name) {
            true if flags.contains(create) => return Err(Errno::EEXIST),
            false if flags.contains(replace) => return Err(Errno::ENODATA),
            _ => {}
        }
        let others = inode.xattrs.iter().filter(|(other, _)| &***other != name);
        let used: usize = others.map(|(name, value)| cost(name, value)).sum();
        if used + cost(name, value) > NODE_MAX {
            return Err(Errno::ENOSPC);
        }
        self.change(inode.mount, Change::Attributes)?;
        let inode = self.nodes.get_mut(ino);
        inode.xattrs.insert(name.into(), value.into());
        inode.ctime = by.now;
        self.attributes_changed(ino);
        Ok(())
    }

    /// removexattr(2).
    ///
    /// # Errors
    /// removexattr(2)'s.
    pub fn remove_xattr(&mut self, by: By, ino: Ino, name: &[u8]) -> Result<(), Errno> {
        let space = space(name)?;
        self.may_change(by.cred, ino, space, name)?;
        let inode = self.nodes.get(ino);
        if !inode.xattrs.contains_key(name) {
            return Err(Errno::ENODATA);
        }
        self.change(inode.mount, Change::Attributes)?;
        let inode = self.nodes.get_mut(ino);
        inode.xattrs.remove(name);
        inode.ctime = by.now;
        self.attributes_changed(ino);
        Ok(())
    }

    /// listxattr(2): the names, each ended by a NUL. `trusted.*` is only shown to root.
    pub fn list_xattrs(&self, cred: Cred, ino: Ino) -> Vec<u8> {
        let mut names = Vec::new();
        let Some(inode) = self.nodes.find(ino) else { return names };
        for name in inode.xattrs.keys() {
            if cred.is_root() || !name.starts_with(b"trusted.") {
                names.extend_from_slice(name);
                names.push(0);
            }
        }
        names
    }

    fn may_change(&self, cred: Cred, ino: Ino, space: Space, name: &[u8]) -> Result<(), Errno> {
        self.writable(ino)?;
        self.may_touch(cred, ino, space, Access::WRITE)?;
        let suffix = supported(space, name)?;
        if suffix.is_empty() {
            return Err(Errno::EINVAL);
        }
        let is_proc =
            ProcNode::from_ino(ino).is_some() || self.mount_of(ino) == super::MountId::PROC;
        if is_proc { Err(Errno::EOPNOTSUPP) } else { Ok(()) }
    }

    /// Linux's `xattr_permission`.
    fn may_touch(&self, cred: Cred, ino: Ino, space: Space, access: Access) -> Result<(), Errno> {
        let refusal = if access == Access::WRITE { Errno::EPERM } else { Errno::ENODATA };
        let kind = self.file_type(ino);
        match space {
            Space::Trusted if !cred.is_root() => return Err(refusal),
            Space::Trusted => return Ok(()),
            Space::Security if access == Access::WRITE && !cred.is_root() => {
                return Err(Errno::EPERM);
            }
            Space::Security | Space::System => return Ok(()),
            Space::User if kind != FileType::Regular && kind != FileType::Directory => {
                return Err(refusal);
            }
            Space::User if kind == FileType::Directory && access == Access::WRITE => {
                let sticky = self.rights(ino).0 & libc::S_ISVTX != 0;
                if sticky && !self.owns(cred, ino) {
                    return Err(Errno::EPERM);
                }
            }
            Space::User | Space::Unknown => {}
        }
        self.permit(cred, ino, access)
    }
}

/// The part of a name before its first dot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    User,
    Trusted,
    Security,
    System,
    Unknown,
}

const SPACES: [(Space, &[u8]); 4] = [
    (Space::User, b"user."),
    (Space::Trusted, b"trusted."),
    (Space::Security, b"security."),
    (Space::System, b"system."),
];

/// `ERANGE` for a name that is empty or too long.
fn space(name: &[u8]) -> Result<Space, Errno> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(Errno::ERANGE);
    }
    let known = SPACES.iter().find(|(_, prefix)| name.starts_with(prefix));
    Ok(known.map_or(Space::Unknown, |(space, _)| *space))
}

/// The name without its space; `EOPNOTSUPP` where the file system has no such space.
fn supported(space: Space, name: &[u8]) -> Result<&[u8], Errno> {
    match SPACES.iter().find(|(known, _)| *known == space) {
        Some((known, prefix)) if *known != Space::System => Ok(&name[prefix.len()..]),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

fn cost(name: &[u8], value: &[u8]) -> usize {
    ENTRY_HEADER + name.len().next_multiple_of(4) + value.len().next_multiple_of(4)
}
