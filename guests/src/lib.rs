//! What the tests share. The programs themselves are in `tests/`, a file for each library.

use bizarro::{Explore, World};

/// How long a workload waits for the servers of its world: they start at the same virtual instant.
pub const SERVERS_ARE_UP: std::time::Duration = std::time::Duration::from_millis(50);

/// Runs a world's baseline, twice, and wants exactly these lines on a host's standard output.
pub fn prints(world: &mut World, host: &'static str, lines: &'static [&'static str]) {
    world.explore(Explore::baseline_only());
    world.check(&format!("{host} prints what it should"), move |run| {
        let output = run.output(host);
        if output == lines { Ok(()) } else { Err(format!("{output:#?}\ninstead of\n{lines:#?}")) }
    });
}
