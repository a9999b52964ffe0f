//! Packets for an observer that wants their bytes.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use bizarro_record::packet::{Payload, Sign};
use bizarro_record::{Event, Nanos, Packet};

use super::Cx;
use super::addr::Endpoint;
use super::link::Fate;
use super::tcp::{Segment, What};

impl Cx<'_> {
    /// Shows a segment that is sent from one host to another, and arrives at that time if it does.
    pub(super) fn show_segment(
        &mut self,
        (host, source): (u16, Endpoint),
        (to, destination): (u16, Endpoint),
        arrives: Option<Nanos>,
        segment: &Segment,
    ) {
        if host == to {
            return;
        }
        let sign = match segment.what {
            What::Data => Sign::Data,
            What::Ack => Sign::Ack,
            What::Fin => Sign::Fin,
            What::Rst => Sign::Rst,
        };
        let data = segment.data.clone();
        let fate = arrives.map_or(Fate::Lost, Fate::Arrives);
        let payload = Payload::Segment { sign, offset: segment.offset, data };
        self.show_packet((host, source), destination, fate, payload);
    }

    /// Shows a segment without bytes, if somebody wants to see it.
    pub(super) fn show_sign_packet(
        &mut self,
        (host, source): (u16, Endpoint),
        (to, destination): (u16, Endpoint),
        fate: Fate,
        sign: Sign,
    ) {
        if host != to && self.observer.wants_packets() {
            let payload = Payload::Segment { sign, offset: 0, data: Vec::new() };
            self.show_packet((host, source), destination, fate, payload);
        }
    }

    /// Shows a packet.
    pub(super) fn show_packet(
        &mut self,
        (host, source): (u16, Endpoint),
        destination: Endpoint,
        fate: Fate,
        payload: Payload,
    ) {
        let arrives = match fate {
            Fate::Arrives(at) => Some(at),
            Fate::Lost => None,
        };
        let address = |end: Endpoint| SocketAddr::new(end.ip, end.port);
        let (source, destination) = (address(source), address(destination));
        let packet = Box::new(Packet { source, destination, arrives, payload });
        self.show(host, Event::Packet { packet });
    }
}
