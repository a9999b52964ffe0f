//! A queue in which every value is put once (T. Henzinger, A. Sezgin, V. Vafeiadis, *Aspect-Oriented
//! Linearizability Proofs*, CONCUR 2013, theorem 2, for histories in which nobody finds it empty).
//!
//! Such a history is wrong if a value is taken that was not put, or twice, or before it was put; or if one was
//! put when another one certainly stood there, and was taken when that one certainly still did. Otherwise
//! values are put in an order that respects both all puts and all takes. What neither shows is searched.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Decision;
use crate::budget::{Exhausted, Ledger, Share};
use crate::history::{History, Outcome};
use crate::model::{Model, QueueUse};

/// Where an operation is on the line of events. What did not end, or never was, is behind all.
#[derive(Clone, Copy)]
struct Span {
    operation: u32,
    begins: u32,
    ends: u32,
}

const NEVER: Span = Span { operation: u32::MAX, begins: u32::MAX, ends: u32::MAX };

impl Span {
    fn was(self) -> bool {
        self.operation != NEVER.operation
    }
}

/// What was done with one value.
#[derive(Clone, Copy)]
struct Passage {
    put: Span,
    take: Span,
}

pub(super) fn decide<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    part: &[u32],
    until: u32,
    ledger: &Ledger,
) -> Result<Option<Decision>, Exhausted> {
    let first = part.first().map(|first| &history.operations()[*first as usize].call);
    if first.is_none_or(|call| model.queue_uses(&[(call, None)]).is_none()) {
        return Ok(None);
    }
    let mut share = Share::new(ledger);
    share.hold(part.len() * (4 * size_of::<Passage>() + 48))?;
    share.in_time()?;
    let (mut spans, mut asked) = (Vec::new(), Vec::new());
    for &index in part {
        let operation = &history.operations()[index as usize];
        let begins = operation.invoked.position;
        if begins < until && !matches!(operation.outcome, Outcome::Fail) {
            let end = operation.ended.map(|end| end.position).filter(|end| *end <= until);
            let reply = operation.outcome.reply().filter(|_| end.is_some());
            let ends = end.filter(|_| reply.is_some()).unwrap_or(u32::MAX);
            spans.push(Span { operation: index, begins, ends });
            asked.push((&operation.call, reply));
        }
    }
    let Some(uses) = model.queue_uses(&asked) else { return Ok(None) };
    let passages = match passages(&spans, &uses) {
        Ok(passages) => passages,
        Err(found) => return Ok(found.map(|found| contradiction(&found, &spans))),
    };
    if let Some(found) = overtaking(&passages) {
        return Ok(Some(contradiction(&found, &spans)));
    }
    share.in_time()?;
    Ok(values_in_order(&passages).and_then(|values| merged(&values)).map(Decision::Order))
}

/// What was done with each value. Otherwise operations that contradict each other; or none, where values are
/// not distinct, or somebody who was not answered may have taken one of those that are left.
fn passages(spans: &[Span], uses: &[QueueUse]) -> Result<Vec<Passage>, Option<Vec<Span>>> {
    let mut passages: Vec<Passage> = Vec::new();
    let (mut unanswered, mut twice) = (false, None);
    for (span, it) in spans.iter().zip(uses) {
        let (QueueUse::Put(value) | QueueUse::Take(Some(value))) = *it else {
            unanswered = true;
            continue;
        };
        let length = passages.len().max(value as usize + 1);
        passages.resize(length, Passage { put: NEVER, take: NEVER });
        let Passage { put, take } = &mut passages[value as usize];
        match it {
            QueueUse::Put(_) if put.was() => return Err(None),
            QueueUse::Put(_) => *put = *span,
            QueueUse::Take(_) if take.was() => twice = twice.or(Some((value, *span))),
            QueueUse::Take(_) => *take = *span,
        }
    }
    // Only when all puts are known to be of different values.
    if let Some((value, again)) = twice {
        let Passage { put, take } = passages[value as usize];
        return Err(Some(vec![put, take, again]));
    }
    for Passage { put, take } in &passages {
        if take.was() && take.ends < put.begins {
            return Err(Some(vec![*put, *take]));
        }
    }
    // A put of unknown outcome whose value was not taken need not have been.
    passages.retain(|it| it.take.was() || it.put.ends != u32::MAX);
    let left = passages.iter().any(|it| !it.take.was());
    if left && unanswered { Err(None) } else { Ok(passages) }
}

/// A value that was put when another one had been put, and taken when that one had not been taken.
fn overtaking(passages: &[Passage]) -> Option<Vec<Span>> {
    let mut by_end: Vec<&Passage> = passages.iter().collect();
    by_end.sort_unstable_by_key(|it| it.put.ends);
    let mut by_begin: Vec<&Passage> = passages.iter().filter(|it| it.take.was()).collect();
    by_begin.sort_unstable_by_key(|it| it.put.begins);
    let mut earlier = by_end.into_iter().peekable();
    let mut stays_longest: Option<&Passage> = None;
    for later in by_begin {
        while let Some(before) = earlier.next_if(|it| it.put.ends < later.put.begins) {
            if stays_longest.is_none_or(|it| before.take.begins > it.take.begins) {
                stays_longest = Some(before);
            }
        }
        if let Some(before) = stays_longest.filter(|it| it.take.begins > later.take.ends) {
            return Some(vec![before.put, later.put, later.take, before.take]);
        }
    }
    None
}

/// As soon as these have happened. Where one is that a value was never taken, all others have to be known.
fn contradiction(found: &[Span], all: &[Span]) -> Decision {
    let happened = |span: &Span| match span.ends {
        u32::MAX => span.begins + 1,
        ends => ends,
    };
    let mut operations: Vec<u32> =
        found.iter().filter(|it| it.was()).map(|it| it.operation).collect();
    operations.sort_unstable();
    let never_taken = found.len() == 4 && !found[3].was();
    let needed = if never_taken { all } else { found };
    let last = needed.iter().filter(|it| it.was()).map(happened).max();
    let until = last.expect("no operation contradicts nothing");
    Decision::Contradiction { operations, until }
}

/// The values in an order that respects the puts and the takes, each as far as they do not overlap.
fn values_in_order(passages: &[Passage]) -> Option<Vec<Passage>> {
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
        order.push(passages[value as usize]);
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
fn merged(values: &[Passage]) -> Option<Vec<u32>> {
    let puts: Vec<Span> = values.iter().map(|it| it.put).collect();
    let takes: Vec<Span> = values.iter().map(|it| it.take).filter(|it| it.was()).collect();
    // What is never taken has to be behind all that is.
    if values[..takes.len()].iter().any(|it| !it.take.was()) {
        return None;
    }
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
    while put < puts.len() || take < takes.len() {
        let takes_now = take < takes.len() && take < put && takes[take].begins < put_ends[put];
        if takes_now {
            order.push(takes[take].operation);
            take += 1;
        } else if put < puts.len() && puts[put].begins < take_ends[take] {
            order.push(puts[put].operation);
            put += 1;
        } else {
            return None;
        }
    }
    Some(order)
}
