//! Datagrams on their way between hosts, to many hosts, and to the DNS server.

use alloc::vec::Vec;

use bizarro_record::Event;
use bizarro_record::packet::Payload;

use super::addr::{Endpoint, RESOLVER};
use super::exchange::Mark;
use super::fault::Outcome;
use super::link::{Fate, RESOLVER_LATENCY};
use super::options::Opt;
use super::queue::Room;
use super::socket::SockId;
use super::udp::Datagram;
use super::{Cx, Later, Net};
use crate::errno::Errno;

/// A datagram between two hosts.
struct Flight {
    sender: SockId,
    from_host: u16,
    to_host: u16,
    to: Endpoint,
    message: u64,
    /// Nobody sent it.
    is_made_up: bool,
    datagram: Datagram,
}

/// All datagrams between hosts.
#[derive(Default)]
pub(super) struct Flying {
    places: Vec<Option<Flight>>,
    free: Vec<u32>,
}

impl Flying {
    fn put(&mut self, flight: Flight) -> u32 {
        if let Some(place) = self.free.pop() {
            self.places[place as usize] = Some(flight);
            return place;
        }
        self.places.push(Some(flight));
        self.places.len() as u32 - 1
    }

    /// From whom to whom the datagram in this place is on its way.
    pub(super) fn ends(&self, place: u32) -> Option<(u16, u16)> {
        let flight = self.places.get(place as usize)?.as_ref()?;
        Some((flight.from_host, flight.to_host))
    }

    fn take(&mut self, place: u32) -> Option<Flight> {
        let flight = self.places.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(flight)
    }
}

impl Net {
    /// Sends a datagram to another host.
    pub(super) fn udp_fly(
        &mut self,
        cx: &mut Cx<'_>,
        sender: SockId,
        to_host: u16,
        to: Endpoint,
        mut datagram: Datagram,
    ) -> Result<(), Errno> {
        let from_host = self.udp(sender)?.0.host;
        let (mark, outcome) =
            self.udp_observed(cx, sender, to_host, datagram.from, to, &mut datagram.data)?;
        datagram.mark = mark;
        let is_full = self.full_until(cx.now, from_host, to_host, Room::Any).is_some();
        let mut fate = match is_full {
            true => Fate::Lost,
            false => self.carry(cx, from_host, to_host, datagram.data.len()),
        };
        match outcome {
            Outcome::Pass | Outcome::Repeat(_) => {}
            Outcome::Lose => fate = Fate::Lost,
            Outcome::Delay(by) => {
                if let Fate::Arrives(at) = &mut fate {
                    *at += by;
                }
            }
        }
        let mut message = 0;
        if mark.is_first() && cx.observer.wants_messages() {
            message = self.next_message();
            let label = self.exchanges.label(mark);
            let bytes = datagram.data.len() as u32;
            cx.show(from_host, Event::Sent { message, to: to_host, bytes, label });
        }
        if cx.observer.wants_packets() {
            let payload = Payload::Datagram { data: datagram.data.clone() };
            cx.show_packet((from_host, datagram.from), to, fate, payload);
        }
        match fate {
            Fate::Arrives(at) => {
                let flight =
                    Flight { sender, from_host, to_host, to, message, is_made_up: false, datagram };
                if !self.conditions.is_calm() {
                    self.udp_fly_twice(cx, &flight);
                }
                if let Outcome::Repeat(copies) = outcome {
                    for _ in 0..copies {
                        self.udp_fly_again(cx, &flight, flight.datagram.data.clone());
                    }
                }
                let place = self.flying.put(flight);
                cx.later(at, Later::Datagram(place));
            }
            Fate::Lost => {
                if message != 0 {
                    cx.show(to_host, Event::Dropped { message });
                }
                self.pool.give(datagram.data);
            }
        }
        Ok(())
    }

    /// Sends a copy of a datagram after it, where something on the way makes one.
    #[cold]
    fn udp_fly_twice(&mut self, cx: &mut Cx<'_>, flight: &Flight) {
        let (from, to) = (flight.from_host, flight.to_host);
        if self.conditions.doubles(cx, from, to) {
            self.udp_fly_again(cx, flight, flight.datagram.data.clone());
        }
    }

