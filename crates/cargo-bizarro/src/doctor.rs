//! Looks whether worlds can run on this machine.

use bizarro::supervisor::doctor::{State, examine};
use bizarro_report::Exit;

/// Prints a line for each need.
pub(crate) fn report() -> Exit {
    let symptoms = examine();
    let mut exit = Exit::Held;
    for symptom in &symptoms {
        let (sign, what) = match &symptom.state {
            State::Met(what) => ("ok      ", what),
            State::Helped(what) => ("ok, but ", what),
            State::Missing(what) => {
                exit = Exit::Usage;
                ("MISSING ", what)
            }
        };
        let colon = if what.is_empty() { "" } else { ": " };
        println!("{sign} {}{colon}{what}", symptom.need);
    }
    exit
}
