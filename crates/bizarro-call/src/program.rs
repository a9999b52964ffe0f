//! A host's program as two numbers: what to call and what with.
//!
//! A world's description travels as bytes, so a program in it is an address of code and an address of
//! data, both meaningful only in the process that made them and in its forks.

use alloc::boxed::Box;

/// What a host runs; gives its exit status.
pub type Program = Box<dyn Fn() -> i32>;

/// A program that lives until the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaked {
    /// Address of an `extern "C" fn(data: usize) -> i32`.
    pub entry: usize,
    /// What to call it with.
    pub data: usize,
}

/// Gives up the program to the rest of the process's life, so that it can be called by its numbers
/// at any time, any number of times, and is never dropped.
pub fn leak(program: Program) -> Leaked {
    let data: &'static Program = Box::leak(Box::new(program));
    let entry: extern "C" fn(usize) -> i32 = enter;
    Leaked { entry: entry as usize, data: core::ptr::from_ref(data).expose_provenance() }
}

extern "C" fn enter(data: usize) -> i32 {
    let program: *const Program = core::ptr::with_exposed_provenance(data);
    // SAFETY: this function is private and its address leaves this module only in a `Leaked`, beside the
    // exposed address of a `Program` that `leak` made unreachable for anything but shared references.
    // Whoever calls by these numbers takes the obligation to pass both of one `Leaked`, in the process
    // that made it or in a fork of it; the simulator copies the pair from the world's description.
    unsafe { (*program)() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaked_program_can_be_called_again_and_again() {
        let factor = Box::new(6);
        let leaked = leak(Box::new(move || *factor * 7));
        let again: extern "C" fn(usize) -> i32 = enter;
        assert_eq!(leaked.entry, again as usize);
        assert_eq!((enter(leaked.data), enter(leaked.data)), (42, 42));
    }
}
