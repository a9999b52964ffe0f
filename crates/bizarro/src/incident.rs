//! What goes wrong with hosts in every run of a test, as the test describes it.

use std::panic::Location;
use std::time::Duration;

use bizarro_fault::SystemModel;
use bizarro_record::{End, IT, Incident, Milestone, Moment, Nanos, WorldSpec};

use crate::mistake::Mistake;
use crate::world::World;

/// An incident while it is described: when it begins is said, what goes wrong is not yet.
///
/// ```
/// # use bizarro::prelude::*;
/// # fn describe(world: &mut World) {
/// world.at(secs(3)).lasting(secs(15)).trouble("pause board");
/// // A program says `bizarro::milestone("committed")`.
/// world.after("committed", 3).until("read", 10).trouble("power-off db");
/// # }
/// ```
///
/// Nothing comes of it before [`Incidents::trouble`] is called.
#[derive(Debug)]
#[must_use = "nothing goes wrong before `.trouble(…)` says what"]
pub struct Incidents<'w> {
    world: &'w mut World,
    moment: Moment,
    end: Option<End>,
    place: &'static Location<'static>,
}

/// What a test has said.
#[derive(Debug)]
pub(crate) struct IncidentDraft {
    pub(crate) incident: Incident,
    pub(crate) place: &'static Location<'static>,
}

impl World {
    /// So long after the start of every run something goes wrong; [`Incidents::trouble`] says what.
    #[track_caller]
    pub fn at(&mut self, time: Duration) -> Incidents<'_> {
        let place = Location::caller();
        Incidents { world: self, moment: Moment::Time(time.into()), end: None, place }
    }

    /// When a program has called [`milestone`](crate::milestone) with this name for the `count`-th time, from 1, something
    /// goes wrong: before the next system call of its host, which is `@it` in the trouble's text.
    #[track_caller]
    pub fn after(&mut self, milestone: &str, count: u32) -> Incidents<'_> {
        let place = Location::caller();
        let milestone = self.named(milestone, count, place);
        let moment = Moment::Milestone { milestone, later: Nanos::ZERO };
        Incidents { world: self, moment, end: None, place }
    }

    /// Something goes wrong in every run, as plans write it: `world.incident("at disk db #57: power-off db some")`. See
    /// [`Plan`](crate::Plan) for the moments and `docs/plans.md` for the troubles.
    #[track_caller]
    pub fn incident(&mut self, text: &str) -> &mut World {
        let place = Location::caller();
        match text.parse() {
            Ok(incident) => self.incidents.push(IncidentDraft { incident, place }),
            Err(error) => self.mistakes.push(Mistake::at(
                place,
                format!("found `{}` in an incident", error.found),
                format!("expected {}", error.expected),
            )),
        }
        self
    }

    fn named(&mut self, name: &str, count: u32, place: &'static Location<'static>) -> Milestone {
        if !Milestone::is_name(name) {
            self.mistakes.push(Mistake::at(
                place,
                format!("a milestone called `{name}`"),
                "write a name in one line, without `\"` and `;`",
            ));
        }
        if count == 0 {
            self.mistakes.push(Mistake::at(
                place,
                format!("the 0th time that `{name}` is reached"),
                "count from 1",
            ));
        }
        Milestone { name: name.to_string(), count }
    }
}

impl<'w> Incidents<'w> {
    /// It lasts so long; without this, as long as its kind does by itself.
    #[track_caller]
    pub fn lasting(mut self, time: Duration) -> Self {
        if time.is_zero() {
            self.world.mistakes.push(Mistake::here(
                "an incident that lasts 0 s",
                "write a time above 0, or leave it out",
            ));
        }
        self.end = Some(End::After(time.into()));
        self
    }

    /// It lasts until a program has reached this milestone so many times since it began.
    #[track_caller]
    pub fn until(mut self, milestone: &str, count: u32) -> Self {
        let milestone = self.world.named(milestone, count, Location::caller());
        self.end = Some(End::Milestone(milestone));
        self
    }

    /// What goes wrong, as plans write it: `power-off db some`. All kinds are in `docs/plans.md`.
    pub fn trouble(self, trouble: &str) -> &'w mut World {
        let Incidents { world, moment, end, place } = self;
        let text = match end {
            Some(end) => format!("{moment} {end}: {trouble}"),
            None => format!("{moment}: {trouble}"),
        };
        match text.parse() {
            Ok(incident) => world.incidents.push(IncidentDraft { incident, place }),
            Err(error) => world.mistakes.push(Mistake::at(
                place,
                format!("found `{}` in the incident `{text}`", error.found),
                format!("expected {}", error.expected),
            )),
        }
        world
    }
}

/// Incidents about hosts that are not there, or that the model excludes.
pub(crate) fn check_incidents(
    spec: &WorldSpec,
    model: SystemModel,
    incidents: &[IncidentDraft],
    mistakes: &mut Vec<Mistake>,
) {
    for IncidentDraft { incident, place } in incidents {
        if let Some(unknown) = unknown_in(incident, spec) {
            let names: Vec<&str> = spec.hosts.iter().map(|host| host.name.as_str()).collect();
            mistakes.push(match unknown.as_str() {
                IT => Mistake::at(
                    place,
                    format!("`{IT}` is nobody in `{incident}`"),
                    format!("{IT_IS}: {}", names.join(", ")),
                ),
                _ => Mistake::at(
                    place,
                    format!("no host is called `{unknown}`"),
                    format!("the hosts of this world: {}", names.join(", ")),
                ),
            });
        }
        if !model.allows_trouble(&incident.trouble) {
            mistakes.push(Mistake::at(
                place,
                format!("the system model excludes `{}`", incident.trouble.word()),
                format!("write a wider one than {model}: `world.model(…)`"),
            ));
        }
    }
}

/// What is wrong with [`IT`] at a time.
pub(crate) const IT_IS: &str =
    "it is the host at which a moment comes, and a time comes at none; write the name of a host";

/// A name in an incident that is none of a host or group.
pub(crate) fn unknown_in(incident: &Incident, spec: &WorldSpec) -> Option<String> {
    let is_host = |name: &str| spec.hosts.iter().any(|host| host.name == name);
    let is_group = |name: &str| spec.hosts.iter().any(|host| host.group.as_deref() == Some(name));
    let (of_moment, groups_too): (Vec<&str>, bool) = match &incident.moment {
        Moment::Call { host, .. } | Moment::Disk { host, .. } => (vec![host], true),
        Moment::Step { exchange, .. } => (vec![&exchange.client, &exchange.server], false),
        Moment::Time(_) | Moment::Milestone { .. } => (vec![], false),
    };
    let mut of_moment = of_moment.into_iter();
    let unknown = of_moment.find(|name| !(is_host(name) || groups_too && is_group(name)));
    let of_trouble = || {
        let is_it = |name: &str| name == IT && incident.knows_it();
        // What is one of the network may be of a zone.
        let is_zone = |name: &str| {
            incident.trouble.is_felt() && spec.zones.iter().any(|zone| zone.name == name)
        };
        let known = |name: &str| is_host(name) || is_group(name) || is_zone(name) || is_it(name);
        incident.trouble.hosts().into_iter().find(|name| !known(name))
    };
    unknown.or_else(of_trouble).map(str::to_string)
}
