//! Finds short cycles of each kind in a graph that has some.

use std::collections::VecDeque;

use super::anomaly::{Cyclic, Order};
use super::graph::{Components, Graph, State, Walks, kind, node, state};
use super::level::{Family, Level};
use crate::budget::{Exhausted, Ledger};

/// Of how many edges the shortest cycle through each is looked for.
const TRIES: usize = 16;

/// How many edges may be walked, as a multiple of the graph, to find cycles with a single rw edge. Where
/// that is not enough, one with several is given instead: the verdict is the same.
const SINGLE_EFFORT: usize = 64;

/// Components for which cycles are given.
const COMPONENTS_MAX: usize = 100;

/// An edge of a cycle between transactions.
pub(super) type Edge = (u32, u32, u8);

/// Cycles that a level rules out: for every component the least kinds that are in it. None where there are
/// none at all.
pub(super) fn find(
    graph: &Graph,
    transactions: u32,
    level: Level,
    among: &[u32],
    ledger: &Ledger,
) -> Result<Vec<Vec<Edge>>, Exhausted> {
    let everything = Walks { kinds: kind::ALL, nonadjacent: false };
    let components = Components::new(graph, everything, among, |_| true);
    let mut members: Vec<(u32, u32)> = among
        .iter()
        .filter_map(|node| Some((components.cyclic(state(*node, false))?, *node)))
        .collect();
    members.sort_unstable();
    // The component with the earliest transaction first.
    let mut parts: Vec<&[(u32, u32)]> = members.chunk_by(|one, other| one.0 == other.0).collect();
    parts.sort_by_key(|part| part[0].1);
    let mut cycles = Vec::new();
    let mut search = Search::new(graph, transactions);
    for part in parts.into_iter().take(COMPONENTS_MAX) {
        let nodes: Vec<u32> = part.iter().map(|(_, node)| *node).collect();
        search.part(&nodes, level, ledger, &mut cycles)?;
    }
    Ok(cycles)
}

/// An order of the nodes that respects all dependencies but rw; none where there are walks in a circle without
/// two rw edges in a row.
pub(super) fn nonadjacent(graph: &Graph, among: &[u32]) -> Option<Vec<u32>> {
    let walks = Walks { kinds: kind::ALL, nonadjacent: true };
    let components = Components::new(graph, walks, among, |_| true);
    let cyclic =
        |node: &u32| [false, true].iter().any(|by| components.cyclic(state(*node, *by)).is_some());
    if among.iter().any(cyclic) {
        return None;
    }
    let mut order = among.to_vec();
    order.sort_by_key(|node| std::cmp::Reverse(components.number(state(*node, false))));
    Some(order)
}

struct Search<'g> {
    graph: &'g Graph,
    transactions: u32,
    /// The edge by which a state was reached, and in which round of the search.
    reached: Vec<(State, u8, u32)>,
    round: u32,
    inside: Vec<bool>,
}

