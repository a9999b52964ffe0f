//! Gives every part of a history its turn, on one thread or several.
//!
//! One part may be very hard where another one shows in a moment that the history is violated. So parts
//! are searched in rounds: each gets a quota, and those that need more get a greater one in the next round.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::search::{Cost, Outcome, Quota};

/// Configurations that each part may keep in the first round.
const FIRST_QUOTA: u32 = 1 << 12;

/// How much greater the quota is in each round. What is searched again costs a small part of what follows.
const GROWTH: u32 = 16;

/// Searches parts until all are clear, or one is violated. What has no outcome was not needed.
pub(super) fn run(
    parts: usize,
    threads: usize,
    search: impl Fn(usize, Quota) -> (Outcome, Cost) + Sync,
) -> (Vec<Option<Outcome>>, Cost) {
    let mut outcomes: Vec<Option<Outcome>> = (0..parts).map(|_| None).collect();
    let mut cost = Cost::default();
    let mut open: Vec<usize> = (0..parts).collect();
    let mut quota = Some(FIRST_QUOTA);
    while !open.is_empty() {
        // A single part gives way to nobody.
        let this = match quota {
            Some(quota) if parts > 1 => Quota::Configurations(quota),
            _ => Quota::None,
        };
        let round = Round::new(&open);
        round.run(threads, |part| search(part, this));
        let violated = round.violated();
        for (part, outcome, spent) in round.into_found() {
            cost.configurations += spent.configurations;
            cost.states += spent.states;
            outcomes[part] = Some(outcome);
        }
        if violated {
            break;
        }
        open.retain(|part| matches!(outcomes[*part], Some(Outcome::Paused)));
        quota = quota.and_then(|quota| quota.checked_mul(GROWTH));
    }
    (outcomes, cost)
}

/// One turn of every open part.
struct Round<'o> {
    open: &'o [usize],
    next: AtomicUsize,
    /// The place of the first part known to be violated. Those after it need no search.
    first_violated: AtomicUsize,
    found: Mutex<Vec<(usize, Outcome, Cost)>>,
}

impl<'o> Round<'o> {
    fn new(open: &'o [usize]) -> Round<'o> {
        Round {
            open,
            next: AtomicUsize::new(0),
            first_violated: AtomicUsize::new(usize::MAX),
            found: Mutex::new(Vec::new()),
        }
    }

    fn run(&self, threads: usize, search: impl Fn(usize) -> (Outcome, Cost) + Sync) {
        if threads.min(self.open.len()) <= 1 {
            return self.work(&search);
        }
        std::thread::scope(|scope| {
            for _ in 0..threads.min(self.open.len()) {
                scope.spawn(|| self.work(&search));
            }
        });
    }

    /// Takes parts in their order, so that the first violated one is the same however many threads there
    /// are.
    fn work(&self, search: &impl Fn(usize) -> (Outcome, Cost)) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at >= self.open.len() || at > self.first_violated.load(Ordering::Relaxed) {
                return;
            }
            let part = self.open[at];
            let (outcome, cost) = search(part);
            if matches!(outcome, Outcome::None(_)) {
                self.first_violated.fetch_min(at, Ordering::Relaxed);
            }
            let mut found = self.found.lock().expect("no thread panics while it holds this");
            found.push((part, outcome, cost));
        }
    }

    fn violated(&self) -> bool {
        self.first_violated.load(Ordering::Relaxed) != usize::MAX
    }

    fn into_found(self) -> Vec<(usize, Outcome, Cost)> {
        self.found.into_inner().expect("no thread panics while it holds this")
    }
}
