//! A kernel whose guest is the test: calls are made by hand, and time passes when all tasks wait.

extern crate std;

mod adjtime;
mod clocks;
mod daemon;
mod lives;
mod memory;
mod standstill;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bizarro_record::{
    ClockSpec, Deviation, Effect, Event, ExchangeId, HostSpec, Incident, Nanos, Role, Step,
    WorldSpec,
};

use crate::errno::Errno;
use crate::host::HostId;
use crate::kernel::{Flow, Kernel, Next, Via};
use crate::seams::{
    Decider, GuestMemory, Mapping, Moving, Observer, Outside, OutsideNode, Pages, Queue, Turn,
};
use crate::table::Args;
use crate::task::TaskId;

/// The fair schedule, the shortest latencies, and hosts that cannot reach each other.
struct Plain {
    incidents: Vec<Incident>,
    apart: Vec<(u16, u16)>,
}

impl Decider for Plain {
    fn next_task(&mut self, _: &dyn Queue) -> usize {
        0
    }
    fn preempt(&mut self, _: Turn, _: &dyn Queue) -> bool {
        false
    }
    fn random(&mut self) -> u64 {
        4
    }
    fn within(&mut self, low: u64, _: u64) -> u64 {
        low
    }
    fn latency(&mut self, shortest: u64, _: u64) -> u64 {
        shortest
    }
    fn chance(&mut self, _: u32) -> bool {
        false
    }
    fn fault(&mut self, _: Nanos, _: &ExchangeId, _: Step) -> Option<Effect> {
        None
    }
    fn removed(&self, client: u16, server: u16) -> Option<Effect> {
        self.apart.contains(&(client, server)).then_some(Effect::Partition)
    }
    fn keeps_requests(&self) -> bool {
        false
    }
    fn incidents(&self) -> Vec<Incident> {
        self.incidents.clone()
    }
    fn may_take_power(&self) -> bool {
        false
    }
    fn disturbance(&mut self, low: u64, _: u64) -> u64 {
        low
    }
    fn lifetime(&mut self, most: u32) -> u32 {
        most
    }
    fn survivor(&mut self, _: u64) -> u64 {
        0
    }
    fn deviations(&self) -> Option<Vec<Deviation>> {
        None
    }
}

struct Nobody;

impl Observer for Nobody {
    fn event(&mut self, _: Nanos, _: u16, _: u32, _: Event) {}
    fn call(&mut self, _: Nanos, _: u16, _: u32, _: &str) {}
    fn wants_messages(&self) -> bool {
        false
    }
    fn wants_packets(&self) -> bool {
        false
    }
    fn traces(&self) -> bool {
        false
    }
}

impl Outside for Nobody {
    fn look(&mut self, _: &str) -> Result<OutsideNode, Errno> {
        Err(Errno::ENOENT)
    }
    fn read(&mut self, _: &str) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOENT)
    }
    fn heap(&self, _: u16) -> u64 {
        0
    }
    fn mappings(&mut self) -> Result<Vec<Mapping>, Errno> {
        Ok(Vec::new())
    }
}

/// A page of memory, from address 0 on; what is mapped lies elsewhere and is only counted.
struct Memory(Vec<u8>, u64);

impl Memory {
    fn range(&self, addr: u64, len: usize) -> Result<core::ops::Range<usize>, Errno> {
        let start = addr as usize;
        if start + len <= self.0.len() { Ok(start..start + len) } else { Err(Errno::EFAULT) }
    }
}

impl GuestMemory for Memory {
    fn read(&self, addr: u64, into: &mut [u8]) -> Result<(), Errno> {
        let range = self.range(addr, into.len())?;
        into.copy_from_slice(&self.0[range]);
        Ok(())
    }
    fn write(&mut self, addr: u64, from: &[u8]) -> Result<(), Errno> {
        let range = self.range(addr, from.len())?;
        self.0[range].copy_from_slice(from);
        Ok(())
    }
    fn pages(&mut self) -> &mut dyn Pages {
        self
    }
}

