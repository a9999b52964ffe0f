//! The search for an order that keeps that of each process, depth first.
//!
//! A *configuration* is how far each process is, which operations of unknown outcome took effect, and the states of
//! all objects. None is looked at twice. An operation that changes no state is put in order as soon as it is
//! possible: whatever comes after it could come as well.

use std::collections::BTreeMap;

use crate::budget::{Exhausted, Ledger, Share};
use crate::history::{History, Outcome, Process};
use crate::intern::Interner;
use crate::model::Model;

/// How a search ended.
pub(super) enum Found {
    /// All kept operations with a reply in order, others among them.
    Order(Vec<u32>),
    /// There is no order.
    Nothing,
    /// The quota was used up before it was clear.
    Paused,
    /// The budget ended before the search did.
    Exhausted(Exhausted),
}

/// How many configurations a search may keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Quota {
    None,
    Configurations(u32),
}

/// How often the clock is looked at: once in so many configurations.
const POLL: u32 = 1 << 8;

/// What is to be put in order.
pub(super) struct Problem<'h, M: Model> {
    model: &'h M,
    history: &'h History<M::Call, M::Reply>,
    /// Kept operations with a reply, process by process.
    chains: Vec<Vec<u32>>,
    /// Kept operations of unknown outcome: the chain of the process, how many of it come before, and which it is.
    optional: Vec<(usize, u32, u32)>,
    /// Operations that are not kept may take effect at any time, and more than once, but all of them together no
    /// more often than there are.
    relaxed: Vec<u32>,
    relaxed_max: u32,
    /// The number of each operation's object.
    objects: Vec<u32>,
    objects_count: usize,
}

impl<'h, M: Model> Problem<'h, M> {
    /// Keeps the operations `kept`, in order. Of the others, those count that are about the same objects; and of
    /// these, only those are tried of which it is not known that they help nothing.
    pub(super) fn new(
        model: &'h M,
        history: &'h History<M::Call, M::Reply>,
        kept: &[u32],
        helps: impl Fn(u32) -> bool,
    ) -> Problem<'h, M> {
        let operations = history.operations();
        let mut numbers: BTreeMap<M::Part, u32> = BTreeMap::new();
        for index in kept {
            let next = numbers.len() as u32;
            numbers.entry(model.part(&operations[*index as usize].call)).or_insert(next);
        }
        let mut problem = Problem {
            model,
            history,
            chains: Vec::new(),
            optional: Vec::new(),
            relaxed: Vec::new(),
            relaxed_max: 0,
            objects: vec![u32::MAX; operations.len()],
            objects_count: numbers.len(),
        };
        let mut chain_of: BTreeMap<Process, usize> = BTreeMap::new();
        for (index, operation) in (0..).zip(operations) {
            let reply = operation.outcome.reply();
            let Some(object) = numbers.get(&model.part(&operation.call)) else { continue };
            problem.objects[index as usize] = *object;
            let observes = model.observes(&operation.call, reply);
            let chain = *chain_of.entry(operation.process).or_insert_with(|| {
                problem.chains.push(Vec::new());
                problem.chains.len() - 1
            });
            match (kept.binary_search(&index), reply) {
                (Ok(_), Some(_)) => problem.chains[chain].push(index),
                _ if observes || matches!(operation.outcome, Outcome::Fail) => {}
                (Ok(_), None) => {
                    let before = problem.chains[chain].len() as u32;
                    problem.optional.push((chain, before, index));
                }
                (Err(_), _) => {
                    problem.relaxed_max += 1;
                    problem.relaxed.extend(helps(index).then_some(index));
                }
            }
        }
        problem
    }

    /// Where, in a configuration, the number of used relaxed operations stands; behind it which optional ones were
    /// used, 32 to a word; and behind these the states.
    fn used(&self) -> usize {
        self.chains.len()
    }

    fn states(&self) -> usize {
        self.used() + 1 + self.optional.len().div_ceil(32)
    }
}

/// A configuration that is still to be looked at.
struct Open {
    configuration: Box<[u32]>,
    /// How many operations were in order before the one that led here, and which one that is.
    before: usize,
    operation: Option<u32>,
}

/// Searches to the end, or to the end of the quota or the budget; and how many configurations were kept.
pub(super) fn search<M: Model>(
    problem: &Problem<'_, M>,
    ledger: &Ledger,
    quota: Quota,
) -> (Found, u64) {
    let mut search = Search {
        problem,
        seen: Interner::new(),
        states: Interner::new(),
        weight: 0,
        open: Vec::new(),
        trail: Vec::new(),
    };
    let found = search.run(Share::new(ledger), quota).unwrap_or_else(Found::Exhausted);
    (found, search.seen.len() as u64)
}

