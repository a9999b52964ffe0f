//! /proc as a directory tree.

use super::*;
use crate::seams::{Backing, PROGRAM};
use alloc::vec;

#[test]
fn names_are_those_of_linux() {
    let mut host = host();
    host.kernel.links.insert(0, ProcLink::Foreign(b"pipe:[5]".to_vec()));
    host.kernel.links.insert(3, ProcLink::Node(Fs::ROOT));
    let root = host.list("/proc").unwrap();
    for name in ["self", "thread-self", "cpuinfo", "meminfo", "stat", "mounts", "net", "sys", "7"] {
        assert!(root.iter().any(|n| n == name), "{name} is missing in {root:?}");
    }
    assert_eq!(host.list("/proc/self/task").unwrap(), ["7", "8"]);
    assert_eq!(host.list("/proc/self/task/8").unwrap(), ["comm", "stat", "status"]);
    assert_eq!(host.list("/proc/self/fd").unwrap(), ["0", "3"]);
    assert_eq!(host.list("/proc/7/fdinfo").unwrap(), ["0", "3"]);
    assert_eq!(host.list("/proc/1/fd").unwrap(), [""; 0]);
    assert_eq!(host.list("/proc/sys/kernel/random").unwrap(), ["boot_id", "entropy_avail", "uuid"]);
    for missing in
        ["/proc/2", "/proc/07", "/proc/0", "/proc/self/fd/1", "/proc/7/task/9", "/proc/x"]
    {
        assert_eq!(host.find(missing), Err(Errno::ENOENT), "{missing}");
    }
}

#[test]
fn every_name_that_is_listed_leads_to_its_node() {
    fn check(host: &mut Host, path: &str) -> usize {
        let directory = host.find(path).unwrap();
        let mut entries = Vec::new();
        host.call(|fs, caller, _| {
            fs.read_directory(caller, directory, 2, &mut |entry| {
                entries.push((
                    String::from_utf8(entry.name.to_vec()).unwrap(),
                    entry.ino,
                    entry.kind,
                ));
                Take::More
            })
        })
        .unwrap();
        let mut count = entries.len();
        for (name, ino, kind) in entries {
            let path = format!("{path}/{name}");
            assert_eq!(host.resolve(&path, Lookup::empty()), Ok(Found::Node(Ino(ino))), "{path}");
            let stat = host.fs.stat(Ino(ino));
            assert_eq!((stat.mode & libc::S_IFMT, stat.ino), (kind.mode(), ino), "{path}");
            assert_eq!(host.path_of(Ino(ino)), path);
            if kind == FileType::Directory {
                assert_eq!(host.find(&format!("{path}/..")), Ok(directory), "{path}");
                count += check(host, &path);
            }
        }
        count
    }
    let mut host = host();
    host.kernel.links.insert(0, ProcLink::Foreign(b"pipe:[5]".to_vec()));
    assert!(check(&mut host, "/proc") > 100);
}

#[test]
fn links_of_the_caller() {
    let mut host = host();
    host.kernel.cwd = Some(host.cwd);
    assert_eq!(host.readlink("/proc/self"), Ok(String::from("7")));
    assert_eq!(host.readlink("/proc/thread-self"), Ok(String::from("7/task/8")));
    assert_eq!(host.readlink("/proc/mounts"), Ok(String::from("self/mounts")));
    assert_eq!(host.readlink("/proc/self/exe"), Ok(String::from("/usr/bin/guest")));
    assert_eq!(host.readlink("/proc/self/cwd"), Ok(String::from("/tmp")));
    assert_eq!(host.find("/proc/self/cwd/.."), Ok(Fs::ROOT));
    assert_eq!(host.find("/proc/self/root/etc"), host.find("/etc"));
    assert_eq!(host.find("/proc/thread-self/comm"), host.find("/proc/7/task/8/comm"));
}

