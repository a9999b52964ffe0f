//! System-call instructions of the C library that do not trap: the library makes most of its calls inline, past the
//! symbols that `hooks.rs` replaces, and a trap takes longer than nearly every simulated call.
//!
//! An instruction `mov eax, NUMBER` shortly before a `syscall` has the five bytes of a jump. It becomes one, to a stub
//! that does the same and what lies between the two, makes the call and goes on behind the `syscall`. All other
//! instructions stay what they are: who jumps to one of them is trapped as ever. Like the hooks this is for speed only.
//!
//! ```text
//! site:  mov eax, 3           jmp stub            stub:  mov eax, 3
//!        mov rsi, rdi         mov rsi, rdi               mov rsi, rdi
//!        syscall       ->     syscall                    lea rsp, [rsp - 128]     the red zone
//!        cmp rax, ...         cmp rax, ...               lea rcx, [data]          a call destroys rcx anyway
//!                                                        jmp through              goes on at `cmp`
//! ```

use core::arch::naked_asm;

use bizarro_kernel::table::Args;

use crate::foreign::Range;
use crate::loaded::{self, Loaded};
use crate::{raw, vectors, world};

/// Calls whose registers matter, which make threads or processes or return to what a handler interrupted; and those
/// that send a signal to their caller, or end it: a handler or a backtrace may want to see them.
const TRAPPED: [libc::c_long; 10] = [
    libc::SYS_rt_sigreturn,
    libc::SYS_clone,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_clone3,
    libc::SYS_arch_prctl,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_exit_group,
];
/// More than any number of a call.
const NUMBERS: u32 = 512;
/// Room for the stubs: a few hundred sites have an instruction that fits.
const ROOM: usize = 1 << 16;
const PAGE: usize = 4096;

/// What a stub tells [`through`]: it lies behind its instructions.
#[repr(C)]
struct Stub {
    /// Of the call.
    number: u64,
    /// Where the guest goes on.
    resume: u64,
    /// Behind the system-call instruction: what an unwinder should see.
    site: u64,
}

/// Rewrites the C library's code. To be called while there is one thread, before any code of the program runs. Where
/// it is refused nothing changes but speed.
pub fn rewrite() {
    if !vectors::can_be_kept() {
        return;
    }
    let Some(text) = loaded::find(text_of) else { return };
    let (start, end) = (text.0 & !(PAGE - 1), text.1.next_multiple_of(PAGE));
    let Ok(stubs) = raw::map(None, ROOM, libc::PROT_READ | libc::PROT_WRITE) else { return };
    let reach = stubs.abs_diff(start).max(stubs.abs_diff(end)) + ROOM;
    let all = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let in_reach = start < end && reach <= i32::MAX as usize;
    // SAFETY: the pages stay executable, for what runs meanwhile uses them.
    if !in_reach || unsafe { raw::protect(start, end - start, all) } != 0 {
        // SAFETY: nobody knows these pages yet.
        unsafe { raw::unmap(stubs, ROOM) };
        return;
    }
    let mut writer = Writer { at: stubs, end: stubs + ROOM };
    for at in text.0 + BEFORE..text.1.saturating_sub(LONGEST) {
        // SAFETY: within the segment, which is readable; a copy, since the segment changes below.
        let window = unsafe {
            if !matches!(*(at as *const u8), 0xb8 | 0x31) {
                continue;
            }
            ((at - BEFORE) as *const [u8; BEFORE + LONGEST]).read_unaligned()
        };
        if let Some(site) = Site::find(&window, BEFORE, at) {
            // SAFETY: the bytes were just looked at, and nothing runs there now.
            unsafe { writer.redirect(at, &site) };
        }
    }
    let executable = libc::PROT_READ | libc::PROT_EXEC;
    // SAFETY: as the loader had it, and the stubs are complete.
    unsafe {
        raw::protect(start, end - start, executable);
        raw::protect(stubs, ROOM, executable);
    }
}

