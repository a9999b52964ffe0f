//! The vDSO answers clock_gettime(2) and its kin without a system call, so nothing traps. Its functions are
//! overwritten with jumps to ours, vdso(7).
//!
//! Where it cannot be written to (newer kernels seal it, mseal(2); a sandbox may forbid code that can be
//! written), it is hidden: every pointer to one of its functions that the loader has left in a loaded object is
//! replaced with ours, and the auxiliary vector no longer tells where it is. What is left then is a program that
//! asks the loader for an object called `linux-vdso.so.1`.

use core::ffi::{CStr, c_char};

use bizarro_kernel::table::Args;

use crate::foreign::Range;
use crate::{objects, process, raw, world};

const PAGE: usize = 4096;
const HEADER_PHOFF: usize = 0x20;
const HEADER_PHNUM: usize = 0x38;
const PROGRAM_HEADER: usize = 56;
const SYMBOL: usize = 24;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;

unsafe extern "C" fn clock_gettime(clock: i32, time: *mut libc::timespec) -> i32 {
    world::enter_by_hook(
        libc::SYS_clock_gettime as u64,
        &Args([clock as u64, time as u64, 0, 0, 0, 0]),
    ) as i32
}
unsafe extern "C" fn clock_getres(clock: i32, time: *mut libc::timespec) -> i32 {
    world::enter_by_hook(
        libc::SYS_clock_getres as u64,
        &Args([clock as u64, time as u64, 0, 0, 0, 0]),
    ) as i32
}
unsafe extern "C" fn gettimeofday(time: *mut libc::timeval, zone: *mut libc::timezone) -> i32 {
    world::enter_by_hook(
        libc::SYS_gettimeofday as u64,
        &Args([time as u64, zone as u64, 0, 0, 0, 0]),
    ) as i32
}
unsafe extern "C" fn time(time: *mut libc::time_t) -> libc::time_t {
    world::enter_by_hook(libc::SYS_time as u64, &Args([time as u64, 0, 0, 0, 0, 0])) as libc::time_t
}
unsafe extern "C" fn getcpu(cpu: *mut u32, node: *mut u32) -> i32 {
    world::enter_by_hook(libc::SYS_getcpu as u64, &Args([cpu as u64, node as u64, 0, 0, 0, 0]))
        as i32
}
/// vgetrandom: the kernel-assisted generator; refusing makes the C library use the system call.
unsafe extern "C" fn getrandom(_: *mut u8, _: usize, _: u32, _: *mut u8, _: usize) -> isize {
    -(libc::ENOSYS as isize)
}

fn replacement(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"__vdso_clock_gettime" => clock_gettime as *const () as usize,
        b"__vdso_clock_getres" => clock_getres as *const () as usize,
        b"__vdso_gettimeofday" => gettimeofday as *const () as usize,
        b"__vdso_time" => time as *const () as usize,
        b"__vdso_getcpu" => getcpu as *const () as usize,
        b"__vdso_getrandom" => getrandom as *const () as usize,
        _ => return None,
    })
}

unsafe fn word(at: usize) -> u64 {
    // SAFETY: the caller names a word of the vDSO's own image.
    unsafe { core::ptr::read_unaligned(at as *const u64) }
}

const ALL: i32 = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;

/// Hides the vDSO of this process where it will not be possible to redirect it: to be called in the constructor,
/// before the template is taken and after [`objects::capture`].
pub fn hide_if_sealed() {
    // SAFETY: getauxval(3) has no preconditions.
    let base = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
    let Some(image) = (base != 0).then(|| Image::find(base)).flatten() else { return };
    let length = image.length.next_multiple_of(PAGE);
    // SAFETY: the mapping is private to this process, and nothing is written to it.
    unsafe {
        if raw::protect(base, length, ALL) == 0 {
            raw::protect(base, length, libc::PROT_READ | libc::PROT_EXEC);
            return;
        }
    }
    let mut clocks = 0;
    for (name, old, new) in image.replaced() {
        let found: usize = objects::data().map(|range| replace(range, old, new)).sum();
        clocks += if name == b"__vdso_clock_gettime" { found } else { 0 };
    }
    if clocks == 0 {
        raw::complain(format_args!(
            "the vDSO can neither be written to nor hidden; see `cargo bizarro doctor`"
        ));
        raw::exit(crate::CANNOT_RUN);
    }
    process::forget_vdso();
}

