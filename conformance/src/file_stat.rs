//! Files: what stat(2) says, and what changes it.

use std::mem::zeroed;

use libc::{
    AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, F_OK, O_RDONLY, O_RDWR, R_OK, S_IFMT, UTIME_NOW,
    UTIME_OMIT, W_OK, X_OK, timespec,
};

use crate::Transcript;
use crate::c::{self, BAD_FD};
use crate::scratch::Scratch;

tests![File:
    stat_of_a_file,
    stat_of_other_kinds,
    stat_errors,
    stat_links_are_counted,
    stat_follows_links_or_not,
    stat_at_a_descriptor,
    stat_statx,
    stat_chmod,
    stat_times_are_set,
    stat_times_move_on,
    stat_access,
    stat_statfs,
    stat_chown_to_oneself,
];

fn kind(stat: &libc::stat) -> &'static str {
    match stat.st_mode & S_IFMT {
        libc::S_IFREG => "a file",
        libc::S_IFDIR => "a directory",
        libc::S_IFLNK => "a link",
        libc::S_IFIFO => "a FIFO",
        libc::S_IFSOCK => "a socket",
        libc::S_IFCHR => "a character device",
        _ => "something else",
    }
}

fn stat_of_a_file(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", &[7; 10_000]);
    c::chmod(&path, 0o640);
    let fd = c::must_open(&path, O_RDONLY);
    // SAFETY: no memory is involved.
    unsafe { libc::fsync(fd) };
    let stat = c::stat_of(fd);
    t.value("kind", kind(&stat));
    t.value("mode", format_args!("{:o}", stat.st_mode & 0o7777));
    t.value("size", stat.st_size);
    t.value("nlink", stat.st_nlink);
    t.holds("blocks of 512 bytes are counted", stat.st_blocks > 0);
    t.holds("blksize is a power of two", (stat.st_blksize as u64).is_power_of_two());
    // SAFETY: no memory is involved.
    t.holds("the owner is us", unsafe { libc::geteuid() } == stat.st_uid);
    let by_path = c::stat_at(&path);
    t.holds("stat and fstat agree", (by_path.st_dev, by_path.st_ino) == (stat.st_dev, stat.st_ino));
    let dir = c::stat_at(&*scratch);
    t.holds("on the device of its directory", dir.st_dev == stat.st_dev);
    t.holds("the inode is its own", dir.st_ino != stat.st_ino);
    c::close_all(&[fd]);
}

fn stat_of_other_kinds(t: &mut Transcript) {
    let scratch = Scratch::new();
    t.value("a directory", kind(&c::stat_at(&*scratch)));
    t.holds("has links", c::stat_at(&*scratch).st_nlink >= 1);
    let null = c::stat_at("/dev/null");
    t.value("/dev/null", kind(&null));
    t.line(format_args!("  {}:{}", libc::major(null.st_rdev), libc::minor(null.st_rdev)));
    let [reader, writer] = c::pipe(0);
    t.value("a pipe", kind(&c::stat_of(reader)));
    let both = [c::stat_of(reader).st_ino, c::stat_of(writer).st_ino];
    t.holds("its ends are one inode", both[0] == both[1]);
    let socket = c::tcp(0);
    t.value("a socket", kind(&c::stat_of(socket)));
    let event = c::eventfd(0, 0);
    t.value("an eventfd", kind(&c::stat_of(event)));
    c::close_all(&[reader, writer, socket, event]);
}

fn stat_errors(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = scratch.file("f", b"");
    let mut stat = c::no_stat();
    t.call("what is absent", c::stat(scratch.path("absent"), &mut stat));
    t.call("below a file", c::stat(file.join("x"), &mut stat));
    t.call("a file with a slash", c::stat(scratch.path("f/"), &mut stat));
    t.call("the empty path", c::stat("", &mut stat));
    t.call("a long name", c::stat(scratch.path(&"n".repeat(300)), &mut stat));
    t.call("fstat of a closed descriptor", c::fstat(BAD_FD, &mut stat));
    t.call("fstatat of a closed descriptor", c::fstatat(BAD_FD, "f", &mut stat, 0));
    t.call("fstatat with unknown flags", c::fstatat(AT_FDCWD, "f", &mut stat, 1 << 20));
}

fn stat_links_are_counted(t: &mut Transcript) {
    let scratch = Scratch::new();
    let one = scratch.file("one", b"shared");
    let two = scratch.path("two");
    t.call("link", c::link(&one, &two));
    t.value("nlink", c::stat_at(&one).st_nlink);
    t.holds("one inode", c::stat_at(&one).st_ino == c::stat_at(&two).st_ino);
    t.call("unlink the first", c::unlink(&one));
    t.value("nlink", c::stat_at(&two).st_nlink);
    t.bytes("content", &std::fs::read(&two).expect("the file"));
    t.call("link onto what is there", c::link(&two, scratch.file("three", b"")));
    t.call("link of what is absent", c::link(scratch.path("absent"), scratch.path("four")));
    t.call("link of a directory", c::link(&*scratch, scratch.path("five")));
}

