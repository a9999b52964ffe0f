//! std::fs and std::io, as ordinary programs use them.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::Transcript;
use crate::scratch::Scratch;

tests![Std:
    std_fs_read_and_write,
    std_fs_open_options,
    std_fs_seek_and_positions,
    std_fs_directories,
    std_fs_remove_trees,
    std_fs_copy_and_rename,
    std_fs_links,
    std_fs_metadata_and_permissions,
    std_fs_times,
    std_fs_locks,
    std_fs_buffered_lines,
    std_fs_error_kinds,
    std_io_copy_and_pipe,
];

fn std_fs_read_and_write(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("f");
    t.io("write", fs::write(&path, "some text\n"));
    t.value("read_to_string", fs::read_to_string(&path).expect("it").trim_end());
    t.io("write again, shorter", fs::write(&path, "short"));
    t.value("size", fs::metadata(&path).expect("it").len());
    t.io("write bytes that are no text", fs::write(&path, [0xff, 0xfe]));
    t.io("read_to_string of them", fs::read_to_string(&path));
    t.io("read what is absent", fs::read(scratch.path("absent")));
    let big = vec![3; 3 << 20];
    t.io("write 3 MiB", fs::write(&path, &big));
    t.holds("read them", fs::read(&path).is_ok_and(|content| content == big));
}

fn std_fs_open_options(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("f");
    t.io("create_new", File::create_new(&path));
    t.io("create_new again", File::create_new(&path));
    let mut appending = OpenOptions::new().append(true).open(&path).expect("it");
    appending.write_all(b"one").expect("it writes");
    appending.write_all(b"two").expect("it writes");
    t.value("appended", fs::read_to_string(&path).expect("it"));
    t.io("no access at all", OpenOptions::new().open(&path));
    let mut reader = File::open(&path).expect("it");
    t.io("write to a reader", reader.write(b"x"));
    let file = OpenOptions::new().write(true).open(&path).expect("it");
    t.io("set_len", file.set_len(2));
    t.io("sync_all", file.sync_all());
    t.io("sync_data", file.sync_data());
    t.value("content", fs::read_to_string(&path).expect("it"));
}

fn std_fs_seek_and_positions(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"0123456789");
    let mut file = OpenOptions::new().read(true).write(true).open(&path).expect("it");
    t.value("seek from the end", file.seek(SeekFrom::End(-4)).expect("it"));
    let mut text = String::new();
    t.value("read_to_string", file.read_to_string(&mut text).expect("it"));
    t.value("text", text);
    t.value("position", file.stream_position().expect("it"));
    t.io("rewind", file.rewind());
    t.io("seek before the start", file.seek(SeekFrom::Current(-1)));
    let mut buffer = [0; 3];
    t.io("read_exact_at 5", file.read_exact_at(&mut buffer, 5));
    t.bytes("read", &buffer);
    t.io("write_all_at 2", file.write_all_at(b"XY", 2));
    t.io("read_exact_at 9", file.read_exact_at(&mut buffer, 9));
    t.value("position", file.stream_position().expect("it"));
    let mut clone = file.try_clone().expect("it");
    clone.seek(SeekFrom::Start(7)).expect("it");
    t.value("a clone moves it", file.stream_position().expect("it"));
    t.value("content", fs::read_to_string(&path).expect("it"));
}

fn names(path: &Path) -> String {
    let mut names: Vec<String> = fs::read_dir(path)
        .expect("a directory")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let kind = entry.file_type().expect("a type");
            let mark = if kind.is_dir() {
                "/"
            } else if kind.is_symlink() {
                "@"
            } else {
                ""
            };
            format!("{}{mark}", entry.file_name().to_string_lossy())
        })
        .collect();
    names.sort();
    names.join(" ")
}

