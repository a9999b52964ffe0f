//! Signals: dispositions, masks, handlers.

use std::mem::zeroed;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::thread;

use libc::{
    SA_NODEFER, SA_ONSTACK, SA_RESETHAND, SA_RESTART, SA_SIGINFO, SIG_BLOCK, SIG_DFL, SIG_IGN,
    SIG_SETMASK, SIG_UNBLOCK, SIGCHLD, SIGKILL, SIGRTMIN, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2,
    c_int, c_void, siginfo_t,
};

use crate::Transcript;
use crate::c;

tests![Signal:
    signal_handler_runs_before_raise_returns,
    signal_old_disposition,
    signal_invalid_numbers,
    signal_blocked_waits,
    signal_mask_arithmetic,
    signal_standard_ones_are_not_queued,
    signal_realtime_ones_are_queued,
    signal_lowest_number_first,
    signal_ignored_and_default,
    signal_ignoring_discards_the_pending,
    signal_information_of_kill,
    signal_information_of_tgkill,
    signal_information_of_sigqueue,
    signal_kill_zero_and_errors,
    signal_masked_while_handled,
    signal_nodefer_and_mask_of_the_action,
    signal_reset_hand,
    signal_alternate_stack,
    signal_to_one_thread,
    signal_to_the_process_finds_a_thread,
    signal_mask_is_inherited_by_threads,
    signal_pending_of_thread_and_process,
];

static COUNT: AtomicU32 = AtomicU32::new(0);
static LAST: AtomicI32 = AtomicI32::new(0);

extern "C" fn count(signal: c_int) {
    COUNT.fetch_add(1, Ordering::SeqCst);
    LAST.store(signal, Ordering::SeqCst);
}

fn counted() -> u32 {
    COUNT.load(Ordering::SeqCst)
}

/// What a SA_SIGINFO handler was told.
static CODE: AtomicI32 = AtomicI32::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);
static VALUE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn inform(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel passes a siginfo with SA_SIGINFO.
    let info = unsafe { &*info };
    COUNT.fetch_add(1, Ordering::SeqCst);
    LAST.store(if info.si_signo == signal { signal } else { -1 }, Ordering::SeqCst);
    CODE.store(info.si_code, Ordering::SeqCst);
    // SAFETY: the signals in question carry a pid and a value.
    unsafe {
        SENDER.store(info.si_pid(), Ordering::SeqCst);
        VALUE.store(info.si_value().sival_ptr as usize, Ordering::SeqCst);
    }
}

fn informed(signal: c_int) {
    c::set_disposition(signal, inform as *const () as usize, SA_SIGINFO);
}

fn signal_handler_runs_before_raise_returns(t: &mut Transcript) {
    c::on_signal(SIGUSR1, count, 0);
    t.call("raise", c::raise(SIGUSR1));
    t.value("handled", counted());
    t.holds("the handler saw the number", LAST.load(Ordering::SeqCst) == SIGUSR1);
    // SAFETY: no memory is involved.
    t.call("kill of ourselves", unsafe { libc::kill(libc::getpid(), SIGUSR1) });
    t.value("handled", counted());
    // SAFETY: no memory is involved.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), c::gettid(), SIGUSR1) };
    t.call("tgkill of ourselves", result);
    t.value("handled", counted());
    t.call("pthread_kill of ourselves", c::pthread_kill(c::pthread_self(), SIGUSR1));
    t.value("handled", counted());
}

fn old_disposition(signal: c_int) -> libc::sigaction {
    // SAFETY: null changes nothing, and the old action is of our own.
    unsafe {
        let mut old = zeroed();
        assert_eq!(libc::sigaction(signal, null(), &mut old), 0, "sigaction");
        old
    }
}

fn signal_old_disposition(t: &mut Transcript) {
    c::set_disposition(SIGUSR1, SIG_DFL, 0);
    t.holds("default at first", old_disposition(SIGUSR1).sa_sigaction == SIG_DFL);
    c::on_signal(SIGUSR1, count, SA_RESTART | SA_NODEFER);
    let old = old_disposition(SIGUSR1);
    t.holds("then the handler", old.sa_sigaction == count as *const () as usize);
    t.holds("with its flags", old.sa_flags & (SA_RESTART | SA_NODEFER) == SA_RESTART | SA_NODEFER);
    t.holds("and no others", old.sa_flags & (SA_SIGINFO | SA_RESETHAND | SA_ONSTACK) == 0);
    // SAFETY: SIG_IGN is a disposition.
    let old = unsafe { libc::signal(SIGUSR1, SIG_IGN) };
    t.holds("signal(2) returns it", old == count as *const () as usize);
    t.holds("now ignored", old_disposition(SIGUSR1).sa_sigaction == SIG_IGN);
    // SAFETY: as above.
    let old = unsafe { libc::signal(SIGUSR1, count as *const () as usize) };
    t.holds("signal(2) returns SIG_IGN", old == SIG_IGN);
    t.holds("signal(2) sets SA_RESTART", old_disposition(SIGUSR1).sa_flags & SA_RESTART != 0);
}

