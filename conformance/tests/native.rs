//! Every body runs on this machine's own Linux, says something, and says the
//! same again.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use conformance::all;

/// A body takes milliseconds; one that takes this long hangs.
const WALL_LIMIT: Duration = Duration::from_secs(20);

/// How often each body runs. `CONFORMANCE_TIMES` overrides it, to look for a
/// body that is only almost stable.
const TIMES: u32 = 2;

#[test]
fn bodies_are_stable_on_native_linux() {
    let times = match std::env::var("CONFORMANCE_TIMES") {
        Ok(times) => times.parse().expect("CONFORMANCE_TIMES is a number"),
        Err(_) => TIMES,
    };
    let problems: Vec<String> =
        all().filter_map(|test| problem_with(test.name, times).err()).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn problem_with(name: &str, times: u32) -> Result<(), String> {
    let first = run(name)?;
    if first.is_empty() {
        return Err(format!("{name}: the transcript is empty"));
    }
    if first.lines().any(|line| line.starts_with("panicked: ")) {
        return Err(format!("{name}: the body panicked\n{first}"));
    }
    for _ in 1..times {
        let again = run(name)?;
        if again != first {
            return Err(format!("{name}: two runs differ\n{}", diff(&first, &again)));
        }
    }
    Ok(())
}

fn run(name: &str) -> Result<String, String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["run", name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the conformance binary starts");
    let mut pipe = child.stdout.take().expect("its standard output is a pipe");
    let reader = thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    });
    wait(name, &mut child)?;
    reader.join().expect("the reader does not panic").map_err(|error| format!("{name}: {error}"))
}

fn wait(name: &str, child: &mut Child) -> Result<(), String> {
    let start = Instant::now();
    while start.elapsed() < WALL_LIMIT {
        match child.try_wait().expect("the child can be waited for") {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{name}: {status}")),
            None => thread::sleep(Duration::from_millis(1)),
        }
    }
    child.kill().expect("the child can be killed");
    child.wait().expect("a killed child ends");
    Err(format!("{name}: still running after {WALL_LIMIT:?}; try `conformance run {name} --echo`"))
}

fn diff(first: &str, again: &str) -> String {
    let (mut left, mut right) = (first.lines(), again.lines());
    let mut out = String::new();
    loop {
        match (left.next(), right.next()) {
            (None, None) => return out,
            (one, other) if one == other => out += &format!("    {}\n", one.unwrap_or_default()),
            (one, other) => {
                one.iter().for_each(|line| out += &format!("  - {line}\n"));
                other.iter().for_each(|line| out += &format!("  + {line}\n"));
            }
        }
    }
}
