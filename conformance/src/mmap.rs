//! mmap(2) and its kin.

use std::ptr::null_mut;

use libc::{
    MADV_DONTNEED, MAP_ANONYMOUS, MAP_FAILED, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_PRIVATE,
    MAP_SHARED, MREMAP_MAYMOVE, O_RDONLY, O_RDWR, PROT_NONE, PROT_READ, PROT_WRITE, c_int, c_void,
};

use crate::Transcript;
use crate::c::{self, BAD_FD};
use crate::scratch::Scratch;

tests![Mmap:
    mmap_anonymous_is_zeroed,
    mmap_file_private_is_a_copy,
    mmap_file_shared_writes_back,
    mmap_file_shared_twice,
    mmap_file_shared_to_read_sees_writes,
    mmap_file_shared_grows_and_shrinks,
    mmap_file_shared_beyond_the_end,
    mmap_file_shared_outlives_its_parts,
    mmap_file_shared_is_moved,
    mmap_file_shared_protect,
    mmap_file_shared_and_other_calls,
    mmap_file_shared_memfd,
    mmap_sync_errors,
    mmap_file_tail_is_zero,
    mmap_file_outlives_its_descriptor,
    mmap_errors,
    mmap_unmap,
    mmap_protect,
    mmap_fixed_and_noreplace,
    mmap_remap,
    mmap_advise,
    mmap_sync_and_lock,
    mmap_brk,
];

const PAGE: usize = 4096;
const BOTH: c_int = PROT_READ | PROT_WRITE;

/// A mapping, as a number to compute with; −1 when it failed.
fn map_at(at: usize, size: usize, prot: c_int, flags: c_int, fd: i32, offset: i64) -> isize {
    // SAFETY: the bodies map fixed addresses only where they own the pages.
    let address = unsafe { libc::mmap(at as *mut c_void, size, prot, flags, fd, offset) };
    if address == MAP_FAILED { -1 } else { address as isize }
}

fn map(size: usize, prot: c_int, flags: c_int, fd: i32, offset: i64) -> usize {
    let address = map_at(0, size, prot, flags, fd, offset);
    assert_ne!(address, -1, "mmap");
    address as usize
}

fn anonymous(pages: usize) -> usize {
    map(pages * PAGE, BOTH, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
}

/// The bytes of a mapping that the body made and has not unmapped.
fn bytes<'a>(address: usize, size: usize) -> &'a mut [u8] {
    // SAFETY: each body asks for one slice of its own mapping at a time.
    unsafe { std::slice::from_raw_parts_mut(address as *mut u8, size) }
}

fn unmap(address: usize, size: usize) -> i32 {
    // SAFETY: the bodies unmap only what they mapped.
    unsafe { libc::munmap(address as *mut c_void, size) }
}

fn protect(address: usize, size: usize, prot: c_int) -> i32 {
    // SAFETY: the bodies protect only what they mapped.
    unsafe { libc::mprotect(address as *mut c_void, size, prot) }
}

/// Whether the page can be read, without a fault if it cannot: write(2) to a
/// pipe answers EFAULT.
fn readable(address: usize) -> &'static str {
    let [reader, writer] = c::pipe(libc::O_NONBLOCK);
    // SAFETY: the kernel checks the pointer.
    let result = unsafe { libc::write(writer, address as *const c_void, 1) };
    let errno = crate::errno::last();
    c::close_all(&[reader, writer]);
    match (result, errno) {
        (1, _) => "yes",
        (-1, libc::EFAULT) => "EFAULT",
        _ => "something else",
    }
}

/// Whether the page can be written, in the same way.
fn writable(address: usize) -> &'static str {
    let [reader, writer] = c::pipe(0);
    c::write(writer, b"w");
    // SAFETY: the kernel checks the pointer.
    let result = unsafe { libc::read(reader, address as *mut c_void, 1) };
    let errno = crate::errno::last();
    c::close_all(&[reader, writer]);
    match (result, errno) {
        (1, _) => "yes",
        (-1, libc::EFAULT) => "EFAULT",
        _ => "something else",
    }
}