fn signal_invalid_numbers(t: &mut Transcript) {
    t.call("a handler for SIGKILL", c::on_signal(SIGKILL, count, 0));
    t.call("ignoring SIGSTOP", c::set_disposition(SIGSTOP, SIG_IGN, 0));
    t.call("a handler for 0", c::on_signal(0, count, 0));
    t.call("a handler for 65", c::on_signal(65, count, 0));
    t.call("raise of 65", c::raise(65));
    t.code("blocking with how 99", c::mask(99, &[SIGUSR1]));
    t.code("blocking SIGKILL", c::mask(SIG_BLOCK, &[SIGKILL, SIGUSR1]));
    let now = current_mask();
    t.holds("blocks the rest", c::is_member(&now, SIGUSR1));
    t.holds("and not SIGKILL", !c::is_member(&now, SIGKILL));
}

fn current_mask() -> libc::sigset_t {
    let mut now = c::sigset(&[]);
    // SAFETY: null changes nothing, and the set is of our own.
    assert_eq!(unsafe { libc::pthread_sigmask(SIG_BLOCK, null(), &mut now) }, 0);
    now
}

fn signal_blocked_waits(t: &mut Transcript) {
    c::on_signal(SIGUSR1, count, 0);
    t.code("block", c::mask(SIG_BLOCK, &[SIGUSR1]));
    t.call("raise", c::raise(SIGUSR1));
    t.value("handled", counted());
    t.holds("pending", c::is_pending(SIGUSR1));
    t.holds("another is not", !c::is_pending(SIGUSR2));
    t.code("unblock", c::mask(SIG_UNBLOCK, &[SIGUSR1]));
    t.value("handled", counted());
    t.holds("pending", c::is_pending(SIGUSR1));
}

fn signal_mask_arithmetic(t: &mut Transcript) {
    let show = |t: &mut Transcript, what: &str| {
        let now = current_mask();
        let blocked: Vec<&str> = [(SIGUSR1, "USR1"), (SIGUSR2, "USR2"), (SIGTERM, "TERM")]
            .into_iter()
            .filter_map(|(signal, name)| c::is_member(&now, signal).then_some(name))
            .collect();
        t.value(what, blocked.join(" "));
    };
    c::mask(SIG_SETMASK, &[]);
    c::mask(SIG_BLOCK, &[SIGUSR1]);
    c::mask(SIG_BLOCK, &[SIGUSR2]);
    show(t, "block USR1, USR2");
    c::mask(SIG_UNBLOCK, &[SIGUSR1, SIGTERM]);
    show(t, "unblock USR1, TERM");
    c::mask(SIG_SETMASK, &[SIGTERM]);
    show(t, "set TERM");
    let size = size_of::<u64>() / 2;
    // SAFETY: the kernel refuses the size before it looks at the sets.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, SIG_BLOCK, null::<u64>(), null::<u64>(), size)
    };
    t.call("a mask of 4 bytes", result);
}

fn signal_standard_ones_are_not_queued(t: &mut Transcript) {
    c::on_signal(SIGUSR1, count, 0);
    c::mask(SIG_BLOCK, &[SIGUSR1]);
    (0..5).for_each(|_| assert_eq!(c::raise(SIGUSR1), 0));
    c::mask(SIG_UNBLOCK, &[SIGUSR1]);
    t.value("raised 5 times while blocked, handled", counted());
}

fn signal_realtime_ones_are_queued(t: &mut Transcript) {
    c::on_signal(SIGRTMIN(), count, 0);
    c::mask(SIG_BLOCK, &[SIGRTMIN()]);
    (0..5).for_each(|_| assert_eq!(c::raise(SIGRTMIN()), 0));
    t.value("handled", counted());
    c::mask(SIG_UNBLOCK, &[SIGRTMIN()]);
    t.value("raised 5 times while blocked, handled", counted());
}

static ORDER: [AtomicI32; 4] = [const { AtomicI32::new(0) }; 4];

extern "C" fn note_order(signal: c_int) {
    let at = COUNT.fetch_add(1, Ordering::SeqCst) as usize;
    ORDER[at].store(signal, Ordering::SeqCst);
}

