//! Descriptors: numbers, flags, duplicates, limits.

use libc::{
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, FIONBIO, FIONREAD,
    O_APPEND, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, RLIMIT_NOFILE, SEEK_CUR,
};

use crate::Transcript;
use crate::c::{self, BAD_FD, BAD_POINTER};
use crate::scratch::Scratch;

tests![Fd:
    fd_lowest_number_is_taken,
    fd_bad_descriptors,
    fd_close_twice,
    fd_dup_shares_the_offset,
    fd_dup2_replaces_and_clears_cloexec,
    fd_dup3_corners,
    fd_fcntl_dupfd_takes_the_next_free,
    fd_cloexec_belongs_to_the_number,
    fd_status_flags_belong_to_the_description,
    fd_getfl_reports_the_open_flags,
    fd_setfl_changes_only_some_flags,
    fd_fionbio_sets_nonblock,
    fd_fionread_counts,
    fd_unknown_requests,
    fd_limit_makes_emfile,
    fd_limit_bounds_dup,
    fd_close_range_closes,
    fd_access_mode_is_checked,
    fd_bad_buffers,
    fd_zero_length_transfers,
    fd_vectors_corners,
];

fn fd_lowest_number_is_taken(t: &mut Transcript) {
    let first = c::must_open("/dev/null", O_RDONLY);
    let second = c::must_open("/dev/null", O_RDONLY);
    let third = c::must_open("/dev/null", O_RDONLY);
    t.holds("numbers rise", first < second && second < third);
    c::close_all(&[second, first]);
    let pipe = c::pipe(0);
    t.holds("a pipe takes the two lowest, read end first", pipe == [first, second]);
    let next = c::dup(0);
    t.holds("dup takes the next", next > third);
    c::close_all(&[third, next, pipe[0], pipe[1]]);
}

fn fd_bad_descriptors(t: &mut Transcript) {
    let mut buffer = [0; 4];
    for (name, fd) in [("-1", -1), ("a number too high", BAD_FD)] {
        t.line(format_args!("with {name}:"));
        t.call("read", c::read(fd, &mut buffer));
        t.call("write", c::write(fd, b"x"));
        t.call("close", c::close(fd));
        t.call("dup", c::dup(fd));
        t.call("dup2 to itself", c::dup2(fd, fd));
        t.call("lseek", c::lseek(fd, 0, SEEK_CUR));
        t.call("F_GETFD", c::fcntl(fd, F_GETFD, 0));
        t.call("FIONREAD", c::ioctl(fd, FIONREAD, &mut 0));
        t.call("fstat", c::fstat(fd, &mut c::no_stat()));
        t.call("send", c::send(fd, b"x", 0));
        t.call("listen", c::listen(fd, 1));
    }
}

fn fd_close_twice(t: &mut Transcript) {
    let fd = c::must_open("/dev/null", O_RDONLY);
    t.call("close", c::close(fd));
    t.call("close again", c::close(fd));
    t.call("F_GETFD after close", c::fcntl(fd, F_GETFD, 0));
}

fn fd_dup_shares_the_offset(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"abcdefgh");
    let fd = c::must_open(&path, O_RDONLY);
    let other = c::must(c::dup(fd));
    let apart = c::must_open(&path, O_RDONLY);
    let mut buffer = [0; 3];
    t.call("read 3 by the original", c::read(fd, &mut buffer));
    t.call("read 3 by the duplicate", c::read(other, &mut buffer));
    t.bytes("the duplicate read", &buffer);
    t.call("read 3 by another open", c::read(apart, &mut buffer));
    t.bytes("the other open read", &buffer);
    c::close_all(&[fd]);
    t.call("offset after the original closed", c::lseek(other, 0, SEEK_CUR));
    c::close_all(&[other, apart]);
}

