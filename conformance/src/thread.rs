//! Threads by std.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError, TrySendError};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Transcript, c, errno};

tests![Thread:
    thread_join_returns_the_value,
    thread_panic_is_caught_by_join,
    thread_scope_borrows,
    thread_many_at_once,
    thread_errno_is_its_own,
    thread_local_destructors,
    thread_local_of_the_main_thread,
    thread_park_and_unpark,
    thread_names_and_stack_size,
    thread_detached_runs_on,
    thread_nested_spawns,
    thread_mutex_excludes,
    thread_mutex_poisoning,
    thread_try_lock,
    thread_condvar_hands_over,
    thread_condvar_times_out,
    thread_rwlock_shares,
    thread_barrier_has_one_leader,
    thread_once_runs_once,
    thread_channel_keeps_order,
    thread_channel_errors,
    thread_channel_rendezvous,
    thread_wakes_after_the_time,
    thread_dies_while_others_hold_on,
];

fn thread_join_returns_the_value(t: &mut Transcript) {
    let handles: Vec<_> = (0..4).map(|number| thread::spawn(move || number * number)).collect();
    let values: Vec<i32> =
        handles.into_iter().map(|handle| handle.join().expect("it ends")).collect();
    t.line(format_args!("joined: {values:?}"));
    let text = thread::spawn(|| String::from("from another thread")).join().expect("it ends");
    t.value("a text", text);
    let handle = thread::spawn(|| {});
    t.holds("it finishes", c::eventually(|| handle.is_finished()));
    t.holds("join of a finished thread", handle.join().is_ok());
}

fn thread_panic_is_caught_by_join(t: &mut Transcript) {
    panic::set_hook(Box::new(|_| {}));
    let error = thread::spawn(|| panic!("on purpose")).join().expect_err("it panicked");
    t.value("the message", error.downcast_ref::<&str>().expect("a text"));
    let error = thread::spawn(|| panic::panic_any(42)).join().expect_err("it panicked");
    t.value("the number", error.downcast_ref::<i32>().expect("a number"));
    let dropped = Arc::new(AtomicU32::new(0));
    struct Counts(Arc<AtomicU32>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let guard = Counts(Arc::clone(&dropped));
    let result = thread::spawn(move || {
        let _guard = guard;
        panic!("with a guard");
    });
    t.holds("it panicked", result.join().is_err());
    t.value("its guard was dropped", dropped.load(Ordering::SeqCst));
    t.holds("catch_unwind", panic::catch_unwind(|| panic!("caught")).is_err());
    let _ = panic::take_hook();
}

fn thread_scope_borrows(t: &mut Transcript) {
    let numbers = [1, 2, 3, 4, 5, 6];
    let mut sums = [0; 2];
    thread::scope(|scope| {
        for (sum, half) in sums.iter_mut().zip(numbers.chunks(3)) {
            scope.spawn(move || *sum = half.iter().sum());
        }
    });
    t.line(format_args!("sums: {sums:?}"));
}

fn thread_many_at_once(t: &mut Transcript) {
    let barrier = Arc::new(Barrier::new(50));
    let handles: Vec<_> = (0..50)
        .map(|number: u32| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || {
                barrier.wait();
                number
            })
        })
        .collect();
    let sum: u32 = handles.into_iter().map(|handle| handle.join().expect("it ends")).sum();
    t.value("sum over 50 threads", sum);
    for _ in 0..200 {
        thread::spawn(|| {}).join().expect("it ends");
    }
    t.line("200 more, one after the other");
}

fn thread_errno_is_its_own(t: &mut Transcript) {
    c::close(c::BAD_FD);
    t.value("ours", errno::name(errno::last()));
    errno::set(libc::EDOM);
    let other = thread::spawn(|| {
        let [reader, writer] = c::pipe(0);
        c::lseek(reader, 0, libc::SEEK_SET);
        let theirs = errno::last();
        c::close_all(&[reader, writer]);
        theirs
    });
    let theirs = other.join().expect("it ends");
    t.value("theirs", errno::name(theirs));
    t.value("ours", errno::name(errno::last()));
}

static DROPS: AtomicU32 = AtomicU32::new(0);

struct CountsDrops;

impl Drop for CountsDrops {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Ordering::SeqCst);
    }
}

