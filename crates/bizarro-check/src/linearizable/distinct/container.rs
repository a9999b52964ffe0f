//! A container in which every value is put once: what holds of queues, stacks and priority queues alike.
//!
//! A history is wrong if a value is taken that was not put, or twice, or before it was put. What is left
//! when time ends may be taken then, all at once: that changes nothing.
//!
//! Somebody finds the container empty in a gap in which no value is certainly held, or not at all. Such a gap
//! *splits* a history: what is done with values of which something ended before it, and what is done with the
//! others, can be linearized if and only if both can be on their own. For an order of all, without the values
//! of one side, is an order of the other one; and in orders of both, one after the other, nothing that ends
//! before the gap comes behind what begins after it, since what is done with a value of the first side all
//! begins before the gap, and with one of the second all ends after it. So it does not matter which such gap
//! is taken.

use super::coverage::{Coverage, chain};
use super::{Decision, Span, contradiction, priority_queue, queue, stack};
use crate::budget::{Exhausted, Share};
use crate::history::History;
use crate::model::{ContainerUse, Leaving};

/// About how much deciding takes, for each operation.
pub(super) const OPERATION_BYTES: usize = 320;

/// No operation.
const NOBODY: u32 = u32::MAX;

/// What was done with one value. Times are numbers of events among those that matter here; behind all of them
/// is one event at which all is taken that was left, and another one that ends what did not end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage {
    pub(super) put: Span,
    pub(super) take: Span,
}

impl Passage {
    /// The first end of what was done with it.
    pub(super) fn first_end(&self) -> u32 {
        self.put.ends.min(self.take.ends)
    }

    /// When all that was done with it has begun.
    pub(super) fn all_begun(&self) -> u32 {
        self.put.begins.max(self.take.begins)
    }

    fn is_taken(&self) -> bool {
        self.take.operation != NOBODY
    }

    fn is_put(&self) -> bool {
        self.put.operation != NOBODY
    }
}

/// Operations in order, each with the number of its value. Those that are nobody's are among them.
pub(super) type Order = Vec<(u32, Span)>;

/// Why there is no order.
pub(super) enum Trouble {
    /// What was done with these values cannot be put in order.
    Contradiction(Vec<u32>),
    /// These operations contradict what was done with these values.
    Operations(Vec<u32>, Vec<u32>),
    /// It cannot be told without a search.
    Unclear,
}

/// Decides on a container from which values leave in this way. `hints` are uses as they may have been.
pub(super) fn decide<C, R>(
    leaving: Leaving,
    spans: &[Span],
    uses: &[ContainerUse],
    hints: Option<&[ContainerUse]>,
    history: &History<C, R>,
    share: &Share<'_>,
) -> Result<Option<Decision>, Exhausted> {
    let events = Events::new(spans);
    let spans: Vec<Span> = spans.iter().map(|span| events.number(*span)).collect();
    let passages = match passages(&spans, uses, events.end()) {
        Ok(passages) => passages,
        Err(None) => return Ok(None),
        Err(Some(found)) => return Ok(Some(contradiction(history, found, []))),
    };
    let empties: Vec<Span> = spans
        .iter()
        .zip(uses)
        .filter(|(_, it)| **it == ContainerUse::Empty)
        .map(|(span, _)| *span)
        .collect();
    let unanswered = uses.contains(&ContainerUse::Take(None));
    // A put of unknown outcome whose value was not taken need not have been.
    let known = |it: &Passage| it.is_taken() || it.put.ends < events.end();
    let likely: Vec<Passage> = passages.iter().copied().filter(known).collect();
    let attempt = |passages: &[Passage]| order(leaving, passages, &empties);
    let say = |trouble, passages: &[Passage]| said(trouble, passages, &spans, history);
    if !unanswered || likely.iter().all(Passage::is_taken) {
        return Ok(match attempt(&likely) {
            Ok(order) => Some(Decision::Order(order)),
            Err(trouble) => say(trouble, &likely),
        });
    }
    // Who was not answered may have taken one of those that are left. Some guesses are tried, and what is
    // wrong without any of these values is wrong.
    if let Some(hints) = hints {
        let mut guess = guess(&passages, &spans, uses, hints, events.end());
        guess.retain(known);
        if let Ok(order) = attempt(&guess) {
            return Ok(Some(Decision::Order(order)));
        }
        share.in_time()?;
    }
    if let Ok(order) = attempt(&likely) {
        return Ok(Some(Decision::Order(order)));
    }
    share.in_time()?;
    let taken: Vec<Passage> = likely.into_iter().filter(Passage::is_taken).collect();
    Ok(attempt(&taken).err().and_then(|trouble| say(trouble, &taken)))
}

/// The numbers of the events that matter.
struct Events(Vec<u32>);

impl Events {
    fn new(spans: &[Span]) -> Events {
        let mut events: Vec<u32> =
            spans.iter().flat_map(|it| [it.begins, it.ends]).filter(|it| *it != u32::MAX).collect();
        events.sort_unstable();
        Events(events)
    }

    /// At which ends what never ended.
    fn end(&self) -> u32 {
        self.0.len() as u32 + 1
    }

