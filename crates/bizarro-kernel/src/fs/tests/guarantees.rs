//! What Linux guarantees after each kind of sync is there after every power loss, and what it does not guarantee is
//! missing after some.

use alloc::vec;

use super::power::{host, outcomes, set, text};
use super::*;
use bizarro_record::Times;

const PAGE: usize = 4096;

/// A file of three pages of `o`, durable with its name, that is open.
fn three_pages(host: &mut Host) -> Ino {
    let file = host.open_node("file", libc::O_CREAT | libc::O_RDWR).unwrap();
    host.write(file, 0, &[b'o'; 3 * PAGE]).unwrap();
    host.fs.sync_all();
    file
}

/// The first letter of each page, and the size where it is not three pages.
fn pages(host: &mut Host) -> String {
    let text = text(host, "file");
    let letters: String = text.as_bytes().chunks(PAGE).map(|page| char::from(page[0])).collect();
    let letters = letters.replace('\0', "0");
    if text.len() == 3 * PAGE { letters } else { format!("{letters} {}", text.len()) }
}

/// Whether the outcomes hold these words, each.
#[track_caller]
fn some(outcomes: &alloc::collections::BTreeSet<String>, of: &[&str]) {
    for word in of {
        assert!(outcomes.contains(*word), "{word:?} is not in {outcomes:?}");
    }
}

#[test]
fn a_synced_range_is_there_and_the_rest_may_be_lost() {
    let prepare = |host: &mut Host| {
        let file = three_pages(host);
        host.write(file, 0, &[b'n'; 3 * PAGE]).unwrap();
        host.fs.sync_range(file, PAGE as u64 + 100..PAGE as u64 + 101).unwrap();
    };
    let seen = outcomes(prepare, pages);
    assert!(seen.iter().all(|text| text.as_bytes()[1] == b'n'), "{seen:?}");
    some(&seen, &["ono", "nnn", "onn", "nno"]);
    // When all of it was synced in parts, nothing is left to lose.
    let all = |host: &mut Host| {
        prepare(host);
        let file = host.find("file").unwrap();
        host.fs.sync_range(file, 0..1).unwrap();
        host.fs.sync_range(file, 2 * PAGE as u64..3 * PAGE as u64).unwrap();
        assert!(host.fs.platter.as_ref().unwrap().is_empty());
    };
    assert_eq!(outcomes(all, pages), set(&["nnn"]));
}

#[test]
fn a_synced_range_brings_the_size_that_it_needs() {
    let behind = |host: &mut Host| {
        let file = three_pages(host);
        host.write(file, 5 * PAGE as u64, &[b'n'; PAGE]).unwrap();
        host.write(file, 3 * PAGE as u64, &[b'm'; PAGE]).unwrap();
        host.fs.sync_range(file, 5 * PAGE as u64..6 * PAGE as u64).unwrap();
    };
    let seen = outcomes(behind, pages);
    assert!(seen.iter().all(|text| text.ends_with(" 24576") && text.as_bytes()[5] == b'n'));
    some(&seen, &["ooo00n 24576", "ooom0n 24576"]);
    let before = |host: &mut Host| {
        let file = three_pages(host);
        host.write(file, 3 * PAGE as u64, &[b'n'; 2 * PAGE]).unwrap();
        host.fs.sync_range(file, 3 * PAGE as u64..4 * PAGE as u64).unwrap();
    };
    let seen = outcomes(before, pages);
    assert!(seen.iter().all(|text| text.starts_with("ooon")), "{seen:?}");
    some(&seen, &["ooon 16384", "ooonn 20480", "ooon0 20480"]);
    let cut = |host: &mut Host| {
        let file = three_pages(host);
        let by = host.by;
        host.fs.resize(by, file, PAGE as u64).unwrap();
        host.write(file, PAGE as u64, &[b'n'; PAGE]).unwrap();
        host.fs.sync_range(file, 0..1).unwrap();
    };
    // What was cut off does not come back.
    let seen = outcomes(cut, pages);
    some(&seen, &["o 4096", "on 8192", "o0 8192"]);
    assert!(seen.iter().all(|text| text.starts_with('o') && !text.starts_with("oo")), "{seen:?}");
}

#[test]
fn fdatasync_brings_sizes_with_the_bytes() {
    let grown = |host: &mut Host| {
        let file = three_pages(host);
        host.write(file, 3 * PAGE as u64, b"n").unwrap();
        host.fs.fdatasync(file).unwrap();
    };
    assert_eq!(outcomes(grown, pages), set(&["ooon 12289"]));
    let unsynced = |host: &mut Host| {
        let file = three_pages(host);
        host.write(file, 3 * PAGE as u64, b"n").unwrap();
    };
    some(&outcomes(unsynced, pages), &["ooo", "ooon 12289", "ooo0 12289"]);
    let cut = |host: &mut Host| {
        let file = three_pages(host);
        let by = host.by;
        host.fs.resize(by, file, 10).unwrap();
    };
    some(&outcomes(cut, pages), &["ooo", "o 10"]);
    let synced = |host: &mut Host| {
        cut(host);
        let file = host.find("file").unwrap();
        host.fs.fdatasync(file).unwrap();
    };
    assert_eq!(outcomes(synced, pages), set(&["o 10"]));
}

