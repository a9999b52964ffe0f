//! The board on disk: one file, one line for each applied change, in order.
//!
//! A line is the CRC-32 of a record in eight hexadecimal digits, a space, the record as JSON, a
//! newline. A change is in force when its line is on the disk (`fdatasync` returned), not before.
//! The file is never compacted: a game is short, and whoever wants to know what the board did reads
//! it.
//!
//! What happens when the disk fails: the file is cut back to its last good line, durably, and only
//! then is the change reported as not made. After a failed fsync nobody knows what the disk holds
//! (fsync(2)), so if the cut fails too, the truthful report is "in doubt", and no further change is
//! tried until a cut has succeeded.
//!
//! INVARIANT: bytes behind `good` belong to at most one record, the one that was last attempted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::board::Applied;

/// The journal's name in the data directory.
pub const FILE: &str = "board.journal";

/// Why a change is not in the journal.
#[derive(Debug)]
pub enum AppendError {
    /// It certainly is not, and will not be after a restart either.
    NotWritten(io::Error),
    /// It may or may not be found there after a restart.
    InDoubt(io::Error),
}

/// The open journal of a running board.
#[derive(Debug)]
pub struct Journal {
    file: File,
    /// Length of the good lines, in bytes: where the next one goes.
    good: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sound,
    /// There may be bytes behind `good`; they must be cut off first.
    NeedsCut,
}

impl Journal {
    /// Opens the journal in directory `dir`, creating both where they are missing, and reads what
    /// is in it. What a crash left of a last, unfinished line is cut off; everything that was read
    /// is made durable before it is returned, for it may have been written but not yet synced when
    /// the process died.
    ///
    /// # Errors Those of the file system; `InvalidData` when a line before the last is damaged,
    /// because then changes that were answered would be lost silently.
    pub fn open(dir: &Path) -> io::Result<(Journal, Vec<Applied>)> {
        fs::create_dir_all(dir)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(FILE))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (records, good) = decode(&bytes)?;
        let mut journal = Journal { file, good, state: State::NeedsCut };
        journal.cut()?;
        sync_dir(dir)?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
        Ok((journal, records))
    }

    /// Writes one change durably behind the others. Blocks until the disk has it.
    ///
    /// # Errors
    /// [`AppendError`], which says whether the change can still turn up.
    pub fn append(&mut self, change: &Applied) -> Result<(), AppendError> {
        if self.state == State::NeedsCut {
            self.cut().map_err(AppendError::NotWritten)?;
        }
        let line = encode(change);
        self.state = State::NeedsCut;
        match self.write(&line) {
            Ok(()) => {
                self.good += line.len() as u64;
                self.state = State::Sound;
                Ok(())
            }
            Err(error) => Err(match self.cut() {
                Ok(()) => AppendError::NotWritten(error),
                Err(_) => AppendError::InDoubt(error),
            }),
        }
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        self.file.write_all_at(line, self.good)?;
        self.file.sync_data()
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.good)?;
        self.file.sync_all()?;
        self.state = State::Sound;
        Ok(())
    }
}

/// The changes in the journal of directory `dir`, oldest first; none if there is no journal yet. An
/// unfinished last line is left out, and the file stays as it is.
///
/// # Errors
/// Those of the file system; `InvalidData` when a line before the last is damaged.
pub fn read(dir: &Path) -> io::Result<Vec<Applied>> {
    match fs::read(dir.join(FILE)) {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The changes in a journal's bytes, oldest first. An unfinished last line is left out.
///
/// # Errors
/// `InvalidData` when a line before the last is damaged.
pub fn parse(bytes: &[u8]) -> io::Result<Vec<Applied>> {
    Ok(decode(bytes)?.0)
}

/// Makes the entries of a directory durable (fsync(2): a file's own fsync does not).
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn encode(change: &Applied) -> Vec<u8> {
    let json = serde_json::to_string(change).expect("a record of strings and integers is JSON");
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes()
}

/// The good lines at the beginning of `bytes` and their length. What follows them is taken for the
/// torn last line when no good record is in it. Damage within the last line looks the same as a
/// torn one and is taken for that.
fn decode(bytes: &[u8]) -> io::Result<(Vec<Applied>, u64)> {
    let (mut records, mut good) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(record) = decode_line(line) else { break };
        if record.clock != records.len() as u64 + 1 {
            return Err(damaged(&format!("line {} has clock {}", records.len() + 1, record.clock)));
        }
        records.push(record);
        good += line.len();
    }
    let mut rest = bytes[good..].split_inclusive(|byte| *byte == b'\n');
    if rest.any(holds_a_record) {
        return Err(damaged(&format!(
            "line {} is damaged, and a good record follows",
            records.len() + 1
        )));
    }
    Ok((records, good as u64))
}

fn decode_line(line: &[u8]) -> Option<Applied> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, json) = (line.get(..8)?, line.get(9..)?);
    let intact = sum == format!("{:08x}", crc32fast::hash(json)).as_bytes() && line[8] == b' ';
    intact.then(|| serde_json::from_slice(json).ok()).flatten()
}

