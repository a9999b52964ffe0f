//! The graph of what comes before what. Nodes below the number of transactions are transactions; those above
//! only stand between, so that many-to-many edges stay few.

/// Kinds of edges, as bits.
pub(super) mod kind {
    pub(crate) const WRITE_WRITE: u8 = 1;
    pub(crate) const WRITE_READ: u8 = 2;
    pub(crate) const READ_WRITE: u8 = 4;
    pub(crate) const PROCESS: u8 = 8;
    pub(crate) const REALTIME: u8 = 16;
    /// Goes on with an edge that leads to a node between.
    pub(crate) const THROUGH: u8 = 32;
    /// As those above, where the order of versions is known from when they were written.
    pub(crate) const WRITE_WRITE_BY_TIME: u8 = 64;
    pub(crate) const READ_WRITE_BY_TIME: u8 = 128;
    pub(crate) const ALL: u8 = 255;

    /// Whether this is an rw edge.
    pub(crate) fn is_read_write(kind: u8) -> bool {
        kind & (READ_WRITE | READ_WRITE_BY_TIME) > 0
    }
}

/// Edges before they are put in order.
pub(super) struct Edges {
    nodes: u32,
    list: Vec<(u32, u32, u8)>,
}

impl Edges {
    pub(super) fn new(transactions: usize) -> Edges {
        Edges { nodes: transactions as u32, list: Vec::new() }
    }

    /// A node that stands between others.
    pub(super) fn between(&mut self) -> u32 {
        self.nodes += 1;
        self.nodes - 1
    }

    /// Nothing comes before itself: that edge is left out.
    pub(super) fn add(&mut self, from: u32, to: u32, kind: u8) {
        if from != to {
            self.list.push((from, to, kind));
        }
    }

    pub(super) fn graph_nodes(&self) -> usize {
        self.nodes as usize
    }

    pub(super) fn bytes(&self) -> usize {
        self.list.capacity() * size_of::<(u32, u32, u8)>()
    }

    /// All edges, by where they begin.
    pub(super) fn graph(&self) -> Graph {
        let mut starts = vec![0_u32; self.nodes as usize + 2];
        for (from, _, _) in &self.list {
            starts[*from as usize + 2] += 1;
        }
        for node in 2..starts.len() {
            starts[node] += starts[node - 1];
        }
        let (mut targets, mut kinds) = (vec![0; self.list.len()], vec![0; self.list.len()]);
        for (from, to, kind) in &self.list {
            // While it is filled, each start is one too far left.
            let at = &mut starts[*from as usize + 1];
            (targets[*at as usize], kinds[*at as usize]) = (*to, *kind);
            *at += 1;
        }
        starts.pop();
        Graph { starts, targets, kinds }
    }
}

/// A graph whose edges stand together by where they begin.
pub(super) struct Graph {
    starts: Vec<u32>,
    targets: Vec<u32>,
    kinds: Vec<u8>,
}

impl Graph {
    pub(super) fn nodes(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    pub(super) fn edges(&self) -> usize {
        self.targets.len()
    }

    /// Where edges from a node lead, and their kinds.
    pub(super) fn from(&self, node: u32) -> impl Iterator<Item = (u32, u8)> + '_ {
        let range = self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize;
        self.targets[range.clone()].iter().copied().zip(self.kinds[range].iter().copied())
    }

    /// The first of a node's edges, and how many it has.
    fn range(&self, node: u32) -> (u32, u32) {
        (self.starts[node as usize], self.starts[node as usize + 1])
    }

    /// An order in which every node comes after those before it, or else the nodes that are on a cycle or
    /// behind one.
    pub(super) fn in_order(&self) -> Result<Vec<u32>, Vec<u32>> {
        let mut left = vec![0_u32; self.nodes() as usize];
        for to in &self.targets {
            left[*to as usize] += 1;
        }
        let free = left.iter().zip(0..).filter(|(left, _)| **left == 0);
        let mut order: Vec<u32> = free.map(|(_, node)| node).collect();
        let mut next = 0;
        while let Some(node) = order.get(next).copied() {
            next += 1;
            for (to, _) in self.from(node) {
                left[to as usize] -= 1;
                if left[to as usize] == 0 {
                    order.push(to);
                }
            }
        }
        if order.len() == left.len() {
            return Ok(order);
        }
        Err(left.iter().zip(0..).filter(|(left, _)| **left > 0).map(|(_, node)| node).collect())
    }
}

/// Which walks count: those that use edges of some kinds, and perhaps never two rw edges in a row.
#[derive(Clone, Copy)]
pub(super) struct Walks {
    pub(super) kinds: u8,
    pub(super) nonadjacent: bool,
}

/// Where a walk is: a node, and whether it came there by an rw edge (which only matters to walks that have
/// no two of them in a row).
pub(super) type State = u32;

pub(super) fn state(node: u32, by_read_write: bool) -> State {
    2 * node + u32::from(by_read_write)
}

pub(super) fn node(state: State) -> u32 {
    state / 2
}