fn signal_lowest_number_first(t: &mut Transcript) {
    let (low, high) = (SIGRTMIN() + 1, SIGRTMIN() + 3);
    // The actions block each other, so that handlers do not nest.
    for signal in [low, high] {
        // SAFETY: the action's fields are all set or zero.
        unsafe {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = note_order as *const () as usize;
            action.sa_mask = c::sigset(&[low, high]);
            assert_eq!(libc::sigaction(signal, &action, null_mut()), 0);
        }
    }
    c::mask(SIG_BLOCK, &[low, high]);
    for signal in [high, low, high, low] {
        c::raise(signal);
    }
    c::mask(SIG_UNBLOCK, &[low, high]);
    let order: Vec<&str> = ORDER
        .iter()
        .map(|signal| if signal.load(Ordering::SeqCst) == low { "low" } else { "high" })
        .collect();
    t.value("raised high, low, high, low; handled", order.join(" "));
}

fn signal_ignored_and_default(t: &mut Transcript) {
    c::set_disposition(SIGUSR1, SIG_IGN, 0);
    t.call("raise of an ignored signal", c::raise(SIGUSR1));
    c::set_disposition(SIGCHLD, SIG_DFL, 0);
    t.call("raise of SIGCHLD, default", c::raise(SIGCHLD));
    c::set_disposition(libc::SIGURG, SIG_DFL, 0);
    t.call("raise of SIGURG, default", c::raise(libc::SIGURG));
    c::set_disposition(libc::SIGCONT, SIG_DFL, 0);
    t.call("raise of SIGCONT, default", c::raise(libc::SIGCONT));
    t.line("still here");
}

fn signal_ignoring_discards_the_pending(t: &mut Transcript) {
    c::on_signal(SIGUSR1, count, 0);
    c::mask(SIG_BLOCK, &[SIGUSR1]);
    c::raise(SIGUSR1);
    c::set_disposition(SIGUSR1, SIG_IGN, 0);
    t.holds("pending", c::is_pending(SIGUSR1));
    c::on_signal(SIGUSR1, count, 0);
    c::mask(SIG_UNBLOCK, &[SIGUSR1]);
    t.value("handled", counted());
    c::set_disposition(SIGUSR1, SIG_IGN, 0);
    c::mask(SIG_BLOCK, &[SIGUSR1]);
    c::raise(SIGUSR1);
    t.holds("ignored and blocked: pending", c::is_pending(SIGUSR1));
}

fn told(t: &mut Transcript, signal: c_int) {
    t.holds("si_signo", LAST.load(Ordering::SeqCst) == signal);
    let code = match CODE.load(Ordering::SeqCst) {
        libc::SI_USER => "SI_USER",
        libc::SI_TKILL => "SI_TKILL",
        libc::SI_QUEUE => "SI_QUEUE",
        _ => "another",
    };
    t.value("si_code", code);
    t.holds("si_pid is ours", SENDER.load(Ordering::SeqCst) == std::process::id() as i32);
}

fn signal_information_of_kill(t: &mut Transcript) {
    informed(SIGUSR1);
    // SAFETY: no memory is involved.
    t.call("kill", unsafe { libc::kill(libc::getpid(), SIGUSR1) });
    told(t, SIGUSR1);
}

fn signal_information_of_tgkill(t: &mut Transcript) {
    informed(SIGUSR1);
    // SAFETY: no memory is involved.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), c::gettid(), SIGUSR1) };
    t.call("tgkill", result);
    told(t, SIGUSR1);
    informed(SIGUSR2);
    t.call("raise", c::raise(SIGUSR2));
    told(t, SIGUSR2);
}

fn signal_information_of_sigqueue(t: &mut Transcript) {
    informed(SIGRTMIN());
    let value = libc::sigval { sival_ptr: 4242 as *mut c_void };
    // SAFETY: the value is a number.
    t.call("sigqueue", unsafe { libc::sigqueue(libc::getpid(), SIGRTMIN(), value) });
    told(t, SIGRTMIN());
    t.value("si_value", VALUE.load(Ordering::SeqCst));
}

