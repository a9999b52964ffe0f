//! Signals: waiting for them, and taking them from a descriptor.

use std::mem::{size_of, zeroed};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libc::{
    EPOLLIN, POLLIN, SFD_CLOEXEC, SFD_NONBLOCK, SIG_BLOCK, SIG_IGN, SIGRTMIN, SIGUSR1, SIGUSR2,
    c_int, c_void, signalfd_siginfo,
};

use crate::Transcript;
use crate::c;

tests![Signal:
    signal_sigsuspend,
    signal_sigwait_takes_the_pending,
    signal_sigtimedwait_times_out,
    signal_sigwaitinfo_tells,
    signal_sigwait_of_an_ignored_signal,
    signal_sigwait_in_another_thread,
    signal_signalfd_reads,
    signal_signalfd_polls,
    signal_signalfd_changes_and_errors,
];

static COUNT: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: c_int) {
    COUNT.fetch_add(1, Ordering::SeqCst);
}

fn counted() -> u32 {
    COUNT.load(Ordering::SeqCst)
}

fn kill_ourselves(signal: c_int) {
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0, "kill");
}

fn signal_sigsuspend(t: &mut Transcript) {
    c::on_signal(SIGUSR1, count, 0);
    c::mask(SIG_BLOCK, &[SIGUSR1]);
    c::raise(SIGUSR1);
    t.value("handled before", counted());
    // SAFETY: the set is of our own.
    t.call("sigsuspend", unsafe { libc::sigsuspend(&c::sigset(&[])) });
    t.value("handled", counted());
    c::raise(SIGUSR1);
    t.holds("blocked again afterwards", c::is_pending(SIGUSR1) && counted() == 1);
    thread::scope(|scope| {
        let me = c::pthread_self();
        c::mask(SIG_BLOCK, &[SIGUSR2]);
        c::on_signal(SIGUSR2, count, 0);
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(15));
            c::pthread_kill(me, SIGUSR2);
        });
        // SAFETY: as above.
        let result = unsafe { libc::sigsuspend(&c::sigset(&[SIGUSR1])) };
        t.call("sigsuspend until another thread signals", result);
    });
    t.value("handled", counted());
}

fn signal_sigwait_takes_the_pending(t: &mut Transcript) {
    c::on_signal(SIGUSR1, count, 0);
    c::mask(SIG_BLOCK, &[SIGUSR1, SIGUSR2]);
    c::raise(SIGUSR1);
    let mut got = 0;
    // SAFETY: set and result are of our own.
    t.code("sigwait", unsafe { libc::sigwait(&c::sigset(&[SIGUSR1, SIGUSR2]), &mut got) });
    t.holds("it is USR1", got == SIGUSR1);
    t.holds("it is no longer pending", !c::is_pending(SIGUSR1));
    t.value("the handler ran", counted());
}

fn timed_wait(signals: &[c_int], millis: i64) -> c_int {
    // SAFETY: set and time are of our own, and null asks for no information.
    unsafe { libc::sigtimedwait(&c::sigset(signals), null_mut(), &c::timespec(millis)) }
}

fn signal_sigtimedwait_times_out(t: &mut Transcript) {
    c::mask(SIG_BLOCK, &[SIGUSR1, SIGUSR2]);
    t.call("none pending, 0 ms", timed_wait(&[SIGUSR1], 0));
    let start = Instant::now();
    t.call("none pending, 15 ms", timed_wait(&[SIGUSR1], 15));
    t.holds("it took 15 ms or more", start.elapsed().as_millis() >= 15);
    c::raise(SIGUSR2);
    t.call("another pending, 5 ms", timed_wait(&[SIGUSR1], 5));
    t.holds("USR2, 5 ms", timed_wait(&[SIGUSR1, SIGUSR2], 5) == SIGUSR2);
    c::on_signal(libc::SIGALRM, count, libc::SA_RESTART);
    let soon = libc::itimerval { it_value: c::timeval(10), it_interval: c::timeval(10) };
    // SAFETY: the times are of our own.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &soon, null_mut()) };
    t.call("a signal that is not in the set", timed_wait(&[SIGUSR1], 60_000));
    let bad = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000_000 };
    // SAFETY: as above.
    let result = unsafe { libc::sigtimedwait(&c::sigset(&[SIGUSR1]), null_mut(), &bad) };
    t.call("nsec of a second", result);
}

