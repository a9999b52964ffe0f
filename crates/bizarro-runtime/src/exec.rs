//! Taking over a program that knows nothing of Bizarro: the whole process becomes the world's only host.

use alloc::vec;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int};

use bizarro_kernel::host::HostId;
use bizarro_kernel::kernel::Command;
use bizarro_record::RunRequest;

use crate::recorder::Forward;
use crate::{backtrace, cancel, guest_heap, image, objects, process, raw, rewrite, vdso, world};

/// The shared object's constructor: after relocation, before the program's own constructors.
///
/// # Safety
/// Called once, by the loader, with what the process was started with.
pub unsafe extern "C" fn constructor(
    _: c_int,
    _: *const *const c_char,
    envp: *const *const c_char,
) {
    // SAFETY: this is what the loader calls constructors with, before any other code of the program ran.
    unsafe { process::make_canonical(envp) };
    objects::capture();
    vdso::hide_if_sealed();
    image::regions::capture(envp as usize);
    backtrace::capture();
    cancel::capture();
    #[cfg(feature = "shared-object")]
    if cancel::is_used() {
        crate::hooks::find_next();
    }
    rewrite::rewrite();
    if let Some(fd) = requested(envp) {
        take_over(fd);
    }
}

#[cfg(feature = "shared-object")]
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char) =
    constructor;

/// The descriptor that `BIZARRO_EXEC` names.
fn requested(envp: *const *const c_char) -> Option<usize> {
    let mut at = envp;
    loop {
        // SAFETY: the environment is a list of C strings that ends with a null pointer.
        let variable = unsafe {
            if (*at).is_null() {
                return None;
            }
            CStr::from_ptr(*at).to_bytes()
        };
        let value = variable
            .strip_prefix(bizarro_call::EXEC_ENV.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="));
        if let Some(value) = value {
            return core::str::from_utf8(value).ok()?.parse().ok();
        }
        // SAFETY: as above.
        at = unsafe { at.add(1) };
    }
}

fn read_request(fd: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        let args = [fd, buffer.as_mut_ptr() as usize, buffer.len(), bytes.len(), 0, 0];
        // SAFETY: the kernel writes at most the buffer's length.
        let len = unsafe { raw::call(libc::SYS_pread64, args) };
        if len <= 0 {
            return bytes;
        }
        bytes.extend_from_slice(&buffer[..len as usize]);
    }
}

/// Forks: the parent waits and ends as the child did; the child goes on as the guest.
fn take_over(fd: usize) {
    // SAFETY: this early there is one kernel thread.
    let child = guest_heap::lock::locked(|| unsafe { raw::call(libc::SYS_fork, [0; 6]) });
    if child > 0 {
        let status = world::wait_for(child as usize);
        let signal = status & 0x7f;
        raw::exit(if signal == 0 { status >> 8 & 0xff } else { 128 + signal });
    }
    if child < 0 {
        raw::complain(format_args!("cannot fork: errno {}", -child));
        raw::exit(crate::CANNOT_RUN);
    }
    let request: RunRequest = match postcard::from_bytes(&read_request(fd)) {
        Ok(request) => request,
        Err(error) => {
            raw::complain(format_args!("the program's world cannot be read: {error}"));
            raw::exit(crate::OUR_BUG);
        }
    };
    world::create(request, Forward::Output, |plan| alloc::boxed::Box::new(plan));
    world::adopt(HostId(0), Command::Start(HostId(0)));
}
