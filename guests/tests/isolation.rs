//! Hosts share an address space and see nothing of it: statics, thread-locals, environment, captured data.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use bizarro::prelude::*;
use guests::prints;

static COUNTER: AtomicU32 = AtomicU32::new(100);
static LARGE: Mutex<[u64; 4096]> = Mutex::new([0; 4096]);
static NAME: OnceLock<String> = OnceLock::new();
static MUTABLE: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: Cell<u32> = const { Cell::new(5) };
}

/// Changes every kind of global state, in turns with the other host.
fn changes() {
    let name = std::env::var("NAME").unwrap();
    NAME.set(name.clone()).unwrap();
    for round in 0..50u32 {
        COUNTER.fetch_add(1, Ordering::SeqCst);
        LARGE.lock().unwrap()[round as usize * 80] += 1;
        MUTABLE.lock().unwrap().push(format!("{name}{round}"));
        OWN.set(OWN.get() + 1);
        // SAFETY: the host has one thread.
        unsafe { std::env::set_var("ROUND", round.to_string()) };
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(std::env::var("ROUND").unwrap(), round.to_string());
    }
    let all_mine = MUTABLE.lock().unwrap().iter().all(|entry| entry.starts_with(&name));
    let sum: u64 = LARGE.lock().unwrap().iter().sum();
    println!(
        "{} {sum} {} {} {all_mine}",
        COUNTER.load(Ordering::SeqCst),
        OWN.get(),
        NAME.get().unwrap()
    );
}

#[bizarro::test]
fn statics(world: &mut World) {
    COUNTER.fetch_add(1, Ordering::SeqCst);
    NAME.set("the test's own".to_string()).unwrap();
    world.host("a").env("NAME", "a").workload(changes);
    world.host("b").env("NAME", "b").workload(changes);
    prints(world, "a", &["150 50 55 a true"]);
    prints(world, "b", &["150 50 55 b true"]);
}

/// The windows of so many hosts lie close to the program and its libraries; each is torn down when its host ends.
#[bizarro::test]
fn as_many_hosts_as_there_may_be(world: &mut World) {
    for host in 0..256 {
        world.host(&format!("host-{host}")).workload(move || {
            COUNTER.fetch_add(host, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
            println!("{}", COUNTER.load(Ordering::SeqCst));
        });
    }
    prints(world, "host-0", &["100"]);
    prints(world, "host-85", &["185"]);
    prints(world, "host-255", &["355"]);
}

/// Takes memory until there is none.
fn hoards() {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    let error = loop {
        let mut block = Vec::new();
        match block.try_reserve_exact(1 << 20) {
            Ok(()) => hoard.push(block),
            Err(error) => break error,
        }
    };
    println!("{} {error}", (50..=64).contains(&hoard.len()));
    drop(hoard);
    println!("{}", Vec::<u8>::new().try_reserve_exact(40 << 20).is_ok());
}

#[bizarro::test]
fn memory_limit(world: &mut World) {
    world.host("small").memory(64 << 20).workload(hoards);
    world.host("large").workload(|| {
        println!("{}", Vec::<u8>::new().try_reserve_exact(512 << 20).is_ok());
        println!("{}", Vec::<u8>::new().try_reserve_exact(2 << 30).is_ok());
    });
    let lines =
        &["true memory allocation failed because the memory allocator returned an error", "true"];
    prints(world, "small", lines);
    prints(world, "large", &["true", "false"]);
}

/// Grows and frees what it captured: its own copy, with the system's allocator.
#[bizarro::test]
fn captures(world: &mut World) {
    let words = std::sync::Arc::new(Mutex::new(vec!["captured".to_string(); 3]));
    for host in ["one", "two"] {
        let words = words.clone();
        world.host(host).workload(move || {
            let mut words = words.lock().unwrap();
            words[1] = "replaced ".repeat(20).trim().to_string();
            words.extend((0..100).map(|number| number.to_string()));
            println!("{} {} {}", words[0], words[1].len(), words.len());
        });
        prints(world, host, &["captured 179 103"]);
    }
}

/// A service that may be started once in a process, and counts its starts on its disk.
fn restartable(captured: &AtomicU32) {
    NAME.set("set once".to_string()).unwrap();
    // SAFETY: the host has one thread so far.
    let before = unsafe {
        let before = std::env::var("LEFT_BEHIND");
        std::env::set_var("LEFT_BEHIND", "yes");
        before
    };
    OWN.set(OWN.get() + 1);
    let counts = (COUNTER.fetch_add(1, Ordering::SeqCst), captured.fetch_add(1, Ordering::SeqCst));
    let starts = std::fs::read("/var/starts").map_or(0, |starts| starts.len()) + 1;
    std::fs::write("/var/starts", vec![b'x'; starts]).unwrap();
    bizarro::sometimes!(starts == 2, "a host is started again after a crash");
    println!("{counts:?} {} {} {}", OWN.get(), before.is_err(), std::env::var("NAME").unwrap());
    let listener = std::net::TcpListener::bind("0.0.0.0:80").unwrap();
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
    }
}

/// Asks until it is answered.
fn asks() {
    use std::io::{Read, Write};
    let once = || {
        let mut stream = std::net::TcpStream::connect("service:80")?;
        stream.set_read_timeout(Some(secs(1)))?;
        stream.write_all(b"ping")?;
        stream.read_exact(&mut [0; 4])
    };
    for _ in 0..3 {
        while once().is_err() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Every crash of the matrix: each start finds a fresh process image, and the same disk.
#[bizarro::test]
fn restarts(world: &mut World) {
    let captured = AtomicU32::new(7);
    world.host("service").env("NAME", "service").program(move || restartable(&captured));
    world.host("client").workload(asks);
    world.check("every start is a first one", |run| {
        let output = run.output("service");
        let fresh = output.iter().all(|line| *line == "(100, 7) 6 true service");
        if fresh && !output.is_empty() { Ok(()) } else { Err(format!("{output:?}")) }
    });
    world.explore(Explore::everything().seeds(2));
}
