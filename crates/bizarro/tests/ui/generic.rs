#[bizarro::test]
fn describes<T>(world: &mut bizarro::World) {
    world.host("a").workload(|| ());
}

fn main() {}