fn fd_dup2_replaces_and_clears_cloexec(t: &mut Transcript) {
    let from = c::must_open("/dev/null", O_RDONLY | O_CLOEXEC);
    let [reader, writer] = c::pipe(0);
    t.holds("dup2 returns its target", c::dup2(from, writer) == writer);
    t.call("cloexec of the copy", c::fcntl(writer, F_GETFD, 0));
    let mut buffer = [0; 1];
    t.call("the pipe lost its last writer", c::read(reader, &mut buffer));
    t.holds("dup2 to itself returns it", c::dup2(from, from) == from);
    t.call("and leaves cloexec alone", c::fcntl(from, F_GETFD, 0));
    t.call("dup2 to -1", c::dup2(from, -1));
    t.call("dup2 of a closed number", c::dup2(BAD_FD, writer));
    t.call("which keeps the target open", c::fcntl(writer, F_GETFD, 0));
    c::close_all(&[from, reader, writer]);
}

fn fd_dup3_corners(t: &mut Transcript) {
    let from = c::must_open("/dev/null", O_RDONLY);
    let to = c::must(c::dup(from));
    t.call("dup3 to itself", c::dup3(from, from, 0));
    t.call("dup3 with O_NONBLOCK", c::dup3(from, to, O_NONBLOCK));
    t.holds("dup3 with O_CLOEXEC", c::dup3(from, to, O_CLOEXEC) == to);
    t.call("cloexec of the copy", c::fcntl(to, F_GETFD, 0));
    c::close_all(&[from, to]);
}

fn fd_fcntl_dupfd_takes_the_next_free(t: &mut Transcript) {
    let from = c::must_open("/dev/null", O_RDONLY);
    let first = c::fcntl(from, F_DUPFD, 100);
    t.value("F_DUPFD from 100", first);
    let second = c::fcntl(from, F_DUPFD_CLOEXEC, 100);
    t.value("F_DUPFD_CLOEXEC from 100", second);
    t.call("cloexec of the first", c::fcntl(first, F_GETFD, 0));
    t.call("cloexec of the second", c::fcntl(second, F_GETFD, 0));
    t.call("F_DUPFD from -1", c::fcntl(from, F_DUPFD, -1));
    t.call("F_DUPFD from above the limit", c::fcntl(from, F_DUPFD, i32::MAX));
    c::close_all(&[from, first, second]);
}

fn fd_cloexec_belongs_to_the_number(t: &mut Transcript) {
    let fd = c::must_open("/dev/null", O_RDONLY);
    t.call("at first", c::fcntl(fd, F_GETFD, 0));
    t.call("F_SETFD", c::fcntl(fd, F_SETFD, FD_CLOEXEC));
    t.call("then", c::fcntl(fd, F_GETFD, 0));
    let copy = c::must(c::dup(fd));
    t.call("of a duplicate", c::fcntl(copy, F_GETFD, 0));
    let mut nothing = 0;
    t.call("FIONCLEX", c::ioctl(fd, libc::FIONCLEX, &mut nothing));
    t.call("then", c::fcntl(fd, F_GETFD, 0));
    t.call("FIOCLEX", c::ioctl(fd, libc::FIOCLEX, &mut nothing));
    t.call("then", c::fcntl(fd, F_GETFD, 0));
    c::close_all(&[fd, copy]);
}

fn fd_status_flags_belong_to_the_description(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    let copy = c::must(c::dup(reader));
    c::set_nonblocking(copy);
    let mut buffer = [0; 1];
    t.call("read by the original", c::read(reader, &mut buffer));
    let flags = c::fcntl(reader, F_GETFL, 0);
    t.holds("O_NONBLOCK shows on the original", flags & O_NONBLOCK != 0);
    let flags = c::fcntl(writer, F_GETFL, 0);
    t.holds("and on the other end", flags & O_NONBLOCK != 0);
    c::close_all(&[reader, writer, copy]);
}

