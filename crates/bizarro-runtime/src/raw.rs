//! System calls of the real kernel.
//!
//! Every system-call instruction of the simulator lives in the section `bizarro_text`, the one range of
//! addresses from which Syscall User Dispatch lets calls through (Documentation/admin-guide/syscall-user-dispatch.rst).
//! Nothing else in the shared object may make a system call while the trap is armed.

use core::arch::naked_asm;

/// The instruction, and nothing else: number and six arguments in, result or negative errno out.
///
/// Padded at its end, since the kernel compares the address *after* the instruction with the range.
#[unsafe(naked)]
#[unsafe(link_section = "bizarro_text")]
unsafe extern "C" fn syscall7(
    _number: usize,
    _a: usize,
    _b: usize,
    _c: usize,
    _d: usize,
    _e: usize,
    _f: usize,
) -> isize {
    naked_asm!(
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "mov r8, r9",
        "mov r9, [rsp + 8]",
        "syscall",
        "ret",
    )
}

/// Where a signal handler returns to. The bytes are exactly those of glibc's own trampoline, by which
/// unwinders know a signal frame.
///
/// # Safety
/// Only a signal handler returns here, with the kernel's frame on its stack.
#[unsafe(naked)]
#[unsafe(link_section = "bizarro_text")]
pub unsafe extern "C" fn restorer() {
    naked_asm!(
        ".byte 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00",
        "syscall",
        "ud2",
        "ud2",
        "ud2",
        "ud2"
    )
}

unsafe extern "C" {
    static __start_bizarro_text: u8;
    static __stop_bizarro_text: u8;
}

/// The range of addresses from which system calls reach the real kernel: start and length.
pub fn text() -> (usize, usize) {
    let start = &raw const __start_bizarro_text as usize;
    (start, &raw const __stop_bizarro_text as usize - start)
}

/// Makes a system call of the real kernel.
///
/// # Safety
/// As for the call itself: pointers must be what it expects, and what it does to memory must be allowed.
#[inline(always)]
pub unsafe fn call(number: i64, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    // SAFETY: the caller answers for the call; the function itself touches nothing but registers.
    unsafe { syscall7(number as usize, a, b, c, d, e, f) }
}

/// Maps private zeroed pages, at `at` (replacing what is there) or anywhere. A negative errno on failure.
pub fn map(at: Option<usize>, length: usize, prot: i32) -> Result<usize, i32> {
    let fixed = if at.is_some() { libc::MAP_FIXED } else { 0 };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | fixed;
    let args = [at.unwrap_or(0), length, prot as usize, flags as usize, usize::MAX, 0];
    // SAFETY: new pages harm nobody; callers that give an address own what is there.
    let result = unsafe { call(libc::SYS_mmap, args) };
    if result < 0 { Err(-result as i32) } else { Ok(result as usize) }
}

/// Puts zeroed pages behind a range that is mapped, all at once; where the real kernel does not know how (before
/// Linux 5.14) each comes with its first write.
pub fn populate(at: usize, length: usize) {
    const MADV_POPULATE_WRITE: usize = 23;
    // SAFETY: what the pages hold stays.
    unsafe { call(libc::SYS_madvise, [at, length, MADV_POPULATE_WRITE, 0, 0, 0]) };
}

/// Unmaps pages.
///
/// # Safety
/// Nothing may use the pages any more.
pub unsafe fn unmap(at: usize, length: usize) -> isize {
    // SAFETY: the caller's.
    unsafe { call(libc::SYS_munmap, [at, length, 0, 0, 0, 0]) }
}

/// Changes the protection of pages.
///
/// # Safety
/// Nothing may rely on a protection that is taken away.
pub unsafe fn protect(at: usize, length: usize, prot: i32) -> isize {
    // SAFETY: the caller's.
    unsafe { call(libc::SYS_mprotect, [at, length, prot as usize, 0, 0, 0]) }
}

/// Writes all of `bytes` to a descriptor of the real kernel; gives up on an error, since there is nobody to tell.
pub fn write_all(fd: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let args = [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0];
        // SAFETY: the bytes are a live slice.
        let written = unsafe { call(libc::SYS_write, args) };
        match written {
            n if n > 0 => bytes = &bytes[n as usize..],
            n if n == -(libc::EINTR as isize) => {}
            _ => return,
        }
    }
}

/// Ends the process at once.
pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: does not return.
        unsafe { call(libc::SYS_exit_group, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Real nanoseconds on CLOCK_MONOTONIC. For watchdogs and statistics, never for the guest.
pub fn monotonic() -> u64 {
    let mut time = [0u64; 2];
    let args = [libc::CLOCK_MONOTONIC as usize, time.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes two words.
    unsafe { call(libc::SYS_clock_gettime, args) };
    time[0] * 1_000_000_000 + time[1]
}

/// A message on the real stderr, for what must not happen.
pub fn complain(parts: core::fmt::Arguments<'_>) {
    use core::fmt::Write;
    let mut buffer = Buffer { bytes: [0; 512], len: 0 };
    // A message that is too long is cut.
    let _ = writeln!(buffer, "bizarro: {parts}");
    write_all(2, &buffer.bytes[..buffer.len]);
}

struct Buffer {
    bytes: [u8; 512],
    len: usize,
}

impl core::fmt::Write for Buffer {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let len = s.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + len].copy_from_slice(&s.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}
