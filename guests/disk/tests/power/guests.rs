//! The programs whose hosts lose their power.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};
use std::path::Path;

use redb::{ReadableDatabase, ReadableTableMetadata};

/// What is committed after a power loss.
const MORE: u64 = 3;

const FOLDER: &str = "/var/lib/db";

/// Opens a database and goes on where it ended: says what is found there and each commit that was acknowledged.
fn go_on(
    most: u64,
    found: u64,
    mut commit: impl FnMut(u64) -> Result<(), Error>,
) -> Result<(), Error> {
    println!("found {found}");
    // After a power loss a few are enough to see that it goes on.
    let most = if found == 0 { most } else { most.min(found + MORE) };
    for number in found + 1..=most {
        commit(number)?;
        println!("committed {number}");
    }
    Ok(())
}

/// What a write-ahead log may do wrong.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Defect {
    None,
    NoSync,
    NoSyncOfTheDirectory,
    NoChecksum,
    RenameBeforeSync,
}

/// FNV-1a (Fowler, Noll, Vo), of a record's number and place.
fn sum(number: u64) -> u64 {
    let bytes = number.to_le_bytes();
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

/// Records of a number and 1,000 bytes that repeat it, and a sum of them.
fn record(number: u64) -> Vec<u8> {
    let mut record = number.to_le_bytes().repeat(126);
    record.extend(sum(number).to_le_bytes());
    record
}

const RECORD: usize = 127 * 8;

/// The log's last record that counts.
fn recover(bytes: &[u8], defect: Defect) -> Result<u64, Error> {
    let mut last = 0;
    for bytes in bytes.chunks_exact(RECORD) {
        let is_whole = bytes == record(last + 1);
        if !is_whole && defect != Defect::NoChecksum {
            break;
        }
        if !is_whole {
            return Err(Error::new(ErrorKind::InvalidData, "a torn record counts"));
        }
        last += 1;
    }
    Ok(last)
}

pub fn log(defect: Defect) -> Result<(), Error> {
    std::fs::create_dir_all(FOLDER)?;
    let path = Path::new(FOLDER).join("log");
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
    if defect != Defect::NoSyncOfTheDirectory {
        for folder in [FOLDER, "/var/lib"] {
            File::open(folder)?.sync_all()?;
        }
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let found = recover(&bytes, defect)?;
    // What is behind the last whole record is overwritten.
    file.set_len(found * RECORD as u64)?;
    file.sync_all()?;
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0))?;
    go_on(12, found, |number| {
        file.write_all(&record(number))?;
        if defect != Defect::NoSync { file.sync_data() } else { Ok(()) }
    })
}

/// All records in a file that is written anew for each commit, under another name, and then put in the place of the old
/// one. Whoever writes so needs no checksum: what has the name is whole.
pub fn replaced_file(defect: Defect) -> Result<(), Error> {
    std::fs::create_dir_all(FOLDER)?;
    File::open("/var/lib")?.sync_all()?;
    let (path, new) = (Path::new(FOLDER).join("records"), Path::new(FOLDER).join("records.new"));
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    let found = recover(&bytes, Defect::NoChecksum)?;
    go_on(12, found, |number| {
        let mut file = File::create(&new)?;
        file.write_all(&(1..=number).flat_map(record).collect::<Vec<u8>>())?;
        if defect == Defect::RenameBeforeSync {
            std::fs::rename(&new, &path)?;
            file.sync_all()?;
        } else {
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
        }
        File::open(FOLDER)?.sync_all()
    })
}

/// The same log in a file of a fixed size that is mapped and shared: a store makes a record, and msync(2) keeps it.
pub fn mapped_log(defect: Defect) -> Result<(), Error> {
    const MOST: u64 = 12;
    std::fs::create_dir_all(FOLDER)?;
    let path = Path::new(FOLDER).join("mapped");
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
    file.set_len((MOST as usize * RECORD) as u64)?;
    file.sync_all()?;
    for folder in [FOLDER, "/var/lib"] {
        File::open(folder)?.sync_all()?;
    }
    // SAFETY: nobody else has the file open, and it is not cut off.
    let mut map = unsafe { memmap2::MmapMut::map_mut(&file)? };
    let written = map.chunks_exact(RECORD).take_while(|bytes| bytes[..8] != [0; 8]).count();
    let found = recover(&map[..written * RECORD], defect)?;
    map[found as usize * RECORD..].fill(0);
    map.flush()?;
    go_on(MOST, found, |number| {
        let place = (number as usize - 1) * RECORD..number as usize * RECORD;
        map[place.clone()].copy_from_slice(&record(number));
        if defect != Defect::NoSync { map.flush_range(place.start, RECORD) } else { note(number) }
    })
}

/// Something else on the disk, so that the power can fail after it.
fn note(number: u64) -> Result<(), Error> {
    std::fs::write(Path::new(FOLDER).join("note"), number.to_string())
}