/// Whether a record ends this line, even behind another whose newline was lost.
fn holds_a_record(line: &[u8]) -> bool {
    (0..line.len()).any(|start| decode_line(&line[start..]).is_some())
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{FILE}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Action, Position};

    fn change(clock: u64) -> Applied {
        let at = Position { x: 1, y: 2 };
        let (user, piece) = ("u".to_owned(), "p".to_owned());
        Applied { clock, user, piece, action: Action::Remove, from: at, to: at, key: None }
    }

    fn write(dir: &Path, clocks: impl Iterator<Item = u64>) {
        let (mut journal, _) = Journal::open(dir).unwrap();
        clocks.for_each(|clock| journal.append(&change(clock)).unwrap());
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 1..=3);
        let (mut journal, records) = Journal::open(dir.path()).unwrap();
        assert_eq!(records, [change(1), change(2), change(3)]);
        journal.append(&change(4)).unwrap();
        assert_eq!(read(dir.path()).unwrap().len(), 4);
    }

    #[test]
    fn a_last_line_torn_at_any_byte_is_cut_off_and_the_journal_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 1..=2);
        let whole = fs::read(dir.path().join(FILE)).unwrap();
        let first = encode(&change(1)).len();
        for length in first..whole.len() {
            fs::write(dir.path().join(FILE), &whole[..length]).unwrap();
            let (mut journal, records) = Journal::open(dir.path()).unwrap();
            assert_eq!(records, [change(1)], "torn after {length} bytes");
            journal.append(&change(2)).unwrap();
            assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), whole);
        }
    }

    #[test]
    fn a_torn_write_whose_middle_is_missing_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 1..=2);
        let mut bytes = fs::read(dir.path().join(FILE)).unwrap();
        let first = encode(&change(1)).len();
        bytes[first + 5..first + 30].fill(0);
        fs::write(dir.path().join(FILE), &bytes).unwrap();
        assert_eq!(Journal::open(dir.path()).unwrap().1, [change(1)]);
    }

    #[test]
    fn damage_before_the_last_line_is_never_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 1..=3);
        let whole = fs::read(dir.path().join(FILE)).unwrap();
        let last = encode(&change(3)).len();
        for byte in 0..whole.len() - last {
            let mut rotten = whole.clone();
            rotten[byte] ^= 0x10;
            fs::write(dir.path().join(FILE), &rotten).unwrap();
            let error = Journal::open(dir.path()).expect_err("a damaged line was passed over");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }

    /// `/dev/full` refuses every write with ENOSPC, and it cannot be cut (full(4), ftruncate(2)).
    #[test]
    fn a_change_that_can_neither_be_written_nor_undone_is_in_doubt() {
        let file = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let mut journal = Journal { file, good: 0, state: State::Sound };
        let error = journal.append(&change(1)).unwrap_err();
        assert!(
            matches!(&error, AppendError::InDoubt(e) if e.kind() == io::ErrorKind::StorageFull)
        );
        let error = journal.append(&change(1)).unwrap_err();
        assert!(matches!(error, AppendError::NotWritten(_)), "tried before the cut: {error:?}");
    }
}
