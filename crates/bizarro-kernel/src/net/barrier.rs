//! Pairs of hosts that cannot talk to each other: for a while because a fault says so, or at all because the plan takes
//! one of them away from the other.

use alloc::vec::Vec;

use bizarro_record::{Effect, Event, Nanos};

use super::{Cx, Net};
use crate::errno::Errno;

/// What stands between two hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wall {
    /// Nothing passes, either way.
    Partition,
    /// The same, and who asks for a connection is told so.
    Unreachable,
    /// The server answers connections and datagrams of the client with a refusal.
    Refused,
}

/// A wall between two hosts, and until when it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Barrier {
    client: u16,
    server: u16,
    until: Nanos,
    wall: Wall,
}

impl Barrier {
    fn stands(&self, now: Nanos) -> bool {
        now < self.until
    }

    fn is_between(&self, one: u16, other: u16) -> bool {
        [(self.client, self.server), (self.server, self.client)].contains(&(one, other))
    }
}

impl Net {
    /// Puts a wall between two hosts.
    pub(super) fn raise(&mut self, now: Nanos, client: u16, server: u16, wall: Wall, lasts: Nanos) {
        self.barriers.retain(|barrier| barrier.stands(now));
        self.barriers.push(Barrier { client, server, until: now + lasts, wall });
    }

    /// How `server` is missing for `client` for the whole run, if it is: asked where the client asks for a connection or
    /// begins to send datagrams. The first time is shown.
    pub(super) fn removed(&mut self, cx: &mut Cx<'_>, client: u16, server: u16) -> Option<Effect> {
        let effect = cx.decider.removed(client, server)?;
        if !self.asked_in_vain.contains(&(client, server)) {
            self.asked_in_vain.push((client, server));
            cx.show(client, Event::Removed { server, effect });
        }
        Some(effect)
    }

    /// Whether a packet between two hosts is lost on a wall. Asked for every packet.
    #[inline]
    pub(super) fn is_walled_off(&self, now: Nanos, from: u16, to: u16) -> bool {
        !self.barriers.is_empty() && self.stops(now, from, to)
    }

    #[cold]
    fn stops(&self, now: Nanos, from: u16, to: u16) -> bool {
        self.barriers.iter().any(|barrier| {
            barrier.stands(now) && barrier.wall != Wall::Refused && barrier.is_between(from, to)
        })
    }

    /// What a client is told that asks for a connection, or sends a datagram: `ECONNREFUSED` or `EHOSTUNREACH`.
    pub(super) fn refusal(&mut self, cx: &mut Cx<'_>, client: u16, server: u16) -> Option<Errno> {
        if !self.conditions.is_calm()
            && let Some(errno) = self.conditions.refusal(cx, client, server)
        {
            return Some(errno);
        }
        let of_pair = |barrier: &&Barrier| {
            barrier.stands(cx.now) && (barrier.client, barrier.server) == (client, server)
        };
        let told: Vec<Errno> = self
            .barriers
            .iter()
            .filter(of_pair)
            .filter_map(|barrier| match barrier.wall {
                Wall::Partition => None,
                Wall::Unreachable => Some(Errno::EHOSTUNREACH),
                Wall::Refused => Some(Errno::ECONNREFUSED),
            })
            .collect();
        // Who cannot get there is not refused there.
        told.iter().copied().find(|errno| *errno == Errno::EHOSTUNREACH).or(told.first().copied())
    }
}
