//! One part of a history, prepared for the search: operations as numbers, in the order of their ends.

use crate::history::{History, Outcome};
use crate::intern::Interner;
use crate::model::Model;

/// How an operation takes part in a problem.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Role {
    /// As the history has it.
    Kept,
    /// It may take effect at any time, even before it was invoked, and more than once; but all relaxed
    /// operations together no more often than there are of them. A problem with relaxed operations has
    /// every solution of the same problem without, so that it only is violated where the other one is.
    Relaxed,
    /// As a relaxed one, but it is known that its use helps none of the kept ones. It only counts among those
    /// that are relaxed.
    Idle,
}

/// What an operation does: operations of one kind differ in time only.
pub(super) struct Kind<'h, M: Model> {
    pub(super) call: &'h M::Call,
    /// None where the reply is not known.
    pub(super) reply: Option<&'h M::Reply>,
    /// It changes no state.
    pub(super) observes: bool,
    /// How many operations there are of this kind.
    pub(super) count: u32,
    /// The object that it is about.
    pub(super) object: u32,
    /// It changes the object in another way than by adding to it.
    pub(super) resets: bool,
}

/// An operation that took effect.
#[derive(Clone, Copy)]
pub(super) struct Required {
    /// Its index in the history.
    pub(super) operation: u32,
    pub(super) kind: u32,
    /// How many required operations had ended when it was invoked.
    pub(super) floor: u32,
    /// Its bit among the operations that are open at one time.
    pub(super) slot: u32,
}

/// Operations of one kind that may have taken effect. They are used in the order in which they were
/// invoked: an earlier one can take the place of a later one, so nothing is lost.
pub(super) struct Optional {
    pub(super) kind: u32,
    /// For each of them: how many required operations had ended when it was invoked, and its index in the
    /// history. In this order. Of relaxed operations, only the first.
    pub(super) uses: Vec<(u32, u32)>,
    pub(super) role: Role,
    /// Where the number of those used stands in a key: word, lowest bit, and how many bits. The bit above
    /// is always zero. All relaxed ones have one number.
    pub(super) word: usize,
    pub(super) shift: u32,
    pub(super) bits: u32,
}

/// A part of a history as numbers.
pub(super) struct Problem<'h, M: Model> {
    pub(super) model: &'h M,
    pub(super) kinds: Vec<Kind<'h, M>>,
    /// In the order of their ends: the index is the *rank*.
    pub(super) required: Vec<Required>,
    /// Ranks in the order of their invocations.
    pub(super) by_invocation: Vec<u32>,
    pub(super) optional: Vec<Optional>,
    /// Words of a key: bits of open operations, then numbers of used optional ones.
    pub(super) mask_words: usize,
    pub(super) count_words: usize,
    /// The bit above each number, word by word.
    pub(super) guards: Vec<u64>,
    /// How many operations are relaxed.
    pub(super) relaxed: u32,
}

