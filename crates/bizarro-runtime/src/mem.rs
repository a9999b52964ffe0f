//! The functions on memory that the compiler calls by name: `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp`.
//!
//! The C library's use every vector register that the processor has. These use the lower halves of the first eight
//! only, so that a rewritten call (`rewrite.rs`) has little to save, and they are called directly, not by way of the
//! loader's tables. They are hidden: a guest finds the C library's.

use core::arch::global_asm;

// SAFETY: the functions keep to their contracts (string.h(0p)) and to the calling convention. What is copied at once is
// read before any of it is written, so `memmove` shares the code for up to 128 bytes, and for what lies lower than its
// source.
global_asm!(
    ".p2align 4",
    ".globl bizarro_memmove",
    ".hidden bizarro_memmove",
    ".type bizarro_memmove, @function",
    "bizarro_memmove:",
    "cmp rdx, 128",
    "jbe bizarro_memcpy",
    "mov rax, rdi",
    "sub rax, rsi",
    "cmp rax, rdx",
    "jae bizarro_memcpy",
    // The destination begins within the source: from the end, but for the first 64 bytes, which are kept for last.
    "mov rax, rdi",
    "movups xmm4, [rsi]",
    "movups xmm5, [rsi + 16]",
    "movups xmm6, [rsi + 32]",
    "movups xmm7, [rsi + 48]",
    "2:",
    "movups xmm0, [rsi + rdx - 64]",
    "movups xmm1, [rsi + rdx - 48]",
    "movups xmm2, [rsi + rdx - 32]",
    "movups xmm3, [rsi + rdx - 16]",
    "movups [rdi + rdx - 64], xmm0",
    "movups [rdi + rdx - 48], xmm1",
    "movups [rdi + rdx - 32], xmm2",
    "movups [rdi + rdx - 16], xmm3",
    "sub rdx, 64",
    "cmp rdx, 64",
    "ja 2b",
    "movups [rdi], xmm4",
    "movups [rdi + 16], xmm5",
    "movups [rdi + 32], xmm6",
    "movups [rdi + 48], xmm7",
    "ret",
    ".size bizarro_memmove, . - bizarro_memmove",
    ".p2align 4",
    ".globl bizarro_memcpy",
    ".hidden bizarro_memcpy",
    ".type bizarro_memcpy, @function",
    "bizarro_memcpy:",
    "mov rax, rdi",
    "cmp rdx, 16",
    "jb 6f",
    "cmp rdx, 32",
    "ja 3f",
    "movups xmm0, [rsi]",
    "movups xmm1, [rsi + rdx - 16]",
    "movups [rdi], xmm0",
    "movups [rdi + rdx - 16], xmm1",
    "ret",
    "3:",
    "cmp rdx, 64",
    "ja 4f",
    "movups xmm0, [rsi]",
    "movups xmm1, [rsi + 16]",
    "movups xmm2, [rsi + rdx - 32]",
    "movups xmm3, [rsi + rdx - 16]",
    "movups [rdi], xmm0",
    "movups [rdi + 16], xmm1",
    "movups [rdi + rdx - 32], xmm2",
    "movups [rdi + rdx - 16], xmm3",
    "ret",
    "4:",
    "cmp rdx, 1024",
    "ja 9f",
    // The last 64 bytes are kept for last; up to 128 the first 64 are read before they are written.
    "movups xmm4, [rsi + rdx - 64]",
    "movups xmm5, [rsi + rdx - 48]",
    "movups xmm6, [rsi + rdx - 32]",
    "movups xmm7, [rsi + rdx - 16]",
    "lea r8, [rdi + rdx - 64]",
    "5:",
    "movups xmm0, [rsi]",
    "movups xmm1, [rsi + 16]",
    "movups xmm2, [rsi + 32]",
    "movups xmm3, [rsi + 48]",
    "movups [rdi], xmm0",
    "movups [rdi + 16], xmm1",
    "movups [rdi + 32], xmm2",
    "movups [rdi + 48], xmm3",
    "add rsi, 64",
    "add rdi, 64",
    "cmp rdi, r8",
    "jb 5b",
    "movups [r8], xmm4",
    "movups [r8 + 16], xmm5",
    "movups [r8 + 32], xmm6",
    "movups [r8 + 48], xmm7",
    "ret",
    "9:",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    "6:",
    "cmp edx, 8",
    "jb 7f",
    "mov rcx, [rsi]",
    "mov r8, [rsi + rdx - 8]",
    "mov [rdi], rcx",
    "mov [rdi + rdx - 8], r8",
    "ret",
    "7:",
    "cmp edx, 4",
    "jb 8f",
    "mov ecx, [rsi]",
    "mov r8d, [rsi + rdx - 4]",
    "mov [rdi], ecx",
    "mov [rdi + rdx - 4], r8d",
    "ret",
    "8:",
    "test edx, edx",
    "jz 2f",
    // First, middle and last of one to three bytes.
    "mov r9d, edx",
    "shr r9d, 1",
    "movzx ecx, byte ptr [rsi]",
    "movzx r10d, byte ptr [rsi + r9]",
    "movzx r8d, byte ptr [rsi + rdx - 1]",
    "mov [rdi], cl",
    "mov [rdi + r9], r10b",
    "mov [rdi + rdx - 1], r8b",
    "2:",
    "ret",
    ".size bizarro_memcpy, . - bizarro_memcpy",
    ".p2align 4",
    ".globl bizarro_memset",
    ".hidden bizarro_memset",
    ".type bizarro_memset, @function",
    "bizarro_memset:",
    "mov rax, rdi",
    "movzx esi, sil",
    "movabs rcx, 0x0101010101010101",
    "imul rsi, rcx",
    "cmp rdx, 16",
    "jb 4f",
    "cmp rdx, 512",
    "ja 9f",
    "movq xmm0, rsi",
    "punpcklqdq xmm0, xmm0",
    "lea r8, [rdi + rdx - 16]",
    "3:",
    "movups [rdi], xmm0",
    "add rdi, 16",
    "cmp rdi, r8",
    "jb 3b",
    "movups [r8], xmm0",
    "ret",
    "9:",
    "mov r8, rdi",
    "mov eax, esi",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
    "4:",
    "cmp edx, 8",
    "jb 5f",
    "mov [rdi], rsi",
    "mov [rdi + rdx - 8], rsi",
    "ret",
    "5:",
    "cmp edx, 4",
    "jb 6f",
    "mov [rdi], esi",
    "mov [rdi + rdx - 4], esi",
    "ret",
    "6:",
    "test edx, edx",
    "jz 7f",
    "mov r9d, edx",
    "shr r9d, 1",
    "mov [rdi], sil",
    "mov [rdi + r9], sil",
    "mov [rdi + rdx - 1], sil",
    "7:",
    "ret",
    ".size bizarro_memset, . - bizarro_memset",
    ".p2align 4",
    ".globl bizarro_memcmp",
    ".hidden bizarro_memcmp",
    ".type bizarro_memcmp, @function",
    "bizarro_memcmp:",
    "xor ecx, ecx",
    "cmp rdx, 16",
    "jb 4f",
    "sub rdx, 16",
    "2:",
    "movups xmm0, [rdi + rcx]",
    "movups xmm1, [rsi + rcx]",
    "pcmpeqb xmm0, xmm1",
    "pmovmskb eax, xmm0",
    "xor eax, 0xffff",
    "jnz 3f",
    "cmp rcx, rdx",
    "je 8f",
    "add rcx, 16",
    "cmp rcx, rdx",
    "cmova rcx, rdx",
    "jmp 2b",
    "3:",
    "bsf eax, eax",
    "add rcx, rax",
    "movzx eax, byte ptr [rdi + rcx]",
    "movzx edx, byte ptr [rsi + rcx]",
    "sub eax, edx",
    "ret",
    "4:",
    "cmp edx, 8",
    "jb 6f",
    "mov rax, [rdi]",
    "mov rcx, [rsi]",
    "cmp rax, rcx",
    "jne 5f",
    "mov rax, [rdi + rdx - 8]",
    "mov rcx, [rsi + rdx - 8]",
    "cmp rax, rcx",
    "jne 5f",
    "xor eax, eax",
    "ret",
    "5:",
    "bswap rax",
    "bswap rcx",
    "cmp rax, rcx",
    "sbb eax, eax",
    "or eax, 1",
    "ret",
    "6:",
    "cmp ecx, edx",
    "je 8f",
    "movzx eax, byte ptr [rdi + rcx]",
    "movzx r8d, byte ptr [rsi + rcx]",
    "inc ecx",
    "sub eax, r8d",
    "jz 6b",
    "ret",
    "8:",
    "xor eax, eax",
    "ret",
    ".size bizarro_memcmp, . - bizarro_memcmp",
);

