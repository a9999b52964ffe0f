//! A fresh host's files: those that programs and the C library expect on any Linux.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use bizarro_record::Nanos;

use super::Fs;
use super::content::Content;
use super::devfs::Device;
use super::directory::Directory;
use super::faults::Faults;
use super::inode::{Body, Home, Inode, Nodes, Source};
use super::journal::Journal;
use super::mount::{MountId, MountKind, Mounts};
use super::procfs::ProcNode;
use super::shown::Shown;
use super::types::{By, Cred, Ino, Realtime};
use crate::errno::Errno;
use crate::seams::PROGRAM;

/// What a fresh host is to be like.
#[derive(Clone, Debug)]
pub struct Standard<'a> {
    /// Its name.
    pub hostname: &'a str,
    /// Its address.
    pub address: Ipv4Addr,
    /// Where it asks for names.
    pub nameserver: Ipv4Addr,
    /// Its CPUs.
    pub cpus: u32,
    /// Bytes that fit on its disk.
    pub capacity: u64,
    /// Its random machine-id(5).
    pub machine_id: u128,
    /// Where the program's binary is to be found; empty for nowhere.
    pub executable: &'a str,
    /// Files that it holds beside the usual ones (or instead): absolute path and content.
    pub files: &'a [(String, Vec<u8>)],
    /// The time of everything on it.
    pub now: Realtime,
}

/// Directories of the disk and their modes.
const DIRECTORIES: [(&str, u32); 17] = [
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/home/user", 0o755),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/root", 0o700),
    ("/srv", 0o755),
    ("/tmp", 0o1777),
    ("/usr/bin", 0o755),
    ("/usr/lib", 0o755),
    ("/usr/lib64", 0o755),
    ("/usr/sbin", 0o755),
    ("/usr/share", 0o755),
    ("/var/cache", 0o755),
    ("/var/lib", 0o755),
    ("/var/log", 0o755),
    ("/var/tmp", 0o1777),
];

