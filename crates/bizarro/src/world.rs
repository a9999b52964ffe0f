//! The description of a world: hosts, links, limits and what has to be true.
//!
//! A description is only data and functions; nothing runs while it is made. It is made twice: by the
//! supervisor, which checks it and judges the runs, and by the world process, which runs the programs.

use std::fmt::Debug;
use std::panic::Location;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bizarro_check::model::Model;
use bizarro_check::online::Online;
use bizarro_fault::{Network, Nodes, SystemModel, Timing};
use bizarro_record::{Nanos, RunRecord, WorldSpec, ZoneSpec};
use serde::de::DeserializeOwned;

use crate::check::{Check, Eventually, Watch, Wrong};
use crate::explore::Explore;
use crate::group::GroupDraft;
use crate::history::History;
use crate::host::{Host, HostDraft};
use crate::incident::IncidentDraft;
use crate::judge;
use crate::link::{Between, Link, LinkDraft};
use crate::mistake::Mistake;
use crate::run::Run;
use crate::zone::{Switch, SwitchDraft, ZoneDraft};

/// A world that a test describes: simulated hosts, the network between them, and what has to be true.
///
/// ```
/// # use bizarro::prelude::*;
/// # fn serve() {}
/// # fn ask() {}
/// # fn describe(world: &mut World) {
/// world.host("server").program(serve);
/// world.host("client").workload(ask);
/// world.links().latency(millis(1)..=millis(3));
/// world.check("the client says so", |run| {
///     if run.output("client").contains(&"done") { Ok(()) } else { Err("it did not".into()) }
/// });
/// # }
/// ```
#[derive(Debug)]
pub struct World {
    pub(crate) spec: WorldSpec,
    pub(crate) hosts: Vec<HostDraft>,
    pub(crate) links: Vec<LinkDraft>,
    pub(crate) groups: Vec<GroupDraft>,
    pub(crate) incidents: Vec<IncidentDraft>,
    pub(crate) watches: Vec<Watch>,
    pub(crate) zones: Vec<ZoneDraft>,
    pub(crate) switches: Vec<SwitchDraft>,
    pub(crate) checks: Vec<Check>,
    pub(crate) eventually: Vec<Eventually>,
    pub(crate) must_break: Vec<String>,
    pub(crate) must_differ: bool,
    pub(crate) explore: Explore,
    pub(crate) model: SystemModel,
    pub(crate) mistakes: Vec<Mistake>,
}

impl World {
    /// A world without hosts for the test of this name.
    pub(crate) fn new(test: &str) -> World {
        World {
            spec: WorldSpec::new(test),
            hosts: Vec::new(),
            links: Vec::new(),
            groups: Vec::new(),
            incidents: Vec::new(),
            watches: Vec::new(),
            zones: Vec::new(),
            switches: Vec::new(),
            checks: Vec::new(),
            eventually: Vec::new(),
            must_break: Vec::new(),
            must_differ: false,
            explore: Explore::default(),
            model: SystemModel::default(),
            mistakes: Vec::new(),
        }
    }

