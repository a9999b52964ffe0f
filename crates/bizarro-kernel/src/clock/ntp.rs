//! What a host's time daemon knows: the answers of its servers, and what follows from them.
//!
//! A question and its answer carry four times (RFC 5905, 8): the question left at `t1` and its answer came at `t4` by
//! the asking host's clock, and the server got the one and sent the other at `t2` by its own. The clock is behind the
//! server's by `((t2 − t1) + (t2 − t4)) / 2`, give or take half of `t4 − t1` and the server's own error. Of the answers
//! of one round those count whose intervals share a point with the intervals of more than half of the servers that
//! answered (Marzullo and Owicki, *Maintaining the Time in a Distributed System*, 1985; RFC 5905, 11.2.1): one server
//! that lies is outvoted by two that do not.
//!
//! It does not know how packets travel or how a clock is set; [`crate::kernel`] asks and acts.

use alloc::vec::Vec;

use bizarro_record::Nanos;

/// From this offset on a clock is stepped and not slewed, as ntpd does (STEPT, 128 ms).
pub const STEP_FROM: i64 = 128_000_000;
/// How long a round of questions waits for its answers.
pub const PATIENCE: Nanos = Nanos::from_secs(1);

/// What one server's answer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// What the server's clock is ahead, in nanoseconds.
    pub offset: i64,
    /// How far that may be from the truth, in nanoseconds.
    pub error: i64,
}

impl Reading {
    /// What the four times of an exchange say, with the error that the server claims for itself; all in nanoseconds.
    pub fn new(asked: Nanos, served: Nanos, answered: Nanos, error: i64) -> Reading {
        let there = i128::from(served.0) - i128::from(asked.0);
        let back = i128::from(served.0) - i128::from(answered.0);
        let clamp = |value: i128| value.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        // LINUX: a clock that was set back meanwhile must not make an error negative.
        let way = i128::from(answered.0.saturating_sub(asked.0)) / 2;
        Reading { offset: clamp((there + back) / 2), error: clamp(way + i128::from(error.max(0))) }
    }

    fn low(&self) -> i64 {
        self.offset.saturating_sub(self.error)
    }

    fn high(&self) -> i64 {
        self.offset.saturating_add(self.error)
    }
}

/// What more than half of the readings agree on: the middle of the narrowest interval that is part of the most of
/// them, and half of its length. `None` where no majority has a point in common, or there is no reading.
pub fn agreed(readings: &[Reading]) -> Option<Reading> {
    let count = |at: i64| readings.iter().filter(|r| r.low() <= at && at <= r.high()).count();
    let best = readings.iter().map(|r| count(r.low())).max()?;
    if best * 2 <= readings.len() {
        return None;
    }
    // The overlap begins where some interval begins and ends where the first one ends that goes on from there.
    let low = readings.iter().map(Reading::low).filter(|low| count(*low) == best).min()?;
    let holds = |r: &&Reading| r.low() <= low && low <= r.high();
    let high = readings.iter().filter(holds).map(Reading::high).min()?;
    let half = ((i128::from(high) - i128::from(low)) / 2) as i64;
    Some(Reading { offset: low.saturating_add(half), error: half })
}

/// The time daemon of a host.
#[derive(Clone, Debug)]
pub struct Follower {
    /// Indices of the hosts that it asks.
    pub servers: Vec<u16>,
    /// How often, by its own clock.
    pub poll: Nanos,
    /// Number of the current round, from 1.
    pub round: u32,
    /// The answers of this round.
    pub readings: Vec<Reading>,
}

impl Follower {
    /// A daemon that has asked nobody yet.
    pub fn new(servers: Vec<u16>, poll: Nanos) -> Follower {
        Follower { servers, poll, round: 0, readings: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(offset: i64, error: i64) -> Reading {
        Reading { offset, error }
    }

    #[test]
    fn the_offset_is_the_mean_of_both_ways_and_the_way_bounds_its_error() {
        // The clock is 5 behind; 10 there and 10 back.
        let read = Reading::new(Nanos(100), Nanos(115), Nanos(120), 3);
        assert_eq!(read, reading(5, 13));
        // 20 there and nothing back: the offset is wrong by the 10 that the error admits.
        let read = Reading::new(Nanos(100), Nanos(125), Nanos(120), 0);
        assert_eq!(read, reading(15, 10));
    }

    #[test]
    fn a_liar_is_outvoted_by_two_and_nobody_is_by_one() {
        let honest = [reading(10, 5), reading(12, 5)];
        assert_eq!(agreed(&[honest[0], reading(1000, 5), honest[1]]), Some(reading(11, 4)));
        assert_eq!(agreed(&[honest[0], reading(1000, 5)]), None);
        assert_eq!(agreed(&[reading(1000, 5)]), Some(reading(1000, 5)));
        assert_eq!(agreed(&[]), None);
    }

    #[test]
    fn the_narrowest_common_interval_counts() {
        assert_eq!(agreed(&[reading(0, 100), reading(3, 1), reading(0, 50)]), Some(reading(3, 1)));
    }
}