fn mmap_anonymous_is_zeroed(t: &mut Transcript) {
    let address = anonymous(4);
    t.holds("page-aligned", address.is_multiple_of(PAGE));
    t.holds("all zero", bytes(address, 4 * PAGE).iter().all(|byte| *byte == 0));
    bytes(address, 4 * PAGE).fill(7);
    t.call("munmap", unmap(address, 4 * PAGE));
    let again = anonymous(4);
    t.holds("mapped again: all zero", bytes(again, 4 * PAGE).iter().all(|byte| *byte == 0));
    t.call("munmap", unmap(again, 4 * PAGE));
}

fn mmap_file_private_is_a_copy(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"content of the file");
    let fd = c::must_open(&path, O_RDONLY);
    let address = map(PAGE, BOTH, MAP_PRIVATE, fd, 0);
    t.bytes("mapped", &bytes(address, 19)[..]);
    bytes(address, 7).copy_from_slice(b"CHANGED");
    t.bytes("changed", &bytes(address, 19)[..]);
    t.bytes("the file", &std::fs::read(&path).expect("the file"));
    t.call("munmap", unmap(address, PAGE));
    c::close_all(&[fd]);
}

fn mmap_file_shared_writes_back(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"content of the file");
    let fd = c::must_open(&path, O_RDWR);
    let address = map(PAGE, BOTH, MAP_SHARED, fd, 0);
    bytes(address, 7).copy_from_slice(b"CHANGED");
    t.bytes("read(2) sees it", &std::fs::read(&path).expect("the file"));
    c::pwrite(fd, b"WRITTEN", 8);
    t.bytes("the mapping sees write(2)", &bytes(address, 19)[..]);
    // SAFETY: the page is mapped.
    t.call("msync", unsafe { libc::msync(address as *mut c_void, PAGE, libc::MS_SYNC) });
    t.call("munmap", unmap(address, PAGE));
    t.value("the size stays", c::stat_of(fd).st_size);
    c::close_all(&[fd]);
}

/// A file of `pages` pages, each filled with its own letter, open for reading and writing.
fn lettered(scratch: &Scratch, pages: usize) -> i32 {
    let content: Vec<u8> = (0..pages).flat_map(|page| vec![b'a' + page as u8; PAGE]).collect();
    c::must_open(scratch.file("lettered", &content), O_RDWR)
}

fn at_of(fd: i32, offset: usize, size: usize) -> Vec<u8> {
    let mut buffer = vec![0; size];
    let got = c::pread(fd, &mut buffer, offset as i64);
    buffer.truncate(usize::try_from(got).expect("pread"));
    buffer
}

fn mmap_file_shared_twice(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = lettered(&scratch, 3);
    let one = map(3 * PAGE, BOTH, MAP_SHARED, fd, 0);
    let two = map(PAGE, BOTH, MAP_SHARED, fd, PAGE as i64);
    bytes(one + PAGE, 3).copy_from_slice(b"one");
    t.bytes("the second sees the first", &bytes(two, 5)[..]);
    bytes(two, 3).copy_from_slice(b"two");
    t.bytes("the first sees the second", &bytes(one + PAGE, 5)[..]);
    let private = map(PAGE, BOTH, MAP_PRIVATE, fd, PAGE as i64);
    t.bytes("a private one begins with it", &bytes(private, 5)[..]);
    bytes(private, 3).copy_from_slice(b"own");
    t.bytes("and keeps its own to itself", &bytes(two, 5)[..]);
    t.call("munmap of the first", unmap(one, 3 * PAGE));
    bytes(two, 3).copy_from_slice(b"TWO");
    t.bytes("the file", &at_of(fd, PAGE, 5));
    t.call("munmap of the second", unmap(two, PAGE));
    t.bytes("the file", &at_of(fd, PAGE, 5));
    unmap(private, PAGE);
    c::close_all(&[fd]);
}

