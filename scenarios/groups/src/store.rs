//! What a machine keeps: values by name, in one file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

const FILE: &str = "values.json";

/// Values by name.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    values: Mutex<BTreeMap<String, String>>,
}

impl Store {
    /// With what was kept before.
    pub(crate) fn open(directory: PathBuf) -> io::Result<Store> {
        let values = match fs::read(directory.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Store { directory, values: Mutex::new(values) })
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Keeps a value, so that it stays whatever happens to the machine but its loss: a new file takes the place of the old
    /// one, and both the file and its name are synced (fsync(2): a name needs its directory to be synced).
    pub(crate) fn put(&self, name: String, value: String) -> io::Result<()> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = values.clone();
        next.insert(name, value);
        fs::create_dir_all(&self.directory)?;
        let new = self.directory.join("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&next)?)?;
        file.sync_all()?;
        fs::rename(&new, self.directory.join(FILE))?;
        let with_its_name = [Some(&*self.directory), self.directory.parent()];
        for names in with_its_name.into_iter().flatten() {
            File::open(names)?.sync_all()?;
        }
        *values = next;
        Ok(())
    }
}
