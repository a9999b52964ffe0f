//! The process and its system: ids, limits, names, randomness, the scheduler.

use std::mem::{size_of, zeroed};
use std::thread;

use libc::{GRND_NONBLOCK, GRND_RANDOM, c_int, c_ulong, rlimit};

use crate::Transcript;
use crate::c::{self, BAD_POINTER};

tests![Process:
    process_ids,
    process_threads_have_their_own_ids,
    process_user_and_group,
    process_uname,
    process_sysinfo,
    process_limits,
    process_usage_and_times,
    process_affinity,
    process_scheduling,
    process_yield,
    process_name,
    process_prctl,
    process_umask,
    process_getrandom,
    process_sysconf,
    process_auxiliary_vector,
    process_thread_pointer,
    process_environment,
    process_hostname,
    process_no_children,
    process_unknown_call,
    process_membarrier_and_robust_list,
];

fn process_ids(t: &mut Transcript) {
    // SAFETY: none of these takes anything or can fail.
    unsafe {
        t.holds("pid is positive", libc::getpid() > 0);
        t.holds("the parent's is not negative", libc::getppid() >= 0);
        t.holds("the parent is another", libc::getppid() != libc::getpid());
        t.holds("std's is the same", std::process::id() as i32 == libc::getpid());
        t.holds("the raw call's is, too", libc::syscall(libc::SYS_getpid) as i32 == libc::getpid());
        t.holds("the process group is positive", libc::getpgid(0) >= 0);
        t.holds("getpgrp agrees", libc::getpgrp() == libc::getpgid(0));
        t.holds("a session exists", libc::getsid(0) >= 0);
        t.call("getpgid(nobody)", libc::getpgid(i32::MAX));
    }
}

fn process_threads_have_their_own_ids(t: &mut Transcript) {
    let (tid, pid) = (c::gettid(), std::process::id() as i32);
    t.holds("the main thread's tid is the pid", tid == pid);
    let other = thread::spawn(|| (c::gettid(), std::process::id() as i32));
    let (other_tid, other_pid) = other.join().expect("it ends");
    t.holds("another thread has another tid", other_tid != tid);
    t.holds("and the same pid", other_pid == pid);
    // SAFETY: no memory is involved; the thread has ended.
    let gone =
        c::eventually(|| unsafe { libc::syscall(libc::SYS_tgkill, pid, other_tid, 0) == -1 });
    t.holds("after join, its tid is gone", gone);
}

fn process_user_and_group(t: &mut Transcript) {
    let (mut real, mut effective, mut saved) = (0, 0, 0);
    // SAFETY: all results are of our own.
    unsafe {
        t.call("getresuid", libc::getresuid(&mut real, &mut effective, &mut saved));
        t.holds("getuid agrees", libc::getuid() == real);
        t.holds("geteuid agrees", libc::geteuid() == effective);
        t.holds("saved is effective", saved == effective);
        t.call("getresgid", libc::getresgid(&mut real, &mut effective, &mut saved));
        t.holds("getgid agrees", libc::getgid() == real);
        t.holds("getegid agrees", libc::getegid() == effective);
        t.holds("getgroups counts", libc::getgroups(0, std::ptr::null_mut()) >= 0);
        t.call("getgroups(-1)", libc::getgroups(-1, std::ptr::null_mut()));
        t.call("setuid to ourselves", libc::setuid(libc::getuid()));
    }
}

