#[bizarro::test(seeds = 5)]
fn describes(world: &mut bizarro::World) {
    world.host("a").workload(|| ());
}

fn main() {}
