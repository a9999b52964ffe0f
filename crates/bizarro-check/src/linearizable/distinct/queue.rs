//! A queue in which every value is put once (T. Henzinger, A. Sezgin, V. Vafeiadis, *Aspect-Oriented
//! Linearizability Proofs*, CONCUR 2013, theorem 2; in [`container`](super::container) is what holds of every
//! container).
//!
//! A history is wrong if a value is put when another one certainly stood there, and is taken when that one
//! certainly still did. Otherwise values are put in an order that respects both all puts and all takes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Span;
use super::container::{Order, Passage, Trouble};

/// The puts and takes in order.
pub(super) fn order(passages: &[Passage]) -> Result<Order, Trouble> {
    if let Some(values) = overtaking(passages) {
        return Err(Trouble::Contradiction(values.to_vec()));
    }
    let values = values_in_order(passages).ok_or(Trouble::Unclear)?;
    merged(passages, &values).ok_or(Trouble::Unclear)
}

/// A value that was put when another one had been put, and taken when that one had not been taken.
fn overtaking(passages: &[Passage]) -> Option<[u32; 2]> {
    let mut by_end: Vec<u32> = (0..passages.len() as u32).collect();
    let mut by_begin = by_end.clone();
    let at = |value: &u32| &passages[*value as usize];
    by_end.sort_unstable_by_key(|it| at(it).put.ends);
    by_begin.sort_unstable_by_key(|it| at(it).put.begins);
    let mut earlier = by_end.into_iter().peekable();
    let mut stays_longest: Option<u32> = None;
    for later in by_begin {
        while let Some(before) = earlier.next_if(|it| at(it).put.ends < at(&later).put.begins) {
            if stays_longest.is_none_or(|it| at(&before).take.begins > at(&it).take.begins) {
                stays_longest = Some(before);
            }
        }
        let overtakes = |it: &u32| at(it).take.begins > at(&later).take.ends;
        if let Some(before) = stays_longest.filter(overtakes) {
            return Some([before, later]);
        }
    }
    None
}

/// The values in an order that respects the puts and the takes, each as far as they do not overlap.
fn values_in_order(passages: &[Passage]) -> Option<Vec<u32>> {
    let puts: Vec<Span> = passages.iter().map(|it| it.put).collect();
    let takes: Vec<Span> = passages.iter().map(|it| it.take).collect();
    let (mut puts, mut takes) = (Front::new(&puts), Front::new(&takes));
    let mut passable = vec![0_u8; passages.len()];
    let mut ready: BinaryHeap<Reverse<(u32, u32)>> = BinaryHeap::new();
    let mut order = Vec::with_capacity(passages.len());
    let mut done = vec![false; passages.len()];
    loop {
        for front in [&mut puts, &mut takes] {
            front.advance(&done, |value| {
                passable[value as usize] += 1;
                if passable[value as usize] == 2 {
                    let it = &passages[value as usize];
                    ready.push(Reverse((it.take.ends.min(it.put.ends), value)));
                }
            });
        }
        let Some(Reverse((_, value))) = ready.pop() else { break };
        done[value as usize] = true;
        order.push(value);
    }
    (order.len() == passages.len()).then_some(order)
}

/// Operations of one kind: which of them may come first among those that are left.
struct Front {
    by_begin: Vec<(u32, u32)>,
    by_end: Vec<(u32, u32)>,
    next: usize,
    first_end: usize,
}

impl Front {
    fn new(spans: &[Span]) -> Front {
        let sorted = |key: fn(&Span) -> u32| {
            let mut sorted: Vec<(u32, u32)> =
                (0..).zip(spans).map(|(value, span)| (key(span), value)).collect();
            sorted.sort_unstable();
            sorted
        };
        let (by_begin, by_end) = (sorted(|span| span.begins), sorted(|span| span.ends));
        Front { by_begin, by_end, next: 0, first_end: 0 }
    }

    /// Calls for each that has become free to come first.
    fn advance(&mut self, done: &[bool], mut free: impl FnMut(u32)) {
        while self.by_end.get(self.first_end).is_some_and(|(_, value)| done[*value as usize]) {
            self.first_end += 1;
        }
        let first_end = self.by_end.get(self.first_end).map_or(u32::MAX, |(end, _)| *end);
        while let Some((begin, value)) = self.by_begin.get(self.next) {
            if *begin >= first_end && first_end != u32::MAX {
                break;
            }
            self.next += 1;
            free(*value);
        }
    }
}

/// Puts and takes, each in the order of values, as one order that respects time.
fn merged(passages: &[Passage], values: &[u32]) -> Option<Order> {
    let spans = |of: fn(&Passage) -> Span| -> Vec<Span> {
        values.iter().map(|value| of(&passages[*value as usize])).collect()
    };
    let (puts, takes) = (spans(|it| it.put), spans(|it| it.take));
    let first_ends = |spans: &[Span]| {
        let mut ends: Vec<u32> = spans.iter().map(|it| it.ends).chain([u32::MAX]).collect();
        for at in (0..spans.len()).rev() {
            ends[at] = ends[at].min(ends[at + 1]);
        }
        ends
    };
    let (put_ends, take_ends) = (first_ends(&puts), first_ends(&takes));
    let (mut put, mut take) = (0, 0);
    let mut order = Vec::with_capacity(puts.len() + takes.len());
    while take < takes.len() {
        let takes_now = take < put && (put == puts.len() || takes[take].begins < put_ends[put]);
        if takes_now {
            order.push((values[take], takes[take]));
            take += 1;
        } else if put < puts.len() && puts[put].begins < take_ends[take] {
            order.push((values[put], puts[put]));
            put += 1;
        } else {
            return None;
        }
    }
    Some(order)
}
