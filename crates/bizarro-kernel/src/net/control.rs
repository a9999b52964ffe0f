//! Control messages, cmsg(3): what travels beside the bytes of sendmsg(2) and recvmsg(2).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bizarro_record::Nanos;

use crate::errno::Errno;

/// Who a process is: `struct ucred`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ucred {
    /// Process id.
    pub pid: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A control message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Control {
    /// SCM_RIGHTS. The caller names file descriptions by numbers of its own, and exchanges them for descriptors.
    /// What recv gives belongs to the caller, who drops what the guest has no room for; with `MSG_PEEK` the
    /// message keeps them too, so that the caller takes further references.
    Rights(Vec<u64>),
    /// SCM_CREDENTIALS.
    Credentials(Ucred),
    /// IP_TOS.
    Tos(u8),
    /// IPV6_TCLASS.
    Tclass(i32),
    /// IP_TTL.
    Ttl(i32),
    /// IPV6_HOPLIMIT.
    HopLimit(i32),
    /// IP_PKTINFO: interface, local address, destination in the packet's header.
    PktInfo {
        /// Index of the interface.
        interface: u32,
        /// The local address; on sending, the source address to use.
        local: Ipv4Addr,
        /// The destination in the header.
        destination: Ipv4Addr,
    },
    /// IPV6_PKTINFO.
    PktInfo6 {
        /// The destination; on sending, the source address to use.
        address: Ipv6Addr,
        /// Index of the interface.
        interface: u32,
    },
    /// SO_TIMESTAMPNS: virtual time of arrival; the caller adds the host's clock.
    TimestampNs(Nanos),
    /// SO_TIMESTAMP: likewise, shown in microseconds.
    Timestamp(Nanos),
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let part = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes([part[0], part[1], part[2], part[3]]))
}

/// Control messages start at multiples of this.
const ALIGN: usize = 8;
/// Length of `struct cmsghdr`.
const HEADER: usize = 16;

/// Exchanges descriptors for the caller's numbers of file descriptions.
type Resolve<'a> = &'a mut dyn FnMut(&[i32]) -> Result<Vec<u64>, Errno>;

impl Control {
    /// Reads the control buffer of sendmsg(2). `rights` exchanges descriptors for the caller's numbers.
    ///
    /// `EINVAL` where the buffer is malformed or the message unknown, and what `rights` says.
    pub fn decode(mut raw: &[u8], rights: Resolve<'_>) -> Result<Vec<Control>, Errno> {
        let mut all = Vec::new();
        while raw.len() >= HEADER {
            let length = word(raw, 0).unwrap_or(0) as usize;
            let (Some(level), Some(kind)) = (word(raw, 8), word(raw, 12)) else { break };
            let body = raw.get(HEADER..length).ok_or(Errno::EINVAL)?;
            all.push(Control::decode_one(level as i32, kind as i32, body, rights)?);
            raw = raw.get(length.next_multiple_of(ALIGN)..).unwrap_or(&[]);
        }
        Ok(all)
    }

