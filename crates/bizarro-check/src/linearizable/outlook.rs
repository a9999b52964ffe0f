//! What is still to be seen: leaves a configuration early where a later observation is out of reach.
//!
//! Where an object only grows until an observation ends, and the observation cannot be reached by growing,
//! then no way from here leads on. A text that is appended to shows this well: each read of it tells the
//! order of all that was appended before, long before the search comes to the read.

use crate::model::Model;

use super::problem::{Problem, Role};
use super::steps::Steps;

/// How many observations of an object are looked at.
const LOOK_MAX: usize = 16;

/// Observations to come, for each object.
pub(super) struct Outlook {
    /// In the order of their ends: the rank, and how many operations that reset the object were invoked
    /// before that end.
    observations: Vec<Vec<(u32, u32)>>,
    /// How many operations that reset the object were linearized.
    resets: Vec<u32>,
}

impl Outlook {
    /// All observations of a problem; none where nothing grows.
    pub(super) fn new<M: Model>(problem: &Problem<'_, M>) -> Outlook {
        let kind = |kind: u32| &problem.kinds[kind as usize];
        let objects = problem.kinds.iter().map(|kind| kind.object + 1).max().unwrap_or(0) as usize;
        let (mut observations, resets) = (vec![Vec::new(); objects], vec![0; objects]);
        if problem.kinds.iter().all(|kind| kind.observes || kind.resets) {
            return Outlook { observations, resets };
        }
        let mut floors = vec![Vec::new(); objects];
        let required = problem.required.iter().map(|it| (it.kind, it.floor));
        let optional = problem.optional.iter().filter(|it| it.role == Role::Kept);
        let optional = optional.flat_map(|it| it.uses.iter().map(|(floor, _)| (it.kind, *floor)));
        // A relaxed operation can reset its object at any time.
        let relaxed = problem.optional.iter().filter(|it| it.role == Role::Relaxed);
        let unsteady: Vec<u32> =
            relaxed.filter(|it| kind(it.kind).resets).map(|it| kind(it.kind).object).collect();
        for (number, floor) in required.clone().chain(optional) {
            if kind(number).resets {
                floors[kind(number).object as usize].push(floor);
            }
        }
        floors.iter_mut().for_each(|floors| floors.sort_unstable());
        for (rank, (number, _)) in required.enumerate() {
            let of = kind(number);
            if of.observes && !unsteady.contains(&of.object) {
                let floors = &floors[of.object as usize];
                let before = floors.partition_point(|floor| *floor as usize <= rank);
                observations[of.object as usize].push((rank as u32, before as u32));
            }
        }
        Outlook { observations, resets }
    }

    /// An operation of this kind was linearized.
    pub(super) fn done<M: Model>(&mut self, problem: &Problem<'_, M>, kind: u32) {
        let of = &problem.kinds[kind as usize];
        self.resets[of.object as usize] += u32::from(of.resets);
    }

    /// It was taken back.
    pub(super) fn undone<M: Model>(&mut self, problem: &Problem<'_, M>, kind: u32) {
        let of = &problem.kinds[kind as usize];
        self.resets[of.object as usize] -= u32::from(of.resets);
    }

    /// Whether an observation of the object that an operation of this kind changed is out of reach for
    /// good.
    pub(super) fn is_hopeless<M: Model>(
        &self,
        problem: &Problem<'_, M>,
        steps: &Steps<'_, '_, M>,
        kind: u32,
        (base, state): (u32, u32),
        done: &[bool],
    ) -> bool {
        let object = problem.kinds[kind as usize].object as usize;
        let observations = &self.observations[object];
        let first = observations.partition_point(|(rank, _)| *rank < base);
        observations[first..]
            .iter()
            // What resets the object and is not linearized may still come in time.
            .take_while(|(_, resets)| *resets == self.resets[object])
            .filter(|(rank, _)| !done[*rank as usize])
            .take(LOOK_MAX)
            .any(|(rank, _)| steps.out_of_reach(state, problem.required[*rank as usize].kind))
    }

    /// About how many bytes this takes.
    pub(super) fn bytes(&self) -> usize {
        self.observations.iter().map(|it| 28 + 8 * it.capacity()).sum()
    }
}
