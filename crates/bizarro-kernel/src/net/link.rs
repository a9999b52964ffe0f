//! How long a packet takes from one host to another, and whether it gets there.
//!
//! A packet waits until the packets before it are on the wire (where the link has a bandwidth), then
//! takes a latency that the decider draws. It does not know what a packet carries.

use alloc::vec::Vec;

use bizarro_record::{LinkSpec, Nanos, WorldSpec};

use super::Cx;
use super::switch::Switches;

/// Time from a host to the DNS server or back. Not drawn, so that a name look-up moves nothing else.
pub(super) const RESOLVER_LATENCY: Nanos = Nanos::from_micros(300);

/// Bytes of payload in a packet, for the number of packets that a segment stands for.
const PAYLOAD: usize = 1448;

/// Bytes that a packet is longer on the wire than its payload: Ethernet, IP, and TCP with timestamps.
const HEADERS: usize = 66;

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It arrives at this time.
    Arrives(Nanos),
    /// It is lost.
    Lost,
}

struct Link {
    latency_min: u64,
    latency_max: u64,
    bandwidth: u64,
    loss_ppm: u32,
}

/// The links between all pairs of hosts.
pub(super) struct Links {
    links: Vec<Link>,
    /// Which link joins two hosts, at `from * hosts + to`.
    between: Vec<u16>,
    /// Until when the direction is busy sending, same index; empty where no link has a bandwidth.
    busy: Vec<Nanos>,
    hosts: usize,
    /// The ports that packets wait for.
    pub(super) switches: Switches,
}

impl Links {
    pub(super) fn new(world: &WorldSpec) -> Links {
        let (hosts, specs) = (&world.hosts, &world.links);
        let named = |name: &str| hosts.iter().position(|host| host.name == name);
        let unnamed = LinkSpec::default();
        let fallback = specs.iter().find(|spec| spec.between.is_none()).unwrap_or(&unnamed);
        let mut links = alloc::vec![Link::new(fallback)];
        let mut between = alloc::vec![0; hosts.len() * hosts.len()];
        for spec in specs {
            let Some((a, b)) = &spec.between else { continue };
            let (Some(a), Some(b)) = (named(a), named(b)) else { continue };
            let index = links.len() as u16;
            links.push(Link::new(spec));
            between[a * hosts.len() + b] = index;
            between[b * hosts.len() + a] = index;
        }
        let limited = links.iter().any(|link| link.bandwidth > 0);
        let busy = if limited { alloc::vec![Nanos::ZERO; between.len()] } else { Vec::new() };
        let switches = Switches::new(hosts, &world.switches);
        Links { links, between, busy, hosts: hosts.len(), switches }
    }

    /// Sends `bytes` of payload from one host to another.
    pub(super) fn carry(&mut self, cx: &mut Cx<'_>, from: u16, to: u16, bytes: usize) -> Fate {
        let at = usize::from(from) * self.hosts + usize::from(to);
        let link = &self.links[usize::from(self.between[at])];
        let packets = bytes.div_ceil(PAYLOAD).max(1);
        let mut departs = cx.now;
        let length = (bytes + packets * HEADERS) as u64;
        if let Some(takes) = length.saturating_mul(1_000_000_000).checked_div(link.bandwidth) {
            departs = self.busy[at].max(cx.now) + Nanos(takes);
            self.busy[at] = departs;
        }
        if !self.switches.is_empty() {
            departs = self.switches.pass(departs, from, to, length);
        }
        if link.loss_ppm > 0 {
            let ppm = (packets as u64).saturating_mul(u64::from(link.loss_ppm)).min(1_000_000);
            if cx.decider.chance(ppm as u32) {
                return Fate::Lost;
            }
        }
        Fate::Arrives(departs + Nanos(cx.decider.latency(link.latency_min, link.latency_max)))
    }

    /// A typical round trip between two hosts, for TCP_INFO.
    pub(super) fn round_trip(&self, from: u16, to: u16) -> Nanos {
        let link = &self.links
            [usize::from(self.between[usize::from(from) * self.hosts + usize::from(to)])];
        Nanos(link.latency_min.saturating_add(link.latency_max))
    }
}

impl Link {
    fn new(spec: &LinkSpec) -> Link {
        Link {
            latency_min: spec.latency_min.0,
            latency_max: spec.latency_max.0.max(spec.latency_min.0),
            bandwidth: spec.bandwidth,
            loss_ppm: spec.loss_ppm,
        }
    }
}
