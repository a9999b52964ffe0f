#[bizarro::test]
fn describes(world: &mut bizarro::World, seed: u64) {
    world.host("a").workload(|| ());
}

fn main() {}
