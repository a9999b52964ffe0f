//! The DNS server (RFC 1035): knows the hosts of the world by name and by address, and nobody else.
//!
//! A name is known with and without a final dot, and with any search domain behind it (`board.lan` is
//! `board`, where no host is called `board.lan`).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bizarro_record::HostSpec;

use super::addr::v6_of;

/// UDP port of DNS.
pub(super) const PORT: u16 = 53;

const TYPE_A: u16 = 1;
const TYPE_PTR: u16 = 12;
const TYPE_AAAA: u16 = 28;
const TYPE_OPT: u16 = 41;
const TYPE_ANY: u16 = 255;
const CLASS_IN: u16 = 1;

const NO_ERROR: u16 = 0;
const FORMAT_ERROR: u16 = 1;
const NAME_ERROR: u16 = 3;
const NOT_IMPLEMENTED: u16 = 4;

/// Seconds for which an answer may be kept.
const TIME_TO_LIVE: u32 = 60;

/// The hosts by name and by address.
pub(super) struct Names {
    addresses: BTreeMap<String, Ipv4Addr>,
    names: BTreeMap<IpAddr, String>,
}

/// A question, and where it ends in the packet.
struct Question {
    labels: Vec<String>,
    kind: u16,
    class: u16,
    end: usize,
}

impl Names {
    pub(super) fn new(hosts: &[HostSpec]) -> Names {
        let mut names = Names { addresses: BTreeMap::new(), names: BTreeMap::new() };
        for host in hosts {
            names.addresses.insert(host.name.to_ascii_lowercase(), host.address);
            names.names.insert(host.address.into(), host.name.clone());
            names.names.insert(v6_of(host.address).into(), host.name.clone());
        }
        names
    }

    /// The answer to a packet; `None` for one that is no query, which is not answered.
    pub(super) fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let flags = word(query, 2)?;
        if flags & 0x8000 != 0 {
            return None;
        }
        let is_standard = flags & 0x7800 == 0;
        let question = match word(query, 4) {
            Some(1) if is_standard => question(query),
            _ => None,
        };
        let (code, question) = match question {
            Some(question) => (NO_ERROR, Some(question)),
            None if is_standard => (FORMAT_ERROR, None),
            None => (NOT_IMPLEMENTED, None),
        };
        let answers = question.as_ref().map(|question| self.look_up(question));
        let code = match &answers {
            Some(None) => NAME_ERROR,
            _ => code,
        };
        Some(write(query, flags, code, question.as_ref(), &answers.flatten().unwrap_or_default()))
    }

    /// The records that answer a question; `None` where there is no such name.
    fn look_up(&self, question: &Question) -> Option<Vec<(u16, Vec<u8>)>> {
        let wants = |kind| question.kind == kind || question.kind == TYPE_ANY;
        if question.class != CLASS_IN && question.class != TYPE_ANY {
            return Some(Vec::new());
        }
        let labels: Vec<&str> = question.labels.iter().map(String::as_str).collect();
        if let Some(name) = reverse(&labels).and_then(|ip| self.names.get(&ip)) {
            let data = wants(TYPE_PTR).then(|| (TYPE_PTR, encode_name(name)));
            return Some(data.into_iter().collect());
        }
        let address = self.address(&labels)?;
        let mut records = Vec::new();
        if wants(TYPE_A) {
            records.push((TYPE_A, address.octets().to_vec()));
        }
        if wants(TYPE_AAAA) {
            records.push((TYPE_AAAA, v6_of(address).octets().to_vec()));
        }
        Some(records)
    }

    /// The address of a name or, with labels cut off its end, of the longest name that is known.
    fn address(&self, labels: &[&str]) -> Option<Ipv4Addr> {
        (1..=labels.len()).rev().find_map(|n| self.addresses.get(&labels[..n].join(".")).copied())
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let part = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([part[0], part[1]]))
}

