//! Files: opening, offsets, content.

use libc::{
    O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, O_TRUNC,
    O_WRONLY, SEEK_CUR, SEEK_END, SEEK_SET,
};

use crate::Transcript;
use crate::c::{self, BAD_FD};
use crate::scratch::Scratch;

tests![File:
    file_open_flags,
    file_open_errors,
    file_open_directory,
    file_open_symlinks,
    file_open_trailing_slash,
    file_open_mode_and_umask,
    file_open_path_only,
    file_tmpfile,
    file_read_and_write_move_the_offset,
    file_lseek,
    file_lseek_holes,
    file_pread_and_pwrite,
    file_append,
    file_vectors_at_offsets,
    file_sparse_holes_are_zero,
    file_truncate,
    file_fallocate,
    file_sync,
    file_copy_file_range,
    file_sendfile,
    file_unlinked_while_open,
    file_seen_by_two_opens,
    file_large_offsets,
    file_size_limit,
    file_memfd,
];

fn content(path: &std::path::Path) -> Vec<u8> {
    std::fs::read(path).expect("the file can be read")
}

fn file_open_flags(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("f");
    t.call("open what is absent", c::open(&path, O_RDWR));
    let fd = t.ok("O_CREAT", c::open(&path, O_RDWR | O_CREAT));
    c::write(fd, b"12345");
    t.call("O_CREAT|O_EXCL on what is there", c::open(&path, O_RDWR | O_CREAT | O_EXCL));
    let again = t.ok("O_CREAT on what is there", c::open(&path, O_RDWR | O_CREAT));
    t.value("size", c::stat_of(again).st_size);
    let empty = t.ok("O_TRUNC", c::open(&path, O_WRONLY | O_TRUNC));
    t.value("size", c::stat_of(again).st_size);
    let other = scratch.path("g");
    let exclusive = t.ok("O_CREAT|O_EXCL", c::open(&other, O_RDONLY | O_CREAT | O_EXCL));
    t.value("size", c::stat_of(exclusive).st_size);
    c::close_all(&[fd, again, empty, exclusive]);
}

fn file_open_errors(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = scratch.file("f", b"");
    t.call("below an absent directory", c::open(scratch.path("absent/f"), O_CREAT | O_RDWR));
    t.call("below a file", c::open(file.join("g"), O_CREAT | O_RDWR));
    t.call("the empty path", c::open("", O_RDONLY));
    t.call("a name of 255 bytes", c::open(scratch.path(&"n".repeat(255)), O_RDONLY));
    t.call("a name of 256 bytes", c::open(scratch.path(&"n".repeat(256)), O_RDONLY));
    t.call("a path of 5000 bytes", c::open("x/".repeat(2500), O_RDONLY));
    t.call("openat a closed descriptor", c::openat(BAD_FD, "f", O_RDONLY));
    let fd = c::must_open(&file, O_RDONLY);
    t.call("openat a file", c::openat(fd, "f", O_RDONLY));
    let absolute = t.ok("openat with an absolute path", c::openat(BAD_FD, &file, O_RDONLY));
    c::close_all(&[fd, absolute]);
}

fn file_open_directory(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = scratch.file("f", b"");
    t.call("a directory to write", c::open(&*scratch, O_RDWR));
    t.call("a directory with O_CREAT", c::open(&*scratch, O_RDONLY | O_CREAT));
    t.call("a file with O_DIRECTORY", c::open(&file, O_RDONLY | O_DIRECTORY));
    let dir = t.ok("a directory", c::open(&*scratch, O_RDONLY | O_DIRECTORY));
    t.call("read it", c::read(dir, &mut [0; 16]));
    t.call("write to it", c::write(dir, b"x"));
    t.call("ftruncate it", c::ftruncate(dir, 0));
    let below = t.ok("openat below it", c::openat(dir, "f", O_RDWR));
    let dot = t.ok("openat its dot", c::openat(dir, ".", O_RDONLY));
    c::close_all(&[dir, below, dot]);
}