#[cfg(feature = "shared-object")]
global_asm!(
    ".globl memcpy",
    ".globl memmove",
    ".globl memset",
    ".globl memcmp",
    ".globl bcmp",
    ".hidden memcpy",
    ".hidden memmove",
    ".hidden memset",
    ".hidden memcmp",
    ".hidden bcmp",
    ".set memcpy, bizarro_memcpy",
    ".set memmove, bizarro_memmove",
    ".set memset, bizarro_memset",
    ".set memcmp, bizarro_memcmp",
    ".set bcmp, bizarro_memcmp",
);

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::vec::Vec;

    unsafe extern "C" {
        fn bizarro_memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
        fn bizarro_memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
        fn bizarro_memset(to: *mut u8, byte: i32, len: usize) -> *mut u8;
        fn bizarro_memcmp(one: *const u8, other: *const u8, len: usize) -> i32;
    }

    /// Every length up to where all of the code has been used, and some longer ones.
    fn lengths() -> impl Iterator<Item = usize> {
        (0..300).chain([511, 512, 513, 1000, 1023, 1024, 1025, 1100, 5000])
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|index| (index * 7 + index / 251) as u8).collect()
    }

    #[test]
    fn copies_are_whole_and_touch_nothing_else() {
        for len in lengths() {
            for offset in [0, 1, 15] {
                let from = bytes(len + offset);
                let mut to = std::vec![0xee; len + 64];
                // SAFETY: both are long enough.
                let at =
                    unsafe { bizarro_memcpy(to[32..].as_mut_ptr(), from[offset..].as_ptr(), len) };
                assert_eq!(at, to[32..].as_mut_ptr());
                assert_eq!(to[32..32 + len], from[offset..], "{len}");
                assert!(to[..32].iter().chain(&to[32 + len..]).all(|byte| *byte == 0xee), "{len}");
            }
        }
    }

    #[test]
    fn moves_may_overlap() {
        for len in lengths() {
            for shift in [0, 1, 3, 16, 63, 64, 65, 127, 200] {
                for (from, to) in [(0, shift), (shift, 0)] {
                    let mut moved = bytes(len + shift);
                    let mut expected = moved.clone();
                    expected.copy_within(from..from + len, to);
                    let at = moved.as_mut_ptr();
                    // SAFETY: both ends lie within the bytes.
                    unsafe { bizarro_memmove(at.add(to), at.add(from), len) };
                    assert_eq!(moved, expected, "{len} bytes from {from} to {to}");
                }
            }
        }
    }

    #[test]
    fn filling_is_whole_and_touches_nothing_else() {
        for len in lengths() {
            let mut to = std::vec![0xee; len + 64];
            // SAFETY: it is long enough.
            unsafe { bizarro_memset(to[32..].as_mut_ptr(), 0x15a, len) };
            assert!(to[32..32 + len].iter().all(|byte| *byte == 0x5a), "{len}");
            assert!(to[..32].iter().chain(&to[32 + len..]).all(|byte| *byte == 0xee), "{len}");
        }
    }

    #[test]
    fn comparing_finds_the_first_difference() {
        for len in lengths() {
            let one = bytes(len);
            // SAFETY: both are that long.
            let compare =
                |other: &[u8]| unsafe { bizarro_memcmp(one.as_ptr(), other.as_ptr(), len) };
            assert_eq!(compare(&one), 0, "{len}");
            for at in (0..len).step_by(1 + len / 50) {
                for change in [1, 0x80] {
                    let mut other = one.clone();
                    other[at] = other[at].wrapping_add(change);
                    if at + 1 < len {
                        other[len - 1] ^= 0xff;
                    }
                    let expected = match one.cmp(&other) {
                        Ordering::Less => -1,
                        Ordering::Equal => 0,
                        Ordering::Greater => 1,
                    };
                    assert_eq!(compare(&other).signum(), expected, "{len} bytes, at {at}");
                }
            }
        }
    }
}
