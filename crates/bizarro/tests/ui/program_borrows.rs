pub fn describes(world: &mut bizarro::World) {
    let address = String::from("bank:80");
    world.host("a").workload(|| println!("{address}"));
}

fn main() {}