    /// Adds a simulated machine. Its name is also the name that other hosts find it by (`http://bank:8080`).
    ///
    /// Names are those of DNS: lower-case letters, digits, `-`, and `.` between labels.
    #[track_caller]
    pub fn host(&mut self, name: &str) -> Host<'_> {
        let place = Location::caller();
        if let Some(first) = self.hosts.iter().find(|host| host.name() == name) {
            self.mistakes.push(Mistake::at(
                place,
                format!("two hosts are called `{name}`; the first is declared at {}", first.place),
                "give this one a name of its own".to_string(),
            ));
        }
        self.hosts.push(HostDraft::new(name, place));
        Host::new(self)
    }

    /// Puts hosts into a group, whose name is that of no host: `world.group("db", &["db-1", "db-2"])`. They may be declared
    /// later; each is in one group at most, and one that is in none is a group of its own.
    ///
    /// No run differs by it. `cargo bizarro matrix --groups` asks the failure matrix between groups: a fault strikes the
    /// third `POST /move` between two groups, whichever host sends it to whichever. See
    /// [`Level`](bizarro_record::Level).
    #[track_caller]
    pub fn group(&mut self, name: &str, hosts: &[&str]) -> &mut World {
        let hosts = hosts.iter().map(ToString::to_string).collect();
        self.groups.push(GroupDraft { name: name.to_string(), hosts, place: Location::caller() });
        self
    }

    /// How packets travel between the two hosts, both ways. Both may be declared later.
    #[track_caller]
    pub fn link(&mut self, one: &str, other: &str) -> Link<'_> {
        self.add_link(Between::Hosts(one.to_string(), other.to_string()), Location::caller())
    }

    /// How packets travel between every two hosts that no [`World::link`] names.
    ///
    /// Without it: 0.4 to 0.6 ms one way, no limit of bandwidth, no loss.
    #[track_caller]
    pub fn links(&mut self) -> Link<'_> {
        self.add_link(Between::All, Location::caller())
    }

    /// Puts hosts into a zone, whose name is that of no host and no group: hosts that are near each other, and are cut
    /// off together. They may be declared later; each is in one zone at most. [`World::between_zones`] says how far zones
    /// are from each other, and a plan may name them: `at 3s for 1m: partition eu<>us`.
    ///
    /// ```
    /// # use bizarro::prelude::*;
    /// # fn describe(world: &mut World) {
    /// world.zone("eu", &["db-1", "db-2"]);
    /// world.zone("us", &["db-3"]);
    /// world.between_zones("eu", "us").latency(millis(40)..=millis(60));
    /// world.between_zones("eu", "eu").latency(micros(300));
    /// # }
    /// ```
    #[track_caller]
    pub fn zone(&mut self, name: &str, hosts: &[&str]) -> &mut World {
        let hosts = hosts.iter().map(ToString::to_string).collect();
        let spec = ZoneSpec { name: name.to_string(), hosts };
        self.zones.push(ZoneDraft { spec, place: Location::caller() });
        self
    }

    /// How packets travel between each host of the one zone and each of the other, both ways, or between every two hosts
    /// of one zone if it is named twice. What [`World::link`] says of two hosts comes before it.
    #[track_caller]
    pub fn between_zones(&mut self, one: &str, other: &str) -> Link<'_> {
        self.add_link(Between::Zones(one.to_string(), other.to_string()), Location::caller())
    }

    /// Adds a switch with these hosts at its ports. They may be declared later; each is at one switch at most, and what
    /// a host at none sends waits for nobody.
    ///
    /// What goes to a host leaves the switch through that host's port, one packet after the other: under load packets
    /// wait there, whoever sent them, and datagrams are lost when the queue is full. A noisy neighbour fills it.
    ///
    /// ```
    /// # use bizarro::prelude::*;
    /// # fn describe(world: &mut World) {
    /// world.switch("rack-1", &["db", "web", "batch"]).bandwidth(125_000_000).queue(256 << 10);
    /// # }
    /// ```
    #[track_caller]
    pub fn switch(&mut self, name: &str, hosts: &[&str]) -> Switch<'_> {
        self.switches.push(SwitchDraft::new(name, hosts, Location::caller()));
        Switch::new(self)
    }

    fn add_link(&mut self, between: Between, place: &'static Location<'static>) -> Link<'_> {
        self.links.push(LinkDraft::new(between, place));
        Link::new(self)
    }

    /// Virtual time after which a run whose workloads have not ended is called stuck; ten minutes
    /// without this.
    #[track_caller]
    pub fn deadline(&mut self, after: Duration) -> &mut World {
        if after.is_zero() {
            self.mistakes.push(Mistake::here(
                "a deadline of 0 s: no run can end in time",
                "write how much virtual time a run may take: `world.deadline(secs(600))`",
            ));
        }
        self.spec.deadline = after.into();
        self
    }

    /// Virtual time that each system call takes; 200 ns without this. It is what lets a loop that polls
    /// come to an end.
    pub fn syscall_cost(&mut self, each: Duration) -> &mut World {
        self.spec.syscall_cost = each.into();
        self
    }

    /// The true time at which every run starts; 2026-01-01 00:00 UTC without this.
    #[track_caller]
    pub fn starts_at(&mut self, time: SystemTime) -> &mut World {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => self.spec.epoch = Nanos::from(since).0,
            Err(_) => self.mistakes.push(Mistake::here(
                "a start before 1970, which no clock of Linux can show",
                "write a later one: `UNIX_EPOCH + secs(1_767_225_600)`",
            )),
        }
        self
    }

    /// Which runs the test makes; everything without this.
    pub fn explore(&mut self, what: Explore) -> &mut World {
        self.explore = what;
        self
    }

    /// What the test has to survive, in Kleppmann's words; the matrix tries no fault that the model does not
    /// allow. Without this: [`Network::Arbitrary`], [`Nodes::CrashRecovery`] and [`Timing::PartiallySynchronous`], which allow
    /// every fault of the matrix, and every trouble but those of Byzantine nodes.
    pub fn model(&mut self, network: Network, nodes: Nodes, timing: Timing) -> &mut World {
        self.model = SystemModel { network, nodes, timing };
        self
    }

    /// A handle by which programs say what they ask of the system and what came of it.
    pub fn history(&mut self, name: &str) -> History {
        History::new(name)
    }

    /// Something that has to be true of every run, looked at once the run is over.
    ///
    /// The closure gives `Err` with what is wrong, in words for the reader of the report. It runs in the
    /// test's own process, so it may use threads, files and real time; it must be a function of
    /// the run alone. Several runs may be looked at on several threads.
    #[track_caller]
    pub fn check(
        &mut self,
        name: &str,
        check: impl Fn(&Run<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> &mut World {
        self.judge(name, Location::caller(), move |run| check(run).map_err(Wrong::from))
    }

    fn judge(
        &mut self,
        name: &str,
        place: &'static Location<'static>,
        check: impl Fn(&Run<'_>) -> Result<(), Wrong> + Send + Sync + 'static,
    ) -> &mut World {
        self.refuse_second_promise(name, place);
        self.checks.push(Check { name: name.to_string(), place, check: Box::new(check) });
        self
    }

    /// Safety: what this history says can be seen as coming one at a time, as the model does it. Programs give
    /// the model's calls to [`History::invoke`] and its replies to [`Op::ok`](crate::Op::ok).
    ///
    /// Where it is violated, the operations are named that contradict each other. A history that is not
    /// decided within the default [budget](bizarro_check::budget::Budget) has not been shown to keep the
    /// promise, and breaks it.
    ///
    /// ```
    /// # use bizarro::prelude::*;
    /// # fn serve() {}
    /// use bizarro::bizarro_check::model::{Register, RegisterCall, RegisterReply};
    ///
    /// # fn ask(value: u64) {}
    /// # fn describe(world: &mut World) {
    /// let counter = world.history("counter");
    /// world.host("server").program(serve);
    /// world.linearizable("the register is one", &counter, Register::new(0_u64));
    /// world.host("client").workload(move || {
    ///     let write = counter.invoke(RegisterCall::Write(7_u64));
    ///     ask(7);
    ///     write.ok(RegisterReply::<u64>::Written);
    /// });
    /// # }
    /// ```
    #[track_caller]
    pub fn linearizable<M>(&mut self, name: &str, history: &History, model: M) -> &mut World
    where
        M: Model + Send + Sync + 'static,
        M::Call: DeserializeOwned + Debug + Sync,
        M::Reply: DeserializeOwned + Debug + Sync,
    {
        let history = history.name().to_string();
        self.judge(name, Location::caller(), move |run| {
            judge::linearizable(run.record(), &history, &model)
        })
    }

    /// Safety, and weaker than [`World::linearizable`]: what this history says can be seen as coming one at a time,
    /// as the model does it, where only what each task did comes in its order. A reader may be shown what is old, as
    /// long as no other answer contradicts that. For small histories: the search grows with the number of tasks, and
    /// what is not decided within the default [budget](bizarro_check::budget::Budget) breaks the promise.
    #[track_caller]
    pub fn sequential<M>(&mut self, name: &str, history: &History, model: M) -> &mut World
    where
        M: Model + Send + Sync + 'static,
        M::Call: DeserializeOwned + Debug,
        M::Reply: DeserializeOwned + Debug,
    {
        let history = history.name().to_string();
        self.judge(name, Location::caller(), move |run| {
            judge::sequential(run.record(), &history, &model)
        })
    }

    /// Safety, watched while the run goes on: the run ends at the event of this history by which the promise is broken,
    /// and what comes after is not told. Programs give the check's calls to [`History::invoke`] and its replies to
    /// [`Op::ok`](crate::Op::ok).
    ///
    /// The verdict names the operations that contradict each other, and has the time of the last of them. Where it is
    /// broken, nothing else is judged that is looked at when a run is over. Of several promises that are watched, the
    /// one counts that is broken first.
    ///
    /// ```
    /// # use bizarro::prelude::*;
    /// # fn serve() {}
    /// # fn ask() -> i64 { 1 }
    /// use bizarro::bizarro_check::model::{FencedLockCall, FencedLockReply};
    /// use bizarro::bizarro_check::online::Tokens;
    ///
    /// # fn describe(world: &mut World) {
    /// let lock = world.history("lock");
    /// world.host("server").program(serve);
    /// world.watch("tokens rise", &lock, Tokens::new());
    /// world.host("client").workload(move || {
    ///     let acquire = lock.invoke(FencedLockCall::Acquire);
    ///     acquire.ok(FencedLockReply::Granted(ask()));
    /// });
    /// # }
    /// ```
    #[track_caller]
    pub fn watch<O>(&mut self, name: &str, history: &History, check: O) -> &mut World
    where
        O: Online + Clone + Send + Sync + 'static,
        O::Call: DeserializeOwned + Debug,
        O::Reply: DeserializeOwned + Debug,
    {
        let place = Location::caller();
        self.refuse_second_promise(name, place);
        let history = history.name().to_string();
        let watch = Box::new(move |run: &RunRecord| judge::watched(run, &history, check.clone()));
        self.watches.push(Watch { name: name.to_string(), place, watch });
        self
    }

    /// Liveness: the workloads have ended at the latest this much virtual time after the last fault
    /// was over (or, in a run without faults, after the start).
    #[track_caller]
    pub fn eventually(&mut self, name: &str, within: Duration) -> &mut World {
        let place = Location::caller();
        self.refuse_second_promise(name, place);
        self.eventually.push(Eventually { name: name.to_string(), place, within: within.into() });
        self
    }

    /// Says that the programs are known to be wrong: under `cargo test` the test passes if exploring it
    /// breaks each of these properties (others may break too), and fails if one of them holds. A canary:
    /// it shows that what is looked for would be found. `cargo bizarro` shows the findings all the same.
    ///
    /// The names are those of checks, of assertions in the programs, or of the properties that are on by
    /// default, such as `no panic`.
    pub fn must_break(&mut self, properties: &[&str]) -> &mut World {
        self.must_break.extend(properties.iter().map(|name| (*name).to_string()));
        self
    }

    /// Says that two runs of this world are known to differ: under `cargo test` the test passes if the self-check says
    /// so, and fails if it does not. The canary of the self-check.
    pub fn must_differ(&mut self) -> &mut World {
        self.must_differ = true;
        self
    }

    fn refuse_second_promise(&mut self, name: &str, place: &'static Location<'static>) {
        let checks = self.checks.iter().map(|check| (&check.name, check.place));
        let watches = self.watches.iter().map(|watch| (&watch.name, watch.place));
        let others = self.eventually.iter().map(|promise| (&promise.name, promise.place));
        if let Some((_, first)) =
            checks.chain(watches).chain(others).find(|(other, _)| *other == name)
        {
            self.mistakes.push(Mistake::at(
                place,
                format!("two properties are called `{name}`; the first is declared at {first}"),
                "give this one a name of its own, by which a report can tell them apart",
            ));
        }
    }
}
