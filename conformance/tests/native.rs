//! Every body runs on this machine's own Linux, says something, and says the
//! same again.

mod common;

use common::{diff, run};
use conformance::all;

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
