//! The workloads: plain programs, and the worlds and real processes that they run in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use bizarro::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Sample;

/// Round trips of a ping-pong.
pub(crate) const ROUND_TRIPS: u64 = 50_000;
/// Requests of the HTTP workload.
pub(crate) const REQUESTS: u64 = 5_000;
/// Threads that are made and joined.
pub(crate) const THREADS: u64 = 5_000;

fn on_one_thread<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made")
        .block_on(future)
}

/// Runs a real server on a thread of its own and a client against it, and times the client.
fn against<C>(
    units: u64,
    serve: impl FnOnce(TcpListener) + Send + 'static,
    client: C,
) -> Option<Sample>
where
    C: FnOnce(SocketAddr),
{
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
    let address = listener.local_addr().expect("a listener has an address");
    std::thread::spawn(move || serve(listener));
    let started = Instant::now();
    client(address);
    Some(Sample { units, took: started.elapsed() })
}

// ---- Ping-pong.

async fn echo(listener: TcpListener) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let (mut stream, _) = tokio::net::TcpListener::from_std(listener)?.accept().await?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 64];
    while stream.read_exact(&mut buffer).await.is_ok() {
        stream.write_all(&buffer).await?;
    }
    Ok(())
}

async fn ping(server: &str) -> std::io::Result<()> {
    let mut stream = tokio::net::TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut buffer = [7; 64];
    for _ in 0..ROUND_TRIPS {
        stream.write_all(&buffer).await?;
        stream.read_exact(&mut buffer).await?;
    }
    Ok(())
}

fn millisecond_links(world: &mut World) {
    world.links().latency(millis(1));
}

pub(crate) fn ping_pong(world: &mut World) {
    millisecond_links(world);
    world
        .host("server")
        .program(|| on_one_thread(echo(TcpListener::bind("0.0.0.0:7").expect("the port is free"))));
    world.host("client").workload(|| on_one_thread(ping("server:7")));
}

pub(crate) fn ping_pong_real() -> Option<Sample> {
    against(
        ROUND_TRIPS,
        |listener| on_one_thread(echo(listener)).expect("the echo server runs"),
        |address| on_one_thread(ping(&address.to_string())).expect("the client runs"),
    )
}

// ---- HTTP.

fn several_threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made")
}

fn serve_http(listener: TcpListener) -> std::io::Result<()> {
    several_threads().block_on(async {
        listener.set_nonblocking(true)?;
        let router = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
        axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await
    })
}

fn get_http(server: &str) -> Result<(), reqwest::Error> {
    let url = format!("http://{server}/");
    several_threads().block_on(async {
        let client = reqwest::Client::builder().no_proxy().build()?;
        for _ in 0..REQUESTS {
            client.get(&url).send().await?.error_for_status()?.bytes().await?;
        }
        Ok(())
    })
}

pub(crate) fn http(world: &mut World) {
    world
        .host("server")
        .program(|| serve_http(TcpListener::bind("0.0.0.0:80").expect("the port is free")));
    world.host("client").workload(|| get_http("server:80"));
}

pub(crate) fn http_real() -> Option<Sample> {
    against(
        REQUESTS,
        |listener| serve_http(listener).expect("the server runs"),
        |address| get_http(&address.to_string()).expect("the client runs"),
    )
}

// ---- Threads.

fn spawn_and_join() {
    for n in 0..THREADS {
        let answer = std::thread::spawn(move || n + 1).join();
        assert!(answer.is_ok_and(|answer| answer == n + 1));
    }
}

pub(crate) fn threads(world: &mut World) {
    world.host("one").workload(spawn_and_join);
}

pub(crate) fn threads_real() -> Option<Sample> {
    let started = Instant::now();
    spawn_and_join();
    Some(Sample { units: THREADS, took: started.elapsed() })
}

// ---- Short worlds.

fn answer(listener: &TcpListener) -> std::io::Result<()> {
    let mut buffer = [0; 16];
    loop {
        let (mut stream, _) = listener.accept()?;
        while stream.read_exact(&mut buffer).is_ok() {
            stream.write_all(&buffer)?;
        }
    }
}

fn ask(server: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((server, 9))?;
    stream.set_read_timeout(Some(secs(1)))?;
    let mut buffer = [1; 16];
    for _ in 0..2 {
        stream.write_all(&buffer)?;
        stream.read_exact(&mut buffer)?;
    }
    Ok(())
}

/// Five hosts, each of which asks the next one twice.
pub(crate) fn five_hosts(world: &mut World) {
    let names = ["a", "b", "c", "d", "e"];
    for (index, name) in names.into_iter().enumerate() {
        let next = names[(index + 1) % names.len()];
        world.host(name).workload(move || {
            let listener = TcpListener::bind("0.0.0.0:9").expect("the port is free");
            std::thread::spawn(move || answer(&listener));
            std::thread::sleep(millis(1));
            ask(next)?;
            // The others may still ask.
            std::thread::sleep(millis(50));
            std::io::Result::Ok(())
        });
    }
}

// ---- Matrices.

/// Networked Pac-Man with the player that is right.
pub(crate) fn pac_man(world: &mut World) {
    world.host("board").program(pacman::server::main);
    world.host("player").workload(pacman::client::careful::main);
}

/// A service that has much to do before it can answer: it sorts, hashes and writes its tables.
fn serve_after_long() -> std::io::Result<()> {
    const ROWS: u64 = 200_000;
    let mut rows: Vec<u64> = (0..ROWS).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    rows.sort_unstable();
    let index: std::collections::HashMap<u64, u64> = rows.iter().copied().zip(0..).collect();
    for chunk in rows.chunks(1000) {
        let bytes: Vec<u8> = chunk.iter().flat_map(|row| row.to_le_bytes()).collect();
        std::fs::OpenOptions::new().append(true).create(true).open("/table")?.write_all(&bytes)?;
    }
    assert_eq!(index.len(), rows.len());
    answer(&TcpListener::bind("0.0.0.0:9")?)
}

/// A client that waits for it, and asks.
pub(crate) fn slow_start(world: &mut World) {
    world.host("server").program(serve_after_long);
    world.host("client").workload(|| {
        while TcpStream::connect("server:9").is_err() {
            std::thread::sleep(millis(1));
        }
        for _ in 0..5 {
            // What becomes of it is not what is measured.
            let _ = ask("server");
        }
    });
}