fn stat_follows_links_or_not(t: &mut Transcript) {
    let scratch = Scratch::new();
    scratch.file("target", b"12345");
    let link = scratch.path("link");
    c::symlink("target", &link);
    t.value("stat", kind(&c::stat_at(&link)));
    let mut stat = c::no_stat();
    c::lstat(&link, &mut stat);
    t.value("lstat", kind(&stat));
    t.value("its size is the target's length", stat.st_size);
    let dir = c::must_open(&*scratch, O_RDONLY);
    c::fstatat(dir, "link", &mut stat, 0);
    t.value("fstatat", kind(&stat));
    c::fstatat(dir, "link", &mut stat, AT_SYMLINK_NOFOLLOW);
    t.value("fstatat with AT_SYMLINK_NOFOLLOW", kind(&stat));
    c::unlink(scratch.path("target"));
    t.call("stat of a dangling link", c::stat(&link, &mut stat));
    t.call("lstat of it", c::lstat(&link, &mut stat));
    c::close_all(&[dir]);
}

fn stat_at_a_descriptor(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"123"), O_RDONLY);
    let dir = c::must_open(&*scratch, O_RDONLY);
    let mut stat = c::no_stat();
    t.call("a name", c::fstatat(dir, "f", &mut stat, 0));
    t.value("size", stat.st_size);
    t.call("AT_EMPTY_PATH of a file", c::fstatat(fd, "", &mut stat, AT_EMPTY_PATH));
    t.value("size", stat.st_size);
    t.call("the empty path without it", c::fstatat(fd, "", &mut stat, 0));
    t.call("a name below a file", c::fstatat(fd, "x", &mut stat, 0));
    t.call("dot dot", c::fstatat(dir, "..", &mut stat, 0));
    t.holds("is the parent", {
        let parent = c::stat_at(scratch.parent().expect("a parent"));
        parent.st_ino == stat.st_ino
    });
    c::close_all(&[fd, dir]);
}

fn stat_statx(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"12345"), O_RDONLY);
    let basic = libc::STATX_BASIC_STATS;
    // SAFETY: all fields are integers, for which zero is a value.
    let mut found: libc::statx = unsafe { zeroed() };
    // SAFETY: the path is a literal, and the result is of our own.
    let mut call =
        |fd, flags, mask| unsafe { libc::statx(fd, c"".as_ptr(), flags, mask, &mut found) };
    t.call("statx", call(fd, AT_EMPTY_PATH, basic));
    t.call("without AT_EMPTY_PATH", call(fd, 0, basic));
    t.call("of a closed descriptor", call(BAD_FD, AT_EMPTY_PATH, basic));
    t.call("a reserved mask bit", call(fd, AT_EMPTY_PATH, 1 << 31));
    let stat = c::stat_of(fd);
    t.holds("the mask has all basic fields", found.stx_mask & basic == basic);
    t.value("size", found.stx_size);
    t.holds("inode as fstat", found.stx_ino == stat.st_ino);
    t.holds("mode as fstat", u32::from(found.stx_mode) == stat.st_mode);
    t.holds("mtime as fstat", found.stx_mtime.tv_sec == stat.st_mtime);
    c::close_all(&[fd]);
}

fn stat_chmod(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"");
    let fd = c::must_open(&path, O_RDONLY);
    let mode = || format!("{:04o}", c::stat_at(&path).st_mode & 0o7777);
    t.call("chmod 0751", c::chmod(&path, 0o751));
    t.value("mode", mode());
    // SAFETY: no memory is involved.
    t.call("fchmod 0600", unsafe { libc::fchmod(fd, 0o600) });
    t.value("mode", mode());
    t.call("chmod 04755", c::chmod(&path, 0o4755));
    t.value("mode", mode());
    t.call("chmod 01777 of the directory", c::chmod(&*scratch, 0o1777));
    t.call("chmod of what is absent", c::chmod(scratch.path("absent"), 0o600));
    c::symlink("f", scratch.path("link"));
    t.call("chmod through a link", c::chmod(scratch.path("link"), 0o640));
    t.value("mode", mode());
    c::close_all(&[fd]);
}

fn times(t: &mut Transcript, what: &str, stat: &libc::stat) {
    let (a, m) = ((stat.st_atime, stat.st_atime_nsec), (stat.st_mtime, stat.st_mtime_nsec));
    t.line(format_args!("{what}: atime {}.{:09}, mtime {}.{:09}", a.0, a.1, m.0, m.1));
}

