//! Worlds that are described, run and judged, end to end.

use bizarro::prelude::*;

#[bizarro::test]
fn a_workload_ends(world: &mut World) {
    world.host("one").workload(|| println!("hello"));
    world.explore(Explore::baseline_only());
    world.check("x", |run| if run.is_completed() { Ok(()) } else { Err("no".into()) });
}
#[bizarro::test]
fn pings(world: &mut World) {
    use std::io::{Read, Write};
    world.host("server").program(|| {
        let listener = std::net::TcpListener::bind("0.0.0.0:80").unwrap();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut b = [0; 4];
            while stream.read_exact(&mut b).is_ok() {
                stream.write_all(&b).unwrap();
            }
        }
    });
    world.host("client").workload(|| {
        std::thread::sleep(millis(10));
        let mut stream = std::net::TcpStream::connect("server:80").unwrap();
        for _ in 0..3 {
            stream.write_all(b"ping").unwrap();
            let mut b = [0; 4];
            stream.read_exact(&mut b).unwrap();
            println!("{:?}", b);
        }
    });
}
