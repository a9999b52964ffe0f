//! What the program needs to begin once more: its constructors and its thread-local data.

use core::ffi::c_int;

use crate::image::regions::reserve;
use crate::image::{copy, image};
use crate::loaded::Loaded;
use crate::switch;

pub(super) fn find_constructors(program: &Loaded<'_>) {
    const DT_INIT_ARRAY: usize = 25;
    const DT_INIT_ARRAYSZ: usize = 27;
    for (tag, value) in program.dynamic() {
        match tag {
            DT_INIT_ARRAY => image().constructors.0 = program.base + value,
            DT_INIT_ARRAYSZ => image().constructors.1 = value / size_of::<usize>(),
            _ => {}
        }
    }
}

pub(super) fn keep_thread_local(header: &libc::Elf64_Phdr) {
    let align = (header.p_align as usize).max(1);
    let len = (header.p_memsz as usize).next_multiple_of(align);
    let kept = reserve(None, len.max(1));
    // SAFETY: on x86_64 the executable's thread-local data ends at the thread pointer (ELF handling for TLS, variant II).
    unsafe { copy(kept, switch::thread_pointer() - len, len) };
    image().thread_local = (kept, len);
}

/// The executable's thread-local data as it was loaded: address of the copy and length.
pub fn thread_local() -> (usize, usize) {
    image().thread_local
}

/// Calls the executable's constructors, as the C library's start code does, on the current task, with the
/// arguments of its program.
pub fn run_constructors(argc: c_int, argv: usize) {
    let ((at, count), envp) = (image().constructors, image().environment);
    for index in 0..count {
        // SAFETY: the loader's table of functions of this type, called once per process image.
        unsafe {
            let constructor = *(at as *const extern "C" fn(c_int, usize, usize)).add(index);
            constructor(argc, argv, envp);
        }
    }
}
