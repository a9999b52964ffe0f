//! Small files that are there as a whole, or as they were before, whatever happens to the power.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;

/// Before a disk that failed is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// The directory that a file is in.
pub fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// Makes a directory with all above it, where they are not there yet, and syncs their names: each is an entry in the one
/// above it, and is lost with the power until that is synced (fsync(2)).
///
/// # Errors
/// Those of the file system.
pub fn make_directory(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for above in directory.ancestors().filter(|above| !above.as_os_str().is_empty()) {
        match File::open(above) {
            Ok(opened) => opened.sync_all()?,
            // Who may not read a directory has not made what is in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Replaces a file: the new content is on the disk under another name before it gets this one, and the name is on the disk
/// when this returns.
///
/// # Errors
/// Those of the file system. Then the file may have the old content or the new one.
pub fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut written = File::create(&new)?;
    written.write_all(content)?;
    written.sync_all()?;
    fs::rename(&new, file)?;
    File::open(directory_of(file))?.sync_all()
}

/// What is in a file, if it is there.
///
/// # Errors
/// Those of the file system.
pub fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a program kept in a JSON file before it was started again; at its first start, what there is without. The file's
/// directory is made. A disk that fails now may work in a moment, and who has forgotten must not start: it is tried again
/// for as long as it fails, which is said under this name.
///
/// # Errors
/// The file holds something else.
pub async fn load<T: DeserializeOwned + Default>(name: &str, file: &Path) -> io::Result<T> {
    loop {
        match make_directory(directory_of(file)).and_then(|()| read(file)) {
            Ok(None) => return Ok(T::default()),
            Ok(Some(bytes)) => return Ok(serde_json::from_slice(&bytes)?),
            Err(error) => eprintln!("{name}: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let above = tempfile::tempdir().unwrap();
        let file = above.path().join("made/for/it/file.json");
        assert_eq!(read(&file).unwrap(), None);
        make_directory(directory_of(&file)).unwrap();
        replace(&file, b"first, and longer").unwrap();
        replace(&file, b"second").unwrap();
        assert_eq!(read(&file).unwrap().as_deref(), Some(&b"second"[..]));
        let beside = fs::read_dir(directory_of(&file)).unwrap().count();
        assert_eq!(beside, 1, "the other name is gone");
    }

    #[test]
    fn a_name_alone_is_in_the_working_directory() {
        assert_eq!(directory_of(Path::new("file.json")), Path::new("."));
        assert_eq!(directory_of(Path::new("a/file.json")), Path::new("a"));
    }
}
