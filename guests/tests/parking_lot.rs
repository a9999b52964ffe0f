//! parking_lot: its locks park threads in a table that is a static of the program.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bizarro::prelude::*;
use guests::prints;
use parking_lot::{Condvar, Mutex, Once, ReentrantMutex, RwLock};

static TURNS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static ONCE: Once = Once::new();

/// Ten threads take turns in order, with a condition variable.
fn turns() {
    let gate = Arc::new((Mutex::new(0u32), Condvar::new()));
    let threads: Vec<_> = (0..10)
        .rev()
        .map(|number| {
            let gate = gate.clone();
            thread::spawn(move || {
                ONCE.call_once(|| println!("once"));
                let (next, changed) = &*gate;
                let mut next = next.lock();
                changed.wait_while(&mut next, |next| *next != number);
                TURNS.lock().push(number);
                *next += 1;
                changed.notify_all();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{:?}", *TURNS.lock());
    fairness_and_timeouts();
}

fn fairness_and_timeouts() {
    let shared = Arc::new(RwLock::new(0u64));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    *shared.write() += 1;
                    assert!(*shared.read() > 0);
                }
            });
        }
    });
    println!("{}", shared.read());
    let held = shared.write();
    let start = Instant::now();
    let other = shared.clone();
    let waited = thread::spawn(move || other.try_read_for(Duration::from_secs(5)).is_none());
    assert!(waited.join().unwrap());
    drop(held);
    println!("waited {} s", start.elapsed().as_secs());
    let again = ReentrantMutex::new(7);
    let (one, two) = (again.lock(), again.lock());
    println!("{}", *one + *two);
}

#[bizarro::test]
fn locks(world: &mut World) {
    world.host("one").workload(turns);
    world.host("other").workload(turns);
    let lines = &["once", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]", "8000", "waited 5 s", "14"];
    prints(world, "one", lines);
    prints(world, "other", lines);
}
