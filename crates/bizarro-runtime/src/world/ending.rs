//! The end of a run: where its tasks were, and its record.

use alloc::string::String;
use alloc::vec::Vec;

use bizarro_kernel::host::HostId;
use bizarro_kernel::kernel::Kernel;
use bizarro_kernel::task::TaskId;
use bizarro_record::record::KeptFile;
use bizarro_record::{Ending, RunRecord};

use super::{LOOKING, World, context, slot, the_world};
use crate::switch::{self, Context};
use crate::{backtrace, image, raw};

/// Whether the root task wants to know where the others are: the run is over, and no guest goes on.
pub(super) fn is_looking() -> bool {
    // SAFETY: a plain flag on the one kernel thread.
    unsafe { LOOKING }
}

pub(super) fn go_back_to_root(from: *mut Context) -> ! {
    // SAFETY: the root task is suspended in `look_at_tasks`, and this task's context is its own.
    unsafe { switch::switch(from, &raw const the_world().root) };
    raw::complain(format_args!("a task was run again after the end"));
    raw::exit(crate::OUR_BUG)
}

/// Finds out where the tasks are, by letting each look for itself.
fn look_at_tasks(ending: &mut Ending) {
    /// Enough to see what is going on in a world of many threads; each stack takes time to walk.
    const TASKS_MAX: usize = 256;
    let (Ending::Deadline { tasks } | Ending::Deadlock { tasks }) = ending else { return };
    let hosts = the_world().kernel.hosts.iter();
    let ids: Vec<TaskId> = hosts.flat_map(|host| host.process.tasks.iter().copied()).collect();
    for (id, report) in ids.into_iter().zip(tasks).take(TASKS_MAX) {
        let world = the_world();
        let task = world.kernel.task_by_id(id).filter(|task| task.tid == report.tid);
        let Some(host) = task.map(|task| task.host) else { continue };
        let to = context(world, id);
        // SAFETY: the context is one that a switch saved or `switch::start` made.
        if unsafe { switch::is_fresh(to) } {
            continue;
        }
        world.kernel.current = id;
        image::slots::switch_to(slot(host));
        // SAFETY: a task that has run was saved by a switch in `switch_away`, which comes back here.
        unsafe {
            LOOKING = true;
            switch::switch(&raw mut world.root, to);
            LOOKING = false;
        }
        report.backtrace = backtrace::text();
        backtrace::forget();
    }
}

/// Ends the process with the run.
pub(super) fn finish(ending: Ending) -> ! {
    raw::exit(write_ending(ending))
}

/// Ends the run: writes the record and gives the status.
pub(super) fn write_ending(mut ending: Ending) -> i32 {
    look_at_tasks(&mut ending);
    let world = the_world();
    let status = exit_status(&world.kernel, &ending);
    let fd = world.request.record_fd;
    if fd >= 0 {
        write_record(fd, &record(world, ending));
    }
    status
}

/// What the process of the world itself reports: for a program that is run by itself, the program's status.
fn exit_status(kernel: &Kernel, ending: &Ending) -> i32 {
    use bizarro_kernel::host::Life;
    let alone = matches!(kernel.hosts.as_slice(), [host] if host.spec.entry == 0);
    match (alone, kernel.hosts.first().map(|host| host.life), ending) {
        (true, Some(Life::Ended(status)), _) => status,
        (true, _, Ending::Completed) | (false, ..) => 0,
        (true, ..) => 1,
    }
}

/// The run as it was. Nothing is left of what happened in it.
fn record(world: &mut World, ending: Ending) -> RunRecord {
    let mut stats = world.kernel.stats;
    stats.virtual_time = world.kernel.now;
    stats.forked = world.forked;
    stats.wall_ns = raw::monotonic() - world.started;
    RunRecord {
        format: bizarro_record::FORMAT,
        build: String::new(),
        test: world.request.world.test.clone(),
        plan: world.request.plan.clone(),
        fingerprint: world.kernel.fingerprint.value(),
        ending,
        hosts: world.kernel.hosts.iter().map(|host| host.name().clone()).collect(),
        groups: world.request.world.hosts.iter().map(|host| host.group_name().into()).collect(),
        exchanges: world.kernel.net.take_exchanges(),
        properties: world.recorder.properties.values().cloned().collect(),
        events: core::mem::take(&mut world.recorder.events).into_vec(),
        files: kept_files(world),
        deviations: world.kernel.decider.deviations(),
        stats,
    }
}

fn kept_files(world: &mut World) -> Vec<KeptFile> {
    for host in 0..world.kernel.hosts.len() as u16 {
        world.kernel.collect_all(&mut world.guest, HostId(host));
    }
    let hosts = world.request.world.hosts.iter().enumerate();
    let wanted = hosts.flat_map(|(index, host)| host.kept.iter().map(move |path| (index, path)));
    wanted
        .map(|(index, path)| {
            let host = index as u16;
            let content = world.kernel.file_content(HostId(host), path.as_bytes());
            KeptFile { host, path: path.clone(), content }
        })
        .collect()
}

/// A record is written as its length, eight bytes little-endian, and its postcard bytes.
fn write_record(fd: i32, record: &RunRecord) {
    match postcard::to_allocvec(record) {
        Ok(bytes) => {
            raw::write_all(fd, &(bytes.len() as u64).to_le_bytes());
            raw::write_all(fd, &bytes);
        }
        Err(error) => raw::complain(format_args!("the record cannot be written: {error}")),
    }
}
