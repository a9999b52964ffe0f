//! Directories and names: mkdir, rename, links, listings, the working directory.

use std::collections::BTreeMap;
use std::path::Path;

use libc::{AT_REMOVEDIR, O_CREAT, O_RDONLY, O_RDWR, RENAME_EXCHANGE, RENAME_NOREPLACE, SEEK_SET};

use crate::Transcript;
use crate::c::{self, BAD_FD, BAD_POINTER};
use crate::scratch::Scratch;

tests![Dir:
    dir_mkdir,
    dir_mkdir_mode_and_umask,
    dir_rmdir,
    dir_unlink,
    dir_unlinkat,
    dir_rename_files,
    dir_rename_directories,
    dir_rename_corners,
    dir_rename_flags,
    dir_rename_keeps_open_files,
    dir_link_at,
    dir_symlink_and_readlink,
    dir_symlink_resolution,
    dir_list,
    dir_list_raw,
    dir_list_again,
    dir_working_directory,
    dir_working_directory_removed,
    dir_realpath,
    dir_mknod_fifo,
    dir_many_entries,
];

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn dir_mkdir(t: &mut Transcript) {
    let scratch = Scratch::new();
    let dir = scratch.path("d");
    t.call("mkdir", c::mkdir(&dir, 0o755));
    t.call("mkdir again", c::mkdir(&dir, 0o755));
    t.call("mkdir below what is absent", c::mkdir(scratch.path("a/b"), 0o755));
    t.call("mkdir below a file", c::mkdir(scratch.file("f", b"").join("d"), 0o755));
    t.call("mkdir of a file's name", c::mkdir(scratch.path("f"), 0o755));
    t.call("mkdir with a slash", c::mkdir(scratch.path("e/"), 0o755));
    t.call("mkdir of the empty path", c::mkdir("", 0o755));
    t.call("mkdir of dot", c::mkdir(scratch.path("."), 0o755));
    c::symlink("nowhere", scratch.path("link"));
    t.call("mkdir of a dangling link", c::mkdir(scratch.path("link"), 0o755));
    t.call("mkdir of a long name", c::mkdir(scratch.path(&"n".repeat(256)), 0o755));
}

fn dir_mkdir_mode_and_umask(t: &mut Transcript) {
    let scratch = Scratch::new();
    for (umask, mode) in [(0o022, 0o777), (0o027, 0o1777), (0, 0o700)] {
        // SAFETY: no memory is involved.
        unsafe { libc::umask(umask) };
        let path = scratch.path(&format!("{umask:o}"));
        t.call(format_args!("mkdir {mode:04o} under umask {umask:03o}"), c::mkdir(&path, mode));
        t.value("mode", format_args!("{:04o}", c::stat_at(&path).st_mode & 0o7777));
    }
}

fn dir_rmdir(t: &mut Transcript) {
    let scratch = Scratch::new();
    let dir = scratch.path("d");
    c::mkdir(&dir, 0o755);
    let file = dir.join("f");
    std::fs::write(&file, b"").expect("a file");
    t.call("rmdir of a full one", c::rmdir(&dir));
    t.call("rmdir of a file", c::rmdir(&file));
    t.call("rmdir of what is absent", c::rmdir(scratch.path("absent")));
    t.call("rmdir of dot", c::rmdir(dir.join(".")));
    t.call("rmdir of dot dot", c::rmdir(dir.join("..")));
    c::unlink(&file);
    let open = c::must_open(&dir, O_RDONLY);
    t.call("rmdir", c::rmdir(&dir));
    t.call("rmdir again", c::rmdir(&dir));
    t.call("create in it through a descriptor", c::openat(open, "g", O_CREAT | O_RDWR));
    t.call("stat it through a descriptor", c::fstat(open, &mut c::no_stat()));
    c::symlink("d", scratch.path("link"));
    c::mkdir(&dir, 0o755);
    t.call("rmdir of a link to a directory", c::rmdir(scratch.path("link")));
    c::close_all(&[open]);
}

