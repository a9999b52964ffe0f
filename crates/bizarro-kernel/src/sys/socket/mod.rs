//! Sockets: the calls of section 2 over [`crate::net::Net`], which never waits.
//!
//! Messages with more than bytes and an address, sendmsg(2) and its kin, are in [`super::message`].

pub(super) mod address;
mod close;
mod connection;
mod create;
mod options;
mod receive;
mod rights;
pub(super) mod send;

use crate::errno::Errno;
use crate::kernel::Kernel;
use crate::net::SockId;
use crate::object::{Kind, ObjId};
use crate::table::Arg::{Fd, Hex, Int, Ptr, Size};
use crate::table::{Row, Support, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_socket, "socket", &[Int, Hex, Int], create::socket)
        .support(Support::Partial("TCP, UDP, Unix and routing netlink sockets")),
    row(libc::SYS_socketpair, "socketpair", &[Int, Hex, Int, Ptr], create::socketpair),
    row(libc::SYS_bind, "bind", &[Fd, Ptr, Int], address::bind),
    row(libc::SYS_listen, "listen", &[Fd, Int], connection::listen),
    row(libc::SYS_accept, "accept", &[Fd, Ptr, Ptr], connection::accept).restarts(),
    row(libc::SYS_accept4, "accept4", &[Fd, Ptr, Ptr, Hex], connection::accept4).restarts(),
    row(libc::SYS_connect, "connect", &[Fd, Ptr, Int], connection::connect).restarts(),
    row(libc::SYS_sendto, "sendto", &[Fd, Ptr, Size, Hex, Ptr, Int], send::sendto).restarts(),
    row(libc::SYS_recvfrom, "recvfrom", &[Fd, Ptr, Size, Hex, Ptr, Ptr], receive::recvfrom)
        .restarts(),
    row(libc::SYS_shutdown, "shutdown", &[Fd, Int], connection::shutdown),
    row(libc::SYS_getsockname, "getsockname", &[Fd, Ptr, Ptr], address::getsockname),
    row(libc::SYS_getpeername, "getpeername", &[Fd, Ptr, Ptr], address::getpeername),
    row(libc::SYS_setsockopt, "setsockopt", &[Fd, Int, Int, Ptr, Int], options::setsockopt),
    row(libc::SYS_getsockopt, "getsockopt", &[Fd, Int, Int, Ptr, Ptr], options::getsockopt),
];

impl Kernel {
    /// The socket that a descriptor names.
    pub(crate) fn socket(&self, fd: i32) -> Result<(ObjId, SockId), Errno> {
        let (id, object) = self.object(fd)?;
        match object.kind {
            Kind::Socket(socket) => Ok((id, socket)),
            _ => Err(Errno::ENOTSOCK),
        }
    }
}
