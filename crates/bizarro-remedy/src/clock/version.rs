//! Version vectors (Parker et al., *Detection of Mutual Inconsistency in Distributed Systems*, 1983).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One event: the so manieth of a node, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot<Node> {
    /// Whose event.
    pub node: Node,
    /// The node's count.
    pub count: u64,
}

/// What is known of each node's events: all up to a count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionVector<Node: Ord> {
    /// A node that is not in it has the count 0, and one that is has another.
    counts: BTreeMap<Node, u64>,
}

/// How two versions are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Causality {
    /// Both know the same.
    Equal,
    /// The other one knows all that this one does, and more.
    Before,
    /// This one knows all that the other one does, and more.
    After,
    /// Each knows something that the other one does not.
    Concurrent,
}

impl<Node: Ord> Default for VersionVector<Node> {
    fn default() -> Self {
        VersionVector { counts: BTreeMap::new() }
    }
}

impl<Node: Ord + Clone> VersionVector<Node> {
    /// Nothing is known.
    pub fn new() -> Self {
        VersionVector::default()
    }

    /// How many events of this node are known.
    pub fn count(&self, node: &Node) -> u64 {
        self.counts.get(node).copied().unwrap_or(0)
    }

    /// A new event of this node, which is known from now on.
    ///
    /// A node must never make the same dot twice: what it counts has to outlive its process, and its disk.
    ///
    /// # Panics
    /// After `u64::MAX` events; a node that sees that count was lied to.
    pub fn increment(&mut self, node: &Node) -> Dot<Node> {
        let count = self.count(node).checked_add(1).expect("nobody lives to see so many events");
        self.counts.insert(node.clone(), count);
        Dot { node: node.clone(), count }
    }

    /// Whether the event is known.
    pub fn contains(&self, dot: &Dot<Node>) -> bool {
        dot.count <= self.count(&dot.node)
    }

    /// Learns what the other one knows.
    pub fn merge(&mut self, other: &VersionVector<Node>) {
        for (node, count) in &other.counts {
            if *count > self.count(node) {
                self.counts.insert(node.clone(), *count);
            }
        }
    }

    /// How this version is related to the other one.
    pub fn compare(&self, other: &VersionVector<Node>) -> Causality {
        match (self.knows_all_of(other), other.knows_all_of(self)) {
            (true, true) => Causality::Equal,
            (false, true) => Causality::Before,
            (true, false) => Causality::After,
            (false, false) => Causality::Concurrent,
        }
    }

    fn knows_all_of(&self, other: &VersionVector<Node>) -> bool {
        other.counts.iter().all(|(node, count)| *count <= self.count(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_before_after_or_concurrent() {
        let (mut a, mut b) = (VersionVector::new(), VersionVector::new());
        assert_eq!(a.compare(&b), Causality::Equal);
        let dot = a.increment(&"a");
        assert_eq!((a.compare(&b), b.compare(&a)), (Causality::After, Causality::Before));
        b.increment(&"b");
        assert_eq!(a.compare(&b), Causality::Concurrent);
        assert!(a.contains(&dot) && !b.contains(&dot));
        b.merge(&a);
        assert_eq!((b.compare(&a), b.contains(&dot)), (Causality::After, true));
    }
}