fn dir_unlink(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = scratch.file("f", b"");
    t.call("unlink", c::unlink(&file));
    t.call("unlink again", c::unlink(&file));
    c::mkdir(scratch.path("d"), 0o755);
    t.call("unlink of a directory", c::unlink(scratch.path("d")));
    c::symlink("nowhere", scratch.path("link"));
    t.call("unlink of a dangling link", c::unlink(scratch.path("link")));
    let kept = scratch.file("g", b"");
    t.call("unlink of a file with a slash", c::unlink(scratch.path("g/")));
    c::symlink("g", scratch.path("link"));
    t.call("unlink of a link", c::unlink(scratch.path("link")));
    t.holds("leaves its target", kept.exists());
}

fn dir_unlinkat(t: &mut Transcript) {
    let scratch = Scratch::new();
    scratch.file("f", b"");
    c::mkdir(scratch.path("d"), 0o755);
    let dir = c::must_open(&*scratch, O_RDONLY);
    t.call("a file with AT_REMOVEDIR", c::unlinkat(dir, "f", AT_REMOVEDIR));
    t.call("a directory without", c::unlinkat(dir, "d", 0));
    t.call("a file", c::unlinkat(dir, "f", 0));
    t.call("a directory", c::unlinkat(dir, "d", AT_REMOVEDIR));
    t.call("unknown flags", c::unlinkat(dir, "f", 1 << 20));
    t.call("at a closed descriptor", c::unlinkat(BAD_FD, "f", 0));
    c::close_all(&[dir]);
}

fn dir_rename_files(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = (scratch.file("one", b"1"), scratch.file("two", b"22"));
    t.call("over another", c::rename(&one, &two));
    t.holds("the old name is gone", !one.exists());
    t.bytes("content", &std::fs::read(&two).expect("the file"));
    t.call("what is absent", c::rename(&one, &two));
    t.call("to itself", c::rename(&two, &two));
    t.holds("which keeps it", two.exists());
    c::link(&two, &one);
    t.call("to another link of the same file", c::rename(&one, &two));
    t.holds("LINUX: keeps both names", one.exists() && two.exists());
    t.call("into an absent directory", c::rename(&one, scratch.path("absent/x")));
    t.call("with a slash after a file", c::rename(scratch.path("one/"), scratch.path("x")));
}

fn dir_rename_directories(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (a, b, full) = (scratch.path("a"), scratch.path("b"), scratch.path("full"));
    for dir in [&a, &b, &full] {
        c::mkdir(dir, 0o755);
    }
    std::fs::write(full.join("f"), b"").expect("a file");
    t.call("onto one that is full", c::rename(&a, &full));
    t.call("onto one that is empty", c::rename(&a, &b));
    t.call("into itself", c::rename(&b, b.join("inner")));
    t.call("onto its parent", c::rename(full.join("f"), &full));
    let file = scratch.file("file", b"");
    t.call("a directory onto a file", c::rename(&b, &file));
    t.call("a file onto a directory", c::rename(&file, &b));
    t.call("a full one to a new name", c::rename(&full, scratch.path("moved")));
    t.holds("with what is in it", exists(&scratch.path("moved/f")));
    t.call("into another directory", c::rename(scratch.path("moved"), b.join("moved")));
    t.holds("with what is in it", exists(&b.join("moved/f")));
}

fn dir_rename_corners(t: &mut Transcript) {
    let scratch = Scratch::new();
    let dir = scratch.path("d");
    c::mkdir(&dir, 0o755);
    t.call("dot", c::rename(dir.join("."), scratch.path("x")));
    t.call("onto dot dot", c::rename(&dir, dir.join("..")));
    scratch.file("target", b"t");
    c::symlink("target", scratch.path("link"));
    t.call("a link", c::rename(scratch.path("link"), scratch.path("moved")));
    t.holds("moves the link", scratch.path("moved").is_symlink());
    let file = scratch.file("f", b"f");
    t.call("over a link", c::rename(&file, scratch.path("moved")));
    t.holds("replaces the link", !scratch.path("moved").is_symlink());
    t.bytes("and not its target", &std::fs::read(scratch.path("target")).expect("the target"));
}

