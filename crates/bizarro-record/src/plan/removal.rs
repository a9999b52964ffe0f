//! A dependency that is missing for a whole run.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use super::{Effect, SpecError};

/// Takes away from a host the one that it asks, from the start of a run to its end: no connection that the client asks
/// for comes about, and none of its datagrams arrives. What the server asks of the client is not touched.
///
/// Written `player>board removed=refused`. Both ends may be groups, which stand for each of their hosts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub struct Removal {
    /// Name of the host, or group of hosts, that asks.
    pub client: String,
    /// Name of the host, or group of hosts, that is asked.
    pub server: String,
    /// What the client is told; one of [`Removal::EFFECTS`].
    pub effect: Effect,
}

impl Removal {
    /// How a server can be missing: it refuses, nobody knows the way to it, or nothing is heard of it.
    pub const EFFECTS: [Effect; 3] = [Effect::Refused, Effect::Unreachable, Effect::Partition];
}

/// What stands between the two ends and the effect.
const WORD: &str = " removed=";

/// Whether a part of a plan is meant for a removal.
pub(super) fn is_removal(part: &str) -> bool {
    // A name may hold these letters, but then an ordinal and a step come after it.
    part.split_once('>').is_some_and(|(_, rest)| {
        rest.split_once(' ').is_some_and(|(_, rest)| rest.starts_with(&WORD[1..]))
            && !rest.contains(" #")
    })
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{}{WORD}{}", self.client, self.server, self.effect)
    }
}

impl FromStr for Removal {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Removal, SpecError> {
        let wrong = || {
            SpecError::new(
                s,
                "CLIENT>SERVER removed=EFFECT with refused, unreachable or partition, such as `player>board removed=refused`",
            )
        };
        let (ends, effect) = s.split_once(WORD).ok_or_else(wrong)?;
        let (client, server) = ends.split_once('>').ok_or_else(wrong)?;
        let effect = effect.parse().ok().filter(|effect| Removal::EFFECTS.contains(effect));
        if client.is_empty() || server.is_empty() {
            return Err(wrong());
        }
        Ok(Removal {
            client: client.to_string(),
            server: server.to_string(),
            effect: effect.ok_or_else(wrong)?,
        })
    }
}
