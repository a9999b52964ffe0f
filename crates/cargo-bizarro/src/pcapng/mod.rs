//! The packets of a run as a file for Wireshark and tshark (pcapng, draft-ietf-opsawg-pcapng).
//!
//! Every packet stands where it leaves its sender, at that virtual time. What a run does not have and a wire
//! does is made up here: Ethernet addresses, sequence numbers, windows, and the acknowledgement of each segment,
//! sent the moment it arrives. A packet that was lost has a comment that says so.

mod file;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bizarro_record::packet::Payload;
use bizarro_record::{Event, Nanos, Packet, RunRecord};
use etherparse::PacketBuilder;

use file::File;
use streams::{Flags, Streams};

/// The most bytes of TCP in one packet: what fits into an Ethernet frame of usual size.
const MSS: usize = 1460;
/// What a window of 16 bits is multiplied with, as a power of two (RFC 7323).
const WINDOW_SCALE: u8 = 7;
const WINDOW: u16 = u16::MAX;
const TTL: u8 = 64;

/// The file of a run that was recorded with its packets.
pub(crate) fn pcapng(record: &RunRecord) -> Vec<u8> {
    let about = format!("{}: {}", record.test, record.plan);
    let mut wire =
        Wire { file: File::new(&about), streams: Streams::default(), hosts: BTreeMap::new() };
    wire.name_hosts(record);
    for step in steps(record) {
        match step {
            Step::Leaves(at, packet) => wire.leaves(at, packet),
            Step::Arrives(at, packet) => wire.arrives(at, packet),
        }
    }
    wire.file.into_bytes()
}

enum Step<'a> {
    Leaves(Nanos, &'a Packet),
    Arrives(Nanos, &'a Packet),
}

/// What happens to packets, in the order of time. What arrives at a moment is there before what leaves at it.
fn steps(record: &RunRecord) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for stamped in &record.events {
        let Event::Packet { packet } = &stamped.event else { continue };
        steps.push(Step::Leaves(stamped.at, packet));
        steps.extend(packet.arrives.map(|at| Step::Arrives(at, packet)));
    }
    steps.sort_by_key(|step| match step {
        Step::Arrives(at, _) => (*at, 0),
        Step::Leaves(at, _) => (*at, 1),
    });
    steps
}

struct Wire {
    file: File,
    streams: Streams,
    /// The number of the host that has an address.
    hosts: BTreeMap<IpAddr, u16>,
}

impl Wire {
    /// Which host has which address is seen by what it sends.
    fn name_hosts(&mut self, record: &RunRecord) {
        for stamped in &record.events {
            if let Event::Packet { packet } = &stamped.event {
                self.hosts.insert(packet.source.ip(), stamped.host);
            }
        }
        let name = |(ip, host): (&IpAddr, &u16)| {
            Some((*ip, record.hosts.get(usize::from(*host))?.as_str()))
        };
        let names: Vec<_> = self.hosts.iter().filter_map(name).collect();
        self.file.names(&names);
    }

    fn leaves(&mut self, at: Nanos, packet: &Packet) {
        let lost = packet.arrives.is_none();
        match &packet.payload {
            Payload::Datagram { data } => self.datagram(at, packet, data, lost),
            Payload::Segment { sign, offset, data } => {
                let ends = (packet.source, packet.destination);
                for (flags, part) in self.streams.leaves(ends, *sign, *offset, data, MSS) {
                    self.segment(at, ends, flags, part, lost);
                }
            }
        }
    }

    fn arrives(&mut self, at: Nanos, packet: &Packet) {
        if let Payload::Segment { sign, offset, data } = &packet.payload {
            let ends = (packet.source, packet.destination);
            if let Some(flags) = self.streams.arrives(ends, *sign, *offset, data.len()) {
                self.segment(at, (ends.1, ends.0), flags, &[], false);
            }
        }
    }

    fn datagram(&mut self, at: Nanos, packet: &Packet, data: &[u8], lost: bool) {
        let (source, destination) = (packet.source, packet.destination);
        let builder = PacketBuilder::ethernet2(self.mac(source.ip()), self.mac(destination.ip()));
        let bytes = match (source.ip(), destination.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => built(
                builder
                    .ipv4(from.octets(), to.octets(), TTL)
                    .udp(source.port(), destination.port()),
                data,
            ),
            (from, to) => {
                let builder = builder.ipv6(v6(from), v6(to), TTL);
                built(builder.udp(source.port(), destination.port()), data)
            }
        };
        self.file.packet(at, &bytes, lost);
    }

    fn segment(
        &mut self,
        at: Nanos,
        ends: (SocketAddr, SocketAddr),
        flags: Flags,
        data: &[u8],
        lost: bool,
    ) {
        let (source, destination) = ends;
        let builder = PacketBuilder::ethernet2(self.mac(source.ip()), self.mac(destination.ip()));
        let ports = (source.port(), destination.port());
        let bytes = match (source.ip(), destination.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let builder = builder.ipv4(from.octets(), to.octets(), TTL);
                built_tcp(builder.tcp(ports.0, ports.1, flags.seq, WINDOW), flags, data)
            }
            (from, to) => {
                let builder = builder.ipv6(v6(from), v6(to), TTL);
                built_tcp(builder.tcp(ports.0, ports.1, flags.seq, WINDOW), flags, data)
            }
        };
        self.file.packet(at, &bytes, lost);
    }

    /// An address of no manufacturer (its second bit says so), with the host's number at its end.
    fn mac(&self, ip: IpAddr) -> [u8; 6] {
        let [high, low] = self.hosts.get(&ip).copied().unwrap_or(u16::MAX).to_be_bytes();
        [0x02, 0, 0, 0, high, low]
    }
}

fn v6(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The only way in which this can fail is a packet that is too long, and none is.
const FITS: &str = "a datagram or segment fits into a packet";

fn built(builder: etherparse::PacketBuilderStep<etherparse::UdpHeader>, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(builder.size(data.len()));
    builder.write(&mut bytes, data).expect(FITS);
    bytes
}

fn built_tcp(
    builder: etherparse::PacketBuilderStep<etherparse::TcpHeader>,
    flags: Flags,
    data: &[u8],
) -> Vec<u8> {
    use etherparse::TcpOptionElement::{MaximumSegmentSize, WindowScale};
    let mut builder = builder;
    if let Some(ack) = flags.ack {
        builder = builder.ack(ack);
    }
    if flags.syn {
        let options = [MaximumSegmentSize(MSS as u16), WindowScale(WINDOW_SCALE)];
        builder = builder.syn().options(&options).expect("both options fit");
    }
    if flags.fin {
        builder = builder.fin();
    }
    if flags.rst {
        builder = builder.rst();
    }
    if !data.is_empty() {
        builder = builder.psh();
    }
    let mut bytes = Vec::with_capacity(builder.size(data.len()));
    builder.write(&mut bytes, data).expect(FITS);
    bytes
}