fn mmap_file_shared_to_read_sees_writes(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", &[b'.'; 2 * PAGE]);
    let writer = c::must_open(&path, O_RDWR);
    let reader = c::must_open(&path, O_RDONLY);
    let address = map(2 * PAGE, PROT_READ, MAP_SHARED, reader, 0);
    c::pwrite(writer, b"written", 4090);
    t.bytes("pwrite", &bytes(address + 4088, 12)[..]);
    t.call("ftruncate", c::ftruncate(writer, PAGE as i64 + 1));
    t.bytes("what is cut off is zero", &bytes(address + PAGE, 4)[..]);
    t.call("ftruncate", c::ftruncate(writer, 2 * PAGE as i64));
    t.bytes("and stays so", &bytes(address + PAGE, 4)[..]);
    t.call("PROT_WRITE of a reader's", protect(address, PAGE, BOTH));
    unmap(address, 2 * PAGE);
    c::close_all(&[writer, reader]);
}

fn mmap_file_shared_grows_and_shrinks(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = lettered(&scratch, 1);
    let address = map(4 * PAGE, BOTH, MAP_SHARED, fd, 0);
    t.value("beyond the end: readable", readable(address + PAGE));
    t.value("writable", writable(address + PAGE));
    t.call("ftruncate to two pages", c::ftruncate(fd, 2 * PAGE as i64));
    t.value("readable", readable(address + PAGE));
    bytes(address + PAGE, 4).copy_from_slice(b"grew");
    t.bytes("the file", &at_of(fd, PAGE, 6));
    c::pwrite(fd, b"!", 3 * PAGE as i64);
    t.value("a write beyond: readable", readable(address + 3 * PAGE));
    t.bytes("its byte", &bytes(address + 3 * PAGE, 2)[..]);
    t.call("ftruncate to 10 bytes", c::ftruncate(fd, 10));
    t.value("readable", readable(address + PAGE));
    t.bytes("the rest of the page is zero", &bytes(address + 8, 4)[..]);
    t.call("ftruncate to four pages", c::ftruncate(fd, 4 * PAGE as i64));
    t.bytes("all zero", &bytes(address + PAGE, 4)[..]);
    unmap(address, 4 * PAGE);
    c::close_all(&[fd]);
}

fn mmap_file_shared_beyond_the_end(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"short"), O_RDWR);
    let address = map(PAGE, BOTH, MAP_SHARED, fd, 0);
    bytes(address, 5).copy_from_slice(b"SHORT");
    t.bytes("behind the end", &bytes(address + 5, 3)[..]);
    t.bytes("the file", &at_of(fd, 0, 10));
    t.value("its size", c::stat_of(fd).st_size);
    unmap(address, PAGE);
    c::close_all(&[fd]);
}

