#[bizarro::test]
struct Describes;

fn main() {}
