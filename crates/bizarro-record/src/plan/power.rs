//! When the power of a host fails, and what its disk keeps.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use super::SpecError;

/// What of a disk is left that was written but not synced, when the power fails.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Survivors {
    /// Nothing.
    #[default]
    Nothing,
    /// All of it, as after a crash of the host's process, but for pages of which a sync failed.
    All,
    /// What is drawn from the plan's seed: of each directory its first changes, of each file any of its pages, some of
    /// them torn.
    Some,
}

/// The power of a host fails. Its process is gone, with everything in memory; it says no more to anybody; ten seconds
/// later it starts again, with what its disk has kept.
///
/// Written `power-off board #57`, with ` all` or ` some` behind it where something survives that was not synced.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub struct PowerLoss {
    /// Name of the host.
    pub host: String,
    /// Just before this change of its disk (bytes, names, attributes, syncs), from 1.
    pub change: u64,
    /// What survives.
    pub survivors: Survivors,
}

const HEAD: &str = "power-off ";

/// Whether a part of a plan is meant to be a power loss.
pub(super) fn is_power_loss(part: &str) -> bool {
    part.starts_with(HEAD)
}

impl fmt::Display for PowerLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HEAD}{} #{}", self.host, self.change)?;
        f.write_str(match self.survivors {
            Survivors::Nothing => "",
            Survivors::All => " all",
            Survivors::Some => " some",
        })
    }
}

impl FromStr for PowerLoss {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<PowerLoss, SpecError> {
        let wrong =
            || SpecError::new(s, "power-off HOST #N [all|some], such as `power-off db #57`");
        let (host, rest) =
            s.strip_prefix(HEAD).and_then(|s| s.split_once(" #")).ok_or_else(wrong)?;
        let (change, survivors) = match rest.split_once(' ') {
            None => (rest, Survivors::Nothing),
            Some((change, "all")) => (change, Survivors::All),
            Some((change, "some")) => (change, Survivors::Some),
            Some(_) => return Err(wrong()),
        };
        let change = change.parse().ok().filter(|change| *change > 0).ok_or_else(wrong)?;
        if host.is_empty() || host.contains(' ') {
            return Err(wrong());
        }
        Ok(PowerLoss { host: host.to_string(), change, survivors })
    }
}
