//! What the simulator needs of the kernel and cannot learn from a file.

use core::ffi::{c_int, c_ulong};

unsafe extern "C" {
    fn prctl(option: c_int, ...) -> c_int;
}

/// `PR_SET_SYSCALL_USER_DISPATCH` of linux/prctl.h.
const SET_SYSCALL_USER_DISPATCH: c_int = 59;
/// `PR_SYS_DISPATCH_OFF` of linux/prctl.h.
const DISPATCH_OFF: c_ulong = 0;

/// Whether this kernel can hand the system calls of a program to the program itself
/// (Syscall User Dispatch, Linux 5.11; PR_SET_SYSCALL_USER_DISPATCH(2const)).
pub fn has_syscall_user_dispatch() -> bool {
    // SAFETY: switching the dispatch off, with the zeros that prctl(2) then demands, changes nothing
    // for a thread whose dispatch is off; a thread whose dispatch is on never reaches the kernel here,
    // since its system calls are the simulator's.
    unsafe {
        prctl(SET_SYSCALL_USER_DISPATCH, DISPATCH_OFF, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong)
            == 0
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// The answer is the kernel's version's, unless a filter stands between.
    #[test]
    fn asking_changes_nothing() {
        let first = has_syscall_user_dispatch();
        assert_eq!(first, has_syscall_user_dispatch());
    }
}
