async fn serve() {}

pub fn describes(world: &mut bizarro::World) {
    world.host("a").workload(serve);
}

fn main() {}
