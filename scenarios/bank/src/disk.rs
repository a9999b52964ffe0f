//! Directories that are still there after a power loss.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes a directory with all above it, where they are not there yet, and syncs their names: each is an entry in the one
/// above it (fsync(2)).
///
/// # Errors
/// Those of the disk.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let named = directory.ancestors().filter(|path| !path.as_os_str().is_empty());
    for path in named {
        match File::open(path) {
            Ok(opened) => opened.sync_all()?,
            // Who may not read a directory has not made what is in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
