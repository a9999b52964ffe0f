//! A host's process ends, or stands still.

use alloc::string::ToString;
use core::fmt;
use serde::{Deserialize, Serialize};

use super::{Form, Trouble};
use crate::plan::span;
use crate::time::Nanos;

/// How long the program of a crashed host is down.
pub(super) const CRASH_LASTS: Nanos = Nanos::from_secs(1);
/// How long a host is down that lost its power.
pub(super) const POWER_OFF_LASTS: Nanos = Nanos::from_secs(10);
/// How long a paused host stands still.
pub(super) const PAUSE_LASTS: Nanos = Nanos::from_secs(15);

pub(super) const CRASH: Form = Form {
    word: "crash",
    form: "crash HOST, such as `crash board`",
    example: "at 3s for 30s: crash board",
    meaning: "its process is killed, its connections are reset; then the program starts again, with all that was written to the disk",
    lasts: "1 s",
};

pub(super) const POWER_OFF: Form = Form {
    word: "power-off",
    form: "power-off HOST [all|some], such as `power-off db`",
    example: "at disk db #57: power-off db some",
    meaning: "it is silent at once and everything in memory is gone; then it starts again with what was synced to its disk, with `all` that was written, or with `some` of it, drawn from the seed",
    lasts: "10 s",
};

pub(super) const PAUSE: Form = Form {
    word: "pause",
    form: "pause HOST, such as `pause board`",
    example: "after \"elected\" #2 for 60s: pause @it",
    meaning: "the host stands still while the world goes on: a long garbage collection, or a virtual machine that is moved",
    lasts: "15 s",
};

/// How long a host's processes are killed again and again.
pub(super) const CRASH_LOOP_LASTS: Nanos = Nanos::from_secs(60);

pub(super) const CRASH_LOOP: Form = Form {
    word: "crash-loop",
    form: "crash-loop HOST TIME, such as `crash-loop board 5s`",
    example: "at 3s for 120s: crash-loop board 5s",
    meaning: "its process is killed and starts again after a second, as after a crash, and each process lives so long",
    lasts: "1 min",
};

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

impl fmt::Display for Survivors {
    /// As it stands behind the host's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Survivors::Nothing => "",
            Survivors::All => " all",
            Survivors::Some => " some",
        })
    }
}

pub(super) fn crash_loop(arguments: &[&str]) -> Option<Trouble> {
    let [host, lives] = *arguments else { return None };
    let lives = span(lives).filter(|lives| *lives > Nanos::ZERO)?;
    Some(Trouble::CrashLoop { host: host.to_string(), lives })
}

pub(super) fn power_off(arguments: &[&str]) -> Option<Trouble> {
    let (host, survivors) = match *arguments {
        [host] => (host, Survivors::Nothing),
        [host, "all"] => (host, Survivors::All),
        [host, "some"] => (host, Survivors::Some),
        _ => return None,
    };
    Some(Trouble::PowerOff { host: host.to_string(), survivors })
}