fn dir_rename_flags(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = (scratch.file("one", b"1"), scratch.file("two", b"22"));
    t.call("NOREPLACE onto another", c::renameat2(&one, &two, RENAME_NOREPLACE));
    t.call("NOREPLACE", c::renameat2(&one, scratch.path("new"), RENAME_NOREPLACE));
    let new = scratch.path("new");
    t.call("EXCHANGE", c::renameat2(&new, &two, RENAME_EXCHANGE));
    t.bytes("content of the first", &std::fs::read(&new).expect("the file"));
    t.bytes("content of the second", &std::fs::read(&two).expect("the file"));
    t.call("EXCHANGE with what is absent", c::renameat2(&new, &one, RENAME_EXCHANGE));
    let both = RENAME_EXCHANGE | RENAME_NOREPLACE;
    t.call("both flags", c::renameat2(&new, &two, both));
    t.call("an unknown flag", c::renameat2(&new, &two, 1 << 10));
    let dir = scratch.path("d");
    c::mkdir(&dir, 0o755);
    t.call("EXCHANGE a file and a directory", c::renameat2(&new, &dir, RENAME_EXCHANGE));
    t.holds("each is where the other was", new.is_dir() && dir.is_file());
}

fn dir_rename_keeps_open_files(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (old, new) = (scratch.file("old", b"old"), scratch.file("new", b"new content"));
    let (by_old, by_new) = (c::must_open(&old, O_RDWR), c::must_open(&new, O_RDWR));
    t.call("rename new over old", c::rename(&new, &old));
    let mut buffer = [0; 16];
    t.call("the replaced file is still readable", c::read(by_old, &mut buffer));
    t.value("it has links", c::stat_of(by_old).st_nlink);
    t.call("the renamed one, too", c::read(by_new, &mut buffer));
    c::write(by_new, b"!");
    t.value("its size by name", c::stat_at(&old).st_size);
    c::close_all(&[by_old, by_new]);
}

fn dir_link_at(t: &mut Transcript) {
    let scratch = Scratch::new();
    scratch.file("f", b"data");
    c::symlink("f", scratch.path("link"));
    let dir = c::must_open(&*scratch, O_RDONLY);
    let linkat = |from: &std::ffi::CStr, to: &std::ffi::CStr, flags| {
        // SAFETY: both names are NUL-terminated.
        unsafe { libc::linkat(dir, from.as_ptr(), dir, to.as_ptr(), flags) }
    };
    t.call("a file", linkat(c"f", c"g", 0));
    t.call("a link itself", linkat(c"link", c"link2", 0));
    t.holds("is a link", scratch.path("link2").is_symlink());
    t.call("a link's target", linkat(c"link", c"h", libc::AT_SYMLINK_FOLLOW));
    t.holds("is a file", !scratch.path("h").is_symlink());
    t.call("unknown flags", linkat(c"f", c"i", 1 << 20));
    t.value("nlink", c::stat_at(scratch.path("f")).st_nlink);
    c::close_all(&[dir]);
}

fn dir_symlink_and_readlink(t: &mut Transcript) {
    let scratch = Scratch::new();
    let link = scratch.path("link");
    t.call("symlink", c::symlink("some/target", &link));
    t.call("symlink again", c::symlink("other", &link));
    t.call("symlink to the empty path", c::symlink("", scratch.path("empty")));
    let mut buffer = [b'-'; 16];
    t.call("readlink", c::readlink(&link, &mut buffer));
    t.bytes("the buffer", &buffer);
    t.call("readlink into 4", c::readlink(&link, &mut buffer[..4]));
    t.call("readlink into nothing", c::readlink(&link, &mut []));
    t.call("readlink of a file", c::readlink(scratch.file("f", b""), &mut buffer));
    t.call("readlink of a directory", c::readlink(&*scratch, &mut buffer));
    t.call("readlink of what is absent", c::readlink(scratch.path("absent"), &mut buffer));
    let path = c::path(&link);
    // SAFETY: the kernel checks the pointer.
    let result = unsafe { libc::readlink(path.as_ptr(), BAD_POINTER as *mut i8, 8) };
    t.call("readlink into an unmapped buffer", result);
}

