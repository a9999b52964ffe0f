//! What happens to the sockets of a host when its process is killed, or the host loses its power or pauses.

use bizarro_record::Nanos;

use super::link::Fate;
use super::socket::{Proto, SockId, Socket};
use super::{Cx, Net};

impl Net {
    /// The host's process was killed: its sockets are closed, as exit(2) closes them. The host itself goes
    /// on: its connections end with a FIN, or with an RST where data was unread.
    pub fn host_crashed(&mut self, cx: &mut Cx<'_>, host: u16) {
        let is_held = |socket: &Socket| {
            socket.base.host == host
                && match &socket.proto {
                    Proto::Tcp(tcp) => !tcp.is_orphan && tcp.parent == SockId::NONE,
                    _ => true,
                }
        };
        for id in self.sockets.filter(is_held) {
            self.close(cx, id);
        }
    }

    /// The host lost its power: everything that it knew is gone, nothing is sent, and what arrives is lost.
    pub fn host_powered_off(&mut self, cx: &mut Cx<'_>, host: u16) {
        for id in self.sockets.filter(|socket| socket.base.host == host) {
            match self.sockets.remove(id).map(|socket| socket.proto) {
                Some(Proto::Unix(unix)) => {
                    for message in unix.rx {
                        cx.released.extend(message.rights);
                    }
                }
                Some(Proto::Tcp(tcp)) => self.exchanges.left(tcp.connection),
                Some(Proto::Udp(_) | Proto::Netlink(_)) | None => {}
            }
        }
        let gone = &mut self.hosts[usize::from(host)];
        gone.ports_tcp.clear();
        gone.ports_udp.clear();
        gone.paths.clear();
        gone.names.clear();
        gone.is_off = true;
        self.tcp_peers_of(cx, host);
    }

    /// Sends the question of a time daemon, or the answer to one, from one host to another: when it arrives, `None`
    /// where it does not.
    pub fn probe(&mut self, cx: &mut Cx<'_>, from: u16, to: u16) -> Option<Nanos> {
        const LENGTH: usize = 48;
        if cx.decider.removed(from, to).is_some() || cx.decider.removed(to, from).is_some() {
            return None;
        }
        match self.carry(cx, from, to, LENGTH) {
            Fate::Arrives(at) => Some(at),
            Fate::Lost => None,
        }
    }

    /// The host has power again. Connections of before are met with an RST.
    pub fn host_powered_on(&mut self, host: u16) {
        self.hosts[usize::from(host)].is_off = false;
    }

    /// The host stands still until `until`: what arrives waits at its door.
    pub fn host_paused(&mut self, host: u16, until: Nanos) {
        self.hosts[usize::from(host)].paused_until = until;
    }
}