fn text(field: &[libc::c_char]) -> String {
    let bytes: Vec<u8> =
        field.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn process_uname(t: &mut Transcript) {
    // SAFETY: all fields are arrays of integers; the result is of our own.
    unsafe {
        let mut name: libc::utsname = zeroed();
        t.call("uname", libc::uname(&mut name));
        t.value("sysname", text(&name.sysname));
        t.value("machine", text(&name.machine));
        let release = text(&name.release);
        let major = release.split('.').next().and_then(|part| part.parse::<u32>().ok());
        t.holds("release starts with a number from 5 on", major >= Some(5));
        t.holds("nodename is not empty", !text(&name.nodename).is_empty());
        t.holds("version is not empty", !text(&name.version).is_empty());
        t.call("uname of an unmapped result", libc::syscall(libc::SYS_uname, BAD_POINTER));
    }
}

fn process_sysinfo(t: &mut Transcript) {
    // SAFETY: all fields are integers; the result is of our own.
    unsafe {
        let mut info: libc::sysinfo = zeroed();
        t.call("sysinfo", libc::sysinfo(&mut info));
        t.holds("uptime", info.uptime > 0);
        t.holds("total memory", info.totalram > 0);
        t.holds("free memory is at most that", info.freeram <= info.totalram);
        t.holds("the unit", info.mem_unit > 0);
        t.holds("processes", info.procs > 0);
        t.call("an unmapped result", libc::syscall(libc::SYS_sysinfo, BAD_POINTER));
    }
}

fn process_limits(t: &mut Transcript) {
    for (name, resource) in [
        ("RLIMIT_NOFILE", libc::RLIMIT_NOFILE),
        ("RLIMIT_STACK", libc::RLIMIT_STACK),
        ("RLIMIT_AS", libc::RLIMIT_AS),
        ("RLIMIT_CORE", libc::RLIMIT_CORE),
        ("RLIMIT_NPROC", libc::RLIMIT_NPROC),
    ] {
        let mut limit = rlimit { rlim_cur: 1, rlim_max: 0 };
        // SAFETY: the results are of our own, and null changes nothing.
        unsafe {
            t.call(format_args!("getrlimit {name}"), libc::getrlimit(resource, &mut limit));
            t.holds("soft is at most hard", limit.rlim_cur <= limit.rlim_max);
            let mut again = rlimit { rlim_cur: 1, rlim_max: 0 };
            let result = libc::prlimit(0, resource, std::ptr::null(), &mut again);
            t.call("prlimit", result);
            let same = (again.rlim_cur, again.rlim_max) == (limit.rlim_cur, limit.rlim_max);
            t.holds("agrees", same);
        }
    }
    let mut core = rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limits are of our own.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_CORE, &mut core), 0);
        core.rlim_cur = 0;
        t.call("setrlimit RLIMIT_CORE 0", libc::setrlimit(libc::RLIMIT_CORE, &core));
        t.call("getrlimit 99", libc::getrlimit(99, &mut core));
        let nobody = libc::prlimit(i32::MAX, libc::RLIMIT_CORE, std::ptr::null(), &mut core);
        t.call("prlimit of nobody", nobody);
    }
}

fn process_usage_and_times(t: &mut Transcript) {
    // SAFETY: all fields are integers; the results are of our own.
    unsafe {
        let mut usage: libc::rusage = zeroed();
        for (name, who) in [
            ("RUSAGE_SELF", libc::RUSAGE_SELF),
            ("RUSAGE_THREAD", libc::RUSAGE_THREAD),
            ("RUSAGE_CHILDREN", libc::RUSAGE_CHILDREN),
        ] {
            t.call(format_args!("getrusage {name}"), libc::getrusage(who, &mut usage));
            t.holds("times are not negative", usage.ru_utime.tv_sec >= 0);
        }
        t.call("getrusage 99", libc::getrusage(99, &mut usage));
        let mut times: libc::tms = zeroed();
        t.holds("times", libc::times(&mut times) != -1);
        t.holds("user time is not negative", times.tms_utime >= 0);
        t.value("children's", times.tms_cutime);
    }
}

fn process_affinity(t: &mut Transcript) {
    // SAFETY: a set of zeroes is empty; the results are of our own.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        let size = size_of::<libc::cpu_set_t>();
        t.call("sched_getaffinity", libc::sched_getaffinity(0, size, &mut set));
        let count = libc::CPU_COUNT(&set);
        t.holds("not empty", count > 0);
        let std = thread::available_parallelism().expect("it is known").get();
        t.holds("std finds as many or fewer (a quota)", std <= count as usize);
        t.call("set it to what it is", libc::sched_setaffinity(0, size, &set));
        let empty: libc::cpu_set_t = zeroed();
        t.call("set it to nothing", libc::sched_setaffinity(0, size, &empty));
        t.call("of nobody", libc::sched_getaffinity(i32::MAX, size, &mut set));
        let raw = libc::syscall(libc::SYS_sched_getaffinity, 0, size, &raw mut set);
        t.holds("the raw call returns a size in words", raw > 0 && raw % 8 == 0);
        t.call("into 4 bytes", libc::syscall(libc::SYS_sched_getaffinity, 0, 4, &raw mut set));
        let mut cpu = u32::MAX;
        let node = std::ptr::null_mut::<u32>();
        t.call("getcpu", libc::syscall(libc::SYS_getcpu, &raw mut cpu, node, node));
        t.holds("we run on one of them", libc::CPU_ISSET(cpu as usize, &set));
    }
}

