pub fn describes(world: &mut bizarro::World) {
    let addresses = vec![1, 2, 3];
    world.host("a").workload(move || drop(addresses));
}

fn main() {}
