//! Between whom something is wrong.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use super::super::SpecError;

/// Any host.
pub const ANYBODY: &str = "*";

/// The way from hosts to others, or between them. Written `a>b` for what a sends to b, `a<>b` for both directions; each side
/// is a host, a group, a zone, or `*` for all hosts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub struct Way {
    /// Who sends.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// The other direction is meant, too.
    pub is_both: bool,
}

impl Way {
    /// The names that it is about.
    pub(super) fn hosts(&self) -> Vec<&str> {
        [&self.from, &self.to].into_iter().map(String::as_str).filter(|n| *n != ANYBODY).collect()
    }

    /// Replaces each name by what `rename` gives for it.
    pub(super) fn rename(&mut self, rename: impl Fn(&str) -> String) {
        for name in [&mut self.from, &mut self.to] {
            if name != ANYBODY {
                *name = rename(name);
            }
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.is_both { "<>" } else { ">" };
        write!(f, "{}{arrow}{}", self.from, self.to)
    }
}

impl FromStr for Way {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Way, SpecError> {
        let wrong = || SpecError::new(s, "a way such as `a>b`, `a<>b` or `a>*`");
        let (from, to, is_both) = match s.split_once("<>") {
            Some((from, to)) => (from, to, true),
            None => s.split_once('>').map(|(from, to)| (from, to, false)).ok_or_else(wrong)?,
        };
        let is_name = |name: &str| !name.is_empty() && !name.contains(['<', '>']);
        if !is_name(from) || !is_name(to) {
            return Err(wrong());
        }
        Ok(Way { from: from.to_string(), to: to.to_string(), is_both })
    }
}
