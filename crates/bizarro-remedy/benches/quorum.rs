//! What the state machines of quorums and agreement cost beside the messages that they ask for.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bizarro_remedy::agreement::{Oral, Setting, Signed, SignedOrder, SigningKey};
use bizarro_remedy::quorum::Mandate;
use bizarro_remedy::quorum::register::{Operation, Progress, Replica};
use criterion::{Criterion, criterion_group, criterion_main};

/// An operation on three replicas, without their disks and the way there.
fn operate(mut operation: Operation<u64>, replicas: &mut [Replica<u64>; 3]) -> u64 {
    loop {
        for (number, replica) in replicas.iter_mut().enumerate() {
            let (next, reply) = replica.handle(operation.request());
            if let Some(next) = next {
                *replica = next;
            }
            match operation.accept(number, reply) {
                Progress::Waits => {}
                Progress::Asks(_) => break,
                Progress::Done(value) => return value,
            }
        }
    }
}

fn quorum(c: &mut Criterion) {
    let mut replicas = [Replica::new(0), Replica::new(0), Replica::new(0)];
    c.bench_function("register: write", |b| {
        b.iter(|| operate(Operation::write(3, black_box(7), 1), &mut replicas));
    });
    c.bench_function("register: read", |b| {
        b.iter(|| operate(Operation::read(3), &mut replicas));
    });
    let now = Instant::now();
    let mut mandate = Mandate::new(3, Duration::from_secs(1), Duration::ZERO);
    c.bench_function("mandate: confirm and look", |b| {
        b.iter(|| {
            mandate.confirm(1, now);
            mandate.confirm(2, now);
            mandate.lasts(black_box(now))
        });
    });
}

fn agreement(c: &mut Criterion) {
    let setting = Setting::new(7, 2, 0).expect("it makes sense");
    c.bench_function("OM(2), one of seven decides", |b| {
        let all = (1..7).map(|me| Oral::lieutenant(setting, me, 0_u8));
        let mut all: Vec<Oral<u8>> =
            [Oral::commander(setting, 1, 0)].into_iter().chain(all).collect();
        while !all[0].is_over() {
            let said: Vec<_> = all.iter().map(Oral::outbox).collect();
            for (from, messages) in (0..).zip(said) {
                for (to, message) in messages {
                    all[usize::from(to)].accept(from, message).expect("it is acceptable");
                }
            }
            all.iter_mut().for_each(Oral::end_round);
        }
        b.iter(|| black_box(&all[1]).decide());
    });
    let key = SigningKey::from_bytes(&[1; 32]);
    let keys = vec![key.verifying_key(); 7];
    let order = SignedOrder::unsigned([7_u8]).sign(1, 0, &key);
    let fresh = Signed::lieutenant(setting, 1, 1, key.clone(), keys, [0]);
    c.bench_function("SM(2), an order with one signature is accepted", |b| {
        b.iter(|| fresh.clone().accept(0, black_box(order.clone())).is_ok());
    });
}

criterion_group!(benches, quorum, agreement);
criterion_main!(benches);
