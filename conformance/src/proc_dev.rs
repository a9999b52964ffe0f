//! /proc and /dev: what is there, and in what shape.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use libc::{O_RDONLY, O_RDWR, POLLIN, POLLOUT, SEEK_END, SEEK_SET};

use crate::Transcript;
use crate::c;
use crate::scratch::Scratch;

tests![ProcDev:
    dev_null,
    dev_zero,
    dev_urandom,
    dev_full,
    dev_fd_and_std_names,
    dev_tty_and_shm,
    proc_self_is_this_process,
    proc_self_exe_and_cmdline,
    proc_self_status,
    proc_self_stat,
    proc_self_was_started_after_boot,
    proc_self_maps,
    proc_self_fd,
    proc_self_fdinfo,
    proc_self_task,
    proc_self_limits_and_statm,
    proc_self_cwd_root_environ,
    proc_self_cgroup_and_mounts,
    proc_random_uuid_and_boot_id,
    proc_cpuinfo_and_meminfo,
    proc_stat_uptime_loadavg,
    proc_sys_numbers,
    proc_errors,
    sys_cpu_online,
];

fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dev_null(t: &mut Transcript) {
    let fd = c::must_open("/dev/null", O_RDWR);
    t.call("read", c::read(fd, &mut [0; 4]));
    t.call("write 100,000", c::write(fd, &[1; 100_000]));
    t.call("lseek", c::lseek(fd, 100, SEEK_SET));
    t.call("lseek to the end", c::lseek(fd, 5, SEEK_END));
    t.call("pread", c::pread(fd, &mut [0; 4], 10));
    t.call("ftruncate", c::ftruncate(fd, 10));
    t.value("poll", c::poll_now(fd, POLLIN | POLLOUT));
    t.value("st_size", c::stat_of(fd).st_size);
    c::close_all(&[fd]);
}

fn dev_zero(t: &mut Transcript) {
    let fd = c::must_open("/dev/zero", O_RDWR);
    let mut buffer = vec![1; 100_000];
    t.call("read 100,000", c::read(fd, &mut buffer));
    t.holds("all zero", buffer.iter().all(|byte| *byte == 0));
    t.call("write", c::write(fd, b"x"));
    t.call("read of nothing", c::read(fd, &mut []));
    c::close_all(&[fd]);
}

fn dev_urandom(t: &mut Transcript) {
    for path in ["/dev/urandom", "/dev/random"] {
        let fd = c::must_open(path, O_RDONLY);
        let (mut one, mut two) = ([0; 64], [0; 64]);
        t.call(format_args!("read 64 of {path}"), c::read(fd, &mut one));
        t.call("read 64 more", c::read(fd, &mut two));
        t.holds("they differ", one != two);
        c::close_all(&[fd]);
    }
}

fn dev_full(t: &mut Transcript) {
    let fd = c::must_open("/dev/full", O_RDWR);
    t.call("write", c::write(fd, b"x"));
    let mut byte = [1];
    t.call("read", c::read(fd, &mut byte));
    t.value("read", byte[0]);
    c::close_all(&[fd]);
}

fn dev_fd_and_std_names(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"0123456789"), O_RDONLY);
    c::lseek(fd, 4, SEEK_SET);
    let again = t.ok("open /dev/fd/N", c::open(format!("/dev/fd/{fd}"), O_RDONLY));
    let mut buffer = [0; 4];
    t.call("read", c::read(again, &mut buffer));
    // LINUX: it is a new open of the file, with an offset of its own.
    t.bytes("read", &buffer);
    for name in ["/dev/stdin", "/dev/stdout", "/dev/stderr"] {
        t.holds(format_args!("{name} is a link"), Path::new(name).is_symlink());
    }
    t.call("open /dev/fd of a closed number", c::open("/dev/fd/999999", O_RDONLY));
    c::close_all(&[fd, again]);
}

fn dev_tty_and_shm(t: &mut Transcript) {
    t.holds("/dev/shm is a directory", Path::new("/dev/shm").is_dir());
    t.holds("/dev is a directory", Path::new("/dev").is_dir());
    t.call("open /dev/absent", c::open("/dev/absent", O_RDONLY));
    let null = c::must_open("/dev/null", O_RDONLY);
    // SAFETY: no memory is involved.
    t.value("isatty of /dev/null", unsafe { libc::isatty(null) });
    c::close_all(&[null]);
}

