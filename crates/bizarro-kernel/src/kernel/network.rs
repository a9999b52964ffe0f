//! How calls and timers reach the network, and what follows from it for descriptions and hosts.

use crate::host::HostId;
use crate::kernel::Kernel;
use crate::net::{Cx, Net, SockId, Ucred};
use crate::object::ObjId;
use crate::timers::Timer;

impl Kernel {
    /// Calls a function of the network and carries out what follows from it.
    #[inline]
    pub fn with_net<R>(&mut self, f: impl FnOnce(&mut Net, &mut Cx<'_>) -> R) -> R {
        let (host, tid) =
            self.task_by_id(self.current).map_or((HostId(0), 0), |task| (task.host, task.tid));
        let pid = self.hosts.get(usize::from(host.0)).map_or(0, |host| host.process.pid);
        let mut cx = Cx {
            now: self.now,
            host: host.0,
            tid,
            creds: Ucred { pid, uid: 0, gid: 0 },
            decider: &mut *self.decider,
            observer: &mut *self.observer,
            timers: &mut self.net_timers,
            wakes: &mut self.net_wakes,
            strikes: &mut self.net_strikes,
            released: &mut self.net_released,
        };
        let result = f(&mut self.net, &mut cx);
        self.settle_net();
        result
    }

    #[inline]
    fn settle_net(&mut self) {
        for (at, event) in self.net_timers.drain(..) {
            self.timers.push(at, Timer::Net(event));
        }
        let mut index = 0;
        while let Some(wake) = self.net_wakes.get(index).copied() {
            index += 1;
            if !self.lingering.is_empty() {
                self.end_linger(wake.sock);
            }
            if let Some(object) = self.object_of(wake.sock) {
                self.notify_of(object, wake.events);
            }
        }
        self.net_wakes.clear();
        while let Some(bits) = self.net_released.pop() {
            self.release(ObjId::from_bits(bits));
        }
        if !self.net_strikes.is_empty() {
            for strike in core::mem::take(&mut self.net_strikes) {
                self.strike(strike);
            }
        }
    }

    /// Whether the plan makes a traitor of this host now, whose program asks.
    pub fn is_traitor(&mut self, host: u16) -> bool {
        self.with_net(|net, cx| net.is_traitor(cx, host))
    }

    /// Remembers which description a socket belongs to.
    pub fn bind_socket(&mut self, socket: SockId, object: ObjId) {
        let index = socket.index();
        if index >= self.socket_objects.len() {
            self.socket_objects.resize(index + 1, None);
        }
        self.socket_objects[index] = Some(object);
    }

    fn object_of(&self, socket: SockId) -> Option<ObjId> {
        self.socket_objects.get(socket.index()).copied().flatten()
    }
}