fn dir_symlink_resolution(t: &mut Transcript) {
    let scratch = Scratch::new();
    c::mkdir(scratch.path("d"), 0o755);
    scratch.file("d/f", b"in d");
    c::symlink("d", scratch.path("to_d"));
    c::symlink("../d/f", scratch.path("d/up_and_down"));
    c::symlink(scratch.path("d/f"), scratch.path("absolute"));
    c::symlink("a", scratch.path("b"));
    c::symlink("b", scratch.path("a"));
    let mut stat = c::no_stat();
    for name in ["to_d/f", "d/up_and_down", "absolute", "to_d/../d/f", "to_d/", "a", "b/x"] {
        t.call(format_args!("stat {name}"), c::stat(scratch.path(name), &mut stat));
    }
    // path_resolution(7): at most 40 links.
    c::symlink("d/f", scratch.path("chain0"));
    for number in 1..=40 {
        c::symlink(format!("chain{}", number - 1), scratch.path(&format!("chain{number}")));
    }
    t.call("stat over 40 links", c::stat(scratch.path("chain39"), &mut stat));
    t.call("stat over 41 links", c::stat(scratch.path("chain40"), &mut stat));
}

fn dir_list(t: &mut Transcript) {
    let scratch = Scratch::new();
    scratch.file("file", b"");
    c::mkdir(scratch.path("dir"), 0o755);
    c::symlink("nowhere", scratch.path("link"));
    let mut found = BTreeMap::new();
    let path = c::path(&*scratch);
    // SAFETY: the stream is open, and an entry is read before the next call.
    unsafe {
        let stream = libc::opendir(path.as_ptr());
        assert!(!stream.is_null(), "opendir");
        loop {
            let entry = libc::readdir(stream);
            if entry.is_null() {
                break;
            }
            let name = std::ffi::CStr::from_ptr((*entry).d_name.as_ptr());
            let name = name.to_string_lossy().into_owned();
            assert_eq!(found.insert(name, (*entry).d_type), None, "each name once");
        }
        t.call("closedir", libc::closedir(stream));
    }
    for (name, kind) in found {
        let kind = match kind {
            libc::DT_DIR => "a directory",
            libc::DT_REG => "a file",
            libc::DT_LNK => "a link",
            _ => "something else",
        };
        t.value(name, kind);
    }
}

fn getdents(fd: i32, buffer: &mut [u8]) -> i64 {
    // SAFETY: the pointer and length are those of one slice.
    unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), buffer.len()) }
}

fn dir_list_raw(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = c::must_open(scratch.file("a_name_of_some_length", b""), O_RDONLY);
    let dir = c::must_open(&*scratch, O_RDONLY);
    let mut buffer = [0; 1024];
    t.call("getdents64 of a file", getdents(file, &mut buffer));
    t.call("getdents64 into 8 bytes", getdents(dir, &mut buffer[..8]));
    let mut names = Vec::new();
    loop {
        let size = getdents(dir, &mut buffer);
        assert!(size >= 0, "getdents64");
        if size == 0 {
            break;
        }
        let mut at = 0;
        while at < size as usize {
            let record = usize::from(u16::from_ne_bytes([buffer[at + 16], buffer[at + 17]]));
            assert_eq!(record % 8, 0, "records are aligned");
            let name = &buffer[at + 19..at + record];
            let end = name.iter().position(|byte| *byte == 0).expect("a NUL");
            names.push(String::from_utf8_lossy(&name[..end]).into_owned());
            at += record;
        }
    }
    names.sort();
    t.value("names", names.join(" "));
    t.call("getdents64 at the end", getdents(dir, &mut buffer));
    c::close_all(&[file, dir]);
}

fn dir_list_again(t: &mut Transcript) {
    let scratch = Scratch::new();
    (0..3).for_each(|number| drop(scratch.file(&format!("f{number}"), b"")));
    let dir = c::must_open(&*scratch, O_RDONLY);
    let mut buffer = [0; 4096];
    let count = |buffer: &mut [u8]| {
        let mut total = 0;
        loop {
            match getdents(dir, buffer) {
                0 => return total,
                size => total += size,
            }
        }
    };
    let first = count(&mut buffer);
    t.call("lseek to the start", c::lseek(dir, 0, SEEK_SET));
    t.holds("lists as much again", count(&mut buffer) == first);
    scratch.file("f3", b"");
    c::lseek(dir, 0, SEEK_SET);
    t.holds("and more after a new entry", count(&mut buffer) > first);
    c::close_all(&[dir]);
}

fn chdir(to: &Path) -> i32 {
    let to = c::path(to);
    // SAFETY: the path is NUL-terminated.
    unsafe { libc::chdir(to.as_ptr()) }
}