    fn decode_one(
        level: i32,
        kind: i32,
        body: &[u8],
        rights: Resolve<'_>,
    ) -> Result<Control, Errno> {
        let number = || match body {
            [byte] => Ok(i32::from(*byte)),
            _ => word(body, 0).map(|n| n as i32).ok_or(Errno::EINVAL),
        };
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                let fds: Vec<i32> =
                    body.chunks_exact(4).filter_map(|b| word(b, 0)).map(|n| n as i32).collect();
                Ok(Control::Rights(rights(&fds)?))
            }
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                let field = |at| word(body, at).ok_or(Errno::EINVAL);
                Ok(Control::Credentials(Ucred { pid: field(0)?, uid: field(4)?, gid: field(8)? }))
            }
            (libc::IPPROTO_IP, libc::IP_TOS) => Ok(Control::Tos(number()? as u8)),
            (libc::IPPROTO_IP, libc::IP_TTL) => Ok(Control::Ttl(number()?)),
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => Ok(Control::Tclass(number()?)),
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => Ok(Control::HopLimit(number()?)),
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let address = |at| {
                    word(body, at).map(|w| Ipv4Addr::from(w.to_ne_bytes())).ok_or(Errno::EINVAL)
                };
                Ok(Control::PktInfo {
                    interface: word(body, 0).ok_or(Errno::EINVAL)?,
                    local: address(4)?,
                    destination: address(8)?,
                })
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let mut octets = [0; 16];
                octets.copy_from_slice(body.get(..16).ok_or(Errno::EINVAL)?);
                let interface = word(body, 16).ok_or(Errno::EINVAL)?;
                Ok(Control::PktInfo6 { address: Ipv6Addr::from(octets), interface })
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// Appends this message to the control buffer of recvmsg(2) if at most `room` bytes are then in use.
    /// `install` exchanges the caller's numbers for descriptors, as many as it is asked for.
    ///
    /// Gives whether anything was cut (`MSG_CTRUNC`).
    pub fn encode(
        &self,
        into: &mut Vec<u8>,
        room: usize,
        install: &mut dyn FnMut(&[u64], usize) -> Vec<i32>,
    ) -> Cut {
        let (level, kind) = self.numbers();
        let used = into.len().next_multiple_of(ALIGN);
        let free = room.saturating_sub(used + HEADER);
        let mut body = Vec::new();
        let mut cut = Cut::Whole;
        match self {
            Control::Rights(rights) => {
                let fits = (free / 4).min(rights.len());
                let fds = install(rights, fits);
                if fits < rights.len() {
                    cut = Cut::Cut;
                }
                if fds.is_empty() {
                    return cut;
                }
                body.extend(fds.iter().flat_map(|fd| fd.to_ne_bytes()));
            }
            _ => self.encode_body(&mut body),
        }
        if room < used + HEADER {
            return Cut::Cut;
        }
        if body.len() > free {
            body.truncate(free);
            cut = Cut::Cut;
        }
        into.resize(used, 0);
        into.extend(((HEADER + body.len()) as u64).to_ne_bytes());
        into.extend(level.to_ne_bytes());
        into.extend(kind.to_ne_bytes());
        into.extend(body);
        let padded = into.len().next_multiple_of(ALIGN).min(room);
        into.resize(padded.max(into.len()), 0);
        cut
    }

    fn numbers(&self) -> (i32, i32) {
        match self {
            Control::Rights(_) => (libc::SOL_SOCKET, libc::SCM_RIGHTS),
            Control::Credentials(_) => (libc::SOL_SOCKET, libc::SCM_CREDENTIALS),
            Control::Tos(_) => (libc::IPPROTO_IP, libc::IP_TOS),
            Control::Tclass(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
            Control::Ttl(_) => (libc::IPPROTO_IP, libc::IP_TTL),
            Control::HopLimit(_) => (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT),
            Control::PktInfo { .. } => (libc::IPPROTO_IP, libc::IP_PKTINFO),
            Control::PktInfo6 { .. } => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO),
            Control::TimestampNs(_) => (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS),
            Control::Timestamp(_) => (libc::SOL_SOCKET, libc::SO_TIMESTAMP),
        }
    }

    fn encode_body(&self, body: &mut Vec<u8>) {
        match self {
            Control::Rights(_) => {}
            Control::Credentials(who) => {
                body.extend([who.pid, who.uid, who.gid].iter().flat_map(|n| n.to_ne_bytes()));
            }
            Control::Tos(tos) => body.push(*tos),
            Control::Tclass(n) | Control::Ttl(n) | Control::HopLimit(n) => {
                body.extend(n.to_ne_bytes());
            }
            Control::PktInfo { interface, local, destination } => {
                body.extend(interface.to_ne_bytes());
                body.extend(local.octets());
                body.extend(destination.octets());
            }
            Control::PktInfo6 { address, interface } => {
                body.extend(address.octets());
                body.extend(interface.to_ne_bytes());
            }
            Control::TimestampNs(at) => {
                body.extend((at.0 / 1_000_000_000).to_ne_bytes());
                body.extend((at.0 % 1_000_000_000).to_ne_bytes());
            }
            Control::Timestamp(at) => {
                body.extend((at.0 / 1_000_000_000).to_ne_bytes());
                body.extend((at.0 % 1_000_000_000 / 1000).to_ne_bytes());
            }
        }
    }
}

