//! The words of the file system's interface.

use bitflags::bitflags;

use super::devfs::Device;
use super::procfs::{Proc, ProcNode};
use crate::seams::Outside;

/// Longest name of a directory entry, in bytes: limits.h's `NAME_MAX`.
pub const NAME_MAX: usize = 255;
/// Longest path, in bytes, counting the NUL that the guest ends it with: limits.h's `PATH_MAX`.
pub const PATH_MAX: usize = 4096;
/// Symbolic links that one resolution follows before `ELOOP`: path_resolution(7).
pub const LINKS_MAX: u32 = 40;
/// The largest file: ext4's with blocks of 4 KiB, `0xffff_ffff` of them.
pub const FILE_SIZE_MAX: u64 = 0xffff_ffff * 4096;
/// The most links that a file, or subdirectories that a directory, may have: ext4's.
pub const LINK_MAX: u32 = 65_000;

/// The number of an inode. Numbers are given out in increasing order and never twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ino(pub u64);

/// Nanoseconds since 1970 on the host's CLOCK_REALTIME.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Realtime(pub i64);

/// Who asks: the file system's user and group, credentials(7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cred {
    /// User; 0 is root, whom no mode bits stop.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Cred {
    /// The superuser.
    pub const ROOT: Cred = Cred { uid: 0, gid: 0 };

    /// Whether this is the superuser.
    pub const fn is_root(self) -> bool {
        self.uid == 0
    }
}

/// Who does something, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct By {
    /// Whose rights count.
    pub cred: Cred,
    /// Permission bits that new files do not get, umask(2).
    pub umask: u32,
    /// The time that is written into the inodes.
    pub now: Realtime,
}

/// A task that resolves a path: who it is, and what the kernel must supply on the way.
pub struct Caller<'a> {
    /// Who, and when.
    pub by: By,
    /// What /proc shows.
    pub proc: &'a dyn Proc,
    /// The real directories that are mounted.
    pub outside: &'a mut dyn Outside,
}

/// A path and where it starts if it is relative.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The working directory, or what `dirfd` is open on.
    pub start: Ino,
    /// The path, without a NUL.
    pub path: &'a [u8],
}

impl<'a> At<'a> {
    /// `path`, starting at `start`.
    pub const fn new(start: Ino, path: &'a [u8]) -> At<'a> {
        At { start, path }
    }
}

/// What a path led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// A node of this file system.
    Node(Ino),
    /// Something that has no node here (a pipe, a socket, a terminal), found through
    /// `/proc/PID/fd/FD`.
    Foreign {
        /// The process.
        pid: u32,
        /// Its descriptor.
        fd: u32,
    },
}

/// What open(2) led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opened {
    /// A node. It is retained: the caller owes a `release`.
    Node {
        /// The node.
        ino: Ino,
        /// Whether this call made it.
        created: bool,
    },
    /// Something that has no node here, to be opened again by the caller.
    Foreign {
        /// The process.
        pid: u32,
        /// Its descriptor.
        fd: u32,
    },
}

/// What a node is: how calls on its descriptors are to be dispatched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file whose bytes are here.
    Regular,
    /// A directory, of any file system.
    Directory,
    /// A symbolic link; only O_PATH opens it.
    Symlink,
    /// A FIFO and the number that its maker gave it.
    Fifo(u64),
    /// A bound Unix socket and the number that its maker gave it.
    Socket(u64),
    /// A character device.
    Device(Device),
    /// A file of /proc, open: its text was made when it was opened.
    Proc(ProcNode),
}

/// The node that mknod(2) or bind(2) makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Special {
    /// An empty regular file.
    Regular,
    /// A FIFO, with a number of the caller's.
    Fifo(u64),
    /// A Unix socket, with a number of the caller's.
    Socket(u64),
    /// A character device; only root may make one.
    Device(Device),
}

/// The type of a node: the `S_IFMT` bits of `st_mode`, inode(7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileType {
    /// `S_IFREG`
    Regular,
    /// `S_IFDIR`
    Directory,
    /// `S_IFLNK`
    Symlink,
    /// `S_IFIFO`
    Fifo,
    /// `S_IFSOCK`
    Socket,
    /// `S_IFCHR`
    CharDevice,
}

impl FileType {
    /// The `S_IFMT` bits.
    pub const fn mode(self) -> u32 {
        match self {
            FileType::Regular => libc::S_IFREG,
            FileType::Directory => libc::S_IFDIR,
            FileType::Symlink => libc::S_IFLNK,
            FileType::Fifo => libc::S_IFIFO,
            FileType::Socket => libc::S_IFSOCK,
            FileType::CharDevice => libc::S_IFCHR,
        }
    }

    /// The `DT_*` value of getdents64(2).
    pub const fn dirent(self) -> u8 {
        match self {
            FileType::Regular => libc::DT_REG,
            FileType::Directory => libc::DT_DIR,
            FileType::Symlink => libc::DT_LNK,
            FileType::Fifo => libc::DT_FIFO,
            FileType::Socket => libc::DT_SOCK,
            FileType::CharDevice => libc::DT_CHR,
        }
    }
}

