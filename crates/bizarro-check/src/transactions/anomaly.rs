//! What can be wrong with transactions, and what shows it.
//!
//! Names are Adya's (A. Adya, *Weak Consistency: A Generalized Theory and Optimistic Implementations for
//! Distributed Transactions*, 1999) and Elle's (K. Kingsbury, P. Alvaro, *Elle: Inferring Isolation Anomalies
//! from Experimental Observations*, VLDB 2020).

use std::fmt;

/// A kind of anomaly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phenomenon {
    /// A list that was read has an element twice.
    DuplicateElements,
    /// Two reads of a list of which neither is the beginning of the other.
    IncompatibleOrder,
    /// A value was read that nobody wrote.
    UnwrittenRead,
    /// A transaction that took effect wrote upon what a failed one had written.
    DirtyUpdate,
    /// A transaction does not see what it itself wrote or read before.
    Internal,
    /// G1a: what a failed transaction wrote was read.
    AbortedRead,
    /// G1b: another transaction's write was read that is not its last one to that object.
    IntermediateRead,
    /// Two transactions read the same version of an object, and both wrote it.
    LostUpdate,
    /// Transactions of which each has to come before the next one, and the last one before the first.
    Cycle(Cyclic, Order),
}

/// What a cycle is made of, beside order edges. Each kind goes beyond those above it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cyclic {
    /// Writes upon writes only.
    G0,
    /// Also reads of what was written.
    G1c,
    /// And once, a read of what was overwritten.
    GSingle,
    /// More than once, but never twice in a row.
    GNonadjacent,
    /// Twice in a row.
    G2Item,
}

/// What a cycle needs beside what was read and written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Order {
    /// Nothing.
    None,
    /// The order in which a process had its transactions.
    Process,
    /// The order of transactions of which one began when the other one had ended.
    Realtime,
}

/// An access of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The transaction, by its index in the history.
    pub operation: u32,
    /// Which of its accesses, from zero.
    pub access: u32,
}

/// Why one transaction comes before another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Dependency {
    /// A process had the first before the second.
    Process {
        /// The first transaction.
        from: u32,
        /// The second.
        to: u32,
    },
    /// The second began when the first had ended.
    Realtime {
        /// The first transaction.
        from: u32,
        /// The second.
        to: u32,
    },
    /// ww: the second wrote upon what the first had written.
    WriteWrite {
        /// The first write.
        from: Place,
        /// The later write, of the same object.
        to: Place,
        /// For lists, a read that shows the first write, and the second one later or not yet. For registers,
        /// a read of the second by a transaction that could have seen the first.
        seen_by: Place,
        /// Why it could.
        basis: Basis,
    },
    /// wr: the second saw what the first had written.
    WriteRead {
        /// The write.
        from: Place,
        /// The read.
        to: Place,
    },
    /// rw: the first did not see what the second wrote.
    ReadWrite {
        /// The read.
        from: Place,
        /// The write, of the same object.
        to: Place,
        /// For a register, what shows that the write came later than what was read, unless that was the
        /// initial value: a read of the same value by the transaction that then wrote; or, by time, the write
        /// of that value.
        seen_by: Option<Place>,
        /// Why the write came later.
        basis: Basis,
    },
}

/// What the order of two versions is known from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Basis {
    /// From what was read: of a list, more than one version; of registers, what one transaction saw or wrote
    /// beside it.
    Values,
    /// From when it was: one transaction had ended when the other one began.
    Time,
}

impl Dependency {
    /// What the order of versions is known from, where there are some.
    fn basis(&self) -> Option<Basis> {
        match self {
            Dependency::WriteWrite { basis, .. } | Dependency::ReadWrite { basis, .. } => {
                Some(*basis)
            }
            Dependency::Process { .. }
            | Dependency::Realtime { .. }
            | Dependency::WriteRead { .. } => None,
        }
    }

    /// The transaction that comes first.
    pub fn from(&self) -> u32 {
        match self {
            Dependency::Process { from, .. } | Dependency::Realtime { from, .. } => *from,
            Dependency::WriteWrite { from, .. }
            | Dependency::WriteRead { from, .. }
            | Dependency::ReadWrite { from, .. } => from.operation,
        }
    }

