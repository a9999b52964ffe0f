//! A world is sealed: whichever way a program asks for a file, a port or the time, it gets the simulated one.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fs, thread};

use bizarro::prelude::*;
use guests::prints;

/// 2026-01-01 00:00:00 UTC, when every world starts.
const START: Duration = Duration::from_secs(1_767_225_600);

fn clocks() {
    let (wall, steady) = (SystemTime::now(), Instant::now());
    println!("{}", wall.duration_since(UNIX_EPOCH).unwrap().as_secs() == START.as_secs());
    // SAFETY: the instruction is on every x86_64 processor.
    let stamp = unsafe { core::arch::x86_64::_rdtsc() };
    let raw = raw_clock();
    thread::sleep(Duration::from_secs(86_400));
    println!("{} s", steady.elapsed().as_secs());
    println!("{} s", wall.elapsed().unwrap().as_secs());
    println!("{} s", raw_clock() - raw);
    // SAFETY: as above.
    let later = unsafe { core::arch::x86_64::_rdtsc() };
    println!("{} s", (later - stamp) / 1_000_000_000);
    let mut auxiliary = 0;
    // SAFETY: as above; the word is ours.
    let last = unsafe { core::arch::x86_64::__rdtscp(&raw mut auxiliary) };
    println!("{} on CPU {auxiliary}", last - later < 1_000_000);
    // SAFETY: time(2) with a null pointer only returns.
    println!("{}", unsafe { libc::time(std::ptr::null_mut()) } as u64 - START.as_secs());
}

/// CLOCK_REALTIME by an instruction of this program's own, past the C library and the vDSO; in seconds.
fn raw_clock() -> i64 {
    let mut time = [0i64; 2];
    // SAFETY: clock_gettime(2) writes two words; the instruction spoils rcx and r11.
    unsafe {
        core::arch::asm!(
            "syscall",
            inout("rax") libc::SYS_clock_gettime => _,
            in("rdi") libc::CLOCK_REALTIME,
            in("rsi") &raw mut time,
            out("rcx") _,
            out("r11") _,
        );
    }
    time[0]
}

#[bizarro::test]
fn time(world: &mut World) {
    world.host("one").workload(clocks);
    world.deadline(secs(100_000));
    const DAY: &str = "86400 s";
    prints(world, "one", &["true", DAY, DAY, DAY, DAY, "true on CPU 0", "86400"]);
}

fn files() {
    // A directory that every machine has, and this file, which only the one has that compiled it.
    println!("{:?}", fs::read_to_string(file!()).unwrap_err().kind());
    println!("{:?}", fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap_err().kind());
    println!("{}", fs::read_to_string("/etc/hostname").unwrap().trim());
    println!("{}", fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim());
    println!("{}", fs::read_to_string("/proc/cpuinfo").unwrap().matches("processor\t").count());
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let processes: Vec<u32> =
        processes.filter_map(|name| name.to_string_lossy().parse().ok()).collect();
    println!("{}", processes == [std::process::id()]);
    fs::write("/tmp/sealed-in-a-world", "x").unwrap();
}

#[bizarro::test]
fn paths(world: &mut World) {
    world.host("alpha").cpus(3).workload(files);
    prints(world, "alpha", &["NotFound", "NotFound", "alpha", "alpha", "3", "true"]);
    world.check("the real /tmp is untouched", |_| match fs::exists("/tmp/sealed-in-a-world") {
        Ok(false) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

fn sockets(port: u16) {
    let error = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    println!("{}", error.kind() == ErrorKind::ConnectionRefused);
    let outside = "192.0.2.1:80".parse().unwrap();
    let start = Instant::now();
    let error = TcpStream::connect_timeout(&outside, Duration::from_secs(20)).unwrap_err();
    println!("{:?} after {} s", error.kind(), start.elapsed().as_secs());
    println!("{}", TcpStream::connect("www.rust-lang.org:443").is_err());
}

#[bizarro::test]
fn network(world: &mut World) {
    // A real port that is open while the world runs. The program is given a fixed one: a description is made
    // twice and must be the same. Another process may have the port: then it is open all the same.
    const PORT: u16 = 47_321;
    let listener = std::net::TcpListener::bind(("127.0.0.1", PORT));
    std::mem::forget(listener);
    world.host("one").workload(|| sockets(PORT));
    world.explore(Explore::baseline_only());
    world.check("no way out", |run| {
        let output = run.output("one");
        let inside = output.first() == Some(&"true") && output.last() == Some(&"true");
        if inside && output.len() == 3 { Ok(()) } else { Err(format!("{output:?}")) }
    });
}
