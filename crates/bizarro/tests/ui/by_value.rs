#[bizarro::test]
fn describes(world: bizarro::World) {
    world.host("a").workload(|| ());
}

fn main() {}
