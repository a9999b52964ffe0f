//! The shop's book: what became of each order. It survives the shop. To write that an order was shipped *is* to ship it.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

/// Before a disk that failed is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// What becomes of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is not to be shipped, and its money has to come back. Nothing else becomes of it but `Cancelled`.
    Void,
    /// The goods are on their way.
    Shipped,
    /// The customer was told that there is nothing to pay and nothing to come.
    Cancelled,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Fate::Void => "void",
            Fate::Shipped => "shipped",
            Fate::Cancelled => "cancelled",
        }
    }
}

/// The book.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    /// None after an error: what SQLite knows of a disk that failed may be wrong.
    database: Option<Connection>,
}

impl Book {
    /// The book at this path. It is opened when it is needed, again and again while the disk fails.
    pub fn new(path: &Path) -> Book {
        Book { path: path.to_path_buf(), database: None }
    }

    /// What was written of an order.
    pub fn fate(&mut self, number: u64) -> Option<Fate> {
        self.patiently(|database| fate_of(database, number))
    }

    /// Writes what becomes of an order.
    pub fn write(&mut self, number: u64, fate: Fate) {
        let insert = "INSERT INTO orders VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET fate = excluded.fate";
        self.patiently(|database| database.execute(insert, (number.cast_signed(), fate.name())));
    }

    fn patiently<T>(&mut self, what: impl Fn(&Connection) -> rusqlite::Result<T>) -> T {
        loop {
            if let Ok(done) = self.once(&what) {
                return done;
            }
            thread::sleep(PAUSE);
        }
    }

    fn once<T>(
        &mut self,
        what: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        let done = what(&database)?;
        self.database = Some(database);
        Ok(done)
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.pragma_update(None, "synchronous", "EXTRA")?;
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, fate TEXT NOT NULL) STRICT;",
    )?;
    Ok(database)
}

/// What was written of an order.
///
/// # Errors
/// Those of the database.
pub fn fate_of(database: &Connection, number: u64) -> rusqlite::Result<Option<Fate>> {
    let select = "SELECT fate FROM orders WHERE number = ?";
    let fate = database.query_row(select, [number.cast_signed()], |row| row.get::<_, String>(0));
    let fates = [Fate::Void, Fate::Shipped, Fate::Cancelled];
    Ok(fate.optional()?.and_then(|name| fates.into_iter().find(|fate| fate.name() == name)))
}