fn proc_self_is_this_process(t: &mut Transcript) {
    let pid = std::process::id().to_string();
    let target = fs::read_link("/proc/self").expect("a link");
    t.holds("/proc/self leads to our pid", target == Path::new(&pid));
    let thread = fs::read_link("/proc/thread-self").expect("a link");
    let expected = format!("{pid}/task/{}", c::gettid());
    t.holds("/proc/thread-self to our thread", thread == Path::new(&expected));
    t.holds("/proc/PID is there", Path::new("/proc").join(&pid).join("status").exists());
    t.holds("/proc lists it", {
        fs::read_dir("/proc")
            .expect("the directory")
            .any(|entry| entry.is_ok_and(|entry| entry.file_name() == *pid))
    });
}

fn proc_self_exe_and_cmdline(t: &mut Transcript) {
    let exe = fs::read_link("/proc/self/exe").expect("a link");
    t.holds("exe is an absolute path", exe.is_absolute());
    t.holds("to what std calls current_exe", std::env::current_exe().is_ok_and(|path| path == exe));
    let mut magic = [0; 4];
    let fd = t.ok("open exe", c::open("/proc/self/exe", O_RDONLY));
    t.call("read", c::read(fd, &mut magic));
    t.bytes("it is an ELF file", &magic);
    let cmdline = fs::read("/proc/self/cmdline").expect("the file");
    let arguments = std::env::args_os().len();
    let count = cmdline.iter().filter(|byte| **byte == 0).count();
    t.holds("cmdline has a NUL for each argument", count == arguments);
    t.value("st_size of cmdline", fs::metadata("/proc/self/cmdline").expect("it").len());
    c::close_all(&[fd]);
}

fn proc_self_status(t: &mut Transcript) {
    let status = text("/proc/self/status");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("{name} in status"))[name.len() + 1..].trim().to_owned()
    };
    let pid = std::process::id().to_string();
    t.holds("Pid", field("Pid") == pid);
    t.holds("Tgid", field("Tgid") == pid);
    // SAFETY: no memory is involved.
    t.holds("PPid", field("PPid") == unsafe { libc::getppid() }.to_string());
    t.holds("Name is PR_GET_NAME's", field("Name") == text("/proc/self/comm").trim_end());
    t.value("Threads", field("Threads"));
    t.holds("State starts with R", field("State").starts_with('R'));
    t.holds("VmRSS is in kB", field("VmRSS").ends_with(" kB"));
    // SAFETY: no memory is involved.
    let user = unsafe { libc::getuid() }.to_string();
    t.holds("Uid", field("Uid").split_whitespace().next() == Some(&user));
    t.holds("SigBlk has 16 digits", field("SigBlk").len() == 16);
}

fn proc_self_stat(t: &mut Transcript) {
    let stat = text("/proc/self/stat");
    let (before, after) = stat.rsplit_once(')').expect("a name in parentheses");
    let pid = before.split(' ').next().expect("a first field");
    t.holds("the pid is first", pid == std::process::id().to_string());
    let fields: Vec<&str> = after.split_whitespace().collect();
    t.value("state", fields[0]);
    // SAFETY: no memory is involved.
    t.holds("the parent's pid", fields[1] == unsafe { libc::getppid() }.to_string());
    t.value("threads", fields[17]);
    t.holds("52 fields", fields.len() + 2 == 52);
    t.holds(
        "all others are numbers",
        fields[1..].iter().all(|field| field.parse::<i128>().is_ok()),
    );
}

fn proc_self_was_started_after_boot(t: &mut Transcript) {
    let uptime = || c::now(libc::CLOCK_BOOTTIME).as_secs_f64();
    let stat = text("/proc/self/stat");
    let (_, after) = stat.rsplit_once(')').expect("a name in parentheses");
    // Field 22 of proc_pid_stat(5), in hundredths of a second.
    let field = after.split_whitespace().nth(19).expect("22 fields");
    let started = field.parse::<f64>().expect("a number") / 100.0;
    t.holds("it was not started before now", started <= uptime());
    t.holds("it was started within the last hours", started > uptime() - 10_000.0);
    let all = text("/proc/stat");
    let booted = all.lines().find_map(|line| line.strip_prefix("btime ")).expect("btime");
    let booted: f64 = booted.parse().expect("a number");
    let now = c::now(libc::CLOCK_REALTIME).as_secs_f64();
    t.holds("the machine was booted CLOCK_BOOTTIME ago", (booted + uptime() - now).abs() < 3.0);
}

fn proc_self_maps(t: &mut Transcript) {
    let maps = text("/proc/self/maps");
    let here = proc_self_maps as *const () as usize;
    let local = 0u8;
    let stack = &raw const local as usize;
    let mut last = 0;
    let (mut sorted, mut code, mut data) = (true, String::new(), String::new());
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next().expect("a range"), fields.next().expect("rights"));
        let (from, to) = range.split_once('-').expect("a range");
        let from = usize::from_str_radix(from, 16).expect("a start");
        // [vsyscall] lies beyond the range of a signed number, not of this one.
        let to = usize::from_str_radix(to, 16).expect("an end");
        sorted &= from >= last && to > from;
        last = to;
        if (from..to).contains(&here) {
            code = rights.to_owned();
        }
        if (from..to).contains(&stack) {
            data = rights.to_owned();
        }
    }
    t.holds("ranges rise", sorted);
    t.value("our code", code);
    t.value("our stack", data);
}

