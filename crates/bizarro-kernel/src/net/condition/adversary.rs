//! What a packet meets where it arrives: bits that flip, and an adversary who reads, changes, repeats and invents.

use alloc::vec::Vec;

use bizarro_record::{Event, LinkTrouble};

use super::{Condition, Conditions, PAYLOAD};
use crate::net::{Cx, Net};

/// Packets of each way that an adversary remembers.
const REMEMBERED: usize = 16;

/// What an adversary has seen: from, to, bytes.
#[derive(Default)]
pub(in crate::net) struct Past(Vec<(u16, u16, Vec<u8>)>);

impl Past {
    fn remember(&mut self, from: u16, to: u16, data: &[u8]) {
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push((from, to, data.to_vec()));
    }
}

impl Conditions {
    /// What happens to the bytes of a packet, and what arrives after it that nobody sent.
    #[cold]
    fn meddle(&mut self, cx: &mut Cx<'_>, from: u16, to: u16, data: &mut [u8]) -> Vec<Vec<u8>> {
        let mut more = Vec::new();
        if data.is_empty() {
            return more;
        }
        let Conditions { list, past, .. } = self;
        let packets = data.len().div_ceil(PAYLOAD) as u64;
        for condition in list.iter_mut().filter(|c| c.ends.is_way(from, to)) {
            let mut meets = |one_in: u32| cx.decider.disturbance(1, u64::from(one_in)) <= packets;
            match condition.trouble {
                LinkTrouble::Corrupt { one_in } if meets(one_in) => flip_bit(cx, data),
                LinkTrouble::Tamper { one_in } if meets(one_in) => forge(cx, data),
                LinkTrouble::Replay { one_in } if meets(one_in) => more.push(data.to_vec()),
                LinkTrouble::Inject { one_in } => {
                    past.remember(from, to, data);
                    if cx.decider.disturbance(1, u64::from(one_in)) > packets {
                        continue;
                    }
                    more.push(invent(cx, past, from, to));
                }
                LinkTrouble::Eavesdrop => {
                    let heard = Event::Overheard { to, bytes: data.to_vec() };
                    Condition::feel(condition, cx, from, to);
                    cx.show(from, heard);
                    continue;
                }
                _ => continue,
            }
            condition.feel(cx, from, to);
        }
        more
    }
}

impl Net {
    /// What happens to the bytes of a packet that arrives; what follows it besides.
    #[inline]
    pub(in crate::net) fn meddled(
        &mut self,
        cx: &mut Cx<'_>,
        from: u16,
        to: u16,
        data: &mut [u8],
    ) -> Vec<Vec<u8>> {
        if self.conditions.is_calm() || from == to {
            return Vec::new();
        }
        self.conditions.meddle(cx, from, to, data)
    }
}

fn flip_bit(cx: &mut Cx<'_>, data: &mut [u8]) {
    let at = cx.decider.disturbance(0, data.len() as u64 - 1) as usize;
    data[at] ^= 1 << cx.decider.disturbance(0, 7);
}

/// Changes a digit to another one, so that what is said stays readable; a bit where there is no digit.
pub(in crate::net) fn forge(cx: &mut Cx<'_>, data: &mut [u8]) {
    let digits = data.iter().filter(|byte| byte.is_ascii_digit()).count() as u64;
    if digits == 0 {
        return flip_bit(cx, data);
    }
    let nth = cx.decider.disturbance(0, digits - 1) as usize;
    let by = cx.decider.disturbance(1, 9) as u8;
    if let Some(digit) = data.iter_mut().filter(|byte| byte.is_ascii_digit()).nth(nth) {
        *digit = b'0' + (*digit - b'0' + by) % 10;
    }
}

/// Something that was sent before on this way, with a change.
fn invent(cx: &mut Cx<'_>, past: &Past, from: u16, to: u16) -> Vec<u8> {
    let of_way: Vec<&Vec<u8>> =
        past.0.iter().filter(|(f, t, _)| (*f, *t) == (from, to)).map(|(.., data)| data).collect();
    let chosen = cx.decider.disturbance(0, of_way.len() as u64 - 1) as usize;
    let mut invented = of_way[chosen].clone();
    forge(cx, &mut invented);
    invented
}