    /// The transaction that comes later.
    pub fn to(&self) -> u32 {
        match self {
            Dependency::Process { to, .. } | Dependency::Realtime { to, .. } => *to,
            Dependency::WriteWrite { to, .. }
            | Dependency::WriteRead { to, .. }
            | Dependency::ReadWrite { to, .. } => to.operation,
        }
    }

    /// As Adya writes it: `ww`, `wr`, `rw`; `process`, `realtime`.
    pub fn name(&self) -> &'static str {
        match self {
            Dependency::Process { .. } => "process",
            Dependency::Realtime { .. } => "realtime",
            Dependency::WriteWrite { .. } => "ww",
            Dependency::WriteRead { .. } => "wr",
            Dependency::ReadWrite { .. } => "rw",
        }
    }
}

/// An anomaly with what shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anomaly {
    /// What it is.
    pub phenomenon: Phenomenon,
    /// What shows it.
    pub proof: Proof,
}

/// What shows an anomaly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Accesses that contradict each other: what was written first, and then what was read.
    Accesses(Vec<Place>),
    /// Each transaction comes before the next one, and the last one before the first.
    Cycle(Vec<Dependency>),
}

impl Anomaly {
    /// The transactions that it is about.
    pub fn operations(&self) -> Vec<u32> {
        let mut operations: Vec<u32> = match &self.proof {
            Proof::Accesses(places) => places.iter().map(|place| place.operation).collect(),
            Proof::Cycle(cycle) => cycle.iter().map(Dependency::from).collect(),
        };
        operations.dedup();
        operations
    }

    /// A cycle, by what it is made of.
    pub(super) fn cycle(dependencies: Vec<Dependency>) -> Anomaly {
        let is = |wanted: &'static str| move |it: &&Dependency| it.name() == wanted;
        let order = match () {
            () if dependencies.iter().any(|it| is("realtime")(&it)) => Order::Realtime,
            () if dependencies.iter().any(|it| it.basis() == Some(Basis::Time)) => Order::Realtime,
            () if dependencies.iter().any(|it| is("process")(&it)) => Order::Process,
            () => Order::None,
        };
        let reads = dependencies.iter().filter(is("rw")).count();
        let next = dependencies.iter().cycle().skip(1);
        let adjacent =
            dependencies.iter().zip(next).any(|(one, next)| is("rw")(&one) && is("rw")(&next));
        let cyclic = match reads {
            0 if dependencies.iter().any(|it| is("wr")(&it)) => Cyclic::G1c,
            0 => Cyclic::G0,
            1 => Cyclic::GSingle,
            _ if adjacent => Cyclic::G2Item,
            _ => Cyclic::GNonadjacent,
        };
        Anomaly { phenomenon: Phenomenon::Cycle(cyclic, order), proof: Proof::Cycle(dependencies) }
    }
}

impl fmt::Display for Phenomenon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Phenomenon::DuplicateElements => "duplicate-elements",
            Phenomenon::IncompatibleOrder => "incompatible-order",
            Phenomenon::UnwrittenRead => "unwritten-read",
            Phenomenon::DirtyUpdate => "dirty-update",
            Phenomenon::Internal => "internal",
            Phenomenon::AbortedRead => "G1a",
            Phenomenon::IntermediateRead => "G1b",
            Phenomenon::LostUpdate => "lost-update",
            Phenomenon::Cycle(Cyclic::G0, _) => "G0",
            Phenomenon::Cycle(Cyclic::G1c, _) => "G1c",
            Phenomenon::Cycle(Cyclic::GSingle, _) => "G-single",
            Phenomenon::Cycle(Cyclic::GNonadjacent, _) => "G-nonadjacent",
            Phenomenon::Cycle(Cyclic::G2Item, _) => "G2-item",
        };
        f.write_str(name)?;
        match self {
            Phenomenon::Cycle(_, Order::Process) => f.write_str("-process"),
            Phenomenon::Cycle(_, Order::Realtime) => f.write_str("-realtime"),
            _ => Ok(()),
        }
    }
}
