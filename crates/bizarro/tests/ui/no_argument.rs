#[bizarro::test]
fn describes() {}

fn main() {}
