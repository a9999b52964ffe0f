//! The search for a linearization of one part: Wing and Gong's, with Lowe's cache of configurations.
//!
//! A *configuration* is the set of operations that were linearized and the state after them. From each,
//! the search tries every operation that was invoked before the first end of one that is not linearized,
//! depth first. (J. Wing, C. Gong, *Testing and Verifying Concurrent Objects*, 1993; G. Lowe, *Testing for
//! Linearizability*, 2017.) What makes it fast, none of which loses a linearization:
//!
//! - States, calls and replies are numbers; a step that was made before is looked up.
//! - An operation that changes no state is linearized as soon as it is possible, and never anywhere else.
//! - The one that ends first is tried first, and optional ones last.
//! - Optional operations of one kind are used in order, and a configuration that used more of them than
//!   one that failed is not tried ([`Cache`]).
//! - A configuration from which a later observation is out of reach is left at once ([`Outlook`]).

use crate::budget::{Exhausted, Ledger, Share};
use crate::intern::Interner;
use crate::model::Model;

use super::cache::Cache;
use super::outlook::Outlook;
use super::problem::{Problem, Role};
use super::steps::{Step, Steps};

/// How a search ended.
pub(super) enum Outcome {
    /// There is a linearization: these operations of the history, in this order.
    Found(Vec<u32>),
    /// There is none.
    None(Stuck),
    /// The quota was used up before it was clear.
    Paused,
    /// The budget ended before the search did.
    Exhausted(Exhausted),
}

/// How many configurations a search may keep before it gives way to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Quota {
    None,
    Configurations(u32),
}

/// How far a search came that found nothing.
pub(super) struct Stuck {
    /// The first operation at whose end nothing could be linearized any more.
    pub(super) rank: u32,
    /// A linearization of all that had ended before.
    pub(super) prefix: Vec<u32>,
    /// Operations that contradict each other, where no search was needed, and the event by which they do.
    pub(super) contradiction: Option<(Vec<u32>, u32)>,
}

/// What a search cost.
#[derive(Clone, Copy, Default)]
pub(super) struct Cost {
    /// Configurations that were looked at and kept.
    pub(super) configurations: u64,
    /// States that were met.
    pub(super) states: u64,
}

/// Searches to the end, or to the end of the quota or the budget.
pub(super) fn search<M: Model>(
    problem: &Problem<'_, M>,
    ledger: &Ledger,
    quota: Quota,
) -> (Outcome, Cost) {
    let mut search = Search::new(problem, ledger);
    let outcome = search.run(quota).unwrap_or_else(Outcome::Exhausted);
    let configurations = u64::from(search.cache.len());
    (outcome, Cost { configurations, states: search.steps.states.len() as u64 })
}

/// How often the clock is looked at: once in so many operations tried.
const POLL: u32 = 1 << 10;

/// Where a configuration goes on with what to try.
#[derive(Clone, Copy)]
enum Cursor {
    /// The operation that ends first.
    First,
    /// This node of the list of open operations.
    Open(u32),
    /// This kind of optional operations.
    Optional(u32),
}

/// A configuration on the way.
struct Frame {
    base: u32,
    state: u32,
    /// How long the trail was when the configuration was reached.
    trail: u32,
    cursor: Cursor,
    /// Which of several states of one step is next.
    choice: u32,
}

struct Search<'p, 'h, 'l, M: Model> {
    problem: &'p Problem<'h, M>,
    share: Share<'l>,
    steps: Steps<'p, 'h, M>,
    cache: Cache,
    outlook: Outlook,
    /// Operations that are not linearized, in the order of their invocations: a list that is cut and
    /// mended in place. The last node is its head.
    next: Vec<u32>,
    previous: Vec<u32>,
    done: Vec<bool>,
    /// What was linearized, in order: ranks, and above them optional kinds.
    trail: Vec<u32>,
    /// The rank of the first operation that is not linearized.
    base: u32,
    state: u32,
    /// The key of the present configuration, and those of the frames.
    words: Vec<u64>,
    frames: Vec<Frame>,
    frame_words: Vec<u64>,
    /// The longest linearized prefix so far.
    best_base: u32,
    best_trail: Vec<u32>,
    until_poll: u32,
    problem_bytes: usize,
}

