//! A set to which every value is added once, and from which it is removed at most once.
//!
//! If nobody reads the whole set, each value is on its own (Herlihy and Wing's locality, 1990): it is added as
//! late, and removed as early, as those allow who saw it. Who did not see it has to have begun before the one or
//! ended after the other. If the whole set is read, see [`set_reads`].

use super::{Decision, Span, contradiction, set_reads};
use crate::history::History;
use crate::model::SetUse;

/// About how much deciding takes, for each operation.
pub(super) const OPERATION_BYTES: usize = 120;

pub(super) fn decide<C, R>(
    spans: &[Span],
    uses: &[SetUse],
    history: &History<C, R>,
) -> Option<Decision> {
    if uses.iter().any(|it| matches!(it, SetUse::Read(Some(_)))) {
        return set_reads::decide(spans, uses, history);
    }
    let mut by_value: Vec<(u32, u32)> =
        (0..).zip(uses).filter_map(|(at, it)| Some((it.value()?, at))).collect();
    by_value.sort_unstable();
    let mut points: Vec<Point> = Vec::with_capacity(by_value.len());
    let mut wrong = None;
    for group in by_value.chunk_by(|one, other| one.0 == other.0) {
        let group = group.iter().map(|(_, at)| (spans[*at as usize], &uses[*at as usize]));
        let member = Member::new(group)?;
        // The others may be of no such kind.
        if let Err(operations) = member.points(&mut points) {
            wrong = wrong.or(Some((operations, member.unchanged)));
        }
    }
    if let Some((operations, unchanged)) = wrong {
        return Some(contradiction(history, operations, unchanged));
    }
    points.sort_unstable();
    Some(Decision::Order(points.into_iter().map(|(.., operation)| operation).collect()))
}

/// When an operation takes effect: twice the number of an event, and one more or less; which of those of
/// one value comes first there; and the operation.
type Point = (u64, u8, u32);

/// The places of those of one value that take effect between the same two events.
mod place {
    pub(super) const NOT_YET: u8 = 0;
    pub(super) const ADDED: u8 = 1;
    pub(super) const SEEN: u8 = 2;
    pub(super) const REMOVED: u8 = 3;
    pub(super) const GONE: u8 = 4;
}

/// What was done with one value.
struct Member {
    add: Option<Span>,
    remove: Option<Span>,
    /// It is known that removing changed the set.
    removed: bool,
    seen: Vec<Span>,
    missed: Vec<Span>,
    /// Who would have added or removed it, had it not been so already: that has to be known.
    unchanged: Vec<u32>,
}

/// When the value was removed, as far as that matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Removal {
    Never,
    /// When there was nothing to remove.
    Before,
    After,
}

impl Member {
    /// None where it may have been added or removed more than once.
    fn new<'u>(operations: impl Iterator<Item = (Span, &'u SetUse)>) -> Option<Member> {
        let (mut add, mut remove, mut removed) = (None, None, false);
        let (mut seen, mut missed, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
        for (span, it) in operations {
            if let SetUse::Add(_, Some(false)) | SetUse::Remove(_, Some(false)) = it {
                unchanged.push(span.operation);
            }
            match *it {
                SetUse::Add(_, Some(false)) | SetUse::Contains(_, Some(true)) => seen.push(span),
                SetUse::Remove(_, Some(false)) | SetUse::Contains(_, Some(false)) => {
                    missed.push(span);
                }
                SetUse::Add(..) if add.replace(span).is_some() => return None,
                SetUse::Remove(_, changed) => {
                    removed = changed == Some(true);
                    if remove.replace(span).is_some() {
                        return None;
                    }
                }
                SetUse::Add(..) | SetUse::Contains(_, None) | SetUse::Read(_) => {}
            }
        }
        // An unknown operation that nothing shows need not have been.
        let shown = removed || !seen.is_empty();
        let add = add.filter(|it| it.ends != u32::MAX || shown);
        let remove = remove.filter(|it| it.ends != u32::MAX || add.is_some());
        Some(Member { add, remove, removed, seen, missed, unchanged })
    }

    /// Adds when each takes effect; otherwise operations that contradict each other.
    fn points(&self, points: &mut Vec<Point>) -> Result<(), Vec<u32>> {
        let Some(add) = self.add else {
            let remove = self.remove.iter();
            let cannot = self.seen.first().or(remove.clone().find(|_| self.removed));
            if let Some(cannot) = cannot {
                return Err(vec![cannot.operation]);
            }
            let all = self.missed.iter().chain(remove);
            points.extend(all.map(|it| (after(it.begins), place::NOT_YET, it.operation)));
            return Ok(());
        };
        let ways: &[Removal] = match self.remove {
            None => &[Removal::Never],
            Some(remove) if self.removed || remove.ends == u32::MAX => &[Removal::After],
            Some(_) => &[Removal::After, Removal::Before],
        };
        let mut missed = Vec::new();
        for way in ways {
            match self.try_points(add, *way, points) {
                Ok(()) => return Ok(()),
                Err(operation) => missed.extend(operation),
            }
        }
        let seen = &self.seen;
        let first = seen.iter().min_by_key(|it| it.ends);
        let last = seen.iter().max_by_key(|it| it.begins);
        let others = self.remove.iter().chain(first).chain(last).map(|it| it.operation);
        Err(missed.into_iter().chain([add.operation]).chain(others).collect())
    }

    /// With the value removed in this way. Otherwise who did not see it and should have, if that is why.
    fn try_points(
        &self,
        add: Span,
        way: Removal,
        points: &mut Vec<Point>,
    ) -> Result<(), Option<u32>> {
        let removal = self.remove.filter(|_| way == Removal::After);
        let first_seen = self.seen.iter().map(|it| it.ends).min().unwrap_or(u32::MAX);
        let added = add.ends.min(first_seen).min(removal.map_or(u32::MAX, |it| it.ends));
        let last_seen = self.seen.iter().map(|it| it.begins).max().unwrap_or(0);
        let gone = removal.map(|it| it.begins.max(last_seen).max(add.begins));
        let too_late = removal.zip(gone).is_some_and(|(removal, gone)| gone >= removal.ends);
        let before = self.remove.filter(|_| way == Removal::Before);
        if add.begins >= added || too_late || before.is_some_and(|it| it.begins >= added) {
            return Err(None);
        }
        // Where it may be added before it may be gone, it is there from one to the other; else for a moment.
        let (from, to) = match gone {
            Some(gone) if gone < added => (after(gone), Some(after(gone))),
            gone => (2 * u64::from(added) - 1, gone.map(after)),
        };
        let start = points.len();
        for it in &self.missed {
            let point = match (after(it.begins) <= from, to) {
                (true, _) => (after(it.begins), place::NOT_YET),
                (false, Some(to)) if u64::from(it.ends) * 2 > to => {
                    (to.max(after(it.begins)), place::GONE)
                }
                (false, _) => {
                    points.truncate(start);
                    return Err(Some(it.operation));
                }
            };
            points.push((point.0, point.1, it.operation));
        }
        points.push((from, place::ADDED, add.operation));
        let seen = self.seen.iter();
        points.extend(seen.map(|it| (from.max(after(it.begins)), place::SEEN, it.operation)));
        points.extend(removal.zip(to).map(|(it, to)| (to, place::REMOVED, it.operation)));
        points.extend(before.map(|it| (after(it.begins), place::NOT_YET, it.operation)));
        Ok(())
    }
}

fn after(event: u32) -> u64 {
    2 * u64::from(event) + 1
}
