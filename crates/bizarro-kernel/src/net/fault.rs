//! What goes wrong at the eight steps of an exchange, because the plan says so.
//!
//! The decider is asked once per exchange and step, when the step is reached:
//!
//! | step | asked | effects |
//! |---|---|---|
//! | 1 post-request | the request's first bytes are handed to send | **reset**: send fails with `ECONNRESET`, no byte leaves, the peer gets an RST (UDP: `ECONNREFUSED`). **refused**: the same, and for five seconds the server answers the client's SYNs with an RST, and its datagrams with "port unreachable". **unreachable**: send fails with `EHOSTUNREACH` and the connection ends without a word to the peer; for five seconds no packet passes between the two hosts, and the client's connect and datagrams fail alike |
//! | 2 deliver-request | likewise | **lost**: the bytes vanish, and the connection is silent from then on, both ways; nothing is acknowledged (UDP: the datagram vanishes). **partition**: for thirty seconds no packet passes between the two hosts, either way, of any connection; then TCP sends again what was lost. **crash**: the server is killed when the last byte arrives, before it reads it |
//! | 3 validate-request | likewise | **bit-flip**, **garbage**: in the bytes of this send. **truncated**: the second half of these bytes is missing, and a FIN comes in its place; what the client sends later is swallowed. **older**: these bytes are replaced by the first bytes of the request before it of the same name; where there was none, nothing strikes |
//! | 4 update-server | the last byte has arrived | **disk-full**, **io-error**, **pause**, **power-off**: now. **crash**: when the server has read the last byte. **crash@N**: before the N-th system call that the server begins from now on; where it begins fewer, nothing strikes |
//! | 5 post-reply | the reply's first bytes are handed to send | **reset**: as in step 1. **crash**, **power-off**: the server is killed, or loses its power, before a byte leaves |
//! | 6 deliver-reply | likewise | **lost**: as in step 2. **late**: this and all that the server sends later on this connection takes a minute longer. **reset**: send succeeds, the bytes vanish, and both ends find the connection reset (UDP: as lost) |
//! | 7 validate-reply | likewise | **bit-flip**, **garbage**, **truncated**: as in step 3. **empty**: a FIN in place of the reply. **error-body**: of an HTTP reply with a status of 2xx, the body as far as it comes in this send is replaced by an error, see [`super::body`]; where there is none, nothing strikes |
//! | 8 update-client | the last byte has arrived | **pause**, **disk-full**, **io-error**, **power-off**: now. **crash**: when the client has read the last byte |
//!
//! Where a protocol does not say which byte is the last one, it is the last one that was sent when everything
//! that was sent has arrived. Where the name of a request does not come with its first bytes, "first" means the bytes
//! that complete its name.
//!
//! Calls of HTTP/2 share a connection, and a connection is one stream of bytes, so what happens to the stream happens to
//! all of them, as on a real network: a call that is lost leaves all others on its connection unanswered, one that is
//! late holds all later frames up, and what resets or ends the connection ends them, too. Only step 3 and step 7 are
//! the call's alone. They strike when the first content of its DATA frames is sent, as far as it comes in this send:
//! **bit-flip** and **garbage** in the content, not in the frames; **truncated** in the middle of it; **empty** ends the
//! connection there, behind the headers where these left before; **older** and **error-body** (of HTTP, not of gRPC, whose
//! errors stand in the trailer) put other content into the frame. A message without content is its header block, and is
//! struck there: the receiver's table of headers (HPACK) is wrong from then on, and the connection goes down with it;
//! nothing is older than it and it has no body.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bizarro_record::{Effect, Event, Injection, Nanos, Step};

use super::addr::Endpoint;
use super::barrier::Wall;
use super::body::put_error_into;
use super::exchange::{Connection, Content, Mark, Piece, Side};
use super::lie::Told;
use super::protocol::http2::replace_content;
use super::socket::{Proto, SockId};
use super::tcp::{Segment, What};
use super::{Cx, Deadly, HostFault, Net, Wake};
use crate::errno::Errno;

/// How much later a message is that is *late*.
const LATE: Nanos = Nanos::from_secs(60);

/// What becomes of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Pass,
    Lose,
    Delay(Nanos),
    /// So many copies follow it.
    Repeat(u32),
}

