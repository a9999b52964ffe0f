//! Fencing tokens: unique, rising, heeded; and grants in time (M. Kleppmann, *How to do distributed
//! locking*, 2016).

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Findings, Numbered, Rule, done, falling};
use crate::history::{History, Times};
use crate::model::{FencedLockCall, FencedLockReply};

/// A history of a lock with tokens.
pub type Grants = History<FencedLockCall, FencedLockReply>;

/// No token is granted twice; each is above those of grants that had ended before; and the store takes none
/// that is below one which it had taken before.
pub fn tokens(history: &Grants) -> Findings {
    let mut findings = Findings::default();
    let (mut granted, mut accepted) = (Vec::new(), Vec::new());
    let mut first_with: BTreeMap<i64, u32> = BTreeMap::new();
    for it in done(history) {
        let numbered =
            |number| Numbered { index: it.index, number, invoked: it.invoked, ended: it.ended };
        match (it.operation.call, it.reply) {
            (FencedLockCall::Acquire, FencedLockReply::Granted(token)) => {
                granted.push(numbered(*token));
                match first_with.get(token) {
                    None => {
                        first_with.insert(*token, it.index);
                    }
                    Some(first) => findings.add(Rule::UniqueToken, &[*first, it.index], || {
                        format!("both were granted token {token}")
                    }),
                }
            }
            (FencedLockCall::Use(token), FencedLockReply::Accepted(true)) => {
                accepted.push(numbered(token));
            }
            _ => {}
        }
    }
    // Equal tokens have been found above.
    let falls = |earlier, later| earlier > later;
    falling(&granted, falls, |earlier, later| {
        findings.add(Rule::RisingToken, &[earlier.index, later.index], || {
            format!("token {} was granted after token {}", later.number, earlier.number)
        });
    });
    falling(&accepted, falls, |earlier, later| {
        findings.add(Rule::StaleToken, &[earlier.index, later.index], || {
            format!("token {} was accepted after token {}", later.number, earlier.number)
        });
    });
    findings
}

/// A lock that is free and asked for is granted within `limit` of virtual time.
///
/// Waiting begins when somebody asks after the last grant or release; a lock that its holder never gives
/// back counts as free from the grant on, so `limit` has to be longer than a holder may hold it. Operations
/// without virtual times are not looked at.
pub fn availability(history: &Grants, limit: Duration) -> Findings {
    let mut findings = Findings::default();
    let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    // Who waits, and since when.
    let mut waiting: Option<(u32, u64)> = None;
    let mut late = |waiting: Option<(u32, u64)>, now: u64, by: Option<u32>| {
        let Some((first, since)) = waiting.filter(|(_, since)| now - since > limit_ns) else {
            return;
        };
        let operations: Vec<u32> =
            [first].into_iter().chain(by.filter(|by| *by != first)).collect();
        let waited = Duration::from_nanos(now - since);
        findings.add(Rule::Availability, &operations, || match by {
            Some(_) => format!("the lock was granted {waited:?} after it was asked for"),
            None => format!("the lock was asked for, and not granted for {waited:?}"),
        });
    };
    let mut last_ns = 0;
    for (time_ns, index, event) in events(history) {
        last_ns = time_ns.max(last_ns);
        match event {
            Event::Asked => waiting = waiting.or(Some((index, last_ns))),
            Event::Granted => late(waiting.take(), last_ns, Some(index)),
            // Those who wait have waited for this.
            Event::Released => waiting = waiting.map(|(first, _)| (first, last_ns)),
            Event::Other => {}
        }
    }
    late(waiting, last_ns, None);
    findings
}

enum Event {
    Asked,
    Granted,
    Released,
    /// Nothing that matters here, but that time has passed.
    Other,
}

/// What happens, in order, with virtual times.
fn events(history: &Grants) -> Vec<(u64, u32, Event)> {
    let mut events = Vec::new();
    let mut add = |position: u32, times: Times, index: usize, event: Event| {
        if let Some(time_ns) = times.virtual_ns {
            events.push((position, (time_ns, index as u32, event)));
        }
    };
    for (index, it) in history.operations().iter().enumerate() {
        let (asked, ended) = match it.call {
            FencedLockCall::Acquire if it.outcome.reply().is_some() => {
                (Event::Asked, Event::Granted)
            }
            FencedLockCall::Acquire => (Event::Asked, Event::Other),
            FencedLockCall::Release(_) => (Event::Other, Event::Released),
            FencedLockCall::Use(_) => (Event::Other, Event::Other),
        };
        add(it.invoked.position, it.invoked.times, index, asked);
        if let Some(end) = it.ended {
            add(end.position, end.times, index, ended);
        }
    }
    events.sort_by_key(|(position, _)| *position);
    events.into_iter().map(|(_, event)| event).collect()
}
