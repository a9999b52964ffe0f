//! A program that asks much of its allocator, on several hosts: run with each allocator.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use bizarro::prelude::*;
use guests::{SERVERS_ARE_UP, prints};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Blocks that were written and freed come back zeroed where that is asked for, whole or in parts, and grown.
fn used_blocks_are_zeroed() {
    const SIZES: [usize; 9] =
        [100, 30_000, 33_000, 65_536, 70_000, 200_000, 262_144, 300_000, 2_000_000];
    for round in 0..3 {
        let written: Vec<Vec<u8>> = SIZES.iter().map(|size| vec![0xa5; *size]).collect();
        drop(written);
        let sizes = SIZES.iter().rev().map(|size| size / (round + 1));
        let zeroed: Vec<Vec<u8>> = sizes.map(|size| vec![0; size]).collect();
        for block in &zeroed {
            assert!(block.iter().all(|byte| *byte == 0), "{} bytes, round {round}", block.len());
        }
    }
}

/// Blocks of many sizes, made on one thread and freed on another, and threads that come and go.
fn churn() {
    let (blocks, received) = mpsc::sync_channel::<Vec<u8>>(16);
    let consumer = thread::spawn(move || {
        received
            .iter()
            .map(|block| block.iter().map(|byte| u64::from(*byte)).sum::<u64>())
            .sum::<u64>()
    });
    let makers: Vec<_> = (0..4u8)
        .map(|maker| {
            let blocks = blocks.clone();
            thread::spawn(move || {
                for step in 0..200usize {
                    let size = 1 << (step % 20);
                    blocks.send(vec![maker; size]).unwrap();
                }
            })
        })
        .collect();
    drop(blocks);
    for maker in makers {
        maker.join().unwrap();
    }
    println!("{}", consumer.join().unwrap());

    used_blocks_are_zeroed();

    let shared: Arc<Mutex<BTreeMap<u32, String>>> = Arc::default();
    for generation in 0..20 {
        thread::scope(|scope| {
            for one in 0..4 {
                let shared = &shared;
                scope.spawn(move || {
                    shared.lock().unwrap().insert(generation * 4 + one, "x".repeat(100))
                });
            }
        });
    }
    let mut grown: Vec<u64> = Vec::new();
    (0..1_000_000).for_each(|number| grown.push(number));
    println!("{} {}", shared.lock().unwrap().len(), grown.iter().sum::<u64>());
}

#[tokio::main]
async fn store() {
    let listener = TcpListener::bind("0.0.0.0:6000").await.unwrap();
    let kept: Arc<Mutex<HashMap<u8, Vec<u8>>>> = Arc::default();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let kept = kept.clone();
        tokio::spawn(async move {
            let mut value = Vec::new();
            stream.read_to_end(&mut value).await.unwrap();
            let before = kept.lock().unwrap().insert(value[0], value);
            stream.write_all(&before.unwrap_or_default()).await.unwrap();
        });
    }
}

#[tokio::main]
async fn client() {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    tokio::task::spawn_blocking(churn).await.unwrap();
    for round in 1..=3usize {
        let stored = (0..8u8).map(|key| {
            tokio::spawn(async move {
                let mut stream = TcpStream::connect("store:6000").await.unwrap();
                stream.write_all(&vec![key; round * 10_000]).await.unwrap();
                stream.shutdown().await.unwrap();
                let mut before = Vec::new();
                stream.read_to_end(&mut before).await.unwrap();
                assert!(before.iter().all(|byte| *byte == key));
                before.len()
            })
        });
        let mut total = 0;
        for stored in stored.collect::<Vec<_>>() {
            total += stored.await.unwrap();
        }
        println!("{total}");
    }
}

#[bizarro::test]
fn a_store_and_its_clients(world: &mut World) {
    world.host("store").program(store);
    world.host("client").workload(client);
    world.host("alone").workload(churn);
    let churned = &["62914500", "80 499999500000"];
    prints(world, "alone", churned);
    let lines = &["62914500", "80 499999500000", "0", "80000", "160000"];
    prints(world, "client", lines);
}

/// What a closure captured can be read and overwritten on its host, and no other sees it. (To grow or free
/// it is for the allocator that made it, the test's; the one of a host starts afresh.)
#[bizarro::test]
fn captured_data(world: &mut World) {
    let words = Arc::new(Mutex::new((vec![1u64; 100_000], "captured".to_string())));
    for host in ["one", "two"] {
        let words = words.clone();
        world.host(host).workload(move || {
            let (numbers, text) = &mut *words.lock().unwrap();
            numbers.iter_mut().step_by(500).for_each(|number| *number += 1);
            text.make_ascii_uppercase();
            thread::sleep(millis(1));
            println!("{text} {}", numbers.iter().sum::<u64>());
        });
        prints(world, host, &["CAPTURED 100200"]);
    }
}

/// Answers with as many bytes as it is asked for.
fn filler() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("0.0.0.0:6001").unwrap();
    for mut stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            let length = u32::from_be_bytes(length).min(1 << 20);
            stream.write_all(&vec![7; length as usize])
        });
    }
}

/// Asks until it has got everything.
fn filled() {
    use std::io::{Read, Write};
    let got = |length: u32| {
        let mut stream = std::net::TcpStream::connect("filler:6001")?;
        stream.set_read_timeout(Some(secs(1)))?;
        stream.write_all(&length.to_be_bytes())?;
        stream.read_exact(&mut vec![0; length as usize])
    };
    for length in [100, 100_000] {
        while got(length).is_err() {
            thread::sleep(millis(100));
        }
    }
    println!("filled");
}

/// Every fault of the matrix, crashes among them: a host that starts again starts with an empty heap.
#[bizarro::test]
fn crashes(world: &mut World) {
    world.host("filler").program(filler);
    world.host("client").workload(filled);
    world.check("the client gets everything", |run| {
        let last = run.output("client").last().map(|line| line.to_string());
        if last.as_deref() == Some("filled") { Ok(()) } else { Err(format!("{last:?}")) }
    });
    world.explore(Explore::everything().seeds(2));
}