fn proc_self_fd(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("f", b"");
    let fd = c::must_open(&path, O_RDONLY);
    let [reader, writer] = c::pipe(0);
    let socket = c::tcp(0);
    let event = c::eventfd(0, 0);
    let link = |fd: i32| {
        let target = fs::read_link(format!("/proc/self/fd/{fd}")).expect("a link");
        target.to_string_lossy().into_owned()
    };
    t.holds("a file's is its path", link(fd) == path.to_string_lossy());
    let inode = c::stat_of(reader).st_ino;
    t.holds("a pipe's", link(reader) == format!("pipe:[{inode}]"));
    let inode = c::stat_of(socket).st_ino;
    t.holds("a socket's", link(socket) == format!("socket:[{inode}]"));
    t.value("an eventfd's", link(event));
    c::unlink(&path);
    t.holds("unlinked", link(fd) == format!("{} (deleted)", path.display()));
    let listed: HashSet<String> = fs::read_dir("/proc/self/fd")
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let ours = [fd, reader, writer, socket, event];
    t.holds("all are listed", ours.iter().all(|fd| listed.contains(&fd.to_string())));
    c::close_all(&ours);
    let gone = fs::read_link(format!("/proc/self/fd/{fd}"));
    t.io("a closed one's", gone);
}

fn proc_self_fdinfo(t: &mut Transcript) {
    let scratch = Scratch::new();
    let fd = c::must_open(scratch.file("f", b"0123456789"), O_RDWR);
    c::lseek(fd, 7, SEEK_SET);
    let info = text(format!("/proc/self/fdinfo/{fd}"));
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name)).expect("the field");
        line[name.len()..].trim().to_owned()
    };
    t.value("pos", field("pos:"));
    let flags = i32::from_str_radix(&field("flags:"), 8).expect("an octal number");
    t.holds("flags has O_RDWR", flags & libc::O_ACCMODE == O_RDWR);
    c::close_all(&[fd]);
}

fn proc_self_task(t: &mut Transcript) {
    let stop = AtomicBool::new(false);
    let count = || fs::read_dir("/proc/self/task").expect("the directory").count();
    t.value("threads", count());
    thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel();
        scope.spawn(|| {
            sender.send(c::gettid()).expect("the receiver is there");
            drop(sender);
            while !stop.load(Ordering::SeqCst) {
                thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let tid = receiver.recv().expect("the thread starts");
        t.value("threads", count());
        let comm = format!("/proc/self/task/{tid}/comm");
        t.holds("the other's name can be read", !text(comm).is_empty());
        stop.store(true, Ordering::SeqCst);
    });
    t.holds("and back to one", c::eventually(|| count() == 1));
}

fn proc_self_limits_and_statm(t: &mut Transcript) {
    let limits = text("/proc/self/limits");
    let header = limits.lines().next().expect("a header");
    t.holds("limits has a header", header.starts_with("Limit") && header.contains("Hard Limit"));
    t.holds("limits has open files", limits.lines().any(|line| line.starts_with("Max open files")));
    let statm = text("/proc/self/statm");
    t.value("statm has fields", statm.split_whitespace().count());
    let oom = text("/proc/self/oom_score_adj");
    t.holds("oom_score_adj is a number", oom.trim().parse::<i32>().is_ok());
}

fn proc_self_cwd_root_environ(t: &mut Transcript) {
    let scratch = Scratch::new();
    std::env::set_current_dir(&*scratch).expect("chdir");
    let cwd = fs::read_link("/proc/self/cwd").expect("a link");
    t.holds("cwd", cwd == *scratch);
    fs::write("/proc/self/cwd/f", b"by way of it").expect("a file");
    t.holds("leads there", scratch.path("f").exists());
    t.value("root", fs::read_link("/proc/self/root").expect("a link").display());
    t.io("environ can be read", fs::read("/proc/self/environ"));
}

fn proc_self_cgroup_and_mounts(t: &mut Transcript) {
    let cgroup = text("/proc/self/cgroup");
    let shape = |line: &str| line.splitn(3, ':').count() == 3;
    t.holds("cgroup lines have three fields", cgroup.lines().all(shape));
    let mounts = text("/proc/self/mounts");
    t.holds("something is mounted at /", {
        mounts.lines().any(|line| line.split(' ').nth(1) == Some("/"))
    });
    let info = text("/proc/self/mountinfo");
    t.holds("mountinfo lines have a dash", info.lines().all(|line| line.contains(" - ")));
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| part.bytes().all(digit))
}

