//! Pairs of faults: the second strikes while the system gets over the first.
//!
//! A second fault is looked for in the run of the first one, and not in the baseline: the retries and the way round
//! are there, and nobody tests them otherwise. Pairs are tried only where neither fault breaks anything alone. There are
//! many, so a budget says how many are run: of those whose second fault comes soon after the first more than of others,
//! and among equals in an order that is drawn, but always the same.

use std::collections::{BTreeMap, BTreeSet};

use bizarro_fault::SplitMix64;
use bizarro_record::{Injection, Lasting, Plan};
use serde::{Deserialize, Serialize};

use super::fill::{Filling, Seen, Slot};
use crate::cells::cells;
use crate::pool::Coverage;
use crate::progress::Phase;
use crate::runner::{RunnerError, Runners};
use crate::verdict::Outcome;

/// What became of pairs of faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Pairs {
    /// How many there are of which neither fault breaks anything alone.
    pub possible: u64,
    /// How many were run.
    pub tried: u64,
    /// How many of these broke something.
    pub broken: u64,
}

pub(super) fn explore(
    filling: &mut Filling<'_>,
    runners: Runners<'_>,
    once: &[Slot],
    seen: Vec<Option<Seen>>,
) -> Result<Coverage, RunnerError> {
    let mut pairs = pairs(filling, once, &seen);
    drop(seen);
    let possible = pairs.len() as u64;
    pairs.truncate(usize::try_from(filling.options.pairs).unwrap_or(usize::MAX));
    filling.progress.begin(Phase::Pairs, pairs.len() as u64);
    let (coverage, seen) = filling.run(runners, &pairs)?;
    let outcomes = || seen.iter().flatten().map(|seen| seen.outcome);
    filling.report.pairs = Some(Pairs {
        possible,
        tried: outcomes().count() as u64,
        broken: outcomes().filter(|outcome| outcome.is_failure()).count() as u64,
    });
    Ok(coverage)
}

/// All pairs, in the order in which they are tried.
fn pairs(filling: &Filling<'_>, once: &[Slot], seen: &[Option<Seen>]) -> Vec<Slot> {
    let failing = failing(filling);
    let mut pairs = Vec::new();
    for (slot, seen) in once.iter().zip(seen) {
        let Some(seen) = seen.as_ref().filter(|seen| seen.outcome == Outcome::Held) else {
            continue;
        };
        let first = &slot.plan.injections[0];
        for (distance, exchange) in seen.exchanges.iter().enumerate() {
            for cell in cells(exchange, filling.options.model, &[Lasting::Once]) {
                // The struck exchange itself has steps yet to come.
                if exchange.id == first.at && cell.step <= first.step {
                    continue;
                }
                for variant in cell.variants.iter().filter(|variant| variant.skip.is_none()) {
                    let second = Injection::once(cell.exchange.clone(), cell.step, variant.effect);
                    if !failing.contains(&second) {
                        let injections = vec![first.clone(), second];
                        let plan = Plan { injections, ..slot.plan.clone() };
                        pairs.push((distance, Slot { place: None, plan }));
                    }
                }
            }
        }
    }
    interleaved(pairs)
}

/// For two pairs of one distance there is one of the next, and so on.
fn interleaved(pairs: Vec<(usize, Slot)>) -> Vec<Slot> {
    let mut drawn = SplitMix64::new(0);
    let mut pairs: Vec<(u64, usize, Slot)> =
        pairs.into_iter().map(|(distance, slot)| (drawn.bits(), distance, slot)).collect();
    pairs.sort_by_key(|(order, ..)| *order);
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, Slot)> = Vec::with_capacity(pairs.len());
    for (_, distance, slot) in pairs {
        let count = counts.entry(distance).or_default();
        *count += 1;
        ranked.push((*count * (distance + 1), slot));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, slot)| slot).collect()
}

/// The faults that break something, or are in doubt, alone.
fn failing(filling: &Filling<'_>) -> BTreeSet<Injection> {
    let cells = filling.report.cells.iter();
    let variants = cells.flat_map(|cell| cell.variants.iter().map(move |v| (cell, v)));
    variants
        .filter(|(_, v)| v.lasting == Lasting::Once && v.verdict.outcome > Outcome::Held)
        .map(|(cell, v)| Injection::once(cell.exchange.clone(), cell.step, v.effect))
        .collect()
}
