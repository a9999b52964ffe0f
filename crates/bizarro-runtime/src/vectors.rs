//! Vector registers: which there are, and how they stay as they are while others use them.

use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count};
use core::mem::MaybeUninit;

/// CPUID, leaf 1, `ecx`: the kernel has XGETBV and its kin enabled.
const OSXSAVE: u32 = 1 << 27;
const AVX: u32 = 1 << 28;

/// A leaf of what the processor says of itself: `eax`, `ebx` and `ecx`; nothing where it does not have the leaf.
#[allow(unused_unsafe, reason = "CPUID is safe to ask for in newer compilers")]
fn leaf(leaf: u32, subleaf: u32) -> [u32; 3] {
    // SAFETY: every x86_64 has CPUID.
    unsafe {
        if __cpuid(0).eax < leaf {
            return [0; 3];
        }
        let found = __cpuid_count(leaf, subleaf);
        [found.eax, found.ebx, found.ecx]
    }
}

/// Whether the processor has vectors of 32 bytes, and the kernel saves them (Intel SDM volume 1, 14.7.1).
pub fn are_wide() -> bool {
    const SSE_AND_AVX: u32 = 0b110;
    const AVX2: u32 = 1 << 5;
    let [_, _, features] = leaf(1, 0);
    features & (OSXSAVE | AVX) == OSXSAVE | AVX
        // SAFETY: OSXSAVE.
        && unsafe { saved_states() } & SSE_AND_AVX == SSE_AND_AVX
        && leaf(7, 0)[1] & AVX2 != 0
}

/// XCR0: what the kernel saves of a task's registers.
///
/// # Safety
/// The kernel has set CPUID's bit OSXSAVE.
unsafe fn saved_states() -> u32 {
    let (low, _high): (u32, u32);
    // SAFETY: reads a register, by the caller's condition allowed.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") _high, options(nomem, nostack));
    }
    low
}

/// Whether [`keeping`] works here: the processor has XSAVEC, and the kernel uses it.
pub fn can_be_kept() -> bool {
    const XSAVEC: u32 = 1 << 1;
    leaf(1, 0)[2] & OSXSAVE != 0 && leaf(0xd, 1)[0] & XSAVEC != 0
}

/// The states of vector registers (Intel SDM volume 1, 13.1): SSE, AVX and the three of AVX-512.
const STATES: u32 = 0b1110_0110;
/// Room for them: the legacy area, the header, and 256, 64, 512 and 1024 bytes, each aligned to 64.
const ROOM: usize = LEGACY + HEADER + 256 + 64 + 512 + 1024;
const LEGACY: usize = 512;
const HEADER: usize = 64;

#[repr(C, align(64))]
struct States {
    _room: [u8; ROOM],
}

/// Runs what may use any vector register (other tasks, a guest's signal handlers, copies of pages), and puts them back
/// to what they were, but for the lower halves of the first sixteen, which are the caller's business. To be called only
/// where [`can_be_kept`] says so.
#[cold]
#[inline(never)]
pub fn keeping<R>(f: impl FnOnce() -> R) -> R {
    let mut states = MaybeUninit::<States>::uninit();
    // SAFETY: the processor has XSAVEC; there is room for what it writes, which is not all of the header.
    unsafe {
        core::ptr::write_bytes(states.as_mut_ptr().cast::<u8>().add(LEGACY), 0, HEADER);
        asm!(
            "xsavec [{states}]",
            states = in(reg) states.as_mut_ptr(),
            in("eax") STATES,
            in("edx") 0,
            options(nostack),
        );
    }
    let result = f();
    // SAFETY: what XSAVEC wrote. The compiler knows that the lower halves change, and uses no upper ones.
    unsafe {
        asm!(
            "xrstor [{states}]",
            states = in(reg) states.as_ptr(),
            in("eax") STATES,
            in("edx") 0,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            options(nostack, readonly),
        );
    }
    result
}
