//! A service that is killed at a system call of its first few hundreds, and started again, over and over in one run: what
//! that costs, and whether anything is left of its lives.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use bizarro::prelude::*;
use bizarro::{Event, Lab, Memory, RunRecord};

/// The system calls of a life, at most: it takes about half as many until the service answers.
const CALLS: u32 = 600;

/// Answers, and writes down that it did.
#[tokio::main]
async fn serve() {
    let answer = || async {
        let count = fs::read("/count").map_or(1, |count| count.len() % 1000 + 1);
        fs::write("/new", vec![b'x'; count]).unwrap();
        fs::rename("/new", "/count").unwrap();
        format!("{count}")
    };
    let listener = tokio::net::TcpListener::bind("0.0.0.0:80").await.unwrap();
    axum::serve(listener, Router::new().route("/", get(answer))).await.unwrap();
}

/// Asks the service all the time, for so many seconds, and takes what comes.
fn ask(seconds: u64) {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    let begun = Instant::now();
    let mut answers = 0;
    while begun.elapsed() < secs(seconds) {
        let mut once = || -> std::io::Result<()> {
            let mut stream = TcpStream::connect("service:80")?;
            stream.set_read_timeout(Some(millis(200)))?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: service\r\nconnection: close\r\n\r\n")?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            answers += u64::from(text.starts_with("HTTP/1.1 200"));
            Ok(())
        };
        // Whatever went wrong: the service is away, or went away.
        let _ = once();
        thread::sleep(millis(50));
    }
    println!("{}", answers > 0);
}

/// Two hosts that have nothing to do with the service, and what one heard of the other.
fn bystander(seconds: u64) {
    let socket = std::net::UdpSocket::bind("0.0.0.0:9").unwrap();
    thread::sleep(millis(10));
    socket.connect(("echo", 9)).unwrap();
    let mut heard = 0u64;
    for number in 0..seconds / 10 {
        socket.send(&number.to_le_bytes()).unwrap();
        let mut answer = [0; 8];
        socket.recv(&mut answer).unwrap();
        heard = heard.wrapping_mul(31).wrapping_add(u64::from_le_bytes(answer));
        thread::sleep(secs(10));
    }
    println!("{heard}");
}

fn echo() {
    let socket = std::net::UdpSocket::bind("0.0.0.0:9").unwrap();
    let mut number = [0; 8];
    loop {
        let (_, from) = socket.recv_from(&mut number).unwrap();
        socket.send_to(&number, from).unwrap();
    }
}

/// A world in which the service is asked for so many virtual seconds.
fn describe(world: &mut World, seconds: u64) {
    world.deadline(secs(seconds + 100));
    world.host("service").program(serve);
    world.host("client").workload(move || ask(seconds));
    world.host("bystander").workload(move || bystander(seconds));
    world.host("echo").program(echo);
}

/// A life takes a second to begin and a moment to end.
const SECONDS: u64 = 14_000;
/// Of the run that is compared with.
const FEWER_SECONDS: u64 = SECONDS / 10;

/// A world of [`measure`].
pub(crate) fn thousand(world: &mut World) {
    describe(world, FEWER_SECONDS);
}

/// The other one.
pub(crate) fn ten_thousand(world: &mut World) {
    describe(world, SECONDS);
}

/// What a run of many lives left behind.
struct Lives {
    count: usize,
    memory: Memory,
    record: RunRecord,
}

fn live(lab: &mut Lab, seconds: u64) -> Lives {
    let plan = format!("at 1s for {seconds}s: crash-at-calls service {CALLS}");
    let record = lab.run(&plan.parse().expect("a plan")).expect("a run");
    Lives { count: lives(&record), memory: lab.memory(), record }
}

/// Makes a run of a thousand lives and one of ten thousand, and says what they cost.
pub(crate) fn measure(fewer: &mut Lab, more: &mut Lab) -> String {
    let fewer = live(fewer, FEWER_SECONDS);
    let begun = Instant::now();
    let done = AtomicBool::new(false);
    let (lived, resident) = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut seen = Vec::new();
            while !done.load(Ordering::Relaxed) {
                seen.push(memory_of_children());
                thread::sleep(Duration::from_millis(20));
            }
            seen
        });
        let lived = live(more, SECONDS);
        done.store(true, Ordering::Relaxed);
        (lived, watch.join().expect("nothing panics there"))
    });
    let took = begun.elapsed();
    let quiet = more.run(&"baseline".parse().expect("a plan")).expect("a run");
    let same = printed(&lived.record, 2) == printed(&quiet, 2);
    // The beginning and the end of the process are not what is looked for.
    let part = |from: usize, to: usize| {
        let part = &resident[resident.len() * from / 10..resident.len() * to / 10];
        part.iter().copied().max().unwrap_or(0) / 1024
    };
    let held = |lived: &Lives| {
        format!(
            "the record of {} lives holds {} KiB, everything else of the simulator {} KiB",
            lived.count,
            lived.memory.record / 1024,
            lived.memory.rest / 1024
        )
    };
    let grown = |of: fn(&Memory) -> u64| {
        let bytes = of(&lived.memory) as f64 - of(&fewer.memory) as f64;
        bytes / (lived.count - fewer.count) as f64
    };
    format!(
        "{} lives in {:.1} s, {:.2} ms each; the others saw {}\n  {}\n  {}\n  a life adds {:.0} bytes to the record and {:.1} \
         to everything else\n  resident memory of all processes is at most {} KiB in the second tenth, {} KiB in the ninth",
        lived.count,
        took.as_secs_f64(),
        took.as_secs_f64() * 1e3 / lived.count as f64,
        if same { "the same as without" } else { "something else than without" },
        held(&fewer),
        held(&lived),
        grown(|memory| memory.record),
        grown(|memory| memory.rest),
        part(1, 2),
        part(8, 9),
    )
}

fn lives(record: &RunRecord) -> usize {
    record.events.iter().filter(|stamped| matches!(stamped.event, Event::Crashed)).count()
}

fn printed(record: &RunRecord, host: u16) -> Vec<&str> {
    let its = record.events.iter().filter(|stamped| stamped.host == host);
    its.filter_map(|stamped| match &stamped.event {
        Event::Output { line, .. } => Some(line.as_str()),
        _ => None,
    })
    .collect()
}

/// Bytes of memory that the processes below this one have, all together (proc_pid_statm(5), without what is shared).
fn memory_of_children() -> u64 {
    let mut family = vec![std::process::id().to_string()];
    let mut bytes = 0;
    let processes: Vec<(String, String)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().into_string().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let parent = stat.rsplit_once(')')?.1.split(' ').nth(2)?.to_string();
            Some((pid, parent))
        })
        .collect();
    let mut next = 0;
    while let Some(parent) = family.get(next).cloned() {
        next += 1;
        let below = processes.iter().filter(|(_, of)| *of == parent);
        family.extend(below.map(|(pid, _)| pid.clone()));
    }
    for pid in &family[1..] {
        let Ok(statm) = fs::read_to_string(format!("/proc/{pid}/statm")) else { continue };
        let pages: Vec<u64> =
            statm.split(' ').filter_map(|word| word.trim().parse().ok()).collect();
        bytes += pages.get(1).zip(pages.get(2)).map_or(0, |(all, shared)| (all - shared) * 4096);
    }
    bytes
}