fn file_open_symlinks(t: &mut Transcript) {
    let scratch = Scratch::new();
    scratch.file("f", b"target");
    c::symlink("f", scratch.path("link"));
    c::symlink("nowhere", scratch.path("dangling"));
    c::symlink("loop", scratch.path("loop"));
    let fd = t.ok("through a link", c::open(scratch.path("link"), O_RDONLY));
    t.value("size", c::stat_of(fd).st_size);
    t.call("O_NOFOLLOW", c::open(scratch.path("link"), O_RDONLY | O_NOFOLLOW));
    t.call("a dangling link", c::open(scratch.path("dangling"), O_RDONLY));
    let exclusive = O_RDWR | O_CREAT | O_EXCL;
    t.call("O_CREAT|O_EXCL", c::open(scratch.path("dangling"), exclusive));
    let made = t.ok("O_CREAT", c::open(scratch.path("dangling"), O_RDWR | O_CREAT));
    t.holds("which makes the target", scratch.path("nowhere").exists());
    t.call("a link to itself", c::open(scratch.path("loop"), O_RDONLY));
    c::close_all(&[fd, made]);
}

fn file_open_trailing_slash(t: &mut Transcript) {
    let scratch = Scratch::new();
    scratch.file("f", b"");
    t.call("a file", c::open(scratch.path("f/"), O_RDONLY));
    t.call("a file and a dot", c::open(scratch.path("f/."), O_RDONLY));
    t.call("O_CREAT", c::open(scratch.path("g/"), O_RDWR | O_CREAT));
    c::mkdir(scratch.path("d"), 0o755);
    let dir = t.ok("a directory", c::open(scratch.path("d///"), O_RDONLY));
    let file = t.ok("dots in the middle", c::open(scratch.path("d/.././d/../f"), O_RDONLY));
    c::close_all(&[dir, file]);
}

fn file_open_mode_and_umask(t: &mut Transcript) {
    let scratch = Scratch::new();
    for (umask, mode) in [(0o022, 0o666), (0o077, 0o777), (0, 0o4711), (0o777, 0o777)] {
        // SAFETY: no memory is involved.
        unsafe { libc::umask(umask) };
        let path = scratch.path(&format!("{umask:o}-{mode:o}"));
        let fd = c::must(c::open_mode(&path, O_RDWR | O_CREAT, mode));
        let got = c::stat_of(fd).st_mode & 0o7777;
        t.line(format_args!("umask {umask:03o}, mode {mode:04o}: {got:04o}"));
        t.call("the descriptor can be written all the same", c::write(fd, b"x"));
        c::close_all(&[fd]);
    }
}

fn file_open_path_only(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = t.ok("open with O_PATH", c::open(scratch.file("f", b"data"), O_PATH));
    t.call("read", c::read(fd, &mut [0; 4]));
    t.call("write", c::write(fd, b"x"));
    t.call("lseek", c::lseek(fd, 0, SEEK_SET));
    t.call("fstat", c::fstat(fd, &mut c::no_stat()));
    // SAFETY: no memory is involved.
    t.call("fchmod", unsafe { libc::fchmod(fd, 0o600) });
    t.call("FIONREAD", c::ioctl(fd, libc::FIONREAD, &mut 0));
    let copy = t.ok("dup", c::dup(fd));
    c::symlink("f", scratch.path("link"));
    let link = c::open(scratch.path("link"), O_PATH | O_NOFOLLOW);
    t.ok("a link itself, with O_NOFOLLOW", link);
    let kind = c::stat_of(link).st_mode & libc::S_IFMT;
    t.holds("fstat says link", kind == libc::S_IFLNK);
    c::close_all(&[fd, copy, link]);
}

