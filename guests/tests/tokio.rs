//! tokio: both runtimes, blocking threads, files, signals, UDP and Unix sockets.

use std::time::Duration;

use bizarro::prelude::*;
use guests::{SERVERS_ARE_UP, prints};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

async fn shout() {
    let listener = TcpListener::bind("0.0.0.0:5000").await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                write.write_all(format!("{}\n", line.to_uppercase()).as_bytes()).await.unwrap();
            }
        });
    }
}

async fn shouted() {
    sleep(SERVERS_ARE_UP).await;
    let mut clients = JoinSet::new();
    for client in 0..20 {
        clients.spawn(async move {
            let mut stream = BufReader::new(TcpStream::connect("shout:5000").await.unwrap());
            for round in 0..5 {
                stream.write_all(format!("hello {client} {round}\n").as_bytes()).await.unwrap();
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                assert_eq!(line, format!("HELLO {client} {round}\n"));
            }
            5
        });
    }
    let replies: u32 = clients.join_all().await.into_iter().sum();
    println!("{replies} replies");
}

#[tokio::main(flavor = "current_thread")]
async fn shout_on_one_thread() {
    shout().await;
}

#[tokio::main(flavor = "current_thread")]
async fn shouted_on_one_thread() {
    shouted().await;
}

#[bizarro::test]
fn current_thread(world: &mut World) {
    world.host("shout").program(shout_on_one_thread);
    world.host("client").workload(shouted_on_one_thread);
    prints(world, "client", &["100 replies"]);
}

#[tokio::main]
async fn shout_on_threads() {
    shout().await;
}

#[tokio::main]
async fn shouted_on_threads() {
    let own = std::thread::current().id();
    let there = tokio::spawn(async { std::thread::current().id() }).await.unwrap();
    assert_ne!(own, there, "a spawned task runs on a worker");
    tokio::spawn(shouted()).await.unwrap();
}

#[bizarro::test]
fn multi_thread(world: &mut World) {
    world.host("shout").cpus(4).program(shout_on_threads);
    world.host("client").cpus(4).workload(shouted_on_threads);
    prints(world, "client", &["100 replies"]);
}

#[tokio::main]
async fn blocking() {
    let start = Instant::now();
    let mut naps = JoinSet::new();
    for nap in 0..30u64 {
        naps.spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(100));
            nap
        });
    }
    let sum: u64 = naps.join_all().await.into_iter().sum();
    println!("{sum}; slept at the same time: {}", start.elapsed() < Duration::from_millis(150));
    let inside =
        tokio::task::spawn_blocking(|| tokio::runtime::Handle::current().block_on(async { 7 }));
    println!("{}", inside.await.unwrap());
}

#[bizarro::test]
fn spawn_blocking(world: &mut World) {
    world.host("one").workload(blocking);
    prints(world, "one", &["435; slept at the same time: true", "7"]);
}

#[tokio::main]
async fn files() {
    use tokio::fs;
    fs::create_dir_all("/var/lib/guest/deep").await.unwrap();
    let mut file = fs::File::create("/var/lib/guest/deep/journal").await.unwrap();
    for line in ["first\n", "second\n"] {
        file.write_all(line.as_bytes()).await.unwrap();
    }
    file.sync_all().await.unwrap();
    drop(file);
    fs::rename("/var/lib/guest/deep/journal", "/var/lib/guest/kept").await.unwrap();
    fs::remove_dir("/var/lib/guest/deep").await.unwrap();
    println!("{:?}", fs::read_to_string("/var/lib/guest/kept").await.unwrap());
    println!("{} bytes", fs::metadata("/var/lib/guest/kept").await.unwrap().len());
    let mut entries = fs::read_dir("/var/lib/guest").await.unwrap();
    while let Some(entry) = entries.next_entry().await.unwrap() {
        println!("{:?}", entry.file_name());
    }
    println!("{:?}", fs::read("/var/lib/guest/deep/journal").await.unwrap_err().kind());
}

#[bizarro::test]
fn fs(world: &mut World) {
    world.host("one").workload(files);
    let lines = &["\"first\\nsecond\\n\"", "13 bytes", "\"kept\"", "NotFound"];
    prints(world, "one", lines);
}

#[tokio::main]
async fn graceful() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let mut hangup = signal(SignalKind::hangup()).unwrap();
    let own = std::process::id() as libc::pid_t;
    tokio::spawn(async move {
        sleep(Duration::from_secs(1)).await;
        for signal in [libc::SIGHUP, libc::SIGTERM] {
            // SAFETY: kill(2) touches no memory; both signals have a handler.
            assert_eq!(unsafe { libc::kill(own, signal) }, 0);
            sleep(Duration::from_secs(1)).await;
        }
    });
    loop {
        tokio::select! {
            _ = hangup.recv() => println!("reload"),
            _ = terminate.recv() => break,
        }
    }
    println!("stop");
}

#[bizarro::test]
fn signal(world: &mut World) {
    world.host("one").workload(graceful);
    world.host("other").workload(graceful);
    prints(world, "one", &["reload", "stop"]);
    prints(world, "other", &["reload", "stop"]);
}

#[tokio::main]
async fn sums_by_datagram() {
    let socket = UdpSocket::bind("0.0.0.0:5001").await.unwrap();
    let mut buffer = [0; 1500];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
        let sum: u32 = buffer[..length].iter().map(|byte| u32::from(*byte)).sum();
        socket.send_to(&sum.to_be_bytes(), peer).await.unwrap();
    }
}

#[tokio::main]
async fn asks_by_datagram() {
    sleep(SERVERS_ARE_UP).await;
    let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    socket.connect("sums:5001").await.unwrap();
    let mut reply = [0; 4];
    for length in [1usize, 10, 1000] {
        socket.send(&vec![2; length]).await.unwrap();
        socket.recv(&mut reply).await.unwrap();
        println!("{}", u32::from_be_bytes(reply));
    }
    let start = Instant::now();
    timeout(Duration::from_secs(3600), socket.recv(&mut reply)).await.unwrap_err();
    println!("silent for {} s", start.elapsed().as_secs());
}

#[bizarro::test]
fn udp(world: &mut World) {
    world.host("sums").program(sums_by_datagram);
    world.host("client").workload(asks_by_datagram);
    world.deadline(secs(7200));
    prints(world, "client", &["2", "20", "2000", "silent for 3600 s"]);
}

#[tokio::main]
async fn unix_sockets() {
    std::fs::create_dir_all("/run/guest").unwrap();
    let listener = UnixListener::bind("/run/guest/socket").unwrap();
    let (done, mut finished) = mpsc::channel(1);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).await.unwrap();
        done.send(all).await.unwrap();
    });
    let mut stream = UnixStream::connect("/run/guest/socket").await.unwrap();
    stream.write_all(b"over a path").await.unwrap();
    drop(stream);
    println!("{}", finished.recv().await.unwrap());
    let (one, other) = UnixDatagram::pair().unwrap();
    one.send(b"a datagram").await.unwrap();
    let mut buffer = [0; 32];
    let length = other.recv(&mut buffer).await.unwrap();
    println!("{}", String::from_utf8_lossy(&buffer[..length]));
}

#[bizarro::test]
fn unix(world: &mut World) {
    // Both hosts bind the same path: each has its own.
    world.host("one").workload(unix_sockets);
    world.host("other").workload(unix_sockets);
    prints(world, "one", &["over a path", "a datagram"]);
    prints(world, "other", &["over a path", "a datagram"]);
}
