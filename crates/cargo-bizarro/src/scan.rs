//! Finds the Bizarro tests in a test binary, by the markers that `#[bizarro::test]` leaves in it.

use bizarro::supervisor::MARKER;
use memchr::{memchr, memmem};

/// The byte that ends a marker.
const END: u8 = 1;
/// A longer name is not one.
const NAME_MAX: usize = 4096;

/// Names of the tests in the bytes of a binary, sorted.
pub(crate) fn tests_in(binary: &[u8]) -> Vec<String> {
    let starts = memmem::find_iter(binary, MARKER).map(|at| &binary[at + MARKER.len()..]);
    let mut names: Vec<String> = starts.filter_map(name_at_start).collect();
    names.sort();
    names.dedup();
    names
}

/// The name that begins here, if one does: the marker's own text is also in binaries that only look for
/// it, and is followed by anything there.
fn name_at_start(bytes: &[u8]) -> Option<String> {
    let window = &bytes[..bytes.len().min(NAME_MAX)];
    let name = std::str::from_utf8(&window[..memchr(END, window)?]).ok()?;
    let is_identifier = |part: &str| {
        let mut letters = part.strip_prefix("r#").unwrap_or(part).chars();
        letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    let is_path = name.contains("::") && name.split("::").all(is_identifier);
    is_path.then(|| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(binary: &[u8], expected: &[&str]) {
        assert_eq!(tests_in(binary), expected);
    }

    #[test]
    fn markers_are_found_anywhere_and_once() {
        check(
            b"\x7fELF..bizarro-test\x01pacman::naive\x01bizarro-test\x01pacman::careful::too\x01tail\
              bizarro-test\x01pacman::naive\x01",
            &["pacman::careful::too", "pacman::naive"],
        );
        check("bizarro-test\u{1}gr\u{f6}\u{df}e::r#async\u{1}".as_bytes(), &["größe::r#async"]);
    }

    #[test]
    fn what_only_looks_like_a_marker_is_passed_over() {
        check(b"", &[]);
        check(b"bizarro-test\x01", &[]);
        check(b"bizarro-test\x01pacman::naive", &[]);
        check(b"bizarro-test\x01a marker is\x01", &[]);
        check(b"bizarro-test\x01nocrate\x01", &[]);
        check(b"bizarro-test\x01a::\x01", &[]);
        check(b"bizarro-test\x01a::\xff\x01", &[]);
        check(b"bizarro-test\x01bizarro-test\x01a::b\x01", &["a::b"]);
    }
}
