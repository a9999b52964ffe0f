//! The system calls, a file or a folder per family: thin handlers over the kernel's objects.
//!
//! Each begins with `ROWS`, the family's part of the table of system calls (see [`crate::table`]).

pub mod adjtime;
pub mod clock;
pub mod epoll;
pub mod event;
pub mod fd;
pub(crate) mod fifo;
pub mod file;
pub mod futex;
pub mod identity;
pub mod interface;
pub mod lock;
pub mod memory;
pub mod message;
pub mod path;
pub mod pipe;
pub mod poll;
pub mod process;
pub mod signals;
pub mod socket;
pub mod splice;
pub mod timer;
