//! Bytes, room on the disk, holes, times and attributes.

use super::*;
use alloc::vec;

fn allocate(host: &mut Host, ino: Ino, mode: i32, offset: i64, length: i64) -> Result<(), Errno> {
    let mode = AllocateMode::from_bits_retain(mode);
    host.call(|fs, caller, _| fs.fallocate(caller.by, ino, mode, offset, length))
}

fn file(host: &mut Host) -> Ino {
    host.open_node("file", libc::O_RDWR | libc::O_CREAT).unwrap()
}

#[test]
fn a_full_disk_takes_what_fits_and_then_nothing() {
    let mut host = host();
    let file = file(&mut host);
    let free = host.fs.statfs(file).blocks_free;
    let written = host.write(file, 100, &vec![1; 2 << 20]).unwrap() as u64;
    assert_eq!(written, free * 4096 - 100);
    assert_eq!(host.fs.statfs(file).blocks_free, 0);
    assert_eq!(host.write(file, 100 + written, b"more"), Err(Errno::ENOSPC));
    assert_eq!(host.write(file, 0, b"over"), Ok(4));
    assert_eq!(host.mkdir("directory"), Err(Errno::ENOSPC));
    host.put("empty", "").unwrap();
    assert_eq!(host.put("small", "x"), Err(Errno::ENOSPC));
    host.unlink("file").unwrap();
    assert_eq!(host.put("small", "x"), Err(Errno::ENOSPC));
    host.fs.release(file);
    assert_eq!(host.put("small", "x"), Ok(()));
    assert_eq!(host.fs.statfs(Fs::ROOT).blocks_free, free - 1);
}

#[test]
fn a_disk_runs_out_of_inodes() {
    let mut host = host();
    let free = host.fs.statfs(Fs::ROOT).files_free;
    for n in 0..free {
        host.put(&format!("{n}"), "").unwrap();
    }
    assert_eq!(host.put("one more", ""), Err(Errno::ENOSPC));
    assert_eq!(host.symlink("x", "one more"), Err(Errno::ENOSPC));
    host.link("0", "one more").unwrap();
    host.unlink("1").unwrap();
    assert_eq!(host.put("instead", ""), Ok(()));
}

#[test]
fn everything_removed_gives_all_room_back() {
    let mut host = host();
    let before = host.fs.statfs(Fs::ROOT);
    host.mkdir("d").unwrap();
    host.put("d/f", "text").unwrap();
    host.rename("d/f", "f").unwrap();
    host.put("g", "text").unwrap();
    host.rename("f", "g").unwrap();
    host.mkdir("e").unwrap();
    host.rename("e", "d").unwrap();
    assert_ne!(host.fs.statfs(Fs::ROOT), before);
    host.unlink("g").unwrap();
    host.rmdir("d").unwrap();
    assert_eq!(host.fs.statfs(Fs::ROOT), before);
    assert_eq!(host.stat("/tmp").unwrap().nlink, 2);
}

#[test]
fn the_largest_file_ends_where_ext4_ends() {
    let mut host = host();
    let file = file(&mut host);
    assert_eq!(host.write(file, FILE_SIZE_MAX - 1, b"abc"), Ok(1));
    assert_eq!(host.write(file, FILE_SIZE_MAX, b"abc"), Err(Errno::EFBIG));
    let resize = |host: &mut Host, size| host.call(|fs, c, _| fs.resize(c.by, file, size));
    assert_eq!(resize(&mut host, FILE_SIZE_MAX), Ok(()));
    assert_eq!(resize(&mut host, FILE_SIZE_MAX + 1), Err(Errno::EFBIG));
    assert_eq!(host.fs.stat(file).blocks, 8);
}

