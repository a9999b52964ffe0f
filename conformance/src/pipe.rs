//! pipe(7).

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use libc::{
    F_GETFD, F_GETPIPE_SZ, F_SETPIPE_SZ, O_CLOEXEC, O_NONBLOCK, POLLIN, POLLOUT, SIG_IGN, SIGPIPE,
    c_int,
};

use crate::Transcript;
use crate::c;

tests![Pipe:
    pipe_carries_bytes_in_order,
    pipe_end_of_file_after_the_last_writer,
    pipe_empty_nonblocking_read,
    pipe_full_nonblocking_write,
    pipe_write_up_to_pipe_buf_is_all_or_nothing,
    pipe_partial_nonblocking_write,
    pipe_epipe_with_sigpipe_ignored,
    pipe_epipe_raises_sigpipe,
    pipe_flags,
    pipe_set_size,
    pipe_seek_and_offsets,
    pipe_poll_events,
    pipe_blocked_reader_wakes,
    pipe_blocked_writer_wakes,
    pipe_blocked_writer_gets_epipe,
    pipe_small_writes_are_atomic,
    pipe_splice_and_tee,
];

fn pipe_carries_bytes_in_order(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    t.call("write 5", c::write(writer, b"hello"));
    t.call("write 6", c::write(writer, b" world"));
    let mut buffer = [0; 8];
    t.call("read 8", c::read(reader, &mut buffer));
    t.bytes("read", &buffer);
    t.call("read 8", c::read(reader, &mut buffer));
    t.bytes("read", &buffer[..3]);
    c::close_all(&[reader, writer]);
}

fn pipe_end_of_file_after_the_last_writer(t: &mut Transcript) {
    let [reader, writer] = c::pipe(O_NONBLOCK);
    let second = c::must(c::dup(writer));
    c::write(writer, b"rest");
    c::close_all(&[writer]);
    let mut buffer = [0; 8];
    t.call("read what is left", c::read(reader, &mut buffer));
    t.call("read while a writer is open", c::read(reader, &mut buffer));
    c::close_all(&[second]);
    t.call("read after the last closed", c::read(reader, &mut buffer));
    t.call("read again", c::read(reader, &mut buffer));
    c::close_all(&[reader]);
}

fn pipe_empty_nonblocking_read(t: &mut Transcript) {
    let [reader, writer] = c::pipe(O_NONBLOCK);
    t.call("read of an empty pipe", c::read(reader, &mut [0; 4]));
    c::close_all(&[reader, writer]);
}

fn fill(writer: c_int) -> usize {
    let chunk = [b'x'; 4096];
    let mut total = 0;
    while c::write(writer, &chunk) == 4096 {
        total += 4096;
    }
    total
}

fn pipe_full_nonblocking_write(t: &mut Transcript) {
    let [reader, writer] = c::pipe(O_NONBLOCK);
    t.value("capacity", fill(writer));
    t.call("write 1 to a full pipe", c::write(writer, b"x"));
    t.value("poll of the write end", c::poll_now(writer, POLLOUT));
    t.call("read 4096", c::read(reader, &mut [0; 4096]));
    t.value("poll of the write end", c::poll_now(writer, POLLOUT));
    t.call("write 4096", c::write(writer, &[0; 4096]));
    c::close_all(&[reader, writer]);
}

fn pipe_write_up_to_pipe_buf_is_all_or_nothing(t: &mut Transcript) {
    let [reader, writer] = c::pipe(O_NONBLOCK);
    fill(writer);
    t.call("make room for 4096", c::read(reader, &mut [0; 4096]));
    t.call("write 100", c::write(writer, &[0; 100]));
    // 3996 bytes are free in the last page, PIPE_BUF is 4096.
    t.call("write 4096 where less is free", c::write(writer, &[0; 4096]));
    t.call("write 3996", c::write(writer, &[0; 3996]));
    c::close_all(&[reader, writer]);
}

fn pipe_partial_nonblocking_write(t: &mut Transcript) {
    let [reader, writer] = c::pipe(O_NONBLOCK);
    t.call("write 100,000 to an empty pipe", c::write(writer, &[1; 100_000]));
    t.value("readable", c::readable_bytes(reader));
    t.call("read 10,000", c::read(reader, &mut [0; 10_000]));
    // Linux fills whole pages only, so it may take less than was made free.
    let wrote = c::write(writer, &[2; 100_000]);
    t.holds("write 100,000 takes 4096 to 10,000", (4096..=10_000).contains(&wrote));
    t.call("write 100,000", c::write(writer, &[2; 100_000]));
    c::close_all(&[reader, writer]);
}