/// The flags that a body may name: access mode, O_APPEND and O_NONBLOCK.
fn flag_names(flags: i32) -> String {
    let mode = ["O_RDONLY", "O_WRONLY", "O_RDWR", "3"][(flags & libc::O_ACCMODE) as usize];
    let mut names = vec![mode];
    for (bit, name) in [
        (O_APPEND, "O_APPEND"),
        (O_NONBLOCK, "O_NONBLOCK"),
        (libc::O_CREAT, "O_CREAT"),
        (libc::O_TRUNC, "O_TRUNC"),
        (O_CLOEXEC, "O_CLOEXEC"),
    ] {
        names.extend((flags & bit != 0).then_some(name));
    }
    names.join("|")
}

fn fd_getfl_reports_the_open_flags(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("f");
    let create = libc::O_CREAT | libc::O_TRUNC | O_CLOEXEC;
    for flags in [O_RDWR | create, O_RDONLY, O_WRONLY | O_APPEND, O_RDONLY | O_NONBLOCK] {
        let fd = c::must_open(&path, flags);
        let shown = flag_names(c::fcntl(fd, F_GETFL, 0));
        t.line(format_args!("opened with {}: {shown}", flag_names(flags)));
        c::close_all(&[fd]);
    }
    let [reader, writer] = c::pipe(O_CLOEXEC);
    t.value("a pipe's read end", flag_names(c::fcntl(reader, F_GETFL, 0)));
    t.value("a pipe's write end", flag_names(c::fcntl(writer, F_GETFL, 0)));
    let socket = c::tcp(libc::SOCK_NONBLOCK);
    t.value("a nonblocking socket", flag_names(c::fcntl(socket, F_GETFL, 0)));
    let event = c::eventfd(0, 0);
    t.value("an eventfd", flag_names(c::fcntl(event, F_GETFL, 0)));
    c::close_all(&[reader, writer, socket, event]);
}

fn fd_setfl_changes_only_some_flags(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"12345"), O_RDONLY);
    t.call("F_SETFL to O_WRONLY|O_APPEND", c::fcntl(fd, F_SETFL, O_WRONLY | O_APPEND));
    t.value("flags", flag_names(c::fcntl(fd, F_GETFL, 0)));
    t.call("write", c::write(fd, b"x"));
    t.call("F_SETFL to 0", c::fcntl(fd, F_SETFL, 0));
    t.value("flags", flag_names(c::fcntl(fd, F_GETFL, 0)));
    c::close_all(&[fd]);
}

fn fd_fionbio_sets_nonblock(t: &mut Transcript) {
    let socket = c::tcp(0);
    t.call("FIONBIO 1", c::ioctl(socket, FIONBIO, &mut 1));
    t.value("flags", flag_names(c::fcntl(socket, F_GETFL, 0)));
    t.call("FIONBIO 0", c::ioctl(socket, FIONBIO, &mut 0));
    t.value("flags", flag_names(c::fcntl(socket, F_GETFL, 0)));
    // SAFETY: the kernel checks the pointer.
    t.call("FIONBIO with an unmapped int", unsafe { libc::ioctl(socket, FIONBIO, BAD_POINTER) });
    c::close_all(&[socket]);
}

fn fd_fionread_counts(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    t.value("an empty pipe", c::readable_bytes(reader));
    c::write(writer, b"12345");
    t.value("a pipe with 5 bytes", c::readable_bytes(reader));
    let scratch = Scratch::new();
    let file = c::must_open(scratch.file("f", b"1234567"), O_RDONLY);
    c::lseek(file, 3, SEEK_CUR);
    t.value("a file of 7 at offset 3", c::readable_bytes(file));
    let [left, right] = c::socketpair(libc::SOCK_STREAM);
    c::write(left, b"123");
    t.value("a stream with 3 bytes", c::readable_bytes(right));
    c::close_all(&[reader, writer, file, left, right]);
}

