//! Programs that know nothing of Bizarro, run by `cargo bizarro exec`.

mod common;

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

fn bizarro(arguments: &[&str]) -> Output {
    common::bizarro(Path::new("."), arguments)
}

#[track_caller]
fn check(arguments: &[&str], code: i32, stdout: &str, stderr: &str) {
    common::check(Path::new("."), arguments, code, stdout, stderr);
}

#[test]
fn a_program_writes_through() {
    check(&["exec", "--", "echo", "hello"], 0, "hello\n", "");
    check(&["exec", "--env", "A=b", "--", "sh", "-c", "echo $A >&2"], 0, "", "b\n");
}

#[test]
fn a_program_sees_the_simulated_machine() {
    check(&["exec", "--", "date", "-u", "+%F"], 0, "2026-01-01\n", "");
    check(
        &["exec", "--", "sh", "-c", "echo /etc/cargo*; cd /etc; pwd"],
        0,
        "/etc/cargo*\n/etc\n",
        "",
    );
    let here = concat!(env!("CARGO_TARGET_TMPDIR"), "/mounted");
    std::fs::create_dir_all(here).unwrap();
    std::fs::write(format!("{here}/file"), "content\n").unwrap();
    check(&["exec", "--mount", here, "--", "ls", here], 0, "file\n", "");
    let elsewhere = format!("{here}:/mnt");
    check(&["exec", "--mount", &elsewhere, "--", "cat", "/mnt/file"], 0, "content\n", "");
}

#[test]
fn time_is_virtual() {
    let start = Instant::now();
    check(&["exec", "--", "sleep", "1000000"], 0, "", "");
    assert!(start.elapsed() < Duration::from_secs(60));
    check(
        &["exec", "--deadline", "10", "--", "sleep", "1000000"],
        1,
        "",
        "cargo bizarro exec --deadline 10 -- sleep 1000000",
    );
}

#[test]
fn the_end_of_a_program_is_the_verdict() {
    check(&["exec", "--", "sh", "-c", "exit 3"], 1, "", "ended with status 3");
    check(&["exec", "--", "sh", "-c", "kill -SEGV $$"], 1, "", "killed by SIGSEGV");
}

#[test]
fn a_program_finds_itself() {
    check(&["exec", "--", "readlink", "/proc/self/exe"], 0, "/usr/bin/readlink\n", "");
    let output = bizarro(&["exec", "--", "cat", "/proc/self/maps"]);
    let maps = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in [" r-xp ", " /usr/bin/cat\n", "/libc.so.6\n", " [heap]\n", " [stack]\n"] {
        assert!(maps.contains(part), "`{part}` is not in:\n{maps}");
    }
    assert!(!maps.contains("bizarro"), "{maps}");
}

#[test]
fn every_system_call_can_be_told() {
    check(&["exec", "--trace", "--", "echo", "hello"], 0, "hello\n", "write(1, ");
}

#[test]
fn what_cannot_be_run_is_refused() {
    check(&["exec", "--", "no-such-program"], 2, "", "`no-such-program` is no executable file");
    check(&["exec", "--mount", "/no/such", "--", "ls"], 2, "", "/no/such: No such file");
    check(&["exec", "--env", "A", "--", "ls"], 2, "", "expected NAME=VALUE");
    check(&["exec"], 2, "", "PROGRAM");
}

/// Threads and an event loop of an interpreter, where the machine has it with its library.
#[test]
fn python_runs_threads_and_an_event_loop() {
    const SCRIPT: &str = "
import asyncio, threading, time
done = []
def work(n):
    time.sleep(n)
    done.append(n)
threads = [threading.Thread(target=work, args=(n * 1000,)) for n in (3, 1, 2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
async def main():
    server = await asyncio.start_server(lambda r, w: (w.write(b'hi'), w.close()), '127.0.0.1', 8000)
    reader, writer = await asyncio.open_connection('127.0.0.1', 8000)
    return done, await reader.read(), await asyncio.gather(*(asyncio.sleep(n, n) for n in range(3)))
print(*asyncio.run(main()))
";
    const PYTHON: &str = "/usr/bin/python3";
    if !Path::new(PYTHON).exists() {
        eprintln!("NOT TRIED: there is no {PYTHON} on this machine");
        return;
    }
    check(
        &["exec", "--mount", "/usr", "--", PYTHON, "-c", SCRIPT],
        0,
        "[1000, 2000, 3000] b'hi' [0, 1, 2]\n",
        "",
    );
    let nowhere = "import ctypes; ctypes.string_at(0)";
    let command = ["exec", "--mount", "/usr", "--", PYTHON, "-c", nowhere];
    check(&command, 1, "", "on host, task 100\n    killed by SIGSEGV\n      libc.so.6+0x");
}

#[test]
fn the_doctor_and_the_table_answer() {
    let said = |arguments: &[&str]| String::from_utf8(bizarro(arguments).stdout).unwrap();
    assert!(said(&["doctor"]).lines().all(|line| line.starts_with("ok")));
    assert!(said(&["syscalls", "futex"]).contains("  202  futex "));
    check(&["syscalls", "zork"], 2, "", "no simulated system call has `zork` in its name");
}