fn file_tmpfile(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::open(&*scratch, O_RDWR | libc::O_TMPFILE);
    if fd < 0 {
        // Not every file system has it (open(2)); what follows is what others say.
        t.line("O_TMPFILE is not there");
        return;
    }
    t.line("O_TMPFILE is there");
    t.value("nlink", c::stat_of(fd).st_nlink);
    t.call("write", c::write(fd, b"unnamed"));
    let entries = std::fs::read_dir(&*scratch).expect("the directory").count();
    t.value("entries in the directory", entries);
    t.call("O_TMPFILE to read", c::open(&*scratch, O_RDONLY | libc::O_TMPFILE));
    c::close_all(&[fd]);
}

fn file_read_and_write_move_the_offset(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("f");
    let fd = c::must_open(&path, O_RDWR | O_CREAT);
    t.call("write 5", c::write(fd, b"hello"));
    t.call("offset", c::lseek(fd, 0, SEEK_CUR));
    t.call("read at the end", c::read(fd, &mut [0; 4]));
    c::lseek(fd, 1, SEEK_SET);
    let mut buffer = [0; 3];
    t.call("read 3 at 1", c::read(fd, &mut buffer));
    t.bytes("read", &buffer);
    t.call("write 2 at 4", c::write(fd, b"XY"));
    t.bytes("content", &content(&path));
    c::lseek(fd, 5, SEEK_SET);
    t.call("read 3 where 1 is left", c::read(fd, &mut buffer));
    c::close_all(&[fd]);
}

fn file_lseek(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"0123456789"), O_RDWR);
    t.call("SEEK_END -3", c::lseek(fd, -3, SEEK_END));
    t.call("SEEK_CUR -2", c::lseek(fd, -2, SEEK_CUR));
    t.call("SEEK_SET 100", c::lseek(fd, 100, SEEK_SET));
    t.call("read past the end", c::read(fd, &mut [0; 4]));
    t.value("the size stays", c::stat_of(fd).st_size);
    t.call("SEEK_SET -1", c::lseek(fd, -1, SEEK_SET));
    t.call("SEEK_END -11", c::lseek(fd, -11, SEEK_END));
    t.call("the offset after errors", c::lseek(fd, 0, SEEK_CUR));
    t.call("whence 99", c::lseek(fd, 0, 99));
    t.call("SEEK_CUR beyond i64", c::lseek(fd, i64::MAX, SEEK_CUR));
    c::close_all(&[fd]);
}

fn file_lseek_holes(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"0123456789"), O_RDWR);
    // Every file has at least the hole at its end (lseek(2)).
    t.call("SEEK_HOLE 0 of a file of data", c::lseek(fd, 0, libc::SEEK_HOLE));
    t.call("SEEK_DATA 3", c::lseek(fd, 3, libc::SEEK_DATA));
    t.call("SEEK_DATA at the end", c::lseek(fd, 10, libc::SEEK_DATA));
    t.call("SEEK_HOLE at the end", c::lseek(fd, 10, libc::SEEK_HOLE));
    t.call("SEEK_DATA beyond the end", c::lseek(fd, 11, libc::SEEK_DATA));
    c::close_all(&[fd]);
    let fd = c::must_open(scratch.file("g", b""), O_RDWR);
    t.call("SEEK_DATA of an empty file", c::lseek(fd, 0, libc::SEEK_DATA));
    // A file system may treat holes as data, or know them by blocks.
    c::pwrite(fd, b"end", 1 << 20);
    let data = c::lseek(fd, 0, libc::SEEK_DATA);
    t.holds("SEEK_DATA skips a hole of 1 MiB, or not", (0..=1 << 20).contains(&data));
    c::close_all(&[fd]);
}

fn file_pread_and_pwrite(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"0123456789");
    let fd = c::must_open(&path, O_RDWR);
    let mut buffer = [0; 4];
    t.call("pread 4 at 3", c::pread(fd, &mut buffer, 3));
    t.bytes("read", &buffer);
    t.call("pread 4 at 8", c::pread(fd, &mut buffer, 8));
    t.call("pread at 10", c::pread(fd, &mut buffer, 10));
    t.call("pread at -1", c::pread(fd, &mut buffer, -1));
    t.call("pwrite 2 at 4", c::pwrite(fd, b"AB", 4));
    t.call("pwrite 1 at 12", c::pwrite(fd, b"Z", 12));
    t.call("pwrite at -1", c::pwrite(fd, b"Z", -1));
    t.call("the offset", c::lseek(fd, 0, SEEK_CUR));
    t.bytes("content", &content(&path));
    c::close_all(&[fd]);
}

