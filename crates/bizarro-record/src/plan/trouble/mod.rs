//! The kinds of trouble: what can go wrong with a host, its disk, its clock or the network around it.
//!
//! A kind is a variant of [`Trouble`], a line of [`FORMS`], and what the kernel does when it begins and when it ends
//! (`bizarro-kernel`, `kernel/incident.rs`).

mod forms;
mod host;
mod link;
mod traffic;
mod way;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use super::{End, SpecError};
use crate::time::Nanos;

pub use host::Survivors;
pub use link::LinkTrouble;
pub use traffic::Lie;
pub use way::{ANYBODY, Way};

/// Something that goes wrong, and where.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The process of the host is killed; its kernel says so to everybody it is connected to, and the disk has all that
    /// was written. When it ends the program starts again as a new process.
    Crash {
        /// Name of the host.
        host: String,
    },
    /// The host loses its power: its process is gone, with everything in memory, and it says no more to anybody. When it
    /// ends it starts again, with what its disk has kept.
    PowerOff {
        /// Name of the host.
        host: String,
        /// What of the disk survives that was written but not synced.
        survivors: Survivors,
    },
    /// The whole host stands still while the world goes on.
    Pause {
        /// Name of the host.
        host: String,
    },
    /// Something is wrong with the way between hosts.
    Link {
        /// Which way.
        way: Way,
        /// What.
        trouble: LinkTrouble,
    },
    /// A host is Byzantine: it lies in what it sends.
    Lie {
        /// Who lies to whom.
        way: Way,
        /// In which manner.
        lie: Lie,
        /// One message in this many, from 1.
        one_in: u32,
    },
    /// A host is Byzantine: its program is told so, and lies by itself.
    Traitor {
        /// Name of the host.
        host: String,
    },
    /// A client asks too much: copies of each of its requests follow it.
    Burst {
        /// Who asks whom.
        way: Way,
        /// Copies of each request, from 1.
        copies: u32,
    },
}

/// How a kind of trouble is written, for documentation and for errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    /// Its first word.
    pub word: &'static str,
    /// How it is written, arguments in capitals.
    pub form: &'static str,
    /// An example that can be read.
    pub example: &'static str,
    /// What goes wrong, and what is well again at its end.
    pub meaning: &'static str,
    /// How long it lasts where nothing else is said: `1 s`, or `to the end of the run`.
    pub lasts: &'static str,
}

/// Every kind of trouble.
pub const FORMS: &[Form] = &[
    host::CRASH,
    host::POWER_OFF,
    host::PAUSE,
    forms::PARTITION,
    forms::FLAP,
    forms::LOSS,
    forms::DELAY,
    forms::JITTER,
    forms::DUPLICATE,
    forms::REORDER,
    forms::STALL,
    forms::LIMP,
    forms::CORRUPT,
    forms::REFUSE,
    forms::RESET,
    forms::UNREACHABLE,
    forms::EAVESDROP,
    forms::TAMPER,
    forms::REPLAY,
    forms::INJECT,
    forms::LIE,
    forms::TRAITOR,
    forms::BURST,
];

impl Trouble {
    /// The names of the hosts and groups that it is about; [`IT`](super::IT) may be one.
    pub fn hosts(&self) -> Vec<&str> {
        match self {
            Trouble::Crash { host }
            | Trouble::PowerOff { host, .. }
            | Trouble::Pause { host }
            | Trouble::Traitor { host } => Vec::from([host.as_str()]),
            Trouble::Link { way, .. } | Trouble::Lie { way, .. } | Trouble::Burst { way, .. } => {
                way.hosts()
            }
        }
    }

    /// The same trouble, with each host's name replaced by what `rename` gives for it.
    pub fn renamed(&self, rename: impl Fn(&str) -> String) -> Trouble {
        let mut renamed = self.clone();
        match &mut renamed {
            Trouble::Crash { host }
            | Trouble::PowerOff { host, .. }
            | Trouble::Pause { host }
            | Trouble::Traitor { host } => *host = rename(host),
            Trouble::Link { way, .. } | Trouble::Lie { way, .. } | Trouble::Burst { way, .. } => {
                way.rename(rename);
            }
        }
        renamed
    }

