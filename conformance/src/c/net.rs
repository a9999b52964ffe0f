//! Sockets and their addresses.

use std::mem::{offset_of, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::{sockaddr_in, sockaddr_in6, sockaddr_storage, sockaddr_un, socklen_t};

/// A socket address of any family, with the length that goes with it.
#[derive(Clone, Copy)]
pub(crate) struct Addr {
    storage: sockaddr_storage,
    pub(crate) len: socklen_t,
}

impl Addr {
    /// Room for an address that a call fills in.
    pub(crate) fn room() -> Self {
        // SAFETY: all of its fields are integers, for which zero is a value.
        let storage = unsafe { zeroed() };
        Self { storage, len: size_of::<sockaddr_storage>() as socklen_t }
    }

    /// An address of family AF_UNSPEC, which connect(2) takes as "disconnect".
    pub(crate) fn unspecified() -> Self {
        Self { len: size_of::<sockaddr_in>() as socklen_t, ..Self::room() }
    }

    pub(crate) fn unix_path(path: &Path) -> Self {
        let mut name = path.as_os_str().as_bytes().to_vec();
        name.push(0);
        Self::unix(&name)
    }

    /// A name in the abstract namespace, see unix(7).
    pub(crate) fn unix_abstract(name: &[u8]) -> Self {
        let mut with_nul = vec![0];
        with_nul.extend_from_slice(name);
        Self::unix(&with_nul)
    }

    /// An address with exactly these bytes in `sun_path`; none asks bind(2) to
    /// choose a name ("autobind" in unix(7)).
    pub(crate) fn unix(name: &[u8]) -> Self {
        // SAFETY: all of its fields are integers, for which zero is a value.
        let mut address: sockaddr_un = unsafe { zeroed() };
        assert!(name.len() <= address.sun_path.len(), "the name fits into sun_path");
        address.sun_family = libc::AF_UNIX as u16;
        for (to, from) in address.sun_path.iter_mut().zip(name) {
            *to = *from as i8;
        }
        let len = offset_of!(sockaddr_un, sun_path) + name.len();
        Self { len: len as socklen_t, ..Self::of(address) }
    }

    /// The bytes of `sun_path` that the address's length covers.
    pub(crate) fn unix_name(&self) -> Vec<u8> {
        let path = offset_of!(sockaddr_un, sun_path);
        // SAFETY: a sockaddr_storage is at least as large and as aligned as a
        // sockaddr_un, and was filled with bytes throughout.
        let address: &sockaddr_un = unsafe { &*(&raw const self.storage).cast() };
        let len = (self.len as usize).saturating_sub(path);
        address.sun_path[..len].iter().map(|byte| *byte as u8).collect()
    }

    pub(crate) fn family(&self) -> i32 {
        self.storage.ss_family.into()
    }

    /// The address as std's type; a panic for any other family.
    pub(crate) fn inet(&self) -> SocketAddr {
        match self.family() {
            libc::AF_INET => {
                // SAFETY: the family says that the storage holds this type.
                let v4: &sockaddr_in = unsafe { &*(&raw const self.storage).cast() };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port))
            }
            libc::AF_INET6 => {
                // SAFETY: the family says that the storage holds this type.
                let v6: &sockaddr_in6 = unsafe { &*(&raw const self.storage).cast() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                SocketAddr::new(IpAddr::V6(ip), u16::from_be(v6.sin6_port))
            }
            family => panic!("an address of family {family}"),
        }
    }

    fn of<T>(address: T) -> Self {
        let mut room = Self::room();
        assert!(size_of::<T>() <= size_of::<sockaddr_storage>());
        // SAFETY: a sockaddr_storage is large and aligned enough for any
        // address type, as the assertion checks.
        unsafe { (&raw mut room.storage).cast::<T>().write(address) };
        room.len = size_of::<T>() as socklen_t;
        room
    }

    pub(crate) fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        (&raw mut self.storage).cast()
    }
}

impl From<SocketAddr> for Addr {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => {
                // SAFETY: all of its fields are integers.
                let mut raw: sockaddr_in = unsafe { zeroed() };
                raw.sin_family = libc::AF_INET as u16;
                raw.sin_port = v4.port().to_be();
                raw.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
                Self::of(raw)
            }
            SocketAddr::V6(v6) => {
                // SAFETY: all of its fields are integers.
                let mut raw: sockaddr_in6 = unsafe { zeroed() };
                raw.sin6_family = libc::AF_INET6 as u16;
                raw.sin6_port = v6.port().to_be();
                raw.sin6_addr.s6_addr = v6.ip().octets();
                Self::of(raw)
            }
        }
    }
}

/// 127.0.0.1 with a port that bind(2) chooses.
pub(crate) fn loopback4() -> Addr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()
}

/// ::1 with a port that bind(2) chooses.
pub(crate) fn loopback6() -> Addr {
    SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into()
}

pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::socket(family, kind, protocol) }
}

/// A TCP socket over IPv4; `flags` as SOCK_NONBLOCK.
pub(crate) fn tcp(flags: i32) -> i32 {
    must(socket(libc::AF_INET, libc::SOCK_STREAM | flags, 0))
}

/// A UDP socket over IPv4; `flags` as SOCK_NONBLOCK.
pub(crate) fn udp(flags: i32) -> i32 {
    must(socket(libc::AF_INET, libc::SOCK_DGRAM | flags, 0))
}

pub(crate) fn bind(fd: i32, address: &Addr) -> i32 {
    // SAFETY: pointer and length are those of one address.
    unsafe { libc::bind(fd, address.as_ptr(), address.len) }
}