fn std_fs_directories(t: &mut Transcript) {
    let scratch = Scratch::new();
    t.io("create_dir", fs::create_dir(scratch.path("a")));
    t.io("create_dir again", fs::create_dir(scratch.path("a")));
    t.io("create_dir_all", fs::create_dir_all(scratch.path("b/c/d")));
    t.io("create_dir_all again", fs::create_dir_all(scratch.path("b/c/d")));
    scratch.file("f", b"");
    t.io("create_dir_all below a file", fs::create_dir_all(scratch.path("f/g")));
    symlink("f", scratch.path("link")).expect("it");
    t.value("read_dir", names(&scratch));
    t.io("remove_dir of a full one", fs::remove_dir(scratch.path("b")));
    t.io("remove_dir", fs::remove_dir(scratch.path("a")));
    t.io("read_dir of a file", fs::read_dir(scratch.path("f")));
    t.holds("exists", scratch.path("b").exists() && !scratch.path("a").exists());
    t.io("canonicalize", fs::canonicalize(scratch.path("b/../b/c/./d")));
}

fn std_fs_remove_trees(t: &mut Transcript) {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("tree/one/two")).expect("it");
    fs::create_dir_all(scratch.path("tree/three")).expect("it");
    scratch.file("tree/f", b"");
    scratch.file("tree/one/two/g", b"");
    scratch.file("kept", b"");
    symlink("../kept", scratch.path("tree/link")).expect("it");
    t.io("remove_dir_all", fs::remove_dir_all(scratch.path("tree")));
    t.value("left", names(&scratch));
    t.io("remove_dir_all of what is absent", fs::remove_dir_all(scratch.path("tree")));
    t.io("remove_dir_all of a file", fs::remove_dir_all(scratch.path("kept")));
    fs::create_dir(scratch.path("d")).expect("it");
    t.io("remove_file of a directory", fs::remove_file(scratch.path("d")));
}

fn std_fs_copy_and_rename(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (from, to) = (scratch.file("from", b"copied"), scratch.path("to"));
    fs::set_permissions(&from, fs::Permissions::from_mode(0o640)).expect("it");
    t.value("copy", fs::copy(&from, &to).expect("it"));
    t.value(
        "mode of the copy",
        format_args!("{:o}", fs::metadata(&to).expect("it").mode() & 0o777),
    );
    let long = scratch.file("long", &[1; 100_000]);
    t.value("copy over it", fs::copy(&long, &to).expect("it"));
    t.value("copy something short over it", fs::copy(&from, &to).expect("it"));
    t.value("size", fs::metadata(&to).expect("it").len());
    t.io("rename", fs::rename(&to, scratch.path("moved")));
    t.io("rename what is absent", fs::rename(&to, scratch.path("x")));
    t.io("copy a directory", fs::copy(&*scratch, scratch.path("y")));
    t.value("left", names(&scratch));
}

fn std_fs_links(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = scratch.file("f", b"linked");
    t.io("hard_link", fs::hard_link(&file, scratch.path("hard")));
    t.io("symlink", symlink("f", scratch.path("soft")));
    t.value("nlink", fs::metadata(&file).expect("it").nlink());
    t.value("read_link", fs::read_link(scratch.path("soft")).expect("it").display());
    t.io("read_link of a file", fs::read_link(&file));
    let itself = fs::symlink_metadata(scratch.path("soft")).expect("it");
    t.holds("symlink_metadata says link", itself.file_type().is_symlink());
    t.holds("metadata says file", fs::metadata(scratch.path("soft")).expect("it").is_file());
    fs::remove_file(&file).expect("it");
    t.holds("exists of a dangling link", scratch.path("soft").exists());
    t.holds("try_exists", scratch.path("soft").try_exists().expect("it"));
    t.value("the other link", fs::read_to_string(scratch.path("hard")).expect("it"));
}

fn std_fs_metadata_and_permissions(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"12345");
    let metadata = fs::metadata(&path).expect("it");
    t.value("len", metadata.len());
    t.holds("is_file", metadata.is_file() && !metadata.is_dir());
    let mut permissions = metadata.permissions();
    permissions.set_readonly(true);
    t.io("set_readonly", fs::set_permissions(&path, permissions));
    let mode = || format!("{:o}", fs::metadata(&path).expect("it").mode() & 0o777);
    t.holds("nobody may write", fs::metadata(&path).expect("it").mode() & 0o222 == 0);
    t.io("set mode 0600", fs::set_permissions(&path, fs::Permissions::from_mode(0o600)));
    t.value("mode", mode());
    t.holds("times are known", metadata.modified().is_ok() && metadata.accessed().is_ok());
}

