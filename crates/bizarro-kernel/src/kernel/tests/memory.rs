//! The limit of a host's memory.

use alloc::vec;

use bizarro_record::{ClockSpec, OutOfMemory};

use super::{HEAP, World};
use crate::host::{HostId, Life};
use crate::kernel::Flow;
use crate::kernel::Via;
use crate::table::Args;

const ENOMEM: i64 = -(libc::ENOMEM as i64);

fn map(length: u64, prot: i32, flags: i32) -> [u64; 6] {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    [0, length, prot as u64, flags as u64, u64::MAX, 0]
}

const BOTH: i32 = libc::PROT_READ | libc::PROT_WRITE;

#[test]
fn what_is_mapped_to_write_counts_and_what_is_reserved_does_not() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    let task = world.start(0);
    let (left, mmap) = ((1 << 30) - HEAP, libc::SYS_mmap);
    assert!(world.call(task, mmap, &map(64 << 30, libc::PROT_NONE, 0)) > 0);
    assert!(world.call(task, mmap, &map(64 << 30, BOTH, libc::MAP_NORESERVE)) > 0);
    assert_eq!(world.call(task, mmap, &map(left + 4096, BOTH, 0)), ENOMEM);
    let all = world.call(task, mmap, &map(left, BOTH, 0));
    assert!(all > 0);
    assert_eq!(world.call(task, mmap, &map(4096, BOTH, 0)), ENOMEM);
    assert_eq!(world.call(task, libc::SYS_munmap, &[all as u64, 8192]), 0);
    assert!(world.call(task, mmap, &map(8192, BOTH, 0)) > 0);
    assert_eq!(world.call(task, mmap, &map(4096, BOTH, 0)), ENOMEM);
}

#[test]
fn the_oom_killer_ends_the_process_and_it_starts_again() {
    let mut world = World::new(&[ClockSpec::default()], &[]);
    world.kernel.hosts[0].spec.out_of_memory = OutOfMemory::Kills;
    let task = world.start(0);
    assert!(world.call(task, libc::SYS_mmap, &map(4096, BOTH, 0)) > 0);
    world.kernel.current = task;
    let (args, number) = (Args(map(1 << 30, BOTH, 0)), libc::SYS_mmap as u64);
    let flow = world.kernel.call(&mut world.memory, number, &args, Via::Hook);
    assert_eq!((flow, world.kernel.hosts[0].life), (Flow::Gone, Life::Down));
    world.pass(crate::kernel::RESTART_AFTER);
    let commands: vec::Vec<_> = core::iter::from_fn(|| world.kernel.take_command()).collect();
    assert!(commands.contains(&crate::kernel::Command::Start(HostId(0))), "{commands:?}");
}
