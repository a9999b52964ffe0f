//! What is left of a disk when the power failed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use bizarro_record::Survivors;
use proptest::prelude::*;

use super::*;

pub(super) fn host() -> Host {
    let mut host = super::host();
    host.fs.keep_platter();
    host
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn draws(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

impl Host {
    pub(super) fn sync(&mut self, path: &str) {
        let ino = self.find(path).unwrap();
        self.fs.fsync(ino).unwrap();
    }

    pub(super) fn lose_power(&mut self, survivors: Survivors, seed: u64) {
        self.fs.power_lost(survivors, &mut draws(seed));
        self.fs_is_sound();
        self.cwd = self.find("/tmp").unwrap();
    }

    /// Names, links and room are what they should be.
    fn fs_is_sound(&mut self) {
        let (mut links, mut directories): (BTreeMap<Ino, u32>, BTreeMap<Ino, u32>) =
            Default::default();
        let mut next = vec![Fs::ROOT];
        let (mut files, mut pages) = (0, 0);
        let mut seen = BTreeSet::from([Fs::ROOT]);
        while let Some(directory) = next.pop() {
            files += 1;
            pages += 1;
            directories.insert(directory, 2);
            for (name, child) in self.fs.nodes.get(directory).directory().entries() {
                if self.fs.mount_of(child) != MountId::DISK {
                    *directories.get_mut(&directory).unwrap() += 1;
                    continue;
                }
                let inode = self.fs.nodes.get(child);
                if inode.is_directory() {
                    *directories.get_mut(&directory).unwrap() += 1;
                    assert!(seen.insert(child), "two names of one directory");
                    assert_eq!((inode.home.parent, &inode.home.name), (directory, &name));
                    next.push(child);
                } else {
                    *links.entry(child).or_default() += 1;
                    if seen.insert(child) {
                        files += 1;
                        if let Body::File(content) = &inode.body {
                            pages += content.pages();
                        }
                    }
                }
            }
        }
        for (ino, count) in links.iter().chain(&directories) {
            assert_eq!(self.fs.nodes.get(*ino).nlink, *count, "{ino:?}");
        }
        let on_disk = |ino: &Ino| self.fs.nodes.get(*ino).mount == MountId::DISK;
        assert_eq!(self.fs.nodes.numbers().into_iter().filter(on_disk).count(), files as usize);
        let stat = self.fs.statfs(Fs::ROOT);
        assert_eq!((stat.blocks - stat.blocks_free, stat.files - stat.files_free), (pages, files));
    }
}

/// What is found after the power failed, over many draws and the two extremes.
pub(super) fn outcomes(
    prepare: impl Fn(&mut Host),
    look: impl Fn(&mut Host) -> String,
) -> BTreeSet<String> {
    let extremes = [(Survivors::Nothing, 0), (Survivors::All, 0)];
    let drawn = (1..200).map(|seed| (Survivors::Some, seed));
    let all = extremes.into_iter().chain(drawn).map(|(survivors, seed)| {
        let mut host = host();
        prepare(&mut host);
        host.lose_power(survivors, seed);
        look(&mut host)
    });
    all.collect()
}

pub(super) fn text(host: &mut Host, path: &str) -> String {
    host.get(path).unwrap_or_else(|errno| format!("{errno:?}"))
}

pub(super) fn set(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(ToString::to_string).collect()
}

#[test]
fn what_was_synced_with_its_name_is_there() {
    let prepare = |host: &mut Host| {
        host.put("file", "text").unwrap();
        host.sync("file");
        host.sync(".");
    };
    assert_eq!(outcomes(prepare, |host| text(host, "file")), set(&["text"]));
    let all = |host: &mut Host| {
        host.mkdir("dir").unwrap();
        host.put("dir/file", "text").unwrap();
        host.fs.sync_all();
    };
    assert_eq!(outcomes(all, |host| text(host, "dir/file")), set(&["text"]));
}

#[test]
fn a_name_needs_its_directory() {
    let prepare = |host: &mut Host| {
        host.put("file", "text").unwrap();
        host.sync("file");
    };
    assert_eq!(outcomes(prepare, |host| text(host, "file")), set(&["text", "ENOENT"]));
}

#[test]
fn bytes_need_the_file() {
    let prepare = |host: &mut Host| {
        host.put("file", "text").unwrap();
        host.sync(".");
    };
    let seen = outcomes(prepare, |host| text(host, "file"));
    // Any size, and zeroes where the page is not there.
    assert!(seen.contains("") && seen.contains("text") && seen.contains("te"), "{seen:?}");
    assert!(seen.contains("\0\0\0\0") && !seen.contains("ENOENT"), "{seen:?}");
}

#[test]
fn a_file_is_replaced_as_a_whole_or_not() {
    let prepare = |host: &mut Host| {
        host.put("file", "old").unwrap();
        host.fs.sync_all();
        host.put("new", "new one").unwrap();
        host.sync("new");
        host.rename("new", "file").unwrap();
    };
    assert_eq!(outcomes(prepare, |host| text(host, "file")), set(&["old", "new one"]));
    let without_sync = |host: &mut Host| {
        host.put("file", "old").unwrap();
        host.fs.sync_all();
        host.put("new", "new one").unwrap();
        host.rename("new", "file").unwrap();
    };
    assert!(outcomes(without_sync, |host| text(host, "file")).contains(""));
}

#[test]
fn a_cut_may_survive_without_what_was_written_after_it() {
    let prepare = |host: &mut Host| {
        host.put("file", "old").unwrap();
        host.fs.sync_all();
        host.put("file", "newer").unwrap();
    };
    let seen = outcomes(prepare, |host| text(host, "file"));
    for expected in ["old", "newer", ""] {
        assert!(seen.contains(expected), "{expected:?} is not in {seen:?}");
    }
    // What was cut off does not come back behind it.
    assert!(
        seen.iter().all(|text| *text == "old"
            || text.trim_end_matches('\0').is_empty()
            || "newer".starts_with(text.trim_end_matches('\0'))),
        "{seen:?}"
    );
}

#[test]
fn pages_are_lost_on_their_own_and_torn_at_sectors() {
    const PAGES: usize = 3;
    let prepare = |host: &mut Host| {
        let file = host.open_node("file", libc::O_CREAT | libc::O_RDWR).unwrap();
        host.write(file, 0, &[b'o'; 4096 * PAGES]).unwrap();
        host.fs.sync_all();
        host.write(file, 0, &[b'n'; 4096 * PAGES]).unwrap();
    };
    let seen = outcomes(prepare, |host| text(host, "file"));
    let (mut torn, mut mixed) = (0, 0);
    for text in &seen {
        assert_eq!(text.len(), 4096 * PAGES);
        let sectors: Vec<u8> = text
            .as_bytes()
            .chunks(512)
            .map(|sector| {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "torn within a sector");
                sector[0]
            })
            .collect();
        torn += usize::from(sectors.chunks(8).any(|page| page.iter().any(|s| *s != page[0])));
        mixed += usize::from(sectors[0] == b'o' && sectors[23] == b'n');
    }
    assert!(torn > 10 && mixed > 5, "{torn} {mixed}");
}

#[test]
fn what_a_failed_sync_left_behind_is_lost_unless_it_is_written_again() {
    let failed = |host: &mut Host| {
        host.put("file", "old").unwrap();
        host.fs.sync_all();
        let file = host.find("file").unwrap();
        host.write(file, 0, b"new").unwrap();
        host.fs.fail_next_write(Errno::EIO);
        assert_eq!(host.fs.fsync(file), Err(Errno::EIO));
        assert_eq!(host.fs.fsync(file), Ok(()));
        assert_eq!(host.get("file"), Ok(String::from("new")));
    };
    assert_eq!(outcomes(failed, |host| text(host, "file")), set(&["old"]));
    let again = |host: &mut Host| {
        failed(host);
        let file = host.find("file").unwrap();
        host.write(file, 0, b"new").unwrap();
        host.fs.fdatasync(file).unwrap();
    };
    assert_eq!(outcomes(again, |host| text(host, "file")), set(&["new"]));
}

#[test]
fn what_was_removed_may_come_back_as_it_was() {
    let prepare = |host: &mut Host| {
        host.mkdir("dir").unwrap();
        host.put("dir/file", "text").unwrap();
        host.fs.sync_all();
        host.unlink("dir/file").unwrap();
        host.rmdir("dir").unwrap();
        host.put("/tmp/dir", "a file now").unwrap();
        host.sync("dir");
    };
    let look = |host: &mut Host| {
        let inner = text(host, "dir/file");
        format!("{inner} {}", host.get("dir").is_ok())
    };
    let seen = outcomes(prepare, look);
    assert_eq!(seen, set(&["ENOENT false", "ENOTDIR true", "text false"]));
    // Where the directory above was synced it does not, and nothing is remembered any more.
    let mut host = host();
    prepare(&mut host);
    host.sync(".");
    let platter = host.fs.platter.clone().unwrap();
    host.lose_power(Survivors::Nothing, 0);
    assert_eq!(text(&mut host, "dir"), "a file now");
    assert!(platter.is_empty());
}

#[test]
fn a_rename_between_directories_is_in_both_or_in_none() {
    let prepare = |host: &mut Host| {
        host.mkdir("one").unwrap();
        host.mkdir("two").unwrap();
        host.put("one/file", "text").unwrap();
        host.put("two/other", "more").unwrap();
        host.fs.sync_all();
        host.rename("one/file", "two/file").unwrap();
        host.rename("two/other", "one/other").unwrap();
        host.mkdir("one/dir").unwrap();
        host.rename("one/dir", "two/dir").unwrap();
    };
    let names = |host: &mut Host| format!("{:?} {:?}", host.list("one"), host.list("two"));
    let seen = outcomes(prepare, names);
    for names in &seen {
        assert_eq!(names.matches("file").count(), 1, "{names}");
        assert_eq!(names.matches("other").count(), 1, "{names}");
        assert!(names.matches("dir").count() <= 1, "{names}");
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    let synced = |host: &mut Host| {
        prepare(host);
        host.sync("one");
    };
    assert_eq!(outcomes(synced, names).len(), 1);
}

#[test]
fn memory_is_as_it_was_at_first() {
    let mut host = host();
    let shown = |host: &mut Host| {
        [host.list("/run").unwrap(), host.list("/dev").unwrap(), host.list("/").unwrap()]
    };
    let before = shown(&mut host);
    for path in ["/run/file", "/dev/shm/file"] {
        host.put(path, "text").unwrap();
        host.sync(path);
    }
    host.unlink("/dev/zero").unwrap();
    host.fs.sync_all();
    for seed in 0..3 {
        host.lose_power(Survivors::All, seed);
        assert_eq!(shown(&mut host), before);
        assert_eq!(text(&mut host, "/run/file"), "ENOENT");
        assert!(text(&mut host, "/proc/version").starts_with("Version of"));
    }
}

/// Something that a program does.
#[derive(Clone, Debug)]
enum Op {
    Put(usize, u8),
    Append(usize, usize),
    Truncate(usize, u64),
    Unlink(usize),
    Rename(usize, usize),
    Exchange(usize, usize),
    Link(usize, usize),
    Mkdir(usize),
    Rmdir(usize),
    Sync(usize),
    SyncAll,
    Hold(usize),
    Power(u64),
}

const PATHS: [&str; 8] = ["a", "b", "d", "e", "d/a", "d/b", "e/a", "d/e"];

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let path = || 0..PATHS.len();
    let op = prop_oneof![
        4 => (path(), any::<u8>()).prop_map(|(p, b)| Op::Put(p, b)),
        2 => (path(), 1..9000usize).prop_map(|(p, n)| Op::Append(p, n)),
        1 => (path(), 0..9000u64).prop_map(|(p, n)| Op::Truncate(p, n)),
        2 => path().prop_map(Op::Unlink),
        3 => (path(), path()).prop_map(|(a, b)| Op::Rename(a, b)),
        1 => (path(), path()).prop_map(|(a, b)| Op::Exchange(a, b)),
        1 => (path(), path()).prop_map(|(a, b)| Op::Link(a, b)),
        3 => path().prop_map(Op::Mkdir),
        1 => path().prop_map(Op::Rmdir),
        3 => path().prop_map(Op::Sync),
        1 => Just(Op::SyncAll),
        1 => path().prop_map(Op::Hold),
        1 => any::<u64>().prop_map(Op::Power),
    ];
    prop::collection::vec(op, 1..40)
}

/// Every file below the working directory, with its bytes.
fn tree(host: &mut Host) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut next = vec![String::from(".")];
    while let Some(path) = next.pop() {
        for name in host.list(&path).unwrap() {
            let path = format!("{path}/{name}");
            let ino = host.find(&path).unwrap();
            if host.fs.is_directory(ino) {
                found.insert(path.clone(), String::from("directory"));
                next.push(path);
            } else {
                let bytes = host.read(ino).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

proptest! {
    #[test]
    fn whatever_was_done_the_disk_is_sound_and_what_was_synced_is_there(ops in ops()) {
        let mut host = host();
        for op in ops {
            // What cannot be done is refused as usual.
            let _ = match op {
                Op::Put(p, b) => host.put(PATHS[p], &format!("{b}").repeat(40)),
                Op::Append(p, n) => host.open_node(PATHS[p], libc::O_RDWR).map(|ino| {
                    let size = host.fs.size(ino);
                    let _ = host.write(ino, size, &vec![b'x'; n]);
                    host.fs.release(ino);
                }),
                Op::Truncate(p, n) => host.find(PATHS[p]).map(|ino| {
                    let by = host.by;
                    let _ = host.fs.resize(by, ino, n);
                }),
                Op::Unlink(p) => host.unlink(PATHS[p]),
                Op::Rename(a, b) => host.rename(PATHS[a], PATHS[b]),
                Op::Exchange(a, b) => host.rename_with(PATHS[a], PATHS[b], RenameFlags::EXCHANGE),
                Op::Link(a, b) => host.link(PATHS[a], PATHS[b]),
                Op::Mkdir(p) => host.mkdir(PATHS[p]).map(|_| ()),
                Op::Rmdir(p) => host.rmdir(PATHS[p]),
                Op::Sync(p) => host.find(PATHS[p]).map(|ino| host.fs.fsync(ino).unwrap()),
                Op::SyncAll => {
                    host.fs.sync_all();
                    let before = tree(&mut host);
                    let mut copy = host.fs.clone();
                    core::mem::swap(&mut host.fs, &mut copy);
                    host.lose_power(Survivors::Nothing, 0);
                    prop_assert_eq!(tree(&mut host), before);
                    host.fs = copy;
                    host.cwd = host.find("/tmp").unwrap();
                    Ok(())
                }
                // Its name may go while it is open.
                Op::Hold(p) => host.open_node(PATHS[p], libc::O_RDONLY).map(|_| ()),
                Op::Power(seed) => {
                    host.lose_power(Survivors::Some, seed);
                    Ok(())
                }
            };
        }
        let now = tree(&mut host);
        let before = host.fs.clone();
        host.lose_power(Survivors::All, 0);
        prop_assert_eq!(tree(&mut host), now);
        for seed in 1..6 {
            host.fs = before.clone();
            host.lose_power(Survivors::Some, seed);
        }
        // What is there after the power failed is durable.
        let left = tree(&mut host);
        host.lose_power(Survivors::Some, 7);
        prop_assert_eq!(tree(&mut host), left);
    }
}
