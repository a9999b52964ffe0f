//! The standard library: blocking sockets and threads.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bizarro::prelude::*;
use guests::{SERVERS_ARE_UP, prints};

/// Adds numbers that clients send, a thread for each client.
fn adder() {
    let total = Arc::new(AtomicU32::new(0));
    let listener = TcpListener::bind("0.0.0.0:4000").unwrap();
    for stream in listener.incoming() {
        let (stream, total) = (stream.unwrap(), total.clone());
        thread::spawn(move || {
            for line in BufReader::new(&stream).lines() {
                let number: u32 = line.unwrap().parse().unwrap();
                let sum = total.fetch_add(number, Ordering::SeqCst) + number;
                writeln!(&stream, "{sum}").unwrap();
            }
        });
    }
}

fn adding_clients() {
    thread::sleep(SERVERS_ARE_UP);
    let (sums, results) = mpsc::channel();
    let barrier = Arc::new(Barrier::new(5));
    let workers: Vec<_> = (1..=5)
        .map(|number| {
            let (sums, barrier) = (sums.clone(), barrier.clone());
            thread::spawn(move || {
                let stream = TcpStream::connect("adder:4000").unwrap();
                stream.set_nodelay(true).unwrap();
                let mut replies = BufReader::new(stream.try_clone().unwrap()).lines();
                barrier.wait();
                for _ in 0..10 {
                    writeln!(&stream, "{number}").unwrap();
                    sums.send(replies.next().unwrap().unwrap().parse::<u32>().unwrap()).unwrap();
                }
                stream.shutdown(Shutdown::Write).unwrap();
                assert!(replies.next().is_none());
            })
        })
        .collect();
    drop(sums);
    let all: std::collections::BTreeSet<u32> = results.iter().collect();
    for worker in workers {
        worker.join().unwrap();
    }
    println!("{} sums, the last is {}", all.len(), all.last().unwrap());
}

#[bizarro::test]
fn threads_and_tcp(world: &mut World) {
    world.host("adder").program(adder);
    world.host("clients").workload(adding_clients);
    prints(world, "clients", &["50 sums, the last is 150"]);
}

fn udp_echo() {
    let socket = UdpSocket::bind("0.0.0.0:4001").unwrap();
    let mut buffer = [0; 2048];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer).unwrap();
        socket.send_to(&buffer[..length], peer).unwrap();
    }
}

fn udp_client() {
    thread::sleep(SERVERS_ARE_UP);
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("echo:4001").unwrap();
    let mut buffer = [0; 2048];
    for round in 0..3u8 {
        socket.send(&[round; 1200]).unwrap();
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..length], [round; 1200]);
    }
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let start = Instant::now();
    let nothing = socket.recv(&mut buffer).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    println!("nothing came for {} s", start.elapsed().as_secs());
    let closed = UdpSocket::bind("0.0.0.0:0").unwrap();
    closed.connect("echo:9").unwrap();
    closed.send(b"?").unwrap();
    println!("{:?}", closed.recv(&mut buffer).unwrap_err().kind());
}

#[bizarro::test]
fn udp(world: &mut World) {
    world.host("echo").program(udp_echo);
    world.host("client").workload(udp_client);
    prints(world, "client", &["nothing came for 2 s", "ConnectionRefused"]);
}

fn scoped_sum() {
    let numbers: Vec<u64> = (0..10_000).collect();
    let sum: u64 = thread::scope(|scope| {
        let parts: Vec<_> =
            numbers.chunks(1000).map(|part| scope.spawn(|| part.iter().sum::<u64>())).collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    println!("{sum} on {} CPUs", thread::available_parallelism().unwrap());
}

#[bizarro::test]
fn scoped_threads(world: &mut World) {
    world.host("one").cpus(3).workload(scoped_sum);
    world.host("other").cpus(5).workload(scoped_sum);
    prints(world, "one", &["49995000 on 3 CPUs"]);
    prints(world, "other", &["49995000 on 5 CPUs"]);
}
