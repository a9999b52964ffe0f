//! Incidents: what goes wrong with hosts because the test or the plan says so, from when to when.
//!
//! A kind of trouble is two places here: what happens when it begins ([`Kernel::begin_trouble`]) and what is well again
//! when it is over ([`Kernel::end_trouble`]).

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use bizarro_record::{End, Event, IT, Incident, Milestone, Moment, Nanos, Trouble};

use crate::fs::Fs;
use crate::host::{HostId, Life};
use crate::kernel::{Kernel, Left, RESTART_AFTER};
use crate::timers::Timer;

/// All incidents of a run.
#[derive(Default)]
pub(crate) struct Incidents {
    planned: Vec<Planned>,
    /// Those whose moment has come, which begin before the next system call of this host.
    due: Vec<(usize, HostId)>,
}

/// An incident and how far it has come.
struct Planned {
    incident: Incident,
    state: State,
    /// How many times the milestone of its beginning was reached; while it lasts, that of its end.
    reached: u32,
}

enum State {
    Waiting,
    /// It takes effect; with the names of the hosts in it.
    Lasting(Trouble),
    Over,
}

impl Incidents {
    pub(super) fn new(incidents: Vec<Incident>) -> Incidents {
        let planned = |incident| Planned { incident, state: State::Waiting, reached: 0 };
        Incidents { planned: incidents.into_iter().map(planned).collect(), due: Vec::new() }
    }

    fn waiting(&self) -> impl Iterator<Item = (usize, &Incident)> {
        let all = self.planned.iter().enumerate();
        let waiting = all.filter(|(_, planned)| matches!(planned.state, State::Waiting));
        waiting.map(|(index, planned)| (index, &planned.incident))
    }
}

/// A disk that is ready for what will happen to a host: `names` are those that it goes by.
pub(super) fn ready_disk(mut disk: Fs, incidents: &[Incident], names: &[&str]) -> Fs {
    let concerns = |name: &str| name == IT || names.contains(&name);
    let loses_power = |incident: &Incident| {
        incident.trouble.takes_power() && incident.trouble.hosts().into_iter().any(concerns)
    };
    if incidents.iter().any(loses_power) {
        disk.keep_platter();
    }
    let mut watched: Vec<(u64, bool)> = Vec::new();
    for incident in incidents {
        let Moment::Disk { host, change } = &incident.moment else { continue };
        if !concerns(host) {
            continue;
        }
        let stops =
            incident.trouble.ends_process() && incident.trouble.hosts().into_iter().any(concerns);
        match watched.iter_mut().find(|(known, _)| known == change) {
            Some((_, known)) => *known |= stops,
            None => watched.push((*change, stops)),
        }
    }
    watched.sort_unstable();
    if !watched.is_empty() {
        disk.watch_changes(watched);
    }
    disk
}

impl Kernel {
    /// Has the moments of all incidents looked out for.
    pub(super) fn look_out(&mut self) {
        for index in 0..self.incidents.planned.len() {
            match self.incidents.planned[index].incident.moment.clone() {
                // `@it` is nobody: whoever makes plans sees to that.
                Moment::Time(at) => self.timers.push(at, Timer::Incident(index, HostId(0))),
                Moment::Call { host, .. } => {
                    for host in self.hosts_called(&host) {
                        let owner = &mut self.hosts[usize::from(host.0)];
                        owner.counted_calls = Some(0);
                        owner.watched = true;
                    }
                }
                Moment::Step { exchange, step } => self.net.watch_step(exchange, step, index),
                Moment::Disk { .. } | Moment::Milestone { .. } => {}
            }
        }
    }

    /// The hosts of this name, or of the group that is called so.
    pub(crate) fn hosts_called(&self, name: &str) -> Vec<HostId> {
        let is_meant = |host: &&crate::host::Host| {
            host.spec.name == name || host.spec.group.as_deref() == Some(name)
        };
        self.hosts.iter().filter(is_meant).map(|host| host.id).collect()
    }

    /// What has to be looked at before a system call of a watched host. Says whether the current task does not get to make
    /// it now: it is gone, or its host stands still.
    #[cold]
    pub(super) fn watched_call(&mut self, host: HostId) -> bool {
        let index = usize::from(host.0);
        if self.hosts[index].crash_at.is_some() && self.crash_comes_nearer(host) {
            return true;
        }
        if let Some(calls) = &mut self.hosts[index].counted_calls {
            *calls += 1;
            let calls = *calls;
            let names = [Some(&self.hosts[index].spec.name), self.hosts[index].spec.group.as_ref()];
            let is_now = |incident: &Incident| {
                matches!(&incident.moment, Moment::Call { host, number }
                    if *number == calls && names.contains(&Some(host)))
            };
            let now = self.incidents.waiting().filter(|(_, incident)| is_now(incident));
            let now: Vec<usize> = now.map(|(index, _)| index).collect();
            self.incidents.due.extend(now.into_iter().map(|incident| (incident, host)));
        }
        let due = core::mem::take(&mut self.incidents.due);
        let (now, later): (Vec<_>, Vec<_>) = due.into_iter().partition(|(_, at)| *at == host);
        self.incidents.due = later;
        for (incident, _) in now {
            self.begin(incident, host);
        }
        let owner = &mut self.hosts[index];
        let stands_still = owner.stands_still();
        owner.watched = owner.crash_at.is_some()
            || owner.counted_calls.is_some()
            || owner.slowdown > 1
            || stands_still;
        stands_still || self.current_is_gone() || self.task().held_until.is_some()
    }

