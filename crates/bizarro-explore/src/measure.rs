//! The two numbers of a fault that matter most in operation: how long until the system recovers, and
//! how far the damage spreads.

use std::collections::BTreeMap;

use bizarro_record::{Effect, Ending, Event, Exchange, ExchangeId, Injection, Nanos, RunRecord};
use serde::{Deserialize, Serialize};

/// How long it took from the last strike until the struck client was served again.
///
/// Served again means the end of the first exchange of the same client and server that completed with
/// a status below 500 (or of a protocol that has none) and was requested after the strike, or was
/// struck and arrived undamaged nevertheless. A reply that nobody above could use serves nobody, whatever its status says:
/// an exchange does not count that fell into one which asked its client, or into one above that, and which came to a
/// status of 500 or more. A client that asks no more has recovered when the workload ends, unless it panicked, was killed
/// or ended without success.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// Virtual time from the strike.
    After(Nanos),
    /// It was not served again before the run ended.
    Never,
}

/// How far a fault's damage reached, compared with the baseline.
///
/// An exchange of the baseline is affected where the run lacks it, did not complete it although the
/// baseline did, or completed it with a status of another class (2xx, 4xx, …). A host is affected
/// where it is the client of an affected exchange, or where its program panicked, was killed or ended
/// without success.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Blast {
    /// Affected exchanges of the baseline.
    pub exchanges: usize,
    /// Exchanges of the baseline.
    pub exchanges_total: usize,
    /// Affected hosts.
    pub hosts: usize,
    /// Hosts of the world.
    pub hosts_total: usize,
}

/// What a fault did to a run, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Impact {
    /// Time until the client was served again; absent where no fault struck.
    pub recovery: Option<Recovery>,
    /// The same from the moment at which the last fault was over by itself ([`last_fault_over`]): a system that waits for the
    /// network to come back recovers soon after that; zero where it recovered before.
    pub recovery_from_heal: Option<Recovery>,
    /// How much later than the baseline the run ended, in virtual nanoseconds; negative where it
    /// ended earlier.
    pub delay_ns: i64,
    /// How far the damage reached.
    pub blast: Blast,
}

impl Impact {
    /// Compares `record` with the fault-free `baseline`.
    pub fn of(record: &RunRecord, baseline: &RunRecord) -> Impact {
        let (end, usual) = (record.stats.virtual_time.0, baseline.stats.virtual_time.0);
        let recovered = recovery(record);
        let delay = i128::from(end) - i128::from(usual);
        Impact {
            recovery: recovered.map(|(_, recovery)| recovery),
            recovery_from_heal: recovered
                .map(|(strike, recovery)| from_heal(record, strike, recovery)),
            delay_ns: delay.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64,
            blast: blast(record, baseline),
        }
    }
}

/// When the last fault was over: when the last one struck, or its partition was healed, or the last pause ended or the
/// last crashed host was started again. The start of the run where nothing struck.
pub fn last_fault_over(run: &RunRecord) -> Nanos {
    let ends = run.events.iter().filter_map(|stamped| match &stamped.event {
        Event::Struck { injection } => Some(stamped.at + injection.effect.lasts()),
        Event::Paused { until } => Some(*until),
        Event::Began { .. } | Event::Healed { .. } => Some(stamped.at),
        Event::Started { incarnation } if *incarnation > 1 => Some(stamped.at),
        _ => None,
    });
    ends.max().unwrap_or(Nanos::ZERO).min(run.stats.virtual_time)
}

/// How much later a message comes that is late.
const LATE: Nanos = Nanos::from_secs(60);

/// The [`Recovery`] from the moment at which the last fault was over.
fn from_heal(record: &RunRecord, (strike, effect): Strike, recovery: Recovery) -> Recovery {
    let late = if effect == Effect::Late { strike + LATE } else { strike };
    let over = last_fault_over(record).max(late);
    match recovery {
        Recovery::After(time) => Recovery::After((strike + time).saturating_sub(over)),
        Recovery::Never => Recovery::Never,
    }
}

/// When something struck, and what.
type Strike = (Nanos, Effect);

/// The last strike, and the [`Recovery`] from that.
fn recovery(record: &RunRecord) -> Option<(Strike, Recovery)> {
    let (strike, injection) = record.events.iter().rev().find_map(|s| match &s.event {
        Event::Struck { injection } => Some((s.at, &**injection)),
        _ => None,
    })?;
    let exchanges = &record.exchanges;
    let served = (0..exchanges.len())
        .filter(|place| serves_again(&exchanges[*place], injection, strike))
        .filter(|place| !fails_above(exchanges, *place))
        .filter_map(|place| exchanges[place].completed)
        .filter(|completed| *completed >= strike)
        .min();
    let client = record.hosts.iter().position(|name| *name == injection.at.client);
    let fell = record
        .events
        .iter()
        .any(|s| Some(usize::from(s.host)) == client && s.at >= strike && is_accident(&s.event));
    let ended = (record.ending == Ending::Completed && !fell).then_some(record.stats.virtual_time);
    let recovery = match served.or(ended) {
        Some(at) => Recovery::After(at - strike),
        None => Recovery::Never,
    };
    Some(((strike, injection.effect), recovery))
}