fn pipe_epipe_with_sigpipe_ignored(t: &mut Transcript) {
    c::set_disposition(SIGPIPE, SIG_IGN, 0);
    let [reader, writer] = c::pipe(0);
    c::write(writer, b"never read");
    c::close_all(&[reader]);
    t.call("write without readers", c::write(writer, b"x"));
    t.call("write of nothing", c::write(writer, b""));
    c::close_all(&[writer]);
}

static SIGPIPES: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_sigpipe(_: c_int) {
    SIGPIPES.fetch_add(1, Ordering::SeqCst);
}

fn pipe_epipe_raises_sigpipe(t: &mut Transcript) {
    c::on_signal(SIGPIPE, count_sigpipe, 0);
    let [reader, writer] = c::pipe(0);
    c::close_all(&[reader]);
    t.call("write without readers", c::write(writer, b"x"));
    t.value("SIGPIPE arrived", SIGPIPES.load(Ordering::SeqCst));
    t.call("write again", c::write(writer, b"x"));
    t.value("SIGPIPE arrived", SIGPIPES.load(Ordering::SeqCst));
    c::close_all(&[writer]);
}

fn pipe_flags(t: &mut Transcript) {
    let mut ends = [0; 2];
    t.call("pipe2(O_CLOEXEC|O_NONBLOCK)", c::pipe2(&mut ends, O_CLOEXEC | O_NONBLOCK));
    for (name, end) in ["read", "write"].iter().zip(ends) {
        t.call(format_args!("F_GETFD of the {name} end"), c::fcntl(end, F_GETFD, 0));
    }
    c::close_all(&ends);
    t.call("pipe2(O_APPEND)", c::pipe2(&mut ends, libc::O_APPEND));
    // SAFETY: pipe writes two ints.
    t.call("pipe", unsafe { libc::pipe(ends.as_mut_ptr()) });
    t.call("F_GETFD of the read end", c::fcntl(ends[0], F_GETFD, 0));
    c::close_all(&ends);
}

fn pipe_set_size(t: &mut Transcript) {
    let [reader, writer] = c::pipe(O_NONBLOCK);
    t.call("F_GETPIPE_SZ", c::fcntl(reader, F_GETPIPE_SZ, 0));
    t.call("F_SETPIPE_SZ 4096", c::fcntl(writer, F_SETPIPE_SZ, 4096));
    t.value("capacity", fill(writer));
    t.call("F_SETPIPE_SZ 5000 rounds up", c::fcntl(writer, F_SETPIPE_SZ, 5000));
    t.value("more capacity", fill(writer));
    t.call("F_SETPIPE_SZ 4096 while 8192 are in it", c::fcntl(writer, F_SETPIPE_SZ, 4096));
    t.call("F_GETPIPE_SZ", c::fcntl(reader, F_GETPIPE_SZ, 0));
    let socket = c::tcp(0);
    t.call("F_GETPIPE_SZ of a socket", c::fcntl(socket, F_GETPIPE_SZ, 0));
    c::close_all(&[reader, writer, socket]);
}

fn pipe_seek_and_offsets(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    t.call("lseek", c::lseek(reader, 0, libc::SEEK_SET));
    t.call("pread", c::pread(reader, &mut [0; 1], 0));
    t.call("pwrite", c::pwrite(writer, b"x", 0));
    t.call("ftruncate", c::ftruncate(writer, 0));
    // SAFETY: no memory is involved.
    t.call("fsync", unsafe { libc::fsync(writer) });
    let stat = c::stat_of(reader);
    t.holds("fstat says FIFO", stat.st_mode & libc::S_IFMT == libc::S_IFIFO);
    t.value("st_size", stat.st_size);
    c::close_all(&[reader, writer]);
}

