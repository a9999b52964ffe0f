//! Netlink sockets, rtnetlink(7): enough for getifaddrs(3) and getaddrinfo(3), which ask for the links, the
//! addresses and the routes of the host.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::addr::{Interface, SockAddr};
use super::calls::{Received, Source};
use super::socket::{Proto, SockId};
use super::{Cx, Net, Wake};
use crate::errno::Errno;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLM_F_MULTI: u16 = 2;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_FLAGS: u16 = 8;
const IFA_F_PERMANENT: u32 = 0x80;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;

const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RT_SCOPE_HOST: u8 = 254;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_KERNEL: u8 = 2;
const RTN_UNICAST: u8 = 1;

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// A netlink socket.
#[derive(Default)]
pub(super) struct Netlink {
    /// Its address; 0 until it is bound.
    pub(super) port: u32,
    /// Answers that were not read.
    rx: VecDeque<Vec<u8>>,
}

impl Netlink {
    pub(super) fn readiness(&self) -> i32 {
        let writable = libc::EPOLLOUT | libc::EPOLLWRNORM | libc::EPOLLWRBAND;
        if self.rx.is_empty() { writable } else { writable | libc::EPOLLIN | libc::EPOLLRDNORM }
    }
}

impl Net {
    fn netlink(&mut self, id: SockId) -> Result<&mut Netlink, Errno> {
        match self.sockets.get_mut(id).map(|socket| &mut socket.proto) {
            Some(Proto::Netlink(netlink)) => Ok(netlink),
            _ => Err(Errno::EBADF),
        }
    }

    /// bind(2) of a netlink socket: port 0 becomes a free one.
    pub(super) fn netlink_bind(&mut self, id: SockId, to: &SockAddr) -> Result<(), Errno> {
        let SockAddr::Netlink(port) = to else { return Err(Errno::EINVAL) };
        let host = self.socket_of(id)?.base.host;
        if self.netlink(id)?.port != 0 {
            return Err(Errno::EINVAL);
        }
        let taken = |wanted: u32| {
            let is_user = |socket: &super::Socket| {
                socket.base.host == host
                    && matches!(&socket.proto, Proto::Netlink(other) if other.port == wanted)
            };
            !self.sockets.filter(is_user).is_empty()
        };
        let port = match *port {
            0 => (1..).find(|port| !taken(*port)).ok_or(Errno::EADDRINUSE)?,
            port if taken(port) => return Err(Errno::EADDRINUSE),
            port => port,
        };
        self.netlink(id)?.port = port;
        Ok(())
    }

    /// send(2) of a netlink socket: the answers are there when it returns.
    pub(super) fn netlink_send(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        source: &mut dyn Source,
    ) -> Result<usize, Errno> {
        let length = source.left();
        let mut request = alloc::vec![0; length];
        source.read(&mut request)?;
        if self.netlink(id)?.port == 0 {
            self.netlink_bind(id, &SockAddr::Netlink(0))?;
        }
        let interfaces = self.interfaces(self.socket_of(id)?.base.host);
        let netlink = self.netlink(id)?;
        let answers = answer(&request, netlink.port, &interfaces);
        netlink.rx.extend(answers);
        cx.wake(id, Wake::READABLE);
        Ok(length)
    }

    /// recv(2) of a netlink socket.
    pub(super) fn netlink_recv(
        &mut self,
        id: SockId,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Errno>,
        max: usize,
        flags: i32,
    ) -> Result<Received, Errno> {
        let netlink = self.netlink(id)?;
        let first = netlink.rx.front().ok_or(Errno::EAGAIN)?;
        let (length, part) = (first.len(), first.len().min(max));
        sink(&first[..part])?;
        if flags & libc::MSG_PEEK == 0 {
            netlink.rx.pop_front();
        }
        Ok(Received {
            bytes: if flags & libc::MSG_TRUNC != 0 { length } else { part },
            from: Some(SockAddr::Netlink(0)),
            flags: if part < length { libc::MSG_TRUNC } else { 0 },
            control: Vec::new(),
        })
    }
}