    /// A program has come to what it calls so.
    pub fn milestone(&mut self, host: HostId, name: &str) {
        for index in 0..self.incidents.planned.len() {
            let planned = &mut self.incidents.planned[index];
            let awaited = match (&planned.state, &planned.incident) {
                (State::Waiting, Incident { moment: Moment::Milestone { milestone, .. }, .. })
                | (State::Lasting(_), Incident { end: Some(End::Milestone(milestone)), .. }) => {
                    milestone
                }
                _ => continue,
            };
            if awaited.name != name {
                continue;
            }
            planned.reached += 1;
            if planned.reached != awaited.count {
                continue;
            }
            match (&planned.state, &planned.incident.moment) {
                (State::Lasting(_), _) => self.timers.push(self.now, Timer::Heal(index)),
                (_, Moment::Milestone { later: Nanos::ZERO, .. }) => {
                    self.incidents.due.push((index, host));
                    self.hosts[usize::from(host.0)].watched = true;
                }
                (_, Moment::Milestone { later, .. }) => {
                    self.timers.push(self.now + *later, Timer::Incident(index, host));
                }
                _ => {}
            }
        }
    }

    /// The disk of a host has come to a change that an incident waits for.
    #[cold]
    pub(super) fn disk_moment_came(&mut self, host: HostId) {
        let index = usize::from(host.0);
        let fs = self.hosts[index].fs();
        let stopped = fs.is_stopped();
        fs.seen_changes();
        let next = fs.writes() + u64::from(stopped);
        let names = [Some(&self.hosts[index].spec.name), self.hosts[index].spec.group.as_ref()];
        let is_now = |incident: &Incident| {
            matches!(&incident.moment, Moment::Disk { host, change }
                if *change <= next && names.contains(&Some(host)))
        };
        let now = self.incidents.waiting().filter(|(_, incident)| is_now(incident));
        let now: Vec<usize> = now.map(|(index, _)| index).collect();
        for incident in now {
            self.begin(incident, host);
        }
        // Whatever stopped it is done with it.
        self.hosts[index].fs().go_on();
    }

    /// The moment of an incident has come, at the host that is `@it`. Nothing happens where the trouble finds nobody to
    /// strike, such as a crash of a host that is down.
    pub(crate) fn begin(&mut self, index: usize, it: HostId) {
        let planned = &self.incidents.planned[index];
        if !matches!(planned.state, State::Waiting) {
            return;
        }
        let incident = planned.incident.clone();
        let name = |name: &str| match name {
            IT => self.hosts[usize::from(it.0)].spec.name.clone(),
            name => name.to_string(),
        };
        let trouble = incident.trouble.renamed(name);
        let lasts = match &incident.end {
            Some(End::After(span)) => Some(*span),
            Some(End::Milestone(Milestone { .. })) => None,
            None => trouble.lasts(),
        };
        let first =
            trouble.hosts().first().and_then(|name| self.hosts_called(name).first().copied());
        let host = first.unwrap_or(it);
        self.incidents.planned[index].reached = 0;
        if !self.can_begin(&trouble) {
            self.incidents.planned[index].state = State::Over;
            return;
        }
        self.incidents.planned[index].state = State::Lasting(trouble.clone());
        self.fingerprint.mix(0xbad0_0000 | index as u64);
        let event =
            Event::Began { incident: Box::new(incident), trouble: Box::new(trouble.clone()) };
        self.observer.event(self.now, host.0, 0, event);
        if let Some(lasts) = lasts {
            self.timers.push(self.now + lasts, Timer::Heal(index));
        }
        self.begin_trouble(index, &trouble, lasts);
    }

    /// An incident that lasted is over.
    pub(crate) fn heal(&mut self, index: usize) {
        let planned = &mut self.incidents.planned[index];
        let State::Lasting(trouble) = core::mem::replace(&mut planned.state, State::Over) else {
            return;
        };
        let incident = Box::new(planned.incident.clone());
        let hosts = trouble.hosts();
        let host = hosts.first().and_then(|name| self.hosts_called(name).first().copied());
        let host = host.unwrap_or(HostId(0));
        self.fingerprint.mix(0x6ea1_0000 | index as u64);
        self.observer.event(self.now, host.0, 0, Event::Healed { incident });
        self.end_trouble(&trouble);
    }

