//! Where a member is, who the others are, and what it keeps.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Where a member is, and who the others are.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its number, from 0. Member 0 leads first.
    pub me: usize,
    /// Where all members are: `http://member-1:8080`.
    pub members: Vec<String>,
    /// Address and port to listen on.
    pub listen: String,
    /// Its data directory.
    pub directory: PathBuf,
    /// What members show each other.
    pub token: String,
}

impl Site {
    /// The numbers of the other members.
    pub fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.members.len()).filter(move |member| *member != me)
    }
}

/// The question for votes in a new term.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Candidacy {
    /// Of which term.
    pub term: u64,
    /// Who wants to lead.
    pub candidate: usize,
}

/// The value of the register, in messages with clients.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Value {
    /// The value.
    pub value: u64,
}

const FILE: &str = "state.json";

/// What was kept last, if anything was.
///
/// # Errors
/// It cannot be read, or is not what was kept.
pub fn load<T: DeserializeOwned>(directory: &Path) -> io::Result<Option<T>> {
    match fs::read(directory.join(FILE)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps it, so that it stays whatever happens: a new file takes the place of the old one, and both the file and its name
/// are synced (fsync(2): a name needs its directory to be synced).
///
/// # Errors
/// The disk does not take it; what was kept before is still there.
pub fn save<T: Serialize>(directory: &Path, state: &T) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let new = directory.join("new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    file.sync_all()?;
    fs::rename(&new, directory.join(FILE))?;
    let with_its_name = [Some(directory), directory.parent()].into_iter().flatten();
    with_its_name.into_iter().try_for_each(|names| File::open(names)?.sync_all())
}