fn process_scheduling(t: &mut Transcript) {
    // SAFETY: all results are of our own.
    unsafe {
        t.holds("policy is SCHED_OTHER", libc::sched_getscheduler(0) == libc::SCHED_OTHER);
        let mut param: libc::sched_param = zeroed();
        t.call("sched_getparam", libc::sched_getparam(0, &mut param));
        t.value("priority", param.sched_priority);
        t.value("lowest of SCHED_FIFO", libc::sched_get_priority_min(libc::SCHED_FIFO));
        t.value("highest of SCHED_FIFO", libc::sched_get_priority_max(libc::SCHED_FIFO));
        t.call("priorities of policy 99", libc::sched_get_priority_max(99));
        param.sched_priority = 5;
        let result = libc::sched_setscheduler(0, libc::SCHED_OTHER, &param);
        t.call("SCHED_OTHER with priority 5", result);
        t.call("sched_getscheduler(nobody)", libc::sched_getscheduler(i32::MAX));
        t.holds("getpriority", (-20..20).contains(&libc::getpriority(libc::PRIO_PROCESS, 0)));
    }
}

fn process_yield(t: &mut Transcript) {
    // SAFETY: no memory is involved.
    t.call("sched_yield", unsafe { libc::sched_yield() });
    let turn = std::sync::atomic::AtomicU32::new(0);
    thread::scope(|scope| {
        for number in 0..2 {
            let turn = &turn;
            scope.spawn(move || {
                for _ in 0..50 {
                    // A waiting loop that yields must let the other one go on.
                    while turn.load(std::sync::atomic::Ordering::SeqCst) % 2 != number {
                        thread::yield_now();
                    }
                    turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                }
            });
        }
    });
    t.value("turns taken", turn.into_inner());
}

fn thread_name() -> String {
    let mut name = [0 as libc::c_char; 16];
    // SAFETY: PR_GET_NAME writes up to 16 bytes.
    let result = unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    assert_eq!(result, 0, "PR_GET_NAME");
    text(&name)
}

fn process_name(t: &mut Transcript) {
    // SAFETY: the names are NUL-terminated literals.
    unsafe {
        t.call("PR_SET_NAME", libc::prctl(libc::PR_SET_NAME, c"short".as_ptr()));
        t.value("PR_GET_NAME", thread_name());
        let long = c"a name of more than fifteen bytes";
        t.call("PR_SET_NAME of a long one", libc::prctl(libc::PR_SET_NAME, long.as_ptr()));
        t.value("PR_GET_NAME", thread_name());
        t.call("PR_SET_NAME, unmapped", libc::prctl(libc::PR_SET_NAME, BAD_POINTER));
        let result = libc::pthread_setname_np(libc::pthread_self(), c"by pthread".as_ptr());
        t.code("pthread_setname_np", result);
        t.value("PR_GET_NAME", thread_name());
        let result = libc::pthread_setname_np(libc::pthread_self(), long.as_ptr());
        t.code("pthread_setname_np of a long one", result);
    }
    let child = thread::Builder::new().name("a std thread".into()).spawn(thread_name);
    t.value("a named std thread", child.expect("it starts").join().expect("it ends"));
    let child = thread::spawn(thread_name);
    t.value("an unnamed one inherits", child.join().expect("it ends"));
    let comm = std::fs::read_to_string("/proc/self/comm").expect("/proc/self/comm");
    t.value("/proc/self/comm", comm.trim_end());
}

