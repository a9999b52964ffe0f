//! As much of ELF as is needed to know a binary: its segments, and what kind of program it is (elf(5)).

/// PT_INTERP: the path of the dynamic loader.
const PT_INTERP: u64 = 3;
/// PT_NOTE: notes of the linker.
const PT_NOTE: u64 = 4;

/// Whether these are the bytes of a 64-bit little-endian ELF file.
pub(crate) fn is_elf(file: &[u8]) -> bool {
    file.starts_with(b"\x7fELF\x02\x01")
}

/// Whether the program is started through a dynamic loader, and so honours LD_PRELOAD.
pub(crate) fn is_dynamic(file: &[u8]) -> bool {
    segments(file, PT_INTERP).next().is_some()
}

/// What the linker wrote into the note of type NT_GNU_BUILD_ID, in hexadecimal: a hash of all the rest
/// (ld(1), `--build-id`).
pub(crate) fn build_id(file: &[u8]) -> Option<String> {
    let id = segments(file, PT_NOTE).find_map(id_in_notes)?;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Contents of the segments of a type, in order.
fn segments(file: &[u8], kind: u64) -> impl Iterator<Item = &[u8]> {
    const TABLE_AT: usize = 32;
    const ENTRY_SIZE_AT: usize = 54;
    const ENTRIES_AT: usize = 56;
    let field = |at, size| if is_elf(file) { number(file, at, size) } else { None };
    let table = field(TABLE_AT, 8).unwrap_or(0);
    let size = field(ENTRY_SIZE_AT, 2).unwrap_or(0);
    let count = field(ENTRIES_AT, 2).unwrap_or(0);
    (0..count)
        .filter_map(move |index| {
            file.get(usize::try_from(table.checked_add(index * size)?).ok()?..)
        })
        .filter(move |entry| number(entry, 0, 4) == Some(kind))
        .filter_map(|entry| {
            let start = usize::try_from(number(entry, 8, 8)?).ok()?;
            let length = usize::try_from(number(entry, 32, 8)?).ok()?;
            file.get(start..start.checked_add(length)?)
        })
}

/// Notes follow each other: three words (length of name, length of content, type), then the name and the
/// content, each filled up to a multiple of four.
fn id_in_notes(mut notes: &[u8]) -> Option<&[u8]> {
    const NT_GNU_BUILD_ID: u64 = 3;
    while !notes.is_empty() {
        let name_length = usize::try_from(number(notes, 0, 4)?).ok()?;
        let length = usize::try_from(number(notes, 4, 4)?).ok()?;
        let content_at = 12 + name_length.next_multiple_of(4);
        let content = notes.get(content_at..content_at + length)?;
        if number(notes, 8, 4)? == NT_GNU_BUILD_ID && notes.get(12..16) == Some(b"GNU\0") {
            return Some(content);
        }
        notes = notes.get(content_at + length.next_multiple_of(4)..)?;
    }
    None
}

/// The little-endian number of `size` bytes (at most eight) at `at`.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &[u8], kind: u8, content: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [name.len() as u32, content.len() as u32, kind.into()] {
            note.extend(word.to_le_bytes());
        }
        for part in [name, content] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn the_linkers_identifier_is_found_among_other_notes() {
        let mut notes = note(b"stapsdt\0", 3, b"x");
        notes.extend(note(b"GNU\0", 1, b"abi!"));
        assert_eq!(id_in_notes(&notes), None);
        notes.extend(note(b"GNU\0", 3, b"\x0a\xff\x01"));
        assert_eq!(id_in_notes(&notes), Some(&b"\x0a\xff\x01"[..]));
        for end in 1..notes.len() {
            // A file cut short is another file, never a panic.
            assert!(id_in_notes(&notes[..end]).is_none_or(|id| id == b"\x0a\xff\x01"));
        }
    }

    #[test]
    fn this_test_is_a_dynamic_program() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        assert!(is_elf(&file) && is_dynamic(&file));
        assert!(!is_dynamic(&file[..100]));
    }

    #[test]
    fn another_kind_of_file_has_no_segments() {
        for file in [&b"#!/bin/sh\n"[..], b"\x7fELF\x02\x01", b""] {
            assert!(!is_dynamic(file));
            assert_eq!(build_id(file), None);
        }
    }
}
