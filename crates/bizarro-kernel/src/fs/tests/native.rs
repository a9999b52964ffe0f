//! The same random calls here and on the real Linux under the test: the answers must agree.
//!
//! Both sides use the same absolute path, deep in a directory for temporary files, so that `..`
//! and absolute links mean the same on both. Only what the standard library can call is compared;
//! the rest is written down in the tests beside this one.

extern crate std;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use std::fs as real;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use proptest::prelude::*;

use super::{Host, host_with};
use crate::errno::Errno;
use crate::fs::*;

/// Directories between what is compared and the directory for temporary files: more than a short
/// sequence of calls can climb.
const DEPTH: usize = 24;

#[derive(Clone, Debug)]
enum Call {
    Open(String, i32, u32),
    Write(usize, u64, usize),
    Read(usize, u64, usize),
    Resize(usize, u64),
    Close(usize),
    PathOf(usize),
    StatOpen(usize),
    Mkdir(String, u32),
    Rmdir(String),
    Unlink(String),
    Rename(String, String),
    Link(String, String),
    Symlink(String, String),
    Readlink(String),
    Stat(String),
    Lstat(String),
    Chmod(String, u32),
    List(String),
}

/// What a call gives: something to compare, or an error number.
type Answer = Result<String, i32>;

fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        36 => prop::sample::select(&["a", "b", "c", "d"][..]).prop_map(String::from),
        5 => Just(String::from("..")),
        2 => Just(String::from(".")),
        1 => Just("n".repeat(255)),
        1 => Just("m".repeat(256)),
    ]
}

/// Mostly relative paths of few names; `/` at the front stands for the directory under test.
fn path() -> impl Strategy<Value = String> {
    let separator = prop_oneof![9 => Just("/"), 1 => Just("//")];
    let tail = prop_oneof![6 => Just(""), 1 => Just("/"), 1 => Just("//")];
    let front = prop_oneof![9 => Just(""), 1 => Just("/")];
    let names = prop_oneof![
        4 => prop::collection::vec(component(), 1..3),
        1 => prop::collection::vec(component(), 3..5),
    ];
    let usual = (names, separator, front, tail).prop_map(|(names, separator, front, tail)| {
        format!("{front}{}{tail}", names.join(separator))
    });
    prop_oneof![30 => usual, 1 => Just(String::new()), 1 => Just("/".repeat(4100))]
}

fn flags() -> impl Strategy<Value = i32> {
    let access = prop::sample::select(&[libc::O_RDONLY, libc::O_WRONLY, libc::O_RDWR][..]);
    let more = prop::sample::subsequence(
        &[
            libc::O_CREAT,
            libc::O_CREAT,
            libc::O_EXCL,
            libc::O_TRUNC,
            libc::O_NOFOLLOW,
            libc::O_DIRECTORY,
        ][..],
        0..4,
    );
    let usual = (access, more).prop_map(|(access, more)| more.iter().fold(access, |a, b| a | b));
    prop_oneof![
        12 => usual,
        1 => Just(libc::O_PATH),
        1 => Just(libc::O_PATH | libc::O_NOFOLLOW),
        1 => Just(libc::O_TMPFILE | libc::O_RDWR),
        1 => Just(libc::O_TMPFILE | libc::O_RDONLY),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let mode =
        || prop::sample::select(&[0o777, 0o666, 0o644, 0o500, 0o300, 0o000, 0o1777, 0o6755][..]);
    let slot = || 0..4usize;
    let offset = || prop_oneof![0..20u64, 4090..4100u64, 60_000..70_000u64];
    prop_oneof![
        6 => (path(), flags(), mode()).prop_map(|(p, f, m)| Call::Open(p, f, m)),
        2 => (slot(), offset(), 0..9000usize).prop_map(|(s, o, n)| Call::Write(s, o, n)),
        2 => (slot(), offset(), 0..9000usize).prop_map(|(s, o, n)| Call::Read(s, o, n)),
        1 => (slot(), offset()).prop_map(|(s, n)| Call::Resize(s, n)),
        1 => slot().prop_map(Call::Close),
        3 => slot().prop_map(Call::PathOf),
        2 => slot().prop_map(Call::StatOpen),
        4 => (path(), mode()).prop_map(|(p, m)| Call::Mkdir(p, m)),
        2 => path().prop_map(Call::Rmdir),
        3 => path().prop_map(Call::Unlink),
        6 => (path(), path()).prop_map(|(a, b)| Call::Rename(a, b)),
        3 => (path(), path()).prop_map(|(a, b)| Call::Link(a, b)),
        5 => (path(), path()).prop_map(|(a, b)| Call::Symlink(a, b)),
        2 => path().prop_map(Call::Readlink),
        2 => path().prop_map(Call::Stat),
        4 => path().prop_map(Call::Lstat),
        1 => (path(), mode()).prop_map(|(p, m)| Call::Chmod(p, m)),
        2 => path().prop_map(Call::List),
    ]
}

/// What both sides begin with, so that most names lead somewhere.
fn prelude() -> Vec<Call> {
    let text = String::from;
    vec![
        Call::Mkdir(text("a"), 0o777),
        Call::Mkdir(text("a/b"), 0o777),
        Call::Mkdir(text("b"), 0o777),
        Call::Open(text("c"), libc::O_CREAT | libc::O_RDWR, 0o666),
        Call::Open(text("a/c"), libc::O_CREAT | libc::O_RDWR, 0o666),
        Call::Symlink(text("a"), text("d")),
        Call::Symlink(text("../c"), text("a/d")),
    ]
}

/// The bytes of the n-th write.
fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| (seed * 31 + i * 7 + i / 251) as u8).collect()
}

