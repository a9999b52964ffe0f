//! A simulated Linux for many hosts, as a plain value.
//!
//! Its one entrance is the Linux system call; it does no I/O, knows no real clock and draws every
//! choice from a [`seams::Decider`]. It does not know who traps the calls, who runs the tasks or who
//! searches among runs.
#![no_std]

extern crate alloc;

pub mod clock;
pub mod errno;
pub mod fingerprint;
pub mod fs;
pub mod host;
pub mod kernel;
mod life;
pub mod memory;
pub mod net;
pub mod object;
pub mod parts;
pub mod procview;
pub mod seams;
pub mod shared;
pub mod signal;
pub mod strace;
pub mod sys;
pub mod table;
pub mod task;
pub mod timers;

pub use errno::{Errno, Stop, SysResult};
pub use kernel::Kernel;