#[test]
fn a_stored_page_is_like_a_written_one() {
    let stored = |host: &mut Host| {
        let file = three_pages(host);
        let by = host.by;
        let mut found = 0;
        let mut bytes = vec![b'o'; 3 * PAGE];
        bytes[PAGE..2 * PAGE].fill(b'n');
        host.fs.store(by, file, 0, &bytes, &mut |_| found += 1);
        assert_eq!(found, 1);
    };
    some(&outcomes(stored, pages), &["ooo", "ono"]);
    let synced = |host: &mut Host| {
        stored(host);
        let file = host.find("file").unwrap();
        host.fs.sync_range(file, PAGE as u64..2 * PAGE as u64).unwrap();
    };
    assert_eq!(outcomes(synced, pages), set(&["ono"]));
}

#[test]
fn a_link_belongs_to_its_directory() {
    let look = |host: &mut Host| format!("{} {}", text(host, "one"), text(host, "dir/two"));
    let prepare = |host: &mut Host| {
        host.mkdir("dir").unwrap();
        host.put("one", "text").unwrap();
        host.fs.sync_all();
        host.link("one", "dir/two").unwrap();
    };
    assert_eq!(outcomes(prepare, look), set(&["text text", "text ENOENT"]));
    let file = |host: &mut Host| {
        prepare(host);
        host.sync("one");
    };
    assert_eq!(outcomes(file, look), set(&["text text", "text ENOENT"]));
    let directory = |host: &mut Host| {
        prepare(host);
        host.sync("dir");
    };
    assert_eq!(outcomes(directory, look), set(&["text text"]));
    let unlinked = |host: &mut Host| {
        prepare(host);
        host.fs.sync_all();
        host.unlink("one").unwrap();
        host.sync("dir");
    };
    assert_eq!(outcomes(unlinked, look), set(&["text text", "ENOENT text"]));
    let durably = |host: &mut Host| {
        unlinked(host);
        host.sync(".");
    };
    assert_eq!(outcomes(durably, look), set(&["ENOENT text"]));
}

#[test]
fn a_new_file_with_the_name_of_an_old_one_needs_both_syncs() {
    let replaced = |syncs: &'static [&str]| {
        move |host: &mut Host| {
            host.put("file", "old").unwrap();
            host.fs.sync_all();
            host.put("new", "newer").unwrap();
            for path in &syncs[..syncs.len().min(1)] {
                host.sync(path);
            }
            host.rename("new", "file").unwrap();
            for path in &syncs[syncs.len().min(1)..] {
                host.sync(path);
            }
        }
    };
    let look = |host: &mut Host| text(host, "file");
    some(&outcomes(replaced(&[]), look), &["old", "newer", ""]);
    assert_eq!(outcomes(replaced(&["new"]), look), set(&["old", "newer"]));
    assert_eq!(outcomes(replaced(&["new", "."]), look), set(&["newer"]));
    // The name is there, its bytes need not be.
    let name_only = |host: &mut Host| {
        replaced(&[])(host);
        host.sync(".");
    };
    let seen = outcomes(name_only, look);
    some(&seen, &["newer", ""]);
    assert!(!seen.contains("old"));
}

#[test]
fn what_waits_for_thirty_seconds_is_written_back() {
    let seconds = |host: &mut Host, at: u64| host.fs.tell_time(Nanos::from_secs(at));
    let early = |host: &mut Host| {
        seconds(host, 1);
        host.put("file", "old").unwrap();
        seconds(host, 34);
    };
    some(&outcomes(early, |host| text(host, "file")), &["ENOENT", "old", ""]);
    let late = |host: &mut Host| {
        early(host);
        seconds(host, 35);
    };
    assert_eq!(outcomes(late, |host| text(host, "file")), set(&["old"]));
    // What is written afterwards waits anew, and what was there before it is durable.
    let again = |host: &mut Host| {
        early(host);
        seconds(host, 36);
        let file = host.find("file").unwrap();
        host.write(file, 0, b"new").unwrap();
        seconds(host, 60);
    };
    assert_eq!(outcomes(again, |host| text(host, "file")), set(&["old", "new"]));
    // A read-only file system writes nothing back.
    let frozen = |host: &mut Host| {
        early(host);
        host.fs.become_read_only();
        seconds(host, 100);
    };
    some(&outcomes(frozen, |host| text(host, "file")), &["ENOENT", "old"]);
}

