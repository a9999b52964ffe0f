//! The guest's memory as the kernel sees it: copies that survive a bad address, and the page tables.

use core::arch::naked_asm;

use bizarro_kernel::errno::Errno;
use bizarro_kernel::seams::{GuestMemory, Pages};

use crate::pages::Windows;

/// First address that no program can own.
const END: u64 = 0x7fff_ffff_f000;

/// Copies `rdx` bytes from `rsi` to `rdi`; 0, or 1 where an address was bad.
///
/// A fault between the two labels is taken by [`fixed_up`]. Short copies go by words, long ones by `rep movsb`.
#[unsafe(naked)]
unsafe extern "C" fn copy(to: *mut u8, from: *const u8, len: usize) -> usize {
    naked_asm!(
        ".globl bizarro_copy_start",
        ".hidden bizarro_copy_start",
        "bizarro_copy_start:",
        "cmp rdx, 256",
        "jae 3f",
        "2:",
        "cmp rdx, 8",
        "jb 4f",
        "mov rax, [rsi]",
        "mov [rdi], rax",
        "add rsi, 8",
        "add rdi, 8",
        "sub rdx, 8",
        "jmp 2b",
        "4:",
        "test rdx, rdx",
        "jz 5f",
        "mov al, [rsi]",
        "mov [rdi], al",
        "inc rsi",
        "inc rdi",
        "dec rdx",
        "jmp 4b",
        "3:",
        "mov rcx, rdx",
        "rep movsb",
        ".globl bizarro_copy_end",
        ".hidden bizarro_copy_end",
        "bizarro_copy_end:",
        "5:",
        "xor eax, eax",
        "ret",
        ".globl bizarro_copy_failed",
        ".hidden bizarro_copy_failed",
        "bizarro_copy_failed:",
        "mov eax, 1",
        "ret",
    )
}

unsafe extern "C" {
    static bizarro_copy_start: u8;
    static bizarro_copy_end: u8;
    static bizarro_copy_failed: u8;
}

/// Where to go on after a fault at instruction `rip`, if it was a copy's.
pub fn fixed_up(rip: usize) -> Option<usize> {
    let (start, end) =
        (&raw const bizarro_copy_start as usize, &raw const bizarro_copy_end as usize);
    (start..end).contains(&rip).then_some(&raw const bizarro_copy_failed as usize)
}

fn checked(addr: u64, len: usize) -> Result<(), Errno> {
    match addr.checked_add(len as u64) {
        Some(end) if end <= END => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// The memory of all guests: they share an address space, and each host's process image is in place while
/// one of its tasks is the current one.
#[derive(Default)]
pub struct Guest {
    /// The hosts' mappings.
    pub windows: Windows,
}

impl GuestMemory for Guest {
    #[inline]
    fn read(&self, addr: u64, into: &mut [u8]) -> Result<(), Errno> {
        checked(addr, into.len())?;
        // SAFETY: the destination is ours and long enough; a source that cannot be read ends the copy.
        match unsafe { copy(into.as_mut_ptr(), addr as *const u8, into.len()) } {
            0 => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }

    #[inline]
    fn write(&mut self, addr: u64, from: &[u8]) -> Result<(), Errno> {
        checked(addr, from.len())?;
        // SAFETY: a destination that cannot be written ends the copy. One that can be is the guest's, unless the
        // guest names the simulator's own memory: as on Linux, a program can ruin the process that it is part of.
        match unsafe { copy(addr as *mut u8, from.as_ptr(), from.len()) } {
            0 => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }

    fn pages(&mut self) -> &mut dyn Pages {
        &mut self.windows
    }
}