pub(crate) fn connect(fd: i32, address: &Addr) -> i32 {
    // SAFETY: pointer and length are those of one address.
    unsafe { libc::connect(fd, address.as_ptr(), address.len) }
}

pub(crate) fn listen(fd: i32, backlog: i32) -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::listen(fd, backlog) }
}

pub(crate) fn accept(fd: i32) -> i32 {
    accept4(fd, 0)
}

pub(crate) fn accept4(fd: i32, flags: i32) -> i32 {
    // SAFETY: null asks for no address.
    unsafe { libc::accept4(fd, std::ptr::null_mut(), std::ptr::null_mut(), flags) }
}

pub(crate) fn getsockname(fd: i32, into: &mut Addr) -> i32 {
    // SAFETY: `len` says how much room there is.
    unsafe { libc::getsockname(fd, (&raw mut into.storage).cast(), &mut into.len) }
}

pub(crate) fn getpeername(fd: i32, into: &mut Addr) -> i32 {
    // SAFETY: `len` says how much room there is.
    unsafe { libc::getpeername(fd, (&raw mut into.storage).cast(), &mut into.len) }
}

/// The address a socket is bound to.
pub(crate) fn name_of(fd: i32) -> Addr {
    let mut address = Addr::room();
    assert_eq!(getsockname(fd, &mut address), 0, "getsockname");
    address
}

pub(crate) fn shutdown(fd: i32, how: i32) -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::shutdown(fd, how) }
}

pub(crate) fn send(fd: i32, bytes: &[u8], flags: i32) -> isize {
    // SAFETY: the pointer and length are those of one slice.
    unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) }
}

pub(crate) fn recv(fd: i32, buffer: &mut [u8], flags: i32) -> isize {
    // SAFETY: the pointer and length are those of one slice.
    unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) }
}

pub(crate) fn sendto(fd: i32, bytes: &[u8], flags: i32, to: &Addr) -> isize {
    let (data, size) = (bytes.as_ptr().cast(), bytes.len());
    // SAFETY: the pointers and lengths are those of one slice and one address.
    unsafe { libc::sendto(fd, data, size, flags, to.as_ptr(), to.len) }
}

pub(crate) fn recvfrom(fd: i32, buffer: &mut [u8], flags: i32, from: &mut Addr) -> isize {
    let (data, size) = (buffer.as_mut_ptr().cast(), buffer.len());
    let (address, len) = ((&raw mut from.storage).cast(), &mut from.len);
    // SAFETY: the pointers and lengths are those of one slice and one address.
    unsafe { libc::recvfrom(fd, data, size, flags, address, len) }
}

/// setsockopt(2) with a value of any plain type.
pub(crate) fn setsockopt<T: Copy>(fd: i32, level: i32, option: i32, value: T) -> i32 {
    let size = size_of::<T>() as socklen_t;
    // SAFETY: pointer and length are those of one value.
    unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), size) }
}

/// getsockopt(2) of an int.
pub(crate) fn getsockopt(fd: i32, level: i32, option: i32, into: &mut i32) -> i32 {
    let mut size = size_of::<i32>() as socklen_t;
    // SAFETY: pointer and length are those of one int.
    unsafe { libc::getsockopt(fd, level, option, (into as *mut i32).cast(), &mut size) }
}

/// The value of an option that a socket has.
pub(crate) fn option_of(fd: i32, level: i32, option: i32) -> i32 {
    let mut value = -1;
    assert_eq!(getsockopt(fd, level, option, &mut value), 0, "getsockopt");
    value
}

/// Takes the socket's pending error (SO_ERROR in socket(7)) as a name.
pub(crate) fn take_error(fd: i32) -> String {
    match option_of(fd, libc::SOL_SOCKET, libc::SO_ERROR) {
        0 => "0".to_owned(),
        code => crate::errno::name(code),
    }
}

/// A listening TCP socket on `address`, and where it listens.
pub(crate) fn tcp_listener(address: Addr) -> (i32, Addr) {
    let listener = must(socket(address.family(), libc::SOCK_STREAM, 0));
    assert_eq!(bind(listener, &address), 0, "bind");
    assert_eq!(listen(listener, 16), 0, "listen");
    (listener, name_of(listener))
}

/// A connected pair over IPv4 loopback: `(client, server)`.
pub(crate) fn tcp_pair() -> (i32, i32) {
    let (listener, address) = tcp_listener(loopback4());
    let client = tcp(0);
    assert_eq!(connect(client, &address), 0, "connect");
    let server = must(accept(listener));
    assert_eq!(super::close(listener), 0, "close");
    (client, server)
}

/// A UDP socket bound to 127.0.0.1, and where.
pub(crate) fn udp_bound() -> (i32, Addr) {
    let socket = udp(0);
    assert_eq!(bind(socket, &loopback4()), 0, "bind");
    (socket, name_of(socket))
}

pub(crate) fn socketpair(kind: i32) -> [i32; 2] {
    let mut ends = [-1; 2];
    // SAFETY: socketpair writes two ints.
    let result = unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) };
    assert_eq!(result, 0, "socketpair");
    ends
}

/// A loopback address where nobody listens: its port was ours a moment ago.
pub(crate) fn closed_port(kind: i32) -> Addr {
    let socket = must(socket(libc::AF_INET, kind, 0));
    assert_eq!(bind(socket, &loopback4()), 0, "bind");
    let address = name_of(socket);
    assert_eq!(super::close(socket), 0, "close");
    address
}

/// A descriptor that must be one.
pub(crate) fn must(fd: i32) -> i32 {
    assert!(fd >= 0, "a descriptor: {}", crate::errno::name(crate::errno::last()));
    fd
}