fn file_append(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"one");
    let fd = c::must_open(&path, O_RDWR | O_APPEND);
    t.call("the offset at first", c::lseek(fd, 0, SEEK_CUR));
    let other = c::must_open(&path, O_RDWR | O_APPEND);
    c::write(other, b"two");
    t.call("write", c::write(fd, b"three"));
    t.call("the offset after it", c::lseek(fd, 0, SEEK_CUR));
    c::lseek(fd, 0, SEEK_SET);
    t.call("write after a seek to the start", c::write(fd, b"four"));
    // LINUX: pwrite appends whatever its offset, see BUGS in pwrite(2).
    t.call("pwrite at 0", c::pwrite(fd, b"five", 0));
    t.bytes("content", &content(&path));
    let mut buffer = [0; 3];
    t.call("pread at 0", c::pread(fd, &mut buffer, 0));
    t.bytes("read", &buffer);
    c::close_all(&[fd, other]);
}

fn file_vectors_at_offsets(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"0123456789");
    let fd = c::must_open(&path, O_RDWR);
    let (mut one, mut two) = (*b"ab", *b"cde");
    let pieces = c::iovecs([&mut one, &mut two]);
    // SAFETY: the pieces outlive the calls.
    unsafe {
        t.call("pwritev at 3", libc::pwritev(fd, pieces.as_ptr(), 2, 3));
        t.call("preadv at 0", libc::preadv(fd, pieces.as_ptr(), 2, 0));
        t.call("preadv at 8", libc::preadv(fd, pieces.as_ptr(), 2, 8));
        t.call("preadv at -1", libc::preadv(fd, pieces.as_ptr(), 2, -1));
        t.call("the offset", c::lseek(fd, 0, SEEK_CUR));
        t.call("preadv2 at the offset", libc::preadv2(fd, pieces.as_ptr(), 2, -1, 0));
        t.call("pwritev2, unknown flags", libc::pwritev2(fd, pieces.as_ptr(), 2, 0, 1 << 30));
    }
    t.bytes("first", &one);
    t.bytes("second", &two);
    t.call("the offset", c::lseek(fd, 0, SEEK_CUR));
    t.bytes("content", &content(&path));
    c::close_all(&[fd]);
}

fn file_sparse_holes_are_zero(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"start"), O_RDWR);
    t.call("pwrite at 100,000", c::pwrite(fd, b"end", 100_000));
    t.value("size", c::stat_of(fd).st_size);
    let mut hole = vec![1; 100_000 - 5];
    t.call("pread of the hole", c::pread(fd, &mut hole, 5));
    t.holds("all zero", hole.iter().all(|byte| *byte == 0));
    c::lseek(fd, 200_000, SEEK_SET);
    t.call("write of nothing after a seek", c::write(fd, b""));
    t.value("does not grow it", c::stat_of(fd).st_size);
    c::close_all(&[fd]);
}

fn file_truncate(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"0123456789");
    let fd = c::must_open(&path, O_RDWR);
    c::lseek(fd, 8, SEEK_SET);
    t.call("ftruncate to 4", c::ftruncate(fd, 4));
    t.call("the offset stays", c::lseek(fd, 0, SEEK_CUR));
    t.call("read there", c::read(fd, &mut [0; 4]));
    t.call("ftruncate to 8", c::ftruncate(fd, 8));
    t.bytes("content", &content(&path));
    t.call("ftruncate to -1", c::ftruncate(fd, -1));
    let truncate = |at: &std::path::Path, size| {
        let at = c::path(at);
        // SAFETY: `at` is a NUL-terminated string of our own.
        unsafe { libc::truncate(at.as_ptr(), size) }
    };
    t.call("truncate to 2", truncate(&path, 2));
    t.value("size", c::stat_of(fd).st_size);
    t.call("truncate a directory", truncate(&scratch, 0));
    t.call("truncate what is absent", truncate(&scratch.path("absent"), 0));
    t.call("truncate to -1", truncate(&path, -1));
    c::close_all(&[fd]);
}

