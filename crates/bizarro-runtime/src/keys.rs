//! Memory protection keys (pkeys(7)): which pages this process may write changes by one instruction, without the
//! real kernel. Not every processor has them; what uses them works without, more slowly.
//!
//! INVARIANT: while a guest or the simulator runs, pages with the key are read-only, but in [`Key::writable`]. A signal
//! handler starts with the real kernel's own idea of the register, so ours begin with [`restore`].

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::raw;

/// SIGSEGV for a page that its key forbids.
pub const SEGV_PKUERR: i32 = 4;
/// Writes are forbidden; the register has two bits for each key.
const DISABLE_WRITE: u32 = 2;

/// What the register holds, 0 where there is no key.
static FORBIDDING: AtomicU32 = AtomicU32::new(0);
/// What it holds while writes are allowed.
static ALLOWING: AtomicU32 = AtomicU32::new(0);

/// A protection key.
#[derive(Clone, Copy, Debug)]
pub struct Key(usize);

impl Key {
    /// A key whose pages this process may read, but not write. `None` where there are none.
    pub fn new() -> Option<Key> {
        // SAFETY: changes the register of this kernel thread for a key that no page has yet.
        let key =
            unsafe { raw::call(libc::SYS_pkey_alloc, [0, DISABLE_WRITE as usize, 0, 0, 0, 0]) };
        let key = u32::try_from(key).ok().filter(|key| (1..16).contains(key))?;
        // SAFETY: the kernel gives keys only where the processor has the instructions.
        let allowing = unsafe { read() } & !(0b11 << (2 * key));
        ALLOWING.store(allowing, Ordering::Relaxed);
        FORBIDDING.store(allowing | DISABLE_WRITE << (2 * key), Ordering::Relaxed);
        Some(Key(key as usize))
    }

    /// Gives pages this key, or takes it from them. Says whether that worked.
    ///
    /// # Safety
    /// The pages may be read and written.
    pub unsafe fn set(self, at: usize, length: usize, on: bool) -> bool {
        let prot = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let args = [at, length, prot, if on { self.0 } else { 0 }, 0, 0];
        // SAFETY: the caller's.
        unsafe { raw::call(libc::SYS_pkey_mprotect, args) == 0 }
    }

    /// Does something that writes pages with this key.
    #[inline]
    pub fn writable<R>(self, f: impl FnOnce() -> R) -> R {
        // SAFETY: a key is only made where the instruction exists; the value is one that `new` worked out.
        unsafe { write(ALLOWING.load(Ordering::Relaxed)) };
        let result = f();
        // SAFETY: as above.
        unsafe { write(FORBIDDING.load(Ordering::Relaxed)) };
        result
    }
}

/// Makes the register what it was when a signal came: first thing in every handler.
#[inline]
pub fn restore() {
    let forbidding = FORBIDDING.load(Ordering::Relaxed);
    if forbidding != 0 {
        // SAFETY: there is a key, so there is the instruction.
        unsafe { write(forbidding) };
    }
}

/// # Safety
/// The processor has protection keys.
unsafe fn read() -> u32 {
    let value: u32;
    // SAFETY: reads a register (Intel SDM volume 2, RDPKRU).
    unsafe { asm!("rdpkru", in("ecx") 0, out("eax") value, out("edx") _, options(nomem, nostack)) };
    value
}

/// # Safety
/// The processor has protection keys; the memory that is used from here on may be used so.
unsafe fn write(value: u32) {
    // SAFETY: writes a register (Intel SDM volume 2, WRPKRU); no access to memory moves across it.
    unsafe { asm!("wrpkru", in("eax") value, in("ecx") 0, in("edx") 0, options(nostack)) };
}