/// What a fault does to a message that is about to be sent.
enum Blow {
    /// Nothing, or nothing beyond its bytes.
    Send,
    /// The send fails with this, and the connection is reset.
    Fail(Errno),
    /// The send succeeds, the bytes are lost, and the connection is reset.
    Cut,
    /// The sender dies before a byte leaves.
    Die,
    Lose,
    Delay,
    /// The bytes are followed by the end of the stream.
    Sever,
}

impl Net {
    /// Sends a buffer on a connection between two hosts, message by message.
    pub(super) fn tcp_push_observed(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        data: Vec<u8>,
    ) -> Result<(), Errno> {
        let (connection, side) = self.tcp_connection(id);
        let mut pieces = core::mem::take(&mut self.exchanges.pieces);
        pieces.clear();
        self.exchanges.sent(connection, side, &data, cx.now, &mut pieces);
        let pushed = match pieces[..] {
            [piece] => self.tcp_push_piece(cx, id, data, piece),
            _ => self.tcp_push_pieces(cx, id, &data, &pieces),
        };
        self.exchanges.pieces = pieces;
        pushed
    }

    fn tcp_push_pieces(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        data: &[u8],
        pieces: &[Piece],
    ) -> Result<(), Errno> {
        let mut start = 0;
        for piece in pieces {
            let part = data[start..start + piece.length].to_vec();
            match self.tcp_push_piece(cx, id, part, *piece) {
                // The connection is reset, and what follows is lost with it.
                Ok(()) if !self.tcp(id).is_some_and(|(_, tcp)| tcp.is_synchronised()) => {
                    return Ok(());
                }
                Ok(()) => start += piece.length,
                Err(error) if start == 0 => return Err(error),
                Err(error) => {
                    // The messages before it were sent: the next call gets the error.
                    if let Ok(base) = self.base(id) {
                        base.error = Some(error);
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The conversation of a connection, which begins with its first bytes, and the side that `id` is.
    fn tcp_connection(&mut self, id: SockId) -> (Connection, Side) {
        let Some((base, tcp)) = self.tcp(id) else { return (Connection::NONE, Side::Client) };
        let side = if tcp.is_client { Side::Client } else { Side::Server };
        if tcp.connection != Connection::NONE {
            return (tcp.connection, side);
        }
        let (own, other, peer) = (base.host, tcp.peer_host, tcp.peer);
        let connection = match side {
            Side::Client => {
                let port = tcp.remote.port;
                self.exchanges.connection(own, other, port)
            }
            Side::Server => {
                let port = tcp.local.port;
                self.exchanges.connection(other, own, port)
            }
        };
        for end in [id, peer] {
            if let Some((_, tcp)) = self.tcp(end) {
                let before = core::mem::replace(&mut tcp.connection, connection);
                self.exchanges.joined(connection);
                self.exchanges.left(before);
            }
        }
        (connection, side)
    }

    /// The mark for the end of what `id` sends.
    pub(super) fn exchange_closes(&mut self, id: SockId) -> Mark {
        let Some((_, tcp)) = self.tcp(id) else { return Mark::NONE };
        let side = if tcp.is_client { Side::Client } else { Side::Server };
        let connection = tcp.connection;
        self.exchanges.closing(connection, side)
    }

    fn tcp_push_piece(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        mut data: Vec<u8>,
        piece: Piece,
    ) -> Result<(), Errno> {
        let mark = piece.mark;
        let is_asked = mark.is_first() || mark.has_content();
        let mut blow = if is_asked { self.blow(cx, piece, &mut data) } else { Blow::Send };
        if !self.liars.is_empty()
            && matches!(blow, Blow::Send)
            && self.lie(cx, piece, &mut data) == Told::Withheld
        {
            blow = Blow::Lose;
        }
        if !self.bursts.is_empty() {
            self.repeat_request(cx, id, piece, &data);
        }
        match blow {
            Blow::Send | Blow::Sever => {}
            Blow::Fail(errno) => {
                self.tcp_break(cx, id);
                return Err(errno);
            }
            Blow::Cut => {
                self.tcp_break(cx, id);
                if let Ok(base) = self.base(id) {
                    base.error = Some(Errno::ECONNRESET);
                }
                cx.wake(id, Wake::ERROR);
                return Ok(());
            }
            Blow::Die => return Err(Errno::ECONNRESET),
            Blow::Lose => self.tcp_go_dark(cx, id),
            Blow::Delay => {
                if let Some((_, tcp)) = self.tcp(id) {
                    tcp.late = LATE;
                }
            }
        }
        if !data.is_empty() {
            let segment = Segment::new(data, mark, What::Data);
            self.tcp_queue(cx, id, segment);
        }
        if matches!(blow, Blow::Sever) {
            self.tcp_sever(cx, id);
        }
        Ok(())
    }

    /// Asks about the three steps that a message passes when it is sent, as far as these bytes reach them, and strikes
    /// the bytes.
    fn blow(&mut self, cx: &mut Cx<'_>, piece: Piece, data: &mut Vec<u8>) -> Blow {
        let mark = piece.mark;
        let (client, server) = self.exchanges.hosts_of(mark);
        let (sender, steps) = match mark.side() {
            Side::Client => {
                (client, [Step::PostRequest, Step::DeliverRequest, Step::ValidateRequest])
            }
            Side::Server => (server, [Step::PostReply, Step::DeliverReply, Step::ValidateReply]),
        };
        let mut blow = Blow::Send;
        let older = match (mark.side(), piece.held(data)) {
            (Side::Client, Some(held)) if cx.decider.keeps_requests() => {
                self.exchanges.keep_request(mark, held)
            }
            _ => None,
        };
        let is_reached = [mark.is_first(), mark.is_first(), mark.has_content()];
        let reached = steps.into_iter().zip(is_reached).filter(|(_, is_reached)| *is_reached);
        for (step, _) in reached {
            let Some(effect) = self.ask(cx, mark, step) else { continue };
            match (step, effect) {
                (Step::DeliverRequest, Effect::Crash) => {
                    // It is shown when it strikes.
                    self.exchanges.make_deadly(mark);
                    continue;
                }
                (Step::DeliverReply, Effect::Reset) => blow = Blow::Cut,
                (_, Effect::Reset) => blow = Blow::Fail(Errno::ECONNRESET),
                (_, Effect::Refused) => {
                    self.raise(cx.now, client, server, Wall::Refused, effect.lasts());
                    blow = Blow::Fail(Errno::ECONNRESET);
                }
                (_, Effect::Unreachable) => {
                    self.raise(cx.now, client, server, Wall::Unreachable, effect.lasts());
                    blow = Blow::Fail(Errno::EHOSTUNREACH);
                }
                (_, Effect::Partition) => {
                    self.raise(cx.now, client, server, Wall::Partition, effect.lasts());
                }
                (_, Effect::Older) => match &older {
                    Some(older) if piece.replace(data, older) => {}
                    _ => continue,
                },
                (_, Effect::ErrorBody) => {
                    let status = self.exchanges.records[mark.exchange as usize].status;
                    if !put_error_into(piece.content, status, data) {
                        continue;
                    }
                }
                (_, Effect::Crash) => {
                    cx.strikes.push(HostFault::Crash(sender));
                    blow = Blow::Die;
                }
                (_, Effect::PowerOff) => {
                    cx.strikes.push(HostFault::PowerOff(sender));
                    blow = Blow::Die;
                }
                (_, Effect::Lost) => blow = Blow::Lose,
                (_, Effect::Late) => blow = Blow::Delay,
                (_, Effect::BitFlip) => flip_bit(cx, content_of(piece.content, data)),
                (_, Effect::Garbage) => fill_with_noise(cx, content_of(piece.content, data)),
                (_, Effect::Truncated) => {
                    let content = piece.content.span(data.len());
                    data.truncate(content.start + (content.end - content.start) / 2);
                    blow = Blow::Sever;
                }
                (_, Effect::Empty) => {
                    data.clear();
                    blow = Blow::Sever;
                }
                (_, Effect::DiskFull | Effect::IoError | Effect::CrashAt(_) | Effect::Pause) => {}
            }
            self.show_strike(cx, mark, sender, step, effect);
            if matches!(blow, Blow::Fail(_) | Blow::Die) {
                break;
            }
        }
        blow
    }

    /// Bytes of a message have arrived on a connection.
    pub(super) fn message_arrived(
        &mut self,
        cx: &mut Cx<'_>,
        from: SockId,
        to: SockId,
        mark: Mark,
    ) {
        let is_whole = mark.is_last()
            || mark.is_open() && self.tcp(from).is_none_or(|(_, tcp)| tcp.queued == 0);
        if !is_whole {
            return;
        }
        if self.delivered(cx, mark) == Delivered::KillsWhenRead
            && let Some((_, tcp)) = self.tcp(to)
        {
            match tcp.rx.back_mut() {
                Some(segment) => segment.mark = mark,
                None => self.deadly_message_read(cx, mark),
            }
        }
    }

    /// A datagram has arrived.
    pub(super) fn datagram_delivered(&mut self, cx: &mut Cx<'_>, mark: Mark) {
        if self.delivered(cx, mark) == Delivered::KillsWhenRead {
            self.deadly_message_read(cx, mark);
        }
    }

    /// The last byte of a message has arrived.
    fn delivered(&mut self, cx: &mut Cx<'_>, mark: Mark) -> Delivered {
        self.exchanges.arrived(mark, cx.now);
        let (client, server) = self.exchanges.hosts_of(mark);
        let (host, step) = match mark.side() {
            Side::Client => (server, Step::UpdateServer),
            Side::Server => (client, Step::UpdateClient),
        };
        // Datagrams cross: what the server sent before the request came kills nobody.
        if mark.side() == Side::Client && self.exchanges.take_deadly(mark) {
            cx.strikes.push(HostFault::Crash(host));
            self.show_strike(cx, mark, host, Step::DeliverRequest, Effect::Crash);
            return Delivered::Harmless;
        }
        let Some(effect) = self.ask(cx, mark, step) else { return Delivered::Harmless };
        let strike = match effect {
            Effect::Crash => return Delivered::KillsWhenRead,
            Effect::CrashAt(call) => {
                // It is shown when it strikes.
                cx.strikes.push(HostFault::CrashAt(host, call, Deadly { mark, effect }));
                return Delivered::Harmless;
            }
            Effect::Pause => HostFault::Pause(host),
            Effect::DiskFull => HostFault::DiskFull(host),
            Effect::IoError => HostFault::IoError(host),
            Effect::PowerOff => HostFault::PowerOff(host),
            _ => return Delivered::Harmless,
        };
        cx.strikes.push(strike);
        self.show_strike(cx, mark, host, step, effect);
        Delivered::Harmless
    }

    /// The last byte of a message that its reader dies of was read.
    pub(super) fn deadly_message_read(&mut self, cx: &mut Cx<'_>, mark: Mark) {
        let (client, server) = self.exchanges.hosts_of(mark);
        let (host, step) = match mark.side() {
            Side::Client => (server, Step::UpdateServer),
            Side::Server => (client, Step::UpdateClient),
        };
        cx.strikes.push(HostFault::CrashSoon(host));
        self.show_strike(cx, mark, host, step, Effect::Crash);
    }

    /// A host dies of a message, now.
    pub fn show_deadly(&mut self, cx: &mut Cx<'_>, deadly: Deadly) {
        if deadly != Deadly::TOLD {
            let (_, server) = self.exchanges.hosts_of(deadly.mark);
            self.show_strike(cx, deadly.mark, server, Step::UpdateServer, deadly.effect);
        }
    }

    /// A datagram is about to be sent to another host: which message it is, and what becomes of it.
    pub(super) fn udp_observed(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to_host: u16,
        from: Endpoint,
        to: Endpoint,
        data: &mut Vec<u8>,
    ) -> Result<(Mark, Outcome), Errno> {
        let host = self.base(id)?.host;
        if let Some(errno) = self.refusal(cx, host, to_host) {
            return Err(errno);
        }
        let connection = self.udp_flow(id, to_host, from, to);
        let side = self.exchanges.side(connection, from);
        if side == Side::Client {
            match self.removed(cx, host, to_host) {
                None => {}
                Some(Effect::Refused) => return Err(Errno::ECONNREFUSED),
                Some(Effect::Unreachable) => return Err(Errno::EHOSTUNREACH),
                Some(_) => return Ok((Mark::NONE, Outcome::Lose)),
            }
        }
        let mut pieces = core::mem::take(&mut self.exchanges.pieces);
        pieces.clear();
        self.exchanges.sent(connection, side, data, cx.now, &mut pieces);
        let first = pieces.first().copied();
        self.exchanges.pieces = pieces;
        let Some(piece) = first.filter(|piece| piece.mark.is_first()) else {
            return Ok((first.map_or(Mark::NONE, |piece| piece.mark), Outcome::Pass));
        };
        let mark = piece.mark;
        let mut blow = self.blow(cx, piece, data);
        if !self.liars.is_empty()
            && matches!(blow, Blow::Send)
            && self.lie(cx, piece, data) == Told::Withheld
        {
            blow = Blow::Lose;
        }
        match blow {
            Blow::Send | Blow::Sever if side == Side::Client && !self.bursts.is_empty() => {
                Ok((mark, Outcome::Repeat(self.copies_of_datagram(cx, piece, host, to_host))))
            }
            Blow::Send | Blow::Sever => Ok((mark, Outcome::Pass)),
            Blow::Fail(Errno::ECONNRESET) => Err(Errno::ECONNREFUSED),
            Blow::Fail(errno) => Err(errno),
            Blow::Die => Err(Errno::EPIPE),
            Blow::Lose | Blow::Cut => Ok((mark, Outcome::Lose)),
            Blow::Delay => Ok((mark, Outcome::Delay(LATE))),
        }
    }

    fn udp_flow(&mut self, id: SockId, to_host: u16, from: Endpoint, to: Endpoint) -> Connection {
        let Net { sockets, exchanges, .. } = self;
        let Some(socket) = sockets.get_mut(id) else { return Connection::NONE };
        let Proto::Udp(udp) = &mut socket.proto else { return Connection::NONE };
        match udp.flow {
            Some((last, connection)) if last == to => connection,
            _ => {
                let connection = exchanges.flow((socket.base.host, from), (to_host, to));
                udp.flow = Some((to, connection));
                connection
            }
        }
    }

    /// Asks the decider, unless it was asked before.
    fn ask(&mut self, cx: &mut Cx<'_>, mark: Mark, step: Step) -> Option<Effect> {
        let watched = &self.watched_steps;
        let id = self.exchanges.ask(mark, step)?;
        if !watched.is_empty() {
            let now = watched.iter().filter(|(exchange, at, _)| *at == step && exchange == id);
            let now: Vec<usize> = now.map(|(.., incident)| *incident).collect();
            if !now.is_empty() {
                let (client, server) = self.exchanges.ends(mark);
                let acts = match step {
                    Step::PostRequest
                    | Step::DeliverReply
                    | Step::ValidateReply
                    | Step::UpdateClient => client,
                    _ => server,
                };
                cx.strikes.extend(now.into_iter().map(|index| HostFault::Incident(index, acts)));
            }
        }
        let id = self.exchanges.id(mark);
        cx.decider.fault(cx.now, id, step)
    }

    fn show_strike(&mut self, cx: &mut Cx<'_>, mark: Mark, host: u16, step: Step, effect: Effect) {
        let at = self.exchanges.id(mark).clone();
        let injection = Box::new(Injection::once(at, step, effect));
        cx.show(host, Event::Struck { injection });
    }
}

/// What a message does to the host that it has arrived at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Delivered {
    Harmless,
    KillsWhenRead,
}

impl Piece {
    /// What these bytes hold of a message that may come again in the place of a later one.
    pub(super) fn held(self, data: &[u8]) -> Option<&[u8]> {
        match self.content {
            Content::Whole if self.mark.is_first() => Some(data),
            Content::Data { span, .. } if self.mark.has_content() => data.get(span.start..span.end),
            _ => None,
        }
    }

    /// Puts what an older message held in the place of what this one holds. Gives whether that could be done.
    pub(super) fn replace(self, data: &mut Vec<u8>, older: &[u8]) -> bool {
        match self.content {
            Content::Whole => {
                data.clear();
                data.extend_from_slice(older);
                true
            }
            Content::Data { frame: Some(frame), .. } => replace_content(data, frame, older),
            _ => false,
        }
    }
}

/// The bytes that faults of validation strike.
fn content_of(content: Content, data: &mut [u8]) -> &mut [u8] {
    let span = content.span(data.len());
    &mut data[span.start..span.end]
}

/// Flips one bit of the bytes.
fn flip_bit(cx: &mut Cx<'_>, data: &mut [u8]) {
    if data.is_empty() {
        return;
    }
    let at = cx.decider.within(0, data.len() as u64 - 1) as usize;
    data[at] ^= 1 << cx.decider.within(0, 7);
}

/// Replaces the bytes by noise.
fn fill_with_noise(cx: &mut Cx<'_>, data: &mut [u8]) {
    for part in data.chunks_mut(8) {
        let noise = cx.decider.random().to_le_bytes();
        part.copy_from_slice(&noise[..part.len()]);
    }
}
