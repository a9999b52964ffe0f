//! Sequence and acknowledgement numbers of TCP connections (RFC 9293, 3.4), which a run does not have.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bizarro_record::packet::Sign;

/// From whom to whom.
type Ends = (SocketAddr, SocketAddr);

/// What a segment's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Flags {
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
}

/// One direction of a connection, as both ends know it. Places count from the SYN, which is 0; the first byte is 1.
#[derive(Debug)]
struct Half {
    /// The initial sequence number.
    first: u32,
    /// The place behind everything that was sent.
    sent: u64,
    /// The place up to which everything has arrived, if anything has.
    heard: Option<u64>,
    /// What arrived behind a gap: from where to where.
    ahead: BTreeMap<u64, u64>,
}

impl Half {
    fn number(&self, place: u64) -> u32 {
        // Sequence numbers wrap.
        self.first.wrapping_add(place as u32)
    }

    fn arrived(&mut self, from: u64, to: u64) {
        self.ahead.insert(from, to.max(self.ahead.get(&from).copied().unwrap_or(0)));
        let mut heard = self.heard.unwrap_or(0);
        while let Some((&from, &to)) = self.ahead.first_key_value()
            && (from <= heard || self.heard.is_none() && from == 0)
        {
            heard = heard.max(to);
            self.ahead.remove(&from);
        }
        self.heard = Some(heard);
    }
}

/// All directions of all connections.
#[derive(Debug, Default)]
pub(super) struct Streams {
    halves: BTreeMap<Ends, Half>,
    /// How many there have been: no two begin alike, so that a reader tells a port's next connection from its last.
    begun: u32,
}

/// Between the initial numbers of two directions.
const APART: u32 = 0x0100_0000;

impl Streams {
    /// Headers and bytes of the packets in which a segment leaves, each with at most `most` bytes.
    pub(super) fn leaves<'d>(
        &mut self,
        ends: Ends,
        sign: Sign,
        offset: u64,
        data: &'d [u8],
        most: usize,
    ) -> Vec<(Flags, &'d [u8])> {
        let place = match sign {
            // A SYN that is sent again belongs to the same connection, one after its end to another.
            Sign::Syn if self.half(ends).sent > 1 || self.half(ends).heard.is_some() => {
                self.halves.remove(&ends);
                self.halves.remove(&(ends.1, ends.0));
                0
            }
            Sign::Syn | Sign::SynAck => 0,
            Sign::Rst => self.half(ends).sent,
            Sign::Ack | Sign::Data | Sign::Fin => 1 + offset,
        };
        let ack = self.ack(ends);
        let half = self.half(ends);
        let header = |place: u64| Flags {
            seq: half.number(place),
            ack,
            syn: matches!(sign, Sign::Syn | Sign::SynAck),
            fin: sign == Sign::Fin,
            rst: sign == Sign::Rst,
        };
        let parts: Vec<(Flags, &[u8])> = match data.is_empty() {
            true => vec![(header(place), data)],
            false => data
                .chunks(most)
                .enumerate()
                .map(|(index, part)| (header(place + (index * most) as u64), part))
                .collect(),
        };
        let half = self.half(ends);
        half.sent = half.sent.max(place + length(sign, data.len()));
        parts
    }

    /// The header of the answer to a segment that has arrived, where TCP gives one.
    pub(super) fn arrives(
        &mut self,
        ends: Ends,
        sign: Sign,
        offset: u64,
        bytes: usize,
    ) -> Option<Flags> {
        let place = match sign {
            Sign::Syn | Sign::SynAck => 0,
            Sign::Rst | Sign::Ack => return None,
            Sign::Data | Sign::Fin => 1 + offset,
        };
        self.half(ends).arrived(place, place + length(sign, bytes));
        if matches!(sign, Sign::Syn | Sign::SynAck) {
            // The answer is a packet of the run.
            return None;
        }
        let back = (ends.1, ends.0);
        let ack = self.ack(back);
        let half = self.half(back);
        Some(Flags { seq: half.number(half.sent), ack, ..Flags::default() })
    }

    /// What a sender says that it has heard.
    fn ack(&mut self, ends: Ends) -> Option<u32> {
        let back = self.half((ends.1, ends.0));
        back.heard.map(|heard| back.number(heard))
    }

    fn half(&mut self, ends: Ends) -> &mut Half {
        let begun = &mut self.begun;
        self.halves.entry(ends).or_insert_with(|| {
            *begun += 1;
            Half { first: begun.wrapping_mul(APART), sent: 0, heard: None, ahead: BTreeMap::new() }
        })
    }
}