/// Symbolic links of the disk and of /dev.
const LINKS: [(&str, &str); 10] = [
    ("/bin", "usr/bin"),
    ("/lib", "usr/lib"),
    ("/lib64", "usr/lib64"),
    ("/sbin", "usr/sbin"),
    ("/var/run", "/run"),
    ("/var/lock", "/run/lock"),
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
    daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
    nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
    user:x:1000:1000:user:/home/user:/bin/sh\n";

const GROUP: &str = "root:x:0:\ndaemon:x:1:\ntty:x:5:\nnogroup:x:65534:\nuser:x:1000:\n";

const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n\
    networks: files\nprotocols: files\nservices: files\n";

const SERVICES: &str = "ssh\t\t22/tcp\ndomain\t\t53/tcp\ndomain\t\t53/udp\nhttp\t\t80/tcp\n\
    https\t\t443/tcp\nhttps\t\t443/udp\n";

const PROTOCOLS: &str = "ip\t0\tIP\nicmp\t1\tICMP\ntcp\t6\tTCP\nudp\t17\tUDP\nipv6\t41\tIPv6\n";

/// The user that /home/user belongs to.
const USER: u32 = 1000;
/// What a tmpfs may hold.
const MEMORY_CAPACITY: u64 = 1 << 30;

impl Fs {
    /// The file systems of a fresh host. Setting it up counts no writes, and is durable.
    ///
    /// # Errors
    /// What is wrong with the path of one of the files, or `ENOSPC` where they do not fit.
    pub fn standard(host: &Standard<'_>) -> Result<Fs, Errno> {
        let mut fs = Fs::bare(host.capacity, host.now);
        let now = host.now;
        for (path, mode) in DIRECTORIES {
            let ino = fs.make_directories(path, now)?;
            fs.nodes.get_mut(ino).mode = mode;
        }
        let home = fs.make_directories("/home/user", now)?;
        let home = fs.nodes.get_mut(home);
        (home.uid, home.gid) = (USER, USER);
        fs.mount_system(now)?;
        for (path, target) in LINKS {
            fs.plant_at(path, Body::Symlink(target.as_bytes().into()), 0o777, now)?;
        }
        fs.plant_etc(host)?;
        fs.plant_sys(host.cpus, now)?;
        if !host.executable.is_empty() {
            fs.plant_program(host.executable, now)?;
        }
        for (path, content) in host.files {
            fs.plant_file(path, content, now)?;
        }
        Ok(fs)
    }

    /// Puts the program's binary onto the disk. It is fetched when somebody looks at it, which few do.
    fn plant_program(&mut self, path: &str, now: Realtime) -> Result<(), Errno> {
        let ino = self.plant_at(path, Body::Unseen, 0o755, now)?;
        let source = Source { path: String::from(PROGRAM), pending: None };
        self.nodes.get_mut(ino).source = Some(Box::new(source));
        self.program = Some((String::from(path), ino));
        Ok(())
    }

    /// Puts a file onto the disk from outside, as when a host is being prepared: its directories are
    /// made, a file that is there is replaced, and nothing counts as a write.
    ///
    /// # Errors
    /// What is wrong with the path, `EISDIR`, `ENOSPC`.
    pub fn plant_file(&mut self, path: &str, content: &[u8], now: Realtime) -> Result<(), Errno> {
        let (above, name) = path.rsplit_once('/').ok_or(Errno::EINVAL)?;
        if name.is_empty() {
            return Err(Errno::EISDIR);
        }
        let directory = self.make_directories(above, now)?;
        let there = self.nodes.get(directory).directory().get(name.as_bytes());
        let body = Body::File(Content::from_bytes(content));
        if there.is_some_and(|ino| self.is_directory(ino)) {
            return Err(Errno::EISDIR);
        }
        self.plant(directory, name.as_bytes(), body, 0o644, now)?;
        if let Some(replaced) = there {
            self.nodes.get_mut(replaced).nlink -= 1;
            self.lost_its_name(replaced);
        }
        Ok(())
    }

    /// An empty disk with nothing but its root, and the mount of /proc.
    fn bare(capacity: u64, now: Realtime) -> Fs {
        let mut fs = Fs {
            nodes: Nodes::default(),
            mounts: Mounts::default(),
            journal: Journal::default(),
            made: now,
            platter: None,
            faults: Faults::default(),
            shown: Shown::default(),
            clock: Nanos::ZERO,
            program: None,
        };
        let by = By { cred: Cred::ROOT, umask: 0, now };
        let home = Home { parent: Fs::ROOT, name: [].into() };
        let disk = fs.mounts.add(MountKind::Disk, "/", capacity, Fs::ROOT, Fs::ROOT);
        fs.add_node(Inode::new(Body::Directory(Directory::new()), 0o755, by, disk, home));
        let root = ProcNode::ROOT.ino();
        let proc = fs.mounts.add(MountKind::Proc, "/proc", 0, root, Fs::ROOT);
        assert!(disk == MountId::DISK && proc == MountId::PROC, "the first mounts are fixed");
        let inode = fs.nodes.get_mut(Fs::ROOT);
        inode.directory_mut().insert(b"proc", root);
        inode.nlink += 1;
        fs
    }

    /// /dev with its devices, /dev/shm, /run and /sys.
    fn mount_system(&mut self, now: Realtime) -> Result<(), Errno> {
        let root = Fs::ROOT;
        self.mount_kind(MountKind::Sys, "/sys", 0, root, "sys", now);
        let dev = self.mount_kind(MountKind::Dev, "/dev", MEMORY_CAPACITY, root, "dev", now);
        let run = self.mount_kind(MountKind::Memory, "/run", MEMORY_CAPACITY, root, "run", now);
        let dev = self.mounts.get(dev).root;
        let shm = self.mount_kind(MountKind::Memory, "/dev/shm", MEMORY_CAPACITY, dev, "shm", now);
        let shm = self.mounts.get(shm).root;
        self.nodes.get_mut(shm).mode = 0o1777;
        for (device, name) in Device::ALL {
            self.plant(dev, name.as_bytes(), Body::Device(device), 0o666, now)?;
        }
        let run = self.mounts.get(run).root;
        let lock = self.plant(run, b"lock", Body::Directory(Directory::new()), 0o1777, now)?;
        self.nodes.get_mut(lock).mode = 0o1777;
        Ok(())
    }

    fn plant_etc(&mut self, host: &Standard<'_>) -> Result<(), Errno> {
        let name = host.hostname;
        let hosts = format!(
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{}\t{name}\n",
            host.address
        );
        let files = [
            ("/etc/hosts", hosts),
            ("/etc/hostname", format!("{name}\n")),
            ("/etc/resolv.conf", format!("nameserver {}\n", host.nameserver)),
            ("/etc/machine-id", format!("{:032x}\n", host.machine_id)),
            ("/etc/nsswitch.conf", String::from(NSSWITCH)),
            ("/etc/host.conf", String::from("multi on\n")),
            ("/etc/passwd", String::from(PASSWD)),
            ("/etc/group", String::from(GROUP)),
            ("/etc/services", String::from(SERVICES)),
            ("/etc/protocols", String::from(PROTOCOLS)),
        ];
        for (path, text) in files {
            self.plant_file(path, text.as_bytes(), host.now)?;
        }
        Ok(())
    }

    /// The CPUs, which `sysconf(3)` counts in /sys.
    fn plant_sys(&mut self, cpus: u32, now: Realtime) -> Result<(), Errno> {
        let list = if cpus <= 1 { String::from("0\n") } else { format!("0-{}\n", cpus - 1) };
        let above = self.make_directories("/sys/devices/system/cpu", now)?;
        for name in ["online", "possible", "present"] {
            let body = Body::File(Content::from_bytes(list.as_bytes()));
            self.plant(above, name.as_bytes(), body, 0o444, now)?;
        }
        for cpu in 0..cpus {
            let name = format!("cpu{cpu}");
            let body = Body::Directory(Directory::new());
            self.plant(above, name.as_bytes(), body, 0o755, now)?;
        }
        Ok(())
    }

    fn plant_at(&mut self, path: &str, body: Body, mode: u32, now: Realtime) -> Result<Ino, Errno> {
        let (above, name) = path.rsplit_once('/').ok_or(Errno::EINVAL)?;
        let directory = self.make_directories(above, now)?;
        self.plant(directory, name.as_bytes(), body, mode, now)
    }
}
