//! What was explored of a test, as data for other programs: the report.
//!
//! This module owns the schema, which `docs/report.md` describes field by field (a test compares the
//! two). The JSON file is this value; the page holds it and draws it; JUnit XML is made from it.
//! It says what happened in words where a reader needs words, so that no reader has to know how Bizarro
//! names things.

mod build;
mod event;
mod run;

use serde::{Deserialize, Serialize};

pub use build::{Explored, Subject, report};
pub use event::{Event, What};
pub use run::{EVENTS_MAX, EXCHANGES_MAX, TEXT_MAX};

/// What the field `format` of a [`Document`] says.
pub const DOCUMENT: &str = "bizarro-report";
/// Version of the schema. It grows when a field goes away or changes its meaning; new fields do not change
/// it, so a reader has to pass over fields that it does not know.
pub const VERSION: u32 = 1;

/// What a JSON file holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Document {
    /// [`DOCUMENT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// A report for each test.
    pub tests: Vec<Report>,
}

impl Document {
    /// Of these tests.
    pub fn new(tests: Vec<Report>) -> Document {
        Document { format: DOCUMENT.to_string(), version: VERSION, tests }
    }

    /// As JSON (RFC 8259), without line breaks but one at its end.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string(self);
        json.expect("a report is made of numbers, texts and lists") + "\n"
    }
}

/// What was explored of a test, and what came of it. Times are virtual nanoseconds since the start of a
/// run, where nothing else is said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Full name of the test.
    pub test: String,
    /// The build of test and simulator, in a word.
    pub build: String,
    /// `held`, `violated`, `inconclusive`, `not deterministic`: the whole in a word.
    pub outcome: String,
    /// The system model, in words.
    pub model: String,
    /// What the runs were made in.
    pub world: World,
    /// Counts.
    pub summary: Summary,
    /// What has to hold, and how often it did, sorted by name.
    pub properties: Vec<Property>,
    /// The requests of the baseline; cells name them by their index here.
    pub exchanges: Vec<ExchangeName>,
    /// What asks and is asked in exchanges, cells, edges and dependencies: `hosts` or `groups`.
    pub level: String,
    /// The failure matrix; empty where none was explored.
    pub cells: Vec<Cell>,
    /// What is broken or in doubt, the worst first.
    pub findings: Vec<Finding>,
    /// Who asks whom.
    pub edges: Vec<Edge>,
    /// Who depends on whom, and how much: what a run comes to in which the one is missing for the other.
    pub dependencies: Vec<Dependency>,
    /// How two runs of one plan differed, in words, where they did.
    pub difference: Option<String>,
    /// Runs in full; the first is the baseline. Cells and findings name theirs by its index here.
    pub runs: Vec<Run>,
}

impl Report {
    /// All but the runs.
    pub(crate) fn without_runs(&self) -> Report {
        Report {
            test: self.test.clone(),
            build: self.build.clone(),
            outcome: self.outcome.clone(),
            model: self.model.clone(),
            world: self.world.clone(),
            summary: self.summary.clone(),
            properties: self.properties.clone(),
            exchanges: self.exchanges.clone(),
            level: self.level.clone(),
            cells: self.cells.clone(),
            findings: self.findings.clone(),
            edges: self.edges.clone(),
            dependencies: self.dependencies.clone(),
            difference: self.difference.clone(),
            runs: vec![],
        }
    }
}

/// Hosts, links and limits.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct World {
    /// The hosts; events name theirs by its index here.
    pub hosts: Vec<Host>,
    /// The links.
    pub links: Vec<Link>,
    /// True time at which a run starts, in nanoseconds since 1970 (UTC).
    pub epoch: u64,
    /// Virtual time at which a run that has not ended is called stuck.
    pub deadline: u64,
}

/// A host.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its IPv4 address.
    pub address: String,
    /// `program`, which serves, or `workload`, with which a run ends.
    pub role: String,
    /// The group that the test puts it into, where it does.
    pub group: Option<String>,
    /// Whether the test says that it holds without this host.
    pub non_critical: bool,
    /// CPUs that its programs see.
    pub cpus: u32,
    /// What its clock is ahead of the true time, in nanoseconds; negative where it is behind.
    pub clock_offset: i64,
    /// What its program is started as.
    pub arguments: Vec<String>,
    /// Its environment, as `NAME=value`.
    pub environment: Vec<String>,
}

/// How packets travel.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The names of the two hosts; absent for the link of every pair that no other link names.
    pub between: Option<(String, String)>,
    /// Shortest latency, one way.
    pub latency_min: u64,
    /// Longest latency, one way.
    pub latency_max: u64,
    /// Bytes per second; 0 for no limit.
    pub bandwidth: u64,
    /// Lost packets in a million.
    pub loss_ppm: u32,
}

