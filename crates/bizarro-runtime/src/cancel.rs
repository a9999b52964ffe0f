//! Thread cancellation (pthreads(7)): a program that cancels threads makes the calls at which they can be cancelled by
//! the C library's own functions, which know how; hooks would wait without telling it. Hardly any program does.

use core::ffi::{CStr, c_char};

use crate::loaded::{self, Loaded};

const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_STRSZ: usize = 10;
const SHN_UNDEF: u16 = 0;
const STB_GLOBAL: u8 = 1;

static mut CANCELS: bool = false;

/// Whether the program may cancel threads.
#[inline]
pub fn is_used() -> bool {
    // SAFETY: written in the constructor only.
    unsafe { CANCELS }
}

/// Finds out: to be called in the constructor.
pub fn capture() {
    let found = loaded::find(|object| needs_it(object).then_some(())).is_some();
    // SAFETY: one thread.
    unsafe { CANCELS = found };
}

/// Whether an object calls pthread_cancel(3) of another.
fn needs_it(object: &Loaded<'_>) -> bool {
    // The vDSO's tables are not relocated.
    if !object.is_file() {
        return false;
    }
    let (mut symbols, mut strings, mut strings_len) = (0, 0, 0);
    for (tag, value) in object.dynamic() {
        match tag {
            DT_SYMTAB => symbols = value,
            DT_STRTAB => strings = value,
            DT_STRSZ => strings_len = value,
            _ => {}
        }
    }
    // Nothing says how many symbols there are; linkers put the strings behind them, perhaps with something between
    // that is no symbol of this name.
    let count = strings.saturating_sub(symbols) / size_of::<libc::Elf64_Sym>();
    // SAFETY: tables of the object, in its mapped segments.
    let symbols = unsafe {
        core::slice::from_raw_parts(
            symbols as *const libc::Elf64_Sym,
            if symbols == 0 { 0 } else { count },
        )
    };
    symbols.iter().any(|symbol| {
        let is_wanted = symbol.st_shndx == SHN_UNDEF && symbol.st_info >> 4 == STB_GLOBAL;
        let name = symbol.st_name as usize;
        // SAFETY: within the table of strings.
        is_wanted
            && name < strings_len
            && unsafe { CStr::from_ptr((strings + name) as *const c_char) } == c"pthread_cancel"
    })
}
