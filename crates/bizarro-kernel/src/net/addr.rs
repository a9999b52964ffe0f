//! Addresses as the guest writes them, and which of them this world has.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::errno::Errno;

/// Address of the DNS server that every host asks (`nameserver` in its `/etc/resolv.conf`). UDP port 53
/// answers; TCP is refused.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 255, 255, 53);

/// An IP address and port. An IPv4 address is never kept in its IPv6-mapped form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Endpoint {
    /// The address.
    pub ip: IpAddr,
    /// The port, in host order.
    pub port: u16,
}

impl Endpoint {
    /// `0.0.0.0:0`.
    pub const ANY: Endpoint = Endpoint { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };

    pub(super) fn new(ip: IpAddr, port: u16) -> Endpoint {
        Endpoint { ip: ip.to_canonical(), port }
    }

    /// As a socket of `domain` shows it: an IPv4 address on an IPv6 socket is mapped.
    pub(super) fn shown(self, domain: i32) -> SocketAddr {
        match self.ip {
            IpAddr::V4(ip) if domain == libc::AF_INET6 => {
                let ip =
                    if ip.is_unspecified() { Ipv6Addr::UNSPECIFIED } else { ip.to_ipv6_mapped() };
                SocketAddr::V6(SocketAddrV6::new(ip, self.port, 0, 0))
            }
            IpAddr::V4(ip) => SocketAddr::V4(SocketAddrV4::new(ip, self.port)),
            IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, self.port, 0, 0)),
        }
    }
}

/// The name of a Unix socket, unix(7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UnixName {
    /// Not bound.
    Unnamed,
    /// Bound to an inode of the host's file system.
    Path {
        /// Identifies the inode on this host.
        inode: u64,
        /// The path as it was given to bind(2), without a final NUL.
        path: Arc<[u8]>,
    },
    /// In the abstract name space; without the leading NUL.
    Abstract(Arc<[u8]>),
}

/// A `struct sockaddr`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SockAddr {
    /// `AF_UNSPEC`: dissolves an association in connect(2).
    Unspec,
    /// `AF_INET` or `AF_INET6`.
    Inet(SocketAddr),
    /// `AF_UNIX`.
    Unix(UnixName),
    /// `AF_NETLINK`, by port id.
    Netlink(u32),
}

/// A `struct sockaddr` as bytes.
#[derive(Clone, Copy)]
pub struct SockAddrBytes {
    bytes: [u8; 112],
    len: usize,
}

impl SockAddrBytes {
    fn new(family: i32) -> SockAddrBytes {
        let mut raw = SockAddrBytes { bytes: [0; 112], len: 0 };
        raw.push(&(family as u16).to_ne_bytes());
        raw
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = self.bytes.len() - self.len;
        let n = bytes.len().min(room);
        self.bytes[self.len..self.len + n].copy_from_slice(&bytes[..n]);
        self.len += n;
    }