fn proc_random_uuid_and_boot_id(t: &mut Transcript) {
    let uuid = text("/proc/sys/kernel/random/uuid");
    t.holds("uuid has its shape and a newline", {
        uuid.ends_with('\n') && is_uuid(uuid.trim_end())
    });
    t.holds("version 4", uuid.as_bytes()[14] == b'4');
    t.holds("the next one differs", text("/proc/sys/kernel/random/uuid") != uuid);
    let boot = text("/proc/sys/kernel/random/boot_id");
    t.holds("boot_id has its shape", is_uuid(boot.trim_end()));
    t.holds("the next one is the same", text("/proc/sys/kernel/random/boot_id") == boot);
}

fn proc_cpuinfo_and_meminfo(t: &mut Transcript) {
    let cpus = text("/proc/cpuinfo").lines().filter(|line| line.starts_with("processor")).count();
    t.holds("cpuinfo has processors", cpus > 0);
    let meminfo = text("/proc/meminfo");
    let field = |name: &str| -> u64 {
        let line = meminfo.lines().find(|line| line.starts_with(name)).expect("the field");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    };
    t.value("the first field", meminfo.split(':').next().expect("a field"));
    t.holds("MemTotal is not 0", field("MemTotal:") > 0);
    t.holds("MemFree is at most that", field("MemFree:") <= field("MemTotal:"));
    t.holds("MemAvailable is at most that", field("MemAvailable:") <= field("MemTotal:"));
}

fn proc_stat_uptime_loadavg(t: &mut Transcript) {
    let stat = text("/proc/stat");
    t.holds("stat starts with cpu", stat.starts_with("cpu "));
    t.holds("stat has btime", stat.lines().any(|line| line.starts_with("btime ")));
    let uptime = text("/proc/uptime");
    let numbers: Vec<f64> =
        uptime.split_whitespace().map(|field| field.parse().expect("a number")).collect();
    t.value("uptime has numbers", numbers.len());
    let now = c::now(libc::CLOCK_BOOTTIME).as_secs_f64();
    t.holds("uptime is CLOCK_BOOTTIME", (now - numbers[0]).abs() < 5.0);
    t.value("loadavg has fields", text("/proc/loadavg").split_whitespace().count());
    t.holds("version names Linux", text("/proc/version").starts_with("Linux version "));
}

fn proc_sys_numbers(t: &mut Transcript) {
    for path in [
        "/proc/sys/kernel/pid_max",
        "/proc/sys/net/core/somaxconn",
        "/proc/sys/fs/file-max",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sys/kernel/threads-max",
        "/proc/sys/vm/max_map_count",
    ] {
        let content = text(path);
        t.holds(format_args!("{path} is a number"), content.trim().parse::<u64>().is_ok());
    }
    t.value("ostype", text("/proc/sys/kernel/ostype").trim_end());
    let release = text("/proc/sys/kernel/osrelease");
    t.holds("osrelease is a version", release.starts_with(|first: char| first.is_ascii_digit()));
}

fn proc_errors(t: &mut Transcript) {
    t.call("open /proc/absent", c::open("/proc/absent", O_RDONLY));
    t.call("open /proc/999999999/stat", c::open("/proc/999999999/stat", O_RDONLY));
    t.call("open /proc/self/absent", c::open("/proc/self/absent", O_RDONLY));
    t.call("create in /proc", c::open("/proc/new", libc::O_CREAT | O_RDWR));
    t.call("mkdir in /proc", c::mkdir("/proc/new", 0o755));
    let fd = c::must_open("/proc/self/status", O_RDONLY);
    let mut first = [0; 5];
    t.call("read 5", c::read(fd, &mut first));
    t.bytes("read", &first);
    t.call("lseek to 0", c::lseek(fd, 0, SEEK_SET));
    t.call("read 5", c::read(fd, &mut first));
    t.bytes("read", &first);
    t.value("st_size", c::stat_of(fd).st_size);
    c::close_all(&[fd]);
}

fn sys_cpu_online(t: &mut Transcript) {
    let online = text("/sys/devices/system/cpu/online");
    let shape = |part: &str| part.split('-').all(|number| number.parse::<u32>().is_ok());
    t.holds("online is a list of ranges", online.trim_end().split(',').all(shape));
    let possible = text("/sys/devices/system/cpu/possible");
    t.holds("possible is, too", possible.trim_end().split(',').all(shape));
}