fn signal_kill_zero_and_errors(t: &mut Transcript) {
    // SAFETY: no memory is involved, and signal 0 sends nothing.
    unsafe {
        let (pid, tid) = (libc::getpid(), c::gettid());
        t.call("kill(ourselves, 0)", libc::kill(pid, 0));
        t.call("kill(ourselves, 65)", libc::kill(pid, 65));
        t.call("kill(ourselves, -1)", libc::kill(pid, -1));
        t.call("kill(nobody, 0)", libc::kill(i32::MAX, 0));
        t.call("tgkill(ourselves, 0)", libc::syscall(libc::SYS_tgkill, pid, tid, 0));
        t.call("tgkill(ourselves, nobody)", libc::syscall(libc::SYS_tgkill, pid, i32::MAX, 0));
        t.call("tgkill(0, 0)", libc::syscall(libc::SYS_tgkill, 0, 0, 0));
        t.call("tgkill(-1, -1)", libc::syscall(libc::SYS_tgkill, -1, -1, 0));
        t.call("tkill(ourselves, 0)", libc::syscall(libc::SYS_tkill, tid, 0));
    }
}

static NESTED: AtomicU32 = AtomicU32::new(0);

extern "C" fn raise_again(signal: c_int) {
    // The second raise is seen as nested if it is handled before this returns.
    if COUNT.fetch_add(1, Ordering::SeqCst) == 0 {
        c::raise(signal);
        NESTED.store(COUNT.load(Ordering::SeqCst) - 1, Ordering::SeqCst);
    }
}

fn signal_masked_while_handled(t: &mut Transcript) {
    c::on_signal(SIGUSR1, raise_again, 0);
    c::raise(SIGUSR1);
    t.value("handled inside the handler", NESTED.load(Ordering::SeqCst));
    t.value("handled in all", counted());
    t.holds("the mask is as before", !c::is_member(&current_mask(), SIGUSR1));
}

fn signal_nodefer_and_mask_of_the_action(t: &mut Transcript) {
    c::on_signal(SIGUSR1, raise_again, SA_NODEFER);
    c::raise(SIGUSR1);
    t.value("SA_NODEFER: handled inside the handler", NESTED.load(Ordering::SeqCst));
    extern "C" fn raise_other(_: c_int) {
        c::raise(SIGUSR2);
        NESTED.store(COUNT.load(Ordering::SeqCst), Ordering::SeqCst);
    }
    for (name, blocked) in [("with USR2 in sa_mask", &[SIGUSR2][..]), ("without", &[])] {
        COUNT.store(0, Ordering::SeqCst);
        c::on_signal(SIGUSR2, count, 0);
        // SAFETY: the action's fields are all set or zero.
        unsafe {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = raise_other as *const () as usize;
            action.sa_mask = c::sigset(blocked);
            assert_eq!(libc::sigaction(SIGUSR1, &action, null_mut()), 0);
        }
        c::raise(SIGUSR1);
        t.value(format_args!("{name}: inside"), NESTED.load(Ordering::SeqCst));
        t.value("in all", counted());
    }
}

fn signal_reset_hand(t: &mut Transcript) {
    c::on_signal(SIGCHLD, count, SA_RESETHAND);
    c::raise(SIGCHLD);
    t.value("handled", counted());
    t.holds("then default", old_disposition(SIGCHLD).sa_sigaction == SIG_DFL);
    c::raise(SIGCHLD);
    t.value("handled", counted());
}

static ON_STACK: AtomicBool = AtomicBool::new(false);
static STACK_AT: AtomicUsize = AtomicUsize::new(0);
const STACK_SIZE: usize = 65_536;

extern "C" fn where_am_i(_: c_int) {
    let here = 0u8;
    let at = &raw const here as usize;
    let base = STACK_AT.load(Ordering::SeqCst);
    ON_STACK.store((base..base + STACK_SIZE).contains(&at), Ordering::SeqCst);
    // SAFETY: all fields may be zero, and null changes nothing.
    let now = unsafe {
        let mut now: libc::stack_t = zeroed();
        libc::sigaltstack(null(), &mut now);
        now
    };
    LAST.store(now.ss_flags, Ordering::SeqCst);
}

