//! crossbeam: channels with select, work stealing, epochs, scoped threads; they spin a little before they sleep.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bizarro::prelude::*;
use crossbeam::channel::{bounded, select, tick, unbounded};
use crossbeam::deque::{Injector, Steal, Worker};
use crossbeam::epoch::{self, Atomic, Owned};
use crossbeam::queue::{ArrayQueue, SegQueue};
use crossbeam::sync::{Parker, WaitGroup};
use guests::prints;

fn pipeline() {
    let (raw, squared) = (bounded::<u64>(0), unbounded::<u64>());
    crossbeam::scope(|scope| {
        for _ in 0..4 {
            let (input, output) = (raw.1.clone(), squared.0.clone());
            scope.spawn(move |_| input.iter().for_each(|n| output.send(n * n).unwrap()));
        }
        for number in 0..100 {
            raw.0.send(number).unwrap();
        }
        drop(raw);
        drop(squared.0);
        println!("{}", squared.1.iter().sum::<u64>());
    })
    .unwrap();

    let (ticks, start, never) = (tick(Duration::from_secs(1)), Instant::now(), bounded::<()>(1));
    for _ in 0..3 {
        select! {
            recv(ticks) -> _ => {}
            recv(never.1) -> _ => unreachable!(),
            default(Duration::from_secs(10)) => unreachable!(),
        }
    }
    println!("3 ticks in {} s", start.elapsed().as_secs());
    stealing();
    shared_structures();
}

fn stealing() {
    let (injector, done) = (Injector::new(), AtomicUsize::new(0));
    (0..1000).for_each(|task| injector.push(task));
    crossbeam::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|_| {
                let own = Worker::<usize>::new_fifo();
                loop {
                    match own
                        .pop()
                        .map_or_else(|| injector.steal_batch_and_pop(&own), Steal::Success)
                    {
                        Steal::Success(_) => done.fetch_add(1, Ordering::Relaxed),
                        Steal::Retry => continue,
                        Steal::Empty => break,
                    };
                }
            });
        }
    })
    .unwrap();
    println!("{} tasks", done.into_inner());
}

fn shared_structures() {
    let (array, list, value) = (ArrayQueue::new(16), SegQueue::new(), Atomic::new(0u64));
    let group = WaitGroup::new();
    let parker = Parker::new();
    crossbeam::scope(|scope| {
        for producer in 0..4u64 {
            let (group, unparker) = (group.clone(), parker.unparker().clone());
            let (array, list, value) = (&array, &list, &value);
            scope.spawn(move |_| {
                for item in 0..50 {
                    let _ = array.push(item);
                    list.push(producer);
                    let guard = epoch::pin();
                    let old = value.swap(Owned::new(item), Ordering::AcqRel, &guard);
                    // SAFETY: the swap took the old value out; nobody can find it any more.
                    unsafe { guard.defer_destroy(old) };
                }
                drop(group);
                unparker.unpark();
            });
        }
        group.wait();
        parker.park();
    })
    .unwrap();
    // SAFETY: the other threads have ended.
    let last = unsafe { *value.into_owned().into_box() };
    println!("{} {} {last}", array.len(), list.len());
}

#[bizarro::test]
fn channels_queues_and_epochs(world: &mut World) {
    world.host("one").cpus(4).workload(pipeline);
    world.host("other").workload(pipeline);
    let lines = &["328350", "3 ticks in 3 s", "1000 tasks", "16 200 49"];
    prints(world, "one", lines);
    prints(world, "other", lines);
}