fn fd_unknown_requests(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = c::must_open(scratch.file("f", b""), O_RDONLY);
    let [reader, writer] = c::pipe(0);
    for (name, fd) in [("a file", file), ("a pipe", reader)] {
        t.call(format_args!("TCGETS of {name}"), c::ioctl(fd, libc::TCGETS, &mut 0));
        t.call(format_args!("fcntl 9999 of {name}"), c::fcntl(fd, 9999, 0));
    }
    // SAFETY: no memory is involved.
    t.value("isatty of a pipe", unsafe { libc::isatty(reader) });
    c::close_all(&[file, reader, writer]);
}

fn set_limit(soft: u64) -> i32 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is of our own.
    unsafe {
        assert_eq!(libc::getrlimit(RLIMIT_NOFILE, &mut limit), 0, "getrlimit");
        limit.rlim_cur = soft;
        libc::setrlimit(RLIMIT_NOFILE, &limit)
    }
}

fn fd_limit_makes_emfile(t: &mut Transcript) {
    let first = c::must_open("/dev/null", O_RDONLY);
    let room = first as u64 + 3;
    t.call("setrlimit to two more", set_limit(room));
    let second = c::must_open("/dev/null", O_RDONLY);
    t.call("a pipe, with room for one", c::pipe2(&mut [0; 2], 0));
    let third = c::must_open("/dev/null", O_RDONLY);
    t.call("open", c::open("/dev/null", O_RDONLY));
    t.call("dup", c::dup(first));
    t.call("socket", c::socket(libc::AF_INET, libc::SOCK_STREAM, 0));
    // SAFETY: no memory is involved.
    t.call("eventfd", unsafe { libc::eventfd(0, 0) });
    // SAFETY: no memory is involved.
    t.call("epoll_create1", unsafe { libc::epoll_create1(0) });
    t.call("F_DUPFD", c::fcntl(first, F_DUPFD, 0));
    c::close_all(&[second]);
    t.holds("a closed number is free again", c::dup(first) == second);
    c::close_all(&[first, second, third]);
}

fn fd_limit_bounds_dup(t: &mut Transcript) {
    t.call("setrlimit to 64", set_limit(64));
    let fd = c::must_open("/dev/null", O_RDONLY);
    t.call("dup2 to 63", c::dup2(fd, 63));
    t.call("dup2 to 64", c::dup2(fd, 64));
    t.call("dup3 to 64", c::dup3(fd, 64, 0));
    t.call("F_DUPFD from 64", c::fcntl(fd, F_DUPFD, 64));
    t.call("F_DUPFD from 63, taken", c::fcntl(fd, F_DUPFD, 63));
    t.call("setrlimit to 32, below what is open", set_limit(32));
    t.call("which stays open", c::fcntl(63, F_GETFD, 0));
    let mut limit = libc::rlimit { rlim_cur: 10, rlim_max: 5 };
    // SAFETY: the limit is of our own.
    t.call("soft above hard", unsafe { libc::setrlimit(RLIMIT_NOFILE, &limit) });
    // SAFETY: the limit is of our own.
    t.call("resource 99", unsafe { libc::getrlimit(99, &mut limit) });
    c::close_all(&[fd, 63]);
}

fn close_range(first: u32, last: u32, flags: u32) -> i64 {
    // SAFETY: the body closes only what it opened.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) }
}

fn fd_close_range_closes(t: &mut Transcript) {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    let from = c::must_open("/dev/null", O_RDONLY);
    for fd in [200, 201, 203] {
        t.value("opened", c::dup2(from, fd));
    }
    t.call("close_range(201, 210)", close_range(201, 210, 0));
    for fd in [200, 201, 203] {
        t.call(format_args!("F_GETFD of {fd}"), c::fcntl(fd, F_GETFD, 0));
    }
    t.call("close_range to cloexec", close_range(200, u32::MAX, CLOSE_RANGE_CLOEXEC));
    t.call("F_GETFD of 200", c::fcntl(200, F_GETFD, 0));
    t.call("first above last", close_range(9, 8, 0));
    t.call("unknown flag", close_range(300, 301, 64));
    t.call("nothing open in the range", close_range(300, 301, 0));
    c::close_all(&[from, 200]);
}