fn process_prctl(t: &mut Transcript) {
    // SAFETY: no memory is involved with these options.
    let prctl = |option: c_int, value: c_ulong| unsafe { libc::prctl(option, value, 0, 0, 0) };
    t.holds("PR_GET_DUMPABLE is 0 to 2", (0..=2).contains(&prctl(libc::PR_GET_DUMPABLE, 0)));
    t.call("PR_SET_DUMPABLE 5", prctl(libc::PR_SET_DUMPABLE, 5));
    t.call("PR_SET_PDEATHSIG 65", prctl(libc::PR_SET_PDEATHSIG, 65));
    t.call("PR_SET_PDEATHSIG 0", prctl(libc::PR_SET_PDEATHSIG, 0));
    t.call("PR_SET_NO_NEW_PRIVS 1", prctl(libc::PR_SET_NO_NEW_PRIVS, 1));
    t.call("PR_GET_NO_NEW_PRIVS", prctl(libc::PR_GET_NO_NEW_PRIVS, 0));
    t.call("option 9999", prctl(9999, 0));
}

fn process_umask(t: &mut Transcript) {
    // SAFETY: no memory is involved.
    unsafe {
        libc::umask(0o027);
        t.value("the old one", format_args!("{:03o}", libc::umask(0o7777)));
        t.value("only nine bits are kept", format_args!("{:03o}", libc::umask(0o022)));
        thread::spawn(|| libc::umask(0o055)).join().expect("it ends");
        t.value("another thread's is the same", format_args!("{:03o}", libc::umask(0o022)));
    }
}

fn getrandom(buffer: &mut [u8], flags: u32) -> isize {
    // SAFETY: pointer and length are those of one slice.
    unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), flags) }
}

fn process_getrandom(t: &mut Transcript) {
    let (mut one, mut two) = ([0; 32], [0; 32]);
    t.call("32 bytes", getrandom(&mut one, 0));
    t.call("32 more", getrandom(&mut two, 0));
    t.holds("they differ", one != two);
    t.holds("they are not zero", one != [0; 32]);
    t.call("nothing", getrandom(&mut [], 0));
    t.call("GRND_NONBLOCK", getrandom(&mut one, GRND_NONBLOCK));
    t.call("10,000 bytes", getrandom(&mut [0; 10_000], 0));
    t.call("unknown flags", getrandom(&mut one, 0x80));
    let insecure_random = 4 | GRND_RANDOM;
    t.call("GRND_INSECURE|GRND_RANDOM", getrandom(&mut one, insecure_random));
    // SAFETY: the kernel checks the pointer.
    let unmapped = unsafe { libc::getrandom(BAD_POINTER as *mut _, 8, 0) };
    t.call("an unmapped buffer", unmapped);
    // SAFETY: pointer and length are those of one array.
    t.call("getentropy", unsafe { libc::getentropy(one.as_mut_ptr().cast(), 32) });
}

fn process_sysconf(t: &mut Transcript) {
    // SAFETY: no memory is involved.
    let of = |name| unsafe { libc::sysconf(name) };
    t.value("_SC_PAGESIZE", of(libc::_SC_PAGESIZE));
    t.value("_SC_CLK_TCK", of(libc::_SC_CLK_TCK));
    t.value("_SC_IOV_MAX", of(libc::_SC_IOV_MAX));
    t.holds("_SC_NPROCESSORS_ONLN", of(libc::_SC_NPROCESSORS_ONLN) > 0);
    t.holds("_SC_NPROCESSORS_CONF", of(libc::_SC_NPROCESSORS_CONF) > 0);
    t.holds("_SC_PHYS_PAGES", of(libc::_SC_PHYS_PAGES) > 0);
    t.holds("_SC_OPEN_MAX", of(libc::_SC_OPEN_MAX) > 0);
    t.holds("_SC_ARG_MAX", of(libc::_SC_ARG_MAX) > 4096);
    t.call("an unknown name", of(9999));
}

fn process_auxiliary_vector(t: &mut Transcript) {
    // SAFETY: no memory is involved.
    let of = |kind| unsafe { libc::getauxval(kind) };
    t.value("AT_PAGESZ", of(libc::AT_PAGESZ));
    t.value("AT_CLKTCK", of(libc::AT_CLKTCK));
    // SAFETY: no memory is involved.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    t.holds("AT_UID", of(libc::AT_UID) == user.into());
    t.holds("AT_GID", of(libc::AT_GID) == group.into());
    t.value("AT_SECURE", of(libc::AT_SECURE));
    t.holds("AT_RANDOM points somewhere", of(libc::AT_RANDOM) != 0);
    t.holds("AT_PHDR points somewhere", of(libc::AT_PHDR) != 0);
    t.holds("AT_ENTRY points somewhere", of(libc::AT_ENTRY) != 0);
    t.value("an unknown kind", of(9999));
}