/// The executable segment of an object, if it is the one that has the C library's functions.
fn text_of(object: &Loaded<'_>) -> Option<Range> {
    let known = libc::getauxval as *const () as usize;
    let in_file = |header: &libc::Elf64_Phdr| {
        let start = object.range(header).0;
        (start, start + header.p_filesz as usize)
    };
    let mut code = object.segments().filter(|header| header.p_flags & libc::PF_X != 0).map(in_file);
    code.find(|(start, end)| (*start..*end).contains(&known))
}

/// How many bytes before a site are looked at, and how many from there on, at most.
const BEFORE: usize = 3;
const LONGEST: usize = 48;

/// A place that a jump fits in.
#[derive(PartialEq, Eq, Debug)]
struct Site {
    number: u32,
    /// The instructions before the call, for the stub: `len` bytes.
    before: [u8; 40],
    len: usize,
    /// From the jump to behind the system-call instruction.
    behind: usize,
    /// Whether the jump destroys the comparison `cmp rax, -4096` behind the call.
    compares: bool,
}

impl Site {
    /// Looks for a site at an index of the code, which has [`BEFORE`] bytes before it and [`LONGEST`] behind; it lies
    /// at an address.
    fn find(code: &[u8], index: usize, at: usize) -> Option<Site> {
        let before = &code[index - BEFORE..index];
        match &code[index..index + LONGEST] {
            [0xb8, a, b, c, d, rest @ ..] if is_instruction(before) => {
                let number = u32::from_le_bytes([*a, *b, *c, *d]);
                if number >= NUMBERS || TRAPPED.contains(&libc::c_long::from(number)) {
                    return None;
                }
                let mut site = Site { number, before: [0; 40], len: 0, behind: 5, compares: false };
                site.put(&[0xb8, *a, *b, *c, *d]);
                site.add_until_call(at, rest).then_some(site)
            }
            // The whole straight path of a function that only calls read(2), which no other code jumps into:
            // xor eax, eax; syscall; cmp rax, -4096; ja error; ret.
            [0x31, 0xc0, 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77, _, 0xc3, ..] => {
                Some(Site { number: 0, before: [0; 40], len: 0, behind: 4, compares: true })
            }
            _ => None,
        }
    }

    /// Collects the instructions up to the call, of a site at an address. Says whether all may be done somewhere else.
    fn add_until_call(&mut self, at: usize, mut rest: &[u8]) -> bool {
        while !rest.starts_with(&[0x0f, 0x05]) {
            let Some(len) = movable(rest) else { return false };
            if self.len + 10 > self.before.len() {
                return false;
            }
            let relative = [0x48, 0x8d].as_slice() == &rest[..2] && rest[2] & 0xc7 == 0x05;
            if relative {
                // lea r64, [rip + disp32] becomes mov r64, imm64.
                let disp = i32::from_le_bytes([rest[3], rest[4], rest[5], rest[6]]);
                let next = (at + self.behind + len) as i64;
                self.put(&[0x48, 0xb8 | rest[2] >> 3 & 7]);
                self.put(&(next + i64::from(disp)).to_le_bytes());
            } else {
                self.put(&rest[..len]);
            }
            self.behind += len;
            rest = &rest[len..];
        }
        self.behind += 2;
        true
    }