#[test]
fn descriptors_lead_to_their_files_even_without_a_name() {
    let mut host = host();
    host.put("file", "text").unwrap();
    let file = host.open_node("file", libc::O_RDONLY).unwrap();
    host.kernel.links.insert(3, ProcLink::Node(file));
    assert_eq!(host.readlink("/dev/fd/3"), Ok(String::from("/tmp/file")));
    host.unlink("file").unwrap();
    assert_eq!(host.readlink("/proc/self/fd/3"), Ok(String::from("/tmp/file (deleted)")));
    assert_eq!(host.get("/proc/self/fd/3"), Ok(String::from("text")));
    assert_eq!(host.find("/proc/self/fd/3/"), Err(Errno::ENOTDIR));
    assert_eq!(host.open("/proc/self/fd/3", libc::O_NOFOLLOW), Err(Errno::ELOOP));
    let created = host.open("/proc/self/fd/3", libc::O_CREAT | libc::O_WRONLY);
    assert_eq!(created, Ok(Opened::Node { ino: file, created: false }));
    host.fs.release(file);
    host.fs.release(file);
    assert!(host.fs.nodes.find(file).is_none());
}

#[test]
fn what_has_no_node_is_given_back_to_the_kernel() {
    let mut host = host();
    host.kernel.links.insert(1, ProcLink::Foreign(b"pipe:[5]".to_vec()));
    let foreign = Found::Foreign { pid: 7, fd: 1 };
    assert_eq!(host.resolve("/dev/stdout", Lookup::FOLLOW), Ok(foreign));
    assert_eq!(host.open("/dev/stdout", libc::O_WRONLY), Ok(Opened::Foreign { pid: 7, fd: 1 }));
    let shell = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
    assert_eq!(host.open("/dev/stdout", shell), Ok(Opened::Foreign { pid: 7, fd: 1 }));
    assert_eq!(host.readlink("/proc/self/fd/1"), Ok(String::from("pipe:[5]")));
    assert_eq!(host.find("/dev/stdout/"), Err(Errno::ENOTDIR));
    assert_eq!(host.find("/dev/stdout/x"), Err(Errno::ENOTDIR));
    assert_eq!(host.open("/dev/stdin", libc::O_RDONLY), Err(Errno::ENOENT));
}

#[test]
fn a_text_is_made_when_it_is_opened_and_stays() {
    let mut host = host();
    let text = |made| Ok(format!("Status of 7:0, made {made}\n"));
    let one = host.open_node("/proc/self/status", libc::O_RDONLY).unwrap();
    let two = host.open_node("/proc/self/status", libc::O_RDONLY).unwrap();
    assert_eq!((host.read(one), host.read(two)), (text(1), text(2)));
    host.call(|fs, caller, _| fs.refresh(caller, one)).unwrap();
    assert_eq!((host.read(one), host.read(two)), (text(3), text(2)));
    let node = ProcNode { entry: ProcEntry::Status, pid: 7, arg: 0 };
    assert_eq!(host.fs.kind(one), Kind::Proc(node));
    assert_eq!(host.path_of(one), "/proc/7/status");
    assert_eq!(host.fs.stat(one), host.stat("/proc/self/status").unwrap());
    assert_eq!(host.fs.stat(one).size, 0);
    for ino in [one, two] {
        host.fs.release(ino);
        assert!(host.fs.nodes.find(ino).is_none());
    }
    assert_eq!(host.get("/proc/7/task/8/stat"), Ok(String::from("TaskStat of 7:8, made 4\n")));
}

#[test]
fn nothing_is_made_or_removed_in_proc() {
    let mut host = host();
    assert_eq!(host.mkdir("/proc/x"), Err(Errno::ENOENT));
    assert_eq!(host.put("/proc/x", ""), Err(Errno::ENOENT));
    assert_eq!(host.symlink("a", "/proc/x"), Err(Errno::ENOENT));
    assert_eq!(host.mkdir("/proc/sys"), Err(Errno::EEXIST));
    assert_eq!(host.unlink("/proc/version"), Err(Errno::EPERM));
    assert_eq!(host.rmdir("/proc/sys"), Err(Errno::EPERM));
    assert_eq!(host.rename("/proc/version", "/proc/x"), Err(Errno::ENOENT));
    assert_eq!(host.rename("/proc/version", "/proc/stat"), Err(Errno::EPERM));
    assert_eq!(host.rename("/proc/version", "x"), Err(Errno::EXDEV));
    assert_eq!(host.link("/proc/version", "x"), Err(Errno::EXDEV));
    assert_eq!(host.open("/proc", libc::O_TMPFILE | libc::O_RDWR), Err(Errno::EOPNOTSUPP));
    assert_eq!(host.fs.writes(), 0);
}

