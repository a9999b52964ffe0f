//! Databases that are there as a whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use redb::{Database, Error};

/// Opens the database, or makes it. What is made here is on the disk when this returns, under its name.
///
/// # Errors
/// Those of the disk, or the file is no database.
pub fn open(path: &Path) -> Result<Database, Error> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    if !path.try_exists()? {
        // redb refuses a file in whose making it was interrupted: it gets its name when it is whole.
        let half_made = path.with_extension("new");
        match fs::remove_file(&half_made) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => drop(Database::create(&half_made)?),
        }
        fs::rename(&half_made, path)?;
    }
    // redb syncs its file, and not the names that lead to it. A new directory is lost with the power like a new file.
    for above in directory.ancestors().filter(|above| !above.as_os_str().is_empty()) {
        match File::open(above) {
            Ok(opened) => opened.sync_all()?,
            // Who may not read a directory has not made what is in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Database::open(path)?)
}
