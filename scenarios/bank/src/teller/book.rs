//! The teller's book: what it is about to ask, and whom it paid. It survives the teller.
//!
//! To write that a customer was paid *is* to pay: the drawer opens by it. A line is there when it is synced; the beginning
//! of a line without its end was never written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use bizarro_remedy::idempotency::Key;
use scenario_programs::disk;

/// The name of the book in the teller's directory.
const FILE: &str = "book";
/// Before a disk that failed is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// A line of the book.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// The bank will be asked for this customer, under this key.
    Ask(String, Key),
    /// The customer has so many cents.
    Paid(String, u64),
    /// The customer went away with nothing.
    Refused(String),
}

impl Entry {
    /// The customer.
    pub fn customer(&self) -> &str {
        match self {
            Entry::Ask(name, _) | Entry::Paid(name, _) | Entry::Refused(name) => name,
        }
    }

    fn line(&self) -> String {
        match self {
            Entry::Ask(name, key) => format!("ask {name} {key}\n"),
            Entry::Paid(name, cents) => format!("paid {name} {cents}\n"),
            Entry::Refused(name) => format!("refused {name}\n"),
        }
    }

    fn read(line: &str) -> Option<Entry> {
        let mut words = line.split(' ');
        let (what, name) = (words.next()?, words.next()?.to_string());
        let entry = match what {
            "ask" => Entry::Ask(name, words.next()?.parse().ok()?),
            "paid" => Entry::Paid(name, words.next()?.parse().ok()?),
            "refused" => Entry::Refused(name),
            _ => return None,
        };
        words.next().is_none().then_some(entry)
    }
}

/// The entries of a book, without the beginning of a line at its end.
///
/// # Errors
/// A whole line that no teller writes.
pub fn entries(book: &[u8]) -> Result<Vec<Entry>, String> {
    let text = String::from_utf8_lossy(book);
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let read = |line| Entry::read(line).ok_or_else(|| format!("the book says {line:?}"));
    whole.lines().map(read).collect()
}

/// The book, open.
#[derive(Debug)]
pub struct Book {
    file: File,
    entries: Vec<Entry>,
    length: u64,
}

impl Book {
    /// Opens the book in this directory, and begins it where there is none.
    ///
    /// # Errors
    /// The disk fails, or the book says what no teller writes.
    pub fn open(directory: &Path) -> io::Result<Book> {
        disk::make_directory(directory)?;
        let path = directory.join(FILE);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        // The name of a new file is in its directory, which is synced for itself.
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        let mut book = Vec::new();
        file.read_to_end(&mut book)?;
        let entries =
            entries(&book).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let whole = book.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        Ok(Book { file, entries, length: whole as u64 })
    }

    /// As [`Book::open`], again and again while the disk fails.
    ///
    /// # Errors
    /// The book says what no teller writes.
    pub fn open_patiently(directory: &Path) -> io::Result<Book> {
        loop {
            match Book::open(directory) {
                Err(error) if error.kind() != io::ErrorKind::InvalidData => thread::sleep(PAUSE),
                done => return done,
            }
        }
    }

    /// What is in it.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a customer was paid or refused.
    pub fn is_done(&self, customer: &str) -> bool {
        let ends = |entry: &&Entry| !matches!(entry, Entry::Ask(..));
        self.entries.iter().filter(ends).any(|entry| entry.customer() == customer)
    }

    /// Adds a line.
    ///
    /// # Errors
    /// The disk fails; it may be there or not.
    pub fn add(&mut self, entry: Entry) -> io::Result<()> {
        let line = entry.line();
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(line.as_bytes())?;
        self.file.sync_all()?;
        self.length += line.len() as u64;
        self.entries.push(entry);
        Ok(())
    }

    /// Adds a line, again and again while the disk fails. What a sync that failed left behind is written anew each time.
    pub fn add_patiently(&mut self, entry: &Entry) {
        while self.add(entry.clone()).is_err() {
            thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_is_read_as_it_was_written_and_torn_lines_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let written = [
            Entry::Ask("ann".to_string(), Key::random()),
            Entry::Paid("ann".to_string(), 30),
            Entry::Refused("bob".to_string()),
        ];
        let mut book = Book::open(directory.path()).unwrap();
        written.iter().for_each(|entry| book.add_patiently(entry));
        book.file.write_all(b"paid ci").unwrap();
        let mut again = Book::open(directory.path()).unwrap();
        assert_eq!(again.entries(), written);
        assert!(again.is_done("ann") && again.is_done("bob") && !again.is_done("cid"));
        again.add(Entry::Refused("cid".to_string())).unwrap();
        assert_eq!(Book::open(directory.path()).unwrap().entries().len(), 4);
    }

    #[test]
    fn what_no_teller_writes_is_an_error() {
        for bad in ["paid ann\n", "paid ann x\n", "refused ann 1\n", "ask ann\n", "x\n", "\n"] {
            assert!(entries(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
