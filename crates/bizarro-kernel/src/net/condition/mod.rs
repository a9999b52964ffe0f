//! What is wrong with the ways between hosts for a while: the [`LinkTrouble`]s of a plan, as they begin and end.
//!
//! | what | packets | TCP besides |
//! |---|---|---|
//! | partition, unreachable, flap while it is down | are lost when they are sent | acknowledgements are lost, too: what was delivered is sent again and its space is not freed; keep-alive probes in vain |
//! | loss, delay, jitter, reorder, limp | are lost or later | the stream keeps its order; see [`queue`](super::queue) for limp |
//! | duplicate | of UDP arrive twice | nothing: the second one is thrown away |
//! | stall | wait at the end of the way until it is over | the sender's timers run |
//! | corrupt, tamper, replay, inject, eavesdrop | are changed, or followed by others, where they arrive ([`adversary`]) | the same with the bytes of the stream |
//! | refuse, reset | are answered by the box or host that does so | |
//!
//! Where nothing is wrong, all of this costs a branch on an empty list. What is drawn comes from a stream of its own.
//!
//! DIVERGENCE: an acknowledgement is lost where *nothing* passes. Where some packets are lost, some acknowledgements would
//! be, and the next one would make up for them; a program sees nothing of it.

mod adversary;
mod stream;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bizarro_record::{ANYBODY, Event, LinkTrouble, Nanos, Trouble, Way, WorldSpec};

use super::queue::Room;
use super::{Cx, Later, Net};
use crate::errno::Errno;

use adversary::Past;
pub(super) use adversary::forge;
pub(super) use stream::Unheard;

/// Bytes of payload in a packet, for the number of packets that a segment stands for.
const PAYLOAD: usize = 1448;

/// Bytes that wait before a slow link; further datagrams are lost, and TCP waits.
const QUEUE: u64 = 256 << 10;

/// Some of the hosts, by index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Members(Vec<bool>);

impl Members {
    pub(super) fn has(&self, host: u16) -> bool {
        self.0.get(usize::from(host)).copied().unwrap_or(false)
    }
}

/// Who is who: by index, the names by which a way may mean a host.
struct Names(Vec<Vec<String>>);

impl Names {
    fn new(world: &WorldSpec) -> Names {
        let names = world.hosts.iter().map(|host| {
            let zones = world.zones.iter().filter(|zone| zone.hosts.contains(&host.name));
            let own = [Some(&host.name), host.group.as_ref()].into_iter().flatten();
            own.chain(zones.map(|zone| &zone.name)).cloned().collect()
        });
        Names(names.collect())
    }

    /// The hosts that are called so, or are in the group or zone that is.
    fn called(&self, name: &str) -> Members {
        let is_meant = |names: &Vec<String>| name == ANYBODY || names.iter().any(|n| n == name);
        Members(self.0.iter().map(is_meant).collect())
    }

    /// The hosts at both ends of a way.
    fn ends(&self, way: &Way) -> Ends {
        Ends { from: self.called(&way.from), to: self.called(&way.to), is_both: way.is_both }
    }
}

/// A way, by hosts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ends {
    from: Members,
    to: Members,
    is_both: bool,
}

impl Ends {
    /// Whether what `from` sends to `to` goes this way.
    pub(super) fn is_way(&self, from: u16, to: u16) -> bool {
        from != to
            && (self.from.has(from) && self.to.has(to)
                || self.is_both && self.from.has(to) && self.to.has(from))
    }

    /// Whether something between these two goes this way, in either direction.
    pub(super) fn is_between(&self, one: u16, other: u16) -> bool {
        self.is_way(one, other) || self.is_way(other, one)
    }
}

/// Something that is wrong with a way now.
struct Condition {
    way: Way,
    trouble: LinkTrouble,
    ends: Ends,
    /// For the events that are its own.
    number: u32,
    /// Of a flapping link: whether it is down.
    is_down: bool,
    /// Of a limping link: until when it is busy, by direction.
    busy: BTreeMap<(u16, u16), Nanos>,
    /// Of a stall: what waits.
    waiting: Vec<Later>,
    /// It has met a packet.
    is_felt: bool,
}

/// Everything that is wrong with ways now.
pub(super) struct Conditions {
    names: Names,
    list: Vec<Condition>,
    made: u32,
    past: Past,
}

impl Conditions {
    pub(super) fn new(world: &WorldSpec) -> Conditions {
        Conditions { names: Names::new(world), list: Vec::new(), made: 0, past: Past::default() }
    }

    /// The hosts that are called so, or are in the group or zone that is.
    pub(super) fn called(&self, name: &str) -> Members {
        self.names.called(name)
    }

    /// The hosts at both ends of a way.
    pub(super) fn ends(&self, way: &Way) -> Ends {
        self.names.ends(way)
    }

    /// Whether nothing is wrong.
    #[inline]
    pub(super) fn is_calm(&self) -> bool {
        self.list.is_empty()
    }

    fn on(&self, from: u16, to: u16) -> impl Iterator<Item = &Condition> {
        self.list.iter().filter(move |condition| condition.ends.is_way(from, to))
    }