/// Whether a control message was cut for want of room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// It is all there.
    Whole,
    /// Something is missing: `MSG_CTRUNC`.
    Cut,
}

/// The source address that the control messages of a send ask for.
pub(super) fn source_of(control: &[Control]) -> Option<IpAddr> {
    control.iter().find_map(|message| match message {
        Control::PktInfo { local, .. } if !local.is_unspecified() => Some(IpAddr::V4(*local)),
        Control::PktInfo6 { address, .. } if !address.is_unspecified() => {
            Some(IpAddr::V6(*address).to_canonical())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn encode(all: &[Control], room: usize) -> (Vec<u8>, bool, usize) {
        let (mut raw, mut cut, mut installed) = (Vec::new(), false, 0);
        for control in all {
            let mut install = |rights: &[u64], n: usize| {
                installed += n;
                rights[..n].iter().map(|right| *right as i32 + 100).collect()
            };
            cut |= control.encode(&mut raw, room, &mut install) == Cut::Cut;
        }
        (raw, cut, installed)
    }

    fn decode(raw: &[u8]) -> Result<Vec<Control>, Errno> {
        let mut rights = |fds: &[i32]| Ok(fds.iter().map(|fd| *fd as u64 - 100).collect());
        Control::decode(raw, &mut rights)
    }

    #[test]
    fn control_messages_round_trip() {
        let all = vec![
            Control::Rights(vec![1, 2, 3]),
            Control::Credentials(Ucred { pid: 1, uid: 2, gid: 3 }),
            Control::Tos(4),
            Control::Tclass(5),
            Control::PktInfo {
                interface: 2,
                local: [10, 0, 0, 1].into(),
                destination: [10, 0, 0, 2].into(),
            },
            Control::PktInfo6 { address: Ipv6Addr::LOCALHOST, interface: 1 },
        ];
        let (raw, cut, _) = encode(&all, 1000);
        assert!(!cut);
        assert_eq!(decode(&raw), Ok(all));
    }

    #[test]
    fn what_has_no_room_is_cut() {
        let rights = [Control::Rights(vec![1, 2, 3])];
        for (room, fds) in [(0, 0), (16, 0), (19, 0), (20, 1), (24, 2), (27, 2), (28, 3), (32, 3)] {
            let (raw, cut, installed) = encode(&rights, room);
            assert_eq!((installed, cut), (fds, fds < 3), "{room} bytes");
            assert!(raw.len() <= room, "{} bytes in {room}", raw.len());
        }
        let (raw, cut, _) = encode(&[Control::Ttl(64)], 10);
        assert!(raw.is_empty() && cut);
    }

    #[test]
    fn malformed_buffers_are_refused() {
        let (raw, ..) = encode(&[Control::Tos(1), Control::Tclass(2)], 100);
        let mut long = raw.clone();
        long[0] = 200;
        assert_eq!(decode(&long), Err(Errno::EINVAL));
        let mut short = raw.clone();
        short[0] = 3;
        assert_eq!(decode(&short), Err(Errno::EINVAL));
        let mut unknown = raw;
        unknown[8] = 99;
        assert_eq!(decode(&unknown), Err(Errno::EINVAL));
        assert_eq!(decode(&[1, 2, 3]), Ok(vec![]));
    }
}
