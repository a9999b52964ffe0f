//! Threads by pthreads: kinds of mutex, condition variables, cancellation, keys.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use libc::{
    CLOCK_MONOTONIC, CLOCK_REALTIME, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_NORMAL,
    PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ROBUST, c_int, c_void, pthread_cond_t, pthread_mutex_t,
};

use crate::Transcript;
use crate::c;

tests![Thread:
    pthread_errorcheck_mutex,
    pthread_recursive_mutex,
    pthread_normal_mutex_and_trylock,
    pthread_timedlock,
    pthread_robust_mutex,
    pthread_condition_variable,
    pthread_condition_timeouts,
    pthread_rwlock,
    pthread_barrier,
    pthread_keys,
    pthread_create_join_detach,
    pthread_exit_runs_key_destructors,
    pthread_semaphore,
    pthread_spin_lock,
    pthread_attributes,
];

/// A mutex of some kind, at an address that does not change.
struct Mutex(Box<UnsafeCell<pthread_mutex_t>>);

// SAFETY: a pthread mutex is made to be used by several threads.
unsafe impl Sync for Mutex {}

impl Mutex {
    fn new(kind: c_int, robustness: c_int) -> Self {
        let mutex = Self(Box::new(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER)));
        // SAFETY: attributes and mutex are initialised in this order.
        unsafe {
            let mut attributes = MaybeUninit::uninit();
            assert_eq!(libc::pthread_mutexattr_init(attributes.as_mut_ptr()), 0);
            assert_eq!(libc::pthread_mutexattr_settype(attributes.as_mut_ptr(), kind), 0);
            assert_eq!(libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), robustness), 0);
            assert_eq!(libc::pthread_mutex_init(mutex.0.get(), attributes.as_ptr()), 0);
        }
        mutex
    }

    fn of_kind(kind: c_int) -> Self {
        Self::new(kind, libc::PTHREAD_MUTEX_STALLED)
    }

    fn lock(&self) -> c_int {
        // SAFETY: the mutex is initialised and lives as long as `self`.
        unsafe { libc::pthread_mutex_lock(self.0.get()) }
    }

    fn try_lock(&self) -> c_int {
        // SAFETY: as above.
        unsafe { libc::pthread_mutex_trylock(self.0.get()) }
    }

    fn unlock(&self) -> c_int {
        // SAFETY: as above.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) }
    }

    /// Runs a closure in another thread and waits for it.
    fn elsewhere(&self, work: impl FnOnce(&Self) -> c_int + Send) -> c_int {
        thread::scope(|scope| scope.spawn(|| work(self)).join().expect("it ends"))
    }
}

fn pthread_errorcheck_mutex(t: &mut Transcript) {
    let mutex = Mutex::of_kind(PTHREAD_MUTEX_ERRORCHECK);
    t.code("unlock of a free one", mutex.unlock());
    t.code("lock", mutex.lock());
    t.code("lock again", mutex.lock());
    t.code("trylock", mutex.try_lock());
    t.code("trylock elsewhere", mutex.elsewhere(Mutex::try_lock));
    t.code("unlock elsewhere", mutex.elsewhere(Mutex::unlock));
    t.code("unlock", mutex.unlock());
    t.code("unlock again", mutex.unlock());
}

fn pthread_recursive_mutex(t: &mut Transcript) {
    let mutex = Mutex::of_kind(PTHREAD_MUTEX_RECURSIVE);
    t.code("lock", mutex.lock());
    t.code("lock again", mutex.lock());
    t.code("trylock", mutex.try_lock());
    t.code("unlock", mutex.unlock());
    t.code("unlock", mutex.unlock());
    t.code("trylock elsewhere", mutex.elsewhere(Mutex::try_lock));
    t.code("unlock", mutex.unlock());
    t.code("lock elsewhere", mutex.elsewhere(|mutex| mutex.lock() | mutex.unlock()));
    t.code("unlock too often", mutex.unlock());
}

