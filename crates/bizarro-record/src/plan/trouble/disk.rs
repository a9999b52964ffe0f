//! A host's disk is full, fails, is slow, forgets, or is gone.

use alloc::string::{String, ToString};
use core::fmt;
use serde::{Deserialize, Serialize};

use super::{Form, Trouble};
use crate::plan::{Written, span};
use crate::time::Nanos;

/// How long a host is down that gets another disk.
const LOST_LASTS: Nanos = Nanos::from_secs(10);

const FULL: Form = Form {
    word: "disk-full",
    form: "disk-full HOST [once], such as `disk-full db`",
    example: "at 3s for 30s: disk-full db",
    meaning: "what needs room on its disk fails with ENOSPC, or the next one does that needs some",
    lasts: "to the end of the run",
};

const FAILS: Form = Form {
    word: "disk-fails",
    form: "disk-fails HOST [once], such as `disk-fails db once`",
    example: "at disk db #57: disk-fails db once",
    meaning: "writes and syncs of its disk fail with EIO, or the next one does; pages that a failed sync leaves behind count as clean, and are lost unless they are written again",
    lasts: "to the end of the run",
};

const READS_FAIL: Form = Form {
    word: "disk-reads-fail",
    form: "disk-reads-fail HOST [once], such as `disk-reads-fail db`",
    example: "after \"loaded\" #1 for 60s: disk-reads-fail @it",
    meaning: "reads of bytes of files fail with EIO, or the next one does",
    lasts: "to the end of the run",
};

const SLOW: Form = Form {
    word: "disk-slow",
    form: "disk-slow HOST TIME, such as `disk-slow db 50ms`",
    example: "at 3s for 60s: disk-slow db 50ms",
    meaning: "each of its system calls that reaches the disk takes so much longer",
    lasts: "to the end of the run",
};

const READ_ONLY: Form = Form {
    word: "disk-read-only",
    form: "disk-read-only HOST, such as `disk-read-only db`",
    example: "at disk db #57: disk-read-only db",
    meaning: "its file system is mounted read-only, as ext4 does after an error: every change and every sync fails with EROFS, and what was not written back by then never is",
    lasts: "to the end of the run, or to the next power loss",
};

const BIT_ROT: Form = Form {
    word: "bit-rot",
    form: "bit-rot HOST [PATH], such as `bit-rot db /var/lib/db/log`",
    example: "at 3s: bit-rot db",
    meaning: "a bit flips on its disk: of this file, or of any that its programs wrote; which, is drawn from the seed",
    lasts: "to the end of the run",
};

const MISPLACED: Form = Form {
    word: "misplaced-write",
    form: "misplaced-write HOST, such as `misplaced-write db`",
    example: "at disk db #57: misplaced-write db",
    meaning: "its next write of a sector or more lands in another place of the same file, drawn from the seed; its own place stays as it was",
    lasts: "to the end of the run",
};

const LOST: Form = Form {
    word: "disk-lost",
    form: "disk-lost HOST, such as `disk-lost db`",
    example: "after \"committed\" #3: disk-lost @it",
    meaning: "it loses its power and starts again with another disk, on which there is what the test put there",
    lasts: "10 s",
};

/// Every kind, as plans write it.
pub(super) const DISK_FORMS: [Form; 8] =
    [FULL, FAILS, READS_FAIL, SLOW, READ_ONLY, BIT_ROT, MISPLACED, LOST];

/// How often something fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Every time, until it is over.
    Always,
    /// The next time only.
    Once,
}

/// What goes wrong with a disk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskTrouble {
    /// What needs room fails with ENOSPC.
    Full(Times),
    /// Writes and syncs fail with EIO.
    Fails(Times),
    /// Reads of files fail with EIO.
    ReadsFail(Times),
    /// Each call that reaches the disk takes so much longer.
    Slow(Nanos),
    /// The file system is mounted read-only.
    ReadOnly,
    /// A bit flips: of the file of this path, or of any that was written.
    BitRot(Option<String>),
    /// The next write lands in another place of its file.
    Misplaced,
    /// The host loses its power, and starts again with a disk as it was made.
    Lost,
}

