//! A stack in which every value is put once. Values are taken away from the history, by what does not change
//! whether it can be linearized, until none is left:
//!
//! - A value comes *first*, put and taken at once, if all that was done with it began before anything ended.
//! - A value comes *around* all others if its put began before anything ended, and its take ended after all
//!   else had begun.
//! - A gap in which no value is certainly held [splits](super::container) the history.
//!
//! If none of these can be done, there is no order: a stack that is never empty between has one value below
//! all others, and that comes around them; and where it is empty, either a gap splits the history or what
//! comes before it are values of which each comes first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::container::{Order, Passage, Trouble};
use super::coverage::{Coverage, chain};

/// No value, no place.
const NONE: u32 = u32::MAX;

/// The puts and takes in order.
pub(super) fn order(passages: &[Passage], coverage: Coverage) -> Result<Order, Trouble> {
    if passages.is_empty() {
        return Ok(Order::new());
    }
    let mut values: Vec<u32> = (0..passages.len() as u32).collect();
    values.sort_unstable_by_key(|value| passages[*value as usize].first_end());
    let count = values.len() as u32;
    let mut stack = Stack {
        passages,
        next: (1..count).chain([NONE]).collect(),
        previous: [NONE].into_iter().chain(0..count - 1).collect(),
        side: vec![0; values.len()],
        sides: 1,
        coverage,
        placed: Vec::with_capacity(4 * values.len()),
        values,
    };
    stack.placed.push((None, NONE));
    let mut open = vec![stack.part(0, count - 1, 0, 0)];
    while let Some(part) = open.pop() {
        stack.take_apart(part, &mut open)?;
    }
    Ok(stack.in_order())
}

/// What is left of the history. Values are named by their rank in the order of first ends.
struct Stack<'p> {
    passages: &'p [Passage],
    values: Vec<u32>,
    /// Those that are left, as a list.
    next: Vec<u32>,
    previous: Vec<u32>,
    /// Which part each belongs to; of no part, if it was taken away.
    side: Vec<u32>,
    sides: u32,
    coverage: Coverage,
    /// Operations that are in their place, or places for parts: a list, and which comes next.
    placed: Vec<(Option<(u32, bool)>, u32)>,
}

/// Values between which no order is known yet. They are next to each other by their first ends. The heaps may
/// also hold values that are no longer of this part.
struct Part {
    first: u32,
    last: u32,
    side: u32,
    /// The place in front of it.
    place: u32,
    /// By when all had begun; the earliest and the latest.
    earliest: BinaryHeap<Reverse<(u32, u32)>>,
    latest: BinaryHeap<(u32, u32)>,
    /// By when the put began, those of whom it did not begin before anything ended.
    waiting: BinaryHeap<Reverse<(u32, u32)>>,
    /// By when the take ended, the others.
    ready: BinaryHeap<(u32, u32)>,
}

