//! Isolation levels as they are defined: there is an order of the versions of each object, and a choice of
//! the transactions with unknown outcome that took effect, so that the graph of dependencies has no cycle
//! that the level forbids. Tries all of them.

use bizarro_check::transactions::{Level, Order};

/// A version of an object: its transaction.
pub(crate) type Version = (usize, u32);

/// What a small history says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Of each object the versions that are known to come first, in order, and the others.
    pub(crate) objects: Vec<(Vec<Version>, Vec<Version>)>,
    /// Who read which version of which object; or the one before all.
    pub(crate) reads: Vec<(usize, usize, Option<Version>)>,
    /// Which transactions took effect: certainly, certainly not, or perhaps.
    pub(crate) outcomes: Vec<Option<bool>>,
    /// Which come before which by process, and in real time.
    pub(crate) process: Vec<(usize, usize)>,
    pub(crate) realtime: Vec<(usize, usize)>,
}

/// Whether a level may show this.
pub(crate) fn allows(level: Level, facts: &Facts) -> bool {
    let unknown: Vec<usize> =
        (0..facts.outcomes.len()).filter(|at| facts.outcomes[*at].is_none()).collect();
    (0..1_u32 << unknown.len()).any(|chosen| {
        let mut in_effect: Vec<bool> =
            facts.outcomes.iter().map(|outcome| *outcome == Some(true)).collect();
        for (bit, at) in unknown.iter().enumerate() {
            in_effect[*at] = chosen >> bit & 1 == 1;
        }
        // What was read or stands in a known order took effect.
        let needed = facts.reads.iter().filter_map(|(_, _, version)| *version);
        let needed = needed.chain(facts.objects.iter().flat_map(|(known, _)| known.clone()));
        let mut needed = needed.map(|(writer, _)| writer);
        needed.all(|writer| in_effect[writer]) && orders(level, facts, &in_effect, &mut Vec::new())
    })
}

/// Tries all orders of the versions of the objects that come after those in `chosen`.
fn orders(level: Level, facts: &Facts, in_effect: &[bool], chosen: &mut Vec<Vec<Version>>) -> bool {
    let Some((known, others)) = facts.objects.get(chosen.len()) else {
        return !has_forbidden_cycle(level, facts, in_effect, chosen);
    };
    let others: Vec<Version> =
        others.iter().copied().filter(|(writer, _)| in_effect[*writer]).collect();
    permutations(&others).into_iter().any(|rest| {
        chosen.push(known.iter().copied().chain(rest).collect());
        let found = orders(level, facts, in_effect, chosen);
        chosen.pop();
        found
    })
}

pub(crate) fn permutations<T: Clone>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    (0..of.len())
        .flat_map(|first| {
            let mut rest = of.to_vec();
            let first = rest.remove(first);
            permutations(&rest)
                .into_iter()
                .map(move |rest| [first.clone()].into_iter().chain(rest).collect::<Vec<T>>())
        })
        .collect()
}

type Matrix = Vec<Vec<bool>>;

fn has_forbidden_cycle(
    level: Level,
    facts: &Facts,
    in_effect: &[bool],
    orders: &[Vec<Version>],
) -> bool {
    let count = in_effect.len();
    let empty: Matrix = vec![vec![false; count]; count];
    let (mut ww, mut wr, mut rw, mut time) = (empty.clone(), empty.clone(), empty.clone(), empty);
    for order in orders {
        for pair in order.windows(2) {
            ww[pair[0].0][pair[1].0] = true;
        }
    }
    for (reader, object, version) in &facts.reads {
        let order = &orders[*object];
        let at = version.map(|version| order.iter().position(|it| *it == version).unwrap());
        if let Some((writer, _)) = version {
            wr[*writer][*reader] = true;
        }
        if let Some((next, _)) = order.get(at.map_or(0, |at| at + 1)) {
            rw[*reader][*next] = true;
        }
    }
    let before = match level.order() {
        Order::None => &Vec::new(),
        Order::Process => &facts.process,
        Order::Realtime => &facts.realtime,
    };
    for (one, other) in before.iter().filter(|(one, other)| in_effect[*one] && in_effect[*other]) {
        time[*one][*other] = true;
    }
    let or = |one: &Matrix, other: &Matrix| -> Matrix {
        (0..count)
            .map(|a| (0..count).map(|b| a != b && (one[a][b] || other[a][b])).collect())
            .collect()
    };
    let dependencies = or(&ww, &wr);
    let relation = match level {
        Level::ReadUncommitted => or(&ww, &ww),
        Level::ReadCommitted => dependencies,
        Level::Serializable | Level::StrongSessionSerializable | Level::StrictSerializable => {
            or(&or(&dependencies, &rw), &time)
        }
        // A. Cerone, A. Gotsman, Analysing Snapshot Isolation, 2016: dependencies, and then perhaps one rw.
        Level::SnapshotIsolation
        | Level::StrongSessionSnapshotIsolation
        | Level::StrongSnapshotIsolation => {
            let (first, rw) = (or(&dependencies, &time), or(&rw, &rw));
            let mut both = first.clone();
            for a in 0..count {
                for b in 0..count {
                    both[a][b] |= (0..count).any(|via| first[a][via] && rw[via][b]);
                }
            }
            both
        }
    };
    is_cyclic(relation)
}

/// S. Warshall, A Theorem on Boolean Matrices, 1962.
fn is_cyclic(mut reaches: Matrix) -> bool {
    let count = reaches.len();
    for via in 0..count {
        for from in 0..count {
            for to in 0..count {
                reaches[from][to] |= reaches[from][via] && reaches[via][to];
            }
        }
    }
    (0..count).any(|at| reaches[at][at])
}