#[test]
fn fallocate_reserves_punches_and_zeroes() {
    let mut host = host();
    let ino = file(&mut host);
    for (mode, offset, length, errno) in [
        (0, 0, 0, Errno::EINVAL),
        (0, -1, 5, Errno::EINVAL),
        (libc::FALLOC_FL_PUNCH_HOLE, 0, 4096, Errno::EOPNOTSUPP),
        (libc::FALLOC_FL_ZERO_RANGE | 3, 0, 10, Errno::EOPNOTSUPP),
        (0x80, 0, 10, Errno::EOPNOTSUPP),
        (0, 1 << 62, 1 << 61, Errno::EFBIG),
        (0, i64::MAX, 2, Errno::EFBIG),
        (0, 0, 1 << 30, Errno::ENOSPC),
    ] {
        assert_eq!(allocate(&mut host, ino, mode, offset, length), Err(errno), "{mode} {offset}");
    }
    host.write(ino, 100_000, b"x").unwrap();
    assert_eq!((host.fs.stat(ino).blocks, host.fs.stat(ino).size), (8, 100_001));
    allocate(&mut host, ino, 0, 0, 200_000).unwrap();
    assert_eq!((host.fs.stat(ino).blocks, host.fs.stat(ino).size), (392, 200_000));
    assert_eq!(host.fs.seek(ino, 0, Seek::Data), Ok(98_304));
    assert_eq!(host.fs.seek(ino, 98_304, Seek::Hole), Ok(102_400));
    assert_eq!(host.fs.seek(ino, 102_400, Seek::Data), Err(Errno::ENXIO));
    assert_eq!(host.fs.seek(ino, 200_000, Seek::Hole), Err(Errno::ENXIO));
    allocate(&mut host, ino, libc::FALLOC_FL_ZERO_RANGE, 99_999, 5).unwrap();
    let mut bytes = [9; 3];
    assert_eq!(host.fs.read_at(ino, 99_999, &mut bytes), Ok(3));
    assert_eq!(bytes, [0; 3]);
    let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    allocate(&mut host, ino, punch, 0, 1 << 40).unwrap();
    assert_eq!((host.fs.stat(ino).blocks, host.fs.stat(ino).size), (0, 200_000));
    allocate(&mut host, ino, libc::FALLOC_FL_KEEP_SIZE, 200_000, 8192).unwrap();
    assert_eq!((host.fs.stat(ino).blocks, host.fs.stat(ino).size), (24, 200_000));
    let (directory, fifo) = (host.cwd, host.mknod("fifo", Special::Fifo(0)).unwrap());
    assert_eq!(allocate(&mut host, directory, 0, 0, 1), Err(Errno::EISDIR));
    assert_eq!(allocate(&mut host, fifo, 0, 0, 1), Err(Errno::ESPIPE));
    let null = host.find("/dev/null").unwrap();
    assert_eq!(allocate(&mut host, null, 0, 0, 1), Err(Errno::ENODEV));
}

#[test]
fn truncate_by_path_wants_a_file() {
    let mut host = host();
    host.put("file", "long text").unwrap();
    host.mknod("fifo", Special::Fifo(0)).unwrap();
    let truncate = |host: &mut Host, path: &str, size| {
        let ino = host.find(path).unwrap();
        host.call(|fs, caller, _| fs.truncate(caller.by, ino, size))
    };
    assert_eq!(truncate(&mut host, "file", 4), Ok(()));
    assert_eq!(host.get("file"), Ok(String::from("long")));
    assert_eq!(truncate(&mut host, "file", 6), Ok(()));
    assert_eq!(host.get("file"), Ok(String::from("long\0\0")));
    assert_eq!(truncate(&mut host, ".", 4), Err(Errno::EISDIR));
    assert_eq!(truncate(&mut host, "fifo", 4), Err(Errno::EINVAL));
    assert_eq!(truncate(&mut host, "/sys/devices/system/cpu/online", 4), Err(Errno::EROFS));
    assert_eq!(truncate(&mut host, "/proc/version", 0), Ok(()));
}

#[test]
fn appending_tells_where() {
    let mut host = host();
    let ino = file(&mut host);
    for (text, at) in [("one", 0), ("two", 3), ("", 6), ("three", 6)] {
        let appended = host.call(|fs, caller, _| fs.append(caller.by, ino, text.as_bytes()));
        assert_eq!(appended, Ok((at, text.len())));
    }
    assert_eq!(host.read(ino), Ok(String::from("onetwothree")));
}

/// Access, modification and change time.
fn times(host: &mut Host, path: &str) -> (i64, i64, i64) {
    let Ok(Found::Node(ino)) = host.resolve(path, Lookup::empty()) else { panic!("{path}") };
    let stat = host.fs.stat(ino);
    (stat.atime.0, stat.mtime.0, stat.ctime.0)
}

#[test]
fn calls_leave_the_times_that_linux_leaves() {
    let mut host = host();
    let at = |host: &mut Host, time: i64| host.by.now = Realtime(time - 1);
    at(&mut host, 2_000);
    let ino = file(&mut host);
    assert_eq!(times(&mut host, "file"), (2_000, 2_000, 2_000));
    assert_eq!(times(&mut host, ".").1, 2_000);
    at(&mut host, 3_000);
    host.write(ino, 0, b"x").unwrap();
    assert_eq!(times(&mut host, "file"), (2_000, 3_000, 3_000));
    at(&mut host, 4_000);
    host.call(|fs, caller, _| fs.chmod(caller.by, ino, 0o600)).unwrap();
    assert_eq!(times(&mut host, "file"), (2_000, 3_000, 4_000));
    at(&mut host, 5_000);
    host.link("file", "second").unwrap();
    assert_eq!(times(&mut host, "file").2, 5_001);
    at(&mut host, 6_000);
    host.rename("second", "third").unwrap();
    assert_eq!((times(&mut host, "file"), times(&mut host, ".").1), ((2_000, 3_000, 6_000), 6_000));
    at(&mut host, 7_000);
    host.unlink("third").unwrap();
    assert_eq!(times(&mut host, "file"), (2_000, 3_000, 7_000));
    assert_eq!(host.fs.stat(ino).btime, Realtime(2_000));
}