/// How many numbers a segment takes: SYN and FIN take one each.
fn length(sign: Sign, bytes: usize) -> u64 {
    match sign {
        Sign::Syn | Sign::SynAck | Sign::Fin => bytes as u64 + 1,
        Sign::Data => bytes as u64,
        Sign::Ack | Sign::Rst => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> (Ends, Ends) {
        let (client, server) = ("10.0.0.1:40000".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        ((client, server), (server, client))
    }

    /// The numbers of a connection, counted from its initial ones.
    fn relative(flags: Flags, streams: &mut Streams, ends: Ends) -> (u32, Option<u32>) {
        let (own, other) = (streams.half(ends).first, streams.half((ends.1, ends.0)).first);
        (flags.seq.wrapping_sub(own), flags.ack.map(|ack| ack.wrapping_sub(other)))
    }

    #[test]
    fn numbers_count_bytes_from_the_handshake_on() {
        let (there, back) = ends();
        let mut streams = Streams::default();
        let mut seen = Vec::new();
        let mut leaves = |streams: &mut Streams, ends, sign, offset, data: &[u8]| {
            for (flags, part) in streams.leaves(ends, sign, offset, data, 1000) {
                seen.push((relative(flags, streams, ends), part.len()));
            }
        };
        leaves(&mut streams, there, Sign::Syn, 0, &[]);
        assert_eq!(streams.arrives(there, Sign::Syn, 0, 0), None);
        leaves(&mut streams, back, Sign::SynAck, 0, &[]);
        assert_eq!(streams.arrives(back, Sign::SynAck, 0, 0), None);
        leaves(&mut streams, there, Sign::Ack, 0, &[]);
        leaves(&mut streams, there, Sign::Data, 0, &[0; 1500]);
        let answer = streams.arrives(there, Sign::Data, 0, 1500).unwrap();
        assert_eq!(relative(answer, &mut streams, back), (1, Some(1501)));
        leaves(&mut streams, back, Sign::Data, 0, &[0; 5]);
        leaves(&mut streams, there, Sign::Fin, 1500, &[]);
        let answer = streams.arrives(there, Sign::Fin, 1500, 0).unwrap();
        assert_eq!(relative(answer, &mut streams, back), (6, Some(1502)));
        leaves(&mut streams, back, Sign::Rst, 0, &[]);
        assert_eq!(
            seen,
            [
                ((0, None), 0),
                ((0, Some(1)), 0),
                ((1, Some(1)), 0),
                ((1, Some(1)), 1000),
                ((1001, Some(1)), 500),
                ((1, Some(1501)), 5),
                ((1501, Some(1)), 0),
                ((6, Some(1502)), 0),
            ]
        );
    }

    #[test]
    fn what_arrives_behind_a_gap_is_acknowledged_when_the_gap_is_filled() {
        let (there, back) = ends();
        let mut streams = Streams::default();
        streams.leaves(there, Sign::Syn, 0, &[], 1460);
        streams.arrives(there, Sign::Syn, 0, 0);
        for offset in [0, 10, 20] {
            streams.leaves(there, Sign::Data, offset, &[0; 10], 1460);
        }
        let acks = [10, 20, 0, 0].map(|offset| {
            let answer = streams.arrives(there, Sign::Data, offset, 10).unwrap();
            relative(answer, &mut streams, back).1.unwrap()
        });
        assert_eq!(acks, [1, 1, 31, 31]);
    }

    #[test]
    fn the_next_connection_of_a_port_has_other_numbers() {
        let (there, _) = ends();
        let mut streams = Streams::default();
        let syn = |streams: &mut Streams| streams.leaves(there, Sign::Syn, 0, &[], 1460)[0].0.seq;
        let first = syn(&mut streams);
        assert_eq!(syn(&mut streams), first, "a SYN that is sent again");
        streams.arrives(there, Sign::Syn, 0, 0);
        streams.leaves(there, Sign::Data, 0, b"x", 1460);
        assert_ne!(syn(&mut streams), first);
    }
}
