//! What a plan does to the clock of a host.

use bizarro_record::{ClockFault, Nanos};

use crate::host::{HostId, Life};
use crate::kernel::Kernel;

impl Kernel {
    /// Whether the fault finds something to change.
    pub(super) fn clock_can(&self, host: HostId, fault: ClockFault) -> bool {
        let owner = &self.hosts[usize::from(host.0)];
        match fault {
            ClockFault::Step(by) => owner.clock.clone().step(by),
            ClockFault::Freeze => owner.life == Life::Up && !owner.clock.is_frozen(),
            ClockFault::Drift(_) | ClockFault::Coarse(_) => true,
        }
    }

    pub(super) fn begin_clock_fault(
        &mut self,
        host: HostId,
        fault: ClockFault,
        lasts: Option<Nanos>,
    ) {
        match fault {
            // A clock that cannot be set so is left as it is.
            ClockFault::Step(by) => drop(self.step_clock(host, by)),
            ClockFault::Drift(ppb) => self.drift_clock(host, ppb),
            ClockFault::Coarse(resolution) => self.coarsen_clock(host, resolution),
            ClockFault::Freeze => {
                let until = lasts.map_or(Nanos::MAX, |lasts| self.now + lasts);
                self.freeze_host(host, until);
            }
        }
    }

    pub(super) fn end_clock_fault(&mut self, host: HostId, fault: ClockFault) {
        let declared = &self.hosts[usize::from(host.0)].spec.clock;
        match fault {
            ClockFault::Step(by) => drop(self.step_clock(host, -by)),
            ClockFault::Drift(_) => self.drift_clock(host, declared.drift_ppb),
            ClockFault::Coarse(_) => self.coarsen_clock(host, declared.resolution),
            ClockFault::Freeze => self.thaw_host(host),
        }
    }
}
