//! From paths to nodes and back.

use super::*;

#[test]
fn forty_links_are_followed_and_no_more() {
    let mut host = host_with(4 << 20);
    host.put("0", "end").unwrap();
    for n in 1..=41 {
        host.symlink(&format!("{}", n - 1), &format!("{n}")).unwrap();
    }
    assert_eq!(host.get("40"), Ok(String::from("end")));
    assert_eq!(host.get("41"), Err(Errno::ELOOP));
    host.symlink("self", "self").unwrap();
    assert_eq!(host.stat("self"), Err(Errno::ELOOP));
    assert_eq!(host.stat("self/x"), Err(Errno::ELOOP));
}

#[test]
fn the_root_is_above_itself() {
    let mut host = host();
    assert_eq!(host.find("/../../tmp/../.."), Ok(Fs::ROOT));
    assert_eq!(host.find("../..//..///"), Ok(Fs::ROOT));
}

#[test]
fn empty_and_long_paths_are_refused() {
    let mut host = host();
    assert_eq!(host.find(""), Err(Errno::ENOENT));
    let cwd = host.cwd;
    assert_eq!(host.resolve("", Lookup::EMPTY), Ok(Found::Node(cwd)));
    assert_eq!(host.find(&"/".repeat(4095)), Ok(Fs::ROOT));
    assert_eq!(host.find(&"/".repeat(4096)), Err(Errno::ENAMETOOLONG));
    assert_eq!(host.find(&"n".repeat(255)), Err(Errno::ENOENT));
    assert_eq!(host.find(&"n".repeat(256)), Err(Errno::ENAMETOOLONG));
    assert_eq!(host.find(&format!("none/{}", "n".repeat(256))), Err(Errno::ENOENT));
}

#[test]
fn a_relative_path_starts_at_a_directory() {
    let mut host = host();
    host.put("file", "x").unwrap();
    host.cwd = host.find("file").unwrap();
    assert_eq!(host.find("."), Err(Errno::ENOTDIR));
    assert_eq!(host.find("/tmp/file"), Ok(host.cwd));
}

#[test]
fn a_removed_directory_is_empty_for_good_but_has_a_way_out() {
    let mut host = host();
    host.mkdir("gone").unwrap();
    host.mkdir("gone/inner").unwrap();
    let (outer, inner) = (host.find("gone").unwrap(), host.find("gone/inner").unwrap());
    host.fs.retain(inner);
    host.rmdir("gone/inner").unwrap();
    host.rmdir("gone").unwrap();
    host.cwd = inner;
    assert_eq!(host.open("x", libc::O_CREAT | libc::O_WRONLY), Err(Errno::ENOENT));
    assert_eq!(host.mkdir("x"), Err(Errno::ENOENT));
    assert_eq!(host.find(&"n".repeat(300)), Err(Errno::ENOENT));
    assert_eq!(host.open(".", libc::O_TMPFILE | libc::O_RDWR), Err(Errno::EPERM));
    assert_eq!(host.list("."), Err(Errno::ENOENT));
    assert_eq!(host.stat(".").unwrap().nlink, 0);
    assert_eq!(host.find(".."), Ok(outer));
    assert_eq!(host.find("../.."), host.find("/tmp"));
    assert_eq!(host.fs.cwd_path(inner), Err(Errno::ENOENT));
    assert_eq!(host.path_of(inner), "/tmp/gone/inner (deleted)");
    host.cwd = Fs::ROOT;
    host.fs.release(inner);
    assert!(host.fs.nodes.find(inner).is_none());
    assert!(host.fs.nodes.find(outer).is_none());
}

#[test]
fn a_directory_knows_its_path_wherever_it_moves() {
    let mut host = host();
    host.mkdir("a").unwrap();
    let deep = host.mkdir("a/b").unwrap();
    host.rename("a", "/var/lib/moved").unwrap();
    assert_eq!(host.path_of(deep), "/var/lib/moved/b");
    assert_eq!(host.fs.cwd_path(deep), Ok(b"/var/lib/moved/b".to_vec()));
    assert_eq!(host.fs.cwd_path(Fs::ROOT), Ok(b"/".to_vec()));
}