    /// Whether nothing that `from` sends gets to `to` for good.
    #[cold]
    fn is_cut(&self, from: u16, to: u16) -> bool {
        self.on(from, to).any(|condition| match condition.trouble {
            LinkTrouble::Partition | LinkTrouble::Unreachable | LinkTrouble::Loss { one_in: 1 } => {
                true
            }
            LinkTrouble::Flap { .. } => condition.is_down,
            _ => false,
        })
    }

    #[cold]
    fn is_stalled(&self, from: u16, to: u16) -> bool {
        self.on(from, to).any(|condition| condition.trouble == LinkTrouble::Stall)
    }

    /// Whether nothing that `from` sends arrives at `to` now.
    pub(super) fn is_silent(&self, from: u16, to: u16) -> bool {
        self.is_cut(from, to) || self.is_stalled(from, to)
    }

    /// Whether no answer comes from `other`, because one direction or the other is silent.
    pub(super) fn is_dead(&self, one: u16, other: u16) -> bool {
        !self.is_calm() && (self.is_silent(one, other) || self.is_silent(other, one))
    }

    /// What whoever asks `server` is told.
    #[cold]
    pub(super) fn refusal(&mut self, cx: &mut Cx<'_>, client: u16, server: u16) -> Option<Errno> {
        let mut told = None;
        for condition in self.list.iter_mut().filter(|c| c.ends.is_way(client, server)) {
            let errno = match condition.trouble {
                LinkTrouble::Unreachable => Errno::EHOSTUNREACH,
                LinkTrouble::Refuse => Errno::ECONNREFUSED,
                _ => continue,
            };
            condition.feel(cx, client, server);
            // Who cannot get there is not refused there.
            if told != Some(Errno::EHOSTUNREACH) {
                told = Some(errno);
            }
        }
        told
    }

    /// Who waits for a sign of life from `other` gets none.
    #[cold]
    pub(super) fn feel_silence(&mut self, cx: &mut Cx<'_>, one: u16, other: u16) {
        for condition in self.list.iter_mut().filter(|c| c.ends.is_between(one, other)) {
            let is_silent = match condition.trouble {
                LinkTrouble::Partition
                | LinkTrouble::Unreachable
                | LinkTrouble::Stall
                | LinkTrouble::Loss { one_in: 1 } => true,
                LinkTrouble::Flap { .. } => condition.is_down,
                _ => false,
            };
            if is_silent {
                condition.feel(cx, one, other);
            }
        }
    }

    /// Whether a box on the way resets connections.
    #[cold]
    pub(super) fn resets(&mut self, cx: &mut Cx<'_>, from: u16, to: u16) -> bool {
        let mut resets = false;
        for condition in self.list.iter_mut().filter(|c| c.ends.is_way(from, to)) {
            if condition.trouble == LinkTrouble::Reset {
                condition.feel(cx, from, to);
                resets = true;
            }
        }
        resets
    }

    /// When the queue before a slow link has room for more, if it has none now.
    #[cold]
    pub(super) fn full_until(&self, now: Nanos, from: u16, to: u16, room: Room) -> Option<Nanos> {
        let full = |condition: &Condition| {
            let LinkTrouble::Limp { bandwidth } = condition.trouble else { return None };
            let busy = condition.busy.get(&(from, to)).copied().unwrap_or_default();
            let queue = Nanos((u128::from(QUEUE) * 1_000_000_000 / u128::from(bandwidth)) as u64);
            let limit = room.of(queue);
            (busy > now + limit).then(|| busy - limit)
        };
        self.on(from, to).filter_map(full).max()
    }

    /// How much later than usual a packet arrives, or `None` if it does not.
    #[cold]
    pub(super) fn hinder(
        &mut self,
        cx: &mut Cx<'_>,
        from: u16,
        to: u16,
        bytes: usize,
    ) -> Option<Nanos> {
        let packets = bytes.div_ceil(PAYLOAD).max(1) as u64;
        let mut is_lost = false;
        let mut later = Nanos::ZERO;
        for condition in self.list.iter_mut().filter(|c| c.ends.is_way(from, to)) {
            let mut meets = |one_in: u32| cx.decider.disturbance(1, u64::from(one_in)) <= packets;
            let by = match condition.trouble {
                LinkTrouble::Partition | LinkTrouble::Unreachable => None,
                LinkTrouble::Flap { .. } if condition.is_down => None,
                LinkTrouble::Loss { one_in } if meets(one_in) => None,
                LinkTrouble::Delay { by } => Some(by),
                LinkTrouble::Jitter { up_to } => Some(Nanos(cx.decider.disturbance(0, up_to.0))),
                LinkTrouble::Reorder { one_in, by } if meets(one_in) => Some(by),
                LinkTrouble::Limp { bandwidth } => {
                    let busy = condition.busy.entry((from, to)).or_default();
                    let wire = (bytes as u64 + packets * HEADERS) as u128 * 1_000_000_000;
                    let takes = (wire / u128::from(bandwidth)).min(u128::from(u64::MAX / 4));
                    *busy = (*busy).max(cx.now) + Nanos(takes as u64);
                    Some(*busy - cx.now)
                }
                _ => continue,
            };
            condition.feel(cx, from, to);
            match by {
                Some(by) => later += by,
                None => is_lost = true,
            }
        }
        (!is_lost).then_some(later)
    }