thread_local! {
    static COUNTED: CountsDrops = const { CountsDrops };
    static NUMBER: Cell<u32> = const { Cell::new(1) };
    static LATE: RefCell<Vec<CountsDrops>> = const { RefCell::new(Vec::new()) };
}

fn thread_local_destructors(t: &mut Transcript) {
    for _ in 0..3 {
        thread::spawn(|| COUNTED.with(|_| {})).join().expect("it ends");
    }
    t.value("destructors after three threads", DROPS.load(Ordering::SeqCst));
    thread::spawn(|| {}).join().expect("it ends");
    t.value("after one that did not use it", DROPS.load(Ordering::SeqCst));
    let more = thread::spawn(|| {
        COUNTED.with(|_| {});
        LATE.with_borrow_mut(|list| list.extend([CountsDrops, CountsDrops]));
    });
    more.join().expect("it ends");
    t.value("after one that used two", DROPS.load(Ordering::SeqCst));
}

fn thread_local_of_the_main_thread(t: &mut Transcript) {
    NUMBER.set(7);
    let other = thread::spawn(|| {
        let before = NUMBER.get();
        NUMBER.set(9);
        (before, NUMBER.get())
    });
    let (before, after) = other.join().expect("it ends");
    t.value("another thread starts with", before);
    t.value("and sets", after);
    t.value("ours is", NUMBER.get());
}

fn thread_park_and_unpark(t: &mut Transcript) {
    thread::current().unpark();
    thread::current().unpark();
    thread::park();
    t.line("a token that was there is taken at once");
    let start = Instant::now();
    thread::park_timeout(Duration::from_millis(15));
    t.holds("two unparks leave one token", start.elapsed() >= Duration::from_millis(15));
    let flag = Arc::new(AtomicBool::new(false));
    let parked = thread::spawn({
        let flag = Arc::clone(&flag);
        move || {
            while !flag.load(Ordering::SeqCst) {
                thread::park();
            }
            "unparked"
        }
    });
    thread::sleep(Duration::from_millis(10));
    flag.store(true, Ordering::SeqCst);
    parked.thread().unpark();
    t.value("another thread", parked.join().expect("it ends"));
}

fn thread_names_and_stack_size(t: &mut Transcript) {
    let builder = thread::Builder::new().name("worker".into()).stack_size(4 << 20);
    let named = builder.spawn(|| {
        // Use more stack than the smallest default of two mebibytes.
        let big = [1u8; 3 << 20];
        let sum: u64 = std::hint::black_box(&big).iter().map(|byte| u64::from(*byte)).sum();
        (thread::current().name().map(str::to_owned), sum)
    });
    let (name, sum) = named.expect("it starts").join().expect("it ends");
    t.value("name", name.unwrap_or_default());
    t.value("sum over 3 MiB of stack", sum);
    let unnamed = thread::spawn(|| thread::current().name().is_none());
    t.holds("an unnamed one has none", unnamed.join().expect("it ends"));
    let other = thread::spawn(|| thread::current().id()).join().expect("it ends");
    t.holds("ids differ", other != thread::current().id());
}

fn thread_detached_runs_on(t: &mut Transcript) {
    let done = Arc::new(AtomicBool::new(false));
    drop(thread::spawn({
        let done = Arc::clone(&done);
        move || {
            thread::sleep(Duration::from_millis(10));
            done.store(true, Ordering::SeqCst);
        }
    }));
    t.holds("it ends its work", c::eventually(|| done.load(Ordering::SeqCst)));
}

fn thread_nested_spawns(t: &mut Transcript) {
    fn descend(depth: u32) -> u32 {
        if depth == 0 {
            return 1;
        }
        let [left, right] = [(); 2].map(|()| thread::spawn(move || descend(depth - 1)));
        left.join().expect("it ends") + right.join().expect("it ends")
    }
    t.value("leaves of a tree of threads", descend(4));
}

fn thread_mutex_excludes(t: &mut Transcript) {
    let total = Arc::new(Mutex::new(0u32));
    let handles: Vec<_> = (0..8)
        .map(|_| {
            let total = Arc::clone(&total);
            thread::spawn(move || {
                for _ in 0..500 {
                    let mut total = total.lock().expect("no poison");
                    let read = *total;
                    if read.is_multiple_of(100) {
                        thread::yield_now();
                    }
                    *total = read + 1;
                }
            })
        })
        .collect();
    handles.into_iter().for_each(|handle| handle.join().expect("it ends"));
    t.value("total", *total.lock().expect("no poison"));
}

