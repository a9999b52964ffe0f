//! What a driven supervisor tells `cargo bizarro` on the way: lines among its output that begin with a
//! byte that no report holds.

use std::fmt;
use std::str::FromStr;

/// The byte that begins such a line.
const MARK: char = '\u{2}';

/// A message to whoever drives the supervisor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Everything before was libtest's; everything after that is no signal is for the user.
    Begin,
    /// A phase of this many runs begins.
    Phase {
        /// What it does, in words.
        name: String,
        /// How many runs; 0 where that is not known.
        runs: u64,
    },
    /// A run has ended.
    Ran {
        /// Whether it is a finding.
        broken: bool,
    },
    /// A swarm has come to this many combinations of state, exchange and fault.
    Combinations {
        /// How many.
        count: u64,
    },
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signal::Begin => write!(f, "{MARK}begin"),
            Signal::Phase { name, runs } => write!(f, "{MARK}phase {runs} {name}"),
            Signal::Ran { broken: false } => write!(f, "{MARK}ran"),
            Signal::Ran { broken: true } => write!(f, "{MARK}ran broken"),
            Signal::Combinations { count } => write!(f, "{MARK}combinations {count}"),
        }
    }
}

impl FromStr for Signal {
    type Err = ();

    /// Reads a line without its newline. `Err` where it is no signal.
    fn from_str(line: &str) -> Result<Signal, ()> {
        let text = line.strip_prefix(MARK).ok_or(())?;
        match text.split_once(' ') {
            None if text == "begin" => Ok(Signal::Begin),
            None if text == "ran" => Ok(Signal::Ran { broken: false }),
            Some(("ran", "broken")) => Ok(Signal::Ran { broken: true }),
            Some(("combinations", count)) => {
                Ok(Signal::Combinations { count: count.parse().map_err(|_| ())? })
            }
            Some(("phase", rest)) => {
                let (runs, name) = rest.split_once(' ').ok_or(())?;
                Ok(Signal::Phase { name: name.to_string(), runs: runs.parse().map_err(|_| ())? })
            }
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_as_they_are_written() {
        let phase = Signal::Phase { name: "failure matrix".into(), runs: 112 };
        let ran = [false, true].map(|broken| Signal::Ran { broken });
        let combinations = Signal::Combinations { count: 7 };
        for signal in [Signal::Begin, phase, combinations].into_iter().chain(ran) {
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
    }

    #[test]
    fn a_line_of_a_report_is_no_signal() {
        for line in ["begin", "", "\u{2}", "\u{2}phase x y", "ran"] {
            assert_eq!(line.parse::<Signal>(), Err(()));
        }
    }
}
