//! Isolation levels, and what each of them rules out.

use std::fmt;

use super::anomaly::{Cyclic, Order, Phenomenon};

/// What a database promises of its transactions.
///
/// Of each level there may be a *strong session* and a *strong* (for serializability: *strict*) variant, in
/// which transactions of one process, or transactions of which one began when the other one had ended, are
/// seen in their order (K. Daudjee, K. Salem, *Lazy Database Replication with Snapshot Isolation*, 2006).
/// Transactions here name the objects that they read, so repeatable read and serializability are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Writes are seen in one order (Adya's PL-1).
    ReadUncommitted,
    /// Also, nothing is read of what was not committed (PL-2).
    ReadCommitted,
    /// A transaction reads from one moment, and of two that overlap not both write one object (PL-SI).
    SnapshotIsolation,
    /// Snapshot isolation, and a process sees what it did.
    StrongSessionSnapshotIsolation,
    /// Snapshot isolation, and everybody sees what had ended.
    StrongSnapshotIsolation,
    /// As if transactions came one at a time (PL-3).
    Serializable,
    /// Serializable, and those of one process come in its order.
    StrongSessionSerializable,
    /// Serializable, in the order of real time: linearizable transactions.
    StrictSerializable,
}

/// Every level, and its name.
pub const LEVELS: &[(&str, Level)] = &[
    ("read-uncommitted", Level::ReadUncommitted),
    ("read-committed", Level::ReadCommitted),
    ("snapshot-isolation", Level::SnapshotIsolation),
    ("strong-session-snapshot-isolation", Level::StrongSessionSnapshotIsolation),
    ("strong-snapshot-isolation", Level::StrongSnapshotIsolation),
    ("serializable", Level::Serializable),
    ("strong-session-serializable", Level::StrongSessionSerializable),
    ("strict-serializable", Level::StrictSerializable),
];

/// What a level rules out, whichever order it respects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Family {
    ReadUncommitted,
    ReadCommitted,
    Snapshot,
    Serializable,
}

impl Level {
    /// The level of this name.
    pub fn named(name: &str) -> Option<Level> {
        LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
    }

    /// The order in which transactions have to be seen, beside that of what they read and wrote.
    pub fn order(self) -> Order {
        match self {
            Level::ReadUncommitted
            | Level::ReadCommitted
            | Level::SnapshotIsolation
            | Level::Serializable => Order::None,
            Level::StrongSessionSnapshotIsolation | Level::StrongSessionSerializable => {
                Order::Process
            }
            Level::StrongSnapshotIsolation | Level::StrictSerializable => Order::Realtime,
        }
    }

    pub(super) fn family(self) -> Family {
        match self {
            Level::ReadUncommitted => Family::ReadUncommitted,
            Level::ReadCommitted => Family::ReadCommitted,
            Level::SnapshotIsolation
            | Level::StrongSessionSnapshotIsolation
            | Level::StrongSnapshotIsolation => Family::Snapshot,
            Level::Serializable | Level::StrongSessionSerializable | Level::StrictSerializable => {
                Family::Serializable
            }
        }
    }

    /// Whether a transaction system of this level must not show this.
    pub fn rules_out(self, phenomenon: Phenomenon) -> bool {
        let family = self.family();
        match phenomenon {
            Phenomenon::DuplicateElements
            | Phenomenon::IncompatibleOrder
            | Phenomenon::UnwrittenRead
            | Phenomenon::DirtyUpdate => true,
            Phenomenon::AbortedRead | Phenomenon::IntermediateRead => {
                family >= Family::ReadCommitted
            }
            Phenomenon::Internal | Phenomenon::LostUpdate => family >= Family::Snapshot,
            Phenomenon::Cycle(cyclic, order) => {
                order <= self.order() && family >= least_family(cyclic)
            }
        }
    }
}

/// The weakest levels that rule such cycles out.
fn least_family(cyclic: Cyclic) -> Family {
    match cyclic {
        Cyclic::G0 => Family::ReadUncommitted,
        Cyclic::G1c => Family::ReadCommitted,
        Cyclic::GSingle | Cyclic::GNonadjacent => Family::Snapshot,
        Cyclic::G2Item => Family::Serializable,
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = LEVELS.iter().find(|(_, level)| level == self).map(|(name, _)| *name);
        f.write_str(name.expect("every level has a line in the list"))
    }
}
