//! Which build this is: a record of another build cannot be repeated.

use std::fmt::Write;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::sync::OnceLock;

/// Identifies this test binary, and with it the simulator that it embeds.
pub(crate) fn build_id() -> io::Result<&'static str> {
    static ID: OnceLock<String> = OnceLock::new();
    if let Some(id) = ID.get() {
        return Ok(id);
    }
    let binary = fs::read("/proc/self/exe")?;
    Ok(ID.get_or_init(|| linkers_id(&binary).unwrap_or_else(|| hash(&binary))))
}

/// For binaries of linkers that leave no identifier. A debug build takes a moment for this.
fn hash(binary: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(binary);
    format!("{:016x}", hasher.finish())
}

/// What the linker wrote into the note of type NT_GNU_BUILD_ID: a hash of all the rest (elf(5), ld(1) `--build-id`).
fn linkers_id(binary: &[u8]) -> Option<String> {
    const PROGRAM_HEADERS_AT: usize = 32;
    const HEADER_SIZE_AT: usize = 54;
    const HEADER_COUNT_AT: usize = 56;
    const PT_NOTE: u64 = 4;
    if !binary.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let headers = number(binary, PROGRAM_HEADERS_AT, 8)?;
    let size = number(binary, HEADER_SIZE_AT, 2)?;
    let count = number(binary, HEADER_COUNT_AT, 2)?;
    (0..count)
        .filter_map(|index| binary.get(usize::try_from(headers + index * size).ok()?..))
        .filter(|header| number(header, 0, 4) == Some(PT_NOTE))
        .filter_map(|header| {
            let start = usize::try_from(number(header, 8, 8)?).ok()?;
            let length = usize::try_from(number(header, 32, 8)?).ok()?;
            binary.get(start..start.checked_add(length)?)
        })
        .find_map(id_in_notes)
}

/// Notes follow each other: three words (length of name, length of content, type), then the name and the content, each
/// filled up to a multiple of four.
fn id_in_notes(mut notes: &[u8]) -> Option<String> {
    const NT_GNU_BUILD_ID: u64 = 3;
    while !notes.is_empty() {
        let name_length = usize::try_from(number(notes, 0, 4)?).ok()?;
        let length = usize::try_from(number(notes, 4, 4)?).ok()?;
        let content_at = 12 + name_length.next_multiple_of(4);
        let content = notes.get(content_at..content_at + length)?;
        if number(notes, 8, 4)? == NT_GNU_BUILD_ID && notes.get(12..16) == Some(b"GNU\0") {
            return Some(content.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").expect("a string takes everything");
                hex
            }));
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
        assert_eq!(id_in_notes(&notes).unwrap(), "0aff01");
        for end in 1..notes.len() {
            // A file cut short is another file, never a panic.
            assert!(id_in_notes(&notes[..end]).is_none_or(|id| id == "0aff01"));
        }
    }

    #[test]
    fn another_kind_of_file_has_none() {
        assert_eq!(linkers_id(b"#!/bin/sh\n"), None);
        assert_eq!(linkers_id(b"\x7fELF\x02\x01"), None);
        assert_ne!(hash(b"a"), hash(b"b"));
    }

    #[test]
    fn this_build_is_itself() {
        assert_eq!(build_id().unwrap(), build_id().unwrap());
        assert!(build_id().unwrap().len() >= 16);
    }
}
