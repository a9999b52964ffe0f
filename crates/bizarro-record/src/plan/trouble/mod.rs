//! The kinds of trouble: what can go wrong with a host, its disk, its clock or the network around it.
//!
//! A kind is a variant of [`Trouble`], a line of [`FORMS`], and what the kernel does when it begins and when it ends
//! (`bizarro-kernel`, `kernel/incident.rs`).

mod clock;
mod disk;
mod forms;
mod host;
mod link;
mod machine;
mod traffic;
mod way;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use super::{End, SpecError, Written};
use crate::clock::LeapSecond;
use crate::time::Nanos;

pub use clock::ClockFault;
pub use disk::{DiskTrouble, Times};
pub use host::Survivors;
pub use link::LinkTrouble;
pub use machine::MachineFault;
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
    /// The process of the host is killed again and again, so long after each start.
    CrashLoop {
        /// Name of the host.
        host: String,
        /// How long each process lives.
        lives: Nanos,
    },
    /// Something is wrong with the host's disk.
    Disk {
        /// Name of the host.
        host: String,
        /// What.
        trouble: DiskTrouble,
    },
    /// The host's clock is wrong.
    Clock {
        /// Name of the host.
        host: String,
        /// How.
        fault: ClockFault,
    },
    /// The day of UTC ends with a leap second, for all hosts.
    LeapSecond(LeapSecond),
    /// The host is slow, a thread of it stands still, it lacks memory, or its program crashes again and again.
    Machine {
        /// Name of the host.
        host: String,
        /// How.
        fault: MachineFault,
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
    host::CRASH_LOOP,
    disk::DISK_FORMS[0],
    disk::DISK_FORMS[1],
    disk::DISK_FORMS[2],
    disk::DISK_FORMS[3],
    disk::DISK_FORMS[4],
    disk::DISK_FORMS[5],
    disk::DISK_FORMS[6],
    disk::DISK_FORMS[7],
    clock::STEP,
    clock::DRIFT,
    clock::FREEZE,
    clock::COARSE,
    clock::LEAP_SECOND,
    machine::SLOW_CPU,
    machine::PAUSE_TASK,
    machine::MEMORY_LIMIT,
    machine::CRASH_AT_CALLS,
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
            | Trouble::CrashLoop { host, .. }
            | Trouble::Disk { host, .. }
            | Trouble::Clock { host, .. }
            | Trouble::Machine { host, .. }
            | Trouble::Traitor { host } => Vec::from([host.as_str()]),
            Trouble::LeapSecond(_) => Vec::new(),
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
            | Trouble::CrashLoop { host, .. }
            | Trouble::Disk { host, .. }
            | Trouble::Clock { host, .. }
            | Trouble::Machine { host, .. }
            | Trouble::Traitor { host } => *host = rename(host),
            Trouble::LeapSecond(_) => {}
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
            Trouble::CrashLoop { .. } => Some(host::CRASH_LOOP_LASTS),
            Trouble::Disk { trouble, .. } => trouble.lasts(),
            Trouble::Clock { fault: ClockFault::Freeze, .. } => Some(clock::FREEZE_LASTS),
            Trouble::Clock { .. } | Trouble::LeapSecond(_) => None,
            Trouble::Machine { fault, .. } => fault.lasts(),
            Trouble::Link { trouble, .. } => trouble.lasts(),
            Trouble::Lie { .. } | Trouble::Traitor { .. } => None,
            Trouble::Burst { .. } => Some(traffic::BURST_LASTS),
        }
    }

    /// Whether it is one of what is sent, so that it strikes when somebody sends something:
    /// [`Event::Felt`](crate::Event::Felt).
    pub fn is_felt(&self) -> bool {
        matches!(
            self,
            Trouble::Link { .. }
                | Trouble::Lie { .. }
                | Trouble::Traitor { .. }
                | Trouble::Burst { .. }
        )
    }

    /// Whether it ends the process of a host.
    pub fn ends_process(&self) -> bool {
        matches!(self, Trouble::Crash { .. } | Trouble::CrashLoop { .. }) || self.takes_power()
    }

    /// Whether a host loses its power, so that it has to be known what is on its disk.
    pub fn takes_power(&self) -> bool {
        matches!(self, Trouble::PowerOff { .. } | Trouble::Disk { trouble: DiskTrouble::Lost, .. })
    }

    /// What is expected instead, where this kind cannot end so.
    pub(super) fn objection(&self, end: Option<&End>) -> Option<&'static str> {
        match (self, end) {
            (
                Trouble::Pause { .. } | Trouble::Clock { fault: ClockFault::Freeze, .. },
                Some(End::Milestone(_)),
            ) => Some("`for TIME`: a host that stands still is called back by a clock"),
            (Trouble::LeapSecond(_), Some(_)) => {
                Some("neither `for` nor `until`: what a day has in seconds stays so")
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
            Trouble::CrashLoop { .. } => host::CRASH_LOOP.word,
            Trouble::Disk { trouble, .. } => trouble.word(),
            Trouble::Clock { fault, .. } => fault.form().word,
            Trouble::LeapSecond(_) => clock::LEAP_SECOND.word,
            Trouble::Machine { fault, .. } => fault.form().word,
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
            Trouble::CrashLoop { host, lives } => write!(f, " {host} {}", Written(*lives)),
            Trouble::Disk { host, trouble } => write!(f, " {host}{trouble}"),
            Trouble::Clock { host, fault } => write!(f, " {host}{fault}"),
            Trouble::LeapSecond(second) => write!(f, " {second}"),
            Trouble::Machine { host, fault } => write!(f, " {host}{fault}"),
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
            ("crash-loop", arguments) => host::crash_loop(arguments),
            (word, arguments) if disk::DISK_FORMS.iter().any(|form| form.word == word) => {
                disk::disk(word, arguments)
            }
            ("leap-second", [second]) => second.parse().ok().map(Trouble::LeapSecond),
            ("traitor", [host]) => Some(Trouble::Traitor { host: host.to_string() }),
            ("lie", arguments) => traffic::lie(arguments),
            ("burst", arguments) => traffic::burst(arguments),
            (word, arguments) => machine(word, arguments).or_else(|| link::read(word, arguments)),
        };
        let trouble = trouble.filter(|trouble| trouble.hosts().iter().all(|host| is_host(host)));
        trouble.ok_or_else(|| SpecError::new(s, form.form))
    }
}