fn dir_working_directory(t: &mut Transcript) {
    let scratch = Scratch::new();
    let root = std::fs::canonicalize(&*scratch).expect("a real path");
    t.call("chdir", chdir(&root));
    t.holds("getcwd", std::env::current_dir().expect("getcwd") == root);
    c::mkdir("d", 0o755);
    std::fs::write("d/f", b"relative").expect("a relative path");
    t.holds("a relative path leads there", root.join("d/f").exists());
    t.call("chdir to d", chdir(Path::new("d")));
    t.call("stat ../d/f", c::stat("../d/f", &mut c::no_stat()));
    t.call("chdir to a file", chdir(Path::new("f")));
    t.call("chdir to what is absent", chdir(Path::new("absent")));
    let dir = c::must_open(&root, O_RDONLY);
    // SAFETY: no memory is involved.
    t.call("fchdir", unsafe { libc::fchdir(dir) });
    t.holds("getcwd", std::env::current_dir().expect("getcwd") == root);
    let mut small = [0; 4];
    // SAFETY: pointer and length are those of one array.
    let null = unsafe { libc::getcwd(small.as_mut_ptr(), small.len()) }.is_null();
    t.holds("getcwd into 4 bytes is ERANGE", null && crate::errno::last() == libc::ERANGE);
    t.call("chdir to the root", chdir(Path::new("/")));
    t.call("stat /..", c::stat("/..", &mut c::no_stat()));
    c::close_all(&[dir]);
}

fn dir_working_directory_removed(t: &mut Transcript) {
    let scratch = Scratch::new();
    let dir = scratch.path("d");
    c::mkdir(&dir, 0o755);
    t.call("chdir", chdir(&dir));
    t.call("rmdir of the working directory", c::rmdir(&dir));
    t.io("getcwd", std::env::current_dir());
    t.call("create a file", c::open("f", O_CREAT | O_RDWR));
    t.call("stat dot", c::stat(".", &mut c::no_stat()));
    t.call("chdir to the root", chdir(Path::new("/")));
}

fn dir_realpath(t: &mut Transcript) {
    let scratch = Scratch::new();
    let root = std::fs::canonicalize(&*scratch).expect("a real path");
    c::mkdir(root.join("d"), 0o755);
    scratch.file("d/f", b"");
    c::symlink("d", root.join("link"));
    let of = |name: &str| std::fs::canonicalize(root.join(name));
    t.holds("of link/../d/./f", of("link/../d/./f").is_ok_and(|path| path == root.join("d/f")));
    t.holds("of link/f", of("link/f").is_ok_and(|path| path == root.join("d/f")));
    t.io("of what is absent", of("absent"));
    t.io("below a file", of("d/f/x"));
}

fn dir_mknod_fifo(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("fifo");
    let name = c::path(&path);
    // SAFETY: the name is NUL-terminated.
    t.call("mkfifo", unsafe { libc::mkfifo(name.as_ptr(), 0o600) });
    // SAFETY: the name is NUL-terminated.
    t.call("mkfifo again", unsafe { libc::mkfifo(name.as_ptr(), 0o600) });
    let nonblocking = libc::O_NONBLOCK;
    t.call("open to write without a reader", c::open(&path, libc::O_WRONLY | nonblocking));
    let reader = t.ok("open to read", c::open(&path, O_RDONLY | nonblocking));
    t.call("read without a writer", c::read(reader, &mut [0; 4]));
    let writer = t.ok("open to write", c::open(&path, libc::O_WRONLY | nonblocking));
    t.call("read of nothing", c::read(reader, &mut [0; 4]));
    t.call("write", c::write(writer, b"abc"));
    t.call("read", c::read(reader, &mut [0; 4]));
    c::close_all(&[reader, writer]);
}

fn dir_many_entries(t: &mut Transcript) {
    let scratch = Scratch::new();
    (0..500).for_each(|number| drop(scratch.file(&format!("entry-{number:04}"), b"")));
    let mut names: Vec<String> = std::fs::read_dir(&*scratch)
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    t.value("entries", names.len());
    t.value("first", &names[0]);
    t.value("last", &names[499]);
    // Removing while listing must reach every entry that was there before.
    for entry in std::fs::read_dir(&*scratch).expect("the directory") {
        std::fs::remove_file(entry.expect("an entry").path()).expect("it can be removed");
    }
    t.value("left", std::fs::read_dir(&*scratch).expect("the directory").count());
}