fn signal_sigwaitinfo_tells(t: &mut Transcript) {
    c::mask(SIG_BLOCK, &[SIGRTMIN()]);
    for number in [11, 22] {
        let value = libc::sigval { sival_ptr: number as *mut c_void };
        // SAFETY: the value is a number.
        unsafe { libc::sigqueue(libc::getpid(), SIGRTMIN(), value) };
    }
    for _ in 0..2 {
        // SAFETY: all fields are integers; the set is of our own.
        let (result, info) = unsafe {
            let mut info: libc::siginfo_t = zeroed();
            (libc::sigwaitinfo(&c::sigset(&[SIGRTMIN()]), &mut info), info)
        };
        t.holds("sigwaitinfo returns the number", result == SIGRTMIN());
        t.holds("si_signo", info.si_signo == SIGRTMIN());
        t.holds("si_code is SI_QUEUE", info.si_code == libc::SI_QUEUE);
        // SAFETY: a queued signal carries a pid and a value.
        unsafe {
            t.holds("si_pid is ours", info.si_pid() == libc::getpid());
            t.value("si_value", info.si_value().sival_ptr as usize);
        }
    }
}

fn signal_sigwait_of_an_ignored_signal(t: &mut Transcript) {
    c::set_disposition(SIGUSR1, SIG_IGN, 0);
    c::mask(SIG_BLOCK, &[SIGUSR1]);
    c::raise(SIGUSR1);
    t.holds("ignored, blocked and pending is taken", timed_wait(&[SIGUSR1], 5) == SIGUSR1);
}

fn signal_sigwait_in_another_thread(t: &mut Transcript) {
    c::mask(SIG_BLOCK, &[SIGUSR1]);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| timed_wait(&[SIGUSR1], 5000));
        thread::sleep(Duration::from_millis(10));
        kill_ourselves(SIGUSR1);
        t.holds("it takes a signal to the process", waiter.join().expect("it ends") == SIGUSR1);
    });
}

fn signalfd(fd: i32, signals: &[c_int], flags: c_int) -> i32 {
    // SAFETY: the set is of our own.
    unsafe { libc::signalfd(fd, &c::sigset(signals), flags) }
}

fn read_info(fd: i32) -> (isize, signalfd_siginfo) {
    // SAFETY: all fields are integers; pointer and size are those of one value.
    unsafe {
        let mut info: signalfd_siginfo = zeroed();
        let size = size_of::<signalfd_siginfo>();
        (libc::read(fd, (&raw mut info).cast(), size), info)
    }
}

fn signal_signalfd_reads(t: &mut Transcript) {
    c::mask(SIG_BLOCK, &[SIGUSR1, SIGUSR2]);
    let fd = t.ok("signalfd", signalfd(-1, &[SIGUSR1, SIGUSR2], SFD_NONBLOCK | SFD_CLOEXEC));
    t.call("read of none", read_info(fd).0);
    kill_ourselves(SIGUSR2);
    c::raise(SIGUSR1);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (result, info) = read_info(fd);
        t.call("read", result);
        t.holds("ssi_pid is ours", info.ssi_pid == std::process::id());
        seen.push(info.ssi_signo as c_int);
    }
    // A thread's own signals come before the process's.
    t.holds("USR1 was first", seen == [SIGUSR1, SIGUSR2]);
    t.call("read of none", read_info(fd).0);
    t.holds("nothing is pending", !c::is_pending(SIGUSR1) && !c::is_pending(SIGUSR2));
    c::close_all(&[fd]);
}

fn signal_signalfd_polls(t: &mut Transcript) {
    c::mask(SIG_BLOCK, &[SIGUSR1]);
    let fd = c::must(signalfd(-1, &[SIGUSR1], 0));
    let epoll = c::epoll_create();
    c::epoll_add(epoll, fd, EPOLLIN, 1);
    t.value("poll", c::poll_now(fd, POLLIN));
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(15));
            kill_ourselves(SIGUSR1);
        });
        t.value("epoll", c::epoll_report(epoll, 5000));
    });
    t.value("poll", c::poll_now(fd, POLLIN));
    t.call("a blocking read", read_info(fd).0);
    t.value("poll", c::poll_now(fd, POLLIN));
    t.value("epoll", c::epoll_now(epoll));
    c::close_all(&[fd, epoll]);
}

fn signal_signalfd_changes_and_errors(t: &mut Transcript) {
    c::mask(SIG_BLOCK, &[SIGUSR1, SIGUSR2]);
    let fd = c::must(signalfd(-1, &[SIGUSR1], SFD_NONBLOCK));
    c::raise(SIGUSR2);
    t.call("another signal is pending: read", read_info(fd).0);
    t.holds("change the set", signalfd(fd, &[SIGUSR2], 0) == fd);
    t.call("read", read_info(fd).0);
    c::raise(SIGUSR2);
    t.call("read into 100 bytes", c::read(fd, &mut [0; 100]));
    t.call("write", c::write(fd, &[0; 128]));
    let [reader, writer] = c::pipe(0);
    t.call("signalfd of a pipe", signalfd(reader, &[SIGUSR1], 0));
    t.call("signalfd of a closed descriptor", signalfd(c::BAD_FD, &[SIGUSR1], 0));
    t.call("unknown flags", signalfd(-1, &[SIGUSR1], 1));
    c::close_all(&[fd, reader, writer]);
}