fn signal_alternate_stack(t: &mut Transcript) {
    let memory = vec![0u8; STACK_SIZE].leak();
    STACK_AT.store(memory.as_ptr() as usize, Ordering::SeqCst);
    let sp = memory.as_mut_ptr().cast();
    let stack = libc::stack_t { ss_sp: sp, ss_flags: 0, ss_size: STACK_SIZE };
    // SAFETY: the stack is leaked, so it outlives every handler.
    t.call("sigaltstack", unsafe { libc::sigaltstack(&stack, null_mut()) });
    c::on_signal(SIGUSR1, where_am_i, 0);
    c::raise(SIGUSR1);
    t.holds("without SA_ONSTACK, on it", ON_STACK.load(Ordering::SeqCst));
    c::on_signal(SIGUSR1, where_am_i, SA_ONSTACK);
    c::raise(SIGUSR1);
    t.holds("with SA_ONSTACK, on it", ON_STACK.load(Ordering::SeqCst));
    t.holds("SS_ONSTACK inside", LAST.load(Ordering::SeqCst) == libc::SS_ONSTACK);
    let small = libc::stack_t { ss_size: 100, ..stack };
    // SAFETY: the kernel refuses it.
    t.call("a stack of 100 bytes", unsafe { libc::sigaltstack(&small, null_mut()) });
    let mut old = stack;
    let off = libc::stack_t { ss_flags: libc::SS_DISABLE, ..stack };
    // SAFETY: switching it off needs no memory.
    t.call("SS_DISABLE", unsafe { libc::sigaltstack(&off, &mut old) });
    t.holds("the old one was ours", old.ss_sp == stack.ss_sp && old.ss_size == STACK_SIZE);
    // SAFETY: null changes nothing.
    unsafe { libc::sigaltstack(null(), &mut old) };
    t.holds("SS_DISABLE is reported", old.ss_flags == libc::SS_DISABLE);
}

static HANDLED_BY: AtomicI32 = AtomicI32::new(0);

extern "C" fn note_thread(_: c_int) {
    HANDLED_BY.store(c::gettid(), Ordering::SeqCst);
    COUNT.fetch_add(1, Ordering::SeqCst);
}

fn signal_to_one_thread(t: &mut Transcript) {
    c::on_signal(SIGUSR1, note_thread, 0);
    let (stop, tid, handle) = (AtomicBool::new(false), AtomicI32::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            handle.store(c::pthread_self() as usize, Ordering::SeqCst);
            tid.store(c::gettid(), Ordering::SeqCst);
            while !stop.load(Ordering::SeqCst) {
                thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        assert!(c::eventually(|| tid.load(Ordering::SeqCst) != 0), "the thread starts");
        let other = handle.load(Ordering::SeqCst) as libc::pthread_t;
        t.code("pthread_kill", c::pthread_kill(other, SIGUSR1));
        t.holds("it is handled", c::eventually(|| counted() == 1));
        let by = HANDLED_BY.load(Ordering::SeqCst);
        t.holds("by that thread", by == tid.load(Ordering::SeqCst));
        stop.store(true, Ordering::SeqCst);
    });
}

fn signal_to_the_process_finds_a_thread(t: &mut Transcript) {
    c::on_signal(SIGUSR1, note_thread, 0);
    c::mask(SIG_BLOCK, &[SIGUSR1]);
    let (stop, tid) = (AtomicBool::new(false), AtomicI32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            c::mask(SIG_UNBLOCK, &[SIGUSR1]);
            tid.store(c::gettid(), Ordering::SeqCst);
            while !stop.load(Ordering::SeqCst) {
                thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        assert!(c::eventually(|| tid.load(Ordering::SeqCst) != 0), "the thread starts");
        // SAFETY: no memory is involved.
        t.call("kill", unsafe { libc::kill(libc::getpid(), SIGUSR1) });
        t.holds("it is handled", c::eventually(|| counted() == 1));
        let by = HANDLED_BY.load(Ordering::SeqCst);
        t.holds("by the thread that does not block it", by == tid.load(Ordering::SeqCst));
        stop.store(true, Ordering::SeqCst);
    });
}

fn signal_mask_is_inherited_by_threads(t: &mut Transcript) {
    c::mask(SIG_BLOCK, &[SIGUSR2]);
    thread::scope(|scope| {
        let child = scope.spawn(|| {
            let inherited = c::is_member(&current_mask(), SIGUSR2);
            c::mask(SIG_BLOCK, &[SIGUSR1]);
            inherited
        });
        t.holds("a new thread blocks what its maker blocks", child.join().expect("it ends"));
    });
    t.holds("its own changes are its own", !c::is_member(&current_mask(), SIGUSR1));
}

fn signal_pending_of_thread_and_process(t: &mut Transcript) {
    c::mask(SIG_BLOCK, &[SIGUSR1, SIGUSR2]);
    c::raise(SIGUSR1);
    // SAFETY: no memory is involved.
    unsafe { libc::kill(libc::getpid(), SIGUSR2) };
    let other = thread::spawn(|| (c::is_pending(SIGUSR1), c::is_pending(SIGUSR2)));
    let (raised, killed) = other.join().expect("it ends");
    t.holds("here: the raised one", c::is_pending(SIGUSR1));
    t.holds("here: the process's", c::is_pending(SIGUSR2));
    t.holds("elsewhere: the raised one", raised);
    t.holds("elsewhere: the process's", killed);
}
