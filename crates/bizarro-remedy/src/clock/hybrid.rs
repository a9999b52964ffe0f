//! Hybrid logical clocks (Kulkarni, Demirbas, Madappa, Avva, Leone: *Logical Physical Clocks*, OPODIS 2014): the crate
//! [`uhlc`], and what its user has to know.
//!
//! A [`Timestamp`] is above those of everything that could have caused it, is near the time of day, and is unique while
//! each node has an [`ID`] of its own. What `uhlc` leaves to its user:
//!
//! - **After a restart** the clock of the host may show an earlier time. A node that goes on must keep the highest
//!   timestamp that it gave out, or a bound above it, and begin with [`resumed`].
//! - **A timestamp that is far ahead** is refused ([`HLC::update_with_timestamp`]) and the event has then no place in the
//!   order: refuse the message too. How far is `max_delta`, which has to be above what clocks differ by.

pub use uhlc::{ExceedingDeltaError, HLC, HLCBuilder, ID, NTP64, Timestamp};

use std::time::Duration;

/// A clock that goes on after `last`, the highest timestamp that this node gave out before it was started again.
///
/// # Errors
/// The host's clock is so far behind `last` that the clock would refuse it from anybody: wait until it is set, and try
/// again.
pub fn resumed(
    id: ID,
    last: Option<&Timestamp>,
    max_delta: Duration,
) -> Result<HLC, ExceedingDeltaError> {
    let clock = HLCBuilder::new().with_id(id).with_max_delta(max_delta).build();
    if let Some(last) = last {
        clock.update_with_timestamp(last)?;
    }
    Ok(clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELTA: Duration = Duration::from_secs(1);

    fn id(number: u8) -> ID {
        ID::try_from([number]).unwrap()
    }

    /// A clock that stands at a second after 1970.
    fn behind() -> NTP64 {
        NTP64::from(Duration::from_secs(1))
    }

    fn ahead() -> NTP64 {
        NTP64::from(Duration::from_millis(1_003))
    }

    fn node(number: u8, clock: fn() -> NTP64) -> HLC {
        HLCBuilder::new().with_id(id(number)).with_clock(clock).with_max_delta(DELTA).build()
    }

    #[test]
    fn what_is_caused_is_later_though_the_clock_is_behind() {
        let (one, three) = (node(1, ahead), node(3, behind));
        let written = one.new_timestamp();
        assert!(three.new_timestamp() < written, "the clocks differ");
        three.update_with_timestamp(&written).unwrap();
        assert!(three.new_timestamp() > written);
    }

    #[test]
    fn equal_times_of_two_nodes_are_two_timestamps() {
        assert_ne!(node(1, behind).new_timestamp(), node(2, behind).new_timestamp());
    }

    #[test]
    fn a_time_far_ahead_is_refused() {
        fn far() -> NTP64 {
            NTP64::from(Duration::from_secs(1000))
        }
        assert!(node(1, behind).update_with_timestamp(&node(2, far).new_timestamp()).is_err());
    }

    #[test]
    fn a_node_goes_on_after_what_it_said_before_it_was_started_again() {
        let now = uhlc::system_time_clock();
        let soon = Timestamp::new(now + NTP64::from(Duration::from_millis(500)), id(1));
        let node = resumed(id(1), Some(&soon), DELTA).unwrap();
        assert!(node.new_timestamp() > soon);
        let far = Timestamp::new(now + NTP64::from(Duration::from_secs(60)), id(1));
        assert!(resumed(id(1), Some(&far), DELTA).is_err());
        assert!(resumed(id(1), None, DELTA).is_ok());
    }
}
