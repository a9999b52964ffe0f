//! The facade inside a world process: describes the world once, then asks the shared object for one
//! run after the other.

use std::fs::{File, OpenOptions};
use std::io;

use bizarro_call::{Op, Program, call, leak};
use bizarro_record::{Hooks, RunRequest, WorldSpec};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use crate::mistake::render;
use crate::supervisor::protocol::{
    Command, Done, Hello, WORLD_ENV, WORLD_WITHOUT_HOOKS, fd, read_frame, write_frame,
};
use crate::supervisor::settings::Trace;
use crate::world::World;

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
    let unhooked = std::env::var(WORLD_ENV).as_deref() == Ok(WORLD_WITHOUT_HOOKS);
    let request = RunRequest {
        hooks: if unhooked { Hooks::Off } else { Hooks::On },
        world: WorldSpec {
            deadline: command.until.map_or(spec.deadline, |until| until.min(spec.deadline)),
            ..spec.clone()
        },
        plan: command.plan,
        messages: command.messages,
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
