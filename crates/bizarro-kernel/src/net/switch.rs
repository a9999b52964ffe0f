//! Switches: ports that send one packet after the other, with queues in front of them.
//!
//! A packet passes up to four ports: out of its host, out of the switch to other switches, into the other switch, and out of
//! that to its host. It takes its place in all their queues when it is sent, so that what it waits for is what was sent before it; the
//! latency of the link comes on top.

use alloc::vec::Vec;

use bizarro_record::{HostSpec, Nanos, SwitchSpec};

use super::queue::Room;

/// A port: what leaves through it.
struct Port {
    /// Bytes a second.
    bandwidth: u64,
    /// How long the last byte that fits into the queue waits.
    longest_wait: Nanos,
    /// Until when it is busy sending.
    busy: Nanos,
}

/// Where a host is plugged in.
#[derive(Clone, Copy, Default)]
struct Plug {
    /// The switch, from 1; hosts at no switch are at 0.
    switch: u16,
    /// Ports out of and into the host.
    out: Option<u16>,
    into: Option<u16>,
    /// Ports out of and into the switch, seen from the other switches.
    up: Option<u16>,
    down: Option<u16>,
}

/// All ports between hosts.
#[derive(Default)]
pub(super) struct Switches {
    ports: Vec<Port>,
    /// By host; empty where there is no switch.
    plugs: Vec<Plug>,
}

impl Switches {
    pub(super) fn new(hosts: &[HostSpec], specs: &[SwitchSpec]) -> Switches {
        let mut switches = Switches::default();
        if specs.is_empty() {
            return switches;
        }
        switches.plugs = alloc::vec![Plug::default(); hosts.len()];
        for (spec, number) in specs.iter().zip(1..) {
            let (up, down) = (switches.port(spec.uplink, spec), switches.port(spec.uplink, spec));
            for name in &spec.hosts {
                let Some(host) = hosts.iter().position(|host| host.name == *name) else { continue };
                let out = switches.port(spec.bandwidth, spec);
                let into = switches.port(spec.bandwidth, spec);
                switches.plugs[host] = Plug { switch: number, out, into, up, down };
            }
        }
        switches
    }

    fn port(&mut self, bandwidth: u64, spec: &SwitchSpec) -> Option<u16> {
        if bandwidth == 0 {
            return None;
        }
        let longest_wait = time_for(spec.queue, bandwidth);
        self.ports.push(Port { bandwidth, longest_wait, busy: Nanos::ZERO });
        Some(self.ports.len() as u16 - 1)
    }

    /// Whether there are no ports to wait for.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    fn way(&self, from: u16, to: u16) -> impl Iterator<Item = usize> + use<> {
        let plug = |host: u16| self.plugs.get(usize::from(host)).copied().unwrap_or_default();
        let (from, to) = (plug(from), plug(to));
        let (up, down) = match from.switch == to.switch {
            true => (None, None),
            false => (from.up, to.down),
        };
        [from.out, up, down, to.into].into_iter().flatten().map(usize::from)
    }

    /// Takes so many bytes through all ports on the way: when the last one is sent.
    pub(super) fn pass(&mut self, now: Nanos, from: u16, to: u16, bytes: u64) -> Nanos {
        let mut at = now;
        for port in self.way(from, to) {
            let port = &mut self.ports[port];
            port.busy = port.busy.max(now) + time_for(bytes, port.bandwidth);
            // The first packet of a segment goes on when it is there, and the others follow.
            at = port.busy.max(at + time_for(bytes.min(PACKET), port.bandwidth));
        }
        at
    }

    /// When all queues on the way have room, if one of them has none now.
    pub(super) fn full_until(&self, now: Nanos, from: u16, to: u16, room: Room) -> Option<Nanos> {
        let full = |port: usize| {
            let limit = room.of(self.ports[port].longest_wait);
            let busy = self.ports[port].busy;
            (busy > now + limit).then(|| busy - limit)
        };
        self.way(from, to).filter_map(full).max()
    }
}

/// Bytes of a full packet on the wire.
const PACKET: u64 = 1514;

/// How long a port takes to send so many bytes.
fn time_for(bytes: u64, bandwidth: u64) -> Nanos {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bandwidth);
    Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