#[test]
fn syncfs_syncs_the_file_system_of_its_descriptor() {
    let synced = |path: &'static str| {
        move |host: &mut Host| {
            host.put("file", "text").unwrap();
            let ino = host.find(path).unwrap();
            host.fs.sync_file_system(ino).unwrap();
        }
    };
    assert_eq!(outcomes(synced("/etc"), |host| text(host, "file")), set(&["text"]));
    some(&outcomes(synced("/dev/shm"), |host| text(host, "file")), &["text", "ENOENT"]);
}

#[test]
fn failures_strike_once_or_until_they_are_healed() {
    let mut host = host();
    host.put("file", "old").unwrap();
    let file = host.find("file").unwrap();
    host.fs.fail_changes(Errno::ENOSPC, Times::Always);
    for _ in 0..3 {
        assert_eq!(host.write(file, 0, b"new"), Err(Errno::ENOSPC));
        assert_eq!(host.fs.fsync(file), Ok(()));
    }
    assert_eq!(host.unlink("file"), Ok(()));
    host.fs.take_changes();
    host.put("file", "new").unwrap();
    let file = host.find("file").unwrap();
    host.fs.fail_reads(Times::Once);
    assert_eq!((host.fs.may_read(file), host.fs.may_read(file)), (Err(Errno::EIO), Ok(())));
    host.fs.fail_reads(Times::Always);
    let memory = host.find("/dev/shm").unwrap();
    assert_eq!(host.fs.may_read(memory), Ok(()));
    assert_eq!(
        (host.fs.may_read(file), host.fs.may_read(file)),
        (Err(Errno::EIO), Err(Errno::EIO))
    );
}

#[test]
fn a_disk_that_is_read_only_refuses_every_change() {
    let mut host = host();
    host.put("file", "old").unwrap();
    host.fs.sync_all();
    let file = host.open_node("file", libc::O_RDWR).unwrap();
    host.write(file, 0, b"new").unwrap();
    host.fs.become_read_only();
    let by = host.by;
    assert_eq!(host.write(file, 0, b"xxx"), Err(Errno::EROFS));
    assert_eq!(host.fs.resize(by, file, 0), Err(Errno::EROFS));
    assert_eq!(host.fs.fsync(file), Err(Errno::EROFS));
    assert_eq!(host.open_node("file", libc::O_RDWR), Err(Errno::EROFS));
    assert_eq!((host.unlink("file"), host.mkdir("dir")), (Err(Errno::EROFS), Err(Errno::EROFS)));
    assert_eq!(host.put("/dev/shm/memory", "text"), Ok(()));
    assert_eq!(host.get("file"), Ok(String::from("new")));
    host.lose_power(bizarro_record::Survivors::Nothing, 0);
    assert_eq!(host.get("file"), Ok(String::from("old")));
    // After that it is mounted as always.
    host.put("file", "newer").unwrap();
}

#[test]
fn a_bit_flips_on_the_medium() {
    let mut host = host();
    host.put("file", "text").unwrap();
    host.fs.sync_all();
    let file = host.find("file").unwrap();
    host.write(file, 0, b"T").unwrap();
    let mut draws = [2, 0].into_iter();
    let mut draw = |_| draws.next().unwrap();
    assert_eq!(host.fs.flip_bit(None, &mut draw), Some((file, 2)));
    assert_eq!(host.get("file"), Ok(String::from("Teyt")));
    host.lose_power(bizarro_record::Survivors::Nothing, 0);
    assert_eq!(host.get("file"), Ok(String::from("teyt")));
    // A host whose programs wrote nothing has nothing to lose.
    assert_eq!(super::host().fs.flip_bit(None, &mut |_| 0), None);
}

#[test]
fn a_misplaced_write_leaves_its_own_place_as_it_was() {
    let mut host = host();
    let file = three_pages(&mut host);
    host.fs.misplace_next_write(9);
    assert_eq!(host.write(file, 0, b"short"), Ok(5));
    assert_eq!(host.write(file, 0, &[b'n'; PAGE]), Ok(PAGE));
    let text = host.read(file).unwrap();
    let sectors: String = text.as_bytes().chunks(512).map(|sector| char::from(sector[6])).collect();
    assert_eq!(sectors, "ooooooooonnnnnnnnooooooo");
    assert_eq!(host.write(file, 0, &[b'm'; PAGE]), Ok(PAGE));
    assert!(host.read(file).unwrap().starts_with("mmm"));
}

#[test]
fn another_disk_is_as_the_first_one_was() {
    let mut host = host();
    host.put("/srv/data/seed", "changed").unwrap();
    host.put("file", "text").unwrap();
    host.fs.sync_all();
    host.fs.is_replaced();
    host.cwd = host.find("/tmp").unwrap();
    assert_eq!(host.get("/srv/data/seed"), Ok(String::from("seed")));
    assert_eq!(host.get("file"), Err(Errno::ENOENT));
}