fn describe(mode: u32, nlink: u64, size: u64) -> String {
    // Sizes and links of directories are each file system's own affair.
    let directory = mode & libc::S_IFMT == libc::S_IFDIR;
    if directory { format!("{mode:o}") } else { format!("{mode:o} {nlink} {size}") }
}

/// The real side.
struct Real {
    root: PathBuf,
    top: PathBuf,
    open: [Option<real::File>; 4],
    writes: usize,
}

/// The simulated side.
struct Simulated {
    host: Host,
    root: String,
    open: [Option<Ino>; 4],
    writes: usize,
    /// What has, or had, more than one name: which of them a descriptor shows is a divergence of [`Fs::path_of`].
    linked: BTreeSet<Ino>,
}

impl Real {
    fn new() -> Real {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bizarro-fs-{}-{count}", std::process::id());
        let top = scratch().join(name);
        let root = (0..DEPTH).fold(top.clone(), |path, _| path.join("0"));
        real::create_dir_all(&root).unwrap();
        Real { root, top, open: Default::default(), writes: 0 }
    }

    /// The path as the system gets it: what is relative starts in the directory under test.
    fn at(&self, path: &str) -> String {
        absolute(self.root.to_str().unwrap(), path)
    }

    fn answer(&mut self, call: &Call, slot: usize) -> io::Result<String> {
        let nothing = |()| String::new();
        match call {
            Call::Open(path, flags, mode) => {
                let mut options = real::OpenOptions::new();
                let access = flags & libc::O_ACCMODE;
                options.read(access != libc::O_WRONLY).write(access != libc::O_RDONLY);
                let file = options.custom_flags(*flags).mode(*mode).open(self.at(path))?;
                self.open[slot] = Some(file);
                Ok(String::from("open"))
            }
            Call::Write(slot, offset, length) => {
                self.writes += 1;
                let data = bytes(self.writes, *length);
                self.file(*slot)?.write_at(&data, *offset).map(|n| n.to_string())
            }
            Call::Read(slot, offset, length) => {
                let mut data = bytes(0, *length);
                let read = self.file(*slot)?.read_at(&mut data, *offset)?;
                Ok(format!("{:?}", &data[..read]))
            }
            Call::Resize(slot, size) => self.file(*slot)?.set_len(*size).map(nothing),
            Call::Close(slot) => {
                self.open[*slot] = None;
                Ok(String::new())
            }
            Call::PathOf(slot) => {
                let fd = self.file(*slot)?.as_raw_fd();
                Ok(real::read_link(format!("/proc/self/fd/{fd}"))?.display().to_string())
            }
            Call::StatOpen(slot) => {
                let meta = self.file(*slot)?.metadata()?;
                Ok(describe(meta.mode(), meta.nlink(), meta.size()))
            }
            call => self.answer_path(call),
        }
    }

    /// Calls on paths, beside opening them.
    fn answer_path(&mut self, call: &Call) -> io::Result<String> {
        let nothing = |()| String::new();
        match call {
            Call::Mkdir(path, mode) => {
                real::DirBuilder::new().mode(*mode).create(self.at(path)).map(nothing)
            }
            Call::Rmdir(path) => real::remove_dir(self.at(path)).map(nothing),
            Call::Unlink(path) => real::remove_file(self.at(path)).map(nothing),
            Call::Rename(from, to) => real::rename(self.at(from), self.at(to)).map(nothing),
            Call::Link(from, to) => real::hard_link(self.at(from), self.at(to)).map(nothing),
            Call::Symlink(target, path) => {
                let target = if target.starts_with('/') { self.at(target) } else { target.clone() };
                std::os::unix::fs::symlink(target, self.at(path)).map(nothing)
            }
            Call::Readlink(path) => {
                real::read_link(self.at(path)).map(|target| target.display().to_string())
            }
            Call::Stat(path) => {
                let meta = real::metadata(self.at(path))?;
                Ok(describe(meta.mode(), meta.nlink(), meta.size()))
            }
            Call::Lstat(path) => {
                let meta = real::symlink_metadata(self.at(path))?;
                Ok(describe(meta.mode(), meta.nlink(), meta.size()))
            }
            Call::Chmod(path, mode) => {
                let mode = real::Permissions::from_mode(*mode);
                real::set_permissions(self.at(path), mode).map(nothing)
            }
            Call::List(path) => {
                let mut names = Vec::new();
                for entry in real::read_dir(self.at(path))? {
                    let entry = entry?;
                    let kind = entry.file_type()?;
                    let kind = if kind.is_dir() {
                        'd'
                    } else if kind.is_symlink() {
                        'l'
                    } else {
                        'f'
                    };
                    names.push(format!("{kind} {}", entry.file_name().to_str().unwrap()));
                }
                names.sort();
                Ok(names.join("\n"))
            }
            other => panic!("{other:?} is no call on a path"),
        }
    }

