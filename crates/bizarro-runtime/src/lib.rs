//! The shared object of Bizarro: what stands between guests and the simulated kernel.
//!
//! It owns the trap ([`trap`], [`raw`]), tasks and their stacks ([`switch`]), the hosts' process images
//! ([`image`]), heaps ([`guest_heap`]) and mappings ([`pages`]), and the run of one world ([`world`]). All of
//! the project's unsafe code is here and in `bizarro-call`. It must not know how runs are explored or shown.
//!
//! # Rules
//! - No system-call instruction outside `bizarro_text`, no call of the C library while a guest is trapped
//!   but in guest mode on its behalf, no `std`: nothing may reach the real kernel by accident.
//! - No thread-local data and no lock of its own on the way of a call: tasks switch in the middle of it.
#![no_std]
// Outside the shared object nobody calls the replaced symbols; what they call is compiled all the same.
#![cfg_attr(not(feature = "shared-object"), allow(dead_code))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod backtrace;
pub mod cancel;
pub mod exec;
pub mod foreign;
pub mod guest;
pub mod guest_heap;
#[cfg(feature = "shared-object")]
pub mod hooks;
pub mod hypercall;
pub mod image;
pub mod keys;
pub mod lines;
mod loaded;
mod mem;
pub mod objects;
pub mod outside;
pub mod own_heap;
pub mod pages;
pub mod process;
pub mod raw;
pub mod recorder;
pub mod rewrite;
pub mod runner;
pub mod shared;
pub mod switch;
pub mod touched;
pub mod trap;
pub mod vdso;
pub mod vectors;
pub mod watchdog;
pub mod world;

/// Exit status of a world process that ran into a bug of the simulator.
pub const OUR_BUG: i32 = 121;
/// Exit status of a world process on a machine that cannot run worlds.
pub const CANNOT_RUN: i32 = 122;

#[cfg(feature = "shared-object")]
#[global_allocator]
static OWN_HEAP: own_heap::OwnHeap = own_heap::OwnHeap::new();

#[cfg(feature = "shared-object")]
#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    raw::complain(format_args!("a bug of the simulator: {info}"));
    raw::exit(OUR_BUG)
}
