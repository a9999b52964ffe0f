//! What the careful player knows, on its own disk: it is written before each operation begins, so
//! that a player who was killed begins again with the operation it was at, under the same key.
//!
//! The file is replaced as a whole: written aside, synced, renamed, the directory synced
//! (rename(2), fsync(2)). Its first line is the CRC-32 of the rest.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Slain;
use crate::board::Position;
use crate::game;

/// The name of the file in the data directory.
pub const FILE: &str = "player.progress";

/// How far the game is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Names this game in the keys of its orders; random.
    pub game: String,
    /// Moves that the board has confirmed.
    pub moves: u32,
    /// Where Pac-Man stands after them.
    pub at: Position,
    /// The newest clock the board has shown.
    pub clock: u64,
    /// What comes next.
    pub next: Next,
}

/// The operation that comes next, or is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Next {
    /// Find Pac-Man; the game has not begun.
    Find,
    /// Move Pac-Man as the joystick says.
    Move,
    /// Look where the ghosts are.
    FindAll,
    /// Remove Pac-Man, who met this ghost.
    Remove(String),
    /// Nothing: the game is over.
    Nothing(Slain),
}

impl Progress {
    /// A new game.
    pub fn new() -> Progress {
        let game = format!("{:016x}", fastrand::u64(..));
        Progress { game, moves: 0, at: game::START, clock: 0, next: Next::Find }
    }

    /// The key of the move that comes next.
    pub fn move_key(&self) -> String {
        format!("{}-move-{}", self.game, self.moves + 1)
    }

    /// The key of the removal.
    pub fn remove_key(&self) -> String {
        format!("{}-remove", self.game)
    }
}

impl Default for Progress {
    fn default() -> Progress {
        Progress::new()
    }
}

/// Where progress is kept.
#[derive(Debug)]
pub struct Keeper {
    dir: PathBuf,
}

impl Keeper {
    /// In directory `dir`, which is created with the first [`Keeper::save`].
    pub fn new(dir: &Path) -> Keeper {
        Keeper { dir: dir.to_owned() }
    }

    /// The progress that was saved last; `None` if there is none.
    ///
    /// # Errors
    /// Those of the file system; `InvalidData` if the file is damaged.
    pub fn load(&self) -> io::Result<Option<Progress>> {
        let text = match fs::read_to_string(self.dir.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let intact = text.split_once('\n').filter(|(sum, json)| *sum == sum_of(json));
        let progress = intact.and_then(|(_, json)| serde_json::from_str(json).ok());
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("{FILE} is damaged"));
        progress.map(Some).ok_or_else(damaged)
    }

    /// Replaces the saved progress, durably.
    ///
    /// # Errors
    /// Those of the file system. The progress saved before is then still there, or this one is.
    pub fn save(&self, progress: &Progress) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        // The directory's own name has to be durable before a file in it counts (fsync(2)).
        let parent = self.dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|_| !self.dir.join(FILE).exists()) {
            File::open(parent)?.sync_all()?;
        }
        let json = serde_json::to_string(progress)?;
        let aside = self.dir.join(format!("{FILE}.new"));
        let mut file = File::create(&aside)?;
        file.write_all(format!("{}\n{json}", sum_of(&json)).as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, self.dir.join(FILE))?;
        File::open(&self.dir)?.sync_all()
    }
}

fn sum_of(json: &str) -> String {
    format!("{:08x}", crc32fast::hash(json.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_kept_and_damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(&dir.path().join("player"));
        assert_eq!(keeper.load().unwrap(), None);
        let progress = Progress { next: Next::Remove("Blinky".into()), ..Progress::new() };
        keeper.save(&progress).unwrap();
        assert_eq!(keeper.load().unwrap(), Some(progress));

        let path = dir.path().join("player").join(FILE);
        let whole = fs::read(&path).unwrap();
        for byte in 0..whole.len() {
            let mut rotten = whole.clone();
            rotten[byte] ^= 1;
            fs::write(&path, rotten).unwrap();
            assert_eq!(keeper.load().unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn keys_depend_on_the_game_and_on_what_was_confirmed_only() {
        let progress = Progress::new();
        let loaded: Progress =
            serde_json::from_str(&serde_json::to_string(&progress).unwrap()).unwrap();
        assert_eq!(loaded.move_key(), progress.move_key());
        let later = Progress { moves: 1, ..progress.clone() };
        assert_ne!(later.move_key(), progress.move_key());
        assert_ne!(Progress::new().move_key(), progress.move_key());
    }
}