    fn file(&self, slot: usize) -> io::Result<&real::File> {
        self.open[slot].as_ref().ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        unlock(&self.top);
        let _ = real::remove_dir_all(&self.top);
    }
}

/// Where the real files lie: in memory if that can be written, because disks are slow to forget.
fn scratch() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let probe = memory.join(format!("bizarro-fs-{}", std::process::id()));
    let writable = real::create_dir(&probe).and_then(|()| real::remove_dir(&probe)).is_ok();
    if writable { memory } else { std::env::temp_dir().canonicalize().unwrap() }
}

/// Makes every directory removable again.
fn unlock(path: &std::path::Path) {
    let _ = real::set_permissions(path, real::Permissions::from_mode(0o700));
    for entry in real::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            unlock(&entry.path());
        }
    }
}

fn absolute(root: &str, path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{root}/{path}") }
}

impl Simulated {
    fn like(real: &Real) -> Simulated {
        let root = String::from(real.root.to_str().unwrap());
        let mut host = host_with(1 << 30);
        let probe = real.root.join("probe");
        real::DirBuilder::new().mode(0o777).create(&probe).unwrap();
        let meta = real::metadata(&probe).unwrap();
        real::remove_dir(&probe).unwrap();
        for path in real.root.ancestors().take_while(|path| path.starts_with(&real.top)) {
            let meta = real::metadata(path).unwrap();
            let path = path.to_str().unwrap();
            let directory = host.fs.make_directories(path, host.by.now).unwrap();
            let inode = host.fs.nodes.get_mut(directory);
            (inode.mode, inode.uid, inode.gid) = (meta.mode() & 0o7777, meta.uid(), meta.gid());
        }
        host.by.cred = Cred { uid: meta.uid(), gid: meta.gid() };
        host.by.umask = 0o777 & !meta.mode();
        Simulated { host, root, open: Default::default(), writes: 0, linked: BTreeSet::new() }
    }

    fn at(&self, path: &str) -> String {
        absolute(&self.root, path)
    }

    fn answer(&mut self, call: &Call, slot: usize) -> Result<String, Errno> {
        let nothing = |()| String::new();
        match call {
            Call::Open(path, flags, mode) => {
                let (path, flags) = (self.at(path), OpenFlags::from_bits_retain(*flags));
                let opened = self.host.call(|fs, caller, cwd| {
                    fs.open(caller, At::new(cwd, path.as_bytes()), flags, *mode)
                })?;
                let Opened::Node { ino, .. } = opened else { panic!("nothing foreign is here") };
                if let Some(old) = self.open[slot].replace(ino) {
                    self.host.fs.release(old);
                }
                Ok(String::from("open"))
            }
            Call::Write(slot, offset, length) => {
                self.writes += 1;
                let data = bytes(self.writes, *length);
                let ino = self.node(*slot)?;
                self.host.write(ino, *offset, &data).map(|n| n.to_string())
            }
            Call::Read(slot, offset, length) => {
                let mut data = bytes(0, *length);
                let read = self.host.fs.read_at(self.node(*slot)?, *offset, &mut data)?;
                Ok(format!("{:?}", &data[..read]))
            }
            Call::Resize(slot, size) => {
                let ino = self.node(*slot)?;
                self.host.call(|fs, caller, _| fs.resize(caller.by, ino, *size)).map(nothing)
            }
            Call::Close(slot) => {
                if let Some(ino) = self.open[*slot].take() {
                    self.host.fs.release(ino);
                }
                Ok(String::new())
            }
            Call::PathOf(slot) => Ok(self.host.path_of(self.node(*slot)?)),
            Call::StatOpen(slot) => Ok(told(self.host.fs.stat(self.node(*slot)?))),
            call => self.answer_path(call),
        }
    }