#[test]
fn mounts_are_listed() {
    let mut host = host();
    let expected = "/dev/sda1 / ext4 rw,relatime 0 0\n\
                    proc /proc proc rw,nosuid,relatime 0 0\n\
                    sysfs /sys sysfs ro,nosuid,relatime 0 0\n\
                    udev /dev devtmpfs rw,nosuid,relatime 0 0\n\
                    tmpfs /run tmpfs rw,nosuid,relatime 0 0\n\
                    tmpfs /dev/shm tmpfs rw,nosuid,relatime 0 0\n";
    assert_eq!(host.get("/proc/mounts").as_deref(), Ok(expected));
    let info = host.get("/proc/self/mountinfo").unwrap();
    let lines: Vec<&str> = info.lines().collect();
    assert_eq!(lines[0], "20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw");
    assert_eq!(lines[5], "25 23 0:25 / /dev/shm rw,nosuid,relatime - tmpfs tmpfs rw");
    let shm = host.stat("/dev/shm").unwrap();
    assert_eq!((shm.dev, shm.mount_id, shm.mode), ((0, 25), 25, libc::S_IFDIR | 0o1777));
}

#[test]
fn the_program_is_on_the_disk_and_fetched_when_it_is_wanted() {
    let mut host = host();
    let file = OutsideNode::File { size: 4, mode: 0o755 };
    host.outside.nodes.insert(String::from(PROGRAM), (file, b"\x7fELF".to_vec()));
    assert!(host.outside.asked.is_empty());
    let stat = host.stat("/proc/self/exe").unwrap();
    assert_eq!((stat.size, stat.mode), (4, libc::S_IFREG | 0o755));
    assert_eq!(host.outside.asked, [format!("look {PROGRAM}")]);
    assert_eq!(host.get("/usr/bin/guest").as_deref(), Ok("\x7fELF"));
    assert_eq!(host.fs.writes(), 0);
}

#[test]
fn mappings_name_the_program_as_the_disk_does() {
    let mut host = host();
    let file = OutsideNode::File { size: 0, mode: 0o755 };
    host.outside.nodes.insert(String::from(PROGRAM), (file, vec![]));
    let ino = host.find("/usr/bin/guest").unwrap().0;
    let mapping = |start, prot, backing| Mapping { start, end: start + 0x1000, prot, backing };
    let code = libc::PROT_READ | libc::PROT_EXEC;
    host.outside.mappings = vec![
        mapping(0x5555_5555_4000, code, Backing::Program(0x2000)),
        mapping(0x6000_0000_0000, libc::PROT_READ, Backing::Named("[heap]")),
        mapping(0x7fff_f7dd_0000, code, Backing::Library(String::from("/lib/libc.so.6"), 0x1000)),
        mapping(0x7fff_f7fd_0000, libc::PROT_NONE, Backing::Nothing),
    ];
    let text = host.get("/proc/self/maps").unwrap();
    let words: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().collect()).collect();
    let ino = format!("{ino}");
    assert_eq!(
        words,
        [
            vec!["555555554000-555555555000", "r-xp", "00002000", "08:01", &ino, "/usr/bin/guest"],
            vec!["600000000000-600000001000", "r--p", "00000000", "00:00", "0", "[heap]"],
            vec!["7ffff7dd0000-7ffff7dd1000", "r-xp", "00001000", "08:01", "0", "/lib/libc.so.6"],
            vec!["7ffff7fd0000-7ffff7fd1000", "---p", "00000000", "00:00", "0"],
        ]
    );
}
