//! Which build this is: a record of another build cannot be repeated.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::sync::OnceLock;

use super::elf;

/// Identifies this test binary, and with it the simulator that it embeds.
pub(crate) fn build_id() -> io::Result<&'static str> {
    static ID: OnceLock<String> = OnceLock::new();
    if let Some(id) = ID.get() {
        return Ok(id);
    }
    let binary = fs::read("/proc/self/exe")?;
    Ok(ID.get_or_init(|| elf::build_id(&binary).unwrap_or_else(|| hash(&binary))))
}

/// For binaries of linkers that leave no identifier. A debug build takes a moment for this.
fn hash(binary: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(binary);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_is_itself() {
        assert_eq!(build_id().unwrap(), build_id().unwrap());
        assert!(build_id().unwrap().len() >= 16);
        assert_ne!(hash(b"a"), hash(b"b"));
    }
}