fn std_fs_times(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"");
    let file = OpenOptions::new().write(true).open(&path).expect("it");
    let then = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 500);
    t.io("set_modified", file.set_modified(then));
    t.holds("modified", fs::metadata(&path).expect("it").modified().expect("it") == then);
    let before = SystemTime::now() - Duration::from_secs(1);
    fs::write(&path, b"x").expect("it");
    let modified = fs::metadata(&path).expect("it").modified().expect("it");
    t.holds("a write moves it to now", modified >= before);
    t.holds("and not beyond", modified <= SystemTime::now() + Duration::from_secs(1));
}

fn std_fs_locks(t: &mut Transcript) {
    use std::os::fd::AsRawFd;
    let scratch = Scratch::new();
    let path = scratch.file("f", b"");
    let (one, two) = (File::open(&path).expect("it"), File::open(&path).expect("it"));
    let lock = |file: &File, operation| {
        // SAFETY: no memory is involved.
        unsafe { libc::flock(file.as_raw_fd(), operation | libc::LOCK_NB) }
    };
    t.call("exclusive", lock(&one, libc::LOCK_EX));
    t.call("by another", lock(&two, libc::LOCK_EX));
    drop(one);
    t.call("after the first closed", lock(&two, libc::LOCK_EX));
}

fn std_fs_buffered_lines(t: &mut Transcript) {
    use std::io::BufRead;
    let scratch = Scratch::new();
    let path = scratch.path("f");
    let mut writer = BufWriter::new(File::create(&path).expect("it"));
    for number in 0..10_000 {
        writeln!(writer, "line {number}").expect("it writes");
    }
    t.io("flush", writer.flush());
    let reader = BufReader::new(File::open(&path).expect("it"));
    let lines: Vec<String> = reader.lines().map(|line| line.expect("a line")).collect();
    t.value("lines", lines.len());
    t.value("the last", &lines[9999]);
    t.value("size", fs::metadata(&path).expect("it").len());
}

fn std_fs_error_kinds(t: &mut Transcript) {
    let scratch = Scratch::new();
    let file = scratch.file("f", b"");
    fs::create_dir(scratch.path("full")).expect("it");
    scratch.file("full/f", b"");
    let kind = |t: &mut Transcript, what: &str, result: std::io::Result<()>| {
        t.value(what, format_args!("{:?}", result.expect_err("an error").kind()));
    };
    kind(t, "absent", File::open(scratch.path("absent")).map(drop));
    kind(t, "below a file", File::open(file.join("x")).map(drop));
    kind(t, "there already", fs::create_dir(scratch.path("full")));
    kind(t, "full", fs::remove_dir(scratch.path("full")));
    kind(t, "a directory to write", fs::write(scratch.path("full"), b""));
    kind(t, "a name with NUL", File::open("a\0b").map(drop));
    kind(t, "a long name", File::open(scratch.path(&"n".repeat(300))).map(drop));
    symlink("loop", scratch.path("loop")).expect("it");
    kind(t, "a loop of links", fs::metadata(scratch.path("loop")).map(drop));
}

fn std_io_copy_and_pipe(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("from", &[5; 50_000]);
    let mut from = File::open(&path).expect("it");
    let mut to = File::create(scratch.path("to")).expect("it");
    t.value("io::copy of files", std::io::copy(&mut from, &mut to).expect("it"));
    t.value("size", fs::metadata(scratch.path("to")).expect("it").len());
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
    let writing = std::thread::spawn(move || writer.write_all(&[6; 100_000]));
    let mut all = Vec::new();
    t.value("a pipe's read_to_end", reader.read_to_end(&mut all).expect("it"));
    t.io("the writer", writing.join().expect("it ends"));
}
