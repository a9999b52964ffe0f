//! A link as a test describes it.

use std::ops::RangeInclusive;
use std::panic::Location;
use std::time::Duration;

use bizarro_record::LinkSpec;

use crate::mistake::Mistake;
use crate::world::World;

/// A link while it is described. Every method changes the world at once.
#[derive(Debug)]
pub struct Link<'w> {
    world: &'w mut World,
}

/// Whom a link joins.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Between {
    /// Every two hosts that no other link joins.
    All,
    /// Two hosts.
    Hosts(String, String),
    /// Each host of the one zone and each of the other.
    Zones(String, String),
}

/// What has been said of a link.
#[derive(Debug)]
pub(crate) struct LinkDraft {
    /// Its hosts are those of `between`.
    pub(crate) spec: LinkSpec,
    pub(crate) between: Between,
    pub(crate) place: &'static Location<'static>,
}

impl LinkDraft {
    pub(crate) fn new(between: Between, place: &'static Location<'static>) -> LinkDraft {
        let hosts = match &between {
            Between::Hosts(one, other) => Some((one.clone(), other.clone())),
            Between::Zones(..) | Between::All => None,
        };
        LinkDraft { spec: LinkSpec { between: hosts, ..LinkSpec::default() }, between, place }
    }
}

/// How long a packet travels: one duration, or a range from which each packet draws its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Latency {
    min: Duration,
    max: Duration,
}

impl From<Duration> for Latency {
    fn from(always: Duration) -> Latency {
        Latency { min: always, max: always }
    }
}

impl From<RangeInclusive<Duration>> for Latency {
    fn from(range: RangeInclusive<Duration>) -> Latency {
        Latency { min: *range.start(), max: *range.end() }
    }
}

impl<'w> Link<'w> {
    /// The link that was declared last.
    pub(crate) fn new(world: &'w mut World) -> Link<'w> {
        Link { world }
    }

    fn spec(&mut self) -> &mut LinkSpec {
        &mut self.world.links.last_mut().expect("a Link is made only after its draft").spec
    }

    fn mistake(&mut self, mistake: Mistake) {
        self.world.mistakes.push(mistake);
    }

    /// How long a packet takes one way: `millis(5)`, or `millis(1)..=millis(20)` for a draw, evenly, per packet.
    #[track_caller]
    pub fn latency(mut self, latency: impl Into<Latency>) -> Self {
        let Latency { min, max } = latency.into();
        if min > max {
            self.mistake(Mistake::here(
                format!("a latency from {min:?} to {max:?}"),
                "write the shorter one first",
            ));
        }
        self.spec().latency_min = min.into();
        self.spec().latency_max = max.into();
        self
    }

    /// How many bytes a second it carries each way; no limit without this.
    #[track_caller]
    pub fn bandwidth(mut self, bytes_per_second: u64) -> Self {
        if bytes_per_second == 0 {
            self.mistake(Mistake::here(
                "a link that carries 0 bytes a second",
                "write a number above 0, or leave it out for no limit",
            ));
        }
        self.spec().bandwidth = bytes_per_second;
        self
    }

    /// Which share of its packets is lost, from 0.0 (none) to 1.0 (all).
    #[track_caller]
    pub fn loss(mut self, share: f64) -> Self {
        if !(0.0..=1.0).contains(&share) {
            self.mistake(Mistake::here(
                format!("a link that loses {share} of its packets"),
                "write a share from 0.0 to 1.0: `.loss(0.01)` for one in a hundred",
            ));
            return self;
        }
        self.spec().loss_ppm = (share * 1e6).round() as u32;
        self
    }
}
