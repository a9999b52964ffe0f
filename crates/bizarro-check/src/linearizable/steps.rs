//! Steps between numbered states. The model is asked only where the answer is not known yet.

use crate::intern::Interner;
use crate::model::Model;

use super::problem::Problem;

/// Where a step leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// It is not possible.
    None,
    /// To this state.
    One(u32),
    /// To one of several: where they begin in the list of states, and how many they are.
    Many(u32, u32),
}

/// Kinds of operations whose steps are kept. Only kinds of which there are several are worth it.
const COLUMNS_MAX: usize = 64;

/// No column.
const NONE: u32 = u32::MAX;

/// Each new state is compared with all that was observed. Where that is more than this, states are not
/// merged.
const OBSERVATIONS_MAX: usize = 1 << 10;

/// What is kept of a step: unknown, not possible, or a number above.
const UNKNOWN: u32 = 0;
const IMPOSSIBLE: u32 = 1;
const FIRST: u32 = 2;
/// Above this, a number among those with several states.
const SEVERAL: u32 = 1 << 31;

pub(super) struct Steps<'p, 'h, M: Model> {
    problem: &'p Problem<'h, M>,
    pub(super) states: Interner<M::State>,
    /// What the states own.
    weight: usize,
    /// The column of each kind.
    column: Vec<u32>,
    columns: usize,
    /// A row for each state.
    kept: Vec<u32>,
    /// Steps with several states, and their states.
    several: Vec<(u32, u32)>,
    several_states: Vec<u32>,
    scratch: Vec<M::State>,
    /// Whether states that lead to nothing that was seen are one, and which.
    merges: bool,
    merged: Option<u32>,
}

impl<'p, 'h, M: Model> Steps<'p, 'h, M> {
    pub(super) fn new(problem: &'p Problem<'h, M>, states: Interner<M::State>) -> Self {
        let mut columns = 0;
        let mut column = vec![NONE; problem.kinds.len()];
        for (kind, column) in problem.kinds.iter().zip(&mut column) {
            if kind.count > 1 && columns < COLUMNS_MAX {
                *column = columns as u32;
                columns += 1;
            }
        }
        let weight = (0..states.len()).map(|n| problem.model.weight(states.get(n as u32))).sum();
        let (kept, several, several_states) = (Vec::new(), Vec::new(), Vec::new());
        let scratch = Vec::new();
        let (merges, merged) = (merges(problem), None);
        Steps {
            problem,
            states,
            weight,
            column,
            columns,
            kept,
            several,
            several_states,
            scratch,
            merges,
            merged,
        }
    }

    /// Whether an operation of this kind is possible in a state.
    pub(super) fn allows(&mut self, state: u32, kind: u32) -> bool {
        if self.column[kind as usize] != NONE {
            return self.step(state, kind) != Step::None;
        }
        let of = &self.problem.kinds[kind as usize];
        self.problem.model.allows(self.states.get(state), of.call, of.reply)
    }

    /// Whether no operations that grow lead from a state to one in which this kind is possible.
    pub(super) fn out_of_reach(&self, state: u32, kind: u32) -> bool {
        let of = &self.problem.kinds[kind as usize];
        let state = self.states.get(state);
        of.reply.is_some_and(|reply| self.problem.model.out_of_reach(state, of.call, reply))
    }

    /// Where an operation of this kind leads from a state.
    pub(super) fn step(&mut self, state: u32, kind: u32) -> Step {
        let column = self.column[kind as usize];
        if column == NONE {
            return self.make(state, kind);
        }
        let at = state as usize * self.columns + column as usize;
        if at >= self.kept.len() {
            self.kept.resize(self.states.len() * self.columns, UNKNOWN);
        }
        match self.kept[at] {
            UNKNOWN => {
                let step = self.make(state, kind);
                self.kept[at] = self.keep(step);
                step
            }
            IMPOSSIBLE => Step::None,
            kept if kept >= SEVERAL => {
                let (from, count) = self.several[(kept - SEVERAL) as usize];
                Step::Many(from, count)
            }
            kept => Step::One(kept - FIRST),
        }
    }

    /// The state of a step that is next among its states, and whether there are more.
    pub(super) fn choose(&self, step: Step, choice: u32) -> Option<(u32, bool)> {
        match step {
            Step::One(state) if choice == 0 => Some((state, false)),
            Step::Many(from, count) if choice < count => {
                Some((self.several_states[(from + choice) as usize], choice + 1 < count))
            }
            Step::None | Step::One(_) | Step::Many(..) => None,
        }
    }

    /// About how many bytes all of this takes.
    pub(super) fn bytes(&self) -> usize {
        self.weight
            + self.states.bytes()
            + 4 * (self.kept.capacity() + self.column.len() + self.several_states.capacity())
            + 8 * self.several.capacity()
    }

    fn make(&mut self, state: u32, kind: u32) -> Step {
        let of = &self.problem.kinds[kind as usize];
        let mut next = std::mem::take(&mut self.scratch);
        self.problem.model.step(self.states.get(state), of.call, of.reply, &mut next);
        let step = match next.len() {
            0 => Step::None,
            1 => Step::One(self.intern(next.pop().expect("there is one"))),
            _ => self.several_of(&mut next),
        };
        self.scratch = next;
        step
    }

    fn several_of(&mut self, next: &mut Vec<M::State>) -> Step {
        let mut states: Vec<u32> = next.drain(..).map(|state| self.intern(state)).collect();
        states.sort_unstable();
        states.dedup();
        if let [state] = states[..] {
            return Step::One(state);
        }
        let from = self.several_states.len() as u32;
        self.several_states.extend_from_slice(&states);
        Step::Many(from, states.len() as u32)
    }

    fn intern(&mut self, state: M::State) -> u32 {
        if self.merges && self.is_seen_no_more(&state) {
            if let Some(merged) = self.merged {
                return merged;
            }
            let number = self.number(state);
            self.merged = Some(number);
            return number;
        }
        self.number(state)
    }

    fn number(&mut self, state: M::State) -> u32 {
        let (before, weight) = (self.states.len(), self.problem.model.weight(&state));
        let number = self.states.intern(state);
        if self.states.len() > before {
            self.weight += weight;
        }
        number
    }

    /// Whether nothing that any operation observed can be reached from a state by growing.
    fn is_seen_no_more(&self, state: &M::State) -> bool {
        self.problem.kinds.iter().filter(|kind| kind.observes).all(|kind| {
            kind.reply.is_some_and(|reply| self.problem.model.out_of_reach(state, kind.call, reply))
        })
    }

    fn keep(&mut self, step: Step) -> u32 {
        match step {
            Step::None => IMPOSSIBLE,
            Step::One(state) => FIRST + state,
            Step::Many(from, count) => {
                self.several.push((from, count));
                SEVERAL + self.several.len() as u32 - 1
            }
        }
    }
}

/// Whether all that changes the only object of a problem changes it blindly: then the states that lead to
/// nothing that was seen behave alike. Growing leads from them to others of their sort, and everything else
/// away from all of them to one state.
fn merges<M: Model>(problem: &Problem<'_, M>) -> bool {
    let observations = problem.kinds.iter().filter(|kind| kind.observes).count();
    observations <= OBSERVATIONS_MAX
        && problem.kinds.iter().all(|kind| {
            kind.object == 0 && (kind.observes || problem.model.is_blind(kind.call, kind.reply))
        })
}