fn mmap_file_shared_outlives_its_parts(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.join("f");
    let fd = c::must_open(scratch.file("f", &[b'.'; 3 * PAGE]), O_RDWR);
    let address = map(3 * PAGE, BOTH, MAP_SHARED, fd, 0);
    c::close_all(&[fd]);
    bytes(address, 6).copy_from_slice(b"closed");
    t.bytes("closed: the file", &std::fs::read(&path).expect("the file")[..7]);
    bytes(address + PAGE, 5).copy_from_slice(b"going");
    t.call("munmap of the middle page", unmap(address + PAGE, PAGE));
    t.bytes("the file", &std::fs::read(&path).expect("the file")[PAGE..PAGE + 6]);
    bytes(address + 2 * PAGE, 4).copy_from_slice(b"last");
    t.bytes("the file", &std::fs::read(&path).expect("the file")[2 * PAGE..2 * PAGE + 5]);
    let fresh = map_at(address, PAGE, BOTH, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    t.holds("mapped over", fresh as usize == address);
    t.value("a page of its own", bytes(address, 1)[0]);
    bytes(address, 3).copy_from_slice(b"own");
    t.bytes("the file", &std::fs::read(&path).expect("the file")[..7]);
    c::unlink(&path);
    t.bytes("unlinked: the last page", &bytes(address + 2 * PAGE, 5)[..]);
    unmap(address, 3 * PAGE);
}

fn mmap_file_shared_is_moved(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = lettered(&scratch, 4);
    let address = map(PAGE, BOTH, MAP_SHARED, fd, PAGE as i64);
    let grown = remap(address, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    t.holds("grown", grown != -1);
    let grown = grown as usize;
    t.bytes(
        "the pages behind",
        &[bytes(grown, 1)[0], bytes(grown + PAGE, 1)[0], bytes(grown + 2 * PAGE, 1)[0]],
    );
    bytes(grown + 2 * PAGE, 5).copy_from_slice(b"moved");
    t.bytes("the file", &at_of(fd, 3 * PAGE, 6));
    let shrunk = remap(grown, 3 * PAGE, PAGE, 0);
    t.holds("shrunk", shrunk as usize == grown);
    bytes(grown, 5).copy_from_slice(b"shrnk");
    t.bytes("the file", &at_of(fd, PAGE, 6));
    unmap(grown, PAGE);
    c::close_all(&[fd]);
}

fn mmap_file_shared_protect(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = lettered(&scratch, 2);
    let address = map(2 * PAGE, BOTH, MAP_SHARED, fd, 0);
    bytes(address, 3).copy_from_slice(b"one");
    t.call("PROT_READ", protect(address, PAGE, PROT_READ));
    t.value("readable", readable(address));
    t.value("writable", writable(address));
    t.bytes("the file", &at_of(fd, 0, 4));
    t.call("both again", protect(address, PAGE, BOTH));
    bytes(address, 3).copy_from_slice(b"two");
    // SAFETY: advises on what was mapped.
    t.call("MADV_DONTNEED", unsafe { libc::madvise(address as *mut c_void, PAGE, MADV_DONTNEED) });
    t.bytes("nothing is lost", &bytes(address, 4)[..]);
    t.bytes("the file", &at_of(fd, 0, 4));
    unmap(address, 2 * PAGE);
    c::close_all(&[fd]);
}

fn mmap_file_shared_and_other_calls(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = lettered(&scratch, 2);
    let copy = c::must_open(scratch.file("copy", b""), O_RDWR);
    let address = map(2 * PAGE, BOTH, MAP_SHARED, fd, 0);
    bytes(address, 6).copy_from_slice(b"stored");
    // SAFETY: null offsets mean the descriptions' own.
    let copied = unsafe { libc::copy_file_range(fd, null_mut(), copy, null_mut(), 8, 0) };
    t.call("copy_file_range", copied);
    t.bytes("the copy", &at_of(copy, 0, 8));
    t.call("read(2) into the mapping", c::pread(copy, bytes(address + PAGE, 4), 2));
    t.bytes("the file", &at_of(fd, PAGE, 5));
    t.call("write(2) from the mapping", c::pwrite(fd, &bytes(address, 6)[..], 100));
    t.bytes("the mapping", &bytes(address + 98, 10)[..]);
    t.call("fallocate, a hole", unsafe {
        // SAFETY: the descriptor is open.
        libc::fallocate(fd, libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE, 0, 3)
    });
    t.bytes("the mapping", &bytes(address, 6)[..]);
    t.call("O_TRUNC", {
        let again = c::must_open(scratch.join("lettered"), O_RDWR | libc::O_TRUNC);
        c::close_all(&[again]);
        0
    });
    t.value("readable", readable(address));
    unmap(address, 2 * PAGE);
    c::close_all(&[fd, copy]);
}

fn mmap_file_shared_memfd(t: &mut Transcript) {
    // SAFETY: the name ends with a zero.
    let fd = unsafe { libc::memfd_create(c"ring".as_ptr(), 0) };
    t.call("ftruncate", c::ftruncate(fd, PAGE as i64));
    // A ring: the same page twice, one behind the other.
    let room = map(2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for at in [room, room + PAGE] {
        let ring = map_at(at, PAGE, BOTH, MAP_SHARED | MAP_FIXED, fd, 0);
        t.holds("mapped", ring as usize == at);
    }
    bytes(room + PAGE - 2, 4).copy_from_slice(b"ring");
    t.bytes("its beginning", &bytes(room, 2)[..]);
    t.bytes("the file", &at_of(fd, PAGE - 2, 4));
    unmap(room, 2 * PAGE);
    c::close_all(&[fd]);
}

fn mmap_sync_errors(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = lettered(&scratch, 2);
    let address = map(2 * PAGE, BOTH, MAP_SHARED, fd, 0);
    // SAFETY: the pages are mapped, or the kernel says that they are not.
    let sync = |at: usize, size, flags| unsafe { libc::msync(at as *mut c_void, size, flags) };
    t.call("MS_SYNC", sync(address, 2 * PAGE, libc::MS_SYNC));
    t.call("MS_ASYNC", sync(address, 2 * PAGE, libc::MS_ASYNC));
    t.call("MS_INVALIDATE", sync(address, PAGE, libc::MS_INVALIDATE));
    t.call("with MS_SYNC", sync(address, PAGE, libc::MS_SYNC | libc::MS_INVALIDATE));
    t.call("no flag", sync(address, PAGE, 0));
    t.call("an unknown flag", sync(address, PAGE, 8));
    // SAFETY: the descriptor is open.
    let range = |fd, offset, size, flags| unsafe { libc::sync_file_range(fd, offset, size, flags) };
    t.call("sync_file_range", range(fd, 0, 0, libc::SYNC_FILE_RANGE_WRITE));
    t.call("of a negative offset", range(fd, -1, 0, 0));
    t.call("of unknown flags", range(fd, 0, 0, 16));
    let [reader, writer] = c::pipe(0);
    t.call("of a pipe", range(writer, 0, 0, 0));
    // SAFETY: as above.
    t.call("syncfs", unsafe { libc::syncfs(fd) });
    // SAFETY: as above.
    t.call("syncfs of a closed descriptor", unsafe { libc::syncfs(BAD_FD) });
    unmap(address, 2 * PAGE);
    c::close_all(&[fd, reader, writer]);
}

fn mmap_file_tail_is_zero(t: &mut Transcript) {
    let scratch = Scratch::new();
    let mut content = vec![b'a'; PAGE];
    content.extend_from_slice(b"tail");
    let fd = c::must_open(scratch.file("f", &content), O_RDONLY);
    let address = map(2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    t.bytes("the last bytes", &bytes(address + PAGE, 6)[..]);
    t.holds("then zeroes", bytes(address + PAGE + 4, PAGE - 4).iter().all(|byte| *byte == 0));
    let second = map(PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE as i64);
    t.bytes("mapped from the second page", &bytes(second, 6)[..]);
    t.call("munmap", unmap(address, 2 * PAGE));
    t.call("munmap", unmap(second, PAGE));
    c::close_all(&[fd]);
}

fn mmap_file_outlives_its_descriptor(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"still mapped");
    let fd = c::must_open(&path, O_RDONLY);
    let address = map(PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    c::close_all(&[fd]);
    c::unlink(&path);
    t.bytes("closed and unlinked", &bytes(address, 12)[..]);
    t.call("munmap", unmap(address, PAGE));
}

fn mmap_errors(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"content");
    let reader = c::must_open(&path, O_RDONLY);
    let writer = c::must_open(&path, libc::O_WRONLY);
    let dir = c::must_open(&*scratch, O_RDONLY);
    let private = MAP_PRIVATE | MAP_ANONYMOUS;
    let file = |prot, flags, fd| map_at(0, PAGE, prot, flags, fd, 0);
    t.call("size 0", map_at(0, 0, BOTH, private, -1, 0));
    t.call("an enormous size", map_at(0, usize::MAX - PAGE, BOTH, private, -1, 0));
    t.call("neither private nor shared", map_at(0, PAGE, BOTH, MAP_ANONYMOUS, -1, 0));
    t.call("an offset inside a page", map_at(0, PAGE, PROT_READ, MAP_PRIVATE, reader, 100));
    t.call("a closed descriptor", file(PROT_READ, MAP_PRIVATE, BAD_FD));
    t.call("no descriptor", file(PROT_READ, MAP_PRIVATE, -1));
    t.call("a writer", file(PROT_READ, MAP_PRIVATE, writer));
    t.call("a reader, shared to write", file(BOTH, MAP_SHARED, reader));
    t.call("a directory", file(PROT_READ, MAP_PRIVATE, dir));
    let [pipe_reader, pipe_writer] = c::pipe(0);
    t.call("a pipe", file(PROT_READ, MAP_PRIVATE, pipe_reader));
    t.call("a fixed address inside a page", map_at(100, PAGE, BOTH, private | MAP_FIXED, -1, 0));
    c::close_all(&[reader, writer, dir, pipe_reader, pipe_writer]);
}

fn mmap_unmap(t: &mut Transcript) {
    let address = anonymous(3);
    t.value("readable before", readable(address + PAGE));
    t.call("munmap of the middle page", unmap(address + PAGE, PAGE));
    t.value("the first", readable(address));
    t.value("the middle", readable(address + PAGE));
    t.value("the last", readable(address + 2 * PAGE));
    t.call("munmap of what is not mapped", unmap(address + PAGE, PAGE));
    t.call("munmap of size 0", unmap(address, 0));
    t.call("munmap inside a page", unmap(address + 1, PAGE));
    t.call("munmap of all three", unmap(address, 3 * PAGE));
    t.value("the first", readable(address));
}

fn mmap_protect(t: &mut Transcript) {
    let address = anonymous(2);
    t.value("at first: readable", readable(address));
    t.value("writable", writable(address));
    t.call("PROT_READ", protect(address, PAGE, PROT_READ));
    t.value("readable", readable(address));
    t.value("writable", writable(address));
    t.value("the second page: writable", writable(address + PAGE));
    t.call("PROT_NONE", protect(address, PAGE, PROT_NONE));
    t.value("readable", readable(address));
    t.call("both again", protect(address, PAGE, BOTH));
    t.bytes("what was written is there", &bytes(address, 1)[..]);
    t.call("inside a page", protect(address + 1, PAGE, BOTH));
    unmap(address + PAGE, PAGE);
    t.call("over what is not mapped", protect(address, 2 * PAGE, PROT_READ));
    t.call("unknown protection", protect(address, PAGE, 1 << 20));
    unmap(address, PAGE);
}

fn mmap_fixed_and_noreplace(t: &mut Transcript) {
    let private = MAP_PRIVATE | MAP_ANONYMOUS;
    let address = anonymous(3);
    bytes(address, 3 * PAGE).fill(7);
    let middle = address + PAGE;
    let result = map_at(middle, PAGE, BOTH, private | MAP_FIXED_NOREPLACE, -1, 0);
    t.call("MAP_FIXED_NOREPLACE over a page", result);
    t.value("which stays", bytes(middle, 1)[0]);
    let result = map_at(middle, PAGE, BOTH, private | MAP_FIXED, -1, 0);
    t.holds("MAP_FIXED takes the address", result as usize == middle);
    t.value("a fresh page", bytes(middle, 1)[0]);
    t.value("its neighbour", bytes(middle + PAGE, 1)[0]);
    unmap(middle, PAGE);
    let result = map_at(middle, PAGE, BOTH, private | MAP_FIXED_NOREPLACE, -1, 0);
    t.holds("MAP_FIXED_NOREPLACE into the gap", result as usize == middle);
    let hint = map_at(middle, PAGE, BOTH, private, -1, 0);
    t.holds("a hint that is taken leads elsewhere", hint as usize != middle && hint != -1);
    unmap(hint as usize, PAGE);
    unmap(address, 3 * PAGE);
}

fn remap(address: usize, old: usize, new: usize, flags: c_int) -> isize {
    // SAFETY: the bodies move only what they mapped.
    let moved = unsafe { libc::mremap(address as *mut c_void, old, new, flags) };
    if moved == MAP_FAILED { -1 } else { moved as isize }
}

fn mmap_remap(t: &mut Transcript) {
    let address = anonymous(2);
    bytes(address, 2 * PAGE).fill(9);
    let grown = remap(address, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    t.holds("grow to 64 pages", grown != -1);
    let grown = grown as usize;
    t.holds("the old content", bytes(grown, 2 * PAGE).iter().all(|byte| *byte == 9));
    t.holds("zeroes after it", bytes(grown + 2 * PAGE, 62 * PAGE).iter().all(|byte| *byte == 0));
    let shrunk = remap(grown, 64 * PAGE, PAGE, 0);
    t.holds("shrink in place", shrunk as usize == grown);
    t.value("the rest is unmapped: readable", readable(grown + PAGE));
    t.call("to size 0", remap(grown, PAGE, 0, MREMAP_MAYMOVE));
    t.call("inside a page", remap(grown + 1, PAGE, PAGE, MREMAP_MAYMOVE));
    t.call("unknown flags", remap(grown, PAGE, 2 * PAGE, 1 << 20));
    t.call("what is not mapped", remap(grown + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    let blocked = anonymous(2);
    t.call("in place where the next page is taken", remap(blocked, PAGE, 2 * PAGE, 0));
    unmap(blocked, 2 * PAGE);
    unmap(grown, PAGE);
}

fn mmap_advise(t: &mut Transcript) {
    let address = anonymous(2);
    bytes(address, 2 * PAGE).fill(9);
    // SAFETY: the bodies advise only on what they mapped.
    let advise = |at: usize, size, what| unsafe { libc::madvise(at as *mut c_void, size, what) };
    t.call("MADV_DONTNEED of the first page", advise(address, PAGE, MADV_DONTNEED));
    t.value("it is zero", bytes(address, 1)[0]);
    t.value("the second is not", bytes(address + PAGE, 1)[0]);
    t.call("MADV_WILLNEED", advise(address, PAGE, libc::MADV_WILLNEED));
    t.call("MADV_SEQUENTIAL", advise(address, PAGE, libc::MADV_SEQUENTIAL));
    t.call("advice 999", advise(address, PAGE, 999));
    t.call("inside a page", advise(address + 1, PAGE, MADV_DONTNEED));
    t.call("size 0", advise(address, 0, MADV_DONTNEED));
    unmap(address + PAGE, PAGE);
    t.call("over what is not mapped", advise(address, 2 * PAGE, MADV_DONTNEED));
    unmap(address, PAGE);
}

fn mmap_sync_and_lock(t: &mut Transcript) {
    let address = anonymous(1);
    let at = address as *mut c_void;
    // SAFETY: the page is mapped.
    unsafe {
        t.call("msync of anonymous memory", libc::msync(at, PAGE, libc::MS_SYNC));
        t.call("msync, both kinds", libc::msync(at, PAGE, libc::MS_SYNC | libc::MS_ASYNC));
        t.call("msync inside a page", libc::msync((address + 1) as *mut c_void, 1, libc::MS_SYNC));
        t.call("mlock", libc::mlock(at, PAGE));
        t.call("munlock", libc::munlock(at, PAGE));
        let mut resident = [0];
        bytes(address, 1)[0] = 1;
        t.call("mincore", libc::mincore(at, PAGE, resident.as_mut_ptr()));
        t.value("resident", resident[0] & 1);
        unmap(address, PAGE);
        t.call("msync of what is not mapped", libc::msync(at, PAGE, libc::MS_SYNC));
        t.call("mlock of what is not mapped", libc::mlock(at, PAGE));
    }
}

fn mmap_brk(t: &mut Transcript) {
    // Raw, because glibc's allocator owns the break that sbrk reports.
    // SAFETY: address 0 asks where the break is.
    let now = unsafe { libc::syscall(libc::SYS_brk, 0) };
    t.holds("the break is somewhere", now > 0);
    // SAFETY: the kernel refuses a break below the data segment.
    let refused = unsafe { libc::syscall(libc::SYS_brk, 1) };
    t.holds("a refused change answers the old break", refused == now);
    let nothing: *mut c_void = null_mut();
    // SAFETY: null is page-aligned; the first page is never mapped.
    t.call("munmap of the first page", unsafe { libc::munmap(nothing, PAGE) });
}