impl<'h, M: Model> Problem<'h, M> {
    /// Of the history, the operations `indices` (in order), each in its role, as far as they were invoked
    /// before the event `until`. What had not ended by then has an unknown outcome.
    pub(super) fn new(
        model: &'h M,
        history: &'h History<M::Call, M::Reply>,
        indices: &[u32],
        role: impl Fn(u32) -> Role,
        until: u32,
    ) -> Problem<'h, M> {
        let operations = history.operations();
        let mut kinds: Interner<(&M::Call, Option<&M::Reply>)> = Interner::new();
        let (mut counts, mut idle) = (Vec::new(), 0);
        let mut ended: Vec<(u32, u32, u32)> = Vec::new();
        let mut open: Vec<(Role, u32, u32, u32)> = Vec::new();
        for &index in indices {
            let operation = &operations[index as usize];
            let invoked = operation.invoked.position;
            if invoked >= until || matches!(operation.outcome, Outcome::Fail) {
                continue;
            }
            let end = operation.ended.map(|moment| moment.position).filter(|end| *end <= until);
            let known = operation.outcome.reply().filter(|_| end.is_some());
            let role = role(index);
            if role == Role::Idle {
                idle += 1;
                continue;
            }
            let required = role == Role::Kept && known.is_some();
            let observes = model.observes(&operation.call, known);
            if observes && !required {
                continue;
            }
            let kind = kinds.intern((&operation.call, known));
            counts.resize(kinds.len(), 0);
            counts[kind as usize] += 1;
            match end {
                Some(end) if required => ended.push((end, index, kind)),
                _ => open.push((role, invoked, index, kind)),
            }
        }
        ended.sort_unstable();
        let ends: Vec<u32> = ended.iter().map(|(end, ..)| *end).collect();
        let floor = |invoked: u32| ends.partition_point(|end| *end < invoked) as u32;
        let required: Vec<Required> = ended
            .iter()
            .map(|&(_, operation, kind)| {
                let invoked = operations[operation as usize].invoked.position;
                Required { operation, kind, floor: floor(invoked), slot: 0 }
            })
            .collect();
        let mut by_invocation: Vec<u32> = (0..required.len() as u32).collect();
        // Histories are in the order of invocations.
        by_invocation.sort_unstable_by_key(|rank| required[*rank as usize].operation);
        let mut objects = Interner::new();
        let kinds = kinds
            .into_things()
            .into_iter()
            .zip(counts)
            .map(|((call, reply), count)| {
                let observes = model.observes(call, reply);
                let (object, resets) = (objects.intern(model.object(call)), !model.grows(call));
                Kind { call, reply, observes, count, object, resets: resets && !observes }
            })
            .collect::<Vec<_>>();
        open.sort_unstable();
        let of_role = |wanted| {
            let of_role = open.iter().filter(move |(role, ..)| *role == wanted);
            of_role.map(|&(_, invoked, operation, kind)| (floor(invoked), operation, kind))
        };
        let relaxed = of_role(Role::Relaxed).count() as u32 + idle;
        let mut optional = by_kind(kinds.len(), Role::Kept, of_role(Role::Kept));
        optional.extend(by_kind(kinds.len(), Role::Relaxed, of_role(Role::Relaxed)));
        let mut problem = Problem {
            model,
            kinds,
            required,
            by_invocation,
            optional,
            mask_words: 0,
            count_words: 0,
            guards: Vec::new(),
            relaxed,
        };
        problem.assign_slots();
        problem.lay_out_counts();
        problem
    }

    /// How many words a key has.
    pub(super) fn key_words(&self) -> usize {
        self.mask_words + self.count_words
    }

    /// About how many bytes this takes.
    pub(super) fn bytes(&self) -> usize {
        self.required.len() * (size_of::<Required>() + 4)
            + self.kinds.len() * (size_of::<Kind<'_, M>>() + 4)
            + self.optional.iter().map(|it| 56 + 8 * it.uses.len()).sum::<usize>()
    }

    /// Operations that are open at one time get different slots, as few as there can be.
    fn assign_slots(&mut self) {
        let (mut free, mut slots, mut released) = (Vec::new(), 0, 0);
        for &rank in &self.by_invocation {
            let floor = self.required[rank as usize].floor;
            while released < floor {
                free.push(self.required[released as usize].slot);
                released += 1;
            }
            self.required[rank as usize].slot = free.pop().unwrap_or_else(|| {
                slots += 1;
                slots - 1
            });
        }
        self.mask_words = (slots as usize).div_ceil(64);
    }

    /// Each number of used operations gets as many bits as it needs, and one more, in one word.
    fn lay_out_counts(&mut self) {
        let mut at = 0;
        let mut shared = None;
        for optional in &mut self.optional {
            let limit = match optional.role {
                Role::Kept => optional.uses.len() as u32,
                Role::Relaxed | Role::Idle => self.relaxed,
            };
            let bits = limit.ilog2() + 1;
            if let (Role::Relaxed, Some((word, shift))) = (optional.role, shared) {
                (optional.word, optional.shift, optional.bits) = (word, shift, bits);
                continue;
            }
            if at / 64 != (at + bits) / 64 {
                at = at.next_multiple_of(64);
            }
            let word = self.mask_words + (at / 64) as usize;
            (optional.word, optional.shift, optional.bits) = (word, at % 64, bits);
            if optional.role == Role::Relaxed {
                shared = Some((word, at % 64));
            }
            at += bits;
            self.guards.resize((at / 64) as usize + 1, 0);
            self.guards[(at / 64) as usize] |= 1 << (at % 64);
            at += 1;
        }
        self.count_words = self.guards.len();
    }
}

/// Groups operations by kind, in the order of their floors.
fn by_kind(kinds: usize, role: Role, open: impl Iterator<Item = (u32, u32, u32)>) -> Vec<Optional> {
    let mut of_kind = vec![usize::MAX; kinds];
    let mut optional: Vec<Optional> = Vec::new();
    for (floor, operation, kind) in open {
        let at = &mut of_kind[kind as usize];
        if *at == usize::MAX {
            *at = optional.len();
            optional.push(Optional { kind, uses: Vec::new(), role, word: 0, shift: 0, bits: 0 });
        }
        let uses = &mut optional[*at].uses;
        if role == Role::Kept || uses.is_empty() {
            uses.push((floor, operation));
        }
    }
    optional
}