    /// Sends something else, from and to the same places.
    fn udp_fly_again(&mut self, cx: &mut Cx<'_>, flight: &Flight, data: Vec<u8>) {
        let fate = self.links.carry(cx, flight.from_host, flight.to_host, data.len());
        let Fate::Arrives(at) = fate else { return };
        let datagram = Datagram { data, mark: Mark::NONE, ..flight.datagram };
        let place = self.flying.put(Flight { message: 0, is_made_up: true, datagram, ..*flight });
        cx.later(at, Later::Datagram(place));
    }

    /// A datagram is at its host.
    pub(super) fn datagram_arrives(&mut self, cx: &mut Cx<'_>, place: u32) {
        let Some(mut flight) = self.flying.take(place) else { return };
        match self.away(cx, flight.to_host) {
            Some(None) => {
                if flight.message != 0 {
                    cx.show(flight.to_host, Event::Dropped { message: flight.message });
                }
                return;
            }
            Some(Some(at)) => {
                let place = self.flying.put(flight);
                return cx.later(at, Later::Datagram(place));
            }
            None => {}
        }
        if flight.message != 0 {
            cx.show(flight.to_host, Event::Delivered { message: flight.message });
        }
        let mark = flight.datagram.mark;
        if !flight.is_made_up {
            let (from, to) = (flight.from_host, flight.to_host);
            for data in self.meddled(cx, from, to, &mut flight.datagram.data) {
                self.udp_fly_again(cx, &flight, data);
            }
        }
        if self.udp_deliver(cx, flight.to_host, flight.to, flight.datagram) {
            if mark.is_some() {
                self.datagram_delivered(cx, mark);
            }
        } else if let Fate::Arrives(at) = self.carry(cx, flight.to_host, flight.from_host, 0) {
            let unreachable = Later::PortUnreachable { sock: flight.sender, to: flight.to };
            cx.later(at, unreachable);
        }
    }

    /// Broadcast and multicast: a copy to every other host, and one to this.
    pub(super) fn udp_send_to_many(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to: Endpoint,
        datagram: Datagram,
    ) {
        let Ok((base, _)) = self.udp(id) else { return };
        let host = base.host;
        let loops = base.options.get(Opt::MulticastLoop) != 0 || !to.ip.is_multicast();
        let stays = to.ip.is_loopback();
        for other in 0..self.hosts.len() as u16 {
            if other == host || stays {
                continue;
            }
            if let Fate::Arrives(at) = self.carry(cx, host, other, datagram.data.len()) {
                let copy = Datagram { data: datagram.data.clone(), ..datagram };
                let flight = Flight {
                    sender: id,
                    from_host: host,
                    to_host: other,
                    to,
                    message: 0,
                    is_made_up: false,
                    datagram: copy,
                };
                let place = self.flying.put(flight);
                cx.later(at, Later::Datagram(place));
            }
        }
        if loops {
            self.udp_deliver_to_all(cx, host, to, &datagram);
        }
    }

    /// The DNS server answers.
    pub(super) fn ask_resolver(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to: Endpoint,
        question: Datagram,
    ) {
        let Ok((base, _)) = self.udp(id) else { return };
        let host = base.host;
        let at = cx.now + RESOLVER_LATENCY + RESOLVER_LATENCY;
        if to.port != super::dns::PORT {
            return cx.later(at, Later::PortUnreachable { sock: id, to });
        }
        let Some(data) = self.names.answer(&question.data) else { return };
        let datagram = Datagram {
            data,
            from: Endpoint { ip: RESOLVER.into(), port: super::dns::PORT },
            to: question.from.ip,
            ..question
        };
        let to = question.from;
        let flight = Flight {
            sender: SockId::NONE,
            from_host: host,
            to_host: host,
            to,
            message: 0,
            is_made_up: false,
            datagram,
        };
        let place = self.flying.put(flight);
        cx.later(at, Later::Datagram(place));
    }
}