fn file_fallocate(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"0123456789"), O_RDWR);
    // SAFETY: no memory is involved.
    let posix = |offset, size| unsafe { libc::posix_fallocate(fd, offset, size) };
    t.code("posix_fallocate to 20", posix(0, 20));
    t.value("size", c::stat_of(fd).st_size);
    t.code("posix_fallocate inside", posix(0, 5));
    t.value("size", c::stat_of(fd).st_size);
    t.code("posix_fallocate of nothing", posix(0, 0));
    t.code("posix_fallocate at -1", posix(-1, 5));
    let mut buffer = [1; 20];
    t.call("pread", c::pread(fd, &mut buffer, 0));
    t.bytes("content", &buffer);
    let reader = c::must_open(scratch.path("f"), O_RDONLY);
    // SAFETY: no memory is involved.
    t.code("of a reader", unsafe { libc::posix_fallocate(reader, 0, 5) });
    c::close_all(&[fd, reader]);
}

fn file_sync(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"data"), O_RDWR);
    let dir = c::must_open(&*scratch, O_RDONLY);
    let null = c::must_open("/dev/null", O_RDWR);
    // SAFETY: no memory is involved.
    unsafe {
        t.call("fsync", libc::fsync(fd));
        t.call("fdatasync", libc::fdatasync(fd));
        t.call("fsync of a directory", libc::fsync(dir));
        t.call("fsync of /dev/null", libc::fsync(null));
        t.call("fsync of a closed descriptor", libc::fsync(BAD_FD));
        t.call("syncfs", libc::syncfs(fd));
    }
    c::close_all(&[fd, dir, null]);
}

fn file_copy_file_range(t: &mut Transcript) {
    let scratch = Scratch::new();
    let from = c::must_open(scratch.file("from", b"0123456789"), O_RDONLY);
    let path = scratch.file("to", b"----");
    let to = c::must_open(&path, O_RDWR);
    let null = std::ptr::null_mut();
    let mut offset = 2;
    // SAFETY: offsets are null or of our own.
    unsafe {
        t.call("5 bytes", libc::copy_file_range(from, null, to, null, 5, 0));
        t.call("from 2, 3 bytes", libc::copy_file_range(from, &mut offset, to, null, 3, 0));
        t.value("that offset then", offset);
        t.call("100 bytes", libc::copy_file_range(from, null, to, null, 100, 0));
        t.call("at the end", libc::copy_file_range(from, null, to, null, 100, 0));
        t.call("with flags", libc::copy_file_range(from, null, to, null, 1, 1));
        t.call("to a reader", libc::copy_file_range(to, null, from, null, 1, 0));
    }
    t.bytes("content", &content(&path));
    c::close_all(&[from, to]);
}

fn file_sendfile(t: &mut Transcript) {
    let scratch = Scratch::new();
    let from = c::must_open(scratch.file("from", b"0123456789"), O_RDONLY);
    let path = scratch.path("to");
    let to = c::must_open(&path, O_RDWR | O_CREAT);
    let mut offset = 7;
    // SAFETY: offsets are null or of our own.
    unsafe {
        t.call("4 bytes", libc::sendfile(to, from, std::ptr::null_mut(), 4));
        t.call("the file's offset", c::lseek(from, 0, SEEK_CUR));
        t.call("from 7", libc::sendfile(to, from, &mut offset, 100));
        t.value("that offset then", offset);
        t.call("the file's offset", c::lseek(from, 0, SEEK_CUR));
        t.call("at the end", libc::sendfile(to, from, &mut offset, 100));
        offset = -1;
        t.call("from -1", libc::sendfile(to, from, &mut offset, 1));
        t.call("to a reader", libc::sendfile(from, to, std::ptr::null_mut(), 1));
    }
    t.bytes("content", &content(&path));
    c::close_all(&[from, to]);
}

