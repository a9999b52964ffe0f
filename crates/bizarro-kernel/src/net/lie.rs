//! A Byzantine host: what it says in its messages is not what its program said, or not the same to everybody.
//!
//! It is done to whole messages, where they are about to be sent: of HTTP to what a body or a target says, so that what
//! is said can be read and is wrong; of HTTP/2 to the content of DATA frames; of any other protocol to the bytes. Nothing
//! can be said in the name of a program that encrypts: there a change ends the connection.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use bizarro_record::{Event, Lie, Trouble, Way};

use super::body::said_in;
use super::condition::{Ends, Members, forge};
use super::exchange::{Content, Piece, Side};
use super::{Cx, Net};

/// A host that lies.
struct Liar {
    way: Way,
    ends: Ends,
    lie: Lie,
    one_in: u32,
    /// What it said last: whether as a server, the message's name, the bytes.
    said: Vec<(bool, String, Vec<u8>)>,
}

/// A host, or group, whose program is told that it is a traitor, and whether that was felt.
struct Traitor {
    name: String,
    members: Members,
    is_felt: bool,
}

/// The hosts that lie now.
#[derive(Default)]
pub(super) struct Liars {
    list: Vec<Liar>,
    traitors: Vec<Traitor>,
}

impl Liars {
    /// Whether nobody lies of whom the network does it.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// What a lie does to the message beyond its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// It is sent.
    Sent,
    /// It is withheld.
    Withheld,
}

impl Net {
    /// The hosts at the beginning of this way lie from now on to those at its end: one message in `one_in`.
    pub fn begin_lie(&mut self, way: &Way, lie: Lie, one_in: u32) {
        let ends = self.conditions.ends(way);
        self.liars.list.push(Liar { way: way.clone(), ends, lie, one_in, said: Vec::new() });
    }

    /// They no longer do.
    pub fn end_lie(&mut self, way: &Way, lie: Lie, one_in: u32) {
        let is_it = |l: &Liar| (&l.way, l.lie, l.one_in) == (way, lie, one_in);
        if let Some(at) = self.liars.list.iter().position(is_it) {
            self.liars.list.remove(at);
        }
    }

    /// The program of this host, or of the hosts of this group or zone, is told that it is a traitor.
    pub fn begin_treason(&mut self, name: &str) {
        let members = self.conditions.called(name);
        self.liars.traitors.push(Traitor { name: name.into(), members, is_felt: false });
    }

    /// It no longer is.
    pub fn end_treason(&mut self, name: &str) {
        if let Some(at) = self.liars.traitors.iter().position(|traitor| traitor.name == name) {
            self.liars.traitors.remove(at);
        }
    }

    /// The program of a host asks whether it is a traitor.
    pub fn is_traitor(&mut self, cx: &mut Cx<'_>, host: u16) -> bool {
        let Some(traitor) = self.liars.traitors.iter_mut().find(|t| t.members.has(host)) else {
            return false;
        };
        if !core::mem::replace(&mut traitor.is_felt, true) {
            let trouble = Box::new(Trouble::Traitor { host: traitor.name.clone() });
            cx.show(host, Event::Felt { trouble, to: host, label: String::new() });
        }
        true
    }

    /// Bytes of a message are about to be sent: what their sender says instead.
    #[cold]
    pub(super) fn lie(&mut self, cx: &mut Cx<'_>, piece: Piece, data: &mut Vec<u8>) -> Told {
        let mark = piece.mark;
        if !mark.is_some() {
            return Told::Sent;
        }
        let (client, server) = self.exchanges.hosts_of(mark);
        let is_server = mark.side() == Side::Server;
        let (from, to) = if is_server { (server, client) } else { (client, server) };
        let name = self.exchanges.id(mark).name.clone();
        for at in 0..self.liars.list.len() {
            let liar = &mut self.liars.list[at];
            if !liar.ends.is_way(from, to) {
                continue;
            }
            let draw = cx.decider.disturbance(1, u64::from(liar.one_in));
            let before = match liar.lie {
                Lie::Replay if mark.has_content() => liar.remember(is_server, &name, piece, data),
                _ => None,
            };
            if draw != 1 {
                continue;
            }
            let lie = liar.lie;
            let is_told = match lie {
                Lie::Withhold => mark.is_first(),
                Lie::Replay => before.is_some_and(|before| piece.replace(data, &before)),
                Lie::Mutate | Lie::Equivocate => {
                    let ranges = said(piece, data);
                    match lie {
                        Lie::Mutate => mutate(cx, data, &ranges),
                        _ => say_to(to, data, &ranges),
                    }
                }
            };
            if !is_told {
                continue;
            }
            let label = self.exchanges.label(mark);
            let way = self.liars.list[at].way.clone();
            let one_in = self.liars.list[at].one_in;
            let trouble = Box::new(Trouble::Lie { way, lie, one_in });
            cx.show(from, Event::Felt { trouble, to, label });
            if lie == Lie::Withhold {
                return Told::Withheld;
            }
        }
        Told::Sent
    }
}

impl Liar {
    /// Keeps what this message holds; gives what the one before it of the same name held.
    fn remember(
        &mut self,
        is_server: bool,
        name: &str,
        piece: Piece,
        data: &[u8],
    ) -> Option<Vec<u8>> {
        let held = piece.held(data)?.to_vec();
        let is_same = |said: &&mut (bool, String, Vec<u8>)| (said.0, &*said.1) == (is_server, name);
        match self.said.iter_mut().find(is_same) {
            Some((.., before)) => Some(core::mem::replace(before, held)),
            None => {
                self.said.push((is_server, name.into(), held));
                None
            }
        }
    }
}

/// Where bytes of a message say something.
fn said(piece: Piece, data: &[u8]) -> Vec<Range<usize>> {
    match piece.content {
        Content::Whole => said_in(data),
        Content::Data { span, .. } if piece.mark.has_content() => {
            alloc::vec![span.start..span.end.min(data.len())]
        }
        Content::Data { .. } | Content::Headers(_) => Vec::new(),
    }
}

/// Changes something that is said. Gives whether anything was.
fn mutate(cx: &mut Cx<'_>, data: &mut [u8], ranges: &[Range<usize>]) -> bool {
    let has_digit = |range: &&Range<usize>| data[(*range).clone()].iter().any(u8::is_ascii_digit);
    let chosen = ranges.iter().find(has_digit).or(ranges.first());
    let Some(range) = chosen.filter(|range| !range.is_empty()).cloned() else { return false };
    forge(cx, &mut data[range]);
    true
}

/// Changes what is said last to what this receiver is told: for nine of them something different each. Gives whether
/// anything was.
fn say_to(receiver: u16, data: &mut [u8], ranges: &[Range<usize>]) -> bool {
    let version = (receiver % 9) as u8 + 1;
    for range in ranges.iter().rev() {
        if let Some(digit) = data[range.clone()].iter_mut().rev().find(|b| b.is_ascii_digit()) {
            *digit = b'0' + (*digit - b'0' + version) % 10;
            return true;
        }
    }
    let Some(last) = ranges.iter().rev().find(|range| !range.is_empty()) else { return false };
    data[last.end - 1] ^= version;
    true
}
