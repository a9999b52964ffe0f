//! A priority queue in which every value is put once. No two values are equal.
//!
//! The greatest of all is taken when no other one is held, so in a gap within its take, and not before its
//! put began, in which none of the others is certainly held: then it is to the others as somebody who finds
//! [nothing](super::container). Whether it is held itself matters to nobody. So values are looked at from the
//! greatest to the least, each with those that are less, and each splits those that are less into what comes
//! before its take and what comes behind it.

use std::collections::BTreeMap;

use super::container::{Order, Passage, Trouble};
use super::coverage::{Coverage, chain};

/// The puts and takes in order. Values are in the order of their numbers.
pub(super) fn order(passages: &[Passage], mut coverage: Coverage) -> Result<Order, Trouble> {
    // Takes by their gaps; those of one gap, by a number.
    let mut takes: BTreeMap<(u32, i64), u32> = BTreeMap::new();
    for value in (0..passages.len() as u32).rev() {
        let passage = &passages[value as usize];
        coverage.remove(passage);
        let (first, end) = (passage.all_begun(), passage.take.ends);
        let Some(gap) = coverage.free(first, end) else {
            let mut values = chain(passages, 0..value, first, end);
            values.push(value);
            return Err(Trouble::Contradiction(values));
        };
        takes.insert(place(&takes, passage.first_end(), gap), value);
    }
    Ok(with_puts(passages, takes.into_values()))
}

/// The place of a take in a gap, but between those greater ones between which its value is.
fn place(takes: &BTreeMap<(u32, i64), u32>, first_end: u32, gap: u32) -> (u32, i64) {
    let before = takes.range(..(first_end, i64::MIN)).next_back();
    let behind = takes.range((first_end, i64::MIN)..).next();
    match (before, behind) {
        (Some((&(other, number), _)), _) if gap <= other => (other, number + 1),
        (_, Some((&(other, number), _))) if gap >= other => (other, number - 1),
        _ => (gap, 0),
    }
}

/// All operations: each value is put as late as time and its take allow.
fn with_puts(passages: &[Passage], takes: impl Iterator<Item = u32>) -> Order {
    let mut by_end: Vec<u32> = (0..passages.len() as u32).collect();
    by_end.sort_unstable_by_key(|value| passages[*value as usize].put.ends);
    let mut by_end = by_end.into_iter().peekable();
    let mut is_put = vec![false; passages.len()];
    let mut order = Order::with_capacity(2 * passages.len());
    let mut put = |value: u32, order: &mut Order| {
        if !std::mem::replace(&mut is_put[value as usize], true) {
            order.push((value, passages[value as usize].put));
        }
    };
    for value in takes {
        let passage = &passages[value as usize];
        let begun = passage.all_begun();
        while let Some(other) = by_end.next_if(|it| passages[*it as usize].put.ends < begun) {
            put(other, &mut order);
        }
        put(value, &mut order);
        order.push((value, passage.take));
    }
    order
}