fn file_unlinked_while_open(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"still here");
    let fd = c::must_open(&path, O_RDWR);
    t.call("unlink", c::unlink(&path));
    t.call("open by its name", c::open(&path, O_RDONLY));
    t.value("nlink", c::stat_of(fd).st_nlink);
    let mut buffer = [0; 16];
    t.call("read", c::read(fd, &mut buffer));
    t.call("write", c::write(fd, b" and growing"));
    t.value("size", c::stat_of(fd).st_size);
    let other = c::must_open(&path, O_RDWR | O_CREAT);
    t.value("a new file of that name has size", c::stat_of(other).st_size);
    c::close_all(&[fd, other]);
}

fn file_seen_by_two_opens(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"");
    let (one, two) = (c::must_open(&path, O_RDWR), c::must_open(&path, O_RDWR));
    c::write(one, b"written by one");
    let mut buffer = [0; 32];
    t.call("two reads it at once", c::read(two, &mut buffer));
    c::ftruncate(two, 3);
    t.call("one sees the truncation: pread", c::pread(one, &mut buffer, 0));
    c::write(one, b"!");
    t.value("one writes on at its offset; size", c::stat_of(two).st_size);
    c::close_all(&[one, two]);
}

fn file_large_offsets(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b""), O_RDWR);
    t.call("pwrite at 5 GiB", c::pwrite(fd, b"far", 5 << 30));
    t.value("size", c::stat_of(fd).st_size);
    let mut buffer = [1; 4];
    t.call("pread at 5 GiB - 1", c::pread(fd, &mut buffer, (5 << 30) - 1));
    t.bytes("read", &buffer);
    t.call("pwrite at the end of i64", c::pwrite(fd, b"x", i64::MAX));
    t.call("pread at the end of i64", c::pread(fd, &mut buffer[..1], i64::MAX - 1));
    c::close_all(&[fd]);
}

fn file_size_limit(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b""), O_RDWR);
    c::set_disposition(libc::SIGXFSZ, libc::SIG_IGN, 0);
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is of our own.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) }, 0);
    let small = libc::rlimit { rlim_cur: 8, ..limit };
    // SAFETY: the limit is of our own.
    t.call("RLIMIT_FSIZE 8", unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &small) });
    t.call("write 6", c::write(fd, b"123456"));
    t.call("write 6 more", c::write(fd, b"123456"));
    t.call("write at the limit", c::write(fd, b"x"));
    t.call("ftruncate beyond it", c::ftruncate(fd, 9));
    // The transcript itself may be on its way to a file.
    // SAFETY: the limit is of our own.
    t.call("the old limit", unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) });
    t.value("size", c::stat_of(fd).st_size);
    c::close_all(&[fd]);
}

fn file_memfd(t: &mut Transcript) {
    // SAFETY: the name is a NUL-terminated literal.
    let fd = unsafe { libc::memfd_create(c"memory".as_ptr(), libc::MFD_CLOEXEC) };
    t.ok("memfd_create", fd);
    t.call("write", c::write(fd, b"in memory"));
    t.call("lseek", c::lseek(fd, 3, SEEK_SET));
    let mut buffer = [0; 6];
    t.call("read", c::read(fd, &mut buffer));
    t.bytes("read", &buffer);
    t.call("ftruncate", c::ftruncate(fd, 2));
    let stat = c::stat_of(fd);
    t.value("size", stat.st_size);
    t.value("nlink", stat.st_nlink);
    t.holds("a regular file", stat.st_mode & libc::S_IFMT == libc::S_IFREG);
    t.call("F_GETFD", c::fcntl(fd, libc::F_GETFD, 0));
    // SAFETY: the name is a NUL-terminated literal.
    t.call("unknown flags", unsafe { libc::memfd_create(c"x".as_ptr(), 0x4000) });
    c::close_all(&[fd]);
}
