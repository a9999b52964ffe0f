//! A program that the processor itself stops: the verdict says which host and task, when, and where in the
//! program.
//!
//! The test starts itself once more, as `cargo bizarro` would, and looks at what that says.

use std::process::{Command, Stdio};

use bizarro::prelude::*;

/// Set for the process that is looked at.
const INNER: &str = "CRASH_INNER";

#[inline(never)]
fn write_to(address: *mut u32) {
    // SAFETY: there is no reason: this is the mistake that the test is about.
    unsafe { address.write_volatile(1) };
}

fn describe(world: &mut World) {
    world.host("idle").program(std::thread::park);
    world.host("board").workload(|| {
        let worker = std::thread::Builder::new().name("worker".into());
        let worker = worker.spawn(|| write_to(std::hint::black_box(std::ptr::null_mut()))).unwrap();
        worker.join().unwrap();
    });
    world.explore(Explore::baseline_only());
}

#[test]
fn writes_to_nowhere() {
    if bizarro::__private::in_world() || std::env::var_os(INNER).is_some() {
        // Put together here, so that no binary holds the marker of a broken test.
        let marker = format!("{}crash::writes_to_nowhere\u{1}", bizarro::supervisor::MARKER);
        bizarro::__private::test(marker.leak(), describe);
        return;
    }
    let mut child = Command::new("/proc/self/exe")
        .args(["writes_to_nowhere", "--exact", "--nocapture", "--test-threads=1"])
        .envs([(INNER, "1"), ("BIZARRO_DRIVEN", "run"), ("BIZARRO_REGRESSIONS", "0")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The pipe stays open: its end would mean that the driver wants to stop.
    let _open = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for part in [
        "✗ no crash by a signal, at 0.0",
        " s, on board, task 101",
        "killed by SIGSEGV",
        "crash::write_to at ",
        "guests/tests/crash.rs:",
        "crash::describe::{{closure}}",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    let last = text.trim_end().lines().last().map(str::trim);
    assert_eq!(last, Some("cargo bizarro replay crash::writes_to_nowhere baseline"), "{text}");
}