/// A message that is being written.
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn new(kind: u16, flags: u16, sequence: &[u8], port: u32) -> Message {
        let mut bytes = alloc::vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend_from_slice(sequence);
        bytes.extend(port.to_ne_bytes());
        Message { bytes }
    }

    fn attribute(&mut self, kind: u16, data: &[u8]) {
        self.bytes.extend((4 + data.len() as u16).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend_from_slice(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self, into: &mut Vec<u8>) {
        let length = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        into.extend(self.bytes);
    }
}

/// The datagrams that answer a request: one with the facts, one that says that there are no more.
fn answer(request: &[u8], port: u32, interfaces: &[Interface]) -> Vec<Vec<u8>> {
    if request.len() < HEADER {
        return Vec::new();
    }
    let kind = u16::from_ne_bytes([request[4], request[5]]);
    let sequence = &request[8..12];
    let family = request.get(HEADER).copied().map_or(0, i32::from);
    let mut facts = Vec::new();
    for interface in interfaces {
        match kind {
            RTM_GETLINK => link(interface, sequence, port, &mut facts),
            RTM_GETADDR => addresses(interface, family, sequence, port, &mut facts),
            RTM_GETROUTE => routes(interface, family, sequence, port, &mut facts),
            _ => {
                let mut error = Message::new(NLMSG_ERROR, 0, sequence, port);
                error.bytes.extend((-libc::EOPNOTSUPP).to_ne_bytes());
                error.bytes.extend_from_slice(&request[..HEADER]);
                error.finish(&mut facts);
                return alloc::vec![facts];
            }
        }
    }
    let mut end = Vec::new();
    let mut done = Message::new(NLMSG_DONE, NLM_F_MULTI, sequence, port);
    done.bytes.extend(0_i32.to_ne_bytes());
    done.finish(&mut end);
    if facts.is_empty() { alloc::vec![end] } else { alloc::vec![facts, end] }
}

fn link(interface: &Interface, sequence: &[u8], port: u32, into: &mut Vec<u8>) {
    let mut message = Message::new(RTM_NEWLINK, NLM_F_MULTI, sequence, port);
    let hardware = if interface.name == "lo" { ARPHRD_LOOPBACK } else { ARPHRD_ETHER };
    // struct ifinfomsg: family, padding, hardware type, index, flags, change.
    message.bytes.extend([0, 0]);
    message.bytes.extend(hardware.to_ne_bytes());
    message.bytes.extend(interface.index.to_ne_bytes());
    message.bytes.extend(interface.flags.to_ne_bytes());
    message.bytes.extend(0_u32.to_ne_bytes());
    message.attribute(IFLA_IFNAME, &name(interface));
    message.attribute(IFLA_MTU, &interface.mtu.to_ne_bytes());
    message.attribute(IFLA_ADDRESS, &interface.mac);
    message.finish(into);
}

fn name(interface: &Interface) -> Vec<u8> {
    let mut name = interface.name.as_bytes().to_vec();
    name.push(0);
    name
}

/// The number of an address's family, and its bytes.
fn parts(ip: IpAddr) -> (i32, Vec<u8>) {
    match ip {
        IpAddr::V4(ip) => (libc::AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (libc::AF_INET6, ip.octets().to_vec()),
    }
}

fn addresses(interface: &Interface, wanted: i32, sequence: &[u8], port: u32, into: &mut Vec<u8>) {
    for (ip, prefix) in &interface.addresses {
        let (family, octets) = parts(*ip);
        if wanted != libc::AF_UNSPEC && wanted != family {
            continue;
        }
        let mut message = Message::new(RTM_NEWADDR, NLM_F_MULTI, sequence, port);
        let scope = if ip.is_loopback() { RT_SCOPE_HOST } else { RT_SCOPE_UNIVERSE };
        // struct ifaddrmsg: family, prefix, flags, scope, index.
        message.bytes.extend([family as u8, *prefix, IFA_F_PERMANENT as u8, scope]);
        message.bytes.extend(interface.index.to_ne_bytes());
        message.attribute(IFA_ADDRESS, &octets);
        if family == libc::AF_INET {
            message.attribute(IFA_LOCAL, &octets);
            message.attribute(IFA_LABEL, &name(interface));
        }
        message.attribute(IFA_FLAGS, &IFA_F_PERMANENT.to_ne_bytes());
        message.finish(into);
    }
}

/// The routes to the networks of `eth0`; there is none beyond them.
fn routes(interface: &Interface, wanted: i32, sequence: &[u8], port: u32, into: &mut Vec<u8>) {
    for (ip, prefix) in &interface.addresses {
        let (family, mut octets) = parts(*ip);
        if ip.is_loopback() || wanted != libc::AF_UNSPEC && wanted != family {
            continue;
        }
        for (octet, at) in octets.iter_mut().zip(0_u8..) {
            let kept = prefix.saturating_sub(at * 8).min(8);
            *octet &= (0xff00_u16 >> kept) as u8;
        }
        let mut message = Message::new(RTM_NEWROUTE, NLM_F_MULTI, sequence, port);
        // struct rtmsg: family, destination and source lengths, TOS, table, protocol, scope, type, flags.
        message.bytes.extend([
            family as u8,
            *prefix,
            0,
            0,
            RT_TABLE_MAIN,
            RTPROT_KERNEL,
            RT_SCOPE_LINK,
            RTN_UNICAST,
        ]);
        message.bytes.extend(0_u32.to_ne_bytes());
        message.attribute(RTA_DST, &octets);
        message.attribute(RTA_OIF, &interface.index.to_ne_bytes());
        message.finish(into);
    }
}
