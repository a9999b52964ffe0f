//! The clock of a Linux host with the bound on its error that its time daemon gave to the kernel: adjtimex(2).

use std::time::Duration;

use rtime_clock::adjtime::{Timex, adjtimex};

use super::interval::{Interval, IntervalClock, Unbounded};

/// STA_UNSYNC of adjtimex(2): nobody sets the clock, or has not for long.
const STA_UNSYNC: i32 = 0x0040;
/// STA_NANO of adjtimex(2): fractions of seconds are nanoseconds, and else microseconds.
const STA_NANO: i32 = 0x2000;
/// TIME_ERROR of adjtimex(2): the clock is not synchronised.
const TIME_ERROR: i32 = 5;

/// CLOCK_REALTIME, with the kernel's maximum error around it.
///
/// The daemon sets that error when it sets the clock (ntpd, chrony: half of the way to the server, and what the server says
/// of its own clock); the kernel adds 500 µs for each second since, which is for a drift of 500 ppm. Time and error are of one
/// call. What the kernel cannot know: whether the servers said the truth, and how a leap second is smeared.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelClock {
    /// Added to the kernel's bound on both sides, for what the daemon leaves out.
    pub margin: Duration,
}

impl IntervalClock for KernelClock {
    fn now(&self) -> Result<Interval, Unbounded> {
        let unbounded = |why: &str| Unbounded { why: why.to_string() };
        let mut timex = Timex::new();
        let state = adjtimex(&mut timex).map_err(|error| Unbounded { why: error.to_string() })?;
        let timex = timex.0;
        if state == TIME_ERROR || timex.status & STA_UNSYNC != 0 {
            return Err(unbounded("it is not synchronised"));
        }
        let nanos_each = if timex.status & STA_NANO != 0 { 1 } else { 1000 };
        let (Ok(seconds), Ok(fraction), Ok(error)) = (
            u64::try_from(timex.time.tv_sec),
            u64::try_from(timex.time.tv_usec),
            u64::try_from(timex.maxerror),
        ) else {
            return Err(unbounded("it shows a time before 1970"));
        };
        let shown = Duration::from_secs(seconds) + Duration::from_nanos(fraction * nanos_each);
        Ok(Interval::around(shown, Duration::from_micros(error) + self.margin))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    /// On this machine, whether its clock is synchronised or not.
    #[test]
    fn it_knows_a_bound_or_says_that_there_is_none() {
        let since = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let before = since();
        match KernelClock::default().now() {
            Ok(now) => assert!(now.earliest <= since() && now.latest >= before, "{now:?}"),
            Err(error) => {
                assert!(error.to_string().starts_with("the error of the clock has no bound"))
            }
        }
    }
}
