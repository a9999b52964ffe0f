//! The author's own mistakes in the description of a world: what was found, and what to write instead.

use std::fmt;
use std::panic::Location;

/// One mistake and the place in the test that made it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mistake {
    /// What was found.
    pub(crate) found: String,
    /// What to write instead.
    pub(crate) instead: String,
    /// Where it was found.
    pub(crate) place: &'static Location<'static>,
}

impl Mistake {
    /// A mistake made by whoever called the function that calls this.
    #[track_caller]
    pub(crate) fn here(found: impl Into<String>, instead: impl Into<String>) -> Mistake {
        Mistake::at(Location::caller(), found, instead)
    }

    pub(crate) fn at(
        place: &'static Location<'static>,
        found: impl Into<String>,
        instead: impl Into<String>,
    ) -> Mistake {
        Mistake { found: found.into(), instead: instead.into(), place }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.found)?;
        writeln!(f, "  --> {}", self.place)?;
        write!(f, "  = {}", self.instead)
    }
}

/// All mistakes of a description, one after the other, as a reader of a terminal wants them.
pub(crate) fn render(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n\n")
}