    fn put(&mut self, bytes: &[u8]) {
        self.before[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

/// Whether the byte 0xb8 behind these three begins an instruction: it does not behind a REX prefix, which would make
/// it another register's, and where it is the displacement of an instruction with an immediate operand.
fn is_instruction(before: &[u8]) -> bool {
    let takes_operand = |opcode: u8| matches!(opcode, 0xc7 | 0x81 | 0x69 | 0xf7);
    match before {
        [.., 0x40..=0x4f] => false,
        [_, opcode, 0x40..=0x7f] => !takes_operand(*opcode),
        [opcode, modrm, _] if modrm & 0xc7 == 0x44 => !takes_operand(*opcode),
        _ => true,
    }
}

/// The length of an instruction that may be moved: it neither changes `rax` nor the stack pointer, nor depends on where
/// it lies, but for `lea` relative to `rip`, which [`Site::add_until_call`] translates.
fn movable(code: &[u8]) -> Option<usize> {
    let rex = match code[0] {
        prefix @ 0x40..=0x4f => prefix,
        _ => 0,
    };
    let opcode = usize::from(rex != 0);
    let modrm = code[opcode + 1];
    let (register, rm) = (modrm >> 3 & 7, modrm & 7);
    // rax and rsp, unless the prefix makes them r8 and r12.
    let reserved = |register: u8, extended: u8| matches!(register, 0 | 4) && rex & extended == 0;
    const R: u8 = 4;
    const B: u8 = 1;
    match code[opcode] {
        // mov r32, imm32
        low @ 0xb8..=0xbf if rex & 8 == 0 && !reserved(low & 7, B) => Some(opcode + 5),
        // mov or lea into a register
        0x8b | 0x8d if !reserved(register, R) => {
            let relative = modrm & 0xc7 == 0x05;
            let translated = code[opcode] == 0x8d && rex == 0x48;
            (!relative || translated).then_some(opcode + 1 + operand(modrm))
        }
        // mov or xor of two registers, into the second
        0x89 | 0x31 if modrm >= 0xc0 && !reserved(rm, B) => Some(opcode + 2),
        // and, xor of a register's low byte or of all of it with imm8
        0x80 | 0x83 if modrm >= 0xc0 && matches!(register, 4 | 6) && !reserved(rm, B) => {
            // Without a prefix, 4 to 7 are the second bytes of the first four registers.
            (code[opcode] == 0x83 || rex != 0).then_some(opcode + 3)
        }
        _ => None,
    }
}

/// Bytes of an operand: ModRM, SIB and displacement (Intel SDM volume 2, 2.1.5).
fn operand(modrm: u8) -> usize {
    let sib = usize::from(modrm & 7 == 4 && modrm < 0xc0);
    match modrm >> 6 {
        0 if modrm & 7 == 5 => 5,
        0 => 1 + sib,
        1 => 2 + sib,
        2 => 5 + sib,
        _ => 1,
    }
}

/// Where the next stub goes.
struct Writer {
    at: usize,
    end: usize,
}

/// Room for a stub: instructions, red zone, the jump with its data, and the comparison.
const STUB: usize = 112;

impl Writer {
    /// # Safety
    /// The site's bytes may be written and nothing runs there.
    unsafe fn redirect(&mut self, at: usize, site: &Site) {
        if self.at + STUB > self.end {
            return;
        }
        let stub = self.at;
        self.at += STUB;
        let code = self::code(stub, at, site);
        let jump = (stub as i64 - (at as i64 + 5)) as i32;
        // SAFETY: the stub is `Writer`'s own and has room for the code; the site is the caller's.
        unsafe {
            core::ptr::copy_nonoverlapping(code.as_ptr(), stub as *mut u8, code.len());
            core::ptr::write(at as *mut u8, 0xe9);
            core::ptr::write_unaligned((at + 1) as *mut i32, jump);
        }
    }
}

/// The bytes of a stub that lies at an address, for a site at another.
fn code(stub: usize, at: usize, site: &Site) -> [u8; STUB] {
    let mut code = [0xcc; STUB];
    let mut len = 0;
    let mut put = |bytes: &[u8]| {
        code[len..len + bytes.len()].copy_from_slice(bytes);
        len += bytes.len();
        len
    };
    put(&site.before[..site.len]);
    // lea rsp, [rsp - 128]; lea rcx, [rip + 6]: the data behind the next instruction.
    put(&[0x48, 0x8d, 0x64, 0x24, 0x80, 0x48, 0x8d, 0x0d, 6, 0, 0, 0]);
    // jmp [rip + 24]: the address behind the data.
    let data = put(&[0xff, 0x25, 24, 0, 0, 0]);
    let (behind, tail) = (at + site.behind, stub + data + size_of::<Stub>() + 8);
    put(&u64::from(site.number).to_le_bytes());
    put(&(if site.compares { tail } else { behind } as u64).to_le_bytes());
    put(&(behind as u64).to_le_bytes());
    put(&(through as *const () as usize).to_le_bytes());
    if site.compares {
        // cmp rax, -4096; and back behind the one that the jump destroyed.
        const COMPARISON: [u8; 6] = [0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff];
        put(&COMPARISON);
        let from = (tail + COMPARISON.len() + 5) as i64;
        put(&[0xe9]);
        put(&((((behind + COMPARISON.len()) as i64) - from) as i32).to_le_bytes());
    }
    code
}

/// Where stubs jump to: saves what a system call leaves alone but a function of the simulator does not, and makes the
/// call. `rcx` points to the [`Stub`], and the guest's red zone lies on the stack.
///
/// INVARIANT: between here and the kernel's handlers, and there, no code uses vector registers other than the lower
/// halves of the first sixteen: the shared object is compiled for any x86_64, and has its own `memcpy` (`mem.rs`). What
/// does is run by [`vectors::keeping`].
#[unsafe(naked)]
unsafe extern "C" fn through() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa rsp, 128",
        ".cfi_register rip, rcx",
        "push rcx",
        ".cfi_def_cfa rsp, 136",
        "push rbp",
        ".cfi_def_cfa rsp, 144",
        ".cfi_offset rbp, -144",
        "mov rbp, rsp",
        ".cfi_def_cfa rbp, 144",
        "push [rcx + 16]",
        ".cfi_offset rip, -152",
        "push r9",
        "push r8",
        "push r10",
        "push rdx",
        "push rsi",
        "push rdi",
        "mov rdi, [rcx]",
        "mov rsi, rsp",
        "sub rsp, 256",
        "and rsp, -16",
        "movaps [rsp + 0], xmm0",
        "movaps [rsp + 16], xmm1",
        "movaps [rsp + 32], xmm2",
        "movaps [rsp + 48], xmm3",
        "movaps [rsp + 64], xmm4",
        "movaps [rsp + 80], xmm5",
        "movaps [rsp + 96], xmm6",
        "movaps [rsp + 112], xmm7",
        "movaps [rsp + 128], xmm8",
        "movaps [rsp + 144], xmm9",
        "movaps [rsp + 160], xmm10",
        "movaps [rsp + 176], xmm11",
        "movaps [rsp + 192], xmm12",
        "movaps [rsp + 208], xmm13",
        "movaps [rsp + 224], xmm14",
        "movaps [rsp + 240], xmm15",
        "call {make}",
        "movaps xmm0, [rsp + 0]",
        "movaps xmm1, [rsp + 16]",
        "movaps xmm2, [rsp + 32]",
        "movaps xmm3, [rsp + 48]",
        "movaps xmm4, [rsp + 64]",
        "movaps xmm5, [rsp + 80]",
        "movaps xmm6, [rsp + 96]",
        "movaps xmm7, [rsp + 112]",
        "movaps xmm8, [rsp + 128]",
        "movaps xmm9, [rsp + 144]",
        "movaps xmm10, [rsp + 160]",
        "movaps xmm11, [rsp + 176]",
        "movaps xmm12, [rsp + 192]",
        "movaps xmm13, [rsp + 208]",
        "movaps xmm14, [rsp + 224]",
        "movaps xmm15, [rsp + 240]",
        "lea rsp, [rbp - 56]",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop r10",
        "pop r8",
        "pop r9",
        "mov rcx, [rbp + 8]",
        "mov rcx, [rcx + 8]",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 136",
        ".cfi_same_value rbp",
        "lea rsp, [rsp + 136]",
        ".cfi_def_cfa rsp, 0",
        ".cfi_register rip, rcx",
        "jmp rcx",
        ".cfi_endproc",
        make = sym make,
    )
}

unsafe extern "C" fn make(number: u64, args: *const Args) -> u64 {
    // SAFETY: `through` pushed them.
    world::enter_rewritten(number, unsafe { &*args })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function of the C library as it is compiled, with room before and behind it.
    fn function(bytes: &[u8]) -> [u8; 96] {
        let mut code = [0x90; 96];
        code[16..16 + bytes.len()].copy_from_slice(bytes);
        code
    }

    /// Number, bytes for the stub, and length of the site at the beginning of a function.
    fn site(bytes: &[u8]) -> Option<(u32, std::vec::Vec<u8>, usize)> {
        let site = Site::find(&function(bytes), 16, 0x1000)?;
        Some((site.number, site.before[..site.len].to_vec(), site.behind))
    }

    #[test]
    fn a_call_by_its_number_is_a_site() {
        let close = [0xb8, 3, 0, 0, 0, 0x0f, 0x05];
        assert_eq!(site(&close), Some((3, close[..5].to_vec(), 7)));
    }

    #[test]
    fn instructions_before_the_call_move_to_the_stub() {
        let open = [
            &[0xb8, 1, 1, 0, 0][..],
            &[0x48, 0x89, 0xfe],                // mov rsi, rdi
            &[0x89, 0xc2],                      // mov edx, eax
            &[0xbf, 0x9c, 0xff, 0xff, 0xff],    // mov edi, AT_FDCWD
            &[0x48, 0x8b, 0x54, 0x24, 0x10],    // mov rdx, [rsp + 16]
            &[0x40, 0x80, 0xf6, 0x80],          // xor sil, 0x80
            &[0x48, 0x8d, 0xb3, 0xf0, 8, 0, 0], // lea rsi, [rbx + 0x8f0]
            &[0x0f, 0x05],
        ]
        .concat();
        let before = open[..open.len() - 2].to_vec();
        assert_eq!(site(&open), Some((257, before, open.len())));
    }

    #[test]
    fn an_address_relative_to_the_instruction_becomes_absolute() {
        let code = function(&[0xb8, 14, 0, 0, 0, 0x48, 0x8d, 0x35, 0x10, 0, 0, 0, 0x0f, 0x05]);
        let site = Site::find(&code, 16, 0x1000).unwrap();
        let address = 0x1000_u64 + 12 + 0x10;
        assert_eq!(site.before[..7], [0xb8, 14, 0, 0, 0, 0x48, 0xbe]);
        assert_eq!(site.before[7..15], address.to_le_bytes());
        assert_eq!((site.len, site.behind), (15, 14));
    }

    #[test]
    fn what_may_not_move_is_no_site() {
        for bytes in [
            // clone3
            &[0xb8, 0xb3, 0x01, 0, 0, 0x0f, 0x05][..],
            // a number that is none
            &[0xb8, 3, 0, 1, 0, 0x0f, 0x05],
            // mov eax, edx; push rdi; mov rsp, rsi; xor eax, eax; mov rdi, [rip + 1]; sub rsi, rdi
            &[0xb8, 3, 0, 0, 0, 0x89, 0xd0, 0x0f, 0x05],
            &[0xb8, 3, 0, 0, 0, 0x57, 0x0f, 0x05],
            &[0xb8, 3, 0, 0, 0, 0x48, 0x89, 0xf4, 0x0f, 0x05],
            &[0xb8, 3, 0, 0, 0, 0x31, 0xc0, 0x0f, 0x05],
            &[0xb8, 3, 0, 0, 0, 0x48, 0x8b, 0x3d, 1, 0, 0, 0, 0x0f, 0x05],
            &[0xb8, 3, 0, 0, 0, 0x48, 0x29, 0xfe, 0x0f, 0x05],
        ] {
            assert_eq!(site(bytes), None, "{bytes:x?}");
        }
        // mov r8d, 3; mov dword ptr [rbp - 0x48], 3; mov dword ptr [rsp - 0x48], 3
        for before in [[0x90, 0x90, 0x41], [0x90, 0xc7, 0x45], [0xc7, 0x44, 0x24]] {
            let mut code = function(&[0xb8, 3, 0, 0, 0, 0x0f, 0x05]);
            code[13..16].copy_from_slice(&before);
            assert_eq!(Site::find(&code, 16, 0x1000), None, "{before:x?}");
        }
    }

    #[test]
    fn a_stub_holds_what_through_reads() {
        let site = Site { number: 3, before: [0; 40], len: 0, behind: 7, compares: false };
        let code = code(0x2000, 0x1000, &site);
        let word = |at: usize| u64::from_le_bytes(code[at..at + 8].try_into().unwrap());
        assert_eq!([word(18), word(26), word(34)], [3, 0x1007, 0x1007]);
        assert_eq!(word(42), through as *const () as u64);
    }
}