impl<'g> Search<'g> {
    fn new(graph: &'g Graph, transactions: u32) -> Search<'g> {
        let reached = vec![(0, 0, 0); 2 * graph.nodes() as usize];
        let inside = vec![false; graph.nodes() as usize];
        Search { graph, transactions, reached, round: 0, inside }
    }

    /// One component: every kind of cycle with every order, unless a lesser one with no more order was found.
    fn part(
        &mut self,
        nodes: &[u32],
        level: Level,
        ledger: &Ledger,
        cycles: &mut Vec<Vec<Edge>>,
    ) -> Result<(), Exhausted> {
        nodes.iter().for_each(|node| self.inside[*node as usize] = true);
        let mut found: Vec<(Cyclic, Order)> = Vec::new();
        for (order, order_kinds) in [
            (Order::None, 0),
            (Order::Process, kind::PROCESS),
            (
                Order::Realtime,
                kind::PROCESS
                    | kind::REALTIME
                    | kind::WRITE_WRITE_BY_TIME
                    | kind::READ_WRITE_BY_TIME,
            ),
        ] {
            for cyclic in of_family(level.family()) {
                let known = found.iter().any(|(kind, with)| kind <= cyclic && *with <= order);
                if order > level.order() || known {
                    continue;
                }
                match ledger.in_time() {
                    Ok(()) => {}
                    Err(what) if cycles.is_empty() => return Err(what),
                    // What was found stands.
                    Err(_) => return Ok(()),
                }
                if let Some(cycle) = self.cycle(*cyclic, order_kinds, nodes, ledger) {
                    found.push((*cyclic, order));
                    cycles.push(self.without_nodes_between(cycle));
                }
            }
        }
        nodes.iter().for_each(|node| self.inside[*node as usize] = false);
        Ok(())
    }

    /// A short cycle of a kind, if one is found in time.
    fn cycle(
        &mut self,
        cyclic: Cyclic,
        order: u8,
        nodes: &[u32],
        ledger: &Ledger,
    ) -> Option<Vec<Edge>> {
        let reads_upon = kind::READ_WRITE | (order & kind::READ_WRITE_BY_TIME);
        let writes = kind::WRITE_WRITE | kind::THROUGH | (order & !kind::READ_WRITE_BY_TIME);
        let without_reads_upon = writes | kind::WRITE_READ;
        let all = without_reads_upon | reads_upon;
        let (begins, kinds, nonadjacent, back) = match cyclic {
            Cyclic::G0 => (kind::WRITE_WRITE | kind::WRITE_WRITE_BY_TIME, writes, false, writes),
            Cyclic::G1c => (kind::WRITE_READ, without_reads_upon, false, without_reads_upon),
            Cyclic::GSingle => (reads_upon, all, true, without_reads_upon),
            Cyclic::GNonadjacent => (reads_upon, all, true, all),
            Cyclic::G2Item => (reads_upon, all, false, all),
        };
        let walks = Walks { kinds, nonadjacent };
        let components =
            Components::new(self.graph, walks, nodes, |node| self.inside[node as usize]);
        let back = Walks { kinds: back, nonadjacent };
        let (mut best, mut tries): (Option<Vec<Edge>>, usize) = (None, 0);
        let mut effort = SINGLE_EFFORT * (self.graph.edges() + 1);
        for from in nodes.iter().map(|node| state(*node, false)) {
            for (to, kind) in self.graph.from(node(from)) {
                let Some(next) = walks.along(from, to, kind).filter(|_| kind & begins > 0) else {
                    continue;
                };
                let component = components.cyclic(from);
                if component.is_none() || component != components.cyclic(next) {
                    continue;
                }
                let Some(path) = self.path(next, from, back, &mut effort) else {
                    if effort == 0 || ledger.in_time().is_err() {
                        return best;
                    }
                    continue;
                };
                tries += 1;
                if best.as_ref().is_none_or(|best| path.len() + 1 < best.len()) {
                    let first = (node(from), to, kind);
                    best = Some([first].into_iter().chain(path).collect());
                }
                if tries == TRIES {
                    return best;
                }
            }
        }
        best
    }

    /// A shortest path, without counting what leads through nodes between.
    fn path(
        &mut self,
        from: State,
        to: State,
        walks: Walks,
        effort: &mut usize,
    ) -> Option<Vec<Edge>> {
        self.round += 1;
        let mut open = VecDeque::from([from]);
        self.reached[from as usize] = (from, 0, self.round);
        while let Some(at) = open.pop_front() {
            if at == to {
                return Some(self.back(from, to));
            }
            for (next, kind) in self.graph.from(node(at)) {
                if *effort == 0 {
                    return None;
                }
                *effort -= 1;
                let Some(next) = walks.along(at, next, kind) else { continue };
                let seen = self.reached[next as usize].2 == self.round;
                if seen || !self.inside[node(next) as usize] {
                    continue;
                }
                self.reached[next as usize] = (at, kind, self.round);
                match node(at) < self.transactions {
                    true => open.push_back(next),
                    false => open.push_front(next),
                }
            }
        }
        None
    }

    fn back(&self, from: State, to: State) -> Vec<Edge> {
        let (mut edges, mut at) = (Vec::new(), to);
        while at != from {
            let (before, kind, _) = self.reached[at as usize];
            edges.push((node(before), node(at), kind));
            at = before;
        }
        edges.reverse();
        edges
    }

    /// The same cycle between transactions only. It begins at one.
    fn without_nodes_between(&self, cycle: Vec<Edge>) -> Vec<Edge> {
        let mut edges: Vec<Edge> = Vec::new();
        for (from, to, kind) in cycle {
            match edges.last_mut().filter(|_| from >= self.transactions) {
                Some(last) => last.1 = to,
                None => edges.push((from, to, kind)),
            }
        }
        edges
    }
}

/// The kinds of cycles that levels rule out.
fn of_family(family: Family) -> &'static [Cyclic] {
    use Cyclic::*;
    match family {
        Family::ReadUncommitted => &[G0],
        Family::ReadCommitted => &[G0, G1c],
        Family::Snapshot => &[G0, G1c, GSingle, GNonadjacent],
        Family::Serializable => &[G0, G1c, GSingle, GNonadjacent, G2Item],
    }
}
