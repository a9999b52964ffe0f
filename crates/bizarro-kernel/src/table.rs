//! The system-call table: one row a call, at the top of its family's file, or of the `mod.rs` of its folder.
//!
//! Dispatch, the strace-like text, the names of fault points and `docs/syscalls.md` all come from here.

use crate::errno::SysResult;
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::sys;

/// The arguments of a call as the guest's registers held them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct Args(pub [u64; 6]);

impl Args {
    /// A descriptor.
    #[inline]
    pub fn fd(&self, n: usize) -> i32 {
        self.0[n] as i32
    }
    /// An `int`.
    #[inline]
    pub fn int(&self, n: usize) -> i32 {
        self.0[n] as i32
    }
    /// A `size_t`, a mask or an `unsigned long`.
    #[inline]
    pub fn word(&self, n: usize) -> u64 {
        self.0[n]
    }
    /// An address.
    #[inline]
    pub fn addr(&self, n: usize) -> u64 {
        self.0[n]
    }
    /// An `off_t`.
    #[inline]
    pub fn offset(&self, n: usize) -> i64 {
        self.0[n] as i64
    }
}

/// How an argument is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    /// A descriptor.
    Fd,
    /// A signed number.
    Int,
    /// An unsigned number, such as a size.
    Size,
    /// Flags, in hexadecimal.
    Hex,
    /// An address.
    Ptr,
    /// The address of a path.
    Path,
}

/// How much of a call is simulated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    /// All that Linux documents.
    Full,
    /// Part of it; what is missing ends as `Unsupported`.
    Partial(&'static str),
    /// Answered without effect, and why that is right here.
    Accepted(&'static str),
    /// Refused with an error that Linux may give as well, and why.
    Refused(&'static str),
}

/// A handler: does the call for the current task.
pub type Handler = fn(&mut Kernel, &mut dyn GuestMemory, &Args) -> SysResult;

/// A system call.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its number on x86_64.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// Its arguments.
    pub args: &'static [Arg],
    /// How much of it is simulated.
    pub support: Support,
    /// Does it.
    pub handler: Handler,
    /// A handler with SA_RESTART makes it go on instead of ending it with EINTR (signal(7)).
    pub restarts: bool,
    /// Its result is an address, which may differ between builds.
    pub gives_address: bool,
}

/// A row of a call that is simulated in full.
pub const fn row(
    number: libc::c_long,
    name: &'static str,
    args: &'static [Arg],
    handler: Handler,
) -> Row {
    let support = Support::Full;
    Row {
        number: number as u16,
        name,
        args,
        support,
        handler,
        restarts: false,
        gives_address: false,
    }
}

impl Row {
    /// The same, restarted by SA_RESTART.
    pub const fn restarts(self) -> Row {
        Row { restarts: true, ..self }
    }
    /// The same, giving an address.
    pub const fn gives_address(self) -> Row {
        Row { gives_address: true, ..self }
    }
    /// The same, with another level of support.
    pub const fn support(self, support: Support) -> Row {
        Row { support, ..self }
    }
}

/// All rows, by family.
pub const FAMILIES: &[(&str, &[Row])] = &[
    ("tasks and futexes", sys::futex::ROWS),
    ("time", sys::clock::ROWS),
    ("setting clocks", sys::adjtime::ROWS),
    ("timers", sys::timer::ROWS),
    ("descriptors", sys::fd::ROWS),
    ("epoll", sys::epoll::ROWS),
    ("poll and select", sys::poll::ROWS),
    ("eventfd and timerfd", sys::event::ROWS),
    ("pipes", sys::pipe::ROWS),
    ("splicing", sys::splice::ROWS),
    ("sockets", sys::socket::ROWS),
    ("messages", sys::message::ROWS),
    ("files", sys::file::ROWS),
    ("paths", sys::path::ROWS),
    ("signals", sys::signals::ROWS),
    ("memory", sys::memory::ROWS),
    ("processes", sys::process::ROWS),
    ("identity and limits", sys::identity::ROWS),
];

/// One more than the highest number.
pub(crate) const NUMBERS: u64 = 512;

const INDEX: [Option<&Row>; NUMBERS as usize] = {
    let mut index = [None; NUMBERS as usize];
    let mut family = 0;
    while family < FAMILIES.len() {
        let rows = FAMILIES[family].1;
        let mut row = 0;
        while row < rows.len() {
            let number = rows[row].number as usize;
            assert!(index[number].is_none(), "two rows with one number");
            index[number] = Some(&rows[row]);
            row += 1;
        }
        family += 1;
    }
    index
};
static BY_NUMBER: [Option<&Row>; NUMBERS as usize] = INDEX;

/// The row of a number.
#[inline]
pub fn find(number: u64) -> Option<&'static Row> {
    BY_NUMBER.get(number as usize).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_number() {
        for (_, rows) in FAMILIES {
            for row in *rows {
                assert_eq!(find(row.number.into()).map(|r| r.name), Some(row.name));
            }
        }
    }
}
