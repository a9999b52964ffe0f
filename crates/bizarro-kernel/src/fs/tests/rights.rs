//! Who may do what.

use super::*;

const ALICE: Cred = Cred { uid: 1000, gid: 1000 };
const BOB: Cred = Cred { uid: 1001, gid: 1000 };
const EVE: Cred = Cred { uid: 1002, gid: 1002 };

/// /tmp/home belongs to Alice; in it are `file` and `dir`.
fn host_of_alice() -> Host {
    let mut host = host();
    host.by.cred = ALICE;
    host.mkdir("home").unwrap();
    host.cwd = host.find("home").unwrap();
    host.put("file", "alice's").unwrap();
    host.mkdir("dir").unwrap();
    host
}

fn chmod(host: &mut Host, path: &str, mode: u32) -> Result<(), Errno> {
    let ino = host.find(path)?;
    host.call(|fs, caller, _| fs.chmod(caller.by, ino, mode))
}

fn chown(host: &mut Host, path: &str, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
    let ino = host.find(path)?;
    host.call(|fs, caller, _| fs.chown(caller.by, ino, uid, gid))
}

#[test]
fn each_class_has_its_own_bits() {
    let mut host = host_of_alice();
    chmod(&mut host, "file", 0o640).unwrap();
    for (cred, read, write) in [
        (ALICE, Ok(()), Ok(())),
        (BOB, Ok(()), Err(Errno::EACCES)),
        (EVE, Err(Errno::EACCES), Err(Errno::EACCES)),
        (Cred::ROOT, Ok(()), Ok(())),
    ] {
        let ino = host.find("file").unwrap();
        assert_eq!(host.fs.permit(cred, ino, Access::READ), read, "{cred:?}");
        assert_eq!(host.fs.permit(cred, ino, Access::WRITE), write, "{cred:?}");
        assert_eq!(host.fs.permit(cred, ino, Access::EXECUTE), Err(Errno::EACCES));
        host.by.cred = cred;
        let opened = host.open("file", libc::O_RDWR).map(|_| ());
        assert_eq!(opened, write, "{cred:?}");
    }
    host.by.cred = ALICE;
    chmod(&mut host, "file", 0o077).unwrap();
    assert_eq!(host.get("file"), Err(Errno::EACCES));
}

#[test]
fn a_directory_that_may_not_be_searched_hides_what_is_in_it() {
    let mut host = host_of_alice();
    host.put("dir/inside", "x").unwrap();
    chmod(&mut host, "dir", 0o600).unwrap();
    assert_eq!(host.stat("dir/inside"), Err(Errno::EACCES));
    assert_eq!(host.stat("dir/none"), Err(Errno::EACCES));
    assert_eq!(host.stat("dir/.."), Err(Errno::EACCES));
    assert_eq!(host.list("dir").unwrap(), ["inside"]);
    chmod(&mut host, "dir", 0o500).unwrap();
    assert_eq!(host.get("dir/inside"), Ok(String::from("x")));
    assert_eq!(host.unlink("dir/inside"), Err(Errno::EACCES));
    assert_eq!(host.put("dir/new", ""), Err(Errno::EACCES));
    assert_eq!(host.mkdir("dir/new"), Err(Errno::EACCES));
    assert_eq!(host.mkdir("dir/inside"), Err(Errno::EEXIST));
    assert_eq!(host.rename("dir/inside", "out"), Err(Errno::EACCES));
    assert_eq!(host.open("dir", libc::O_TMPFILE | libc::O_RDWR), Err(Errno::EACCES));
    host.by.cred = Cred::ROOT;
    assert_eq!(host.unlink("dir/inside"), Ok(()));
}

#[test]
fn a_new_file_is_open_even_if_its_mode_forbids() {
    let mut host = host_of_alice();
    let flags = OpenFlags::CREATE | OpenFlags::READ_WRITE;
    let opened = host.call(|fs, caller, cwd| fs.open(caller, At::new(cwd, b"new"), flags, 0));
    assert!(matches!(opened, Ok(Opened::Node { created: true, .. })));
    let again = host.call(|fs, caller, cwd| fs.open(caller, At::new(cwd, b"new"), flags, 0));
    assert_eq!(again, Err(Errno::EACCES));
}

#[test]
fn in_a_sticky_directory_only_owners_remove() {
    let mut host = host_of_alice();
    host.put("/tmp/alice", "").unwrap();
    host.by.cred = BOB;
    host.put("/tmp/bob", "").unwrap();
    assert_eq!(host.unlink("/tmp/alice"), Err(Errno::EPERM));
    assert_eq!(host.rename("/tmp/alice", "/tmp/mine"), Err(Errno::EPERM));
    assert_eq!(host.rename("/tmp/bob", "/tmp/alice"), Err(Errno::EPERM));
    assert_eq!(host.rmdir("/tmp/home"), Err(Errno::EPERM));
    assert_eq!(host.unlink("/tmp/bob"), Ok(()));
    host.by.cred = ALICE;
    assert_eq!(host.unlink("/tmp/alice"), Ok(()));
}

#[test]
fn a_directory_that_changes_its_parent_must_be_writable() {
    let mut host = host_of_alice();
    host.mkdir("dir/moves").unwrap();
    chmod(&mut host, "dir/moves", 0o500).unwrap();
    assert_eq!(host.rename("dir/moves", "dir/renamed"), Ok(()));
    assert_eq!(host.rename("dir/renamed", "moved"), Err(Errno::EACCES));
}

