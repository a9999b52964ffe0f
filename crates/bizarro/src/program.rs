//! What stands between a host's start and its program.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::process::{ExitCode, Termination};

use bizarro_call::{Op, call};

use crate::check::message;

/// Exit status of a program whose `main` panicked, as Rust's runtime has it.
const PANICKED: i32 = 101;

/// Runs a host's program to its end as Rust's runtime would run a `main`: a panic of the main thread
/// ends it with 101, and the process ends through `exit(3)`, so that buffered output is written and
/// `atexit(3)` handlers run.
pub(crate) fn run_program<T: Termination>(program: &dyn Fn() -> T) -> i32 {
    report_panics();
    let ended = catch_unwind(AssertUnwindSafe(|| program().report()));
    std::process::exit(ended.map_or(PANICKED, status))
}

/// Puts a report to the simulator before the panic hook that is there.
fn report_panics() {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        let place = info.location().map(|place| format!(", at {place}")).unwrap_or_default();
        let text = format!("{}{place}", message(info.payload()));
        call(Op::Panic, text.as_bytes(), &mut []);
        before(info);
    }));
}

/// The number in an exit code. The standard library gives it only to those who have a guess.
fn status(code: ExitCode) -> i32 {
    let found = (0..=u8::MAX).find(|number| ExitCode::from(*number) == code);
    i32::from(found.expect("an exit code of Unix is eight bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_may_return_what_a_main_may_return() {
        assert_eq!(status(().report()), 0);
        assert_eq!(status(ExitCode::from(7).report()), 7);
        assert_eq!(status(Err::<(), _>("it failed").report()), 1);
    }
}
