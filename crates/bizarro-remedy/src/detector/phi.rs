//! The phi accrual failure detector (Hayashibara, Défago, Yared, Katayama, SRDS 2004).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How suspicious the silence of a host is, as a number: at 1 one in ten such silences is that of a living host, at 2 one in
/// a hundred, at 8 one in 100 million, as far as the times between heartbeats are like those before.
///
/// These are taken to be normally distributed, with the mean and the deviation of the last of them.
#[derive(Clone, Debug)]
pub struct PhiAccrual {
    window: usize,
    /// Seconds between heartbeats.
    intervals: VecDeque<f64>,
    sum: f64,
    deviation_min: f64,
    pause: f64,
    last: Instant,
}

impl PhiAccrual {
    /// A detector for heartbeats that are sent every `expected`, the first of which may come from `now` on. It remembers
    /// 100 intervals; until there are some, the deviation is a quarter of the expected one.
    pub fn new(expected: Duration, now: Instant) -> PhiAccrual {
        let expected = expected.as_secs_f64();
        let intervals: VecDeque<f64> = [expected * 0.75, expected * 1.25].into();
        let sum = intervals.iter().sum();
        let deviation_min = expected / 10.0;
        PhiAccrual { window: 100, intervals, sum, deviation_min, pause: 0.0, last: now }
    }

    /// Remembers so many intervals, at least 2: fewer follow a change sooner and suspect more often.
    pub fn window(mut self, intervals: usize) -> PhiAccrual {
        self.window = intervals.max(2);
        self
    }

    /// Takes no host for more regular than this: a tenth of the expected interval otherwise. Else one late heartbeat after
    /// a thousand regular ones is suspicious.
    pub fn deviation_min(mut self, deviation: Duration) -> PhiAccrual {
        self.deviation_min = deviation.as_secs_f64().max(f64::EPSILON);
        self
    }

    /// Lets every silence pass that is so much longer than usual: a pause of the other host, or of this one.
    pub fn acceptable_pause(mut self, pause: Duration) -> PhiAccrual {
        self.pause = pause.as_secs_f64();
        self
    }

    /// A heartbeat came.
    pub fn heartbeat(&mut self, now: Instant) {
        let interval = now.saturating_duration_since(self.last).as_secs_f64();
        self.last = now;
        if self.intervals.len() >= self.window {
            self.intervals.pop_front();
        }
        self.intervals.push_back(interval);
        // Added up anew: what is added and taken away in turns loses its digits.
        self.sum = self.intervals.iter().sum();
    }

    /// How suspicious it is that no heartbeat came since the last one: 0 and more.
    pub fn phi(&self, now: Instant) -> f64 {
        let silence = now.saturating_duration_since(self.last).as_secs_f64();
        let count = self.intervals.len() as f64;
        let mean = self.sum / count;
        let square = |interval: &f64| (interval - mean) * (interval - mean);
        let variance = self.intervals.iter().map(square).sum::<f64>() / count;
        let deviation = variance.sqrt().max(self.deviation_min);
        minus_log10_of_tail((silence - self.pause - mean) / deviation)
    }
}

/// `-log10` of the probability that a normally distributed value is more than `y` deviations above its mean: for small `y` by
/// a logistic approximation (Bowling, Khasawneh, Kaewkuekool, Cho 2009), which falls too steeply further out and then ends;
/// there by an upper bound on Mills' ratio that is close (M. R. Sampford 1953).
fn minus_log10_of_tail(y: f64) -> f64 {
    const SWITCH: f64 = 2.0;
    if y < SWITCH {
        let exponent = y * (1.5976 + 0.070566 * y * y);
        return exponent.exp().ln_1p() / std::f64::consts::LN_10;
    }
    let mills = 4.0 / (3.0 * y + (y * y + 8.0).sqrt());
    let ln_density = -y * y / 2.0 - (2.0 * std::f64::consts::PI).sqrt().ln();
    -(ln_density + mills.ln()) / std::f64::consts::LN_10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Heartbeats after these many milliseconds, and when the last of them was.
    fn after(intervals: &[u64]) -> (PhiAccrual, Instant) {
        let mut now = Instant::now();
        let mut phi = PhiAccrual::new(ms(100), now);
        for interval in intervals {
            now += ms(*interval);
            phi.heartbeat(now);
        }
        (phi, now)
    }

    #[test]
    fn silence_grows_suspicious() {
        let (phi, now) = after(&[100; 50]);
        let at = |silence| phi.phi(now + ms(silence));
        assert!(at(0) < 0.001 && at(100) < 0.5, "{} {}", at(0), at(100));
        assert!(at(200) > 8.0);
        let rising: Vec<f64> = (0..100).map(|step| at(step * 10)).collect();
        assert!(rising.windows(2).all(|two| two[0] <= two[1]), "{rising:?}");
        assert!(at(3_600_000).is_finite());
    }

    #[test]
    fn it_follows_what_it_measures() {
        let (regular, now) = after(&[100; 50]);
        let (irregular, later) = after(&[40, 160, 20, 180, 100, 30, 170, 100, 60, 140].repeat(5));
        let silence = ms(250);
        assert!(regular.phi(now + silence) > 20.0);
        assert!(irregular.phi(later + silence) < 4.0);
        // A network that has become slow is no dead host for long.
        let slow: Vec<u64> = [vec![100; 100], vec![300; 100]].concat();
        let (slow, latest) = after(&slow);
        assert!(slow.phi(latest + ms(300)) < 0.5);
        let (patient, now) = after(&[100; 50]);
        assert!(patient.acceptable_pause(ms(500)).phi(now + ms(600)) < 0.5);
    }

    #[test]
    fn the_tail_is_that_of_the_normal_distribution() {
        // Tables: 1 - Φ(y).
        for (y, tail) in [(0.0, 0.5), (1.0, 0.158_655), (2.0, 0.022_750), (3.0, 0.001_349_9)] {
            let error = minus_log10_of_tail(y) + f64::log10(tail);
            assert!(error.abs() < 0.01, "{y}: {error}");
        }
        for (y, tail) in [(4.0, 3.167e-5_f64), (6.0, 9.866e-10), (8.0, 6.221e-16)] {
            let error = minus_log10_of_tail(y) + tail.log10();
            assert!(error.abs() < 0.01, "{y}: {error}");
        }
        let seam = minus_log10_of_tail(2.0) - minus_log10_of_tail(1.999_999);
        assert!(seam.abs() < 0.01, "{seam}");
    }
}