#[test]
fn a_file_without_a_name_tells_where_it_was() {
    let mut host = host();
    host.mkdir("dir").unwrap();
    host.put("dir/file", "text").unwrap();
    let file = host.open_node("dir/file", libc::O_RDONLY).unwrap();
    host.unlink("dir/file").unwrap();
    assert_eq!(host.path_of(file), "/tmp/dir/file (deleted)");
    host.put("dir/file", "other").unwrap();
    assert_eq!(host.path_of(file), "/tmp/dir/file (deleted)");
    host.unlink("dir/file").unwrap();
    host.rmdir("dir").unwrap();
    assert_eq!(host.path_of(file), "/tmp/dir/file (deleted)");
    assert_eq!(host.read(file), Ok(String::from("text")));
    host.fs.release(file);
    assert!(host.fs.nodes.find(file).is_none());
}

#[test]
fn a_file_with_two_names_tells_the_one_it_was_opened_by() {
    let mut host = host();
    host.put("one", "x").unwrap();
    host.link("one", "two").unwrap();
    let file = host.open_node("two", libc::O_RDONLY).unwrap();
    assert_eq!(host.path_of(file), "/tmp/two");
    host.rename("one", "three").unwrap();
    assert_eq!(host.path_of(file), "/tmp/two");
    host.unlink("two").unwrap();
    assert_eq!(host.path_of(file), "/tmp/two (deleted)");
    host.fs.release(file);
    assert_eq!(host.stat("three").unwrap().nlink, 1);
}

#[test]
fn open_refuses_flags_that_contradict_each_other() {
    let mut host = host();
    assert_eq!(host.open(".", libc::O_CREAT | libc::O_DIRECTORY), Err(Errno::EINVAL));
    assert_eq!(host.open(".", libc::O_TMPFILE), Err(Errno::EINVAL));
    let tmpfile_alone = libc::O_TMPFILE & !libc::O_DIRECTORY;
    assert_eq!(host.open(".", tmpfile_alone | libc::O_RDWR), Err(Errno::EINVAL));
    assert_eq!(host.open("new/", libc::O_CREAT | libc::O_RDWR), Err(Errno::EISDIR));
    assert_eq!(host.open("none/new/", libc::O_CREAT | libc::O_RDWR), Err(Errno::ENOENT));
    assert_eq!(host.open("/", libc::O_CREAT | libc::O_EXCL), Err(Errno::EEXIST));
    assert_eq!(host.open("/", libc::O_CREAT), Err(Errno::EISDIR));
    assert_eq!(host.open("/", libc::O_RDWR), Err(Errno::EISDIR));
}

#[test]
fn what_is_created_through_a_dangling_link_appears_at_its_end() {
    let mut host = host();
    host.symlink("/var/tmp/target", "link").unwrap();
    let exclusive = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
    assert_eq!(host.open("link", exclusive), Err(Errno::EEXIST));
    assert_eq!(host.open("link", libc::O_CREAT | libc::O_NOFOLLOW), Err(Errno::ELOOP));
    host.put("link", "through").unwrap();
    assert_eq!(host.get("/var/tmp/target"), Ok(String::from("through")));
    assert_eq!(host.open("link", libc::O_NOFOLLOW), Err(Errno::ELOOP));
    assert_eq!(host.open("link", libc::O_NOFOLLOW | libc::O_DIRECTORY), Err(Errno::ENOTDIR));
    let link = host.open_node("link", libc::O_NOFOLLOW | libc::O_PATH).unwrap();
    assert_eq!(host.fs.kind(link), Kind::Symlink);
    host.fs.release(link);
}

#[test]
fn special_nodes_open_as_linux_says() {
    let mut host = host();
    let fifo = host.mknod("fifo", Special::Fifo(5)).unwrap();
    assert_eq!(host.open("fifo", libc::O_RDONLY), Ok(Opened::Node { ino: fifo, created: false }));
    assert_eq!(host.fs.kind(fifo), Kind::Fifo(5));
    let socket = host.mknod("socket", Special::Socket(6)).unwrap();
    assert_eq!(host.open("socket", libc::O_RDONLY), Err(Errno::ENXIO));
    assert_eq!(host.fs.kind(socket), Kind::Socket(6));
    assert_eq!(host.open("/dev/tty", libc::O_RDWR), Err(Errno::ENXIO));
    let null = host.open_node("/dev/null", libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC).unwrap();
    assert_eq!(host.fs.kind(null), Kind::Device(Device::Null));
    assert_eq!(host.fs.stat(null).rdev, (1, 3));
    assert_eq!(host.fs.stat(null).mode, libc::S_IFCHR | 0o666);
    host.fs.release(null);
    host.fs.release(fifo);
}
