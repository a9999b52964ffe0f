//! Lamport's clock (L. Lamport, *Time, Clocks, and the Ordering of Events in a Distributed System*, CACM 1978).

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// A counter that never falls behind a time that it was told. Threads may share it.
///
/// If one event could have caused another, its time is lower. The reverse does not hold: of two events with different
/// times nothing is known ([`VersionVector`](crate::clock::VersionVector) knows).
#[derive(Debug, Default)]
pub struct Lamport {
    last: AtomicU64,
}

/// A time of a [`Lamport`] clock with the node that gave it out: no two events have the same one, and they are ordered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp<Node> {
    /// The clock's time.
    pub time: u64,
    /// Who gave it out.
    pub node: Node,
}

impl Lamport {
    /// A clock that goes on after `last`: 0 for a new node; else the highest time that the node gave out or saw before it
    /// was started again.
    pub fn after(last: u64) -> Lamport {
        Lamport { last: AtomicU64::new(last) }
    }

    /// The time of a new event of this node: above all that it gave out or saw.
    ///
    /// # Panics
    /// After `u64::MAX` events; a node that sees that time was lied to.
    pub fn tick(&self) -> u64 {
        let before = self.last.fetch_add(1, Ordering::Relaxed);
        before.checked_add(1).expect("a clock that counts events does not come to its end")
    }

    /// The time of a new event that knows of `seen`, the time in a message: what [`Lamport::tick`] gives once the clock
    /// is not behind it.
    ///
    /// # Panics
    /// As [`Lamport::tick`].
    pub fn observe(&self, seen: u64) -> u64 {
        self.last.fetch_max(seen, Ordering::Relaxed);
        self.tick()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_caused_is_later() {
        let (a, b) = (Lamport::default(), Lamport::after(7));
        let sent = a.tick();
        let received = b.observe(sent);
        assert_eq!((sent, received), (1, 8));
        let answered = a.observe(received);
        assert!(answered > received && a.tick() > answered);
    }

    #[test]
    fn nodes_make_equal_times_different() {
        let (one, other) = (Stamp { time: 3, node: "a" }, Stamp { time: 3, node: "b" });
        assert!(one < other && other < Stamp { time: 4, node: "a" });
    }
}
