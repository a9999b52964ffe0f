//! Thread cancellation (pthreads(7)): a program that cancels threads makes the calls at which they can be cancelled by
//! the C library's own functions, which know how; hooks would wait without telling it. Hardly any program does.

use core::ffi::{CStr, c_char, c_int, c_void};

const DT_NULL: usize = 0;
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
    let mut found = false;
    // SAFETY: the callback keeps to the documented structure (dl_iterate_phdr(3)); one thread.
    unsafe {
        libc::dl_iterate_phdr(Some(visit), (&raw mut found).cast());
        CANCELS = found;
    }
}

unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
    // SAFETY: valid during the callback, by contract; `found` is `capture`'s.
    let (info, found) = unsafe { (&*info, &mut *found.cast::<bool>()) };
    // SAFETY: the loader's table of this many entries.
    let headers =
        unsafe { core::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let dynamic = headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC);
    // SAFETY: a C string, empty for the program.
    let name = unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes();
    // The vDSO's tables are not relocated; it has no path.
    let is_file = name.is_empty() || name.starts_with(b"/");
    if let (Some(dynamic), true) = (dynamic, is_file) {
        // SAFETY: the object's own tables, which the loader has relocated.
        *found |= unsafe { needs_it((info.dlpi_addr + dynamic.p_vaddr) as usize) };
    }
    c_int::from(*found)
}

/// Whether an object with this dynamic section calls pthread_cancel(3) of another.
unsafe fn needs_it(dynamic: usize) -> bool {
    let (mut symbols, mut strings, mut strings_len) = (0, 0, 0);
    let mut at = dynamic as *const [usize; 2];
    loop {
        // SAFETY: the section ends with a null tag.
        let [tag, value] = unsafe { *at };
        match tag {
            DT_NULL => break,
            DT_SYMTAB => symbols = value,
            DT_STRTAB => strings = value,
            DT_STRSZ => strings_len = value,
            _ => {}
        }
        // SAFETY: as above.
        at = unsafe { at.add(1) };
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
