//! Signals: what they do to the call they interrupt.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::thread;

use libc::{SA_RESTART, SA_SIGINFO, SIGUSR1, c_int, c_void, siginfo_t};

use crate::c;
use crate::{Transcript, errno};

tests![Signal:
    signal_eintr_without_restart,
    signal_restart,
    signal_eintr_of_calls_that_never_restart,
    signal_fault_can_be_handled,
];

static COUNT: AtomicU32 = AtomicU32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static FAULT_AT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: c_int) {
    COUNT.fetch_add(1, Ordering::SeqCst);
}

fn counted() -> u32 {
    COUNT.load(Ordering::SeqCst)
}

/// Runs `call` in this thread while another sends SIGUSR1 to it, again and
/// again until the call has returned.
fn interrupted<R>(call: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    let (result, errno) = thread::scope(|scope| {
        let (me, done) = (c::pthread_self(), &done);
        scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                thread::sleep(std::time::Duration::from_millis(5));
                c::pthread_kill(me, SIGUSR1);
            }
        });
        let outcome = (call(), errno::last());
        done.store(true, Ordering::SeqCst);
        outcome
    });
    // Waiting for the other thread has changed it.
    errno::set(errno);
    result
}

fn signal_eintr_without_restart(t: &mut Transcript) {
    c::on_signal(SIGUSR1, count, 0);
    let [reader, writer] = c::pipe(0);
    let (client, server) = c::tcp_pair();
    let (listener, _) = c::tcp_listener(c::loopback4());
    let event = c::eventfd(0, 0);
    t.call("read of a pipe", interrupted(|| c::read(reader, &mut [0; 1])));
    t.call("recv of TCP", interrupted(|| c::recv(client, &mut [0; 1], 0)));
    t.call("accept", interrupted(|| c::accept(listener)));
    t.call("read of an eventfd", interrupted(|| c::read(event, &mut [0; 8])));
    t.call("write of 200,000 to a pipe", interrupted(|| c::write(writer, &[0; 200_000])));
    t.holds("signals were handled", counted() >= 5);
    c::close_all(&[reader, writer, client, server, listener, event]);
}

fn signal_restart(t: &mut Transcript) {
    c::on_signal(SIGUSR1, count, SA_RESTART);
    let [reader, writer] = c::pipe(0);
    let (client, server) = c::tcp_pair();
    let after_signals = |act: fn(i32), fd: i32| {
        let before = counted();
        thread::spawn(move || {
            assert!(c::eventually(|| counted() >= before + 2), "signals arrive");
            act(fd);
        })
    };
    let helper = after_signals(|fd| assert_eq!(c::write(fd, b"x"), 1), writer);
    t.call("read of a pipe goes on", interrupted(|| c::read(reader, &mut [0; 1])));
    helper.join().expect("the helper");
    let helper = after_signals(|fd| assert_eq!(c::send(fd, b"xy", 0), 2), server);
    t.call("recv of TCP goes on", interrupted(|| c::recv(client, &mut [0; 8], 0)));
    helper.join().expect("the helper");
    c::close_all(&[reader, writer, client, server]);
}

fn signal_eintr_of_calls_that_never_restart(t: &mut Transcript) {
    // signal(7) lists them: SA_RESTART changes nothing.
    c::on_signal(SIGUSR1, count, SA_RESTART);
    let event = c::eventfd(0, 0);
    let epoll = c::epoll_create();
    let mut fds = [libc::pollfd { fd: event, events: libc::POLLIN, revents: 0 }];
    let mut none = [libc::epoll_event { events: 0, u64: 0 }];
    t.call("poll", interrupted(|| c::poll(&mut fds, 60_000)));
    t.call("epoll_wait", interrupted(|| c::epoll_wait(epoll, &mut none, 60_000)));
    let time = c::timespec(60_000);
    // SAFETY: the time is of our own.
    t.call("nanosleep", interrupted(|| unsafe { libc::nanosleep(&time, null_mut()) }));
    // SAFETY: null sets are allowed.
    let select =
        || unsafe { libc::select(0, null_mut(), null_mut(), null_mut(), &mut c::timeval(60_000)) };
    t.call("select", interrupted(select));
    // SAFETY: no memory is involved.
    t.call("pause", interrupted(|| unsafe { libc::pause() }));
    let (client, server) = c::tcp_pair();
    c::setsockopt(client, libc::SOL_SOCKET, libc::SO_RCVTIMEO, c::timeval(60_000));
    let recv = interrupted(|| c::recv(client, &mut [0; 1], 0));
    t.call("recv with a timeout", recv);
    c::close_all(&[event, epoll, client, server]);
}

extern "C" fn mend(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel passes a siginfo with SA_SIGINFO, and SIGSEGV has an address.
    let (at, code) = unsafe { ((*info).si_addr() as usize, (*info).si_code) };
    FAULT_AT.store(at, Ordering::SeqCst);
    CODE.store(code, Ordering::SeqCst);
    let page = (at & !4095) as *mut c_void;
    // SAFETY: the body faults only on the page that it protected.
    unsafe { libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_WRITE) };
}

fn signal_fault_can_be_handled(t: &mut Transcript) {
    const SEGV_ACCERR: i32 = 2;
    c::set_disposition(libc::SIGSEGV, mend as *const () as usize, SA_SIGINFO);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh page, made accessible by the handler at the first write.
    unsafe {
        let page: *mut u8 = libc::mmap(null_mut(), 4096, libc::PROT_NONE, flags, -1, 0).cast();
        page.add(100).write_volatile(42);
        t.value("written after the fault", page.add(100).read_volatile());
        t.holds("si_addr", FAULT_AT.load(Ordering::SeqCst) == page as usize + 100);
    }
    t.holds("si_code is SEGV_ACCERR", CODE.load(Ordering::SeqCst) == SEGV_ACCERR);
}