impl Pages for Memory {
    fn map(&mut self, _: u16, _: Option<u64>, _: u64, _: i32) -> Result<u64, Errno> {
        self.1 += 1 << 30;
        Ok(self.1)
    }
    fn is_mapped(&self, _: u16, _: u64, _: u64) -> bool {
        false
    }
    fn unmap(&mut self, _: u16, _: u64, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn protect(&mut self, _: u16, _: u64, _: u64, _: i32) -> Result<(), Errno> {
        Ok(())
    }
    fn remap(&mut self, _: u16, _: u64, _: u64, _: u64, _: Moving) -> Result<u64, Errno> {
        Err(Errno::ENOMEM)
    }
    fn advise(&mut self, _: u16, _: u64, _: u64, _: i32) -> Result<(), Errno> {
        Ok(())
    }
    fn brk(&mut self, _: u16, to: u64) -> u64 {
        to
    }
    fn heap(&self, _: u16) -> u64 {
        HEAP
    }
    fn limit_heap(&mut self, _: u16, _: u64) {}
    // No test here shares pages with a file.
    fn map_shared(
        &mut self,
        _: u16,
        _: Option<u64>,
        _: u64,
        _: i32,
        _: u64,
        _: u64,
    ) -> Result<u64, Errno> {
        Err(Errno::ENOMEM)
    }
    fn resize_shared(&mut self, _: u16, _: u64, _: u64) -> Result<(), Errno> {
        Err(Errno::ENOMEM)
    }
    fn shared_data(&self, _: u16, _: u64, _: u64) -> Option<core::ops::Range<u64>> {
        None
    }
    fn read_shared(&self, _: u16, _: u64, _: u64, _: &mut [u8]) {}
    fn write_shared(&mut self, _: u16, _: u64, _: u64, _: &[u8]) {}
    fn forget_shared(&mut self, _: u16, _: u64) {}
}

pub(super) const BUFFER: u64 = 64;
/// What a call costs: nothing, so that times in tests are whole numbers.
const COST: Nanos = Nanos::ZERO;

/// What `malloc` has taken.
pub(super) const HEAP: u64 = 1 << 20;

/// A world and its memory.
pub(super) struct World {
    pub(super) kernel: Kernel,
    memory: Memory,
}

/// A call of a task, to be made until it is done.
struct Call {
    task: TaskId,
    number: i64,
    args: [u64; 6],
}

impl World {
    /// A world of hosts with these clocks, which are called `0`, `1` and so on; `apart` cannot reach each other.
    pub(super) fn new(clocks: &[ClockSpec], apart: &[(u16, u16)]) -> World {
        World::with_cost(clocks, apart, COST)
    }

    pub(super) fn with_cost(clocks: &[ClockSpec], apart: &[(u16, u16)], cost: Nanos) -> World {
        let mut spec = WorldSpec::new("test");
        spec.syscall_cost = cost;
        spec.deadline = Nanos::from_secs(1_000_000);
        spec.hosts = (0..).zip(clocks).map(|(index, clock)| host(index, clock)).collect();
        let disks = Kernel::disks(&spec, &mut Nobody);
        let decider = Box::new(Plain { incidents: Vec::new(), apart: apart.to_vec() });
        let kernel = Kernel::new(&spec, disks, decider, Box::new(Nobody), Box::new(Nobody));
        World { kernel, memory: Memory(vec![0; 4096], 0) }
    }

    /// Starts the process of a host; gives its task.
    pub(super) fn start(&mut self, host: u16) -> TaskId {
        while self.kernel.take_command().is_some() {}
        self.kernel.start_process(HostId(host));
        self.kernel.adopt_main(HostId(host), [0; 16])
    }

    /// One more task of that process.
    pub(super) fn thread(&mut self, host: u16, tid: u32) -> TaskId {
        self.kernel.add_task(HostId(host), tid, [0; 16])
    }