    /// Calls on paths, beside opening them.
    fn answer_path(&mut self, call: &Call) -> Result<String, Errno> {
        let nothing = |()| String::new();
        match call {
            Call::Mkdir(path, mode) => {
                let path = self.at(path);
                self.host
                    .call(|fs, caller, cwd| fs.mkdir(caller, At::new(cwd, path.as_bytes()), *mode))
                    .map(|_| String::new())
            }
            Call::Rmdir(path) => self.host.rmdir(&self.at(path)).map(nothing),
            Call::Unlink(path) => self.host.unlink(&self.at(path)).map(nothing),
            Call::Rename(from, to) => self.host.rename(&self.at(from), &self.at(to)).map(nothing),
            Call::Link(from, to) => {
                self.host.link(&self.at(from), &self.at(to))?;
                if let Found::Node(ino) = self.host.resolve(&self.at(to), Lookup::empty())? {
                    self.linked.insert(ino);
                }
                Ok(String::new())
            }
            Call::Symlink(target, path) => {
                let target = if target.starts_with('/') { self.at(target) } else { target.clone() };
                self.host.symlink(&target, &self.at(path)).map(|_| String::new())
            }
            Call::Readlink(path) => self.host.readlink(&self.at(path)),
            Call::Stat(path) => self.host.stat(&self.at(path)).map(told),
            Call::Lstat(path) => match self.host.resolve(&self.at(path), Lookup::empty())? {
                Found::Node(ino) => Ok(told(self.host.fs.stat(ino))),
                Found::Foreign { .. } => panic!("nothing foreign is here"),
            },
            Call::Chmod(path, mode) => {
                let ino = self.host.find(&self.at(path))?;
                self.host.call(|fs, caller, _| fs.chmod(caller.by, ino, *mode)).map(nothing)
            }
            Call::List(path) => self.list(&self.at(path)),
            other => panic!("{other:?} is no call on a path"),
        }
    }

    fn list(&mut self, path: &str) -> Result<String, Errno> {
        let ino = self.host.open_node(path, libc::O_RDONLY | libc::O_DIRECTORY)?;
        let mut names = Vec::new();
        let result = self.host.call(|fs, caller, _| {
            fs.read_directory(caller, ino, 2, &mut |entry| {
                let kind = match entry.kind {
                    FileType::Directory => 'd',
                    FileType::Symlink => 'l',
                    _ => 'f',
                };
                names.push(format!("{kind} {}", core::str::from_utf8(entry.name).unwrap()));
                Take::More
            })
        });
        self.host.fs.release(ino);
        names.sort();
        result.map(|()| names.join("\n"))
    }

    fn node(&self, slot: usize) -> Result<Ino, Errno> {
        self.open[slot].ok_or(Errno::EBADF)
    }
}

fn told(stat: Stat) -> String {
    describe(stat.mode, u64::from(stat.nlink), stat.size)
}

/// Calls on descriptors are compared where both sides opened a regular file in a mode that allows
/// them: which mode a descriptor has is not the file system's to know.
fn comparable(call: &Call, flags: &[i32; 4], real: &Real) -> bool {
    let (slot, needed) = match call {
        Call::Write(slot, ..) | Call::Resize(slot, _) => (*slot, libc::O_WRONLY),
        Call::Read(slot, ..) => (*slot, libc::O_RDONLY),
        _ => return true,
    };
    let Some(file) = &real.open[slot] else { return true };
    let access = flags[slot] & libc::O_ACCMODE;
    let is_file = file.metadata().is_ok_and(|meta| meta.is_file());
    let is_path = flags[slot] & libc::O_PATH != 0;
    is_file && !is_path && (access == libc::O_RDWR || access == needed)
}

fn run(calls: &[Call]) -> Result<(), TestCaseError> {
    let mut real = Real::new();
    let mut simulated = Simulated::like(&real);
    let mut flags = [0; 4];
    for (index, call) in prelude().iter().chain(calls).enumerate() {
        let slot = index % 4;
        if !comparable(call, &flags, &real) {
            continue;
        }
        let native: Answer =
            real.answer(call, slot).map_err(|error| error.raw_os_error().unwrap_or(-1));
        let ours: Answer = simulated.answer(call, slot).map_err(|errno| i32::from(errno.0));
        if let (Call::Open(_, how, _), Ok(_)) = (call, &native) {
            flags[slot] = *how;
        }
        // A file without a name shows its inode number, which only the real one has.
        let unnamed = matches!(call, Call::PathOf(_))
            && native.as_ref().is_ok_and(|path| path.contains("/#"));
        let many_names = match call {
            Call::PathOf(slot) => {
                simulated.open[*slot].is_some_and(|ino| simulated.linked.contains(&ino))
            }
            _ => false,
        };
        if !unnamed && !many_names {
            prop_assert_eq!(ours, native, "call {}: {:?}", index, call);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn linux_answers_the_same(calls in prop::collection::vec(call(), 1..40)) {
        run(&calls)?;
    }
}