fn pipe_poll_events(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    let both = POLLIN | POLLOUT;
    t.value("an empty pipe, read end", c::poll_now(reader, both));
    t.value("an empty pipe, write end", c::poll_now(writer, both));
    c::write(writer, b"x");
    t.value("with a byte, read end", c::poll_now(reader, both));
    c::close_all(&[writer]);
    t.value("writer closed, a byte left", c::poll_now(reader, both));
    c::read(reader, &mut [0; 1]);
    t.value("writer closed, drained", c::poll_now(reader, both));
    t.value("asked for nothing", c::poll_now(reader, 0));
    c::close_all(&[reader]);
    let [reader, writer] = c::pipe(0);
    c::close_all(&[reader]);
    t.value("reader closed, write end", c::poll_now(writer, both));
    c::close_all(&[writer]);
}

fn pipe_blocked_reader_wakes(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(15));
            c::write(writer, b"data");
            thread::sleep(Duration::from_millis(15));
            c::close(writer);
        });
        let mut buffer = [0; 10];
        t.call("a blocking read", c::read(reader, &mut buffer));
        t.call("a blocking read that meets the end", c::read(reader, &mut buffer));
    });
    c::close_all(&[reader]);
}

fn pipe_blocked_writer_wakes(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    let total = 200_000;
    thread::scope(|scope| {
        let sender = scope.spawn(move || c::write(writer, &vec![7; total]));
        let (mut received, mut wrong) = (0, 0);
        let mut buffer = [0; 10_000];
        while received < total {
            let count = c::read(reader, &mut buffer) as usize;
            received += count;
            wrong += buffer[..count].iter().filter(|byte| **byte != 7).count();
        }
        t.value("a blocking write of 200,000 wrote", sender.join().expect("the writer"));
        t.value("wrong bytes", wrong);
        t.value("left over", c::readable_bytes(reader));
    });
    c::close_all(&[reader, writer]);
}

fn pipe_blocked_writer_gets_epipe(t: &mut Transcript) {
    c::set_disposition(SIGPIPE, SIG_IGN, 0);
    let [reader, writer] = c::pipe(0);
    thread::scope(|scope| {
        let sender = scope.spawn(move || {
            let first = c::write(writer, &[0; 200_000]);
            (first, c::write(writer, b"x"), crate::errno::last())
        });
        assert!(c::eventually(|| c::readable_bytes(reader) == 65536), "the pipe fills");
        c::close_all(&[reader]);
        let (first, second, errno) = sender.join().expect("the writer");
        t.value("the blocked write wrote", first);
        t.value("the next one", format_args!("{second} {}", crate::errno::name(errno)));
    });
    c::close_all(&[writer]);
}

fn pipe_small_writes_are_atomic(t: &mut Transcript) {
    let [reader, writer] = c::pipe(0);
    let senders: Vec<_> = (0..4u8)
        .map(|sender| {
            thread::spawn(move || {
                for _ in 0..50 {
                    assert_eq!(c::write(writer, &[b'a' + sender; 1000]), 1000);
                }
            })
        })
        .collect();
    let mut mixed = 0;
    let mut counts = [0; 4];
    for _ in 0..200 {
        let mut block = [0; 1000];
        let mut filled = 0;
        while filled < 1000 {
            filled += c::read(reader, &mut block[filled..]) as usize;
        }
        mixed += usize::from(block.iter().any(|byte| *byte != block[0]));
        counts[usize::from(block[0] - b'a')] += 1;
    }
    senders.into_iter().for_each(|sender| sender.join().expect("a sender"));
    t.value("mixed blocks", mixed);
    t.line(format_args!("blocks by sender: {counts:?}"));
    c::close_all(&[reader, writer]);
}

fn pipe_splice_and_tee(t: &mut Transcript) {
    let [reader, writer] = c::pipe(O_NONBLOCK);
    let [copy_reader, copy_writer] = c::pipe(O_NONBLOCK);
    c::write(writer, b"spliced");
    let null = std::ptr::null_mut();
    let mut buffer = [0; 16];
    // SAFETY: null offsets are what pipes take.
    unsafe {
        t.call("tee", libc::tee(reader, copy_writer, 100, 0));
        t.call("read the copy", c::read(copy_reader, &mut buffer));
        t.call("splice", libc::splice(reader, null, copy_writer, null, 3, 0));
        t.call("read what moved", c::read(copy_reader, &mut buffer));
        t.call("read what stayed", c::read(reader, &mut buffer));
        t.call("splice of an empty pipe", libc::splice(reader, null, copy_writer, null, 3, 0));
    }
    c::close_all(&[reader, writer, copy_reader, copy_writer]);
}
