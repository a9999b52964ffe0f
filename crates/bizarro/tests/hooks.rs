//! Hooks are for speed only: without them every system call is trapped, and the run is the same.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the guest is an ordinary program"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Instant, SystemTime};

use bizarro::prelude::*;

/// Uses what is hooked: sockets, reads and writes, polling, clocks, threads, randomness, files.
fn client() -> std::io::Result<()> {
    let started = Instant::now();
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..3u8)
        .map(|number| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect("server:80")?;
                stream.set_read_timeout(Some(secs(5)))?;
                let mut bytes = [0; 8];
                for round in 0..10 {
                    stream.write_all(&[number, round, 0, 0, 0, 0, 0, 0])?;
                    stream.read_exact(&mut bytes)?;
                }
                let _ = sender.send(bytes);
                std::io::Result::Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread panics")?;
    }
    drop(sender);
    let datagram = UdpSocket::bind("127.0.0.1:0")?;
    datagram.send_to(b"to myself", datagram.local_addr()?)?;
    datagram.recv(&mut [0; 16])?;
    let seen: std::collections::HashMap<_, _> =
        receiver.iter().map(|bytes: [u8; 8]| (bytes[0], bytes[1])).collect();
    std::fs::write("/tmp/seen", format!("{seen:?}"))?;
    println!("{seen:?} after {:?} at {:?}", started.elapsed(), SystemTime::now());
    Ok(())
}

fn server() -> std::io::Result<()> {
    for stream in TcpListener::bind("0.0.0.0:80")?.incoming() {
        let mut stream = stream?;
        std::thread::spawn(move || {
            let mut bytes = [0; 8];
            while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&bytes).is_ok() {}
        });
    }
    Ok(())
}

#[bizarro::test]
fn much_is_asked(world: &mut World) {
    world.host("server").program(server);
    world.host("client").workload(|| {
        std::thread::sleep(millis(1));
        client()
    });
    world.explore(Explore::baseline_only());
}

/// The fingerprint of a run of [`much_is_asked`], with hooks or without.
fn fingerprint(plan: &str, hooks: &str) -> String {
    let output = Command::new(std::env::current_exe().expect("this is a file"))
        .args(["much_is_asked", "--exact", "--nocapture"])
        .envs([("BIZARRO_PLAN", plan), ("BIZARRO_HOOKS", hooks)])
        .output()
        .expect("this binary can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    let line = text.lines().find(|line| line.starts_with("fingerprint "));
    line.unwrap_or_else(|| panic!("no fingerprint in:\n{text}")).to_string()
}

#[test]
fn without_hooks_the_run_is_the_same() {
    for plan in ["baseline", "seed=3; random", "seed=4; random"] {
        let (with, without) = (fingerprint(plan, "1"), fingerprint(plan, "0"));
        assert_eq!(with, without, "{plan}");
    }
}
