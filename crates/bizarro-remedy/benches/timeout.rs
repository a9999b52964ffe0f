//! What a time-out that follows round trips costs a call: `cargo bench -p bizarro-remedy --bench timeout`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bizarro_remedy::detector::timeout::{Limits, RoundTrips};
use criterion::{Criterion, criterion_group, criterion_main};

/// All that is added to a call: two looks at the clock, the time-out, and what the reply says.
fn a_call(criterion: &mut Criterion) {
    let mut trips = RoundTrips::new(Limits::default());
    criterion.bench_function("timeout", |bencher| {
        bencher.iter(|| {
            let begun = Instant::now();
            let timeout: Duration = black_box(trips.timeout());
            trips.observe(black_box(begun.elapsed()));
            timeout
        });
    });
}

criterion_group!(benches, a_call);
criterion_main!(benches);
