//! Where a run is stopped, as the command line takes it.

use std::fmt;
use std::str::FromStr;

use bizarro_record::Nanos;

/// A moment of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Until {
    /// This virtual time.
    Time(Nanos),
    /// The first event whose line in the run's story holds this text.
    Event(String),
}

/// How many nanoseconds a unit has.
const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
];

impl FromStr for Until {
    type Err = &'static str;

    /// Reads `1.5s`, `350 ms` or `0.103412 s`, as stories write it; anything else is a text of an event.
    fn from_str(text: &str) -> Result<Until, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            return Err("expected a time such as `1.5s`, or a text of the event to stop at");
        }
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = UNITS.iter().find(|(known, _)| *known == unit.trim_start());
        Ok(match unit.and_then(|(_, each)| nanos(number, *each)) {
            Some(time) => Until::Time(time),
            None => Until::Event(text.to_string()),
        })
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Until::Time(time) => write!(f, "{}ns", time.0),
            Until::Event(text) => f.write_str(text),
        }
    }
}

/// A decimal number of units, exactly; what is below a nanosecond is left out. `None` where it is no number or
/// too large.
fn nanos(number: &str, each: u64) -> Option<Nanos> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.len() > 18 || !part.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u128 = if part.is_empty() {
        0
    } else {
        part.parse::<u128>().ok()? * u128::from(each) / 10_u128.pow(part.len() as u32)
    };
    whole.checked_mul(each)?.checked_add(u64::try_from(part).ok()?).map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(text: &str, nanos: u64) {
        let until: Until = text.parse().unwrap();
        assert_eq!(until, Until::Time(Nanos(nanos)));
        assert_eq!(until.to_string().parse(), Ok(until));
    }

    #[test]
    fn times_are_read_as_people_and_stories_write_them() {
        is("7ns", 7);
        is("1.5s", 1_500_000_000);
        is("350 ms", 350_000_000);
        is("0.103412 s", 103_412_000);
        is("2.5µs", 2_500);
        is("2.5us", 2_500);
        is("2min", 120_000_000_000);
        is("1.0000000019s", 1_000_000_001);
    }

    #[test]
    fn anything_else_is_a_text() {
        for text in ["POST /move #3", "5", "1.2.3s", "99999999999999999999s", ".5s", "5 seconds"] {
            assert_eq!(text.parse(), Ok(Until::Event(text.to_string())));
        }
        assert!(" ".parse::<Until>().unwrap_err().starts_with("expected a time"));
    }
}
