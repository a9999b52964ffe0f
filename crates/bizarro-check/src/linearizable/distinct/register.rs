//! A register in which every value is written once (P. Gibbons, E. Korach, *Testing Shared Memories*, SIAM
//! Journal on Computing 26, 1997, section 4).
//!
//! The write of a value and its reads are a *cluster*. Between the first end and the last invocation of a
//! cluster, if they come in this order, the register certainly holds its value: its *forward zone*. Otherwise
//! all of the cluster's operations overlap, from the last invocation to the first end: its *backward zone*.
//! There is a linearization if and only if no read ends before its write begins, no two forward zones overlap,
//! and no backward zone lies within a forward one.

use super::{Decision, contradiction, known};
use crate::history::{History, Outcome};
use crate::intern::Interner;
use crate::model::{Model, RegisterUse};

/// Before all events, and after them.
const NEVER_BEGAN: i64 = -2;
const HELD_FIRST: i64 = -1;
const NEVER_ENDS: i64 = i64::MAX;

/// No operation.
const NOBODY: u32 = u32::MAX;

/// All that is done with one value.
struct Cluster {
    /// Its write; nobody for what the register holds first.
    write: u32,
    begins: i64,
    /// The write's reply is not known.
    unsure: bool,
    reads: u32,
    /// The first end and the last invocation, and whose they are.
    first_end: (i64, u32),
    last_invoked: (i64, u32),
    /// The earliest end of a read.
    first_read: (i64, u32),
}

impl Cluster {
    fn new() -> Cluster {
        Cluster {
            write: NOBODY,
            begins: NEVER_ENDS,
            unsure: false,
            reads: 0,
            first_end: (NEVER_ENDS, NOBODY),
            last_invoked: (NEVER_BEGAN, NOBODY),
            first_read: (NEVER_ENDS, NOBODY),
        }
    }

    fn is_written(&self) -> bool {
        self.begins != NEVER_ENDS
    }

    fn add(&mut self, operation: u32, invoked: i64, end: i64) {
        self.first_end = self.first_end.min((end, operation));
        self.last_invoked = self.last_invoked.max((invoked, operation));
    }

    fn is_forward(&self) -> bool {
        self.first_end.0 < self.last_invoked.0
    }

    /// The operations that its zone rests on.
    fn witnesses(&self) -> [u32; 3] {
        [self.write, self.first_end.1, self.last_invoked.1]
    }
}

/// About how much deciding takes, for each operation.
pub(super) const OPERATION_BYTES: usize = size_of::<Cluster>() + 40;

/// None where a value is written twice, or something is done that is neither reading nor writing.
pub(super) fn decide<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    part: &[u32],
    until: u32,
) -> Option<Decision> {
    let initial = model.initial();
    let register = Register::new(model, history, part, until, &initial)?;
    Some(match register.zones() {
        Ok(order) => Decision::Order(register.in_order(order)),
        Err(mut operations) => {
            operations.retain(|it| *it != NOBODY);
            contradiction(history, operations, [])
        }
    })
}

/// Clusters, and to which of them each operation belongs.
struct Register {
    clusters: Vec<Cluster>,
    members: Vec<(u32, u32)>,
}

impl Register {
    /// None where a value is written twice, or something is done that is neither reading nor writing.
    fn new<M: Model>(
        model: &M,
        history: &History<M::Call, M::Reply>,
        part: &[u32],
        until: u32,
        initial: &M::State,
    ) -> Option<Register> {
        let mut values: Interner<&M::State> = Interner::new();
        let mut held_first = Cluster::new();
        (held_first.begins, held_first.first_end) = (NEVER_BEGAN, (HELD_FIRST, NOBODY));
        values.intern(initial);
        let (mut clusters, mut members) = (vec![held_first], Vec::with_capacity(part.len()));
        for &index in part {
            let operation = &history.operations()[index as usize];
            let invoked = i64::from(operation.invoked.position);
            if operation.invoked.position >= until || matches!(operation.outcome, Outcome::Fail) {
                continue;
            }
            let (end, reply) = known(operation, until);
            let end = end.map_or(NEVER_ENDS, i64::from);
            let (value, writes) = match model.register_use(&operation.call, reply)? {
                RegisterUse::Write(value) => (value, true),
                RegisterUse::Read(Some(value)) => (value, false),
                RegisterUse::Read(None) => continue,
            };
            let number = values.intern(value);
            if number as usize == clusters.len() {
                clusters.push(Cluster::new());
            }
            let cluster = &mut clusters[number as usize];
            if writes {
                if cluster.is_written() {
                    return None;
                }
                (cluster.write, cluster.begins) = (index, invoked);
                cluster.unsure = reply.is_none();
            } else {
                cluster.reads += 1;
                cluster.first_read = cluster.first_read.min((end, index));
            }
            cluster.add(index, invoked, end);
            members.push((number, index));
        }
        Some(Register { clusters, members })
    }

    /// The clusters in an order in which the register can hold their values; or operations that do not allow
    /// any.
    fn zones(&self) -> Result<Vec<u32>, Vec<u32>> {
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        for (number, it) in (0_u32..).zip(&self.clusters) {
            if it.first_read.0 < it.begins {
                return Err(vec![it.write, it.first_read.1]);
            }
            // A write of unknown outcome that nobody saw need not have been.
            if it.reads == 0 && (it.unsure || it.write == NOBODY) {
                continue;
            }
            match it.is_forward() {
                true => forward.push((it.first_end.0, it.last_invoked.0, number)),
                false => backward.push((it.last_invoked.0, it.first_end.0, number)),
            }
        }
        forward.sort_unstable();
        for pair in forward.windows(2) {
            if pair[0].1 > pair[1].0 {
                return Err(self.witnesses(pair[0].2, pair[1].2));
            }
        }
        // Each cluster's point in time: forward ones are where they begin; backward ones where they begin, or
        // behind the forward zone in which that is.
        let mut points: Vec<(i64, u32)> =
            forward.iter().map(|(from, _, number)| (*from, *number)).collect();
        for (from, to, number) in backward {
            let before = forward.partition_point(|(begin, ..)| *begin < from).checked_sub(1);
            match before.map(|before| forward[before]).filter(|(_, end, _)| *end > from) {
                None => points.push((from, number)),
                Some((_, end, _)) if end < to => points.push((end, number)),
                Some((.., around)) => return Err(self.witnesses(around, number)),
            }
        }
        points.sort_unstable();
        Ok(points.into_iter().map(|(_, number)| number).collect())
    }

    fn witnesses(&self, one: u32, other: u32) -> Vec<u32> {
        let of = |number: u32| self.clusters[number as usize].witnesses();
        let mut operations: Vec<u32> =
            of(one).into_iter().chain(of(other)).filter(|it| *it != NOBODY).collect();
        operations.sort_unstable();
        operations.dedup();
        operations
    }

    /// All operations, clusters in this order: each write, and then its reads by their invocations.
    fn in_order(mut self, clusters: Vec<u32>) -> Vec<u32> {
        let mut rank = vec![NOBODY; self.clusters.len()];
        for (at, number) in (0..).zip(clusters) {
            rank[number as usize] = at;
        }
        self.members.retain(|(number, _)| rank[*number as usize] != NOBODY);
        self.members.sort_unstable_by_key(|&(number, operation)| {
            let writes = self.clusters[number as usize].write == operation;
            (rank[number as usize], !writes, operation)
        });
        self.members.into_iter().map(|(_, operation)| operation).collect()
    }
}