fn pthread_normal_mutex_and_trylock(t: &mut Transcript) {
    let mutex = Mutex::of_kind(PTHREAD_MUTEX_NORMAL);
    t.code("trylock", mutex.try_lock());
    t.code("trylock again", mutex.try_lock());
    t.code("unlock", mutex.unlock());
    let total = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    mutex.lock();
                    // Two steps, which only the lock makes one.
                    let read = total.load(Ordering::Relaxed);
                    total.store(read + 1, Ordering::Relaxed);
                    mutex.unlock();
                }
            });
        }
    });
    t.value("total", total.into_inner());
}

fn in_millis(clock: c_int, millis: u64) -> libc::timespec {
    let until = c::now(clock) + Duration::from_millis(millis);
    libc::timespec { tv_sec: until.as_secs() as i64, tv_nsec: until.subsec_nanos().into() }
}

fn pthread_timedlock(t: &mut Transcript) {
    let mutex = Mutex::of_kind(PTHREAD_MUTEX_NORMAL);
    let timed = |time: libc::timespec| {
        // SAFETY: the mutex is initialised.
        mutex.elsewhere(|mutex| unsafe { libc::pthread_mutex_timedlock(mutex.0.get(), &time) })
    };
    mutex.lock();
    let start = c::now(CLOCK_REALTIME);
    t.code("timedlock for 15 ms", timed(in_millis(CLOCK_REALTIME, 15)));
    let elapsed = c::now(CLOCK_REALTIME) - start;
    t.holds("it took 15 ms or more", elapsed >= Duration::from_millis(15));
    t.code("timedlock until long ago", timed(c::timespec(1)));
    let bad = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000_000 };
    t.code("timedlock with nsec of a second", timed(bad));
    mutex.unlock();
    t.code("timedlock of a free one until long ago", timed(c::timespec(1)));
}

fn pthread_robust_mutex(t: &mut Transcript) {
    let mutex = Mutex::new(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
    t.code("a thread locks and dies", mutex.elsewhere(Mutex::lock));
    t.code("lock", mutex.lock());
    // SAFETY: the mutex is initialised and locked by this thread.
    t.code("consistent", unsafe { libc::pthread_mutex_consistent(mutex.0.get()) });
    t.code("unlock", mutex.unlock());
    t.code("lock", mutex.lock());
    t.code("unlock", mutex.unlock());
    t.code("a thread locks and dies", mutex.elsewhere(Mutex::lock));
    t.code("lock", mutex.lock());
    t.code("unlock without consistent", mutex.unlock());
    t.code("lock", mutex.lock());
    let waited = Mutex::new(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
    let taken = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            waited.lock();
            taken.store(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(20));
        });
        assert!(c::eventually(|| taken.load(Ordering::SeqCst) == 1), "it is taken");
        t.code("lock while the owner dies", waited.lock());
    });
}

/// A condition variable, at an address that does not change.
struct Condition(Box<UnsafeCell<pthread_cond_t>>);

// SAFETY: a condition variable is made to be used by several threads.
unsafe impl Sync for Condition {}

impl Condition {
    fn new(clock: c_int) -> Self {
        let condition = Self(Box::new(UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER)));
        // SAFETY: attributes and condition are initialised in this order.
        unsafe {
            let mut attributes = MaybeUninit::uninit();
            assert_eq!(libc::pthread_condattr_init(attributes.as_mut_ptr()), 0);
            assert_eq!(libc::pthread_condattr_setclock(attributes.as_mut_ptr(), clock), 0);
            assert_eq!(libc::pthread_cond_init(condition.0.get(), attributes.as_ptr()), 0);
        }
        condition
    }

    fn wait(&self, mutex: &Mutex) -> c_int {
        // SAFETY: both are initialised, and the caller holds the mutex.
        unsafe { libc::pthread_cond_wait(self.0.get(), mutex.0.get()) }
    }

    fn timed_wait(&self, mutex: &Mutex, until: &libc::timespec) -> c_int {
        // SAFETY: as above.
        unsafe { libc::pthread_cond_timedwait(self.0.get(), mutex.0.get(), until) }
    }
}

