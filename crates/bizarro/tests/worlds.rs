//! Worlds that are described, run and judged, end to end.

use bizarro::prelude::*;

#[bizarro::test]
fn a_workload_ends(world: &mut World) {
    world.host("one").workload(|| println!("hello"));
    world.explore(Explore::baseline_only());
    world.check("x", |run| if run.is_completed() { Ok(()) } else { Err("no".into()) });
}
