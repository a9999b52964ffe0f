//! Who holds which lock: the state machine that Raft replicates.
//!
//! There is no time in it: what one server's clock shows is nothing to another one's, and all have to come to the same
//! state. That a lease has ended is the leader's finding, and stands in the log as a word about a grant: `ended` of
//! [`Command::Acquire`]. `bizarro_remedy::lease::Table` is for a service of one clock.

use std::collections::BTreeMap;

use bizarro_remedy::lease::Token;
use serde::{Deserialize, Serialize};

/// The last token that was granted before this service began; the first of its own is 33, as in figure 8-5.
const BEFORE: Token = Token(32);

/// What is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Command {
    /// Grants a lock, if nobody else has it.
    Acquire {
        /// Which one.
        lock: String,
        /// Who wants it. Whoever has it already under this name is granted the same again.
        holder: String,
        /// The grant whose lease had ended when the leader looked. If it is another one by now, or has been granted again,
        /// the leader knew old things, and this says nothing.
        ended: Option<Grant>,
    },
    /// Takes back the grant with this token, if it has not ended.
    Release {
        /// Of which lock.
        lock: String,
        /// Which grant.
        token: Token,
    },
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The lock is granted.
    Granted(Token),
    /// Somebody else has it, under this token.
    Held(Token),
    /// It is free, or another one's since.
    Released,
    /// Nothing was asked: an entry of Raft's own.
    Nothing,
}

/// All locks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locks {
    /// The last token that was granted.
    granted: Token,
    held: BTreeMap<String, Grant>,
}

/// Who has a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The name under which it was asked for.
    pub holder: String,
    /// Its fencing token.
    pub token: Token,
    /// How often it was granted again: its lease began anew.
    pub again: u64,
}

impl Default for Locks {
    fn default() -> Locks {
        Locks { granted: BEFORE, held: BTreeMap::new() }
    }
}

impl Locks {
    /// Does a command.
    ///
    /// # Panics
    /// After `u64::MAX` grants.
    pub fn apply(&mut self, command: Command) -> Reply {
        match command {
            Command::Acquire { lock, holder, ended } => match self.held.get_mut(&lock) {
                Some(grant) if grant.holder == holder => {
                    grant.again += 1;
                    Reply::Granted(grant.token)
                }
                Some(grant) if ended.as_ref() != Some(grant) => Reply::Held(grant.token),
                _ => Reply::Granted(self.grant(lock, holder)),
            },
            Command::Release { lock, token } => {
                if self.held.get(&lock).is_some_and(|grant| grant.token == token) {
                    self.held.remove(&lock);
                }
                Reply::Released
            }
        }
    }

    fn grant(&mut self, lock: String, holder: String) -> Token {
        let next = self.granted.0.checked_add(1).expect("nobody lives to see so many grants");
        let token = Token(next);
        self.granted = token;
        self.held.insert(lock, Grant { holder, token, again: 0 });
        token
    }

    /// Who has this lock, as far as is known here.
    pub fn held(&self, lock: &str) -> Option<&Grant> {
        self.held.get(lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acquire(locks: &mut Locks, holder: &str, ended: Option<&Grant>) -> Reply {
        let (lock, holder) = ("file".to_string(), holder.to_string());
        locks.apply(Command::Acquire { lock, holder, ended: ended.cloned() })
    }

    fn release(locks: &mut Locks, token: u64) {
        let released = locks.apply(Command::Release { lock: "file".into(), token: Token(token) });
        assert_eq!(released, Reply::Released);
    }

    #[test]
    fn a_lock_has_one_holder_until_its_lease_has_ended() {
        let mut locks = Locks::default();
        assert_eq!(acquire(&mut locks, "one", None), Reply::Granted(Token(33)));
        assert_eq!(acquire(&mut locks, "two", None), Reply::Held(Token(33)));
        let first = locks.held("file").cloned();
        assert_eq!(acquire(&mut locks, "two", first.as_ref()), Reply::Granted(Token(34)));
        // Two leaders may have found the same.
        assert_eq!(acquire(&mut locks, "one", first.as_ref()), Reply::Held(Token(34)));
    }

    #[test]
    fn who_asks_again_is_granted_the_same_again() {
        let mut locks = Locks::default();
        let granted = acquire(&mut locks, "one", None);
        let first = locks.held("file").cloned();
        assert_eq!(acquire(&mut locks, "one", None), granted);
        // A leader that had not heard of it finds that the lease has ended, and it has begun anew.
        assert_eq!(acquire(&mut locks, "two", first.as_ref()), Reply::Held(Token(33)));
        let again = locks.held("file").cloned();
        assert_eq!(acquire(&mut locks, "two", again.as_ref()), Reply::Granted(Token(34)));
    }

    #[test]
    fn only_a_grants_own_token_releases_it() {
        let mut locks = Locks::default();
        acquire(&mut locks, "one", None);
        release(&mut locks, 32);
        assert_eq!(locks.held("file").map(|grant| grant.token), Some(Token(33)));
        release(&mut locks, 33);
        assert_eq!(locks.held("file"), None);
        assert_eq!(acquire(&mut locks, "two", None), Reply::Granted(Token(34)));
        release(&mut locks, 33);
        assert_eq!(acquire(&mut locks, "one", None), Reply::Held(Token(34)));
    }
}