fn fd_access_mode_is_checked(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"data");
    let reader = c::must_open(&path, O_RDONLY);
    let writer = c::must_open(&path, O_WRONLY);
    let mut buffer = [0; 4];
    t.call("write to a reader", c::write(reader, b"x"));
    t.call("read from a writer", c::read(writer, &mut buffer));
    t.call("pread from a writer", c::pread(writer, &mut buffer, 0));
    t.call("pwrite to a reader", c::pwrite(reader, b"x", 0));
    t.call("ftruncate of a reader", c::ftruncate(reader, 0));
    let [pipe_reader, pipe_writer] = c::pipe(0);
    t.call("write to a pipe's read end", c::write(pipe_reader, b"x"));
    t.call("read from a pipe's write end", c::read(pipe_writer, &mut buffer));
    c::close_all(&[reader, writer, pipe_reader, pipe_writer]);
}

fn fd_bad_buffers(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = c::must_open(scratch.file("f", b"data"), O_RDWR);
    let [reader, writer] = c::pipe(0);
    c::write(writer, b"abc");
    let bad = BAD_POINTER as *mut libc::c_void;
    // SAFETY: the kernel checks the pointers.
    unsafe {
        t.call("read of a file", libc::read(file, bad, 4));
        t.call("write to a file", libc::write(file, bad, 4));
        t.call("read of a pipe", libc::read(reader, bad, 2));
        t.call("write to a pipe", libc::write(writer, bad, 2));
        t.call("pipe2", libc::pipe2(BAD_POINTER as *mut i32, 0));
        t.call("fstat", libc::syscall(libc::SYS_fstat, file, bad));
        t.call("open", libc::open(BAD_POINTER as *const i8, O_RDONLY));
        t.call("readv", libc::readv(reader, BAD_POINTER as *const libc::iovec, 1));
    }
    t.value("the pipe still holds", c::readable_bytes(reader));
    c::close_all(&[file, reader, writer]);
}

fn fd_zero_length_transfers(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = c::must_open(scratch.file("f", b"data"), O_RDWR);
    let [reader, writer] = c::pipe(0);
    t.call("read 0 of a file", c::read(file, &mut []));
    t.call("write 0 to a file", c::write(file, &[]));
    t.call("read 0 of an empty pipe", c::read(reader, &mut []));
    t.call("write 0 to a pipe", c::write(writer, &[]));
    t.call("readv of no pieces", c::readv(file, []));
    c::close_all(&[file, reader, writer]);
}

fn fd_vectors_corners(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    t.call("writev of 3 pieces", c::writev(writer, [b"ab", b"", b"cdef"]));
    let (mut one, mut two) = ([0; 1], [0; 9]);
    t.call("readv into 1 + 9", c::readv(reader, [&mut one, &mut two]));
    t.bytes("first", &one);
    t.bytes("second", &two[..5]);
    let piece = libc::iovec { iov_base: one.as_mut_ptr().cast(), iov_len: 1 };
    let pieces = vec![piece; 1025];
    // SAFETY: the kernel refuses the count before it looks at the pieces.
    unsafe {
        t.call("1025 pieces", libc::writev(writer, pieces.as_ptr(), 1025));
        t.call("-1 pieces", libc::writev(writer, pieces.as_ptr(), -1));
    }
    let huge = libc::iovec { iov_base: one.as_mut_ptr().cast(), iov_len: usize::MAX };
    // SAFETY: the kernel refuses a length that does not fit into ssize_t.
    t.call("a piece longer than ssize_t", unsafe { libc::writev(writer, &huge, 1) });
    // SAFETY: every piece is one byte of our own.
    t.call("1024 pieces", unsafe { libc::writev(writer, pieces.as_ptr(), 1024) });
    c::close_all(&[reader, writer]);
}
