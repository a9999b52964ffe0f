//! The one function that a facade calls, see the crate `bizarro-call`.

use alloc::string::String;
use alloc::vec::Vec;

use bizarro_call::Op;
use bizarro_kernel::host::HostId;
use bizarro_record::event::OpOutcome;
use bizarro_record::{Assertion, Event};

use crate::{runner, world};

const INVALID: isize = -(libc::EINVAL as isize);

/// Does what the facade asks.
pub fn hypercall(op: u32, input: &[u8]) -> isize {
    match Op::from_number(op) {
        Some(Op::Panic) if world::is_armed() && !world::in_kernel() => {
            world::panicked(String::from_utf8_lossy(input).into_owned());
            0
        }
        Some(Op::Serve) if world::world().is_none() => {
            runner::serve(input).map_or_else(|code| -(code as isize), |()| 0)
        }
        Some(op) if world::world().is_some() => {
            world::inside(|world| ask(world, op, input)).unwrap_or(INVALID)
        }
        _ => INVALID,
    }
}

fn ask(world: &mut world::World, op: Op, input: &[u8]) -> Option<isize> {
    match op {
        Op::Serve | Op::Panic => return None,
        Op::Assert => {
            let assertion: Assertion<'_> = postcard::from_bytes(input).ok()?;
            let (at, host) = (world.kernel.now, who(world).0);
            world.recorder.assertion(at, host, &assertion);
        }
        Op::Invoke => {
            let (history, value): (String, Vec<u8>) = postcard::from_bytes(input).ok()?;
            world.recorder.operations += 1;
            let op = world.recorder.operations;
            note(world, Event::Invoked { history, op, value });
            return isize::try_from(op).ok();
        }
        Op::Return => {
            let (op, outcome, value): (u64, OpOutcome, Vec<u8>) =
                postcard::from_bytes(input).ok()?;
            note(world, Event::Returned { op, outcome, value });
        }
        Op::Note => {
            let text = String::from_utf8_lossy(input).into_owned();
            note(world, Event::Note { text });
        }
        Op::Milestone => {
            let name = String::from_utf8_lossy(input).into_owned();
            let (host, _) = who(world);
            world.kernel.milestone(HostId(host), &name);
            note(world, Event::Milestone { name });
        }
        Op::Traitor => return Some(isize::from(world.kernel.is_traitor(who(world).0))),
        Op::Now => return isize::try_from(world.kernel.now.0).ok(),
    }
    Some(0)
}

/// Host and thread id of the caller; nobody's at the end of a run.
fn who(world: &world::World) -> (u16, u32) {
    let caller = world.kernel.task_by_id(world.kernel.current);
    caller.filter(|_| world::is_armed()).map_or((0, 0), |task| (task.host.0, task.tid))
}

pub(crate) fn note(world: &mut world::World, event: Event) {
    use bizarro_kernel::seams::Observer;
    let (host, tid) = who(world);
    let now = world.kernel.now;
    world.kernel.fingerprint.mix(0xca11 << 48 | now.0);
    crate::recorder::Handle(&raw mut *world.recorder).event(now, host, tid, event);
}

/// The exported entry.
///
/// # Safety
/// Pointers and lengths describe memory of the caller, as `bizarro_call::Entry` says.
#[cfg(feature = "shared-object")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bizarro_call_v1(
    op: u32,
    input: *const u8,
    input_len: usize,
    _output: *mut u8,
    _output_cap: usize,
) -> isize {
    // SAFETY: the caller's; an empty slice may have any pointer but null, and Rust callers give such.
    let input = unsafe { core::slice::from_raw_parts(input, input_len) };
    hypercall(op, input)
}
