//! Files that are written: whether they can be, before the work starts, and as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::file::FileError;

/// Name of the page in the folder of a test's reports.
pub const PAGE: &str = "report.html";
/// Name of the report as data, in the same folder.
pub const DATA: &str = "report.json";

/// So much room has to be there before the work starts.
const ROOM: usize = 4 << 20;

/// Makes the folder and the files in it that are to be written writable, or says why they are not: a search that
/// took long and cannot be written down is worth little. Reports of an earlier search are removed.
///
/// # Errors
/// What the operating system says.
pub fn prepare_folder(folder: &Path) -> Result<(), FileError> {
    fs::create_dir_all(folder).map_err(|error| refused(folder, error))?;
    for name in [PAGE, DATA] {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(refused(&path, error));
            }
            _ => prepare_file(&path)?,
        }
    }
    Ok(())
}

/// Looks whether a file can be written, and whether there is room for it: by writing one beside it. What is there
/// already stays as it is.
///
/// # Errors
/// What the operating system says.
pub fn prepare_file(path: &Path) -> Result<(), FileError> {
    if is_special(path) {
        return File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map(drop)
            .map_err(|e| refused(path, e));
    }
    if path.is_dir() {
        return Err(refused(path, io::ErrorKind::IsADirectory.into()));
    }
    let part = part_of(path);
    let zeros = vec![0; ROOM];
    // Some file systems find out that they are full only when they have to.
    let tried = File::create(&part).and_then(|mut file| {
        file.write_all(&zeros)?;
        file.sync_data()
    });
    let removed = fs::remove_file(&part);
    tried.and(removed).map_err(|error| refused(path, error))
}

/// Writes a file. One that was there is replaced as a whole or not at all; into what is no plain file (a pipe, a
/// terminal, whatever a link leads to) the bytes are written.
///
/// # Errors
/// What the operating system says.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    if is_special(path) {
        return fs::write(path, bytes).map_err(|error| refused(path, error));
    }
    let part = part_of(path);
    fs::write(&part, bytes).and_then(|()| fs::rename(&part, path)).map_err(|error| {
        // The reason matters, not whether its remains could be removed.
        let _ = fs::remove_file(&part);
        refused(path, error)
    })
}

/// Whether there is something that is neither a plain file nor a directory: it must not be replaced by a file. A link
/// is such a thing, too: `/dev/stdout` leads to a plain file where the output is redirected to one.
fn is_special(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn refused(path: &Path, error: io::Error) -> FileError {
    FileError::Io { action: "write", path: path.to_path_buf(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_one() {
        let folder = std::env::temp_dir().join(format!("bizarro-link-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (file, link, nowhere) = (folder.join("file"), folder.join("link"), folder.join("new"));
        fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        std::os::unix::fs::symlink(folder.join("made"), &nowhere).unwrap();
        for path in [&link, &nowhere] {
            prepare_file(path).unwrap();
            write_file(path, b"after").unwrap();
            assert!(path.is_symlink());
            assert_eq!(fs::read(path).unwrap(), b"after");
        }
        assert_eq!(fs::read(&file).unwrap(), b"after");
        fs::remove_dir_all(&folder).unwrap();
    }
}
