//! A client that asks too much: for each request of its program many more come after it, each on a connection of its own
//! whose reply nobody waits for. A retry storm, or somebody who abuses a service.
//!
//! The copies are requests like any other: they travel, take a place in the server's queue of connections, are
//! answered, and are exchanges of the run. A copy is whole where its protocol says where a request ends and one stands for
//! itself, as those of HTTP/1 and datagrams do; over HTTP/2 nothing is repeated, and of an encrypted connection only bytes
//! that its server refuses.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use bizarro_record::{Event, Nanos, Trouble, Way};

use super::addr::{Endpoint, SockAddr};
use super::condition::Ends;
use super::exchange::{Content, Piece, Side};
use super::socket::SockId;
use super::{Cx, Later, Net};

/// How long a copy keeps its connection open for a reply.
const PATIENCE: Nanos = Nanos::from_secs(60);

/// A client that asks too much.
struct Burst {
    way: Way,
    ends: Ends,
    copies: u32,
}

/// Everything that is asked too much.
#[derive(Default)]
pub(super) struct Bursts {
    list: Vec<Burst>,
    /// Requests that are being sent, by exchange.
    begun: BTreeMap<u32, Vec<u8>>,
    /// Sockets that nobody holds, and what they are to ask.
    copies: BTreeMap<SockId, Vec<u8>>,
}

impl Bursts {
    /// Whether nobody asks too much, and nothing of it is left.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.copies.is_empty()
    }

    /// Copies of what `client` asks of `server`.
    fn copies(&self, client: u16, server: u16) -> u32 {
        let bursts = self.list.iter().filter(|burst| burst.ends.is_way(client, server));
        bursts.map(|burst| burst.copies).sum()
    }
}

impl Net {
    /// From now on so many copies of each request that the clients at the beginning of this way send to the servers at
    /// its end follow it.
    pub fn begin_burst(&mut self, way: &Way, copies: u32) {
        let ends = self.conditions.ends(way);
        self.bursts.list.push(Burst { way: way.clone(), ends, copies });
    }

    /// No more copies are made; those that are under way go on.
    pub fn end_burst(&mut self, way: &Way, copies: u32) {
        let is_it = |burst: &Burst| (&burst.way, burst.copies) == (way, copies);
        if let Some(at) = self.bursts.list.iter().position(is_it) {
            self.bursts.list.remove(at);
        }
    }

    /// Bytes of a request are about to be sent on a connection: when it is whole, copies of it are sent, too.
    #[cold]
    pub(super) fn repeat_request(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        piece: Piece,
        data: &[u8],
    ) {
        let mark = piece.mark;
        let is_plain = piece.content == Content::Whole;
        if !mark.is_some() || mark.side() == Side::Server || !is_plain {
            return;
        }
        let (client, server) = self.exchanges.hosts_of(mark);
        let copies = self.bursts.copies(client, server);
        if copies == 0 || self.bursts.copies.contains_key(&id) {
            return;
        }
        let begun = match mark.is_first() {
            true => Some(Vec::new()),
            false => self.bursts.begun.remove(&mark.exchange),
        };
        let Some(mut request) = begun else { return };
        request.extend_from_slice(data);
        if !mark.is_last() && !mark.is_open() {
            self.bursts.begun.insert(mark.exchange, request);
            return;
        }
        let Some((_, tcp)) = self.tcp(id) else { return };
        let remote = tcp.remote;
        let label = self.exchanges.label(mark);
        self.show_burst(cx, client, server, label);
        for _ in 0..copies {
            self.ask_as(cx, client, remote, &request);
        }
    }

    /// How many copies of a datagram are sent, which is a request of `client`.
    #[cold]
    pub(super) fn copies_of_datagram(
        &mut self,
        cx: &mut Cx<'_>,
        piece: Piece,
        client: u16,
        server: u16,
    ) -> u32 {
        let copies = self.bursts.copies(client, server);
        if copies > 0 {
            let label = self.exchanges.label(piece.mark);
            self.show_burst(cx, client, server, label);
        }
        copies
    }

    fn show_burst(&self, cx: &mut Cx<'_>, client: u16, server: u16, label: String) {
        let bursts = self.bursts.list.iter().filter(|burst| burst.ends.is_way(client, server));
        for Burst { way, copies, .. } in bursts {
            let trouble = Box::new(Trouble::Burst { way: way.clone(), copies: *copies });
            cx.show(client, Event::Felt { trouble, to: server, label: label.clone() });
        }
    }

    /// Opens a connection that asks this once.
    fn ask_as(&mut self, cx: &mut Cx<'_>, client: u16, remote: Endpoint, request: &[u8]) {
        let domain = if remote.ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let Ok(copy) = self.socket(client, domain, libc::SOCK_STREAM, 0) else { return };
        self.bursts.copies.insert(copy, request.to_vec());
        let to = SockAddr::Inet(SocketAddr::new(remote.ip, remote.port));
        // It is under way, or there is no port left: then it is closed like any other, in a while.
        let _ = self.connect(cx, copy, &to);
        cx.later(cx.now + PATIENCE, Later::CopyEnds(copy));
    }

    /// A socket is connected: if it is a copy's, it asks.
    #[cold]
    pub(super) fn copy_connected(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some(request) = self.bursts.copies.get_mut(&id) else { return };
        let request = core::mem::take(request);
        // A copy that is not heard is one less.
        let _ = self.tcp_push_observed(cx, id, request);
    }

    /// Something arrived at a socket: if it is a copy's, nobody reads it.
    #[cold]
    pub(super) fn copy_hears(&mut self, cx: &mut Cx<'_>, id: SockId) {
        if !self.bursts.copies.contains_key(&id) {
            return;
        }
        let Some((_, tcp)) = self.tcp(id) else { return };
        tcp.rx.clear();
        tcp.rx_offset = 0;
        tcp.rx_bytes = 0;
        let (is_done, peer_holds) = (tcp.is_done, tcp.peer_holds);
        if is_done {
            self.copy_ends(cx, id);
        } else if peer_holds {
            self.tcp_window_opened(cx, id);
        }
    }

    /// A copy has waited long enough.
    pub(super) fn copy_ends(&mut self, cx: &mut Cx<'_>, id: SockId) {
        if self.bursts.copies.remove(&id).is_some() {
            self.tcp_close(cx, id);
        }
    }
}
