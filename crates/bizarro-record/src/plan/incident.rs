//! What goes wrong with a host, its disk, its clock or the network around it, and from when to when.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use super::{End, Moment, SpecError, Trouble};

/// Something goes wrong at a moment and, where it is a thing that lasts, is well again later.
///
/// Written `at 3s for 15s: pause board`; without `for` or `until` it lasts as long as its kind does by itself
/// ([`Trouble::lasts`]). Where it is not known beforehand which host it will be, `@it` stands for the one at which the
/// moment came: `after "elected" #2: power-off @it`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub struct Incident {
    /// When it begins.
    pub moment: Moment,
    /// When it ends, where the plan says so.
    pub end: Option<End>,
    /// What goes wrong.
    pub trouble: Trouble,
}

/// The host at which the moment of an incident came.
pub const IT: &str = "@it";

impl Incident {
    /// Whether somebody says which host `@it` is: every moment but a time is one of a host.
    pub fn knows_it(&self) -> bool {
        !matches!(self.moment, Moment::Time(_))
    }
}

/// Whether a part of a plan is meant for an incident.
pub(super) fn is_incident(part: &str) -> bool {
    part.starts_with("at ") || part.starts_with("after ")
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.moment.fmt(f)?;
        if let Some(end) = &self.end {
            write!(f, " {end}")?;
        }
        write!(f, ": {}", self.trouble)
    }
}

impl FromStr for Incident {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Incident, SpecError> {
        // The name of an exchange or of a milestone may hold a colon: the right one is where both sides make sense.
        let mut first_error = None;
        for (colon, _) in s.match_indices(": ") {
            match incident(&s[..colon], &s[colon + 2..]) {
                Ok(incident) => return Ok(incident),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| {
            SpecError::new(
                s,
                "MOMENT [for TIME]: TROUBLE, such as `at 3s for 15s: pause board` or `after \"committed\" #3: power-off db`",
            )
        }))
    }
}

fn incident(when: &str, what: &str) -> Result<Incident, SpecError> {
    let (moment, end) = halves(when);
    let incident = Incident {
        moment: moment.parse()?,
        end: end.map(str::parse).transpose()?,
        trouble: what.parse()?,
    };
    match incident.trouble.objection(incident.end.as_ref()) {
        Some(expected) => Err(SpecError::new(when, expected)),
        None => Ok(incident),
    }
}

/// The moment, and the end where there is one.
fn halves(when: &str) -> (&str, Option<&str>) {
    // What is quoted is a name; and so is what stands in an exchange before its ordinal.
    let until =
        when.rfind(" until \"").filter(|at| when[..*at].matches('"').count().is_multiple_of(2));
    let lasting = when.rfind(" for ").filter(|at| !when[*at..].contains(['"', '#']));
    match until.or(lasting) {
        Some(at) => (&when[..at], Some(&when[at + 1..])),
        None => (when, None),
    }
}