struct Search<'p, 'h, M: Model> {
    problem: &'p Problem<'h, M>,
    seen: Interner<Box<[u32]>>,
    states: Interner<M::State>,
    /// What the states own.
    weight: usize,
    open: Vec<Open>,
    /// The operations that led to the present configuration.
    trail: Vec<u32>,
}

impl<M: Model> Search<'_, '_, M> {
    fn run(&mut self, mut share: Share<'_>, quota: Quota) -> Result<Found, Exhausted> {
        let initial = self.number(self.problem.model.initial());
        let words = self.problem.states() + self.problem.objects_count;
        let mut configuration = vec![0; words].into_boxed_slice();
        configuration[self.problem.states()..].fill(initial);
        self.open.push(Open { configuration, before: 0, operation: None });
        while let Some(Open { mut configuration, before, operation }) = self.open.pop() {
            self.trail.truncate(before);
            self.trail.extend(operation);
            self.observe(&mut configuration);
            let chains = self.problem.chains.iter().zip(&configuration);
            if chains.into_iter().all(|(chain, at)| chain.len() == *at as usize) {
                return Ok(Found::Order(std::mem::take(&mut self.trail)));
            }
            let known = self.seen.len();
            self.seen.intern(configuration.clone());
            if self.seen.len() == known {
                continue;
            }
            if quota == Quota::Configurations(known as u32) {
                return Ok(Found::Paused);
            }
            if (known as u32).is_multiple_of(POLL) {
                share.in_time()?;
            }
            self.expand(&configuration);
            share.hold(self.bytes(4 * words))?;
        }
        Ok(Found::Nothing)
    }

    /// Puts in order what changes no state, as far as it is possible.
    fn observe(&mut self, configuration: &mut [u32]) {
        let Problem { model, history, chains, .. } = self.problem;
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for (at, chain) in chains.iter().enumerate() {
                while let Some(index) = chain.get(configuration[at] as usize) {
                    let operation = &history.operations()[*index as usize];
                    let (call, reply) = (&operation.call, operation.outcome.reply());
                    let state = configuration[self.place(*index)];
                    if !model.observes(call, reply)
                        || !model.allows(self.states.get(state), call, reply)
                    {
                        break;
                    }
                    configuration[at] += 1;
                    self.trail.push(*index);
                    moved = true;
                }
            }
        }
    }

    /// Adds what a configuration leads to. What is added last is looked at first: operations of processes in their
    /// order, then those of unknown outcome, then relaxed ones.
    fn expand(&mut self, configuration: &[u32]) {
        let problem = self.problem;
        let used = problem.used();
        if configuration[used] < problem.relaxed_max {
            for index in problem.relaxed.iter().rev() {
                self.step(configuration, *index, |after| after[used] += 1);
            }
        }
        for (number, (chain, before, index)) in problem.optional.iter().enumerate().rev() {
            let (word, bit) = (used + 1 + number / 32, 1 << (number % 32));
            if configuration[word] & bit == 0 && configuration[*chain] >= *before {
                self.step(configuration, *index, |after| after[word] |= bit);
            }
        }
        for (at, chain) in problem.chains.iter().enumerate().rev() {
            if let Some(index) = chain.get(configuration[at] as usize) {
                self.step(configuration, *index, |after| after[at] += 1);
            }
        }
    }

    /// Adds the configurations that an operation leads to.
    fn step(&mut self, configuration: &[u32], index: u32, moved: impl Fn(&mut [u32])) {
        let operation = &self.problem.history.operations()[index as usize];
        let place = self.place(index);
        let state = self.states.get(configuration[place]);
        let mut next = Vec::new();
        self.problem.model.step(state, &operation.call, operation.outcome.reply(), &mut next);
        for state in next {
            let mut after: Box<[u32]> = configuration.into();
            moved(&mut after);
            after[place] = self.number(state);
            let before = self.trail.len();
            self.open.push(Open { configuration: after, before, operation: Some(index) });
        }
    }

    /// Where the state of an operation's object stands in a configuration.
    fn place(&self, index: u32) -> usize {
        self.problem.states() + self.problem.objects[index as usize] as usize
    }

    fn number(&mut self, state: M::State) -> u32 {
        let (known, weight) = (self.states.len(), self.problem.model.weight(&state));
        let number = self.states.intern(state);
        self.weight += if self.states.len() > known { weight } else { 0 };
        number
    }

    /// About how many bytes all of this takes, where a configuration has so many.
    fn bytes(&self, configuration: usize) -> usize {
        self.seen.bytes()
            + self.states.bytes()
            + self.weight
            + (self.seen.len() + self.open.len()) * (configuration + 16)
            + self.open.capacity() * size_of::<Open>()
            + 4 * self.trail.capacity()
    }
}
