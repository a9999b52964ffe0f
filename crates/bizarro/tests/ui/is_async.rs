#[bizarro::test]
async fn describes(world: &mut bizarro::World) {
    world.host("a").workload(|| ());
}

fn main() {}
