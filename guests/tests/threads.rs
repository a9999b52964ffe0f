//! Threads to their limits: panics, destructors of thread-locals, stack sizes, many of them.

use std::cell::RefCell;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use bizarro::prelude::*;
use guests::prints;

struct Farewell(&'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        LEFT.lock().unwrap().push(self.0);
    }
}

static LEFT: Mutex<Vec<&str>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: RefCell<Option<Farewell>> = const { RefCell::new(None) };
    static COUNT: RefCell<u32> = const { RefCell::new(0) };
}

fn destructors() {
    OWN.set(Some(Farewell("main")));
    for name in ["first", "second"] {
        thread::spawn(move || OWN.set(Some(Farewell(name)))).join().unwrap();
    }
    println!("{:?}", LEFT.lock().unwrap());
    let counts: Vec<u32> = (0..3)
        .map(|rounds| {
            let counting = move || {
                (0..rounds).for_each(|_| COUNT.with_borrow_mut(|count| *count += 1));
                COUNT.with_borrow(|count| *count)
            };
            thread::spawn(counting).join().unwrap()
        })
        .collect();
    println!("{counts:?}");
}

#[bizarro::test]
fn thread_locals(world: &mut World) {
    for host in ["one", "two"] {
        world.host(host).workload(destructors);
        prints(world, host, &["[\"first\", \"second\"]", "[0, 1, 2]"]);
    }
}

fn caught() {
    std::panic::set_hook(Box::new(|_| {}));
    let lock = Arc::new(Mutex::new(1));
    let theirs = lock.clone();
    let thread = thread::spawn(move || {
        let _held = theirs.lock().unwrap();
        panic!("on purpose");
    });
    let payload = thread.join().unwrap_err();
    println!("{} {}", payload.downcast_ref::<&str>().unwrap(), lock.is_poisoned());
    let inner = catch_unwind(|| {
        let _on_the_way = Farewell("unwound");
        Vec::<u8>::new()[1]
    });
    println!("{} {:?}", inner.is_err(), LEFT.lock().unwrap());
}

/// The program's own panic hook hides its panics from us as it does from everybody.
#[bizarro::test]
fn panics_that_are_caught(world: &mut World) {
    world.host("one").workload(caught);
    prints(world, "one", &["on purpose true", "true [\"unwound\"]"]);
}

fn depth(rounds: u32) -> u64 {
    let frame = std::hint::black_box([u64::from(rounds); 128]);
    if rounds == 0 { 0 } else { depth(rounds - 1) + frame[7] - u64::from(rounds) + 1 }
}

fn stacks() {
    let big = thread::Builder::new().stack_size(64 << 20).spawn(|| depth(20_000)).unwrap();
    let small = thread::Builder::new().stack_size(64 << 10).spawn(|| depth(5)).unwrap();
    println!("{} {} {}", big.join().unwrap(), small.join().unwrap(), depth(2_000));
}

#[bizarro::test]
fn stack_sizes(world: &mut World) {
    world.host("one").workload(stacks);
    prints(world, "one", &["20000 5 2000"]);
}

fn crowd() {
    let (numbers, sum) = mpsc::channel();
    let threads: Vec<_> = (0..500u64)
        .map(|number| {
            let numbers = numbers.clone();
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    thread::sleep(Duration::from_millis(500 - number));
                    assert!(thread::current().name().unwrap().ends_with(&number.to_string()));
                    numbers.send(number).unwrap();
                })
                .unwrap()
        })
        .collect();
    drop(numbers);
    let order: Vec<u64> = sum.iter().collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    println!("{} {}", order.len(), order.is_sorted_by(|one, other| one > other));
    let detached = (0..2000).map(|_| drop(thread::spawn(|| {}))).count();
    println!("{detached}");
}

#[bizarro::test]
fn many_threads(world: &mut World) {
    for host in ["one", "two"] {
        world.host(host).workload(crowd);
        prints(world, host, &["500 true", "2000"]);
    }
}
