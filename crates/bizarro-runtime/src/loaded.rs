//! What the loader has mapped, an object at a time: dl_iterate_phdr(3), elf(5).
//!
//! It must not be asked while a guest may hold the loader's lock: in constructors, then, and not in a run.

use core::ffi::{CStr, c_int, c_void};

use crate::foreign::Range;

/// The last entry of a dynamic section.
const DT_NULL: usize = 0;

/// Lies in the simulator's own object.
static HERE: u8 = 0;

/// An object, while it is looked at.
pub(crate) struct Loaded<'a> {
    /// What is added to the addresses that stand in the file.
    pub(crate) base: usize,
    /// The path that it was loaded from; empty for the program. The vDSO's is no path.
    pub(crate) name: &'a [u8],
    /// Its program headers.
    pub(crate) headers: &'a [libc::Elf64_Phdr],
}

/// Calls `f` with every object.
pub(crate) fn each(mut f: impl FnMut(&Loaded<'_>)) {
    find(|object| {
        f(object);
        None::<()>
    });
}

/// What `f` finds in the first object in which it finds something.
pub(crate) fn find<R>(mut f: impl FnMut(&Loaded<'_>) -> Option<R>) -> Option<R> {
    let mut found = None;
    let mut visitor: Visitor<'_> = &mut |object| {
        found = f(object);
        found.is_some()
    };
    // SAFETY: the callback keeps to the documented structure (dl_iterate_phdr(3)), and gets what it expects.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut visitor).cast()) };
    found
}

/// Says whether that was enough.
type Visitor<'a> = &'a mut dyn FnMut(&Loaded<'_>) -> bool;

unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, visitor: *mut c_void) -> c_int {
    // SAFETY: valid during the callback, by contract; `visitor` is that of `find`.
    let (info, visitor) = unsafe { (&*info, &mut *visitor.cast::<Visitor<'_>>()) };
    // SAFETY: the loader's table of this many entries.
    let headers =
        unsafe { core::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    // SAFETY: a C string.
    let name = unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes();
    let object = Loaded { base: info.dlpi_addr as usize, name, headers };
    c_int::from(visitor(&object))
}

impl Loaded<'_> {
    /// Whether it is the program.
    pub(crate) fn is_program(&self) -> bool {
        self.name.is_empty()
    }

    /// Whether it is the program or a library. The vDSO has no file.
    pub(crate) fn is_file(&self) -> bool {
        self.is_program() || self.name.starts_with(b"/")
    }

    /// Whether it is the simulator's own object.
    pub(crate) fn is_own(&self) -> bool {
        let here = &raw const HERE as usize;
        self.segments()
            .map(|header| self.range(header))
            .any(|(from, to)| (from..to).contains(&here))
    }

    /// The headers of what is mapped of it.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &libc::Elf64_Phdr> {
        self.headers.iter().filter(|header| header.p_type == libc::PT_LOAD)
    }

    /// The header of a kind that there is at most one of.
    pub(crate) fn header(&self, kind: u32) -> Option<&libc::Elf64_Phdr> {
        self.headers.iter().find(|header| header.p_type == kind)
    }

    /// Where what a header tells of lies in memory.
    pub(crate) fn range(&self, header: &libc::Elf64_Phdr) -> Range {
        let start = self.base + header.p_vaddr as usize;
        (start, start + header.p_memsz as usize)
    }

    /// The entries of its dynamic section: tags and values.
    pub(crate) fn dynamic(&self) -> impl Iterator<Item = (usize, usize)> {
        let section = self.header(libc::PT_DYNAMIC).map(|header| self.range(header).0);
        let mut next = section.map(|start| start as *const [usize; 2]);
        core::iter::from_fn(move || {
            let at = next.take()?;
            // SAFETY: the section ends with a null tag, behind which nobody looks.
            let [tag, value] = unsafe { *at };
            if tag == DT_NULL {
                return None;
            }
            next = Some(at.wrapping_add(1));
            Some((tag, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_of_this_code_is_the_program_and_has_tables() {
        let own = find(|object| object.is_own().then(|| (object.is_program(), object.is_file())));
        assert_eq!(own, Some((true, true)));
        let tables = find(|object| object.is_own().then(|| object.dynamic().count()));
        assert!(tables.is_some_and(|count| count > 0), "{tables:?}");
    }

    #[test]
    fn looking_ends_with_the_first_that_is_found() {
        let (mut all, mut seen) = (0, 0);
        each(|_| all += 1);
        let found = find(|object| {
            seen += 1;
            object.is_program().then_some(object.base)
        });
        assert!(found.is_some() && seen == 1 && all > 1, "{found:?}: {seen} of {all}");
    }
}
