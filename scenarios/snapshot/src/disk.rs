//! A small file that is there as a whole, or as it was before.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Makes the file's directory. A new directory is lost with the power like a new file, until the one above it is synced.
///
/// # Errors
/// Those of the file system.
pub fn make_directory(file: &Path) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut above = directory.ancestors().filter(|above| !above.as_os_str().is_empty());
    above.try_for_each(|above| File::open(above)?.sync_all())
}

/// Replaces the file: the new content is on the disk under another name before it gets this one, and the name is on the
/// disk when this returns.
///
/// # Errors
/// Those of the file system. Then the file may have the old content or the new one.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// What is in the file, if it is there.
///
/// # Errors
/// Those of the file system.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
