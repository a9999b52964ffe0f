//! What a test says of a host's clock and of how fast the host is.

use std::time::Duration;

use bizarro_record::{ClockSpec, DRIFT_MAX, LeapHandling, Nanos, NtpSpec, OutOfMemory};

use crate::host::{Host, HostDraft};
use crate::mistake::Mistake;
use crate::world::World;

/// How often a time daemon asks.
const POLL: Nanos = Nanos::from_secs(64);
/// A host that is slower than this would not come far in any run.
const SLOWDOWN_MAX: u32 = 1_000_000;

impl Host<'_> {
    fn clock(&mut self) -> &mut ClockSpec {
        &mut self.spec().clock
    }

    /// Its clock shows a time that is this much later than the true one when the world starts (CLOCK_REALTIME only).
    pub fn clock_ahead(mut self, by: Duration) -> Self {
        self.clock().offset = signed(by);
        self
    }

    /// Its clock shows a time that is this much earlier than the true one when the world starts (CLOCK_REALTIME only).
    pub fn clock_behind(mut self, by: Duration) -> Self {
        self.clock().offset = -signed(by);
        self
    }

    /// Its clock is too fast by this many parts per million; too slow where that is negative. Everything that the host
    /// measures is wrong by that: CLOCK_REALTIME, CLOCK_MONOTONIC, `rdtsc`, sleeps and time-outs. Good crystals drift by
    /// 20 ppm, and 200 ppm is what careful protocols allow for (Corbett et al., *Spanner*, OSDI 2012).
    #[track_caller]
    pub fn clock_drift_ppm(mut self, ppm: f64) -> Self {
        let ppb = ppm * 1000.0;
        if ppb.is_finite() && ppb.abs() <= DRIFT_MAX as f64 {
            self.clock().drift_ppb = ppb.round() as i64;
        } else {
            self.mistake(Mistake::here(
                format!("a clock that drifts by {ppm} ppm"),
                "write parts per million, from -100000.0 to 100000.0: `.clock_drift_ppm(200.0)`",
            ));
        }
        self
    }

    /// All its clocks step by this much, as where the machine has no better clock source than its timer tick (4 ms).
    /// Without this they show nanoseconds; the `_COARSE` ones always step with the tick.
    #[track_caller]
    pub fn clock_resolution(mut self, step: Duration) -> Self {
        if step.is_zero() || step > Duration::from_secs(1) {
            self.mistake(Mistake::here(
                format!("a clock that steps by {step:?}"),
                "write a span of 1 ns to 1 s: `.clock_resolution(millis(4))`",
            ));
        }
        self.clock().resolution = step.into();
        self
    }

    /// What it does at a leap second; without this its kernel repeats 23:59:59, or leaves it out.
    pub fn leap_seconds(mut self, handling: LeapHandling) -> Self {
        self.clock().leap = handling;
        self
    }

    /// Its time daemon asks these hosts for the time, every 64 s, over the network as it is, and sets its clock: as `ntpd`
    /// does, but an offset of 128 ms or more is stepped at once. What it knows of the clock's error is in adjtimex(2).
    ///
    /// A server shows its own CLOCK_REALTIME; where that is wrong, it lies. [`World::time_server`] declares one. Without
    /// this a host follows nobody, and adjtimex(2) says so.
    #[track_caller]
    pub fn ntp(mut self, servers: &[&str]) -> Self {
        if servers.is_empty() {
            self.mistake(Mistake::here(
                "a time daemon without servers",
                "name hosts: `.ntp(&[\"time1\", \"time2\", \"time3\"])`",
            ));
        }
        let servers = servers.iter().map(ToString::to_string).collect();
        self.clock().ntp = Some(NtpSpec { servers, poll: POLL });
        self
    }

    /// Its CPUs take this many times as long for each system call as those of other hosts, and are shared by its tasks
    /// where more of them want to run than [`Host::cpus`] says. What a program computes between two calls takes no virtual
    /// time.
    #[track_caller]
    pub fn slow_cpu(mut self, times: u32) -> Self {
        if (1..=SLOWDOWN_MAX).contains(&times) {
            self.spec().slowdown = times;
        } else {
            self.mistake(Mistake::here(
                format!("a CPU that is {times} times as slow"),
                format!("write a number from 1 to {SLOWDOWN_MAX}"),
            ));
        }
        self
    }

    /// A process that wants more memory than the host has is killed with SIGKILL, as Linux's OOM killer does, and
    /// started again. Without this, the allocation fails.
    pub fn oom_kills(mut self) -> Self {
        self.spec().out_of_memory = OutOfMemory::Kills;
        self
    }
}

impl World {
    /// Adds a host that does nothing but show its clock to the time daemons of others ([`Host::ntp`]).
    #[track_caller]
    pub fn time_server(&mut self, name: &str) -> Host<'_> {
        self.host(name).program(|| {
            loop {
                std::thread::park();
            }
        })
    }
}

fn signed(span: Duration) -> i64 {
    i64::try_from(Nanos::from(span).0).unwrap_or(i64::MAX)
}

/// A time daemon asks hosts that there are, and not its own.
pub(crate) fn check_time_servers(hosts: &[HostDraft], mistakes: &mut Vec<Mistake>) {
    let names: Vec<&str> = hosts.iter().map(HostDraft::name).collect();
    for host in hosts {
        for server in host.spec.clock.ntp.iter().flat_map(|ntp| &ntp.servers) {
            let wrong = match names.contains(&server.as_str()) {
                false => {
                    format!("`{}` asks `{server}` for the time, which is no host", host.name())
                }
                true if server == host.name() => format!("`{server}` asks itself for the time"),
                true => continue,
            };
            mistakes.push(Mistake::at(
                host.place,
                wrong,
                format!("the hosts of this world: {}", names.join(", ")),
            ));
        }
    }
}
