//! The beginning and the end of a host's process.

use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::c_void;
use core::ops::Range;

use bizarro_kernel::host::HostId;

use super::{context, set_in_kernel, slot, the_world};
use crate::{guest_heap, image, raw, switch, touched};

/// Starts a host's program: the guest's own pthread_create makes its first thread, on the host.
pub(super) fn start_host(host: HostId) {
    free_memory(host.0..host.0 + 1);
    let world = the_world();
    let spec = &world.request.world.hosts[usize::from(host.0)];
    let entry = spec.entry;
    guest_heap::set_limit(slot(host), world.kernel.hosts[usize::from(host.0)].memory_limit);
    world.kernel.start_process(host);
    if entry == 0 {
        return;
    }
    let boot = world.kernel.begin_boot(host);
    context(world, boot);
    image::slots::switch_to(slot(host));
    let code = with_boot_thread(|| {
        let mut thread: libc::pthread_t = 0;
        // SAFETY: the attributes are initialised before they are used; `host_main` is a thread's function.
        unsafe {
            let mut attributes: libc::pthread_attr_t = core::mem::zeroed();
            libc::pthread_attr_init(&raw mut attributes);
            // A main thread's stack, as `ulimit -s` has it nearly everywhere.
            libc::pthread_attr_setstacksize(&raw mut attributes, 8 << 20);
            libc::pthread_create(
                &raw mut thread,
                &raw const attributes,
                host_main,
                usize::from(host.0) as *mut c_void,
            )
        }
    });
    the_world().kernel.end_boot(boot);
    if code != 0 {
        raw::complain(format_args!(
            "the first thread of host {} cannot be made: errno {code}",
            host.0
        ));
        raw::exit(crate::OUR_BUG);
    }
}

/// Room below and above a thread control block: thread-local data, and the C library's `struct pthread` with the
/// area for restartable sequences behind it.
const BELOW: usize = 0x1000;
const ABOVE: usize = 0xa00;
/// Where it lies: far from where Linux and the usual allocators place anything.
const BOOT_ROOM: usize = 0x3000_0000_0000;

/// Runs guest code on a thread of the host that exists only for this: a copy of the outside's thread control
/// block with fresh thread-local data.
fn with_boot_thread<R>(f: impl FnOnce() -> R) -> R {
    let outer = switch::thread_pointer();
    let (template, len) = image::program::thread_local();
    let below = (len + BELOW).next_multiple_of(4096);
    let at = boot_room(below + ABOVE + 4096);
    let boot = at + below + outer % 4096 % 64;
    let copied = below.min(len + 0x200);
    // SAFETY: the new pages have room for all that is copied, and the outside's thread control block is longer.
    unsafe {
        core::ptr::copy_nonoverlapping(
            (outer - copied) as *const u8,
            (boot - copied) as *mut u8,
            copied + ABOVE,
        );
        core::ptr::copy_nonoverlapping(template as *const u8, (boot - len) as *mut u8, len);
        // `tcb` and `self` point to the block itself.
        *(boot as *mut usize) = boot;
        *((boot + 16) as *mut usize) = boot;
        switch::set_thread_pointer(boot);
    }
    set_in_kernel(false);
    let result = f();
    set_in_kernel(true);
    // SAFETY: back to what it was.
    unsafe { switch::set_thread_pointer(outer) };
    result
}

/// Zeroed memory for the boot thread of whichever host starts, always the same: address.
fn boot_room(len: usize) -> usize {
    static mut LEN: usize = 0;
    // SAFETY: one kernel thread; nobody uses the room between two starts, nor the addresses around it.
    unsafe {
        if len > LEN {
            if raw::map(Some(BOOT_ROOM), len, libc::PROT_READ | libc::PROT_WRITE).is_err() {
                raw::complain(format_args!("no room to start hosts ({len} bytes)"));
                raw::exit(crate::OUR_BUG);
            }
            LEN = len;
        }
        touched::clear(BOOT_ROOM, BOOT_ROOM + len);
    }
    BOOT_ROOM
}

/// First function of a host's first thread: what the C library's start code and `main` do in a new process.
extern "C" fn host_main(host: *mut c_void) -> *mut c_void {
    let index = host as usize;
    let spec = &the_world().request.world.hosts[index];
    let (count, arguments) = arguments(&spec.arguments);
    image::program::run_constructors(count, arguments);
    // SAFETY: the host has one thread, and what it forgets is its own copy of the world process's variables.
    unsafe { libc::clearenv() };
    for variable in &spec.env {
        set_variable(variable);
    }
    // SAFETY: the facade gave the address of a function of this type.
    let status = unsafe {
        let entry: extern "C" fn(usize) -> i32 = core::mem::transmute(spec.entry);
        entry(spec.data)
    };
    // SAFETY: runs what the program registered with atexit(3) and ends its process.
    unsafe { libc::exit(status) }
}

/// Makes `argv` of strings, in the host's memory, where it stays as long as the process: its count and address.
fn arguments(strings: &[String]) -> (i32, usize) {
    let words = strings.len() + 1;
    // SAFETY: calloc(3) and strndup(3) of the host's own memory; a null pointer ends the list, as in `main`'s.
    unsafe {
        let list = libc::calloc(words, size_of::<usize>()).cast::<*mut libc::c_char>();
        if list.is_null() {
            return (0, 0);
        }
        for (index, string) in strings.iter().enumerate() {
            *list.add(index) = libc::strndup(string.as_ptr().cast(), string.len());
        }
        (strings.len() as i32, list as usize)
    }
}

/// Puts `NAME=value` into the guest's environment.
fn set_variable(variable: &str) {
    let Some((name, value)) = variable.split_once('=') else { return };
    let (mut name, mut value) = (Vec::from(name), Vec::from(value));
    name.push(0);
    value.push(0);
    // SAFETY: both end with a zero; setenv(3) copies them.
    unsafe { libc::setenv(name.as_ptr().cast(), value.as_ptr().cast(), 1) };
}

/// A host's process has gone. Its memory goes when the host starts again, or with the run.
pub(super) fn tear_down(host: HostId) {
    let world = the_world();
    world.kernel.process_is_gone(&mut world.guest, host);
    image::slots::reset(slot(host));
}

/// Frees what is left of these hosts' processes.
pub(super) fn free_memory(hosts: Range<u16>) {
    let world = the_world();
    // SAFETY: no task of the hosts runs: their processes have not begun, or have gone, or the run has ended. This is
    // the root's stack.
    unsafe {
        world.guest.windows.tear_down(hosts.clone());
        guest_heap::tear_down(slot(HostId(hosts.start))..slot(HostId(hosts.end)));
    }
}