/// Counts.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Runs that were made.
    pub runs: u64,
    /// Cells of the matrix.
    pub cells: u64,
    /// Cells in which something is broken.
    pub cells_violated: u64,
    /// Cells that could not be judged.
    pub cells_inconclusive: u64,
    /// Random schedules that were asked for.
    pub schedules: u64,
    /// How many different runs these gave.
    pub schedules_distinct: u64,
    /// Runs of a swarm.
    pub swarm: u64,
    /// How many different runs these gave.
    pub swarm_distinct: u64,
    /// How many combinations of state, exchange and fault they came to.
    pub swarm_combinations: u64,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
    /// Real time, in milliseconds.
    pub wall_ms: u64,
}

/// A property, over all runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Property {
    /// Its letter in the matrix, where a run broke it.
    pub letter: Option<String>,
    /// Its name.
    pub name: String,
    /// When it has to be true: `always`, `sometimes`, `reachable`, `unreachable`, `eventually`, `at-end`;
    /// `default` where no test states it and it holds for every test.
    pub kind: String,
    /// `file:line` of the assertion, or empty.
    pub place: String,
    /// Runs in which it was looked at and true at least once.
    pub runs_passed: u64,
    /// Runs that broke it.
    pub runs_broken: u64,
}

/// What identifies a request and its reply.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExchangeName {
    /// The host that asks.
    pub client: String,
    /// The host that is asked.
    pub server: String,
    /// What is asked.
    pub name: String,
    /// 1 for the first exchange of this client, server and name.
    pub ordinal: u32,
    /// The how-manieth attempt at the same call, from 1.
    pub attempt: u32,
}

/// One step of one exchange.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// Index of the exchange.
    pub exchange: usize,
    /// The step, as plans name it.
    pub step: String,
    /// The worst outcome of its variants.
    pub outcome: String,
    /// What was tried.
    pub variants: Vec<Variant>,
}

/// One effect at one step of one exchange.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Variant {
    /// The effect, as plans name it, with a `+` where it is sticky.
    pub effect: String,
    /// What it is, as a sentence.
    pub sentence: String,
    /// `held`, `violated`, `crashed`, `stuck`, `inconclusive`, `not applicable`.
    pub outcome: String,
    /// Names of the broken properties.
    pub broken: Vec<String>,
    /// What is known of them.
    pub facts: Vec<String>,
    /// Why it could not be judged.
    pub doubts: Vec<String>,
    /// Why there was no run, in words, where there was none.
    pub skipped: Option<String>,
    /// What the fault did, in numbers, where it was run.
    pub impact: Option<Impact>,
    /// The command that makes its run.
    pub command: String,
    /// Index of its run, where the report holds it.
    pub run: Option<usize>,
}

/// What a fault did, in numbers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Impact {
    /// Time from the strike until the client was served again; absent where it never was, or where no fault struck.
    pub recovery: Option<u64>,
    /// The same from the moment at which the last fault was over by itself.
    pub recovery_from_heal: Option<u64>,
    /// Whether it was served again.
    pub recovered: bool,
    /// How much later than the baseline the run ended; negative where it ended earlier.
    pub delay: i64,
    /// Affected hosts.
    pub hosts: u64,
    /// Hosts of the world.
    pub hosts_total: u64,
    /// Affected exchanges of the baseline.
    pub exchanges: u64,
    /// Exchanges of the baseline.
    pub exchanges_total: u64,
}

/// Failing runs that break the same properties at the same kind of place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What happened, as a sentence.
    pub sentence: String,
    /// The outcome of its runs.
    pub outcome: String,
    /// The properties that they break.
    pub properties: Vec<String>,
    /// What is known of them.
    pub facts: Vec<String>,
    /// What the representative's faults did, in numbers; absent where it has none.
    pub impact: Option<Impact>,
    /// What found it: `matrix`, `schedules` or `swarm`.
    pub search: String,
    /// The plan that was found to fail, where the representative was shrunk from another.
    pub shrunk_from: Option<String>,
    /// Runs that it took to shrink it.
    pub shrink_runs: u64,
    /// How many runs are alike.
    pub alike: u64,
    /// The command that makes the representative: the run with the fewest faults.
    pub command: String,
    /// Index of the representative's run.
    pub run: Option<usize>,
}

/// Requests of one host to another, of one name.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Edge {
    /// The host that asks.
    pub client: String,
    /// The host that is asked.
    pub server: String,
    /// What is asked.
    pub name: String,
    /// How often in the baseline.
    pub count: u64,
    /// The worst outcome of its cells; absent where none was explored.
    pub outcome: Option<String>,
    /// The properties that break where it fails.
    pub broken: Vec<String>,
}

/// One host, or group, asks another one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Dependency {
    /// Who asks.
    pub client: String,
    /// Who is asked.
    pub server: String,
    /// How often in the baseline.
    pub count: u64,
    /// `not needed`, `degraded`, `critical` or `inconclusive`: the worst of its removals; absent where none was tried.
    pub criticality: Option<String>,
    /// Whether the test says that it holds without the server.
    pub non_critical: bool,
    /// Whether it is critical all the same.
    pub misplaced: bool,
    /// Runs without it, one for each way in which it can be missing.
    pub removals: Vec<Removal>,
}

