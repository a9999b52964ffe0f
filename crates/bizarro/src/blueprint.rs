//! From what a test said to the description that a run needs: names, addresses and links are checked
//! and completed here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::panic::Location;

use bizarro_record::{LinkSpec, Role, WorldSpec};

use crate::clock::check_time_servers;
use crate::group::{assign_groups, check_groups};
use crate::host::HostDraft;
use crate::incident::check_incidents;
use crate::link::{Between, LinkDraft};
use crate::mistake::Mistake;
use crate::world::World;
use crate::zone::{check_places, links_of};

/// HOST_NAME_MAX of limits.h.
const HOST_NAME_MAX: usize = 64;
/// The shared object has room for the memory of this many hosts.
const HOSTS_MAX: usize = 256;
/// The longest label of a name in DNS (RFC 1035, section 2.3.4).
const LABEL_MAX: usize = 63;

impl World {
    /// The description as data, or everything that is wrong with it. Programs stay behind: each host's
    /// `entry` and `data` are 0.
    pub(crate) fn blueprint(&self) -> Result<WorldSpec, Vec<Mistake>> {
        let mut mistakes = self.mistakes.clone();
        check_number(&self.hosts, &mut mistakes);
        check_names(&self.hosts, &mut mistakes);
        check_programs(&self.spec.test, &self.hosts, &mut mistakes);
        check_links(&self.hosts, &self.links, &mut mistakes);
        check_time_servers(&self.hosts, &mut mistakes);
        check_groups(&self.hosts, &self.groups, wrong_with_name, &mut mistakes);
        check_places(self, &mut mistakes);
        let addresses = assign_addresses(&self.hosts, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut spec = self.spec.clone();
        spec.hosts = self.hosts.iter().map(|draft| draft.spec.clone()).collect();
        for (host, address) in spec.hosts.iter_mut().zip(addresses) {
            host.address = address;
        }
        assign_groups(&self.groups, &mut spec.hosts);
        spec.links = links_of(&self.links, &self.zones);
        spec.zones = self.zones.iter().map(|draft| draft.spec.clone()).collect();
        spec.switches = self.switches.iter().map(|draft| draft.spec.clone()).collect();
        check_incidents(&spec, self.model, &self.incidents, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        spec.incidents = self.incidents.iter().map(|draft| draft.incident.clone()).collect();
        Ok(spec)
    }
}

fn check_number(hosts: &[HostDraft], mistakes: &mut Vec<Mistake>) {
    if let Some(first_too_many) = hosts.get(HOSTS_MAX) {
        mistakes.push(Mistake::at(
            first_too_many.place,
            format!("a world of {} hosts", hosts.len()),
            format!("describe at most {HOSTS_MAX}"),
        ));
    }
}

fn check_names(hosts: &[HostDraft], mistakes: &mut Vec<Mistake>) {
    for host in hosts {
        if let Some(what) = wrong_with_name(host.name()) {
            mistakes.push(Mistake::at(
                host.place,
                format!("`{}` cannot be a host's name: {what}", host.name().escape_debug()),
                "write a name of DNS in lower case, such as `bank-2` or `db.internal`",
            ));
        }
    }
}

fn wrong_with_name(name: &str) -> Option<&'static str> {
    let is_label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name == "localhost" {
        return Some("on every host it means the host itself");
    }
    if name.len() > HOST_NAME_MAX {
        return Some("Linux takes 64 bytes at most");
    }
    (!name.split('.').all(is_label)).then_some("it is not a name of DNS in lower case")
}

fn check_programs(test: &str, hosts: &[HostDraft], mistakes: &mut Vec<Mistake>) {
    for host in hosts.iter().filter(|host| host.program.is_none()) {
        let name = host.name();
        mistakes.push(Mistake::at(
            host.place,
            format!("host `{name}` has nothing to run"),
            format!("write `world.host(\"{name}\").program(its_main)`, or `.workload(…)` if the run ends with it"),
        ));
    }
    let has_workload = hosts.iter().any(|host| host.spec.role == Role::Workload);
    let has_all_programs = hosts.iter().all(|host| host.program.is_some());
    if !has_workload && has_all_programs {
        let place = hosts.first().map_or(Location::caller(), |host| host.place);
        mistakes.push(Mistake::at(
            place,
            format!("no host of {test} has a workload, so a run of it would never end"),
            "write `.workload(f)` instead of `.program(f)` on the host that uses the others and then returns",
        ));
    }
}

fn check_links(hosts: &[HostDraft], links: &[LinkDraft], mistakes: &mut Vec<Mistake>) {
    let names: Vec<&str> = hosts.iter().map(HostDraft::name).collect();
    let mut seen: BTreeMap<Between, &'static Location<'static>> = BTreeMap::new();
    for LinkDraft { spec, between, place } in links {
        for end in ends(spec).filter(|end| !names.contains(end)) {
            mistakes.push(Mistake::at(
                place,
                format!("no host is called `{end}`"),
                format!("the hosts of this world: {}", names.join(", ")),
            ));
        }
        let pair = pair(spec);
        if let Some((one, other)) = pair
            && one == other
        {
            mistakes.push(Mistake::at(
                place,
                format!("a link from `{one}` to itself"),
                "write two hosts; what a host sends to itself never leaves it",
            ));
        }
        if let Some(first) = seen.insert(ordered(between), place) {
            mistakes.push(Mistake::at(
                place,
                format!("this link is described twice; the first time at {first}"),
                "say everything about a link in one place",
            ));
        }
    }
}

fn ends(spec: &LinkSpec) -> impl Iterator<Item = &str> {
    spec.between.iter().flat_map(|(one, other)| [one.as_str(), other.as_str()])
}

/// Whom it joins, in an order that does not depend on who was named first.
fn ordered(between: &Between) -> Between {
    let order = |one: &String, other: &String| (one.min(other).clone(), one.max(other).clone());
    match between {
        Between::All => Between::All,
        Between::Hosts(one, other) => {
            let (one, other) = order(one, other);
            Between::Hosts(one, other)
        }
        Between::Zones(one, other) => {
            let (one, other) = order(one, other);
            Between::Zones(one, other)
        }
    }
}

/// The link's hosts in an order that does not depend on who was named first.
fn pair(spec: &LinkSpec) -> Option<(&str, &str)> {
    let (one, other) = spec.between.as_ref()?;
    let (one, other) = (one.as_str(), other.as_str());
    Some((one.min(other), one.max(other)))
}

/// Every host's address: its own, else the first of 10.0.0.1, 10.0.0.2, … that is free.
fn assign_addresses(hosts: &[HostDraft], mistakes: &mut Vec<Mistake>) -> Vec<Ipv4Addr> {
    let mut taken: BTreeMap<Ipv4Addr, &HostDraft> = BTreeMap::new();
    for host in hosts {
        let Some(address) = host.address else { continue };
        if let Some(first) = taken.insert(address, host) {
            mistakes.push(Mistake::at(
                host.place,
                format!(
                    "hosts `{}` and `{}` both have the address {address}",
                    first.name(),
                    host.name()
                ),
                "give one of them another, or none: hosts without one get a free one",
            ));
        }
    }
    let taken: BTreeSet<Ipv4Addr> = taken.into_keys().collect();
    let mut free = (1..).map(nth_address).filter(|address| !taken.contains(address));
    hosts
        .iter()
        .map(|host| host.address.or_else(|| free.next()).unwrap_or(Ipv4Addr::UNSPECIFIED))
        .collect()
}

/// The n-th address of 10.0.0.0/8, passing over those that end in 0 or 255: old software takes them
/// for networks and broadcasts.
fn nth_address(n: u32) -> Ipv4Addr {
    let n = n - 1;
    Ipv4Addr::from((10 << 24) | ((n / 254) << 8) | (n % 254 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use bizarro_record::HostSpec;
    use expect_test::{Expect, expect};

    /// What is said of the mistakes in the description, without the places: these move with this file.
    #[track_caller]
    fn check(describe: impl Fn(&mut World), expected: Expect) {
        let mut world = World::new("bank::test");
        describe(&mut world);
        let said = match world.blueprint() {
            Ok(spec) => spec
                .hosts
                .iter()
                .map(|host| format!("{} {} {:?}\n", host.name, host.address, host.role))
                .collect(),
            Err(mistakes) => mistakes
                .iter()
                .map(|mistake| {
                    format!("{}\n  = {}\n", without_place(&mistake.found), mistake.instead)
                })
                .collect::<String>(),
        };
        expected.assert_eq(&said);
    }

    fn without_place(found: &str) -> &str {
        found.split(" at crates").next().unwrap_or(found)
    }

    fn main() {}

    #[test]
    fn hosts_without_an_address_get_the_free_ones() {
        check(
            |world| {
                world.host("a").program(main);
                world.host("b").address("10.0.0.1").program(main);
                world.host("c").workload(main);
            },
            expect![[r#"
                a 10.0.0.2 Program
                b 10.0.0.1 Program
                c 10.0.0.3 Workload
            "#]],
        );
    }

    #[test]
    fn groups_have_hosts_of_this_world_each_once() {
        check(
            |world| {
                world.host("a").program(main);
                world.host("b").workload(main);
                world.group("a", &["a"]);
                world.group("db", &["a", "b", "b"]);
                world.group("db", &[]);
                world.group("D>B", &["c"]);
            },
            expect![[r#"
                a group is called `a`, like a host
                  = give it another name, by which plans can tell them apart
                host `a` is in group `a` already
                  = name it once: a host is in one group at most
                host `b` is in group `db` already
                  = name it once: a host is in one group at most
                two groups are called `db`; the first is declared
                  = name all hosts of a group in one place
                group `db` has no host
                  = write the names of its hosts
                `D>B` cannot be a group's name: it is not a name of DNS in lower case
                  = write one such as `db` or `eu-west`
                no host is called `c`
                  = the hosts of this world: a, b
            "#]],
        );
        let mut world = World::new("bank::test");
        world.host("a").program(main);
        world.host("b").workload(main);
        world.host("c").program(main);
        world.group("all", &["a", "c"]);
        let spec = world.blueprint().unwrap();
        assert_eq!(
            spec.hosts.iter().map(HostSpec::group_name).collect::<Vec<_>>(),
            ["all", "b", "all"]
        );
    }

    #[test]
    fn a_world_has_256_hosts_at_most() {
        let hosts = |world: &mut World, number: usize| {
            for host in 0..number {
                world.host(&format!("h{host}")).workload(main);
            }
        };
        let mut largest = World::new("bank::test");
        hosts(&mut largest, 256);
        assert_eq!(largest.blueprint().map(|spec| spec.hosts.len()).ok(), Some(256));
        check(
            |world| hosts(world, 300),
            expect![[r#"
                a world of 300 hosts
                  = describe at most 256
            "#]],
        );
    }

    #[test]
    fn the_two_hundred_and_fifty_fifth_host_is_in_the_next_network() {
        assert_eq!(nth_address(254), Ipv4Addr::new(10, 0, 0, 254));
        assert_eq!(nth_address(255), Ipv4Addr::new(10, 0, 1, 1));
    }

    #[test]
    fn a_name_belongs_to_one_host() {
        check(
            |world| {
                world.host("bank").program(main);
                world.host("bank").workload(main);
            },
            expect![[r#"
                two hosts are called `bank`; the first is declared
                  = give this one a name of its own
            "#]],
        );
    }

    #[test]
    fn a_name_is_one_of_dns() {
        check(
            |world| {
                world.host("Bank of X").program(main);
                world.host("localhost").workload(main);
            },
            expect![[r#"
                `Bank of X` cannot be a host's name: it is not a name of DNS in lower case
                  = write a name of DNS in lower case, such as `bank-2` or `db.internal`
                `localhost` cannot be a host's name: on every host it means the host itself
                  = write a name of DNS in lower case, such as `bank-2` or `db.internal`
            "#]],
        );
    }

    #[test]
    fn an_address_belongs_to_one_host() {
        check(
            |world| {
                world.host("a").address("10.0.0.7").program(main);
                world.host("b").address(Ipv4Addr::new(10, 0, 0, 7)).workload(main);
                world.host("c").address("10.0.0").program(main);
                world.host("d").address("127.0.0.1").program(main);
            },
            expect![[r#"
                `10.0.0` is not an IPv4 address
                  = write four numbers, such as "10.0.0.5"
                127.0.0.1 cannot be a host's address: it is a loopback, multicast, broadcast or unspecified one
                  = write a unicast address, such as "10.0.0.5"
                hosts `a` and `b` both have the address 10.0.0.7
                  = give one of them another, or none: hosts without one get a free one
            "#]],
        );
    }

    #[test]
    fn a_run_needs_programs_and_an_end() {
        check(
            |world| {
                world.host("a");
            },
            expect![[r#"
                host `a` has nothing to run
                  = write `world.host("a").program(its_main)`, or `.workload(…)` if the run ends with it
            "#]],
        );
        check(
            |world| {
                world.host("a").program(main);
            },
            expect![[r#"
                no host of bank::test has a workload, so a run of it would never end
                  = write `.workload(f)` instead of `.program(f)` on the host that uses the others and then returns
            "#]],
        );
    }

    #[test]
    fn links_name_hosts_and_numbers_that_exist() {
        check(
            |world| {
                world.host("a").workload(main);
                world.link("a", "b").latency(millis(3)..=millis(1));
                world.link("a", "a").bandwidth(0);
                world.links().loss(1.5);
                world.links().loss(0.5);
            },
            expect![[r#"
                a latency from 3ms to 1ms
                  = write the shorter one first
                a link that carries 0 bytes a second
                  = write a number above 0, or leave it out for no limit
                a link that loses 1.5 of its packets
                  = write a share from 0.0 to 1.0: `.loss(0.01)` for one in a hundred
                no host is called `b`
                  = the hosts of this world: a
                a link from `a` to itself
                  = write two hosts; what a host sends to itself never leaves it
                this link is described twice; the first time
                  = say everything about a link in one place
            "#]],
        );
    }

    #[test]
    fn zones_and_switches_name_hosts_that_exist_each_once() {
        check(
            |world| {
                world.host("a").program(main);
                world.host("b").workload(main);
                world.zone("a", &["a"]);
                world.zone("eu", &["a", "b", "c"]);
                world.between_zones("eu", "us").latency(millis(40));
                world.switch("rack", &["a", "a"]).queue(0);
                world.switch("rack", &[]).bandwidth(0);
            },
            expect![[r#"
                a port at which no byte can wait
                  = write a number above 0
                a port that carries 0 bytes a second
                  = write a number above 0
                a zone is called `a`, like a host or group
                  = give it another name, by which plans can tell them apart
                host `a` is in a zone already
                  = name it once: a host is in one zone at most
                no host is called `c`
                  = the hosts of this world: a, b
                host `a` is in a switch already
                  = name it once: a host is in one switch at most
                a second switch is called `rack`
                  = name all hosts of a switch in one place
                no zone is called `us`
                  = the zones of this world: a, eu
            "#]],
        );
        let mut world = World::new("bank::test");
        for name in ["a", "b", "c", "d"] {
            world.host(name).workload(main);
        }
        world.zone("eu", &["a", "b"]);
        world.zone("us", &["c", "d"]);
        world.between_zones("eu", "us").latency(millis(40));
        world.between_zones("eu", "eu").latency(millis(1));
        world.link("d", "a").latency(millis(7));
        let spec = world.blueprint().unwrap();
        let shown = spec.links.iter().map(|link| {
            let (one, other) = link.between.clone().unwrap_or_default();
            format!("{one}{other} {}ms", link.latency_min.0 / 1_000_000)
        });
        let links: Vec<_> = shown.collect();
        assert_eq!(links, ["da 7ms", "ac 40ms", "bc 40ms", "bd 40ms", "ab 1ms"]);
    }

    #[test]
    fn files_mounts_and_variables_are_looked_at() {
        check(
            |world| {
                world
                    .host("a")
                    .cpus(0)
                    .env("A=B", "c")
                    .file("etc/x", "y")
                    .mount("fixtures", "/fixtures")
                    .mount("/no/such/directory", "/fixtures")
                    .mount("/", "fixtures")
                    .workload(main)
                    .program(main);
                world.deadline(secs(0));
                world.check("same", |_| Ok(()));
                world.eventually("same", secs(1));
            },
            expect![[r#"
                a host with 0 CPUs
                  = write a number from 1 to 1024
                `A=B=c` cannot be in an environment
                  = write a name without `=`, and neither with a NUL: `.env("RUST_LOG", "info")`
                `etc/x` is not the absolute path of a file
                  = write where the program finds it: `.file("/etc/bank.toml", "limit = 5")`
                `fixtures` is not an absolute path, and a world has no current directory
                  = write `.mount(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"), "/fixtures")`
                `/no/such/directory` is not a directory of this machine
                  = write the absolute path of an existing directory
                `fixtures` is not an absolute path on the host
                  = write where the program finds it, such as "/fixtures"
                host `a` has two programs
                  = give the second one a host of its own, or start both from one function
                a deadline of 0 s: no run can end in time
                  = write how much virtual time a run may take: `world.deadline(secs(600))`
                two properties are called `same`; the first is declared
                  = give this one a name of its own, by which a report can tell them apart
            "#]],
        );
    }

    #[test]
    fn what_was_said_last_holds() {
        let mut world = World::new("t");
        world.host("a").env("X", 1).env("X", 2).file("/f", "1").file("/f", "2").workload(main);
        world.link("a", "a").latency(secs(1));
        let host = &world.hosts[0].spec;
        assert_eq!(host.env, ["X=2"]);
        assert_eq!(host.files, [("/f".to_string(), b"2".to_vec())]);
    }
}
