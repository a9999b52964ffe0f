//! What clocks, leases and detectors add to a call, beside a real call over loopback: each less than 2 µs, but for the kernel
//! clock, which is a system call and costs what one costs on the machine.
//!
//! `cargo bench -p bizarro-remedy --features hybrid-clock,kernel-clock --bench time`

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bizarro_remedy::clock::{Lamport, Siblings, VersionVector};
use bizarro_remedy::detector::{Limits, PhiAccrual, RoundTrips};
use bizarro_remedy::lease::{Drift, Fence, Lease, Table, Token};
use criterion::{Criterion, criterion_group, criterion_main};

const MINUTE: Duration = Duration::from_secs(60);

/// One byte there and one back: the least that a call can cost.
fn call(c: &mut Criterion) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
    });
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_nodelay(true).expect("it is TCP");
    c.bench_function("a call over loopback", |b| {
        b.iter(|| {
            stream.write_all(&[1]).and_then(|()| stream.read_exact(&mut [0])).expect("it echoes")
        });
    });
}

fn clocks(c: &mut Criterion) {
    let lamport = Lamport::default();
    c.bench_function("lamport: observe", |b| b.iter(|| lamport.observe(black_box(7))));
    let mut one: VersionVector<u64> = VersionVector::new();
    for node in 0..5 {
        one.increment(&node);
    }
    let mut other = one.clone();
    other.increment(&3);
    c.bench_function("version vector of 5: compare", |b| {
        b.iter(|| black_box(&one).compare(&other))
    });
    c.bench_function("siblings of 5 nodes: write", |b| {
        let mut siblings: Siblings<u64, u64> = Siblings::new();
        (0..5).for_each(|node| siblings.write(&node, &VersionVector::new(), 1));
        b.iter(|| {
            let context = siblings.context().clone();
            siblings.write(&1, &context, 2);
        });
    });
    #[cfg(feature = "hybrid-clock")]
    {
        use bizarro_remedy::clock::hybrid::{HLCBuilder, ID};
        let id = |number: u8| ID::try_from([number]).expect("it is not 0");
        let clock = HLCBuilder::new().with_id(id(1)).build();
        let seen = HLCBuilder::new().with_id(id(2)).build().new_timestamp();
        c.bench_function("hybrid clock: observe and tick", |b| {
            b.iter(|| clock.update_with_timestamp(&seen).map(|()| clock.new_timestamp()));
        });
    }
    #[cfg(all(feature = "kernel-clock", target_os = "linux"))]
    {
        use bizarro_remedy::clock::IntervalClock;
        use bizarro_remedy::clock::kernel::KernelClock;
        let clock = KernelClock::default();
        c.bench_function("kernel clock: interval", |b| b.iter(|| clock.now()));
    }
}

fn leases(c: &mut Criterion) {
    let hour = 60 * MINUTE;
    let lease = Lease::granted("a", Token(1), Instant::now(), 24 * hour, Drift::default());
    c.bench_function("lease: token", |b| b.iter(|| lease.token()));
    let mut fence = Fence::default();
    c.bench_function("fence: admit", |b| b.iter(|| fence.admit(black_box(Token(34)))));
    let mut table = Table::default();
    for n in 0..1000 {
        table.acquire(Duration::ZERO, &n.to_string(), "a", hour);
    }
    c.bench_function("table of 1000: acquire again", |b| {
        b.iter(|| table.acquire(MINUTE, black_box("500"), "a", hour));
    });
}

fn detectors(c: &mut Criterion) {
    let begun = Instant::now();
    let mut phi = PhiAccrual::new(Duration::from_millis(100), begun);
    let mut now = begun;
    for beat in 0..200_u64 {
        now += Duration::from_millis(90 + beat % 20);
        phi.heartbeat(now);
    }
    c.bench_function("phi of 100: heartbeat and phi", |b| {
        b.iter(|| {
            now += Duration::from_millis(100);
            phi.heartbeat(now);
            phi.phi(now)
        });
    });
    let mut trips = RoundTrips::new(Limits::default());
    c.bench_function("round trips: time-out and what an answer took", |b| {
        b.iter(|| {
            let (begun, timeout) = (Instant::now(), black_box(trips.timeout()));
            trips.observe(black_box(begun.elapsed()));
            timeout
        });
    });
}

criterion_group!(benches, call, clocks, leases, detectors);
criterion_main!(benches);