fn process_thread_pointer(t: &mut Transcript) {
    const ARCH_GET_FS: c_int = 0x1003;
    fn thread_pointer() -> u64 {
        let mut fs = 0u64;
        // SAFETY: ARCH_GET_FS writes one word.
        let result = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_GET_FS, &raw mut fs) };
        assert_eq!(result, 0, "ARCH_GET_FS");
        fs
    }
    let ours = thread_pointer();
    t.holds("FS is set", ours != 0);
    // On x86-64 glibc's pthread_t is the thread pointer.
    t.holds("it is pthread_self", ours == c::pthread_self());
    let other = thread::spawn(|| (thread_pointer(), c::pthread_self()));
    let (fs, handle) = other.join().expect("it ends");
    t.holds("another thread has another", fs != ours && fs == handle);
    // SAFETY: the kernel refuses the code.
    t.call("code 9999", unsafe { libc::syscall(libc::SYS_arch_prctl, 9999, 0) });
}

fn process_environment(t: &mut Transcript) {
    // SAFETY: the body has one thread.
    unsafe { std::env::set_var("CONFORMANCE_VARIABLE", "value") };
    t.value("set", std::env::var("CONFORMANCE_VARIABLE").expect("it is set"));
    // SAFETY: name and result are NUL-terminated.
    let found = unsafe { std::ffi::CStr::from_ptr(libc::getenv(c"CONFORMANCE_VARIABLE".as_ptr())) };
    t.bytes("getenv", found.to_bytes());
    // SAFETY: the body has one thread.
    unsafe { std::env::remove_var("CONFORMANCE_VARIABLE") };
    t.holds("removed", std::env::var_os("CONFORMANCE_VARIABLE").is_none());
    t.holds("there are arguments", std::env::args_os().len() >= 1);
    t.holds("current_exe", std::env::current_exe().is_ok_and(|path| path.is_absolute()));
}

fn process_hostname(t: &mut Transcript) {
    let mut name = [1 as libc::c_char; 256];
    // SAFETY: pointer and length are those of one array.
    t.call("gethostname", unsafe { libc::gethostname(name.as_mut_ptr(), name.len()) });
    // SAFETY: the result is of our own.
    let node = unsafe {
        let mut uname: libc::utsname = zeroed();
        libc::uname(&mut uname);
        text(&uname.nodename)
    };
    t.holds("it is uname's nodename", text(&name) == node);
    // SAFETY: pointer and length are those of one array.
    t.call("into nothing", unsafe { libc::gethostname(name.as_mut_ptr(), 0) });
    let file = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("the file");
    t.holds("/proc/sys/kernel/hostname agrees", file.trim_end() == node);
}

fn process_no_children(t: &mut Transcript) {
    let mut status = 0;
    // SAFETY: the result is of our own.
    unsafe {
        t.call("waitpid(-1)", libc::waitpid(-1, &mut status, libc::WNOHANG));
        t.call("waitpid(ourselves)", libc::waitpid(libc::getpid(), &mut status, 0));
        t.call("waitpid with unknown options", libc::waitpid(-1, &mut status, 1 << 20));
    }
}

fn process_unknown_call(t: &mut Transcript) {
    // SAFETY: no such call exists.
    unsafe {
        t.call("system call 9999", libc::syscall(9999));
        t.call("system call -1", libc::syscall(-1));
    }
}

fn process_membarrier_and_robust_list(t: &mut Transcript) {
    const MEMBARRIER_CMD_QUERY: c_int = 0;
    // SAFETY: no memory is involved.
    unsafe {
        let commands = libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
        t.holds(
            "membarrier answers a mask or ENOSYS",
            commands >= 0 || crate::errno::last() == libc::ENOSYS,
        );
        let robust = libc::syscall(libc::SYS_set_robust_list, 0, 5);
        t.call("set_robust_list of a wrong size", robust);
    }
}