/// A run in which a dependency is missing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Removal {
    /// What the client is told, as plans name it: `refused`, `unreachable`, or nothing at all: `partition`.
    pub effect: String,
    /// What it is, as a sentence.
    pub sentence: String,
    /// What it came to; absent where there was no run.
    pub criticality: Option<String>,
    /// The outcome of its run.
    pub outcome: String,
    /// Names of the broken properties.
    pub broken: Vec<String>,
    /// What is known of them.
    pub facts: Vec<String>,
    /// Why it could not be judged.
    pub doubts: Vec<String>,
    /// Why there was no run, in words, where there was none.
    pub skipped: Option<String>,
    /// How much longer the run took than the baseline; 0 where that may come of other latencies.
    pub longer: u64,
    /// Exchanges of the baseline that are missing or went worse, beside those of the dependency itself.
    pub exchanges_lost: u64,
    /// Operations of histories that are `ok` in the baseline and not here.
    pub operations_lost: u64,
    /// The command that makes its run.
    pub command: String,
    /// Index of its run, where the report holds it.
    pub run: Option<usize>,
}

/// A run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its plan, as the command line takes it.
    pub plan: String,
    /// The command that makes it.
    pub command: String,
    /// Hash of all effects, 16 hexadecimal digits.
    pub fingerprint: String,
    /// How it is judged.
    pub outcome: String,
    /// What it broke.
    pub broken: Vec<Violation>,
    /// Why it could not be judged.
    pub doubts: Vec<String>,
    /// Faults of the plan that never struck.
    pub missed: Vec<String>,
    /// How it ended, in words.
    pub ending: String,
    /// What tasks were doing when it ended, where it did not end by itself.
    pub tasks: Vec<Task>,
    /// When it ended.
    pub virtual_time: u64,
    /// System calls that its programs made.
    pub syscalls: u64,
    /// It begins with this many exchanges of the baseline, which are not repeated here.
    pub exchanges_shared: usize,
    /// This many exchanges are left out, for there are too many.
    pub exchanges_omitted: usize,
    /// The rest of the requests and replies, in the order of the requests.
    pub exchanges: Vec<Exchange>,
    /// It begins with this many events of the baseline, which are not repeated here.
    pub shared: usize,
    /// This many events come next and are left out, for the run is too long.
    pub omitted: usize,
    /// The rest of what happened, in order.
    pub events: Vec<Event>,
}

impl Run {
    /// All but the events and exchanges.
    pub(crate) fn head(&self) -> Run {
        Run {
            plan: self.plan.clone(),
            command: self.command.clone(),
            fingerprint: self.fingerprint.clone(),
            outcome: self.outcome.clone(),
            broken: self.broken.clone(),
            doubts: self.doubts.clone(),
            missed: self.missed.clone(),
            ending: self.ending.clone(),
            tasks: self.tasks.clone(),
            virtual_time: self.virtual_time,
            syscalls: self.syscalls,
            exchanges_shared: self.exchanges_shared,
            exchanges_omitted: self.exchanges_omitted,
            exchanges: vec![],
            shared: self.shared,
            omitted: self.omitted,
            events: vec![],
        }
    }
}

/// A property that a run broke.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Violation {
    /// The property's name.
    pub property: String,
    /// What was seen.
    pub fact: String,
    /// When.
    pub at: u64,
    /// Name of the host, where it is one host's doing.
    pub host: Option<String>,
    /// `file:line` of the assertion, or empty.
    pub place: String,
    /// Where the program was, one frame per line, where that is known.
    pub backtrace: String,
    /// Why, drawn as SVG, where a checker of a history knows.
    pub picture: Option<String>,
}

/// What a task was doing when its run ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Name of its host.
    pub host: String,
    /// Its thread id.
    pub task: u32,
    /// Its name.
    pub name: String,
    /// What it waits for.
    pub waits_for: String,
    /// Where it waits, one frame per line, where that is known.
    pub backtrace: String,
}

/// A request and its reply in a run. Times are absent for what was not reached.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Exchange {
    /// The host that asks.
    pub client: String,
    /// The host that is asked.
    pub server: String,
    /// What is asked.
    pub name: String,
    /// 1 for the first exchange of this client, server and name.
    pub ordinal: u32,
    /// Number of the connection in this run.
    pub connection: u32,
    /// The client handed over the first byte of the request.
    pub requested: u64,
    /// The last byte of the request arrived.
    pub delivered: Option<u64>,
    /// The server handed over the first byte of the reply.
    pub replied: Option<u64>,
    /// The last byte of the reply arrived.
    pub completed: Option<u64>,
    /// Bytes of the request.
    pub request_bytes: u64,
    /// Bytes of the reply.
    pub reply_bytes: u64,
    /// Status of the reply where the protocol has one: of HTTP, or of gRPC (0 to 16).
    pub status: Option<u16>,
    /// The how-manieth attempt at the same call, from 1.
    pub attempt: u32,
}
