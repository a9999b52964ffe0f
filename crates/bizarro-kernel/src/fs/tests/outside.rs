//! Real directories, and the files of a fresh host.

use super::*;

fn directory(names: &[&str]) -> (OutsideNode, Vec<u8>) {
    (OutsideNode::Directory(names.iter().map(|name| String::from(*name)).collect()), Vec::new())
}

/// /real holds `data/a`, `data/link` and `absolute`, mounted at /mnt/real.
fn host_with_mount() -> Host {
    let mut host = host();
    let nodes = &mut host.outside.nodes;
    nodes.insert("/real".into(), directory(&["absolute", "data", "gone"]));
    nodes.insert("/real/data".into(), directory(&["a", "link"]));
    let file = OutsideNode::File { size: 5, mode: 0o100_644 };
    nodes.insert("/real/data/a".into(), (file, b"bytes".to_vec()));
    let link = |target: &str| (OutsideNode::Symlink(target.into()), Vec::new());
    nodes.insert("/real/data/link".into(), link("../data/a"));
    nodes.insert("/real/absolute".into(), link("/etc/hostname"));
    host.fs.mount("/mnt/real", "/real", Realtime(5), &mut host.outside).unwrap();
    host
}

#[test]
fn real_directories_are_looked_at_once_and_only_where_a_path_leads() {
    let mut host = host_with_mount();
    assert_eq!(host.outside.asked, ["look /real"]);
    assert_eq!(host.stat("/mnt/real/data/a").unwrap().size, 5);
    assert_eq!(host.outside.asked, ["look /real", "look /real/data", "look /real/data/a"]);
    assert_eq!(host.get("/mnt/real/data/a"), Ok(String::from("bytes")));
    assert_eq!(host.get("/mnt/real/data/a"), Ok(String::from("bytes")));
    assert_eq!(host.outside.asked.len(), 4);
    assert_eq!(host.outside.asked[3], "read /real/data/a");
    assert_eq!(host.fs.writes(), 0);
}

#[test]
fn links_of_real_directories_stay_in_the_world() {
    let mut host = host_with_mount();
    assert_eq!(host.get("/mnt/real/data/link"), Ok(String::from("bytes")));
    assert_eq!(host.get("/mnt/real/absolute"), Ok(String::from("board\n")));
    assert_eq!(host.find("/mnt/real/.."), host.find("/mnt"));
    let file = host.find("/mnt/real/data/link").unwrap();
    assert_eq!(host.path_of(file), "/mnt/real/data/a");
}

