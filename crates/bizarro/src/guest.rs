//! The facade inside a world process: describes the world once, then asks the shared object for one
//! run after the other; and what stands between a host's start and its program.

use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::process::{ExitCode, Termination};

use bizarro_call::{Op, Program, call, leak};
use bizarro_record::{RunRequest, WorldSpec};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use crate::check::message;
use crate::mistake::render;
use crate::supervisor::protocol::{Command, Done, Hello, Trace, fd, read_frame, write_frame};
use crate::world::World;

/// Exit status of a program whose `main` panicked, as Rust's runtime has it.
const PANICKED: i32 = 101;

/// Real milliseconds that a task may use without a system call.
pub(crate) const SPIN_LIMIT_MS: u32 = 1000;

/// Serves the supervisor until it closes the pipe of commands, and ends the process.
///
/// # Errors
/// Where the supervisor cannot be talked to; it is told by the end of this process.
pub(crate) fn serve(test: &str, describe: fn(&mut World)) -> io::Result<()> {
    // The parent is a thread that lives as long as the supervisor. If that is gone already, the first
    // read finds the pipe closed.
    set_pdeathsig(Signal::SIGKILL)?;
    let mut commands = File::open(format!("/proc/self/fd/{}", fd::COMMANDS))?;
    let mut results =
        OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", fd::RESULTS))?;

    let mut world = World::new(test);
    describe(&mut world);
    let spec = match world.blueprint() {
        Ok(spec) => spec,
        Err(mistakes) => return write_frame(&mut results, &Hello::Mistaken(render(&mistakes))),
    };
    let spec = with_programs(spec, world);
    write_frame(&mut results, &Hello::Described(Box::new(spec.clone())))?;
    while let Some(command) = read_frame(&mut commands)? {
        write_frame(&mut results, &run(&spec, command))?;
    }
    Ok(())
}

/// Puts the programs' addresses into the description. They are never given back: every later fork of this
/// process calls them.
fn with_programs(mut spec: WorldSpec, world: World) -> WorldSpec {
    let programs = world.hosts.into_iter().map(|draft| draft.program);
    for (host, program) in spec.hosts.iter_mut().zip(programs) {
        let program: Program = program.expect("a blueprint is made only of hosts with programs");
        let leaked = leak(program);
        (host.entry, host.data) = (leaked.entry, leaked.data);
    }
    spec
}

fn run(spec: &WorldSpec, command: Command) -> Done {
    let crashed: extern "C" fn() = crashed;
    let request = RunRequest {
        world: spec.clone(),
        plan: command.plan,
        finish: 0,
        finish_data: 0,
        crashed: crashed as usize,
        record_fd: fd::RECORD,
        trace_fd: match command.trace {
            Trace::On => fd::TRACE,
            Trace::Off => -1,
        },
        spin_limit_ms: SPIN_LIMIT_MS,
    };
    let input =
        postcard::to_allocvec(&request).expect("a request is plain data and can be encoded");
    let answer = call(Op::Run, &input, &mut []).expect("serving is only begun with a simulator");
    match i32::try_from(answer) {
        Ok(status) if status >= 0 => Done::Ended(status),
        Ok(errno) => Done::Refused(-errno),
        Err(_) => Done::Refused(nix::errno::Errno::EPROTO as i32),
    }
}

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

/// Called by the simulator on a task that a signal is about to kill.
extern "C" fn crashed() {
    let backtrace = std::backtrace::Backtrace::force_capture().to_string();
    call(Op::Backtrace, backtrace.as_bytes(), &mut []);
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