impl<'p, 'h, 'l, M: Model> Search<'p, 'h, 'l, M> {
    fn new(problem: &'p Problem<'h, M>, ledger: &'l Ledger) -> Search<'p, 'h, 'l, M> {
        let length = problem.required.len();
        let head = length as u32;
        let mut next = vec![head; length + 1];
        let mut previous = vec![head; length + 1];
        let mut last = head;
        for &rank in &problem.by_invocation {
            (next[last as usize], previous[rank as usize]) = (rank, last);
            last = rank;
        }
        (next[last as usize], previous[head as usize]) = (head, last);
        let mut states = Interner::new();
        let state = states.intern(problem.model.initial());
        let outlook = Outlook::new(problem);
        let problem_bytes = problem.bytes() + outlook.bytes();
        Search {
            problem,
            share: Share::new(ledger),
            steps: Steps::new(problem, states),
            cache: Cache::new(problem.mask_words, &problem.guards),
            outlook,
            next,
            previous,
            done: vec![false; length],
            trail: Vec::new(),
            base: 0,
            state,
            words: vec![0; problem.key_words()],
            frames: Vec::new(),
            frame_words: Vec::new(),
            best_base: 0,
            best_trail: Vec::new(),
            until_poll: POLL,
            problem_bytes,
        }
    }

    fn run(&mut self, quota: Quota) -> Result<Outcome, Exhausted> {
        self.share.hold(self.bytes())?;
        let mut last = None;
        loop {
            self.observe();
            if self.base as usize == self.problem.required.len() {
                return Ok(Outcome::Found(self.operations(&self.trail)));
            }
            if !self.is_hopeless(last) {
                let place = u64::from(self.base) << 32 | u64::from(self.state);
                let other_bytes = self.bytes();
                if self.cache.insert(place, &self.words, &mut self.share, other_bytes)? {
                    self.push();
                }
                if quota == Quota::Configurations(self.cache.len()) {
                    return Ok(Outcome::Paused);
                }
            }
            last = loop {
                if let Some(kind) = self.advance()? {
                    break Some(kind);
                }
                if !self.pop() {
                    return Ok(Outcome::None(self.stuck()));
                }
            };
        }
    }

    fn stuck(&self) -> Stuck {
        let prefix = self.operations(&self.best_trail);
        Stuck { rank: self.best_base, prefix, contradiction: None }
    }

    /// Whether what the last step changed leaves something out of reach.
    fn is_hopeless(&self, last: Option<u32>) -> bool {
        let place = (self.base, self.state);
        last.is_some_and(|kind| {
            self.outlook.is_hopeless(self.problem, &self.steps, kind, place, &self.done)
        })
    }

    /// Linearizes what changes no state, as far as it is possible.
    fn observe(&mut self) {
        let head = self.problem.required.len() as u32;
        loop {
            self.pass_ended();
            let before = self.base;
            let mut node = self.next[head as usize];
            while node != head && self.problem.required[node as usize].floor <= self.base {
                let following = self.next[node as usize];
                let kind = self.problem.required[node as usize].kind;
                if self.problem.kinds[kind as usize].observes && self.steps.allows(self.state, kind)
                {
                    self.take(node);
                }
                node = following;
            }
            self.pass_ended();
            if self.base == before {
                return;
            }
        }
    }

    /// Moves past operations that are linearized and have ended: their bits are free for others.
    fn pass_ended(&mut self) {
        while self.done.get(self.base as usize) == Some(&true) {
            let slot = self.problem.required[self.base as usize].slot as usize;
            self.words[slot / 64] &= !(1 << (slot % 64));
            self.base += 1;
        }
    }

    /// Linearizes a required operation.
    fn take(&mut self, rank: u32) {
        let (next, previous) = (self.next[rank as usize], self.previous[rank as usize]);
        self.next[previous as usize] = next;
        self.previous[next as usize] = previous;
        self.done[rank as usize] = true;
        let slot = self.problem.required[rank as usize].slot as usize;
        self.words[slot / 64] |= 1 << (slot % 64);
        self.trail.push(rank);
        self.outlook.done(self.problem, self.kind(rank));
    }

    /// The kind of an entry of the trail.
    fn kind(&self, entry: u32) -> u32 {
        match entry.checked_sub(self.problem.required.len() as u32) {
            None => self.problem.required[entry as usize].kind,
            Some(number) => self.problem.optional[number as usize].kind,
        }
    }

    fn push(&mut self) {
        let trail = self.trail.len() as u32;
        let (base, state) = (self.base, self.state);
        self.frames.push(Frame { base, state, trail, cursor: Cursor::First, choice: 0 });
        self.frame_words.extend_from_slice(&self.words);
    }

    /// Leaves the last configuration; false where there is none before it.
    fn pop(&mut self) -> bool {
        let Some(frame) = self.frames.pop() else { return false };
        if frame.base > self.best_base || self.best_trail.is_empty() {
            self.best_base = frame.base;
            self.best_trail.clear();
            self.best_trail.extend_from_slice(&self.trail[..frame.trail as usize]);
        }
        self.frame_words.truncate(self.frame_words.len() - self.words.len());
        !self.frames.is_empty()
    }

    /// Goes back to the last configuration, and from it to the next one that it leads to by an operation of
    /// a kind; none where there is no further one.
    fn advance(&mut self) -> Result<Option<u32>, Exhausted> {
        let Some(frame) = self.frames.last() else { return Ok(None) };
        let (trail, cursor, choice) = (frame.trail, frame.cursor, frame.choice);
        (self.base, self.state) = (frame.base, frame.state);
        self.mend(trail as usize);
        let from = self.frame_words.len() - self.words.len();
        self.words.copy_from_slice(&self.frame_words[from..]);
        self.try_from(cursor, choice)
    }

    /// Takes back what was linearized after the trail had this length.
    fn mend(&mut self, length: usize) {
        let ranks = self.problem.required.len() as u32;
        while self.trail.len() > length {
            let rank = self.trail.pop().expect("it is longer");
            self.outlook.undone(self.problem, self.kind(rank));
            if rank < ranks {
                let (next, previous) = (self.next[rank as usize], self.previous[rank as usize]);
                self.next[previous as usize] = rank;
                self.previous[next as usize] = rank;
                self.done[rank as usize] = false;
            }
        }
    }

    /// Makes the first step that is possible from the cursor on, and notes where to go on.
    fn try_from(&mut self, mut cursor: Cursor, mut choice: u32) -> Result<Option<u32>, Exhausted> {
        let head = self.problem.required.len() as u32;
        loop {
            self.poll()?;
            let (kind, after) = match cursor {
                Cursor::First => {
                    let kind = self.problem.required[self.base as usize].kind;
                    (Some(kind), Cursor::Open(self.next[head as usize]))
                }
                Cursor::Open(node) => {
                    if node == head || self.problem.required[node as usize].floor > self.base {
                        (cursor, choice) = (Cursor::Optional(0), 0);
                        continue;
                    }
                    let kind = self.problem.required[node as usize].kind;
                    let kind = (node != self.base).then_some(kind);
                    (kind, Cursor::Open(self.next[node as usize]))
                }
                Cursor::Optional(number) => {
                    let Some(optional) = self.problem.optional.get(number as usize) else {
                        return Ok(None);
                    };
                    let used = self.used(number);
                    let usable = match optional.role {
                        Role::Kept => {
                            let next = optional.uses.get(used);
                            next.is_some_and(|(floor, _)| *floor <= self.base)
                        }
                        Role::Relaxed | Role::Idle => used < self.problem.relaxed as usize,
                    };
                    (usable.then_some(optional.kind), Cursor::Optional(number + 1))
                }
            };
            // What changes no state and is possible was linearized already.
            let kind = kind.filter(|kind| !self.problem.kinds[*kind as usize].observes);
            let step = kind.map_or(Step::None, |kind| self.steps.step(self.state, kind));
            let Some((state, left)) = self.steps.choose(step, choice) else {
                (cursor, choice) = (after, 0);
                continue;
            };
            let at = cursor;
            (cursor, choice) = if left { (cursor, choice + 1) } else { (after, 0) };
            if matches!(at, Cursor::Optional(_)) && state == self.state {
                // It would be used for nothing.
                continue;
            }
            let frame = self.frames.last_mut().expect("the configuration that is tried from");
            (frame.cursor, frame.choice) = (cursor, choice);
            match at {
                Cursor::First => self.take(self.base),
                Cursor::Open(node) => self.take(node),
                Cursor::Optional(number) => self.use_optional(number),
            }
            self.state = state;
            return Ok(kind);
        }
    }

    /// How many of the optional operations of a kind were used.
    fn used(&self, number: u32) -> usize {
        let optional = &self.problem.optional[number as usize];
        ((self.words[optional.word] >> optional.shift) & ((1 << optional.bits) - 1)) as usize
    }

    fn use_optional(&mut self, number: u32) {
        let optional = &self.problem.optional[number as usize];
        self.words[optional.word] += 1 << optional.shift;
        self.outlook.done(self.problem, optional.kind);
        self.trail.push(self.problem.required.len() as u32 + number);
    }

    fn poll(&mut self) -> Result<(), Exhausted> {
        self.until_poll -= 1;
        if self.until_poll == 0 {
            self.until_poll = POLL;
            self.share.in_time()?;
        }
        Ok(())
    }

    /// Bytes of all but the cache.
    fn bytes(&self) -> usize {
        self.problem_bytes
            + self.steps.bytes()
            + 9 * self.next.len()
            + 4 * (self.trail.capacity() + self.best_trail.capacity())
            + self.frames.capacity() * size_of::<Frame>()
            + 8 * self.frame_words.capacity()
    }

    /// A trail as operations of the history. A relaxed one may be there more than once.
    fn operations(&self, trail: &[u32]) -> Vec<u32> {
        let ranks = self.problem.required.len() as u32;
        let mut used = vec![0; self.problem.optional.len()];
        trail
            .iter()
            .map(|&entry| match entry.checked_sub(ranks) {
                None => self.problem.required[entry as usize].operation,
                Some(number) => {
                    let (uses, at) =
                        (&self.problem.optional[number as usize].uses, &mut used[number as usize]);
                    *at += 1;
                    uses[(*at - 1).min(uses.len() - 1)].1
                }
            })
            .collect()
    }
}
