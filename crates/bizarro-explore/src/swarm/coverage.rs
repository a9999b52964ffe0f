//! Which combinations of state, exchange and fault a run came to.
//!
//! The state of a system is in its programs, where nobody can look without knowing them. What can be seen from
//! outside is what each host last asked and last answered, whether it is up, and what struck before. That is
//! coarse on purpose: were every difference a new state, every run would be new.

use std::hash::{DefaultHasher, Hash, Hasher};

use bizarro_record::{Event, Exchange, Nanos, RunRecord};

/// Earlier strikes beyond this many are not told apart.
const STRIKES_TOLD: usize = 3;

/// A host as it can be seen from outside.
#[derive(Hash, PartialEq, Eq)]
enum Life {
    Up,
    Down,
    Paused,
}

/// One number for each combination, in the order in which they came.
pub(super) fn points(record: &RunRecord) -> Vec<u64> {
    let mut points = Vec::new();
    let mut strikes = 0;
    let mut before = None;
    for stamped in &record.events {
        let Event::Struck { injection } = &stamped.event else { continue };
        // The standard hasher starts from fixed keys.
        let mut hasher = DefaultHasher::new();
        let at = &injection.at;
        (&at.client, &at.server, &at.name, at.ordinal.min(2)).hash(&mut hasher);
        (injection.step, injection.effect.key(), before, strikes).hash(&mut hasher);
        for host in 0..record.hosts.len() {
            hash_host(record, host, stamped.at, &mut hasher);
        }
        points.push(hasher.finish());
        before = Some(injection.effect.key());
        strikes = (strikes + 1).min(STRIKES_TOLD);
    }
    points
}

fn hash_host(record: &RunRecord, host: usize, now: Nanos, hasher: &mut DefaultHasher) {
    life(record, host, now).hash(hasher);
    let name = &record.hosts[host];
    let last = |of: fn(&Exchange) -> (&String, Option<Nanos>)| {
        let of_host = record.exchanges.iter().filter(|e| of(e).0 == name);
        let before = of_host.filter(|e| of(e).1.is_some_and(|at| at < now));
        before.max_by_key(|e| of(e).1).map(|e| &e.id.name)
    };
    last(|e| (&e.id.client, Some(e.requested))).hash(hasher);
    last(|e| (&e.id.server, e.replied)).hash(hasher);
}

fn life(record: &RunRecord, host: usize, now: Nanos) -> Life {
    let mut life = Life::Up;
    let of_host = record.events.iter().filter(|s| usize::from(s.host) == host && s.at < now);
    for stamped in of_host {
        life = match stamped.event {
            Event::Started { .. } => Life::Up,
            Event::Crashed
            | Event::PowerFailed { .. }
            | Event::Exited { .. }
            | Event::Killed { .. } => Life::Down,
            Event::Paused { until } if until > now => Life::Paused,
            _ => continue,
        };
    }
    life
}
