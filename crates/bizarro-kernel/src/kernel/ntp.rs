//! The time daemons of hosts: they ask other hosts for the time, over the network as it is, and set their own clock.
//!
//! A daemon is not part of the host's program: it goes on when that crashes, stands still when the host does or has no
//! power, and starts again with the host. At each poll it asks all of its servers; a second later it takes what most of
//! them agree on ([`crate::clock::ntp::agreed`]). An offset of 128 ms or more is stepped at once; a smaller one is given to
//! the kernel's loop ([`crate::clock::timex`]), which learns the drift from it. Then it says how far the clock may be from
//! the truth: half of the way, the servers' own error, and the offset that is not yet worked off. Where too few answer,
//! nothing is done, and the maximum error grows.
//!
//! A server serves its own CLOCK_REALTIME. One without a daemon of its own is taken for a reference clock and claims no
//! error: where its clock is wrong, it lies. One whose own daemon has lost touch does not answer.
//!
//! DIVERGENCE: ntpd waits for 300 s before it steps a clock, and gives up over 1000 s; this daemon does neither, as
//! chrony with `makestep 0.128 -1`. It polls at a fixed interval.

use alloc::format;

use bizarro_record::{Event, Nanos, NtpSpec, WorldSpec};

use crate::clock::ntp::{Follower, PATIENCE, Reading, STEP_FROM, agreed};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::timers::Timer;

/// What the time daemon of a host does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ntp {
    /// It asks.
    Poll,
    /// Its question of this round is at a server; it left at this time of its own clock.
    Asked {
        /// Index of the server.
        server: u16,
        /// CLOCK_REALTIME of the host that asks.
        asked: Nanos,
        /// Number of the round.
        round: u32,
    },
    /// The answer is back.
    Answered {
        /// CLOCK_REALTIME of the host that asks, when it did.
        asked: Nanos,
        /// CLOCK_REALTIME of the server.
        served: Nanos,
        /// What the server says of its own error, in nanoseconds.
        error: i64,
        /// Number of the round.
        round: u32,
    },
    /// It looks at the answers of this round.
    Decide {
        /// Number of the round.
        round: u32,
    },
}

impl Kernel {
    /// Starts the time daemons.
    pub(super) fn start_time_daemons(&mut self, world: &WorldSpec) {
        for index in 0..self.hosts.len() as u16 {
            let Some(NtpSpec { servers, poll }) = &world.hosts[usize::from(index)].clock.ntp else {
                continue;
            };
            let place = |name: &alloc::string::String| {
                world.hosts.iter().position(|host| host.name == *name)
            };
            let servers = servers.iter().filter_map(place).map(|server| server as u16).collect();
            let (now, owner) = (self.now, &mut self.hosts[usize::from(index)]);
            owner.time.follower = Some(Follower::new(servers, *poll));
            owner.time.poll = Some(owner.clock.after(now, Nanos::ZERO));
            self.timers.push(now, Timer::Ntp(HostId(index), Ntp::Poll));
        }
    }

    pub(super) fn ntp(&mut self, host: HostId, ntp: Ntp) {
        match ntp {
            Ntp::Poll => self.ask_for_the_time(host),
            Ntp::Asked { server, asked, round } => self.tell_the_time(host, server, asked, round),
            Ntp::Answered { asked, served, error, round } => {
                let (now, owner) = (self.now, &mut self.hosts[usize::from(host.0)]);
                let answered = owner.clock.realtime(now);
                if let Some(follower) = owner.time.follower.as_mut().filter(|f| f.round == round) {
                    follower.readings.push(Reading::new(asked, served, answered, error));
                }
            }
            Ntp::Decide { round } => self.decide_the_time(host, round),
        }
    }

    fn ask_for_the_time(&mut self, host: HostId) {
        let now = self.now;
        let owner = &self.hosts[usize::from(host.0)];
        let is_away = owner.stands_still() || owner.is_off;
        let owner = &mut self.hosts[usize::from(host.0)];
        let Some(follower) = owner.time.follower.as_mut() else { return };
        if !owner.time.poll.is_some_and(|poll| owner.clock.is_due(poll, now)) {
            return;
        }
        let next = owner.clock.after(now, follower.poll);
        owner.time.poll = Some(next);
        follower.round += 1;
        follower.readings.clear();
        let (servers, round) = (follower.servers.clone(), follower.round);
        let asked = owner.clock.realtime(now);
        let decided = owner.clock.when(owner.clock.after(now, PATIENCE), now);
        self.timers.push(owner.clock.when(next, now), Timer::Ntp(host, Ntp::Poll));
        if is_away {
            return;
        }
        for server in servers {
            if let Some(at) = self.with_net(|net, cx| net.probe(cx, host.0, server)) {
                self.timers.push(at, Timer::Ntp(host, Ntp::Asked { server, asked, round }));
            }
        }
        self.timers.push(decided, Timer::Ntp(host, Ntp::Decide { round }));
    }

    fn tell_the_time(&mut self, host: HostId, server: u16, asked: Nanos, round: u32) {
        let asked_host = &self.hosts[usize::from(server)];
        if asked_host.stands_still() || asked_host.is_off {
            return;
        }
        let (now, owner) = (self.now, &mut self.hosts[usize::from(server)]);
        let (served, shown) = (owner.clock.realtime(now), owner.clock.monotonic(now));
        let mut error = 0;
        if owner.time.follower.is_some() {
            if owner.clock.timex.status(shown) & libc::STA_UNSYNC != 0 {
                return;
            }
            error = owner.clock.timex.max_error(shown) * 1000;
        }
        if let Some(at) = self.with_net(|net, cx| net.probe(cx, server, host.0)) {
            let answer = Ntp::Answered { asked, served, error, round };
            self.timers.push(at, Timer::Ntp(host, answer));
        }
    }

    fn decide_the_time(&mut self, host: HostId, round: u32) {
        let owner = &self.hosts[usize::from(host.0)];
        if owner.stands_still() || owner.is_off {
            return;
        }
        let (now, owner) = (self.now, &mut self.hosts[usize::from(host.0)]);
        let follower = owner.time.follower.as_ref().filter(|follower| follower.round == round);
        let Some((follower, found)) = follower.and_then(|f| Some((f, agreed(&f.readings)?))) else {
            return;
        };
        let constant = i64::from((follower.poll.0 / 1_000_000_000).max(16).ilog2()) - 4;
        let is_stepped = found.offset.saturating_abs() >= STEP_FROM;
        if is_stepped {
            if self.step_clock(host, found.offset).is_err() {
                return;
            }
            let text = format!(
                "the clock is set {} ms {} by its time daemon",
                found.offset.unsigned_abs() / 1_000_000,
                if found.offset < 0 { "back" } else { "forward" },
            );
            self.observer.event(now, host.0, 0, Event::Note { text });
        }
        let clock = &mut self.hosts[usize::from(host.0)].clock;
        let monotonic = clock.monotonic(now);
        let (timex, leaps) = (&mut clock.timex, libc::STA_INS | libc::STA_DEL);
        let status = timex.status & leaps | libc::STA_PLL;
        timex.status |= libc::STA_NANO;
        timex.set_status(monotonic, status);
        timex.set_constant(constant);
        let rest = if is_stepped { 0 } else { found.offset };
        if !is_stepped {
            timex.set_offset(monotonic, found.offset);
        }
        let micros = |nanos: i64| nanos.saturating_add(999) / 1000;
        timex.set_max_error(monotonic, micros(found.error.saturating_add(rest.saturating_abs())));
        timex.estimated_error = micros(rest.saturating_abs());
        self.timex_changed(host);
    }
}