/// Reads the question after the header, in lower case. A compressed name has no place there.
fn question(packet: &[u8]) -> Option<Question> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        match length {
            0 => break,
            1..=63 => {
                let label = core::str::from_utf8(packet.get(at..at + length)?).ok()?;
                labels.push(label.to_ascii_lowercase());
                at += length;
            }
            _ => return None,
        }
        if at > 12 + 255 {
            return None;
        }
    }
    Some(Question { labels, kind: word(packet, at)?, class: word(packet, at + 2)?, end: at + 4 })
}

/// The address of which a name in `in-addr.arpa` or `ip6.arpa` speaks.
fn reverse(labels: &[&str]) -> Option<IpAddr> {
    match labels {
        [d, c, b, a, "in-addr", "arpa"] => {
            let octet = |text: &str| text.parse::<u8>().ok();
            Some(Ipv4Addr::new(octet(a)?, octet(b)?, octet(c)?, octet(d)?).into())
        }
        [nibbles @ .., "ip6", "arpa"] if nibbles.len() == 32 => {
            let mut bits = 0_u128;
            for nibble in nibbles.iter().rev() {
                let digit = (nibble.len() == 1).then(|| u128::from_str_radix(nibble, 16).ok());
                bits = bits << 4 | digit??;
            }
            Some(Ipv6Addr::from(bits).into())
        }
        _ => None,
    }
}

fn encode_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label);
    }
    bytes.push(0);
    bytes
}

