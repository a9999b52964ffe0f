//! smol: an executor whose reactor reaches the kernel by raw system calls, past the C library.

use std::time::{Duration, Instant};

use bizarro::prelude::*;
use guests::{SERVERS_ARE_UP, prints};
use smol::future::FutureExt;
use smol::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use smol::net::{TcpListener, TcpStream, UdpSocket};
use smol::stream::StreamExt;
use smol::{Timer, Unblock};

/// Counts the bytes of each line.
fn server() {
    smol::block_on(async {
        let listener = TcpListener::bind("0.0.0.0:7000").await.unwrap();
        let mut incoming = listener.incoming();
        while let Some(stream) = incoming.next().await {
            let stream = stream.unwrap();
            smol::spawn(async move {
                let mut lines = BufReader::new(stream.clone()).lines();
                let mut stream = stream;
                while let Some(line) = lines.next().await {
                    let count = format!("{}\n", line.unwrap().len());
                    stream.write_all(count.as_bytes()).await.unwrap();
                }
            })
            .detach();
        }
    });
}

fn client() {
    smol::block_on(async {
        Timer::after(SERVERS_ARE_UP).await;
        let calls: Vec<_> = (1..=10usize)
            .map(|length| {
                smol::spawn(async move {
                    let mut stream = TcpStream::connect("server:7000").await.unwrap();
                    stream
                        .write_all(&[b"x".repeat(length), b"\n".to_vec()].concat())
                        .await
                        .unwrap();
                    let mut line = String::new();
                    BufReader::new(stream).read_line(&mut line).await.unwrap();
                    line.trim().parse::<usize>().unwrap()
                })
            })
            .collect();
        let mut sum = 0;
        for call in calls {
            sum += call.await;
        }
        println!("{sum}");
        disk_and_time().await;
    });
}

async fn disk_and_time() {
    smol::fs::write("/tmp/note", "on a thread of its own").await.unwrap();
    let mut text = String::new();
    let file = std::fs::File::open("/tmp/note").unwrap();
    Unblock::new(file).read_to_string(&mut text).await.unwrap();
    println!("{text}");
    let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    let start = Instant::now();
    let late = async {
        Timer::after(Duration::from_secs(60)).await;
        Err(std::io::ErrorKind::TimedOut.into())
    };
    let error = socket.recv(&mut [0; 16]).or(late).await.unwrap_err();
    println!("{:?} after {} s", error.kind(), start.elapsed().as_secs());
}

#[bizarro::test]
fn tcp_files_and_timers(world: &mut World) {
    world.host("server").program(server);
    world.host("client").workload(client);
    prints(world, "client", &["55", "on a thread of its own", "TimedOut after 60 s"]);
}
