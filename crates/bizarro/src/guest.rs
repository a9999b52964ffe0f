//! The facade inside a world process: describes the world once, then has the shared object make the runs that the
//! supervisor wants.

use std::fs::OpenOptions;
use std::io;

use bizarro_call::{Op, Program, call, leak};
use bizarro_record::{Hooks, Messages, Plan, RunRequest, ServeRequest, WorldSpec};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use crate::mistake::render;
use crate::supervisor::protocol::{Hello, WORLD_ENV, WORLD_WITHOUT_HOOKS, fd, write_frame};
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
    let request = postcard::to_allocvec(&request(spec)).map_err(io::Error::other)?;
    let answer =
        call(Op::Serve, &request, &mut []).expect("serving is only begun with a simulator");
    match answer {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(-errno as i32)),
    }
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

fn request(world: WorldSpec) -> ServeRequest {
    let unhooked = std::env::var(WORLD_ENV).as_deref() == Ok(WORLD_WITHOUT_HOOKS);
    ServeRequest {
        run: RunRequest {
            hooks: if unhooked { Hooks::Off } else { Hooks::On },
            world,
            plan: Plan::default(),
            messages: Messages::default(),
            record_fd: fd::RECORD,
            trace_fd: -1,
            spin_limit_ms: SPIN_LIMIT_MS,
        },
        commands_fd: fd::COMMANDS,
        results_fd: fd::RESULTS,
        trace_fd: fd::TRACE,
    }
}
