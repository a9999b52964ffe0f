//! What the real kernel told this process of itself when it was started, made the same everywhere.

use core::ffi::c_char;

/// An entry that readers pass over (getauxval(3)).
const AT_IGNORE: u64 = 1;

static mut VECTOR: *mut [u64; 2] = core::ptr::null_mut();

/// Finds the auxiliary vector, which follows the environment, and makes its entries those of any machine: the
/// guest is root, and its random bytes are known. The loader has taken from them what it needs; a program that
/// looks at them later sees the same ones every time.
///
/// # Safety
/// `envp` is the environment as the loader gave it, not yet changed.
pub unsafe fn make_canonical(envp: *const *const c_char) {
    let mut at = envp;
    // SAFETY: the environment ends with a null pointer, and the vector follows it on the stack (System V ABI, 3.4.1).
    unsafe {
        while !(*at).is_null() {
            at = at.add(1);
        }
        VECTOR = at.add(1).cast_mut().cast();
    }
    for entry in entries() {
        match entry[0] {
            libc::AT_UID | libc::AT_EUID | libc::AT_GID | libc::AT_EGID => entry[1] = 0,
            libc::AT_RANDOM => {
                // SAFETY: the kernel put sixteen bytes of the process's own stack there.
                unsafe {
                    let bytes = b"as random as any".as_ptr();
                    core::ptr::copy_nonoverlapping(bytes, entry[1] as *mut u8, 16);
                }
            }
            _ => {}
        }
    }
}

/// From now on the vector does not tell of a vDSO.
pub fn forget_vdso() {
    for entry in entries().filter(|entry| entry[0] == libc::AT_SYSINFO_EHDR) {
        *entry = [AT_IGNORE, 0];
    }
}

/// The vector's entries.
fn entries() -> impl Iterator<Item = &'static mut [u64; 2]> {
    // SAFETY: a plain word, written in the constructor.
    let mut at = unsafe { VECTOR };
    core::iter::from_fn(move || {
        // SAFETY: the vector ends with an entry of type AT_NULL; nobody else has a reference to it.
        unsafe {
            let entry = at.as_mut().filter(|entry| entry[0] != libc::AT_NULL)?;
            at = at.add(1);
            Some(entry)
        }
    })
}
