//! A simulated Linux for many hosts, as a plain value.
//!
//! Its one entrance is the Linux system call; it does no I/O, knows no real clock and draws every
//! choice from a [`seams::Decider`]. It does not know who traps the calls, who runs the tasks or who
//! searches among runs.
#![no_std]

extern crate alloc;

pub mod errno;
pub mod fs;
pub mod net;
pub mod seams;

pub use errno::{Errno, Stop, SysResult};