fn serves_again(exchange: &Exchange, struck: &Injection, strike: Nanos) -> bool {
    let damaged = matches!(
        struck.effect,
        Effect::BitFlip
            | Effect::Truncated
            | Effect::Garbage
            | Effect::Older
            | Effect::Empty
            | Effect::ErrorBody
    );
    exchange.id.client == struck.at.client
        && exchange.id.server == struck.at.server
        && exchange.status.is_none_or(|status| status < 500)
        && if exchange.id == struck.at { !damaged } else { exchange.requested >= strike }
}

/// Whether an exchange failed for which the one at this place was made, or one above that: one of which its client is the
/// server, requested before it, and open all the time.
fn fails_above(exchanges: &[Exchange], place: usize) -> bool {
    let below = &exchanges[place];
    let encloses = |above: &Exchange| {
        above.id.server == below.id.client
            && above.delivered.is_some_and(|at| at <= below.requested)
            && below.completed <= above.replied
    };
    let mut above = (0..place).filter(|above| encloses(&exchanges[*above]));
    above.any(|above| {
        exchanges[above].status.is_some_and(|status| status >= 500) || fails_above(exchanges, above)
    })
}

/// See [`Blast`].
fn blast(record: &RunRecord, baseline: &RunRecord) -> Blast {
    let seen: BTreeMap<&ExchangeId, &Exchange> =
        record.exchanges.iter().map(|exchange| (&exchange.id, exchange)).collect();
    let affected: Vec<&Exchange> = baseline
        .exchanges
        .iter()
        .filter(|usual| seen.get(&usual.id).is_none_or(|exchange| went_worse(exchange, usual)))
        .collect();
    let hosts = record.hosts.iter().enumerate().filter(|(index, name)| {
        affected.iter().any(|exchange| exchange.id.client == **name)
            || record.events.iter().any(|s| usize::from(s.host) == *index && is_accident(&s.event))
    });
    Blast {
        exchanges: affected.len(),
        exchanges_total: baseline.exchanges.len(),
        hosts: hosts.count(),
        hosts_total: record.hosts.len(),
    }
}

pub(crate) fn went_worse(exchange: &Exchange, usual: &Exchange) -> bool {
    let class = |exchange: &Exchange| exchange.status.map(|status| status / 100);
    usual.completed.is_some() && exchange.completed.is_none() || class(exchange) != class(usual)
}

fn is_accident(event: &Event) -> bool {
    match event {
        Event::Panicked { .. } | Event::Killed { .. } => true,
        Event::Exited { status, .. } => *status != 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(client: &str, server: &str, times: [u64; 2], status: u16) -> Exchange {
        let [requested, completed] = times.map(Nanos::from_millis);
        let id = ExchangeId {
            client: client.to_string(),
            server: server.to_string(),
            name: "GET /".to_string(),
            ordinal: 1,
        };
        Exchange {
            id,
            connection: 1,
            on_connection: 1,
            requested,
            delivered: Some(requested),
            replied: Some(completed),
            completed: Some(completed),
            request_bytes: 9,
            reply_bytes: 9,
            server_calls: 1,
            server_disk_writes: 0,
            client_disk_writes: 0,
            status: Some(status),
            attempt: 1,
        }
    }

    #[test]
    fn a_reply_of_which_only_an_error_came_serves_nobody() {
        let made = |status| {
            [
                exchange("visitor", "site", [0, 9], status),
                exchange("site", "balancer", [1, 8], 200),
                exchange("balancer", "server", [2, 7], 200),
            ]
        };
        assert!(fails_above(&made(502), 2), "the visitor got an error");
        assert!(!fails_above(&made(200), 2));
        assert!(!fails_above(&made(404), 2), "that there is none is an answer");
        let mut late = made(502);
        late[2] = exchange("balancer", "server", [2, 10], 200);
        assert!(!fails_above(&late, 2), "what came later was not what it failed for");
        assert!(!fails_above(&made(502), 0), "nobody is above");
    }

    /// Where neither calls nor ways take time, two hosts may ask each other at the same moment.
    #[test]
    fn exchanges_of_one_moment_are_not_above_each_other() {
        let made = [exchange("a", "b", [1, 1], 200), exchange("b", "a", [1, 1], 200)];
        assert!(!fails_above(&made, 0) && !fails_above(&made, 1));
    }
}