bitflags! {
    /// What is wanted of a node: access(2)'s mode.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Access: u32 {
        /// To read it.
        const READ = 4;
        /// To write it.
        const WRITE = 2;
        /// To execute it, or to search a directory.
        const EXECUTE = 1;
    }

    /// How the last component of a path is taken.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Lookup: u32 {
        /// A symbolic link at the end is followed.
        const FOLLOW = 1;
        /// `ENOTDIR` unless the end is a directory.
        const DIRECTORY = 2;
        /// An empty path is the starting node itself: AT_EMPTY_PATH.
        const EMPTY = 4;
    }

    /// open(2)'s flags. Flags that concern the descriptor alone may be among them.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct OpenFlags: i32 {
        /// Writing only.
        const WRITE_ONLY = libc::O_WRONLY;
        /// Reading and writing.
        const READ_WRITE = libc::O_RDWR;
        /// Made if it is not there.
        const CREATE = libc::O_CREAT;
        /// `EEXIST` if it is there.
        const EXCLUSIVE = libc::O_EXCL;
        /// Emptied.
        const TRUNCATE = libc::O_TRUNC;
        /// Written at its end.
        const APPEND = libc::O_APPEND;
        /// Must be a directory.
        const DIRECTORY = libc::O_DIRECTORY;
        /// A link at the end is not followed.
        const NO_FOLLOW = libc::O_NOFOLLOW;
        /// Reading leaves the access time.
        const NO_ACCESS_TIME = libc::O_NOATIME;
        /// Only the place, not the content.
        const PATH = libc::O_PATH;
        /// A file without a name; contains `O_DIRECTORY`.
        const TEMPORARY = libc::O_TMPFILE;
        const _ = !0;
    }

    /// renameat2(2)'s flags.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct RenameFlags: u32 {
        /// `EEXIST` if the new name is taken.
        const NO_REPLACE = libc::RENAME_NOREPLACE;
        /// The two names change places.
        const EXCHANGE = libc::RENAME_EXCHANGE;
        const _ = !0;
    }

    /// fallocate(2)'s mode.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct AllocateMode: i32 {
        /// The size stays.
        const KEEP_SIZE = libc::FALLOC_FL_KEEP_SIZE;
        /// The range becomes a hole.
        const PUNCH_HOLE = libc::FALLOC_FL_PUNCH_HOLE;
        /// The range becomes zeroes.
        const ZERO_RANGE = libc::FALLOC_FL_ZERO_RANGE;
        const _ = !0;
    }

    /// setxattr(2)'s flags.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct XattrFlags: i32 {
        /// `EEXIST` if it is there.
        const CREATE = libc::XATTR_CREATE;
        /// `ENODATA` if it is not there.
        const REPLACE = libc::XATTR_REPLACE;
        const _ = !0;
    }
}

impl Lookup {
    /// From a call's `flags`: AT_EMPTY_PATH, and AT_SYMLINK_NOFOLLOW for a call that follows.
    pub fn following(flags: i32) -> Lookup {
        let mut lookup = Lookup::empty();
        lookup.set(Lookup::FOLLOW, flags & libc::AT_SYMLINK_NOFOLLOW == 0);
        lookup.set(Lookup::EMPTY, flags & libc::AT_EMPTY_PATH != 0);
        lookup
    }

    /// From a call's `flags`: AT_EMPTY_PATH, and AT_SYMLINK_FOLLOW for a call that does not follow.
    pub fn not_following(flags: i32) -> Lookup {
        let mut lookup = Lookup::empty();
        lookup.set(Lookup::FOLLOW, flags & libc::AT_SYMLINK_FOLLOW != 0);
        lookup.set(Lookup::EMPTY, flags & libc::AT_EMPTY_PATH != 0);
        lookup
    }
}

/// What utimensat(2) does with one of the two times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetTime {
    /// `UTIME_NOW`
    Now,
    /// `UTIME_OMIT`
    Omit,
    /// This time.
    To(Realtime),
}

/// What statx(2) tells of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// The device that the file system is on, as major and minor number.
    pub dev: (u32, u32),
    /// Inode number.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The device that the node is, as major and minor number.
    pub rdev: (u32, u32),
    /// Bytes.
    pub size: u64,
    /// Bytes that a good read or write has.
    pub blksize: u32,
    /// Units of 512 bytes on the disk.
    pub blocks: u64,
    /// Last read.
    pub atime: Realtime,
    /// Last write.
    pub mtime: Realtime,
    /// Last change of the inode.
    pub ctime: Realtime,
    /// Creation.
    pub btime: Realtime,
    /// `STATX_ATTR_*` that are set.
    pub attributes: u64,
    /// `STATX_ATTR_*` that the file system knows.
    pub attributes_mask: u64,
    /// The mount's number in /proc/self/mountinfo.
    pub mount_id: u64,
}

/// What statfs(2) tells of a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatFs {
    /// `f_type`, such as `EXT4_SUPER_MAGIC`.
    pub magic: i64,
    /// Bytes of a block.
    pub block_size: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Blocks that are free.
    pub blocks_free: u64,
    /// Inodes in all.
    pub files: u64,
    /// Inodes that are free.
    pub files_free: u64,
    /// `f_fsid`
    pub id: u64,
    /// Longest name.
    pub name_max: u64,
    /// `ST_*` flags.
    pub flags: u64,
}

/// One entry of a directory, as getdents64(2) gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dirent<'a> {
    /// Inode number.
    pub ino: u64,
    /// The position after this entry: `d_off`.
    pub next: u64,
    /// Type.
    pub kind: FileType,
    /// Name.
    pub name: &'a [u8],
}

/// Whether the reader of a directory takes more entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Take {
    /// This entry was taken; go on.
    More,
    /// This entry did not fit: stop before it.
    Full,
}