#[test]
fn modes_and_owners_are_the_owners_to_change() {
    let mut host = host_of_alice();
    chmod(&mut host, "file", 0o6755).unwrap();
    assert_eq!(host.stat("file").unwrap().mode & 0o7777, 0o6755);
    assert_eq!(chown(&mut host, "file", Some(1001), None), Err(Errno::EPERM));
    assert_eq!(chown(&mut host, "file", None, Some(77)), Err(Errno::EPERM));
    assert_eq!(chown(&mut host, "file", Some(1000), Some(1000)), Ok(()));
    assert_eq!(host.stat("file").unwrap().mode & 0o7777, 0o755);
    host.by.cred = EVE;
    assert_eq!(chmod(&mut host, "file", 0o777), Err(Errno::EPERM));
    assert_eq!(chown(&mut host, "file", None, Some(1002)), Err(Errno::EPERM));
    host.by.cred = Cred::ROOT;
    chown(&mut host, "file", Some(3), Some(4)).unwrap();
    let stat = host.stat("file").unwrap();
    assert_eq!((stat.uid, stat.gid), (3, 4));
    assert_eq!(chmod(&mut host, "/proc/self/status", 0o777), Err(Errno::EPERM));
    let link = host.symlink("file", "link").unwrap();
    let refused = host.call(|fs, caller, _| fs.chmod(caller.by, link, 0));
    assert_eq!(refused, Err(Errno::EOPNOTSUPP));
}

#[test]
fn whoever_writes_takes_set_id_bits_away() {
    let mut host = host_of_alice();
    let ino = host.find("file").unwrap();
    chmod(&mut host, "file", 0o6777).unwrap();
    host.by.cred = Cred::ROOT;
    host.write(ino, 0, b"root").unwrap();
    assert_eq!(host.stat("file").unwrap().mode & 0o7777, 0o6777);
    host.by.cred = EVE;
    host.write(ino, 0, b"eve").unwrap();
    assert_eq!(host.stat("file").unwrap().mode & 0o7777, 0o777);
}

#[test]
fn a_set_group_id_directory_hands_its_group_down() {
    let mut host = host_of_alice();
    chmod(&mut host, "dir", 0o2777).unwrap();
    host.by.cred = EVE;
    host.put("dir/file", "").unwrap();
    let inner = host.mkdir("dir/inner").unwrap();
    assert_eq!(host.stat("dir/file").unwrap().gid, 1000);
    let inner = host.fs.stat(inner);
    assert_eq!((inner.gid, inner.mode & 0o7777), (1000, 0o2755));
}

#[test]
fn times_are_set_by_owners_and_touched_by_writers() {
    let mut host = host_of_alice();
    chmod(&mut host, "file", 0o666).unwrap();
    let ino = host.find("file").unwrap();
    host.by.cred = EVE;
    let set = |host: &mut Host, a, m| host.call(|fs, c, _| fs.utimens(c.by, ino, a, m));
    let fixed = SetTime::To(Realtime(5));
    assert_eq!(set(&mut host, fixed, fixed), Err(Errno::EPERM));
    assert_eq!(set(&mut host, SetTime::Now, SetTime::Omit), Err(Errno::EPERM));
    assert_eq!(set(&mut host, SetTime::Now, SetTime::Now), Ok(()));
    host.by.cred = ALICE;
    chmod(&mut host, "file", 0o444).unwrap();
    host.by.cred = EVE;
    assert_eq!(set(&mut host, SetTime::Now, SetTime::Now), Err(Errno::EACCES));
    assert_eq!(set(&mut host, SetTime::Omit, SetTime::Omit), Ok(()));
    let flags = libc::O_RDONLY | libc::O_NOATIME;
    assert_eq!(host.open("file", flags), Err(Errno::EPERM));
    host.by.cred = ALICE;
    let opened = host.open_node("file", flags).unwrap();
    host.fs.release(opened);
}

#[test]
fn devices_are_roots_to_make() {
    let mut host = host_of_alice();
    let device = Special::Device(Device::Zero);
    assert_eq!(host.mknod("zero", device), Err(Errno::EPERM));
    assert_eq!(host.mknod("fifo", Special::Fifo(1)).map(|_| ()), Ok(()));
    host.by.cred = Cred::ROOT;
    assert_eq!(
        host.mknod("zero", device).map(|ino| host.fs.kind(ino)),
        Ok(Kind::Device(Device::Zero))
    );
}

#[test]
fn a_read_only_file_system_refuses_before_rights_do() {
    let mut host = host();
    let online = "/sys/devices/system/cpu/online";
    assert_eq!(host.get(online), Ok(String::from("0-1\n")));
    assert_eq!(host.open(online, libc::O_WRONLY), Err(Errno::EROFS));
    assert_eq!(host.put("/sys/new", ""), Err(Errno::EROFS));
    assert_eq!(host.mkdir("/sys/new"), Err(Errno::EROFS));
    assert_eq!(host.mkdir("/sys/devices"), Err(Errno::EEXIST));
    assert_eq!(host.unlink("/sys/none"), Err(Errno::EROFS));
    assert_eq!(host.rename("/sys/none", "/sys/other"), Err(Errno::EROFS));
    assert_eq!(chmod(&mut host, online, 0o777), Err(Errno::EROFS));
    let ino = host.find(online).unwrap();
    assert_eq!(host.fs.permit(Cred::ROOT, ino, Access::WRITE), Err(Errno::EROFS));
}