    /// Whether a datagram arrives twice.
    #[cold]
    pub(super) fn doubles(&mut self, cx: &mut Cx<'_>, from: u16, to: u16) -> bool {
        let mut doubles = false;
        for condition in self.list.iter_mut().filter(|c| c.ends.is_way(from, to)) {
            if let LinkTrouble::Duplicate { one_in } = condition.trouble
                && cx.decider.disturbance(1, u64::from(one_in)) == 1
            {
                condition.feel(cx, from, to);
                doubles = true;
            }
        }
        doubles
    }
}

/// Bytes that a packet is longer on the wire than its payload: Ethernet, IP, and TCP with timestamps.
const HEADERS: u64 = 66;

impl Condition {
    /// It has met a packet: said once.
    fn feel(&mut self, cx: &mut Cx<'_>, from: u16, to: u16) {
        if !self.is_felt {
            self.is_felt = true;
            let trouble = Trouble::Link { way: self.way.clone(), trouble: self.trouble };
            let trouble = Box::new(trouble);
            cx.show(from, Event::Felt { trouble, to, label: String::new() });
        }
    }
}

impl Net {
    /// Something is wrong with this way from now on.
    pub fn begin_condition(&mut self, cx: &mut Cx<'_>, way: &Way, trouble: LinkTrouble) {
        self.conditions.made += 1;
        let number = self.conditions.made;
        let ends = self.conditions.names.ends(way);
        self.conditions.list.push(Condition {
            way: way.clone(),
            trouble,
            ends: ends.clone(),
            number,
            is_down: false,
            busy: BTreeMap::new(),
            waiting: Vec::new(),
            is_felt: false,
        });
        match trouble {
            LinkTrouble::Flap { .. } => self.flap(cx, number),
            LinkTrouble::Reset => {
                if let Some((one, other)) = self.tcp_reset_between(cx, &ends)
                    && let Some(condition) = self.conditions.list.last_mut()
                {
                    condition.feel(cx, one, other);
                }
            }
            LinkTrouble::Partition
            | LinkTrouble::Unreachable
            | LinkTrouble::Stall
            | LinkTrouble::Loss { one_in: 1 } => self.tcp_falls_silent(cx, &ends),
            _ => {}
        }
    }

    /// This is over. Where nothing of the kind is wrong, nothing happens.
    pub fn end_condition(&mut self, cx: &mut Cx<'_>, way: &Way, trouble: LinkTrouble) {
        let is_it = |c: &Condition| c.way == *way && c.trouble == trouble;
        let Some(at) = self.conditions.list.iter().position(is_it) else { return };
        let condition = self.conditions.list.remove(at);
        for event in condition.waiting {
            cx.later(cx.now, event);
        }
        self.tcp_is_heard_again(cx, &condition.ends, trouble == LinkTrouble::Stall);
    }

    /// A flapping link changes.
    pub(super) fn flap(&mut self, cx: &mut Cx<'_>, number: u32) {
        let Some(condition) = self.conditions.list.iter_mut().find(|c| c.number == number) else {
            return;
        };
        let LinkTrouble::Flap { period } = condition.trouble else { return };
        condition.is_down = !condition.is_down;
        let (is_down, ends) = (condition.is_down, condition.ends.clone());
        let half = period.0 / 2;
        let lasts = if is_down { half } else { period.0 - half };
        cx.later(cx.now + Nanos(lasts), Later::Flap(number));
        if is_down {
            self.tcp_falls_silent(cx, &ends);
        } else {
            self.tcp_is_heard_again(cx, &ends, false);
        }
    }

    /// Keeps an event that a stall does not let happen; gives whether it was kept.
    #[cold]
    pub(super) fn keep_for_later(&mut self, cx: &mut Cx<'_>, event: Later) -> bool {
        let Some((from, to)) = self.way_of(event) else { return false };
        let stall = self.conditions.list.iter_mut().find(|condition| {
            condition.trouble == LinkTrouble::Stall && condition.ends.is_way(from, to)
        });
        let Some(stall) = stall else { return false };
        stall.feel(cx, from, to);
        stall.waiting.push(event);
        if let Later::Arrive(id) = event {
            self.tcp_awaits(cx, id);
        }
        true
    }

    /// From whom to whom the packet is on its way that arrives.
    fn way_of(&mut self, event: Later) -> Option<(u16, u16)> {
        match event {
            Later::Arrive(id) | Later::Syn(id) | Later::SynAck { child: id, .. } => {
                self.tcp(id).map(|(base, tcp)| (base.host, tcp.peer_host))
            }
            Later::Reset(id) | Later::Acknowledged(id) => {
                self.tcp(id).map(|(base, tcp)| (tcp.peer_host, base.host))
            }
            Later::Datagram(place) => self.flying.ends(place),
            _ => None,
        }
    }
}