impl DiskTrouble {
    fn form(&self) -> &'static Form {
        match self {
            DiskTrouble::Full(_) => &FULL,
            DiskTrouble::Fails(_) => &FAILS,
            DiskTrouble::ReadsFail(_) => &READS_FAIL,
            DiskTrouble::Slow(_) => &SLOW,
            DiskTrouble::ReadOnly => &READ_ONLY,
            DiskTrouble::BitRot(_) => &BIT_ROT,
            DiskTrouble::Misplaced => &MISPLACED,
            DiskTrouble::Lost => &LOST,
        }
    }

    /// Its first word: `disk-full`.
    pub(super) fn word(&self) -> &'static str {
        self.form().word
    }

    /// How long it lasts by itself.
    pub(super) fn lasts(&self) -> Option<Nanos> {
        (*self == DiskTrouble::Lost).then_some(LOST_LASTS)
    }
}

impl fmt::Display for DiskTrouble {
    /// As it stands behind the host's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskTrouble::Full(Times::Once)
            | DiskTrouble::Fails(Times::Once)
            | DiskTrouble::ReadsFail(Times::Once) => f.write_str(" once"),
            DiskTrouble::Slow(delay) => write!(f, " {}", Written(*delay)),
            DiskTrouble::BitRot(Some(path)) => write!(f, " {path}"),
            DiskTrouble::Full(Times::Always)
            | DiskTrouble::Fails(Times::Always)
            | DiskTrouble::ReadsFail(Times::Always)
            | DiskTrouble::ReadOnly
            | DiskTrouble::BitRot(None)
            | DiskTrouble::Misplaced
            | DiskTrouble::Lost => Ok(()),
        }
    }
}

/// Reads what stands behind the first word.
pub(super) fn disk(word: &str, arguments: &[&str]) -> Option<Trouble> {
    let (host, rest) = arguments.split_first()?;
    let times = || match rest {
        [] => Some(Times::Always),
        ["once"] => Some(Times::Once),
        _ => None,
    };
    let alone = |trouble: DiskTrouble| rest.is_empty().then_some(trouble);
    let trouble = if word == FULL.word {
        DiskTrouble::Full(times()?)
    } else if word == FAILS.word {
        DiskTrouble::Fails(times()?)
    } else if word == READS_FAIL.word {
        DiskTrouble::ReadsFail(times()?)
    } else if word == SLOW.word {
        let [delay] = rest else { return None };
        DiskTrouble::Slow(span(delay).filter(|delay| *delay > Nanos::ZERO)?)
    } else if word == READ_ONLY.word {
        alone(DiskTrouble::ReadOnly)?
    } else if word == BIT_ROT.word {
        match *rest {
            [] => DiskTrouble::BitRot(None),
            [path] if path.starts_with('/') => DiskTrouble::BitRot(Some(path.to_string())),
            _ => return None,
        }
    } else if word == MISPLACED.word {
        alone(DiskTrouble::Misplaced)?
    } else {
        alone(DiskTrouble::Lost)?
    };
    Some(Trouble::Disk { host: host.to_string(), trouble })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        let written = [
            "disk-full db",
            "disk-full db once",
            "disk-fails db",
            "disk-fails db once",
            "disk-reads-fail db",
            "disk-reads-fail @it once",
            "disk-slow db 50ms",
            "disk-read-only db",
            "bit-rot db",
            "bit-rot db /var/lib/db/log",
            "misplaced-write db",
            "disk-lost db",
        ];
        for text in written {
            let trouble: Trouble = text.parse().unwrap();
            assert_eq!(trouble.to_string(), text);
        }
        let wrong = [
            "disk-full",
            "disk-full db twice",
            "disk-slow db",
            "disk-slow db 0s",
            "bit-rot db relative",
            "disk-lost db all",
            "disk-read-only db once",
        ];
        for text in wrong {
            assert!(text.parse::<Trouble>().is_err(), "{text}");
        }
    }
}