/// Replaces every word of a range that is `old`; how many there were. Pages that may not be written to, which hold
/// what is read-only after relocation, may not be afterwards either.
fn replace((start, end): Range, old: usize, new: usize) -> usize {
    const WORD: usize = size_of::<usize>();
    let mut found = 0;
    for at in (start.next_multiple_of(WORD)..end / WORD * WORD).step_by(WORD) {
        // SAFETY: a word of a loaded object's data.
        if unsafe { core::ptr::read_volatile(at as *const usize) } != old {
            continue;
        }
        let page = at & !(PAGE - 1);
        let (both, sealed) = (libc::PROT_READ | libc::PROT_WRITE, objects::is_sealed(at));
        // SAFETY: a pointer to a function is replaced with one to a function of the same type; this early no
        // other thread could read it meanwhile.
        unsafe {
            if sealed && raw::protect(page, PAGE, both) != 0 {
                continue;
            }
            core::ptr::write_volatile(at as *mut usize, new);
            if sealed {
                raw::protect(page, PAGE, libc::PROT_READ);
            }
        }
        found += 1;
    }
    found
}

/// Redirects the vDSO of this process. Gives how many functions were, 0 where there is no vDSO (all time then
/// goes through system calls), or the errno with which the real kernel refused to make it writable.
pub fn redirect() -> Result<usize, i32> {
    // SAFETY: getauxval(3) has no preconditions.
    let base = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
    if base == 0 {
        return Ok(0);
    }
    let Some(image) = Image::find(base) else { return Ok(0) };
    let length = image.length.next_multiple_of(PAGE);
    // SAFETY: the mapping is private to this process.
    let refused = unsafe { raw::protect(base, length, ALL) };
    if refused != 0 {
        return Err(-refused as i32);
    }
    let mut redirected = 0;
    for (_, code, to) in image.replaced() {
        // SAFETY: the function has room for twelve bytes, as every vDSO function has, and nobody runs it now.
        unsafe { write_jump(code as *mut u8, to) };
        redirected += 1;
    }
    // SAFETY: the vDSO is as it was, but for the functions.
    unsafe { raw::protect(base, length, libc::PROT_READ | libc::PROT_EXEC) };
    Ok(redirected)
}

/// The ELF image of the vDSO.
struct Image {
    /// What is added to the addresses in the image.
    slide: usize,
    length: usize,
    symbols: usize,
    symbols_len: usize,
    strings: usize,
}

impl Image {
    fn find(base: usize) -> Option<Image> {
        let (mut slide, mut length, mut dynamic) = (0, 0, 0);
        // SAFETY: `base` is the ELF header that the kernel announced; every read stays within its image.
        unsafe {
            let headers = base + word(base + HEADER_PHOFF) as usize;
            let count = word(base + HEADER_PHNUM) as u16;
            for index in 0..usize::from(count) {
                let at = headers + index * PROGRAM_HEADER;
                match word(at) as u32 {
                    libc::PT_LOAD => {
                        slide = base.wrapping_sub(word(at + 16) as usize);
                        length = word(at + 40) as usize;
                    }
                    libc::PT_DYNAMIC => dynamic = base + word(at + 8) as usize,
                    _ => {}
                }
            }
            let (mut symbols, mut strings, mut hash) = (0, 0, 0);
            while dynamic != 0 && word(dynamic) != 0 {
                let value = slide.wrapping_add(word(dynamic + 8) as usize);
                match word(dynamic) {
                    DT_STRTAB => strings = value,
                    DT_SYMTAB => symbols = value,
                    DT_HASH => hash = value,
                    _ => {}
                }
                dynamic += 16;
            }
            if symbols == 0 || strings == 0 {
                return None;
            }
            // Without a hash table, the strings follow the symbols.
            let symbols_len =
                if hash != 0 { (word(hash) >> 32) as usize } else { (strings - symbols) / SYMBOL };
            Some(Image { slide, length, symbols, symbols_len, strings })
        }
    }

    /// The functions that are to be replaced: name, address, and what replaces them.
    fn replaced(&self) -> impl Iterator<Item = (&'static [u8], usize, usize)> {
        let (slide, symbols, strings) = (self.slide, self.symbols, self.strings);
        (1..self.symbols_len).filter_map(move |index| {
            let symbol = symbols + index * SYMBOL;
            // SAFETY: within the symbol and string tables, which are mapped as long as the process lives.
            unsafe {
                let name = strings + word(symbol) as u32 as usize;
                let name = CStr::from_ptr(name as *const c_char).to_bytes();
                Some((name, slide.wrapping_add(word(symbol + 8) as usize), replacement(name)?))
            }
        })
    }
}

/// Writes `mov rax, to; jmp rax`.
///
/// # Safety
/// There are twelve bytes of code that can be written to, and nobody runs them.
unsafe fn write_jump(code: *mut u8, to: usize) {
    // SAFETY: the caller's.
    unsafe {
        core::ptr::copy_nonoverlapping([0x48u8, 0xb8].as_ptr(), code, 2);
        core::ptr::write_unaligned(code.add(2).cast::<usize>(), to);
        core::ptr::copy_nonoverlapping([0xffu8, 0xe0].as_ptr(), code.add(10), 2);
    }
}