/// What is wrong with a machine or its clock.
fn machine(word: &str, arguments: &[&str]) -> Option<Trouble> {
    let (host, rest) = arguments.split_first()?;
    let host = host.to_string();
    match (ClockFault::read(word, rest), MachineFault::read(word, rest)) {
        (Some(fault), _) => Some(Trouble::Clock { host, fault }),
        (_, Some(fault)) => Some(Trouble::Machine { host, fault }),
        _ => None,
    }
}

/// Whether this could be the name of a host or group.
fn is_host(name: &str) -> bool {
    !name.is_empty() && !name.contains([';', ':', '#', '<', '>', '='])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Incident;
    use alloc::format;

    #[test]
    fn the_example_of_each_kind_is_read_and_is_of_that_kind() {
        for form in FORMS {
            let incident: Incident = form.example.parse().unwrap();
            assert_eq!(incident.trouble.word(), form.word);
            let written = format!("{incident}");
            assert_eq!(written.parse::<Incident>().unwrap(), incident, "{written}");
            let has_end = !form.lasts.starts_with("to the end");
            assert_eq!(incident.trouble.lasts().is_some(), has_end, "{}", form.word);
        }
    }

    #[track_caller]
    fn round_trips(text: &str) {
        assert_eq!(format!("{}", text.parse::<Trouble>().unwrap()), text);
    }

    #[test]
    fn troubles_are_read_as_they_are_written() {
        round_trips("clock-step db -1500ms");
        round_trips("clock-step db +3600s");
        round_trips("clock-drift db -1500ppb");
        round_trips("clock-drift db +100000ppm");
        round_trips("coarse-clock db 1s");
        round_trips("leap-second delete");
        round_trips("pause-task db");
        round_trips("pause-task db 101");
        round_trips("memory-limit db 1GiB");
        round_trips("memory-limit db 1025KiB");
        round_trips("memory-limit db 7B");
        round_trips("crash-at-calls db 1");
        round_trips("slow-cpu db 2");
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = text.parse::<Trouble>().unwrap_err();
        assert!(error.expected.starts_with(expected), "{error}");
    }

    #[test]
    fn what_cannot_happen_is_refused() {
        refused("clock-step db 30s", "clock-step HOST");
        refused("clock-step db +0s", "clock-step HOST");
        refused("clock-step db +99999999999s", "clock-step HOST");
        refused("clock-drift db +100001ppm", "clock-drift HOST");
        refused("clock-drift db +5", "clock-drift HOST");
        refused("freeze db 5s", "freeze HOST");
        refused("coarse-clock db 2s", "coarse-clock HOST");
        refused("coarse-clock db 0ms", "coarse-clock HOST");
        refused("leap-second db", "leap-second insert");
        refused("slow-cpu db 1", "slow-cpu HOST");
        refused("pause-task db x", "pause-task HOST");
        refused("memory-limit db 5", "memory-limit HOST");
        refused("crash-at-calls db 0", "crash-at-calls HOST");
        refused("clock-leap db", "a trouble");
        let error = "at 1s for 2s: leap-second insert".parse::<Incident>().unwrap_err();
        assert!(error.expected.starts_with("neither"), "{error}");
    }
}