fn thread_mutex_poisoning(t: &mut Transcript) {
    panic::set_hook(Box::new(|_| {}));
    let mutex = Arc::new(Mutex::new(1));
    let panicking = thread::spawn({
        let mutex = Arc::clone(&mutex);
        move || {
            let mut value = mutex.lock().expect("no poison");
            *value = 2;
            panic!("with the lock");
        }
    });
    t.holds("it panicked", panicking.join().is_err());
    let _ = panic::take_hook();
    t.holds("the lock is poisoned", mutex.is_poisoned());
    let value = *mutex.lock().unwrap_or_else(|poison| poison.into_inner());
    t.value("its value", value);
    mutex.clear_poison();
    t.holds("cleared, it locks", mutex.lock().is_ok());
}

fn thread_try_lock(t: &mut Transcript) {
    let mutex = Mutex::new(());
    let guard = mutex.lock().expect("no poison");
    thread::scope(|scope| {
        let other = scope.spawn(|| mutex.try_lock().is_err());
        t.holds("try_lock of a held lock fails", other.join().expect("it ends"));
        drop(guard);
        let other = scope.spawn(|| mutex.try_lock().is_ok());
        t.holds("try_lock of a free lock", other.join().expect("it ends"));
    });
}

fn thread_condvar_hands_over(t: &mut Transcript) {
    let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
    let producer = thread::spawn({
        let shared = Arc::clone(&shared);
        move || {
            for number in 0..100 {
                shared.0.lock().expect("no poison").push(number);
                shared.1.notify_one();
            }
        }
    });
    let mut taken = Vec::new();
    while taken.len() < 100 {
        let queue = shared.0.lock().expect("no poison");
        let mut queue = shared.1.wait_while(queue, |queue| queue.is_empty()).expect("no poison");
        taken.append(&mut queue);
    }
    producer.join().expect("it ends");
    t.holds("all came in order", taken.is_sorted());
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let queue = shared.0.lock().expect("no poison");
                let result = shared.1.wait_while(queue, |queue| queue.is_empty());
                result.expect("no poison").len()
            })
        })
        .collect();
    shared.0.lock().expect("no poison").push(1);
    shared.1.notify_all();
    let woken: Vec<usize> =
        waiting.into_iter().map(|handle| handle.join().expect("it ends")).collect();
    t.line(format_args!("notify_all woke: {woken:?}"));
}

fn thread_condvar_times_out(t: &mut Transcript) {
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let start = Instant::now();
    let guard = mutex.lock().expect("no poison");
    let (_guard, result) =
        condvar.wait_timeout_while(guard, Duration::from_millis(15), |()| true).expect("no poison");
    t.holds("timed out", result.timed_out());
    t.holds("after 15 ms or more", start.elapsed() >= Duration::from_millis(15));
}

fn thread_rwlock_shares(t: &mut Transcript) {
    let lock = RwLock::new(0);
    let barrier = Barrier::new(3);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let value = lock.read().expect("no poison");
                // Three readers can only meet here if they hold it together.
                barrier.wait();
                assert_eq!(*value, 0);
            });
        }
    });
    t.line("three readers met");
    let reader = lock.read().expect("no poison");
    t.holds("a writer must wait", lock.try_write().is_err());
    t.holds("a reader need not", lock.try_read().is_ok());
    drop(reader);
    let writer = lock.write().expect("no poison");
    t.holds("a reader must wait for a writer", lock.try_read().is_err());
    drop(writer);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| *lock.write().expect("no poison") += 1));
        }
    });
    t.value("written by four", *lock.read().expect("no poison"));
}

fn thread_barrier_has_one_leader(t: &mut Transcript) {
    let (barrier, leaders) = (Barrier::new(4), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    leaders.fetch_add(barrier.wait().is_leader().into(), Ordering::SeqCst);
                }
            });
        }
    });
    t.value("leaders in ten rounds", leaders.into_inner());
}

