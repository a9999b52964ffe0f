//! Machines that refuse something. Where a run can be made all the same, it is the same run as everywhere; where it
//! cannot, the test says what is missing.
//!
//! Each test starts itself once more under a filter of system calls (seccomp(2)), as container engines and
//! service managers install them, and looks at what that says.

use std::process::Stdio;
use std::time::{Instant, SystemTime};

use bizarro::prelude::*;
use seccomp::Refused;

#[path = "machine/seccomp.rs"]
mod seccomp;

/// Set for the process that is looked at.
const INNER: &str = "MACHINE_INNER";
/// Its value where something is refused.
const FILTERED: &str = "filtered";

/// Asks for the time in every way that a program has, with virtual seconds between.
fn clocks() {
    let start = Instant::now();
    for _ in 0..3 {
        std::thread::sleep(secs(10));
        // SAFETY: time(2) and gettimeofday(2) write to what they are given, or to nothing.
        let (time, day) = unsafe {
            let mut day = std::mem::zeroed::<libc::timeval>();
            libc::gettimeofday(&raw mut day, std::ptr::null_mut());
            (libc::time(std::ptr::null_mut()), day.tv_sec)
        };
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        println!("{:?} {} {time} {day}", start.elapsed(), since_1970.as_nanos());
    }
}

fn describe(world: &mut World) {
    world.host("server").program(|| {
        let listener = std::net::TcpListener::bind("0.0.0.0:7").unwrap();
        for stream in listener.incoming() {
            std::io::Write::write_all(&mut stream.unwrap(), b"hello").unwrap();
        }
    });
    world.host("client").workload(|| {
        clocks();
        let stream = std::net::TcpStream::connect("server:7").unwrap();
        println!("{}", std::io::read_to_string(stream).unwrap());
        let worker = std::thread::spawn(clocks);
        worker.join().unwrap();
    });
    world.explore(Explore::everything().seeds(4));
}

/// How much of the world is explored.
#[derive(Clone, Copy, PartialEq)]
enum Runs {
    One,
    Many,
}

/// What the test of this name says on a machine that refuses this, with the exit code; `None` in the process that
/// is looked at, and in its worlds.
fn look_at(name: &str, refused: &[Refused], runs: Runs) -> Option<(String, i32)> {
    if bizarro::__private::in_world() || std::env::var_os(INNER).is_some() {
        if std::env::var(INNER).as_deref() == Ok(FILTERED) {
            refused.iter().for_each(|refused| refused.assert_in_force());
        }
        // Put together here, so that no binary holds the marker twice.
        let marker = format!("{}machine::{name}\u{1}", bizarro::supervisor::MARKER);
        bizarro::__private::test(marker.leak(), describe);
        return None;
    }
    let mut command = seccomp::under(refused);
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INNER, if refused.is_empty() { "free" } else { FILTERED })
        .env("BIZARRO_DRIVEN", "run")
        .envs((runs == Runs::One).then_some(("BIZARRO_PLAN", "baseline")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The pipe stays open: its end would mean that the driver wants to stop.
    let _open = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some((text, output.status.code().unwrap_or(-1)))
}

/// Everything from the fingerprint on is the same as on a machine that refuses nothing.
#[track_caller]
fn check_same(name: &str, refused: &[Refused]) {
    let is_inner = std::env::var(INNER).is_ok();
    let Some((usual, code)) = look_at(name, if is_inner { refused } else { &[] }, Runs::One) else {
        return;
    };
    assert_eq!(code, 0, "{usual}");
    assert!(usual.contains("fingerprint "), "{usual}");
    // A virtual minute after the world began, which is 2026-01-01.
    assert!(usual.contains(" 1767225660"), "{usual}");
    let Some((there, code)) = look_at(name, refused, Runs::One) else { return };
    assert_eq!(code, 0, "{there}");
    assert_eq!(there, usual);
}

#[test]
fn without_fixed_addresses() {
    check_same("without_fixed_addresses", &[Refused::FixedAddresses]);
}

#[test]
fn with_a_sealed_vdso() {
    check_same("with_a_sealed_vdso", &[Refused::WritableCode]);
}

#[test]
fn with_a_sealed_vdso_at_a_random_address() {
    let refused = [Refused::WritableCode, Refused::FixedAddresses];
    check_same("with_a_sealed_vdso_at_a_random_address", &refused);
}

#[test]
fn without_system_call_dispatch() {
    let refused = [Refused::Dispatch];
    let Some((text, code)) = look_at("without_system_call_dispatch", &refused, Runs::One) else {
        return;
    };
    assert_eq!(code, 2, "{text}");
    for part in ["error: this machine cannot run a world", "(Syscall User Dispatch): prctl("] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

/// The pages of a run's hosts are given back, and the next run's are new.
#[test]
fn without_page_scans() {
    let name = "without_page_scans";
    let Some((text, code)) = look_at(name, &[Refused::PageScans], Runs::Many) else { return };
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("all held"), "{text}");
}