    /// The bytes, for copying to the guest (cut at the length that it gave; the full length is told).
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl SockAddr {
    /// Reads a `struct sockaddr` as bind(2), connect(2) and sendto(2) do. `inode` resolves the path of a
    /// Unix socket to its inode.
    ///
    /// `EINVAL` for a length that no address of that family has, `EAFNOSUPPORT` for another family, and
    /// what `inode` says.
    pub fn decode(
        raw: &[u8],
        inode: &mut dyn FnMut(&[u8]) -> Result<u64, Errno>,
    ) -> Result<SockAddr, Errno> {
        let (family, rest) = raw.split_at_checked(2).ok_or(Errno::EINVAL)?;
        match i32::from(u16::from_ne_bytes([family[0], family[1]])) {
            libc::AF_UNSPEC => Ok(SockAddr::Unspec),
            libc::AF_INET => decode_v4(rest),
            libc::AF_INET6 => decode_v6(rest),
            libc::AF_UNIX => decode_unix(rest, inode).map(SockAddr::Unix),
            libc::AF_NETLINK if rest.len() >= 10 => {
                Ok(SockAddr::Netlink(u32::from_ne_bytes([rest[2], rest[3], rest[4], rest[5]])))
            }
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }

    /// The bytes that getsockname(2) and its kin give.
    pub fn encode(&self) -> SockAddrBytes {
        match self {
            SockAddr::Unspec => SockAddrBytes::new(libc::AF_UNSPEC),
            SockAddr::Inet(SocketAddr::V4(a)) => {
                let mut raw = SockAddrBytes::new(libc::AF_INET);
                raw.push(&a.port().to_be_bytes());
                raw.push(&a.ip().octets());
                raw.push(&[0; 8]);
                raw
            }
            SockAddr::Inet(SocketAddr::V6(a)) => {
                let mut raw = SockAddrBytes::new(libc::AF_INET6);
                raw.push(&a.port().to_be_bytes());
                raw.push(&a.flowinfo().to_be_bytes());
                raw.push(&a.ip().octets());
                raw.push(&a.scope_id().to_ne_bytes());
                raw
            }
            SockAddr::Unix(name) => encode_unix(name),
            SockAddr::Netlink(port) => {
                let mut raw = SockAddrBytes::new(libc::AF_NETLINK);
                raw.push(&[0; 2]);
                raw.push(&port.to_ne_bytes());
                raw.push(&[0; 4]);
                raw
            }
        }
    }
}

fn decode_v4(rest: &[u8]) -> Result<SockAddr, Errno> {
    if rest.len() < 14 {
        return Err(Errno::EINVAL);
    }
    let ip = Ipv4Addr::new(rest[2], rest[3], rest[4], rest[5]);
    let port = u16::from_be_bytes([rest[0], rest[1]]);
    Ok(SockAddr::Inet(SocketAddr::V4(SocketAddrV4::new(ip, port))))
}

/// LINUX: 24 bytes are enough, from the time before `sin6_scope_id` (`SIN6_LEN_RFC2133`).
fn decode_v6(rest: &[u8]) -> Result<SockAddr, Errno> {
    if rest.len() < 22 {
        return Err(Errno::EINVAL);
    }
    let port = u16::from_be_bytes([rest[0], rest[1]]);
    let flow = u32::from_be_bytes([rest[2], rest[3], rest[4], rest[5]]);
    let mut ip = [0; 16];
    ip.copy_from_slice(&rest[6..22]);
    let scope = rest.get(22..26).map_or(0, |b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
    Ok(SockAddr::Inet(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(ip), port, flow, scope))))
}

fn decode_unix(
    rest: &[u8],
    inode: &mut dyn FnMut(&[u8]) -> Result<u64, Errno>,
) -> Result<UnixName, Errno> {
    match rest {
        [] => Ok(UnixName::Unnamed),
        _ if rest.len() > 108 => Err(Errno::EINVAL),
        [0, name @ ..] => Ok(UnixName::Abstract(Arc::from(name))),
        _ => {
            let end = rest.iter().position(|b| *b == 0).unwrap_or(rest.len());
            let path = &rest[..end];
            Ok(UnixName::Path { inode: inode(path)?, path: Arc::from(path) })
        }
    }
}

fn encode_unix(name: &UnixName) -> SockAddrBytes {
    let mut raw = SockAddrBytes::new(libc::AF_UNIX);
    match name {
        UnixName::Unnamed => {}
        UnixName::Path { path, .. } => {
            raw.push(path);
            raw.push(&[0]);
        }
        UnixName::Abstract(name) => {
            raw.push(&[0]);
            raw.push(name);
        }
    }
    raw
}

/// A network interface, as getifaddrs(3) and SIOCGIFCONF tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// 1 for `lo`, 2 for `eth0`.
    pub index: u32,
    /// `lo` or `eth0`.
    pub name: &'static str,
    /// `IFF_*`.
    pub flags: u32,
    /// Bytes.
    pub mtu: u32,
    /// Hardware address; zero for `lo`.
    pub mac: [u8; 6],
    /// Addresses and the lengths of their network prefixes.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// The unique local IPv6 address (RFC 4193) of the host that has `address`: the IPv4 address is its end.
pub fn v6_of(address: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = address.octets().map(u16::from);
    Ipv6Addr::new(0xfdb1, 0x2a22, 0, 0, 0, 0, a << 8 | b, c << 8 | d)
}

/// `lo` and `eth0` of the host that has `address`.
pub(super) fn interfaces(address: Ipv4Addr) -> Vec<Interface> {
    let [a, b, c, d] = address.octets();
    let running = (libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_LOWER_UP) as u32;
    let lo = Interface {
        index: 1,
        name: "lo",
        flags: running | libc::IFF_LOOPBACK as u32,
        mtu: 65536,
        mac: [0; 6],
        addresses: alloc::vec![
            (IpAddr::V4(Ipv4Addr::LOCALHOST), 8),
            (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        ],
    };
    let eth0 = Interface {
        index: 2,
        name: "eth0",
        flags: running | (libc::IFF_BROADCAST | libc::IFF_MULTICAST) as u32,
        mtu: 1500,
        mac: [0x02, 0x42, a, b, c, d],
        addresses: alloc::vec![
            (IpAddr::V4(address), prefix(address)),
            (IpAddr::V6(v6_of(address)), 64),
        ],
    };
    alloc::vec![lo, eth0]
}

/// The length of the network prefix of `eth0`: that of its private network (RFC 1918), else 24.
fn prefix(address: Ipv4Addr) -> u8 {
    match address.octets() {
        [10, ..] => 8,
        [172, b, ..] if b & 0xf0 == 16 => 12,
        [192, 168, ..] => 16,
        _ => 24,
    }
}

fn network(address: Ipv4Addr, prefix: u8) -> u32 {
    address.to_bits() & (u32::MAX << (32 - u32::from(prefix)))
}

/// Everybody on the loopback device's network.
pub(super) const LOOPBACK_BROADCAST: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);

/// Where a packet goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Route {
    /// Back to the same host.
    Loopback,
    /// To another host.
    Host(u16),
    /// To the DNS server.
    Resolver,
    /// To nobody: an address of the host's own network that no host has. ARP finds nobody.
    Nobody,
    /// To everybody on the network, or to a group.
    Many,
}