/// The packet: the query's id and question, the records, and an OPT record where the query had one (RFC 6891).
fn write(
    query: &[u8],
    flags: u16,
    code: u16,
    question: Option<&Question>,
    records: &[(u16, Vec<u8>)],
) -> Vec<u8> {
    /// A reply, by an authority, that recurses.
    const REPLY: u16 = 0x8000 | 0x0400 | 0x0080;
    /// Opcode and "recursion desired" are the query's.
    const FROM_QUERY: u16 = 0x7900;
    let has_opt = question.is_some_and(|question| {
        let additional = word(query, 10) == Some(1) && word(query, 6) == Some(0);
        additional
            && query.get(question.end) == Some(&0)
            && word(query, question.end + 1) == Some(TYPE_OPT)
    });
    let mut packet = query[..2].to_vec();
    let counts = [u16::from(question.is_some()), records.len() as u16, 0, u16::from(has_opt)];
    packet.extend((REPLY | flags & FROM_QUERY | code).to_be_bytes());
    packet.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    if let Some(question) = question {
        packet.extend_from_slice(&query[12..question.end]);
    }
    for (kind, data) in records {
        // The name is a pointer to the question's.
        packet.extend(0xc00c_u16.to_be_bytes());
        packet.extend(kind.to_be_bytes());
        packet.extend(CLASS_IN.to_be_bytes());
        packet.extend(TIME_TO_LIVE.to_be_bytes());
        packet.extend((data.len() as u16).to_be_bytes());
        packet.extend_from_slice(data);
    }
    if has_opt {
        packet.push(0);
        packet.extend(TYPE_OPT.to_be_bytes());
        packet.extend(1232_u16.to_be_bytes());
        packet.extend([0; 6]);
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use expect_test::{Expect, expect};

    fn names() -> Names {
        let mut names = Names { addresses: BTreeMap::new(), names: BTreeMap::new() };
        for (name, address) in [("board", [10, 0, 0, 1]), ("a.b", [10, 0, 0, 2])] {
            let address = Ipv4Addr::from(address);
            names.addresses.insert(name.to_string(), address);
            names.names.insert(address.into(), name.to_string());
            names.names.insert(v6_of(address).into(), name.to_string());
        }
        names
    }

    fn query(name: &str, kind: u16, tail: &[u8]) -> Vec<u8> {
        let mut packet =
            alloc::vec![0xab, 0xcd, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, u8::from(!tail.is_empty())];
        packet.extend(encode_name(name));
        packet.extend(kind.to_be_bytes());
        packet.extend(CLASS_IN.to_be_bytes());
        packet.extend_from_slice(tail);
        packet
    }

    /// Shows a reply: flags, counts, and the data of each record.
    fn show(query: &[u8]) -> String {
        let Some(reply) = names().answer(query) else { return "no answer\n".to_string() };
        assert_eq!(reply[..2], query[..2], "the id is the query's");
        let count = |at| word(&reply, at).unwrap();
        let mut text = format!(
            "flags {:04x}, question {}, answers {}, more {}\n",
            count(2),
            count(4),
            count(6),
            count(10)
        );
        let mut at = 12;
        if count(4) == 1 {
            at = question(&reply).unwrap().end;
        }
        for _ in 0..count(6) {
            let length = usize::from(count(at + 10));
            text += &format!("  type {} {:?}\n", count(at + 2), &reply[at + 12..at + 12 + length]);
            at += 12 + length;
        }
        at += usize::from(count(10)) * 11;
        assert_eq!(at, reply.len(), "nothing follows");
        text
    }

    #[track_caller]
    fn check(name: &str, kind: u16, expected: Expect) {
        expected.assert_eq(&show(&query(name, kind, &[])));
    }

    #[test]
    fn hosts_have_addresses_of_both_families() {
        check(
            "board",
            TYPE_A,
            expect![[r#"
            flags 8580, question 1, answers 1, more 0
              type 1 [10, 0, 0, 1]
        "#]],
        );
        check(
            "BOARD.",
            TYPE_AAAA,
            expect![[r#"
            flags 8580, question 1, answers 1, more 0
              type 28 [253, 177, 42, 34, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]
        "#]],
        );
        check(
            "board.some.domain",
            TYPE_A,
            expect![[r#"
            flags 8580, question 1, answers 1, more 0
              type 1 [10, 0, 0, 1]
        "#]],
        );
        check(
            "a.b",
            TYPE_A,
            expect![[r#"
            flags 8580, question 1, answers 1, more 0
              type 1 [10, 0, 0, 2]
        "#]],
        );
    }

    #[test]
    fn a_known_name_without_such_a_record_is_no_error() {
        check(
            "board",
            15,
            expect![[r#"
            flags 8580, question 1, answers 0, more 0
        "#]],
        );
    }

    #[test]
    fn addresses_have_names() {
        check(
            "1.0.0.10.in-addr.arpa",
            TYPE_PTR,
            expect![[r#"
            flags 8580, question 1, answers 1, more 0
              type 12 [5, 98, 111, 97, 114, 100, 0]
        "#]],
        );
        let v6 = "2.0.0.0.0.0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.2.a.2.1.b.d.f.ip6.arpa";
        check(
            v6,
            TYPE_PTR,
            expect![[r#"
            flags 8580, question 1, answers 1, more 0
              type 12 [1, 97, 1, 98, 0]
        "#]],
        );
    }

    #[test]
    fn unknown_names_do_not_exist() {
        let nothing = expect![[r#"
            flags 8583, question 1, answers 0, more 0
        "#]];
        check("nobody", TYPE_A, nothing);
        check(
            "9.0.0.10.in-addr.arpa",
            TYPE_PTR,
            expect![[r#"
            flags 8583, question 1, answers 0, more 0
        "#]],
        );
    }

    #[test]
    fn extended_dns_is_answered_in_kind() {
        let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
        expect![[r#"
            flags 8580, question 1, answers 1, more 1
              type 1 [10, 0, 0, 1]
        "#]]
        .assert_eq(&show(&query("board", TYPE_A, &opt)));
    }

    #[test]
    fn malformed_packets_are_survived() {
        let whole = query("board", TYPE_A, &[]);
        for length in 0..whole.len() {
            let reply = names().answer(&whole[..length]);
            assert_eq!(reply.is_some(), length >= 4, "{length} bytes");
            if let Some(reply) = reply {
                assert_eq!(reply[3] & 15, FORMAT_ERROR as u8, "{length} bytes");
            }
        }
        let mut status = whole.clone();
        status[2] |= 0x10;
        expect![[r#"
            flags 9584, question 0, answers 0, more 0
        "#]]
        .assert_eq(&show(&status));
        let mut reply = whole;
        reply[2] |= 0x80;
        assert_eq!(show(&reply), "no answer\n");
    }
}