    /// Whether a trouble finds somebody to strike.
    fn can_begin(&mut self, trouble: &Trouble) -> bool {
        match trouble {
            Trouble::Crash { host }
            | Trouble::PowerOff { host, .. }
            | Trouble::Pause { host }
            | Trouble::CrashLoop { host, .. } => {
                let hosts = self.hosts_called(host);
                hosts.iter().any(|host| self.hosts[usize::from(host.0)].life == Life::Up)
            }
            Trouble::Disk { host, trouble } => {
                let hosts = self.hosts_called(host);
                hosts.into_iter().any(|host| self.can_begin_on_disk(host, trouble))
            }
            Trouble::Machine { host, fault } => {
                let mut hosts = self.hosts_called(host).into_iter();
                hosts.any(|host| self.machine_can(host, *fault))
            }
            Trouble::Clock { host, fault } => {
                let mut hosts = self.hosts_called(host).into_iter();
                hosts.any(|host| self.clock_can(host, *fault))
            }
            Trouble::LeapSecond(_) => true,
            // It is felt when somebody sends something.
            Trouble::Link { .. }
            | Trouble::Lie { .. }
            | Trouble::Traitor { .. }
            | Trouble::Burst { .. } => true,
        }
    }

    /// What happens when a trouble begins that will last so long, if that is known.
    fn begin_trouble(&mut self, index: usize, trouble: &Trouble, lasts: Option<Nanos>) {
        match trouble {
            Trouble::Crash { host } => {
                for host in self.hosts_called(host) {
                    self.crash_host(host, None);
                }
            }
            Trouble::PowerOff { host, survivors } => {
                for host in self.hosts_called(host) {
                    self.power_off(host, Left::Synced(*survivors), None);
                }
            }
            Trouble::Pause { host } => {
                for host in self.hosts_called(host) {
                    self.pause_host(host, lasts.unwrap_or_default());
                }
            }
            Trouble::CrashLoop { .. } => self.crash_again(index),
            Trouble::Disk { host, trouble } => {
                for host in self.hosts_called(host) {
                    self.begin_on_disk(host, trouble);
                }
            }
            Trouble::Clock { host, fault } => {
                for host in self.hosts_called(host) {
                    self.begin_clock_fault(host, *fault, lasts);
                }
            }
            Trouble::LeapSecond(leap) => self.leap_second(*leap),
            Trouble::Machine { host, fault } => {
                for host in self.hosts_called(host) {
                    self.begin_machine_fault(host, *fault);
                }
            }
            Trouble::Link { way, trouble } => {
                self.with_net(|net, cx| net.begin_condition(cx, way, *trouble));
            }
            Trouble::Lie { way, lie, one_in } => self.net.begin_lie(way, *lie, *one_in),
            Trouble::Traitor { host } => self.net.begin_treason(host),
            Trouble::Burst { way, copies } => self.net.begin_burst(way, *copies),
        }
    }

    /// What is well again when a trouble is over.
    fn end_trouble(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::Crash { host } | Trouble::PowerOff { host, .. } => {
                for host in self.hosts_called(host) {
                    self.timers.push(self.now, Timer::Restart(host));
                }
            }
            // It went on by itself: those that talk to it knew beforehand when it would.
            Trouble::Pause { .. } | Trouble::LeapSecond(_) => {}
            // Whoever was killed last starts again as after any crash.
            Trouble::CrashLoop { .. } => {}
            Trouble::Disk { host, trouble } => {
                for host in self.hosts_called(host) {
                    self.end_on_disk(host, trouble);
                }
            }
            Trouble::Clock { host, fault } => {
                for host in self.hosts_called(host) {
                    self.end_clock_fault(host, *fault);
                }
            }
            Trouble::Machine { host, fault } => {
                for host in self.hosts_called(host) {
                    self.end_machine_fault(host, *fault);
                }
            }
            Trouble::Link { way, trouble } => {
                self.with_net(|net, cx| net.end_condition(cx, way, *trouble));
            }
            Trouble::Lie { way, lie, one_in } => self.net.end_lie(way, *lie, *one_in),
            Trouble::Traitor { host } => self.net.end_treason(host),
            Trouble::Burst { way, copies } => self.net.end_burst(way, *copies),
        }
    }

    /// Kills the hosts of a crash loop that lasts, and will do so when their next processes have lived long enough.
    pub(super) fn crash_again(&mut self, index: usize) {
        let State::Lasting(Trouble::CrashLoop { host, lives }) =
            &self.incidents.planned[index].state
        else {
            return;
        };
        let (host, lives) = (host.clone(), *lives);
        for host in self.hosts_called(&host) {
            self.crash_host(host, Some(RESTART_AFTER));
        }
        self.timers.push(self.now + RESTART_AFTER + lives, Timer::CrashAgain(index));
    }
}
