//! When a container certainly holds something.
//!
//! Between two events is a *gap*; gap `g` comes after event `g`. A value is certainly held in all gaps from
//! the end of its put to the beginning of its take.

use super::container::Passage;

/// How many values are certainly held in each gap. A tree in which the count of a range is the sum on the
/// way to it.
pub(super) struct Coverage {
    gaps: usize,
    /// By node: what was added to its whole range, and the least count within it.
    nodes: Vec<(i32, i32)>,
}

impl Coverage {
    /// Of all these values.
    pub(super) fn new(passages: &[Passage]) -> Coverage {
        let gaps = passages.iter().map(|it| it.take.begins.max(it.put.begins) as usize + 1).max();
        let gaps = (gaps.unwrap_or(0) + 1).next_power_of_two();
        let mut coverage = Coverage { gaps, nodes: vec![(0, 0); 2 * gaps] };
        for passage in passages {
            coverage.add(passage, 1);
        }
        coverage
    }

    pub(super) fn remove(&mut self, passage: &Passage) {
        self.add(passage, -1);
    }

    fn add(&mut self, passage: &Passage, count: i32) {
        let (from, to) = (passage.put.ends, passage.take.begins);
        if from < to {
            self.add_below(1, 0..self.gaps, from as usize..to as usize, count);
        }
    }

    fn add_below(
        &mut self,
        node: usize,
        of: std::ops::Range<usize>,
        to: std::ops::Range<usize>,
        count: i32,
    ) {
        if to.end <= of.start || of.end <= to.start {
            return;
        }
        if to.start <= of.start && of.end <= to.end {
            self.nodes[node].0 += count;
            self.nodes[node].1 += count;
            return;
        }
        let middle = of.start.midpoint(of.end);
        self.add_below(2 * node, of.start..middle, to.clone(), count);
        self.add_below(2 * node + 1, middle..of.end, to, count);
        let least = self.nodes[2 * node].1.min(self.nodes[2 * node + 1].1);
        self.nodes[node].1 = self.nodes[node].0 + least;
    }

    /// The first gap from `first` and before `end` in which nothing has to be held.
    pub(super) fn free(&self, first: u32, end: u32) -> Option<u32> {
        let found = self.free_below(1, 0..self.gaps, &(first as usize..end as usize), 0);
        // Behind all that was done with any value.
        let behind = (first as usize).max(self.gaps);
        found.or(Some(behind).filter(|it| *it < end as usize)).map(|gap| gap as u32)
    }

    fn free_below(
        &self,
        node: usize,
        of: std::ops::Range<usize>,
        within: &std::ops::Range<usize>,
        above: i32,
    ) -> Option<usize> {
        let apart = within.end <= of.start || of.end <= within.start;
        if apart || within.is_empty() || above + self.nodes[node].1 > 0 {
            return None;
        }
        if of.len() == 1 {
            return Some(of.start);
        }
        let (above, middle) = (above + self.nodes[node].0, of.start.midpoint(of.end));
        let left = self.free_below(2 * node, of.start..middle, within, above);
        left.or_else(|| self.free_below(2 * node + 1, middle..of.end, within, above))
    }
}

/// As few of these values as can be, one of which is certainly held in each gap from `first` and before
/// `end`. There have to be such.
pub(super) fn chain(
    passages: &[Passage],
    among: impl Iterator<Item = u32>,
    first: u32,
    end: u32,
) -> Vec<u32> {
    let held = |value: &u32| {
        let passage = &passages[*value as usize];
        (passage.put.ends, passage.take.begins)
    };
    let mut by_begin: Vec<u32> =
        among.filter(|it| held(it).0 < held(it).1 && held(it).1 > first).collect();
    by_begin.sort_unstable_by_key(held);
    let (mut chain, mut covered, mut next) = (Vec::new(), first, 0);
    while covered < end {
        let mut furthest: Option<u32> = None;
        while let Some(value) = by_begin.get(next).filter(|it| held(it).0 <= covered) {
            if furthest.is_none_or(|it| held(&it).1 < held(value).1) {
                furthest = Some(*value);
            }
            next += 1;
        }
        let value = furthest.expect("every gap is covered");
        covered = held(&value).1;
        chain.push(value);
    }
    chain
}
