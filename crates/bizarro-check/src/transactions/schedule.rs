//! Looks for a serial order of transactions on registers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;

use super::graph::Graph;
use super::rw_register::{INITIAL, RwRegister};
use crate::budget::{Exhausted, Ledger};
use crate::history::Outcome;

/// Steps between two looks at the clock.
const STEPS: u32 = 1 << 10;

/// Of the transactions that may come next, the one that ended first comes, unless
/// somebody still has to read what it would overwrite. This need not find an order that there is.
pub(super) struct Schedule<'s, 'h, V> {
    known: &'s RwRegister<'h, V>,
    graph: &'s Graph,
    /// How many edges still lead to a node.
    left: Vec<u32>,
    /// What to take first.
    urgency: Vec<u32>,
    ready: BinaryHeap<Reverse<(u32, u32)>>,
    /// The present version of each register, how many have still to read each version, and who waits for
    /// that.
    present: Vec<u32>,
    readers: Vec<u32>,
    first_readers: Vec<u32>,
    waiting: Vec<Vec<u32>>,
    order: Vec<u32>,
}

impl<'s, 'h, V: Eq + Hash> Schedule<'s, 'h, V> {
    pub(super) fn new(known: &'s RwRegister<'h, V>, graph: &'s Graph) -> Schedule<'s, 'h, V> {
        let mut left = vec![0; graph.nodes() as usize];
        for node in 0..graph.nodes() {
            graph.from(node).for_each(|(to, _)| left[to as usize] += 1);
        }
        let operations = known.history.operations().iter();
        let ends = operations.map(|it| match (&it.outcome, it.ended) {
            (Outcome::Ok(_), Some(ended)) => ended.position,
            _ => u32::MAX,
        });
        let mut urgency: Vec<u32> = ends.collect();
        urgency.resize(graph.nodes() as usize, 0);
        let keys = known.written.keys.len();
        let mut readers = vec![0; known.written.all.len()];
        let mut first_readers = vec![0; keys];
        for read in &known.reads {
            match known.written.all.get(read.version as usize) {
                None => first_readers[read.key as usize] += 1,
                Some(write) => {
                    readers[read.version as usize] += 1;
                    // Its writer must have come before.
                    let end = urgency[read.place.operation as usize];
                    let writer = &mut urgency[write.place.operation as usize];
                    *writer = end.min(*writer);
                }
            }
        }
        Schedule {
            known,
            graph,
            left,
            urgency,
            ready: BinaryHeap::new(),
            present: vec![INITIAL; keys],
            readers,
            first_readers,
            waiting: vec![Vec::new(); keys],
            order: Vec::new(),
        }
    }

    /// The order, if it comes to one.
    pub(super) fn run(mut self, ledger: &Ledger) -> Result<Option<Vec<u32>>, Exhausted> {
        let all = self.known.took_effect.iter().filter(|it| **it).count();
        for node in 0..self.graph.nodes() {
            if self.left[node as usize] == 0 {
                self.ready.push(Reverse((self.urgency[node as usize], node)));
            }
        }
        let mut steps = 0_u32;
        while let Some(Reverse((_, node))) = self.ready.pop() {
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(STEPS) {
                ledger.in_time()?;
            }
            if self.known.took_effect.get(node as usize) == Some(&true) {
                if let Some(key) = self.in_use(node) {
                    self.waiting[key as usize].push(node);
                    continue;
                }
                if self.take(node).is_none() {
                    return Ok(None);
                }
            }
            for (to, _) in self.graph.from(node) {
                self.left[to as usize] -= 1;
                if self.left[to as usize] == 0 {
                    self.ready.push(Reverse((self.urgency[to as usize], to)));
                }
            }
        }
        Ok((self.order.len() == all).then_some(self.order))
    }

    fn readers_of(&mut self, key: u32, version: u32) -> &mut u32 {
        match version {
            INITIAL => &mut self.first_readers[key as usize],
            version => &mut self.readers[version as usize],
        }
    }

    /// A register that it would overwrite while others have to read it.
    fn in_use(&mut self, operation: u32) -> Option<u32> {
        let known = self.known;
        known.written.of(operation).iter().map(|write| write.key).find(|key| {
            let version = self.present[*key as usize];
            let mut own = known.reads_of(operation).iter();
            let own = own.any(|read| read.key == *key && read.version == version);
            *self.readers_of(*key, version) > u32::from(own)
        })
    }

    fn take(&mut self, operation: u32) -> Option<()> {
        let known = self.known;
        for read in known.reads_of(operation) {
            if self.present[read.key as usize] != read.version {
                return None;
            }
            let readers = self.readers_of(read.key, read.version);
            *readers -= 1;
            // The last of them may be among those that wait.
            if *readers > 1 {
                continue;
            }
            for waiting in std::mem::take(&mut self.waiting[read.key as usize]) {
                self.ready.push(Reverse((self.urgency[waiting as usize], waiting)));
            }
        }
        for (number, write) in (0..).zip(known.written.of(operation)) {
            let first =
                known.written.all.partition_point(|it| it.place.operation < operation) as u32;
            self.present[write.key as usize] = first + number;
        }
        self.order.push(operation);
        Some(())
    }
}
