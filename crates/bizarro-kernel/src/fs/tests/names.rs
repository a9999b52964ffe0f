//! Making, moving, removing and listing names, beyond what the comparison with Linux reaches.

use super::*;

const NO_REPLACE: RenameFlags = RenameFlags::NO_REPLACE;
const EXCHANGE: RenameFlags = RenameFlags::EXCHANGE;

fn tree() -> Host {
    let mut host = host();
    host.mkdir("d").unwrap();
    host.mkdir("d/sub").unwrap();
    host.put("f", "f").unwrap();
    host.put("g", "g").unwrap();
    host
}

#[test]
fn renaming_without_replacing() {
    let mut host = tree();
    assert_eq!(host.rename_with("f", "g", NO_REPLACE), Err(Errno::EEXIST));
    assert_eq!(host.rename_with("f", "f", NO_REPLACE), Err(Errno::EEXIST));
    assert_eq!(host.rename_with("f", ".", NO_REPLACE), Err(Errno::EEXIST));
    assert_eq!(host.rename_with("f", "d/..", RenameFlags::empty()), Err(Errno::EBUSY));
    assert_eq!(host.rename_with("f", "new", NO_REPLACE), Ok(()));
    assert_eq!(host.get("new"), Ok(String::from("f")));
    assert_eq!(host.rename_with("new", "x", NO_REPLACE | EXCHANGE), Err(Errno::EINVAL));
    let whiteout = RenameFlags::from_bits_retain(libc::RENAME_WHITEOUT);
    assert_eq!(host.rename_with("new", "x", whiteout), Err(Errno::EINVAL));
}

#[test]
fn exchanging_a_directory_and_a_file() {
    let mut host = tree();
    host.mkdir("other").unwrap();
    assert_eq!(host.rename_with("d", "none", EXCHANGE), Err(Errno::ENOENT));
    assert_eq!(host.rename_with("d", "d/sub", EXCHANGE), Err(Errno::EINVAL));
    assert_eq!(host.rename_with("d/sub", "d", EXCHANGE), Err(Errno::EINVAL));
    assert_eq!(host.rename_with("d", "f/", EXCHANGE), Err(Errno::ENOTDIR));
    assert_eq!(host.rename_with("f/", "d", EXCHANGE), Err(Errno::ENOTDIR));
    host.put("other/file", "inside").unwrap();
    let sub = host.find("d/sub").unwrap();
    host.rename_with("d/sub", "other/file", EXCHANGE).unwrap();
    assert_eq!(host.get("d/sub"), Ok(String::from("inside")));
    assert_eq!(host.path_of(sub), "/tmp/other/file");
    assert_eq!(host.find("other/file/.."), host.find("other"));
    assert_eq!(host.stat("d").unwrap().nlink, 2);
    assert_eq!(host.stat("other").unwrap().nlink, 3);
    assert_eq!(host.rename_with("f", "d/", EXCHANGE), Ok(()));
    assert_eq!(host.get("d"), Ok(String::from("f")));
}

#[test]
fn mounts_stay_where_they_are_and_names_do_not_cross_them() {
    let mut host = tree();
    assert_eq!(host.rename("f", "/dev/shm/f"), Err(Errno::EXDEV));
    assert_eq!(host.link("f", "/run/f"), Err(Errno::EXDEV));
    assert_eq!(host.rename("/dev", "/tmp/dev"), Err(Errno::EBUSY));
    assert_eq!(host.rename("d/sub", "/dev"), Err(Errno::EBUSY));
    assert_eq!(host.rmdir("/dev/shm"), Err(Errno::EBUSY));
    assert_eq!(host.rmdir("/proc"), Err(Errno::EBUSY));
    assert_eq!(host.unlink("/proc"), Err(Errno::EISDIR));
    assert_eq!(host.rmdir("/"), Err(Errno::EBUSY));
}

#[test]
fn a_file_made_without_a_name_can_get_one() {
    let mut host = host();
    let flags = OpenFlags::from_bits_retain(libc::O_TMPFILE | libc::O_RDWR);
    let make = |host: &mut Host, flags| match host
        .call(|fs, caller, cwd| fs.open(caller, At::new(cwd, b"."), flags, 0o666))
    {
        Ok(Opened::Node { ino, created: true }) => ino,
        other => panic!("{other:?}"),
    };
    let file = make(&mut host, flags);
    assert_eq!((host.fs.stat(file).nlink, host.list(".")), (0, Ok(Vec::new())));
    assert_eq!(host.path_of(file), format!("/tmp/#{} (deleted)", file.0));
    host.write(file, 0, b"text").unwrap();
    let link = |host: &mut Host, name: &'static str| {
        host.call(|fs, caller, cwd| {
            fs.link(caller, Found::Node(file), At::new(cwd, name.as_bytes()))
        })
    };
    link(&mut host, "named").unwrap();
    link(&mut host, "again").unwrap();
    assert_eq!(host.fs.stat(file).nlink, 2);
    host.unlink("named").unwrap();
    host.unlink("again").unwrap();
    assert_eq!(link(&mut host, "late"), Err(Errno::ENOENT));
    host.fs.release(file);
    let fixed = make(&mut host, flags | OpenFlags::EXCLUSIVE);
    let refused =
        host.call(|fs, caller, cwd| fs.link(caller, Found::Node(fixed), At::new(cwd, b"named")));
    assert_eq!(refused, Err(Errno::ENOENT));
    host.fs.release(fixed);
    assert!(host.fs.nodes.find(fixed).is_none());
}

