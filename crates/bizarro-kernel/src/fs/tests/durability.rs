//! What goes to the disk, what fails there, what is durable.

use super::*;

#[test]
fn setting_a_host_up_writes_nothing_and_every_change_once() {
    let mut host = host();
    assert_eq!(host.fs.writes(), 0);
    host.put("file", "text").unwrap();
    assert_eq!(host.fs.writes(), 2);
    host.get("file").unwrap();
    host.get("/proc/version").unwrap();
    host.put("/dev/shm/file", "text").unwrap();
    host.put("/run/file", "text").unwrap();
    assert_eq!(host.fs.writes(), 2);
    host.rename("file", "other").unwrap();
    host.mkdir("dir").unwrap();
    host.unlink("other").unwrap();
    host.rmdir("dir").unwrap();
    assert_eq!(host.fs.writes(), 6);
    assert_eq!(host.unlink("other"), Err(Errno::ENOENT));
    assert_eq!(host.fs.writes(), 6);
}

/// A change that an armed failure strikes.
type Strike = fn(&mut Host) -> Result<(), Errno>;

#[test]
fn an_armed_failure_strikes_once_and_changes_nothing() {
    let strikes: [Strike; 7] = [
        |host| host.put("new", ""),
        |host| host.mkdir("new").map(|_| ()),
        |host| host.symlink("x", "new").map(|_| ()),
        |host| host.link("file", "new"),
        |host| host.rename("file", "new"),
        |host| {
            let ino = host.find("file")?;
            host.write(ino, 2, b"XX").map(|_| ())
        },
        |host| host.open_node(".", libc::O_TMPFILE | libc::O_RDWR).map(|ino| host.fs.release(ino)),
    ];
    for (index, strike) in strikes.into_iter().enumerate() {
        for errno in [Errno::ENOSPC, Errno::EIO] {
            let mut host = host();
            host.put("file", "text").unwrap();
            let before = host.fs.writes();
            host.fs.fail_next_write(errno);
            assert_eq!(host.get("file"), Ok(String::from("text")));
            assert_eq!(strike(&mut host), Err(errno), "strike {index}");
            assert_eq!(host.get("file"), Ok(String::from("text")));
            assert_eq!(host.list(".").unwrap(), ["file"]);
            assert_eq!((host.fs.writes(), host.fs.failing()), (before, None));
            assert_eq!(strike(&mut host), Ok(()), "strike {index}");
        }
    }
}

#[test]
fn only_what_needs_room_fails_for_want_of_it() {
    let mut host = host();
    host.put("file", "text").unwrap();
    let file = host.find("file").unwrap();
    host.fs.fail_next_write(Errno::ENOSPC);
    host.put("/dev/shm/file", "elsewhere").unwrap();
    assert_eq!(host.fs.fsync(file), Ok(()));
    assert_eq!(host.call(|fs, caller, _| fs.resize(caller.by, file, 1)), Ok(()));
    assert_eq!(host.call(|fs, caller, _| fs.chmod(caller.by, file, 0)), Ok(()));
    assert_eq!(host.fs.failing(), Some(Errno::ENOSPC));
    assert_eq!(host.write(file, 0, b"x"), Err(Errno::ENOSPC));
    host.fs.fail_next_write(Errno::EIO);
    host.unlink("file").unwrap();
    assert_eq!(host.put("new", ""), Err(Errno::EIO));
}

#[test]
fn syncing_makes_durable_what_it_covers() {
    let mut host = host();
    let durable = |host: &mut Host, path: &str| {
        let ino = host.find(path).unwrap();
        host.fs.durable(ino)
    };
    assert_eq!(durable(&mut host, "/etc/hosts"), Durable::Fully);
    assert_eq!(durable(&mut host, "."), Durable::Fully);
    host.put("file", "text").unwrap();
    let (file, directory) = (host.find("file").unwrap(), host.cwd);
    assert_eq!(durable(&mut host, "file"), Durable::No);
    host.fs.fdatasync(file).unwrap();
    assert_eq!(durable(&mut host, "file"), Durable::Content);
    host.fs.fsync(file).unwrap();
    assert_eq!(durable(&mut host, "file"), Durable::Fully);
    assert_eq!(durable(&mut host, "."), Durable::No);
    host.fs.fsync(directory).unwrap();
    assert_eq!(durable(&mut host, "."), Durable::Fully);
    host.rename("file", "/var/tmp/file").unwrap();
    assert_eq!(durable(&mut host, "."), Durable::No);
    assert_eq!(durable(&mut host, "/var/tmp"), Durable::No);
    assert_eq!(durable(&mut host, "/var/tmp/file"), Durable::Content);
    host.fs.sync_all();
    for path in [".", "/var/tmp", "/var/tmp/file"] {
        assert_eq!(durable(&mut host, path), Durable::Fully, "{path}");
    }
    host.put("/run/file", "").unwrap();
    host.fs.sync_all();
    assert_eq!(durable(&mut host, "/run/file"), Durable::No);
}

#[test]
fn a_failed_sync_is_not_made_good_by_the_next() {
    let mut host = host();
    host.put("file", "text").unwrap();
    let file = host.find("file").unwrap();
    host.fs.fail_next_write(Errno::EIO);
    assert_eq!(host.fs.fsync(file), Err(Errno::EIO));
    assert_eq!(host.fs.fsync(file), Ok(()));
    assert_eq!(host.fs.durable(file), Durable::No);
    host.put("file", "again").unwrap();
    host.fs.fsync(file).unwrap();
    assert_eq!(host.fs.durable(file), Durable::Fully);
}

#[test]
fn a_crash_of_all_processes_takes_only_what_has_no_name() {
    let mut host = host();
    let before = host.fs.statfs(Fs::ROOT);
    host.put("kept", "not synced").unwrap();
    host.mkdir("dir").unwrap();
    host.put("dir/gone", "text").unwrap();
    let kept = host.open_node("kept", libc::O_RDONLY).unwrap();
    let gone = host.open_node("dir/gone", libc::O_RDONLY).unwrap();
    let text = host.open_node("/proc/version", libc::O_RDONLY).unwrap();
    let directory = host.find("dir").unwrap();
    host.unlink("dir/gone").unwrap();
    host.rmdir("dir").unwrap();
    host.fs.release_all();
    for ino in [gone, text, directory] {
        assert!(host.fs.nodes.find(ino).is_none());
    }
    assert_eq!(host.get("kept"), Ok(String::from("not synced")));
    host.unlink("kept").unwrap();
    assert!(host.fs.nodes.find(kept).is_none());
    assert_eq!(host.fs.statfs(Fs::ROOT), before);
}

#[test]
fn what_cannot_be_synced_says_so() {
    let mut host = host();
    let fifo = host.mknod("fifo", Special::Fifo(0)).unwrap();
    assert_eq!(host.fs.fsync(fifo), Err(Errno::EINVAL));
    let proc = host.find("/proc").unwrap();
    assert_eq!(host.fs.fdatasync(proc), Err(Errno::EINVAL));
}