fn pthread_condition_variable(t: &mut Transcript) {
    let (mutex, condition) = (Mutex::of_kind(PTHREAD_MUTEX_NORMAL), Condition::new(CLOCK_REALTIME));
    let (waiting, go, woken) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let waiting_now = || {
        mutex.lock();
        let count = waiting.load(Ordering::SeqCst);
        mutex.unlock();
        count
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                mutex.lock();
                waiting.fetch_add(1, Ordering::SeqCst);
                while go.load(Ordering::SeqCst) == 0 {
                    condition.wait(&mutex);
                }
                go.fetch_sub(1, Ordering::SeqCst);
                woken.fetch_add(1, Ordering::SeqCst);
                mutex.unlock();
            });
        }
        // A waiter counts itself with the lock, so whoever holds the lock and
        // sees three knows that all of them wait.
        assert!(c::eventually(|| waiting_now() == 3), "they wait");
        mutex.lock();
        go.store(1, Ordering::SeqCst);
        // SAFETY: the condition is initialised.
        t.code("signal", unsafe { libc::pthread_cond_signal(condition.0.get()) });
        mutex.unlock();
        t.holds("one goes on", c::eventually(|| woken.load(Ordering::SeqCst) == 1));
        mutex.lock();
        go.store(2, Ordering::SeqCst);
        // SAFETY: the condition is initialised.
        t.code("broadcast", unsafe { libc::pthread_cond_broadcast(condition.0.get()) });
        mutex.unlock();
    });
    t.value("all went on", woken.into_inner());
    // SAFETY: nobody waits.
    t.code("destroy", unsafe { libc::pthread_cond_destroy(condition.0.get()) });
}

fn pthread_condition_timeouts(t: &mut Transcript) {
    let mutex = Mutex::of_kind(PTHREAD_MUTEX_ERRORCHECK);
    for (name, clock) in [("REALTIME", CLOCK_REALTIME), ("MONOTONIC", CLOCK_MONOTONIC)] {
        let condition = Condition::new(clock);
        mutex.lock();
        let start = c::now(clock);
        let until = in_millis(clock, 15);
        // A wait may also end for no reason at all.
        let mut result = 0;
        while result == 0 {
            result = condition.timed_wait(&mutex, &until);
        }
        t.code(format_args!("{name}, 15 ms"), result);
        t.holds("it took 15 ms or more", c::now(clock) - start >= Duration::from_millis(15));
        t.code("long ago", condition.timed_wait(&mutex, &c::timespec(1)));
        let bad = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000_000 };
        t.code("nsec of a second", condition.timed_wait(&mutex, &bad));
        t.code("the mutex is held afterwards: unlock", mutex.unlock());
    }
}

fn pthread_rwlock(t: &mut Transcript) {
    let lock = UnsafeCell::new(libc::PTHREAD_RWLOCK_INITIALIZER);
    let at = lock.get();
    // SAFETY: the lock is initialised and outlives all calls.
    unsafe {
        t.code("rdlock", libc::pthread_rwlock_rdlock(at));
        t.code("another rdlock", libc::pthread_rwlock_tryrdlock(at));
        t.code("trywrlock", libc::pthread_rwlock_trywrlock(at));
        t.code("unlock", libc::pthread_rwlock_unlock(at));
        t.code("trywrlock", libc::pthread_rwlock_trywrlock(at));
        t.code("unlock", libc::pthread_rwlock_unlock(at));
        t.code("wrlock", libc::pthread_rwlock_wrlock(at));
        t.code("wrlock again", libc::pthread_rwlock_wrlock(at));
        t.code("rdlock", libc::pthread_rwlock_rdlock(at));
        t.code("tryrdlock", libc::pthread_rwlock_tryrdlock(at));
        t.code("unlock", libc::pthread_rwlock_unlock(at));
        t.code("destroy", libc::pthread_rwlock_destroy(at));
    }
}