    /// Makes calls at once, and goes on until the last one is done: what each gave, and when, in their order of ending.
    fn run(&mut self, calls: Vec<Call>) -> Vec<(TaskId, i64, Nanos)> {
        let mut done = Vec::new();
        let mut ready: VecDeque<TaskId> = calls.iter().map(|call| call.task).collect();
        while done.len() < calls.len() {
            let task = ready.pop_front().unwrap_or_else(|| match self.kernel.schedule() {
                Next::Task(task) => task,
                Next::Root => panic!("{:?}", self.kernel.take_command()),
            });
            let call = calls.iter().find(|call| call.task == task).expect("one of the calls");
            self.kernel.current = task;
            let args = Args(call.args);
            if let Flow::Return(value) =
                self.kernel.call(&mut self.memory, call.number as u64, &args, Via::Hook)
            {
                done.push((task, value as i64, self.kernel.now));
            }
        }
        done
    }

    /// Makes a call: what it gave.
    pub(super) fn call(&mut self, task: TaskId, number: i64, args: &[u64]) -> i64 {
        self.run(vec![Call { task, number, args: six(args) }])[0].1
    }

    /// Several tasks sleep, each for a span of its own: who wakes, and when.
    pub(super) fn sleep(&mut self, spans: &[(TaskId, Nanos)]) -> Vec<(TaskId, Nanos)> {
        let mut calls = Vec::new();
        for (place, (task, span)) in (0..).zip(spans) {
            let at = 1024 + place * 16;
            self.put_time(at, *span);
            calls.push(Call { task: *task, number: libc::SYS_nanosleep, args: six(&[at]) });
        }
        self.run(calls).into_iter().map(|(task, _, at)| (task, at)).collect()
    }

    /// Lets this much true time pass.
    pub(super) fn pass(&mut self, span: Nanos) {
        let until = self.kernel.now + span;
        while self.kernel.timers.next().is_some_and(|at| at <= until) {
            self.kernel.now = self.kernel.timers.next().unwrap_or(until).max(self.kernel.now);
            while let Some(timer) = self.kernel.timers.due(self.kernel.now) {
                self.kernel.fire(timer);
            }
        }
        self.kernel.now = until;
    }

    pub(super) fn put_time(&mut self, at: u64, time: Nanos) {
        let memory: &mut dyn GuestMemory = &mut self.memory;
        memory.write_timespec(at, time).unwrap();
    }

    pub(super) fn put(&mut self, at: u64, bytes: &[u8]) {
        self.memory.write(at, bytes).unwrap();
    }

    pub(super) fn word(&self, at: u64) -> i64 {
        let memory: &dyn GuestMemory = &self.memory;
        memory.read_i64(at).unwrap()
    }

    /// What a clock shows to a task.
    pub(super) fn clock(&mut self, task: TaskId, clock: i32) -> Nanos {
        assert_eq!(self.call(task, libc::SYS_clock_gettime, &[clock as u64, BUFFER]), 0);
        Nanos(self.word(BUFFER) as u64 * 1_000_000_000 + self.word(BUFFER + 8) as u64)
    }
}

fn six(args: &[u64]) -> [u64; 6] {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    all
}

fn host(index: u16, clock: &ClockSpec) -> HostSpec {
    HostSpec {
        name: index.to_string(),
        address: [10, 0, 0, index as u8 + 1].into(),
        cpus: 2,
        slowdown: 1,
        clock: clock.clone(),
        memory_limit: 1 << 30,
        out_of_memory: Default::default(),
        role: Role::Program,
        group: None,
        declared: Default::default(),
        entry: 0,
        data: 0,
        executable: String::new(),
        arguments: Vec::new(),
        env: Vec::new(),
        mounts: Vec::new(),
        files: Vec::new(),
        kept: Vec::new(),
    }
}