pub fn sqlite(journal: &str, synchronous: &str, most: u64) -> Result<(), Error> {
    std::fs::create_dir_all(FOLDER)?;
    let open = || {
        let connection = rusqlite::Connection::open(Path::new(FOLDER).join("sqlite"))?;
        connection.pragma_update(None, "journal_mode", journal)?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.execute(
            "CREATE TABLE IF NOT EXISTS entry (number INTEGER PRIMARY KEY, text TEXT)",
            (),
        )?;
        let number = |sql| connection.query_row(sql, (), |row| row.get(0));
        let found: i64 = number("SELECT count(*) FROM entry")?;
        let sum: i64 = number("SELECT coalesce(sum(number), 0) FROM entry")?;
        let check: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0))?;
        assert_eq!((sum, check.as_str()), (found * (found + 1) / 2, "ok"));
        Ok((connection, found as u64))
    };
    let (connection, found) = open().map_err(|error: rusqlite::Error| Error::other(error))?;
    File::open("/var/lib")?.sync_all()?;
    go_on(most, found, |number| {
        let text = format!("entry {number} ").repeat(50);
        let inserted =
            connection.execute("INSERT INTO entry VALUES (?1, ?2)", (number as i64, text));
        inserted.map(|_| ()).map_err(Error::other)
    })
}

const ENTRIES: redb::TableDefinition<'_, u64, &str> = redb::TableDefinition::new("entries");

pub fn redb(most: u64) -> Result<(), Error> {
    std::fs::create_dir_all(FOLDER)?;
    let (path, half_made) = (Path::new(FOLDER).join("redb"), Path::new(FOLDER).join("redb.new"));
    let open = || {
        if !path.exists() {
            // A database that was not made to its end is refused from then on, so it gets its name when it is whole.
            let _ = std::fs::remove_file(&half_made);
            let database = redb::Database::create(&half_made)?;
            let begun = database.begin_write()?;
            begun.open_table(ENTRIES)?;
            begun.commit()?;
            drop(database);
            std::fs::rename(&half_made, &path)?;
        }
        // The database syncs its file; that the file has a name is its user's business.
        for folder in [FOLDER, "/var/lib"] {
            File::open(folder)?.sync_all()?;
        }
        let database = redb::Database::open(&path)?;
        let found = database.begin_read()?.open_table(ENTRIES)?.len()?;
        Ok((database, found))
    };
    let (database, found) = open().map_err(|error: redb::Error| Error::other(error))?;
    go_on(most, found, |number| {
        let commit = || {
            let begun = database.begin_write()?;
            begun
                .open_table(ENTRIES)?
                .insert(number, format!("entry {number} ").repeat(50).as_str())?;
            begun.commit()?;
            Ok(())
        };
        commit().map_err(|error: redb::Error| Error::other(error))
    })
}

/// What a user of fjall may leave out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fjall {
    /// Nothing.
    Synced,
    /// To sync what it writes.
    Buffered,
    /// To sync the folder in which a partition is made: fjall syncs what is in a partition's folder and in the
    /// keyspace's, and not the name of the partition (2.11).
    UnsyncedName,
}

/// A store of log-structured trees: threads of its own, a journal, and folders of files.
pub fn fjall(most: u64, how: Fjall) -> Result<(), Error> {
    let persisted = match how {
        Fjall::Buffered => ::fjall::PersistMode::Buffer,
        Fjall::Synced | Fjall::UnsyncedName => ::fjall::PersistMode::SyncData,
    };
    std::fs::create_dir_all(FOLDER)?;
    let (path, half_made) = (Path::new(FOLDER).join("fjall"), Path::new(FOLDER).join("fjall.new"));
    let entries = |keyspace: &::fjall::Keyspace| {
        keyspace.open_partition("entries", ::fjall::PartitionCreateOptions::default())
    };
    if !path.exists() {
        // As with redb: what was not made to its end is made again.
        let _ = std::fs::remove_dir_all(&half_made);
        let keyspace = ::fjall::Config::new(&half_made).open().map_err(Error::other)?;
        entries(&keyspace).map_err(Error::other)?;
        if how != Fjall::UnsyncedName {
            File::open(half_made.join("partitions"))?.sync_all()?;
        }
        keyspace.persist(::fjall::PersistMode::SyncAll).map_err(Error::other)?;
        drop(keyspace);
        std::fs::rename(&half_made, &path)?;
    }
    for folder in [FOLDER, "/var/lib"] {
        File::open(folder)?.sync_all()?;
    }
    let keyspace = ::fjall::Config::new(&path).open().map_err(Error::other)?;
    let entries = entries(&keyspace).map_err(Error::other)?;
    let found = entries.len().map_err(Error::other)?;
    go_on(most, found as u64, |number| {
        let text = format!("entry {number} ").repeat(50);
        entries.insert(number.to_be_bytes(), text).map_err(Error::other)?;
        keyspace.persist(persisted).map_err(Error::other)
    })
}