    /// How long it lasts where a plan does not say it; `None` for what stays to the end of the run.
    pub fn lasts(&self) -> Option<Nanos> {
        match self {
            Trouble::Crash { .. } => Some(host::CRASH_LASTS),
            Trouble::PowerOff { .. } => Some(host::POWER_OFF_LASTS),
            Trouble::Pause { .. } => Some(host::PAUSE_LASTS),
            Trouble::Link { trouble, .. } => trouble.lasts(),
            Trouble::Lie { .. } | Trouble::Traitor { .. } => None,
            Trouble::Burst { .. } => Some(traffic::BURST_LASTS),
        }
    }

    /// Whether it is one of what is sent, so that it strikes when somebody sends something:
    /// [`Event::Felt`](crate::Event::Felt).
    pub fn is_felt(&self) -> bool {
        match self {
            Trouble::Link { .. }
            | Trouble::Lie { .. }
            | Trouble::Traitor { .. }
            | Trouble::Burst { .. } => true,
            Trouble::Crash { .. } | Trouble::PowerOff { .. } | Trouble::Pause { .. } => false,
        }
    }

    /// Whether it ends the process of a host.
    pub fn ends_process(&self) -> bool {
        matches!(self, Trouble::Crash { .. } | Trouble::PowerOff { .. })
    }

    /// What is expected instead, where this kind cannot end so.
    pub(super) fn objection(&self, end: Option<&End>) -> Option<&'static str> {
        match (self, end) {
            (Trouble::Pause { .. }, Some(End::Milestone(_))) => {
                Some("`for TIME`: a host that stands still is called back by a clock")
            }
            _ => None,
        }
    }

    /// Its first word: `pause`.
    pub fn word(&self) -> &'static str {
        match self {
            Trouble::Crash { .. } => host::CRASH.word,
            Trouble::PowerOff { .. } => host::POWER_OFF.word,
            Trouble::Pause { .. } => host::PAUSE.word,
            Trouble::Link { trouble, .. } => trouble.word(),
            Trouble::Lie { .. } => forms::LIE.word,
            Trouble::Traitor { .. } => forms::TRAITOR.word,
            Trouble::Burst { .. } => forms::BURST.word,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.word())?;
        match self {
            Trouble::Crash { host } | Trouble::Pause { host } | Trouble::Traitor { host } => {
                write!(f, " {host}")
            }
            Trouble::Link { way, trouble } => link::OnWay(way, *trouble).fmt(f),
            Trouble::Lie { way, lie, one_in } => write!(f, " {way} {lie} 1/{one_in}"),
            Trouble::Burst { way, copies } => write!(f, " {way} {copies}"),
            Trouble::PowerOff { host, survivors } => write!(f, " {host}{survivors}"),
        }
    }
}

impl FromStr for Trouble {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Trouble, SpecError> {
        let words: Vec<&str> = s.split(' ').collect();
        let (word, arguments) = words.split_first().unwrap_or((&"", &[]));
        let Some(form) = FORMS.iter().find(|form| form.word == *word) else {
            return Err(SpecError::new(s, "a trouble: one of those that docs/plans.md lists"));
        };
        let trouble = match (*word, arguments) {
            ("crash", [host]) => Some(Trouble::Crash { host: host.to_string() }),
            ("pause", [host]) => Some(Trouble::Pause { host: host.to_string() }),
            ("power-off", arguments) => host::power_off(arguments),
            ("traitor", [host]) => Some(Trouble::Traitor { host: host.to_string() }),
            ("lie", arguments) => traffic::lie(arguments),
            ("burst", arguments) => traffic::burst(arguments),
            (word, arguments) => link::read(word, arguments),
        };
        let trouble = trouble.filter(|trouble| trouble.hosts().iter().all(|host| is_host(host)));
        trouble.ok_or_else(|| SpecError::new(s, form.form))
    }
}

/// Whether this could be the name of a host or group.
fn is_host(name: &str) -> bool {
    !name.is_empty() && !name.contains([';', ':', '#', '<', '>', '='])
}