/// Which host has which address.
pub(super) struct Addresses {
    own: Vec<Ipv4Addr>,
    own_v6: Vec<Ipv6Addr>,
    /// Sorted, for finding.
    by_address: Vec<(Ipv4Addr, u16)>,
}

impl Addresses {
    pub(super) fn new(own: Vec<Ipv4Addr>) -> Addresses {
        let mut by_address: Vec<_> = own.iter().zip(0..).map(|(a, host)| (*a, host)).collect();
        by_address.sort_unstable();
        Addresses { own_v6: own.iter().map(|a| v6_of(*a)).collect(), own, by_address }
    }

    fn host_of(&self, ip: Ipv4Addr) -> Option<u16> {
        let at = self.by_address.binary_search_by_key(&ip, |(a, _)| *a).ok()?;
        Some(self.by_address[at].1)
    }

    pub(super) fn own(&self, host: u16) -> Ipv4Addr {
        self.own[usize::from(host)]
    }

    /// Whether a socket of `host` may be bound to `ip`.
    pub(super) fn is_local(&self, host: u16, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => ip.is_loopback() || ip == self.own(host),
            IpAddr::V6(ip) => ip.is_loopback() || ip == self.own_v6[usize::from(host)],
        }
    }

    /// Whether `ip` is a broadcast address of `host`'s networks.
    pub(super) fn is_broadcast(&self, host: u16, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return false };
        let own = self.own(host);
        let length = prefix(own);
        ip.is_broadcast()
            || ip == LOOPBACK_BROADCAST
            || (network(ip, length) == network(own, length)
                && ip.to_bits() | (u32::MAX << (32 - u32::from(length))) == u32::MAX)
    }

    /// Where packets of `host` to `ip` go; `ENETUNREACH` where no route leads.
    pub(super) fn route(&self, host: u16, ip: IpAddr) -> Result<Route, Errno> {
        if ip.is_multicast() || self.is_broadcast(host, ip) {
            return Ok(Route::Many);
        }
        if self.is_local(host, ip) {
            return Ok(Route::Loopback);
        }
        match ip {
            IpAddr::V4(ip) if ip == RESOLVER => Ok(Route::Resolver),
            IpAddr::V4(ip) => match self.host_of(ip) {
                Some(other) => Ok(Route::Host(other)),
                None => {
                    let own = self.own(host);
                    let on_link = network(ip, prefix(own)) == network(own, prefix(own));
                    if on_link { Ok(Route::Nobody) } else { Err(Errno::ENETUNREACH) }
                }
            },
            IpAddr::V6(ip) => {
                let end = (u128::from(ip) & u128::from(u32::MAX)) as u32;
                let embedded = Ipv4Addr::from_bits(end);
                match self.host_of(embedded) {
                    Some(other) if v6_of(embedded) == ip => Ok(Route::Host(other)),
                    _ if ip.segments()[..4] == self.own_v6[usize::from(host)].segments()[..4] => {
                        Ok(Route::Nobody)
                    }
                    _ => Err(Errno::ENETUNREACH),
                }
            }
        }
    }

    /// The source address that `host` uses towards `to`.
    pub(super) fn source(&self, host: u16, to: IpAddr) -> IpAddr {
        match to {
            IpAddr::V4(ip) if ip.is_loopback() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V4(_) => IpAddr::V4(self.own(host)),
            IpAddr::V6(ip) if ip.is_loopback() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(self.own_v6[usize::from(host)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::{format, vec};
    use expect_test::expect;

    #[test]
    fn addresses_round_trip() {
        let all = [
            SockAddr::Inet("10.1.2.3:80".parse().unwrap()),
            SockAddr::Inet("[fe80::1%3]:443".parse().unwrap()),
            SockAddr::Unix(UnixName::Unnamed),
            SockAddr::Unix(UnixName::Abstract(Arc::from(&b"a\0b"[..]))),
            SockAddr::Unix(UnixName::Path { inode: 9, path: Arc::from(&b"/tmp/s"[..]) }),
            SockAddr::Netlink(77),
        ];
        for address in all {
            let raw = address.encode();
            assert_eq!(SockAddr::decode(raw.as_slice(), &mut |_| Ok(9)), Ok(address));
        }
        let path = SockAddr::Unix(UnixName::Path { inode: 1, path: Arc::from(&b"s"[..]) });
        assert_eq!(path.encode().as_slice(), [1, 0, b's', 0], "with its NUL");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let decode = |raw: &[u8]| SockAddr::decode(raw, &mut |_| Err(Errno::ENOENT));
        assert_eq!(decode(&[2]), Err(Errno::EINVAL));
        assert_eq!(decode(&[2, 0, 0, 80, 1, 2, 3, 4]), Err(Errno::EINVAL));
        assert_eq!(decode(&[10, 0, 0, 80, 0, 0, 0, 0]), Err(Errno::EINVAL));
        assert_eq!(decode(&[99, 0]), Err(Errno::EAFNOSUPPORT));
        assert_eq!(decode(&[1, 0, b'/', b'x']), Err(Errno::ENOENT));
        let mut long = [b'x'; 112];
        long[..2].copy_from_slice(&[1, 0]);
        assert_eq!(decode(&long), Err(Errno::EINVAL));
        assert_eq!(decode(&[0, 0]), Ok(SockAddr::Unspec));
    }

    #[test]
    fn packets_find_their_way() {
        let hosts = Addresses::new(vec![[10, 0, 0, 1].into(), [192, 168, 7, 2].into()]);
        let mut text = String::new();
        for to in [
            "127.9.9.9",
            "10.0.0.1",
            "192.168.7.2",
            "10.2.3.4",
            "192.168.7.3",
            "10.255.255.53",
            "10.255.255.255",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "fdb1:2a22::a00:1",
            "fdb1:2a22::c0a8:702",
            "fdb1:2a22::9",
            "2001:db8::1",
            "ff02::1",
        ] {
            text += &format!("{to}: {:?}\n", hosts.route(0, to.parse().unwrap()));
        }
        expect![[r#"
            127.9.9.9: Ok(Loopback)
            10.0.0.1: Ok(Loopback)
            192.168.7.2: Ok(Host(1))
            10.2.3.4: Ok(Nobody)
            192.168.7.3: Err(ENETUNREACH)
            10.255.255.53: Ok(Resolver)
            10.255.255.255: Ok(Many)
            255.255.255.255: Ok(Many)
            224.0.0.1: Ok(Many)
            ::1: Ok(Loopback)
            fdb1:2a22::a00:1: Ok(Loopback)
            fdb1:2a22::c0a8:702: Ok(Host(1))
            fdb1:2a22::9: Ok(Nobody)
            2001:db8::1: Err(ENETUNREACH)
            ff02::1: Ok(Many)
        "#]]
        .assert_eq(&text);
    }
}
