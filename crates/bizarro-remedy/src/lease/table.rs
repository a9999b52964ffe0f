//! Who has which lease: the state of a service that grants them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Answer, Token};

/// The leases of a service, as a plain value. Times are those of the service's monotonic clock: spans since its process
/// began.
///
/// What is granted must be on the disk (or in the log of a majority) before it is answered: a token that is granted twice
/// fences nobody. Times are not kept, because the next process has another clock: see [`Table::restarted`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    granted: u64,
    held: BTreeMap<String, Held>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    holder: String,
    token: Token,
    ttl: Duration,
    #[serde(skip)]
    until: Duration,
}

impl Table {
    /// A table whose first token comes after `last`.
    pub fn after(last: Token) -> Table {
        Table { granted: last.0, held: BTreeMap::new() }
    }

    /// The table after a restart at `now`: nobody knows how long the service was away, so each lease lasts as long again
    /// as it was granted for.
    pub fn restarted(mut self, now: Duration) -> Table {
        for held in self.held.values_mut() {
            held.until = now + held.ttl;
        }
        self
    }

    /// Grants the lease if nobody else has it. A holder that has it gets it again, under the same token.
    ///
    /// # Panics
    /// After `u64::MAX` grants.
    pub fn acquire(&mut self, now: Duration, lease: &str, holder: &str, ttl: Duration) -> Answer {
        let until = now + ttl;
        if let Some(held) = self.held.get_mut(lease).filter(|held| now < held.until) {
            if held.holder != holder {
                return Answer::Held(held.until - now);
            }
            held.until = held.until.max(until);
            held.ttl = held.ttl.max(ttl);
            return Answer::Granted(held.token);
        }
        self.granted = self.granted.checked_add(1).expect("nobody lives to see so many grants");
        let token = Token(self.granted);
        let held = Held { holder: holder.to_string(), token, ttl, until };
        self.held.insert(lease.to_string(), held);
        Answer::Granted(token)
    }

    /// Gives the holder of this token more time, if its lease has not ended.
    pub fn renew(&mut self, now: Duration, lease: &str, token: Token, ttl: Duration) -> bool {
        let held = self.held.get_mut(lease);
        let Some(held) = held.filter(|held| now < held.until && held.token == token) else {
            return false;
        };
        held.until = held.until.max(now + ttl);
        held.ttl = held.ttl.max(ttl);
        true
    }

    /// Ends the lease of this token.
    pub fn release(&mut self, lease: &str, token: Token) {
        if self.held.get(lease).is_some_and(|held| held.token == token) {
            self.held.remove(lease);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_next_one_waits_for_the_end_and_gets_a_higher_token() {
        let mut table = Table::after(Token(32));
        assert_eq!(table.acquire(at(0), "file", "one", TTL), Answer::Granted(Token(33)));
        assert_eq!(table.acquire(at(10), "file", "two", TTL), Answer::Held(at(20)));
        assert_eq!(table.acquire(at(10), "other", "two", TTL), Answer::Granted(Token(34)));
        assert!(table.renew(at(20), "file", Token(33), TTL));
        assert_eq!(table.acquire(at(49), "file", "two", TTL), Answer::Held(at(1)));
        assert_eq!(table.acquire(at(50), "file", "two", TTL), Answer::Granted(Token(35)));
        assert!(!table.renew(at(50), "file", Token(33), TTL));
        table.release("file", Token(33));
        assert_eq!(table.acquire(at(51), "file", "one", TTL), Answer::Held(at(29)));
        table.release("file", Token(35));
        assert_eq!(table.acquire(at(51), "file", "one", TTL), Answer::Granted(Token(36)));
    }

    #[test]
    fn who_asks_again_has_it_already() {
        let mut table = Table::default();
        let granted = table.acquire(at(0), "file", "one", TTL);
        assert_eq!(table.acquire(at(5), "file", "one", TTL), granted);
    }

    #[test]
    fn a_restart_shortens_no_lease_and_repeats_no_token() {
        let mut table = Table::default();
        table.acquire(at(100), "file", "one", TTL);
        let kept = serde_json::to_string(&table).unwrap();
        let mut table: Table = serde_json::from_str::<Table>(&kept).unwrap().restarted(at(0));
        assert_eq!(table.acquire(at(29), "file", "two", TTL), Answer::Held(at(1)));
        assert_eq!(table.acquire(at(30), "file", "two", TTL), Answer::Granted(Token(2)));
    }
}
