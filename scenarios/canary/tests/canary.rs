//! Each planted bug is found, or the test fails.

mod worlds;

use std::fs;
use std::path::Path;

use bizarro::prelude::*;

#[bizarro::test]
fn safety(world: &mut World) {
    worlds::safety(world);
    world.explore(Explore::everything().swarm(500));
    world.must_break(&[worlds::ONCE]);
}

#[bizarro::test]
fn liveness(world: &mut World) {
    worlds::liveness(world);
    world.must_break(&[worlds::SERVED, "no deadlock"]);
}

#[bizarro::test]
fn crash(world: &mut World) {
    worlds::crash(world);
    world.must_break(&["no panic"]);
}

#[bizarro::test]
fn race(world: &mut World) {
    worlds::race(world);
    world.must_break(&[worlds::COUNTED]);
}

/// A directory that this test may write to, and its world reads.
const OUTSIDE: &str = env!("CARGO_TARGET_TMPDIR");

#[bizarro::test]
fn nondeterminism(world: &mut World) {
    world.host("reader").mount(OUTSIDE, "/outside").workload(canary::reader_of_the_outside);
    // The check runs in the test's own process: each run leaves another content for the next one.
    world.check("the outside changes", |_| {
        let file = Path::new(OUTSIDE).join("canary");
        let runs: u64 = fs::read_to_string(&file).ok().and_then(|n| n.parse().ok()).unwrap_or(0);
        fs::write(&file, (runs + 1).to_string()).map_err(|error| error.to_string())
    });
    world.must_differ();
}
