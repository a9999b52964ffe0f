//! Zones of hosts, and switches, as a test describes them.

use std::panic::Location;

use bizarro_record::{LinkSpec, SwitchSpec, ZoneSpec};

use crate::host::HostDraft;
use crate::link::{Between, LinkDraft};
use crate::mistake::Mistake;
use crate::world::World;

/// What has been said of a zone.
#[derive(Clone, Debug)]
pub(crate) struct ZoneDraft {
    pub(crate) spec: ZoneSpec,
    pub(crate) place: &'static Location<'static>,
}

/// What has been said of a switch.
#[derive(Clone, Debug)]
pub(crate) struct SwitchDraft {
    pub(crate) spec: SwitchSpec,
    pub(crate) place: &'static Location<'static>,
}

/// A gigabit a second, in bytes.
const GIGABIT: u64 = 125_000_000;

/// Bytes that wait at a port where a test says nothing.
const QUEUE: u64 = 512 << 10;

impl SwitchDraft {
    pub(crate) fn new(
        name: &str,
        hosts: &[&str],
        place: &'static Location<'static>,
    ) -> SwitchDraft {
        let hosts = hosts.iter().map(ToString::to_string).collect();
        let spec = SwitchSpec {
            name: name.to_string(),
            hosts,
            bandwidth: GIGABIT,
            uplink: 0,
            queue: QUEUE,
        };
        SwitchDraft { spec, place }
    }
}

/// A switch while it is described. Every method changes the world at once.
#[derive(Debug)]
pub struct Switch<'w> {
    world: &'w mut World,
}

impl<'w> Switch<'w> {
    /// The switch that was declared last.
    pub(crate) fn new(world: &'w mut World) -> Switch<'w> {
        Switch { world }
    }

    fn spec(&mut self) -> &mut SwitchSpec {
        &mut self.world.switches.last_mut().expect("a Switch is made only after its draft").spec
    }

    /// How many bytes a second each host's port carries, each way; a gigabit a second without this.
    #[track_caller]
    pub fn bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.refuse_nothing(bytes_per_second, "a port that carries 0 bytes a second");
        self.spec().bandwidth = bytes_per_second;
        self
    }

    /// How many bytes a second its hosts together exchange with those at other switches, or at none, each way; no limit
    /// without this.
    #[track_caller]
    pub fn uplink(mut self, bytes_per_second: u64) -> Self {
        self.refuse_nothing(bytes_per_second, "an uplink that carries 0 bytes a second");
        self.spec().uplink = bytes_per_second;
        self
    }

    /// How many bytes wait at a port at most; 512 KiB without this. A datagram that comes when the queue is full is lost;
    /// TCP waits when it is half full.
    #[track_caller]
    pub fn queue(mut self, bytes: u64) -> Self {
        self.refuse_nothing(bytes, "a port at which no byte can wait");
        self.spec().queue = bytes;
        self
    }

    #[track_caller]
    fn refuse_nothing(&mut self, number: u64, found: &str) {
        if number == 0 {
            self.world.mistakes.push(Mistake::here(found, "write a number above 0"));
        }
    }
}

/// Everything that is wrong with zones and switches, each of whose hosts is in one at most.
pub(crate) fn check_places(world: &World, mistakes: &mut Vec<Mistake>) {
    let zones = world.zones.iter().map(|zone| Place {
        kind: "zone",
        name: &zone.spec.name,
        hosts: &zone.spec.hosts,
        place: zone.place,
    });
    check_kind(world, &zones.collect::<Vec<_>>(), mistakes);
    let switches = world.switches.iter().map(|switch| Place {
        kind: "switch",
        name: &switch.spec.name,
        hosts: &switch.spec.hosts,
        place: switch.place,
    });
    check_kind(world, &switches.collect::<Vec<_>>(), mistakes);
    for link in &world.links {
        let Between::Zones(one, other) = &link.between else { continue };
        for name in [one, other] {
            if !world.zones.iter().any(|zone| zone.spec.name == *name) {
                let known: Vec<_> =
                    world.zones.iter().map(|zone| zone.spec.name.as_str()).collect();
                mistakes.push(Mistake::at(
                    link.place,
                    format!("no zone is called `{name}`"),
                    format!("the zones of this world: {}", known.join(", ")),
                ));
            }
        }
    }
}

/// A zone or a switch.
struct Place<'a> {
    kind: &'static str,
    name: &'a String,
    hosts: &'a [String],
    place: &'static Location<'static>,
}

fn check_kind(world: &World, places: &[Place<'_>], mistakes: &mut Vec<Mistake>) {
    let names: Vec<&str> = world.hosts.iter().map(HostDraft::name).collect();
    for (index, Place { kind, name, hosts, place }) in places.iter().enumerate() {
        let mut mistake = |found: String, instead: String| {
            mistakes.push(Mistake::at(place, found, instead));
        };
        let is_group = world.groups.iter().any(|group| group.name == **name);
        if *kind == "zone" && (is_group || names.contains(&name.as_str())) {
            let found = format!("a zone is called `{name}`, like a host or group");
            mistake(found, "give it another name, by which plans can tell them apart".to_string());
        }
        if places[..index].iter().any(|other| other.name == *name) {
            let found = format!("a second {kind} is called `{name}`");
            mistake(found, format!("name all hosts of a {kind} in one place"));
        }
        for (nth, host) in hosts.iter().enumerate() {
            if !names.contains(&host.as_str()) {
                let found = format!("no host is called `{host}`");
                mistake(found, format!("the hosts of this world: {}", names.join(", ")));
            }
            let before = places[..index].iter().any(|other| other.hosts.contains(host));
            if before || hosts[..nth].contains(host) {
                let found = format!("host `{host}` is in a {kind} already");
                mistake(found, format!("name it once: a host is in one {kind} at most"));
            }
        }
    }
}

/// The links of all pairs of hosts: those that a test names, then those of zones for the pairs that are left.
pub(crate) fn links_of(links: &[LinkDraft], zones: &[ZoneDraft]) -> Vec<LinkSpec> {
    let mut specs: Vec<LinkSpec> = Vec::new();
    let of_hosts = links.iter().filter(|link| !matches!(link.between, Between::Zones(..)));
    specs.extend(of_hosts.map(|link| link.spec.clone()));
    let hosts = |name: &str| {
        let zone = zones.iter().find(|zone| zone.spec.name == name);
        zone.map_or(&[][..], |zone| &zone.spec.hosts)
    };
    for link in links {
        let Between::Zones(one, other) = &link.between else { continue };
        for a in hosts(one) {
            for b in hosts(other) {
                let is_same = |spec: &LinkSpec| {
                    spec.between.as_ref().is_some_and(|(c, d)| (a, b) == (c, d) || (a, b) == (d, c))
                };
                if a != b && !specs.iter().any(is_same) {
                    let between = Some((a.clone(), b.clone()));
                    specs.push(LinkSpec { between, ..link.spec.clone() });
                }
            }
        }
    }
    specs
}