    fn number(&self, span: Span) -> Span {
        let number = |event| match event {
            u32::MAX => self.end(),
            event => self.0.partition_point(|it| *it < event) as u32,
        };
        Span { begins: number(span.begins), ends: number(span.ends), ..span }
    }
}

/// What was done with each value. Otherwise operations that contradict each other; or none, where values are
/// not distinct.
fn passages(
    spans: &[Span],
    uses: &[ContainerUse],
    end: u32,
) -> Result<Vec<Passage>, Option<Vec<u32>>> {
    let never = Span { operation: NOBODY, begins: end - 1, ends: end };
    let mut passages: Vec<Passage> = Vec::new();
    let mut twice = None;
    for (span, it) in spans.iter().zip(uses) {
        let (ContainerUse::Put(value) | ContainerUse::Take(Some(value))) = *it else { continue };
        let length = passages.len().max(value as usize + 1);
        passages.resize(length, Passage { put: never, take: never });
        let passage = &mut passages[value as usize];
        match it {
            ContainerUse::Put(_) if passage.is_put() => return Err(None),
            ContainerUse::Put(_) => passage.put = *span,
            _ if passage.is_taken() => twice = twice.or(Some((value, span.operation))),
            _ => passage.take = *span,
        }
    }
    let names = |passage: &Passage| {
        let both = [passage.put.operation, passage.take.operation];
        both.into_iter().filter(|it| *it != NOBODY).collect::<Vec<u32>>()
    };
    // Only when all puts are known to be of different values.
    if let Some((value, again)) = twice {
        let mut found = names(&passages[value as usize]);
        found.push(again);
        return Err(Some(found));
    }
    let unput = |it: &&Passage| it.is_taken() && (!it.is_put() || it.take.ends < it.put.begins);
    match passages.iter().find(unput) {
        Some(passage) => Err(Some(names(passage))),
        None => Ok(passages),
    }
}

/// The same, where those who were not answered took what they were told later.
fn guess(
    passages: &[Passage],
    spans: &[Span],
    uses: &[ContainerUse],
    hints: &[ContainerUse],
    end: u32,
) -> Vec<Passage> {
    let mut guess = passages.to_vec();
    // Numbers of values are others where more is told.
    let mut numbers: Vec<Option<u32>> = Vec::new();
    for pair in uses.iter().zip(hints) {
        if let (ContainerUse::Put(value), ContainerUse::Put(hint)) = pair {
            numbers.resize(numbers.len().max(*hint as usize + 1), None);
            numbers[*hint as usize] = Some(*value);
        }
    }
    for (span, hint) in spans.iter().zip(hints) {
        let ContainerUse::Take(Some(hint)) = *hint else { continue };
        let Some(Some(value)) = numbers.get(hint as usize) else { continue };
        let passage = &mut guess[*value as usize];
        if span.ends == end && !passage.is_taken() {
            passage.take = *span;
        }
    }
    guess
}

fn order(leaving: Leaving, passages: &[Passage], empties: &[Span]) -> Result<Vec<u32>, Trouble> {
    let coverage = Coverage::new(passages);
    let mut gaps = Vec::new();
    for empty in empties {
        let Some(gap) = coverage.free(empty.begins, empty.ends) else {
            let all = 0..passages.len() as u32;
            let values = chain(passages, all, empty.begins, empty.ends);
            return Err(Trouble::Operations(vec![empty.operation], values));
        };
        gaps.push((gap, empty.operation));
    }
    let order = match leaving {
        Leaving::FirstIn => queue::order(passages)?,
        Leaving::LastIn => stack::order(passages, coverage)?,
        Leaving::Least => priority_queue::order(passages, coverage)?,
    };
    gaps.sort_unstable();
    Ok(split(passages, order, &gaps))
}

/// The order of all, split at each of these gaps, in which somebody finds nothing.
fn split(passages: &[Passage], order: Order, gaps: &[(u32, u32)]) -> Vec<u32> {
    let behind = |value: u32| {
        let end = passages[value as usize].first_end();
        gaps.partition_point(|(gap, _)| *gap < end)
    };
    let mut sections: Vec<Vec<u32>> = vec![Vec::new(); gaps.len() + 1];
    for (value, span) in order.into_iter().filter(|(_, span)| span.operation != NOBODY) {
        sections[behind(value)].push(span.operation);
    }
    for (section, (_, empty)) in sections.iter_mut().zip(gaps) {
        section.push(*empty);
    }
    sections.concat()
}

/// What is said of a history with this trouble.
fn said<C, R>(
    trouble: Trouble,
    passages: &[Passage],
    all: &[Span],
    history: &History<C, R>,
) -> Option<Decision> {
    let (mut operations, values) = match trouble {
        Trouble::Contradiction(values) => (Vec::new(), values),
        Trouble::Operations(operations, values) => (operations, values),
        Trouble::Unclear => return None,
    };
    let values: Vec<&Passage> = values.iter().map(|value| &passages[*value as usize]).collect();
    let both = values.iter().flat_map(|it| [it.put.operation, it.take.operation]);
    operations.extend(both.filter(|it| *it != NOBODY));
    // That a value was never taken is known when all others have been answered.
    let left = values.iter().any(|it| !it.is_taken());
    let besides = all.iter().filter(|_| left).map(|span| span.operation);
    Some(contradiction(history, operations, besides))
}