fn pthread_barrier(t: &mut Transcript) {
    struct Barrier(UnsafeCell<MaybeUninit<libc::pthread_barrier_t>>);
    // SAFETY: a barrier is made to be used by several threads.
    unsafe impl Sync for Barrier {}
    let barrier = Barrier(UnsafeCell::new(MaybeUninit::uninit()));
    let at = barrier.0.get().cast::<libc::pthread_barrier_t>();
    // SAFETY: the barrier is ours.
    unsafe {
        t.code("init with 0", libc::pthread_barrier_init(at, std::ptr::null(), 0));
        t.code("init with 3", libc::pthread_barrier_init(at, std::ptr::null(), 3));
    }
    let serial = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            let (barrier, serial) = (&barrier, &serial);
            scope.spawn(move || {
                for _ in 0..5 {
                    // SAFETY: the barrier is initialised.
                    let result = unsafe { libc::pthread_barrier_wait(barrier.0.get().cast()) };
                    let is_serial = result == libc::PTHREAD_BARRIER_SERIAL_THREAD;
                    serial.fetch_add(is_serial.into(), Ordering::SeqCst);
                }
            });
        }
    });
    t.value("serial threads in five rounds", serial.into_inner());
    // SAFETY: nobody waits.
    t.code("destroy", unsafe { libc::pthread_barrier_destroy(at) });
}

static DESTROYED: AtomicU32 = AtomicU32::new(0);

extern "C" fn destroy(value: *mut c_void) {
    DESTROYED.fetch_add(value as u32, Ordering::SeqCst);
}

fn new_key() -> libc::pthread_key_t {
    let mut key = 0;
    // SAFETY: the key is of our own.
    assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(destroy)) }, 0);
    key
}

/// Sets a key's value to a number; see pthread_setspecific(3).
fn set(key: libc::pthread_key_t, value: usize) -> c_int {
    // SAFETY: the value is a number, which nobody follows.
    unsafe { libc::pthread_setspecific(key, value as *const c_void) }
}

fn get(key: libc::pthread_key_t) -> usize {
    // SAFETY: the key exists.
    unsafe { libc::pthread_getspecific(key) as usize }
}

fn pthread_keys(t: &mut Transcript) {
    let (one, two) = (new_key(), new_key());
    t.value("unset", get(one));
    t.code("set", set(one, 5));
    t.value("get", get(one));
    let other = thread::spawn(move || {
        let before = get(one);
        set(one, 10);
        set(two, 200);
        (before, get(one))
    });
    let (before, after) = other.join().expect("it ends");
    t.value("another thread starts with", before);
    t.value("and sets", after);
    t.value("destructors got the sum", DESTROYED.load(Ordering::SeqCst));
    t.value("ours is", get(one));
    // SAFETY: nobody uses the keys any more.
    unsafe {
        t.code("delete", libc::pthread_key_delete(one));
        t.code("delete again", libc::pthread_key_delete(one));
        t.code("delete the other", libc::pthread_key_delete(two));
    }
    t.code("set of a deleted key", set(one, 1));
    t.value("deleting runs no destructor", DESTROYED.load(Ordering::SeqCst));
}

extern "C" fn give_back(value: *mut c_void) -> *mut c_void {
    (value as usize * 2) as *mut c_void
}

fn pthread_create_join_detach(t: &mut Transcript) {
    // SAFETY: the argument is a number, and the thread is joined.
    unsafe {
        let mut thread = 0;
        let start =
            libc::pthread_create(&mut thread, std::ptr::null(), give_back, 21 as *mut c_void);
        t.code("create", start);
        let mut result = null_mut();
        t.code("join", libc::pthread_join(thread, &mut result));
        t.value("it returned", result as usize);
        t.code("join of ourselves", libc::pthread_join(c::pthread_self(), null_mut()));
        t.holds(
            "equal to ourselves",
            libc::pthread_equal(c::pthread_self(), c::pthread_self()) != 0,
        );
        let start = libc::pthread_create(&mut thread, std::ptr::null(), give_back, null_mut());
        t.code("create", start);
        t.code("detach", libc::pthread_detach(thread));
    }
}

unsafe extern "C-unwind" {
    // libc's own declaration says that it cannot unwind, but glibc ends a
    // thread by unwinding its stack.
    fn pthread_exit(value: *mut c_void) -> !;
}

extern "C-unwind" fn exit_early(key: *mut c_void) -> *mut c_void {
    set(key as usize as libc::pthread_key_t, 1000);
    // SAFETY: this frame, the only one of ours, has nothing to drop.
    unsafe { pthread_exit(77 as *mut c_void) }
}

