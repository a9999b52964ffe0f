//! Worlds that are described, run and judged, end to end; they hold, but for one that has to break.

#![expect(
    clippy::disallowed_methods,
    reason = "guests may ask for the time: it is the simulated one"
)]

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bizarro::prelude::*;

static STARTS: AtomicU64 = AtomicU64::new(0);

fn says(run: &Run<'_>, host: &str, expected: &[&str]) -> Result<(), String> {
    let said = run.output(host);
    if said == expected { Ok(()) } else { Err(format!("{host} said {said:?}")) }
}

/// Answers four bytes with the same. Each connection has a thread of its own: one whose other end has
/// fallen silent stops nobody else.
fn echo() {
    let listener = TcpListener::bind("0.0.0.0:7").unwrap();
    for mut stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let mut bytes = [0; 4];
            while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&bytes).is_ok() {}
        });
    }
}

/// Asks until it is answered.
fn ask(server: &str) -> [u8; 4] {
    let once = || {
        let mut stream = TcpStream::connect((server, 7))?;
        stream.set_read_timeout(Some(secs(1)))?;
        stream.write_all(b"ping")?;
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    loop {
        match once() {
            Ok(bytes) => return bytes,
            Err(_) => std::thread::sleep(millis(100)),
        }
    }
}

#[bizarro::test]
fn a_careful_client_survives_every_fault(world: &mut World) {
    world.host("server").program(echo);
    world.host("client").workload(|| {
        for _ in 0..3 {
            ask("server");
        }
        println!("answered");
    });
    world.links().latency(millis(1)..=millis(3));
    world.eventually("the client is answered", secs(90));
    world.explore(Explore::everything().seeds(4));
}

#[bizarro::test]
fn a_model_says_what_there_is_to_survive(world: &mut World) {
    world.host("server").program(echo);
    world.host("client").workload(|| {
        // Not careful at all: the server may not be there yet, and that is all there is to fear.
        let connect = || TcpStream::connect(("server", 7));
        let mut stream = std::iter::repeat_with(connect).find_map(Result::ok).unwrap();
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
    });
    world.model(Network::Reliable, Nodes::CrashStop, Timing::Synchronous);
    world.check("no fault strikes", |run| match run.faults()[..] {
        [] => Ok(()),
        ref struck => Err(format!("{struck:?}")),
    });
    world.explore(Explore::everything().seeds(0));
}

#[bizarro::test]
fn a_program_starts_like_a_new_process(world: &mut World) {
    let shared = std::sync::Arc::new(AtomicU64::new(0));
    for name in ["one", "two"] {
        let shared = shared.clone();
        world.host(name).workload(move || {
            let starts = STARTS.fetch_add(1, Ordering::SeqCst);
            let captured = shared.fetch_add(1, Ordering::SeqCst);
            let inherited = std::env::vars().filter(|(name, _)| name.contains("BIZARRO"));
            println!("{starts} {captured} {}", inherited.count());
        });
    }
    STARTS.store(7, Ordering::SeqCst);
    world.check("statics are fresh, captures are copies, nothing is inherited", |run| {
        says(run, "one", &["0 0 0"]).and_then(|()| says(run, "two", &["0 0 0"]))
    });
    world.explore(Explore::everything().seeds(2));
}

#[bizarro::test]
fn a_host_is_as_it_was_described(world: &mut World) {
    world
        .host("one")
        .address("10.1.2.3")
        .cpus(3)
        .env("GREETING", "hello")
        .file("/etc/app/name.txt", "Ada")
        .mount(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ui"), "/ui")
        .clock_ahead(secs(100))
        .workload(|| {
            let name = std::fs::read_to_string("/etc/app/name.txt").unwrap();
            println!("{} {name}", std::env::var("GREETING").unwrap());
            println!("{}", std::thread::available_parallelism().unwrap());
            println!("{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
            println!("{}", std::fs::read_to_string("/ui/no_argument.rs").unwrap().lines().count());
            let listener = TcpListener::bind("one:80").unwrap();
            println!("{}", listener.local_addr().unwrap());
        });
    world.host("two").workload(|| {
        println!("{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    });
    world.starts_at(UNIX_EPOCH + secs(1_000_000_000));
    world.check("what it sees is what was said", |run| {
        says(run, "one", &["hello Ada", "3", "1000000100", "4", "10.1.2.3:80"])
            .and_then(|()| says(run, "two", &["1000000000"]))
    });
    world.explore(Explore::baseline_only());
}

#[bizarro::test]
fn what_a_main_may_return_a_program_may_return(world: &mut World) {
    world.host("nothing").workload(|| ());
    world.host("code").workload(|| ExitCode::SUCCESS);
    world.host("result").workload(|| Ok::<(), String>(()));
    world.host("last-words").workload(|| print!("no newline"));
    world.check("buffered output is written at the end", |run| {
        says(run, "last-words", &["no newline"])
    });
    world.explore(Explore::baseline_only());
}

#[bizarro::test]
fn what_programs_assert_is_seen(world: &mut World) {
    world.host("one").workload(|| {
        for n in 0..10 {
            bizarro::always!(n < 10, "n is small", "{n}");
            bizarro::sometimes!(n == 7, "n is seven");
        }
        bizarro::reachable!("the end");
        if STARTS.load(Ordering::SeqCst) == 1 {
            bizarro::unreachable!("nobody starts twice");
        }
    });
    world.check("they are counted", |run| {
        let seen: Vec<_> = run
            .record()
            .properties
            .iter()
            .map(|p| (p.name.as_str(), p.passes, p.failures))
            .collect();
        let expected = [("n is seven", 1, 9), ("n is small", 10, 0), ("the end", 1, 0)];
        if seen == expected { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    world.explore(Explore::baseline_only());
}

#[bizarro::test]
fn a_history_tells_what_was_asked_and_what_came_of_it(world: &mut World) {
    let history = world.history("bank");
    world.host("teller").workload(move || {
        history.invoke(("withdraw", 5)).ok("left");
        history.invoke(("withdraw", 6)).fail();
        history.invoke(("withdraw", 7)).unknown();
        drop(history.invoke(("withdraw", 8)));
    });
    world.check("every operation is there", |run| {
        let told: Vec<_> = run
            .history("bank")
            .iter()
            .map(|op| {
                let (_, amount) = op.value::<(String, u32)>().unwrap();
                format!("{} {amount} {:?} {:?}", op.host, op.outcome, op.result::<String>().ok())
            })
            .collect();
        let expected = [
            "teller 5 Ok Some(\"left\")",
            "teller 6 Fail None",
            "teller 7 Unknown None",
            "teller 8 Unknown None",
        ];
        if told == expected { Ok(()) } else { Err(format!("{told:?}")) }
    });
    world.explore(Explore::baseline_only());
}

#[bizarro::test]
fn time_is_virtual(world: &mut World) {
    world.host("sleeper").workload(|| {
        let start = std::time::Instant::now();
        std::thread::sleep(secs(3600));
        println!("{}", start.elapsed().as_secs());
    });
    world.deadline(secs(4000));
    world.check("an hour passes", |run| says(run, "sleeper", &["3600"]));
    world.explore(Explore::everything().seeds(1));
}

thread_local! {
    static LOCAL: Cell<u32> = const { Cell::new(1) };
}

#[bizarro::test]
fn threads_are_tasks_of_their_host(world: &mut World) {
    world.host("one").workload(|| {
        LOCAL.set(5);
        let sum = std::sync::Mutex::new(0);
        std::thread::scope(|scope| {
            for n in 0..8 {
                let sum = &sum;
                scope.spawn(move || *sum.lock().unwrap() += n * LOCAL.get());
            }
        });
        println!("{}", sum.into_inner().unwrap());
    });
    world.check("they have locals of their own", |run| says(run, "one", &["28"]));
    world.explore(Explore::everything().seeds(8));
}

/// The order of a map that a closure holds depends on random keys, which are the same in every world process.
#[bizarro::test]
#[expect(clippy::disallowed_types, reason = "its random order is what is looked at")]
fn what_a_closure_holds_is_the_same_every_time(world: &mut World) {
    let map: std::collections::HashMap<u32, u32> = (0..100).map(|n| (n, n * n)).collect();
    world.host("one").workload(move || println!("{map:?}"));
    world.explore(Explore::baseline_only());
}

/// Without a matrix, too, what has to break may break in the baseline.
#[bizarro::test]
fn a_baseline_that_has_to_break_breaks(world: &mut World) {
    world.host("one").workload(|| println!("nothing"));
    world.check("it says hello", |run| says(run, "one", &["hello"]));
    world.explore(Explore::baseline_only());
    world.must_break(&["it says hello"]);
}