fn thread_once_runs_once(t: &mut Transcript) {
    static ONCE: Once = Once::new();
    static CELL: OnceLock<u32> = OnceLock::new();
    static LAZY: LazyLock<u32> = LazyLock::new(|| RUNS.fetch_add(1, Ordering::SeqCst));
    static RUNS: AtomicU32 = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                ONCE.call_once(|| {
                    thread::sleep(Duration::from_millis(5));
                    RUNS.fetch_add(1, Ordering::SeqCst);
                });
                assert!(RUNS.load(Ordering::SeqCst) >= 1, "others wait for the first");
                CELL.get_or_init(|| RUNS.fetch_add(1, Ordering::SeqCst));
                LazyLock::force(&LAZY);
            });
        }
    });
    t.value("initialisers run", RUNS.load(Ordering::SeqCst));
}

fn thread_channel_keeps_order(t: &mut Transcript) {
    let (sender, receiver) = mpsc::channel();
    let senders: Vec<_> = (0..4u32)
        .map(|number| {
            let sender = sender.clone();
            thread::spawn(move || {
                (0..100u32).for_each(|at| sender.send((number, at)).expect("it is heard"))
            })
        })
        .collect();
    drop(sender);
    let mut next = [0; 4];
    let mut disorder = 0;
    for (number, at) in receiver {
        disorder += u32::from(next[number as usize] != at);
        next[number as usize] = at + 1;
    }
    senders.into_iter().for_each(|handle| handle.join().expect("it ends"));
    t.value("out of order", disorder);
    t.line(format_args!("by sender: {next:?}"));
}

fn thread_channel_errors(t: &mut Transcript) {
    let (sender, receiver) = mpsc::channel::<u32>();
    t.holds("empty", receiver.try_recv() == Err(TryRecvError::Empty));
    let start = Instant::now();
    let result = receiver.recv_timeout(Duration::from_millis(10));
    t.holds("times out", result == Err(RecvTimeoutError::Timeout));
    t.holds("after 10 ms or more", start.elapsed() >= Duration::from_millis(10));
    sender.send(1).expect("it is heard");
    drop(sender);
    t.holds("what was sent before the end", receiver.recv() == Ok(1));
    t.holds("the end", receiver.recv().is_err());
    let (sender, receiver) = mpsc::channel();
    drop(receiver);
    t.holds("nobody hears", sender.send(1).is_err());
    let (sender, _receiver) = mpsc::sync_channel(1);
    sender.send(1).expect("there is room");
    t.holds("full", matches!(sender.try_send(2), Err(TrySendError::Full(2))));
}

fn thread_channel_rendezvous(t: &mut Transcript) {
    let (sender, receiver) = mpsc::sync_channel(0);
    let sent = AtomicU32::new(0);
    thread::scope(|scope| {
        let sent = &sent;
        scope.spawn(move || {
            for number in 0..3 {
                sender.send(number).expect("it is heard");
                sent.fetch_add(1, Ordering::SeqCst);
            }
        });
        thread::sleep(Duration::from_millis(10));
        t.value("sent before anybody hears", sent.load(Ordering::SeqCst));
        let heard: Vec<u32> = receiver.into_iter().collect();
        t.line(format_args!("heard: {heard:?}"));
    });
}

fn thread_wakes_after_the_time(t: &mut Transcript) {
    let start = Instant::now();
    let early = thread::spawn(move || {
        thread::sleep(Duration::from_millis(5));
        start.elapsed()
    });
    thread::sleep(Duration::from_millis(25));
    let late = start.elapsed();
    let early = early.join().expect("it ends");
    t.holds("5 ms took 5 ms or more", early >= Duration::from_millis(5));
    t.holds("25 ms took 25 ms or more", late >= Duration::from_millis(25));
    thread::sleep(Duration::ZERO);
    t.line("sleep of nothing returns");
}

fn thread_dies_while_others_hold_on(t: &mut Transcript) {
    // Descriptors belong to the process, not to the thread that opened them.
    let [reader, writer] = thread::spawn(|| c::pipe(0)).join().expect("it ends");
    t.call("write", c::write(writer, b"x"));
    let closer = thread::spawn(move || c::close(writer));
    t.value("another thread closes", closer.join().expect("it ends"));
    t.call("read", c::read(reader, &mut [0; 4]));
    t.call("read at the end", c::read(reader, &mut [0; 4]));
    c::close_all(&[reader]);
}