impl Walks {
    /// Where an edge of this kind leads, if it may be taken.
    pub(super) fn along(self, from: State, to: u32, kind: u8) -> Option<State> {
        let by_read_write = from % 2 == 1;
        if kind & self.kinds == 0 {
            return None;
        }
        if !self.nonadjacent {
            return Some(state(to, false));
        }
        match kind {
            kind::THROUGH => Some(state(to, by_read_write)),
            _ if !kind::is_read_write(kind) => Some(state(to, false)),
            _ if by_read_write => None,
            _ => Some(state(to, true)),
        }
    }
}

/// No component yet.
const NONE: u32 = u32::MAX;

/// Which states lie on cycles together.
pub(super) struct Components {
    of: Vec<u32>,
    sizes: Vec<u32>,
}

impl Components {
    /// The components of what can be reached from some nodes, without leaving those for which `inside` holds
    /// (R. Tarjan, *Depth-First Search and Linear Graph Algorithms*, 1972). A component's number is below
    /// those of all components that lead to it.
    pub(super) fn new(
        graph: &Graph,
        walks: Walks,
        roots: &[u32],
        inside: impl Fn(u32) -> bool,
    ) -> Components {
        let states = 2 * graph.nodes() as usize;
        let (mut low, mut of) = (vec![NONE; states], vec![NONE; states]);
        let (mut open, mut path, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        let mut count = 0;
        let starts = roots.iter().flat_map(|root| [state(*root, false), state(*root, true)]);
        for root in starts {
            if low[root as usize] != NONE {
                continue;
            }
            path.push((root, graph.range(node(root)).0, count));
            low[root as usize] = count;
            open.push(root);
            count += 1;
            while let Some((at, edge, number)) = path.pop() {
                let end = graph.range(node(at)).1;
                let mut edge = edge;
                let mut deeper = None;
                while edge < end && deeper.is_none() {
                    let (to, kind) = (graph.targets[edge as usize], graph.kinds[edge as usize]);
                    edge += 1;
                    let Some(next) = walks.along(at, to, kind).filter(|_| inside(to)) else {
                        continue;
                    };
                    if low[next as usize] == NONE {
                        deeper = Some(next);
                    } else if of[next as usize] == NONE {
                        low[at as usize] = low[at as usize].min(low[next as usize]);
                    }
                }
                if let Some(next) = deeper {
                    path.push((at, edge, number));
                    path.push((next, graph.range(node(next)).0, count));
                    low[next as usize] = count;
                    open.push(next);
                    count += 1;
                    continue;
                }
                if low[at as usize] == number {
                    let begin = open.iter().rposition(|it| *it == at).expect("it is open");
                    for member in open.drain(begin..) {
                        of[member as usize] = sizes.len() as u32;
                    }
                    sizes.push(0);
                }
                if let Some((before, ..)) = path.last() {
                    low[*before as usize] = low[*before as usize].min(low[at as usize]);
                }
            }
        }
        for component in of.iter().filter(|component| **component != NONE) {
            sizes[*component as usize] += 1;
        }
        Components { of, sizes }
    }

    /// The component of a state, if it lies on a cycle.
    pub(super) fn cyclic(&self, state: State) -> Option<u32> {
        let component = self.of[state as usize];
        (component != NONE && self.sizes[component as usize] > 1).then_some(component)
    }

    /// The number of a state's component.
    pub(super) fn number(&self, state: State) -> u32 {
        self.of[state as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_cycles() {
        let mut edges = Edges::new(7);
        for (from, to) in [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3), (5, 6), (0, 0)] {
            edges.add(from, to, kind::WRITE_WRITE);
        }
        let graph = edges.graph();
        assert_eq!(graph.edges(), 7, "nothing comes before itself");
        assert_eq!(graph.in_order(), Err(vec![0, 1, 2, 3, 4]));
        let walks = Walks { kinds: kind::ALL, nonadjacent: false };
        let all: Vec<u32> = (0..7).collect();
        let found = Components::new(&graph, walks, &all, |_| true);
        let of = |node| found.cyclic(state(node, false));
        assert!(of(0).is_some() && of(0) == of(1) && of(1) == of(2));
        assert!(of(3).is_some() && of(3) == of(4) && of(0) != of(3));
        assert_eq!((of(5), of(6)), (None, None));
        assert!(found.number(state(6, false)) < found.number(state(5, false)));
    }

    #[test]
    fn two_rw_edges_in_a_row_are_told_from_two_apart() {
        let walks = Walks { kinds: kind::ALL, nonadjacent: true };
        for (second, cyclic) in [(kind::WRITE_READ, true), (kind::READ_WRITE, false)] {
            let mut edges = Edges::new(2);
            edges.add(0, 1, kind::READ_WRITE);
            edges.add(1, 0, second);
            let found = Components::new(&edges.graph(), walks, &[0, 1], |_| true);
            assert_eq!(found.cyclic(state(1, true)).is_some(), cyclic);
        }
    }
}