#[test]
fn reading_moves_the_access_time_under_relatime() {
    let mut host = host();
    let ino = file(&mut host);
    let made = host.by.now.0;
    let read = |host: &mut Host, time: i64| {
        host.fs.accessed(ino, Realtime(time));
        host.fs.stat(ino).atime.0 - made
    };
    assert_eq!(read(&mut host, made + 5), 5);
    assert_eq!(read(&mut host, made + 9), 5);
    host.by.now.0 = made + 19;
    host.write(ino, 0, b"x").unwrap();
    assert_eq!(read(&mut host, made + 30), 30);
    let day = 86_400_000_000_000;
    assert_eq!(read(&mut host, made + 29 + day), 30);
    assert_eq!(read(&mut host, made + 30 + day), 30 + day);
    host.symlink("x", "l").unwrap();
    let before = times(&mut host, "l").0;
    host.readlink("l").unwrap();
    assert!(times(&mut host, "l").0 > before);
}

#[test]
fn times_are_set_one_by_one() {
    let mut host = host();
    let ino = file(&mut host);
    let set = |host: &mut Host, atime, mtime| {
        host.call(|fs, caller, _| fs.utimens(caller.by, ino, atime, mtime)).unwrap();
    };
    set(&mut host, SetTime::To(Realtime(-5)), SetTime::Omit);
    assert_eq!(times(&mut host, "file").0, -5);
    let before = times(&mut host, "file");
    set(&mut host, SetTime::Omit, SetTime::Omit);
    assert_eq!(times(&mut host, "file"), before);
    host.by.now = Realtime(9_998);
    set(&mut host, SetTime::Omit, SetTime::Now);
    assert_eq!(times(&mut host, "file"), (-5, 9_999, 9_999));
}

#[test]
fn extended_attributes_answer_as_ext4_does() {
    let mut host = host();
    let ino = file(&mut host);
    let long = |n| format!("user.{}", "n".repeat(n));
    let (fits, too_long) = (long(250), long(251));
    let (big, huge) = (vec![1; 5_000], vec![1; 65_537]);
    for (name, value, flags, result) in [
        ("user.a", &b"1"[..], 0, Ok(())),
        ("user.a", b"1", libc::XATTR_CREATE, Err(Errno::EEXIST)),
        ("user.b", b"1", libc::XATTR_REPLACE, Err(Errno::ENODATA)),
        ("user.a", b"2", 3, Err(Errno::EEXIST)),
        ("user.c", b"2", 3, Err(Errno::ENODATA)),
        ("user.a", b"2", 4, Err(Errno::EINVAL)),
        ("user.", b"1", 0, Err(Errno::EINVAL)),
        ("nodot", b"1", 0, Err(Errno::EOPNOTSUPP)),
        ("system.x", b"1", 0, Err(Errno::EOPNOTSUPP)),
        ("trusted.x", b"1", 0, Ok(())),
        ("security.x", b"", 0, Ok(())),
        (&fits, b"1", 0, Ok(())),
        (&too_long, b"1", 0, Err(Errno::ERANGE)),
        ("", b"1", 0, Err(Errno::ERANGE)),
        ("user.big", &big, 0, Err(Errno::ENOSPC)),
        ("user.huge", &huge, 0, Err(Errno::E2BIG)),
    ] {
        let flags = XattrFlags::from_bits_retain(flags);
        let set = host.call(|fs, c, _| fs.set_xattr(c.by, ino, name.as_bytes(), value, flags));
        assert_eq!(set, result, "{name} {flags:?}");
    }
    let root = host.by.cred;
    assert_eq!(host.fs.xattr(root, ino, b"user.a"), Ok(&b"1"[..]));
    assert_eq!(host.fs.xattr(root, ino, b"user.zz"), Err(Errno::ENODATA));
    assert_eq!(host.fs.xattr(root, ino, b"user."), Err(Errno::EINVAL));
    assert_eq!(host.fs.xattr(root, ino, b"nodot"), Err(Errno::EOPNOTSUPP));
    let by = host.by;
    assert_eq!(host.fs.remove_xattr(by, ino, fits.as_bytes()), Ok(()));
    assert_eq!(host.fs.remove_xattr(by, ino, b"user.zz"), Err(Errno::ENODATA));
    assert_eq!(host.fs.list_xattrs(root, ino), b"security.x\0trusted.x\0user.a\0");
    let user = Cred { uid: 5, gid: 5 };
    assert_eq!(host.fs.list_xattrs(user, ino), b"security.x\0user.a\0");
    let link = host.symlink("file", "link").unwrap();
    let flags = XattrFlags::empty();
    assert_eq!(host.fs.set_xattr(by, link, b"user.a", b"", flags), Err(Errno::EPERM));
    assert_eq!(host.fs.xattr(root, link, b"user.a"), Err(Errno::ENODATA));
    let proc = host.find("/proc/version").unwrap();
    assert_eq!(host.fs.set_xattr(by, proc, b"user.a", b"", flags), Err(Errno::EOPNOTSUPP));
    assert_eq!(host.fs.xattr(root, proc, b"user.a"), Err(Errno::EOPNOTSUPP));
}