fn pthread_exit_runs_key_destructors(t: &mut Transcript) {
    let key = new_key();
    // SAFETY: the two function types differ in whether they may unwind; the
    // caller is glibc, which expects it. The argument is a number, and the
    // thread is joined.
    unsafe {
        type Unwinds = extern "C-unwind" fn(*mut c_void) -> *mut c_void;
        type Start = extern "C" fn(*mut c_void) -> *mut c_void;
        let start = std::mem::transmute::<Unwinds, Start>(exit_early);
        let mut thread = 0;
        let argument = key as usize as *mut c_void;
        t.code("create", libc::pthread_create(&mut thread, std::ptr::null(), start, argument));
        let mut result = null_mut();
        t.code("join", libc::pthread_join(thread, &mut result));
        t.value("pthread_exit gave", result as usize);
    }
    t.value("the destructor got", DESTROYED.load(Ordering::SeqCst));
}

fn pthread_semaphore(t: &mut Transcript) {
    struct Semaphore(UnsafeCell<MaybeUninit<libc::sem_t>>);
    // SAFETY: a semaphore is made to be used by several threads.
    unsafe impl Sync for Semaphore {}
    let semaphore = Semaphore(UnsafeCell::new(MaybeUninit::uninit()));
    let at = semaphore.0.get().cast::<libc::sem_t>();
    // SAFETY: the semaphore is initialised first and outlives all calls.
    unsafe {
        t.call("sem_init 2", libc::sem_init(at, 0, 2));
        t.call("sem_wait", libc::sem_wait(at));
        t.call("sem_trywait", libc::sem_trywait(at));
        t.call("sem_trywait", libc::sem_trywait(at));
        let mut value = -1;
        t.call("sem_getvalue", libc::sem_getvalue(at, &mut value));
        t.value("value", value);
        let soon = in_millis(CLOCK_REALTIME, 10);
        t.call("sem_timedwait for 10 ms", libc::sem_timedwait(at, &soon));
        thread::scope(|scope| {
            let semaphore = &semaphore;
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(10));
                libc::sem_post(semaphore.0.get().cast());
            });
            t.call("sem_wait until another posts", libc::sem_wait(at));
        });
        t.call("sem_destroy", libc::sem_destroy(at));
    }
}

fn pthread_spin_lock(t: &mut Transcript) {
    let mut lock = 0;
    // SAFETY: the lock is initialised first.
    unsafe {
        t.code("init", libc::pthread_spin_init(&mut lock, 0));
        t.code("lock", libc::pthread_spin_lock(&mut lock));
        t.code("trylock", libc::pthread_spin_trylock(&mut lock));
        t.code("unlock", libc::pthread_spin_unlock(&mut lock));
        t.code("trylock", libc::pthread_spin_trylock(&mut lock));
        t.code("unlock", libc::pthread_spin_unlock(&mut lock));
        t.code("destroy", libc::pthread_spin_destroy(&mut lock));
    }
}

fn pthread_attributes(t: &mut Transcript) {
    let local = 0u8;
    let here = &raw const local as usize;
    // SAFETY: attributes are initialised first.
    unsafe {
        let mut attributes = MaybeUninit::uninit();
        let at = attributes.as_mut_ptr();
        t.code("init", libc::pthread_attr_init(at));
        t.code("a stack of 1000 bytes", libc::pthread_attr_setstacksize(at, 1000));
        t.code("a stack of 1 MiB", libc::pthread_attr_setstacksize(at, 1 << 20));
        let mut size = 0;
        t.code("getstacksize", libc::pthread_attr_getstacksize(at, &mut size));
        t.value("size", size);
        t.code("destroy", libc::pthread_attr_destroy(at));
        t.code("getattr_np", libc::pthread_getattr_np(c::pthread_self(), at));
        let mut base = null_mut();
        t.code("getstack", libc::pthread_attr_getstack(at, &mut base, &mut size));
        let base = base as usize;
        t.holds("our stack holds our variables", (base..base + size).contains(&here));
        libc::pthread_attr_destroy(at);
    }
}