#[test]
fn names_are_listed_in_the_order_of_their_making() {
    let mut host = host();
    for name in ["c", "a", "b"] {
        host.put(name, name).unwrap();
    }
    assert_eq!(host.list(".").unwrap(), ["c", "a", "b"]);
    host.rename("c", "z").unwrap();
    assert_eq!(host.list(".").unwrap(), ["z", "a", "b"]);
    host.put("new", "").unwrap();
    host.rename("new", "a").unwrap();
    assert_eq!(host.list(".").unwrap(), ["z", "a", "b"]);
}

/// Reads a directory two entries at a time and does `between` after each step.
fn read_in_steps(host: &mut Host, mut between: impl FnMut(&mut Host, &str)) -> Vec<String> {
    let directory = host.cwd;
    let (mut position, mut seen) = (0, Vec::new());
    loop {
        let mut step = Vec::new();
        host.call(|fs, caller, _| {
            fs.read_directory(caller, directory, position, &mut |entry| {
                if step.len() == 2 {
                    return Take::Full;
                }
                step.push((String::from_utf8(entry.name.to_vec()).unwrap(), entry.next));
                Take::More
            })
        })
        .unwrap();
        let Some((_, next)) = step.last() else { return seen };
        position = *next;
        for (name, _) in step.into_iter().filter(|(name, _)| !name.starts_with('.')) {
            between(host, &name);
            seen.push(name);
        }
    }
}

#[test]
fn a_reader_sees_what_stays_once_whatever_happens_meanwhile() {
    let mut host = host();
    for n in 0..9 {
        host.put(&format!("{n}"), "").unwrap();
    }
    let removed = read_in_steps(&mut host, |host, name| host.unlink(name).unwrap());
    assert_eq!(removed.len(), 9);
    assert_eq!(host.list(".").unwrap(), [""; 0]);
    for n in 0..9 {
        host.put(&format!("{n}"), "").unwrap();
    }
    let renamed = read_in_steps(&mut host, |host, name| {
        host.rename(name, &format!("{name}x")).unwrap();
    });
    assert_eq!(renamed, ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
}

#[test]
fn entries_tell_their_type_and_number() {
    let mut host = tree();
    host.symlink("f", "l").unwrap();
    host.mknod("p", Special::Fifo(0)).unwrap();
    host.mknod("s", Special::Socket(0)).unwrap();
    let mut kinds = Vec::new();
    let directory = host.cwd;
    host.call(|fs, caller, _| {
        fs.read_directory(caller, directory, 0, &mut |entry| {
            kinds.push((entry.name[0] as char, entry.kind.dirent(), entry.ino));
            Take::More
        })
    })
    .unwrap();
    let numbers: Vec<u8> = kinds.iter().map(|(_, kind, _)| *kind).collect();
    assert_eq!(numbers, [4, 4, 4, 8, 8, 10, 1, 12]);
    assert_eq!(kinds[0].2, directory.0);
    assert_eq!(kinds[1].2, Fs::ROOT.0);
    assert_eq!(kinds[3].2, host.find("f").unwrap().0);
}

#[test]
fn the_longest_link_text_fits_a_path() {
    let mut host = host();
    assert_eq!(host.symlink("", "l"), Err(Errno::ENOENT));
    assert_eq!(host.symlink(&"x".repeat(4096), "l"), Err(Errno::ENAMETOOLONG));
    host.symlink(&"x".repeat(4095), "l").unwrap();
    assert_eq!(host.readlink("l").unwrap().len(), 4095);
    assert_eq!(host.readlink("/etc/hosts"), Err(Errno::EINVAL));
    let Ok(Found::Node(link)) = host.resolve("l", Lookup::empty()) else { panic!("it is there") };
    let stat = host.fs.stat(link);
    assert_eq!((stat.size, stat.mode), (4095, libc::S_IFLNK | 0o777));
}
