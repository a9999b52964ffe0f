#[bizarro::test]
fn describes(world: &mut bizarro::World) -> Result<(), String> {
    world.host("a").workload(|| ());
    Ok(())
}

fn main() {}