impl Stack<'_> {
    fn passage(&self, rank: u32) -> &Passage {
        &self.passages[self.values[rank as usize] as usize]
    }

    /// Those that are left from one to another.
    fn ranks(&self, first: u32, last: u32) -> impl Iterator<Item = u32> {
        let next = move |rank: &u32| (*rank != last).then(|| self.next[*rank as usize]);
        std::iter::successors(Some(first), next)
    }

    /// The values from `first` to `last`, which are said to be of this side.
    fn part(&self, first: u32, last: u32, side: u32, place: u32) -> Part {
        let ranks: Vec<u32> = self.ranks(first, last).collect();
        let begun = |rank: &u32| (self.passage(*rank).all_begun(), *rank);
        Part {
            first,
            last,
            side,
            place,
            earliest: ranks.iter().map(|rank| Reverse(begun(rank))).collect(),
            latest: ranks.iter().map(begun).collect(),
            waiting: ranks
                .iter()
                .map(|rank| Reverse((self.passage(*rank).put.begins, *rank)))
                .collect(),
            ready: BinaryHeap::new(),
        }
    }

    /// Takes values away until none is left. What is split off is added to `open`.
    fn take_apart(&mut self, mut part: Part, open: &mut Vec<Part>) -> Result<(), Trouble> {
        while part.first != NONE {
            let first_end = self.passage(part.first).first_end();
            let is_gone = |rank: u32| self.side[rank as usize] != part.side;
            while part.earliest.peek().is_some_and(|Reverse((_, rank))| is_gone(*rank)) {
                part.earliest.pop();
            }
            while part.latest.peek().is_some_and(|(_, rank)| is_gone(*rank)) {
                part.latest.pop();
            }
            while part.waiting.peek().is_some_and(|Reverse((begins, _))| *begins < first_end) {
                let Reverse((_, rank)) = part.waiting.pop().expect("it was looked at");
                part.ready.push((self.passage(rank).take.ends, rank));
            }
            while part.ready.peek().is_some_and(|(_, rank)| is_gone(*rank)) {
                part.ready.pop();
            }
            let Reverse((begun, earliest)) = *part.earliest.peek().expect("a value is left");
            let &(all_begun, latest) = part.latest.peek().expect("a value is left");
            if begun < first_end {
                part.place = self.place(part.place, earliest, false);
                part.place = self.place(part.place, earliest, true);
                self.take_away(&mut part, earliest);
            } else if let Some((_, around)) = part.ready.peek().filter(|(end, _)| *end > all_begun)
            {
                let around = *around;
                self.place(part.place, around, true);
                part.place = self.place(part.place, around, false);
                self.take_away(&mut part, around);
            } else {
                let last_end = self.passage(part.last).first_end();
                match self.coverage.free(first_end, last_end) {
                    Some(gap) => part = self.split(part, gap, open),
                    None => return Err(self.contradiction(&part, all_begun, latest)),
                }
            }
        }
        Ok(())
    }

    /// Puts an operation behind a place; its own place.
    fn place(&mut self, behind: u32, rank: u32, takes: bool) -> u32 {
        let place = self.placed.len() as u32;
        let next = std::mem::replace(&mut self.placed[behind as usize].1, place);
        self.placed.push((Some((rank, takes)), next));
        place
    }

    fn take_away(&mut self, part: &mut Part, rank: u32) {
        let value = self.values[rank as usize] as usize;
        self.coverage.remove(&self.passages[value]);
        let (previous, next) = (self.previous[rank as usize], self.next[rank as usize]);
        // The ends of a part may have neighbours in others.
        match (rank == part.first, rank == part.last) {
            (true, true) => (part.first, part.last) = (NONE, NONE),
            (true, false) => part.first = next,
            (false, true) => part.last = previous,
            (false, false) => {}
        }
        if previous != NONE {
            self.next[previous as usize] = next;
        }
        if next != NONE {
            self.previous[next as usize] = previous;
        }
        self.side[rank as usize] = NONE;
    }

    /// Splits a part at a gap with values on both sides. The smaller one is made anew, so that each value is
    /// moved as often as a part can be halved.
    fn split(&mut self, mut part: Part, gap: u32, open: &mut Vec<Part>) -> Part {
        let (before, behind, smaller) = self.border(&part, gap);
        // A place between the two.
        let (first_place, between) = (part.place, self.placed.len() as u32);
        let next = std::mem::replace(&mut self.placed[first_place as usize].1, between);
        self.placed.push((None, next));
        let side = self.sides;
        self.sides += 1;
        let (first, last, place) = match smaller {
            Smaller::Before => (part.first, before, first_place),
            Smaller::Behind => (behind, part.last, between),
        };
        for rank in self.ranks(first, last).collect::<Vec<u32>>() {
            self.side[rank as usize] = side;
        }
        open.push(self.part(first, last, side, place));
        match smaller {
            Smaller::Before => (part.first, part.place) = (behind, between),
            Smaller::Behind => part.last = before,
        }
        part
    }

    /// The last value before a gap and the first behind it, looked for from both ends at once.
    fn border(&self, part: &Part, gap: u32) -> (u32, u32, Smaller) {
        let is_before = |rank: u32| self.passage(rank).first_end() <= gap;
        let (mut before, mut behind) = (part.first, part.last);
        loop {
            let next = self.next[before as usize];
            if !is_before(next) {
                return (before, next, Smaller::Before);
            }
            let previous = self.previous[behind as usize];
            if is_before(previous) {
                return (previous, behind, Smaller::Behind);
            }
            (before, behind) = (next, previous);
        }
    }

    /// The values of the first end and of the last beginning, and some that are held all the while. None of
    /// these comes around the others either.
    fn contradiction(&self, part: &Part, all_begun: u32, latest: u32) -> Trouble {
        let among = self.ranks(part.first, part.last).map(|rank| self.values[rank as usize]);
        let first_end = self.passage(part.first).first_end();
        let mut values = chain(self.passages, among, first_end, all_begun);
        values.extend([part.first, latest].map(|rank| self.values[rank as usize]));
        Trouble::Contradiction(values)
    }

    fn in_order(&self) -> Order {
        let mut order = Order::with_capacity(2 * self.values.len());
        let mut place = 0;
        while place != NONE {
            let (what, next) = self.placed[place as usize];
            if let Some((rank, takes)) = what {
                let passage = self.passage(rank);
                let span = if takes { passage.take } else { passage.put };
                order.push((self.values[rank as usize], span));
            }
            place = next;
        }
        order
    }
}

/// Which side of a gap has fewer values.
#[derive(Clone, Copy)]
enum Smaller {
    Before,
    Behind,
}