#[test]
fn real_directories_are_listed_with_types() {
    let mut host = host_with_mount();
    let ino = host.find("/mnt/real").unwrap();
    let mut kinds = Vec::new();
    host.call(|fs, caller, _| {
        fs.read_directory(caller, ino, 2, &mut |entry| {
            kinds.push((String::from_utf8(entry.name.to_vec()).unwrap(), entry.kind));
            Take::More
        })
    })
    .unwrap();
    let expected = [
        (String::from("absolute"), FileType::Symlink),
        (String::from("data"), FileType::Directory),
        (String::from("gone"), FileType::Regular),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(host.get("/mnt/real/gone"), Err(Errno::ENOENT));
}

#[test]
fn nothing_is_written_to_real_directories() {
    let mut host = host_with_mount();
    for errno in [
        host.put("/mnt/real/data/a", "x"),
        host.put("/mnt/real/new", "x"),
        host.mkdir("/mnt/real/new").map(|_| ()),
        host.unlink("/mnt/real/data/a"),
        host.rename("/mnt/real/data/a", "/mnt/real/b"),
        host.link("/mnt/real/data/a", "/mnt/real/b"),
    ] {
        assert_eq!(errno, Err(Errno::EROFS));
    }
    assert_eq!(host.rename("/mnt/real/data/a", "here"), Err(Errno::EXDEV));
    assert_eq!(host.rmdir("/mnt/real"), Err(Errno::EBUSY));
}

#[test]
fn a_mount_over_a_directory_hides_it_and_a_missing_source_is_refused() {
    let mut host = host_with_mount();
    let links = host.stat("/srv").unwrap().nlink;
    assert_eq!(host.get("/srv/data/seed"), Ok(String::from("seed")));
    host.fs.mount("/srv/data/", "/real/data", Realtime(5), &mut host.outside).unwrap();
    assert_eq!(host.list("/srv/data").unwrap(), ["a", "link"]);
    assert_eq!(host.stat("/srv").unwrap().nlink, links);
    let missing = host.fs.mount("/mnt/x", "/nowhere", Realtime(5), &mut host.outside);
    assert_eq!(missing, Err(Errno::ENOENT));
    assert_eq!(host.find("/mnt/x"), Err(Errno::ENOENT));
}

#[test]
fn a_fresh_host_has_what_the_c_library_reads() {
    let mut host = host();
    let hosts = host.get("/etc/hosts").unwrap();
    assert!(hosts.contains("127.0.0.1\tlocalhost\n"));
    assert!(hosts.ends_with("10.0.0.2\tboard\n"));
    assert_eq!(host.get("/etc/resolv.conf"), Ok(String::from("nameserver 10.0.0.1\n")));
    assert_eq!(host.get("/etc/machine-id").unwrap(), format!("{:032x}\n", 0xfeed));
    assert!(host.get("/etc/nsswitch.conf").unwrap().contains("hosts: files dns\n"));
    assert!(host.get("/etc/passwd").unwrap().starts_with("root:x:0:0:"));
    assert_eq!(host.find("/etc/localtime"), Err(Errno::ENOENT));
    assert_eq!(host.stat("/tmp").unwrap().mode, libc::S_IFDIR | 0o1777);
    assert_eq!(host.find("/bin"), host.find("/usr/bin"));
    assert_eq!(host.find("/var/run"), host.find("/run"));
    assert_eq!(host.stat("/home/user").unwrap().uid, 1000);
    assert_eq!(host.readlink("/dev/stdin"), Ok(String::from("/proc/self/fd/0")));
    assert_eq!(host.find("/sys/fs/cgroup"), Err(Errno::ENOENT));
    let cpus = host.list("/sys/devices/system/cpu").unwrap();
    assert_eq!(cpus, ["online", "possible", "present", "cpu0", "cpu1"]);
    let root = host.stat("/").unwrap();
    assert_eq!((root.ino, root.dev), (2, (8, 1)));
    let disk = host.fs.statfs(Fs::ROOT);
    assert_eq!((disk.magic, disk.block_size, disk.blocks), (0xEF53, 4096, 256));
}

#[test]
fn planted_files_replace_and_make_their_directories() {
    let mut host = host();
    host.fs.plant_file("/bin/deep/er/file", b"one", Realtime(7)).unwrap();
    host.fs.plant_file("/usr/bin/deep/er/file", b"two", Realtime(8)).unwrap();
    assert_eq!(host.get("/bin/deep/er/file"), Ok(String::from("two")));
    assert_eq!(host.list("/usr/bin/deep/er").unwrap(), ["file"]);
    let plant = |host: &mut Host, path: &str, size| {
        host.fs.plant_file(path, &alloc::vec![0; size], Realtime(9))
    };
    assert_eq!(plant(&mut host, "/bin/deep", 0), Err(Errno::EISDIR));
    assert_eq!(plant(&mut host, "/bin/deep/", 0), Err(Errno::EISDIR));
    assert_eq!(plant(&mut host, "/bin/deep/er/file/x", 0), Err(Errno::ENOTDIR));
    assert_eq!(plant(&mut host, "relative", 0), Err(Errno::EINVAL));
    assert_eq!(plant(&mut host, "/huge", 2 << 20), Err(Errno::ENOSPC));
}
