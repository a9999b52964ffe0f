//! What a plan does to the CPUs, the threads, the memory and the life of a host.

use bizarro_record::MachineFault;

use crate::host::{HostId, Life};
use crate::kernel::Kernel;
use crate::net::Deadly;

impl Kernel {
    /// Whether the fault finds something to strike.
    pub(super) fn machine_can(&self, host: HostId, fault: MachineFault) -> bool {
        let owner = &self.hosts[usize::from(host.0)];
        match fault {
            MachineFault::PauseTask(Some(tid)) => self.task_of(host, tid).is_some(),
            MachineFault::PauseTask(None) => owner.life == Life::Up,
            MachineFault::SlowCpu(_) | MachineFault::MemoryLimit(_) => true,
            MachineFault::CrashAtCalls(_) => !matches!(owner.life, Life::Ended(_)),
        }
    }

    pub(super) fn begin_machine_fault(&mut self, host: HostId, fault: MachineFault) {
        match fault {
            MachineFault::SlowCpu(times) => self.slow_down(host, times),
            MachineFault::PauseTask(Some(tid)) => {
                self.hold_task(host, tid);
            }
            MachineFault::PauseTask(None) => {
                let process = &self.hosts[usize::from(host.0)].process;
                let is_its = |id| process.tasks.contains(&id);
                let id = Some(self.current).filter(|id| is_its(*id));
                let id = id.or(process.tasks.first().copied());
                let tid = id.and_then(|id| self.task_by_id(id)).map(|task| task.tid);
                self.hosts[usize::from(host.0)].held_task = tid;
                if let Some(tid) = tid {
                    self.hold_task(host, tid);
                }
            }
            MachineFault::MemoryLimit(bytes) => self.limit_memory(host, bytes),
            MachineFault::CrashAtCalls(calls) => {
                self.hosts[usize::from(host.0)].crash_at_calls = Some(calls);
                if self.hosts[usize::from(host.0)].life == Life::Up {
                    self.live_shortly(host);
                }
            }
        }
    }

    pub(super) fn end_machine_fault(&mut self, host: HostId, fault: MachineFault) {
        let owner = &mut self.hosts[usize::from(host.0)];
        let (slowdown, memory) = (owner.spec.slowdown, owner.spec.memory_limit);
        match fault {
            MachineFault::SlowCpu(_) => self.slow_down(host, slowdown),
            MachineFault::PauseTask(Some(tid)) => self.release_task(host, tid),
            MachineFault::PauseTask(None) => {
                if let Some(tid) = owner.held_task.take() {
                    self.release_task(host, tid);
                }
            }
            MachineFault::MemoryLimit(_) => self.limit_memory(host, memory),
            MachineFault::CrashAtCalls(_) => {
                owner.crash_at_calls = None;
                owner.crash_at = None;
            }
        }
    }

    /// A process of a host that crashes again and again has been started: after how many calls it is killed is drawn.
    pub(crate) fn live_shortly(&mut self, host: HostId) {
        if let Some(calls) = self.hosts[usize::from(host.0)].crash_at_calls {
            let call = self.decider.lifetime(calls);
            self.crash_at(host, call, Deadly::TOLD);
        }
    }
}
