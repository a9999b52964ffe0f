//! Runs a body natively, as a process of its own, and compares transcripts.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A body takes milliseconds; one that takes this long hangs.
const WALL_LIMIT: Duration = Duration::from_secs(20);

/// The transcript of the body called `name` on this machine's own Linux, or why there is none.
pub(crate) fn run(name: &str) -> Result<String, String> {
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

/// Both texts in one: lines that only the first has begin with `-`, those that only the second has
/// with `+`. The rest is the longest common subsequence.
pub(crate) fn diff(first: &str, second: &str) -> String {
    let (left, right): (Vec<&str>, Vec<&str>) = (first.lines().collect(), second.lines().collect());
    // How many lines are common to both from a place in each on.
    let mut common = vec![vec![0_usize; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] = match left[i] == right[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            out += &format!("    {}\n", left[i]);
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || i < left.len() && common[i + 1][j] >= common[i][j + 1] {
            out += &format!("  - {}\n", left[i]);
            i += 1;
        } else {
            out += &format!("  + {}\n", right[j]);
            j += 1;
        }
    }
    out
}
