//! setsockopt(2) and getsockopt(2).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bizarro_record::Nanos;

use super::options::{Opt, Row, Rule, Who, find};
use super::socket::{Base, Proto, SockId, Socket};
use super::tcp::{Path, State, Tcp, receive_window, send_buffer};
use super::{Cx, Net};
use crate::errno::Errno;

/// Largest segment on `eth0` with timestamps, and on `lo`.
const SEGMENT_ETHERNET: i32 = 1448;
const SEGMENT_LOOPBACK: i32 = 65483;
/// Largest segment that is assumed before there is a connection (`TCP_MSS_DEFAULT`).
const SEGMENT_UNKNOWN: i32 = 536;

/// Level of netlink options, which change nothing that is simulated.
const SOL_NETLINK: i32 = 270;

fn number(value: &[u8]) -> Result<i32, Errno> {
    let bytes = value.get(..4).ok_or(Errno::EINVAL)?;
    Ok(i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// A `struct timeval`: zero for no limit, `EDOM` where the microseconds are none.
fn time(value: &[u8]) -> Result<Option<Nanos>, Errno> {
    let field = |at: usize| {
        let bytes: [u8; 8] =
            value.get(at..at + 8).and_then(|part| part.try_into().ok()).ok_or(Errno::EINVAL)?;
        Ok(i64::from_ne_bytes(bytes))
    };
    let (seconds, micros) = (field(0)?, field(8)?);
    if !(0..1_000_000).contains(&micros) {
        return Err(Errno::EDOM);
    }
    if seconds < 0 || seconds == 0 && micros == 0 {
        // LINUX: a negative time is no time at all for a socket: it does not wait (sock_set_timeout).
        return Ok((seconds < 0).then_some(Nanos::ZERO));
    }
    let nanos = (seconds as u64).saturating_mul(1_000_000_000).saturating_add(micros as u64 * 1000);
    Ok(Some(Nanos(nanos)))
}

fn timeval(time: Option<Nanos>) -> Vec<u8> {
    let nanos = time.map_or(0, |time| time.0);
    let fields = [nanos / 1_000_000_000, nanos % 1_000_000_000 / 1000];
    fields.iter().flat_map(|field| field.to_ne_bytes()).collect()
}

/// Whether the option exists on a socket.
fn applies(row: &Row, socket: &Socket) -> bool {
    let is_inet6 = socket.base.domain == libc::AF_INET6;
    match row.who {
        Who::All => true,
        Who::Inet => is_inet6 || socket.base.domain == libc::AF_INET,
        Who::Inet6 => is_inet6,
        Who::Tcp => matches!(socket.proto, Proto::Tcp(_)),
        Who::Udp => matches!(socket.proto, Proto::Udp(_)),
    }
}

impl Net {
    /// setsockopt(2). `ENOPROTOOPT` for an option that this socket has not.
    pub fn setsockopt(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        let socket = self.socket_of(id)?;
        match (&socket.proto, level) {
            (Proto::Unix(_), level) if level != libc::SOL_SOCKET => return Err(Errno::EOPNOTSUPP),
            (Proto::Netlink(_), SOL_NETLINK) => return Ok(()),
            _ => {}
        }
        match find(level, name) {
            Some(row) if applies(row, socket) => self.set_number(cx, id, row, value),
            Some(_) => Err(Errno::ENOPROTOOPT),
            None => self.set_other(id, level, name, value),
        }
    }

    fn set_number(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        row: &Row,
        value: &[u8],
    ) -> Result<(), Errno> {
        // LINUX: the IP level takes single bytes too (do_ip_setsockopt).
        let value = match value {
            [byte] if row.level == libc::IPPROTO_IP => i32::from(*byte),
            value => number(value)?,
        };
        let within = |low: i32, high: i32| (low..=high).contains(&value);
        let Socket { base, proto } = self.sockets.get_mut(id).ok_or(Errno::EBADF)?;
        let new = match row.rule {
            Rule::Flag => i32::from(value != 0),
            Rule::Any => value,
            Rule::Range(low, high) if within(low, high) => value,
            Rule::RangeOrDefault(low, high) if within(low, high) => value,
            Rule::RangeOrDefault(..) if value == -1 => row.default,
            Rule::Range(..) | Rule::RangeOrDefault(..) => return Err(Errno::EINVAL),
            Rule::Unprivileged(low, high) if within(low, high) => value,
            Rule::Unprivileged(..) => return Err(Errno::EPERM),
            Rule::Doubled(low, high) => {
                let limit = high / 2;
                // LINUX: the size is taken as unsigned, so a negative one is the largest.
                let asked = if value < 0 { limit } else { value.min(limit) };
                (asked * 2).max(low)
            }
            Rule::LowWater => match value {
                0 => 1,
                n if n < 0 => i32::MAX,
                n => n,
            },
            Rule::Retransmissions => retransmissions(value),
            Rule::ReadOnly => return Err(Errno::ENOPROTOOPT),
            Rule::Privileged if value == base.options.get(row.opt) => value,
            Rule::Privileged => return Err(Errno::EPERM),
        };
        let is_bound = match proto {
            Proto::Tcp(tcp) => tcp.holds_port,
            Proto::Udp(udp) => udp.local.port != 0,
            _ => false,
        };
        if row.opt == Opt::V6Only && is_bound {
            return Err(Errno::EINVAL);
        }
        base.options.set(row.opt, new);
        let far = match proto {
            Proto::Tcp(tcp) => Some((base.host, tcp.peer_host, tcp.path)),
            _ => None,
        };
        let is_silent = far.is_some_and(|(host, peer, path)| {
            path == Path::Dark || path == Path::Link && self.conditions.is_dead(host, peer)
        });
        if row.opt == Opt::KeepAlive && is_silent {
            self.tcp_arm_keep_alive(cx, id);
        }
        Ok(())
    }

    /// Options that are more than a number.
    fn set_other(&mut self, id: SockId, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        let Socket { base, proto } = self.sockets.get_mut(id).ok_or(Errno::EBADF)?;
        match (level, name) {
            (libc::SOL_SOCKET, libc::SO_LINGER) => {
                let (on, seconds) = (number(value)?, number(value.get(4..).unwrap_or(&[]))?);
                base.options.linger = (on != 0).then_some(seconds.max(0) as u32);
                if let Some(seconds) = base.options.linger {
                    base.options.linger_seconds = seconds;
                }
                Ok(())
            }
            (libc::SOL_SOCKET, libc::SO_RCVTIMEO | SO_RCVTIMEO_NEW) => {
                base.options.receive_timeout = time(value)?;
                Ok(())
            }
            (libc::SOL_SOCKET, libc::SO_SNDTIMEO | SO_SNDTIMEO_NEW) => {
                base.options.send_timeout = time(value)?;
                Ok(())
            }
            (libc::SOL_SOCKET, libc::SO_BSDCOMPAT) => Ok(()),
            (libc::SOL_SOCKET, libc::SO_BINDTODEVICE) => {
                let unbinds = value.iter().all(|byte| *byte == 0);
                if unbinds { Ok(()) } else { Err(Errno::EPERM) }
            }
            (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE | libc::SO_RCVBUFFORCE) => Err(Errno::EPERM),
            (libc::IPPROTO_IP, libc::IP_MULTICAST_IF) => Ok(()),
            (libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP | libc::IP_DROP_MEMBERSHIP)
            | (libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP | libc::IPV6_DROP_MEMBERSHIP) => {
                set_membership(base, level, name, value)
            }
            (libc::IPPROTO_TCP, libc::TCP_CONGESTION) if matches!(proto, Proto::Tcp(_)) => {
                let wanted = value.split(|byte| *byte == 0).next().unwrap_or(&[]);
                if matches!(wanted, b"cubic" | b"reno") { Ok(()) } else { Err(Errno::ENOENT) }
            }
            (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT) if matches!(proto, Proto::Tcp(_)) => {
                if number(value)? == 0 {
                    Ok(())
                } else {
                    Err(Errno::EOPNOTSUPP)
                }
            }
            (libc::IPPROTO_TCP, libc::TCP_ULP) if matches!(proto, Proto::Tcp(_)) => {
                // LINUX: what the system says where the tls module is not loaded.
                Err(Errno::ENOENT)
            }
            // UDP_SEGMENT and UDP_GRO among them: QUIC libraries fall back to single datagrams.
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    /// getsockopt(2): the whole value, of which the caller gives as much as the guest has room for.
    pub fn getsockopt(&mut self, id: SockId, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let socket = self.sockets.get_mut(id).ok_or(Errno::EBADF)?;
        if matches!(socket.proto, Proto::Unix(_)) && level != libc::SOL_SOCKET {
            return Err(Errno::EOPNOTSUPP);
        }
        let value = match find(level, name) {
            Some(row) if applies(row, socket) => shown(socket, row),
            Some(_) => return Err(unknown(&socket.base, &socket.proto, level)),
            None => return self.get_other(id, level, name),
        };
        Ok(value.to_ne_bytes().to_vec())
    }

    fn get_other(&mut self, id: SockId, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let socket = self.sockets.get_mut(id).ok_or(Errno::EBADF)?;
        let value = |n: i32| Ok(n.to_ne_bytes().to_vec());
        let Socket { base, proto } = socket;
        match (level, name, &*proto) {
            (libc::SOL_SOCKET, libc::SO_ERROR, _) => {
                value(base.error.take().map_or(0, |error| i32::from(error.0)))
            }
            (libc::SOL_SOCKET, libc::SO_TYPE, _) => value(base.kind),
            (libc::SOL_SOCKET, libc::SO_DOMAIN, _) => value(base.domain),
            (libc::SOL_SOCKET, libc::SO_PROTOCOL, _) => value(base.protocol),
            (libc::SOL_SOCKET, libc::SO_ACCEPTCONN, proto) => value(match proto {
                Proto::Tcp(tcp) => i32::from(tcp.state == State::Listen),
                Proto::Unix(unix) => i32::from(unix.state == State::Listen),
                _ => 0,
            }),
            (libc::SOL_SOCKET, libc::SO_LINGER, _) => {
                let is_on = base.options.linger.is_some();
                let fields = [u32::from(is_on), base.options.linger_seconds];
                Ok(fields.iter().flat_map(|field| field.to_ne_bytes()).collect())
            }
            (libc::SOL_SOCKET, libc::SO_RCVTIMEO | SO_RCVTIMEO_NEW, _) => {
                Ok(timeval(base.options.receive_timeout))
            }
            (libc::SOL_SOCKET, libc::SO_SNDTIMEO | SO_SNDTIMEO_NEW, _) => {
                Ok(timeval(base.options.send_timeout))
            }
            (libc::SOL_SOCKET, libc::SO_BINDTODEVICE, _) => Ok(Vec::new()),
            (libc::SOL_SOCKET, libc::SO_PEERCRED, Proto::Unix(unix)) => {
                let fields = match unix.peer_creds {
                    Some(who) => [who.pid, who.uid, who.gid],
                    None => [0, u32::MAX, u32::MAX],
                };
                Ok(fields.iter().flat_map(|field| field.to_ne_bytes()).collect())
            }
            (libc::IPPROTO_IP, libc::IP_MTU, _) | (libc::IPPROTO_IPV6, libc::IPV6_MTU, _) => {
                path_mtu(proto).ok_or(Errno::ENOTCONN).and_then(value)
            }
            (libc::IPPROTO_IP, libc::IP_MULTICAST_IF, _) => Ok(alloc::vec![0; 4]),
            (libc::IPPROTO_IP, libc::IP_OPTIONS, _) => Ok(Vec::new()),
            (libc::IPPROTO_TCP, libc::TCP_INFO, Proto::Tcp(_)) => Ok(self.tcp_info(id)),
            (libc::IPPROTO_TCP, libc::TCP_CONGESTION, Proto::Tcp(_)) => {
                let mut name = b"cubic".to_vec();
                name.resize(16, 0);
                Ok(name)
            }
            (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, Proto::Tcp(_)) => value(0),
            _ => Err(unknown(base, &*proto, level)),
        }
    }

    /// `struct tcp_info`, as far as the simulation knows it.
    fn tcp_info(&mut self, id: SockId) -> Vec<u8> {
        let Some((base, tcp)) = self.tcp(id) else { return Vec::new() };
        let (host, peer_host) = (base.host, tcp.peer_host);
        let is_near = tcp.path == Path::Loopback || host == peer_host;
        let rtt =
            if is_near { Nanos::from_micros(20) } else { self.links.round_trip(host, peer_host) };
        let Some((base, tcp)) = self.tcp(id) else { return Vec::new() };
        tcp_info(base, tcp, (rtt.0 / 1000) as u32)
    }
}

/// What getsockopt(2) says of an option that a socket does not have.
///
/// LINUX: of a level that it does not have, IPv4 says something else than IPv6 (`do_ip_getsockopt`).
fn unknown(base: &Base, proto: &Proto, level: i32) -> Errno {
    let is_known = match level {
        libc::SOL_SOCKET | libc::IPPROTO_IP => true,
        libc::IPPROTO_TCP => matches!(proto, Proto::Tcp(_)),
        libc::IPPROTO_UDP => matches!(proto, Proto::Udp(_)),
        _ => false,
    };
    if base.domain == libc::AF_INET && !is_known { Errno::EOPNOTSUPP } else { Errno::ENOPROTOOPT }
}

const SO_RCVTIMEO_NEW: i32 = 66;
const SO_SNDTIMEO_NEW: i32 = 67;

/// LINUX: TCP_DEFER_ACCEPT is kept as a number of retransmissions, and read back as their seconds: 1, 3, 7, …
fn retransmissions(seconds: i32) -> i32 {
    let mut total = 0;
    let mut next = 1;
    while total < seconds && total < 64 {
        total += next;
        next *= 2;
    }
    total
}

/// What getsockopt(2) shows of an option that is a number.
fn shown(socket: &Socket, row: &Row) -> i32 {
    let options = &socket.base.options;
    match (&socket.proto, row.opt) {
        (Proto::Tcp(tcp), Opt::SndBuf) => send_buffer(options, tcp) as i32,
        (Proto::Tcp(_), Opt::RcvBuf) if !options.is_set(Opt::RcvBuf) => 131_072,
        (Proto::Tcp(tcp), Opt::MaxSeg) => match tcp.path {
            _ if tcp.state == State::Close && options.is_set(Opt::MaxSeg) => options.get(row.opt),
            _ if !tcp.is_synchronised() => SEGMENT_UNKNOWN,
            Path::Loopback => SEGMENT_LOOPBACK,
            _ => SEGMENT_ETHERNET,
        },
        (Proto::Tcp(_), Opt::SynCnt) if !options.is_set(Opt::SynCnt) => 6,
        _ => options.get(row.opt),
    }
}

fn path_mtu(proto: &Proto) -> Option<i32> {
    let of = |ip: IpAddr| if ip.is_loopback() { 65535 } else { 1500 };
    match proto {
        Proto::Tcp(tcp) if tcp.is_synchronised() => Some(of(tcp.remote.ip)),
        Proto::Udp(udp) => udp.remote.map(|remote| of(remote.ip)),
        _ => None,
    }
}

/// Joins or leaves a multicast group: `struct ip_mreq`, `ip_mreqn` or `ipv6_mreq`.
fn set_membership(base: &mut Base, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
    let group: IpAddr = if level == libc::IPPROTO_IP {
        let octets: [u8; 4] =
            value.get(..4).and_then(|part| part.try_into().ok()).ok_or(Errno::EINVAL)?;
        if value.len() < 8 {
            return Err(Errno::EINVAL);
        }
        Ipv4Addr::from(octets).into()
    } else {
        let octets: [u8; 16] =
            value.get(..16).and_then(|part| part.try_into().ok()).ok_or(Errno::EINVAL)?;
        Ipv6Addr::from(octets).into()
    };
    if !group.is_multicast() {
        return Err(Errno::EINVAL);
    }
    let joins = name == libc::IP_ADD_MEMBERSHIP || name == libc::IPV6_ADD_MEMBERSHIP;
    let groups = &mut base.options.groups;
    match (groups.iter().position(|other| *other == group), joins) {
        (Some(_), true) => Err(Errno::EADDRINUSE),
        (None, true) => {
            groups.push(group);
            Ok(())
        }
        (Some(at), false) => {
            groups.remove(at);
            Ok(())
        }
        (None, false) => Err(Errno::EADDRNOTAVAIL),
    }
}

fn tcp_info(base: &Base, tcp: &Tcp, rtt_us: u32) -> Vec<u8> {
    let segment =
        if tcp.path == Path::Loopback { SEGMENT_LOOPBACK } else { SEGMENT_ETHERNET } as u32;
    let window = receive_window(&base.options) as u32;
    let unacknowledged = (tcp.queued as u32).div_ceil(segment);
    let expired = tcp.retransmission.expired;
    let mut info = Vec::with_capacity(232);
    // state, ca_state, retransmits, probes, backoff, options (timestamps, SACK, window scaling), scales, flags.
    info.extend([tcp.state as u8, 0, expired as u8, tcp.keep_alive.probes as u8, expired as u8, 7]);
    info.extend([0x77, 0]);
    // rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets.
    let words = [200_000 + rtt_us, 40_000, segment, segment, unacknowledged, 0, 0, 0, 0];
    info.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    // last_data_sent, last_ack_sent, last_data_recv, last_ack_recv.
    info.extend([0; 16]);
    // pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering.
    let mtu = if tcp.path == Path::Loopback { 65535 } else { 1500 };
    let words = [mtu, window, rtt_us, rtt_us / 2, i32::MAX as u32, 10, segment, 3];
    info.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    // rcv_rtt, rcv_space, total_retrans.
    info.extend([0, window, expired].iter().flat_map(|word| word.to_ne_bytes()));
    // pacing_rate, max_pacing_rate, bytes_acked, bytes_received.
    let acknowledged = tcp.sent_bytes.saturating_sub(tcp.queued as u64);
    let longs = [u64::MAX, u64::MAX, acknowledged, tcp.received_bytes];
    info.extend(longs.iter().flat_map(|long| long.to_ne_bytes()));
    // segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out.
    let words = [0, 0, tcp.held as u32, rtt_us, 0, 0];
    info.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    // delivery_rate, busy_time, rwnd_limited, sndbuf_limited.
    info.extend([0; 32]);
    // delivered, delivered_ce, bytes_sent, bytes_retrans.
    info.extend([0; 8]);
    info.extend(tcp.sent_bytes.to_ne_bytes());
    info.extend([0; 8]);
    // dsack_dups, reord_seen, rcv_ooopack, snd_wnd.
    info.extend([0, 0, 0, window].iter().flat_map(|word| word.to_ne_bytes()));
    info
}
