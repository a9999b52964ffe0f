//! A time as it stands in `grpc-timeout`: at most eight digits and a unit.

use std::time::Duration;

/// The most that eight digits hold.
const MAX: u128 = 99_999_999;

/// Units from the finest on, with their nanoseconds.
const UNITS: [(char, u128); 6] = [
    ('n', 1),
    ('u', 1_000),
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60_000_000_000),
    ('H', 3_600_000_000_000),
];

/// A time in the finest unit that has room for it, rounded down: who is told is done in time. What is longer than eight
/// digits of hours is written as that.
pub fn write(time: Duration) -> String {
    let nanos = time.as_nanos();
    let fits = UNITS.iter().find(|(_, unit)| nanos / unit <= MAX);
    match fits {
        Some((letter, unit)) => format!("{}{letter}", nanos / unit),
        None => format!("{MAX}H"),
    }
}

/// The time that a text says; `None` if it says none.
pub fn read(text: &str) -> Option<Duration> {
    let letter = text.chars().next_back()?;
    let digits = &text[..text.len() - letter.len_utf8()];
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == letter)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u32 = digits.parse().ok()?;
    let whole = u64::try_from(unit / 1_000_000_000).ok()?;
    let part = u32::try_from(unit % 1_000_000_000).ok()?;
    Some(Duration::new(whole, part) * count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (time, text) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_millis(100), "100000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(1_000_000), "1000000S"),
        ] {
            assert_eq!((write(time).as_str(), read(text)), (text, Some(time)));
        }
        assert_eq!(write(Duration::MAX), "99999999H");
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
    }

    #[test]
    fn other_texts_say_nothing() {
        for bad in ["", "S", "1", "-1S", "+1S", "1 S", "1.5S", "123456789S", "1s", "1é", "é"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