fn stat_times_are_set(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"");
    let fd = c::must_open(&path, O_RDWR);
    let at = |tv_sec, tv_nsec| timespec { tv_sec, tv_nsec };
    // SAFETY: the times are of our own.
    let set = |times: [timespec; 2]| unsafe { libc::futimens(fd, times.as_ptr()) };
    t.call("futimens", set([at(1_000_000_000, 123_456_789), at(1_100_000_000, 0)]));
    times(t, "then", &c::stat_of(fd));
    t.call("UTIME_OMIT and a time", set([at(0, UTIME_OMIT), at(1_200_000_000, 5)]));
    times(t, "then", &c::stat_of(fd));
    t.call("nsec of a second", set([at(0, 1_000_000_000), at(0, 0)]));
    let before = c::now(libc::CLOCK_REALTIME).as_secs() as i64;
    t.call("UTIME_NOW", set([at(0, UTIME_NOW), at(0, UTIME_NOW)]));
    let stat = c::stat_of(fd);
    t.holds("atime is now", (before - 1..before + 60).contains(&stat.st_atime));
    t.holds("mtime is now", (before - 1..before + 60).contains(&stat.st_mtime));
    let name = c::path(&path);
    let old = [at(900_000_000, 0); 2];
    // SAFETY: name and times are of our own.
    t.call("utimensat", unsafe { libc::utimensat(AT_FDCWD, name.as_ptr(), old.as_ptr(), 0) });
    times(t, "then", &c::stat_of(fd));
    c::close_all(&[fd]);
}

fn stat_times_move_on(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"");
    let fd = c::must_open(&path, O_RDWR);
    let old = [timespec { tv_sec: 1_000_000_000, tv_nsec: 0 }; 2];
    // SAFETY: the times are of our own.
    let reset = || unsafe { libc::futimens(fd, old.as_ptr()) };
    let moved = |what: &str, t: &mut Transcript| {
        let stat = c::stat_of(fd);
        t.holds(format_args!("{what} moves mtime"), stat.st_mtime > 1_000_000_000);
    };
    reset();
    c::write(fd, b"x");
    moved("write", t);
    reset();
    c::ftruncate(fd, 0);
    moved("ftruncate", t);
    reset();
    c::chmod(&path, 0o600);
    moved("chmod", t);
    t.holds("ctime is not behind 2020", c::stat_of(fd).st_ctime > 1_577_836_800);
    let dir =
        || c::stat_at(&*scratch).st_mtime_nsec + c::stat_at(&*scratch).st_mtime * 1_000_000_000;
    let before = dir();
    // A file system's clock may tick every few milliseconds only.
    std::thread::sleep(std::time::Duration::from_millis(30));
    scratch.file("g", b"");
    t.holds("a new entry moves the directory's mtime", dir() > before);
    c::close_all(&[fd]);
}

fn stat_access(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"");
    c::chmod(&path, 0o644);
    t.call("F_OK", c::access(&path, F_OK));
    t.call("R_OK|W_OK", c::access(&path, R_OK | W_OK));
    // Root, too, may execute only what somebody may.
    t.call("X_OK without any x", c::access(&path, X_OK));
    c::chmod(&path, 0o755);
    t.call("X_OK", c::access(&path, X_OK));
    t.call("what is absent", c::access(scratch.path("absent"), F_OK));
    t.call("below a file", c::access(path.join("x"), F_OK));
    t.call("mode 99", c::access(&path, 99));
    let dir = c::must_open(&*scratch, O_RDONLY);
    // SAFETY: the name is a NUL-terminated literal.
    unsafe {
        t.call("faccessat", libc::faccessat(dir, c"f".as_ptr(), R_OK, 0));
        let effective = libc::faccessat(dir, c"f".as_ptr(), R_OK, libc::AT_EACCESS);
        t.call("faccessat with AT_EACCESS", effective);
        t.call("faccessat, absent", libc::faccessat(dir, c"absent".as_ptr(), F_OK, 0));
    }
    c::close_all(&[dir]);
}

fn stat_statfs(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(&*scratch, O_RDONLY);
    // SAFETY: all fields are integers, for which zero is a value; the results
    // are of our own, and the path is NUL-terminated.
    unsafe {
        let mut found: libc::statfs = zeroed();
        let path = c::path(&*scratch);
        t.call("statfs", libc::statfs(path.as_ptr(), &mut found));
        t.holds("block size is not 0", found.f_bsize > 0);
        t.holds("free blocks are at most all", found.f_bfree <= found.f_blocks);
        t.value("longest name", found.f_namelen);
        let mut by_fd: libc::statfs = zeroed();
        t.call("fstatfs", libc::fstatfs(fd, &mut by_fd));
        t.holds("it is the same file system", by_fd.f_type == found.f_type);
        let mut posix: libc::statvfs = zeroed();
        t.call("statvfs", libc::statvfs(path.as_ptr(), &mut posix));
        t.value("longest name", posix.f_namemax);
        t.call("statfs of what is absent", libc::statfs(c"/absent/x".as_ptr(), &mut found));
    }
    c::close_all(&[fd]);
}

fn stat_chown_to_oneself(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"");
    let fd = c::must_open(&path, O_RDWR);
    let name = c::path(&path);
    // SAFETY: the name is NUL-terminated.
    unsafe {
        let (user, group) = (libc::geteuid(), libc::getegid());
        t.call("chown to ourselves", libc::chown(name.as_ptr(), user, group));
        t.call("fchown to nobody in particular", libc::fchown(fd, u32::MAX, u32::MAX));
        t.call("lchown", libc::lchown(name.as_ptr(), user, u32::MAX));
        t.call("chown of what is absent", libc::chown(c"/absent/x".as_ptr(), user, group));
        t.holds("the owner is us", c::stat_of(fd).st_uid == user);
    }
    c::close_all(&[fd]);
}
