//! Makes a report of what was explored.

use std::collections::{BTreeMap, BTreeSet};

use bizarro_explore::{
    Cell as TriedCell, Dependency as Depends, Finding as Found, Impact as Measured, MatrixReport,
    Outcome, Properties, Recovery, Removed, SchedulesReport, Skip, SwarmReport, Variant as Tried,
    Verdict, plan_without, verdict,
};
use bizarro_record::{
    Declared, Exchange as Asked, ExchangeId, Injection, Lasting, Level, Plan, PropertyKind, Role,
    RunRecord, WorldSpec,
};

use super::run::{baseline, beside, cut, size};
use super::{
    Cell, Dependency, Edge, ExchangeName, Finding, Host, Impact, Link, Property, Removal, Report,
    Run, Summary, Variant, World,
};
use crate::exit::Exit;
use crate::letters::Letters;
use crate::look::Look;
use crate::packed::Packer;
use crate::sentence::{fault, removal as removal_sentence, sentence};
use crate::words::replay_command;

/// The events of the baseline take at most this many bytes.
const BASELINE_BYTES_MAX: usize = 10_000_000;
/// Runs are put into a report until they take this many bytes of its page together,
const PAGE_BYTES_MAX: usize = 14_000_000;
/// or this many of its JSON, where each is told in full.
const RUNS_BYTES_MAX: usize = 40_000_000;
/// The run of the worst finding, and the only run where one was asked for, are always there; they are cut where
/// they take more than this together with the baseline.
const BYTES_MAX: usize = 18_500_000;

/// What was explored.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The system model, in words.
    pub model: &'a str,
    /// The world as its test describes it.
    pub world: &'a WorldSpec,
    /// What everything together came to.
    pub exit: Exit,
}

/// What came of it. Backtraces are shown as they stand in the records.
#[derive(Clone, Copy, Debug)]
pub struct Explored<'a> {
    /// The run without faults.
    pub baseline: &'a RunRecord,
    /// The only run, where one was asked for.
    pub run: Option<&'a RunRecord>,
    /// The matrix, where there is one.
    pub matrix: Option<&'a MatrixReport>,
    /// Random schedules, where there are any.
    pub schedules: Option<&'a SchedulesReport>,
    /// A swarm, where there was one.
    pub swarm: Option<&'a SwarmReport>,
    /// What all runs together saw of the properties.
    pub properties: &'a Properties,
    /// Runs of cells that the report may hold, by their plans' texts.
    pub kept: &'a BTreeMap<String, RunRecord>,
}

/// The report of a test.
pub fn report(subject: Subject<'_>, explored: Explored<'_>) -> Report {
    let mut runs = Runs::of(explored.baseline);
    if let Some(run) = explored.run {
        runs.add_always(run);
    }
    let by_search: Vec<(&str, &Found)> = findings_of(&explored).collect();
    let found: Vec<&Found> = by_search.iter().map(|(_, found)| *found).collect();
    let letters = Letters::of(found.iter().flat_map(|f| &f.properties).map(String::as_str));
    if let Some(first) = found.first() {
        runs.add_always(&first.record);
    }
    found.iter().skip(1).for_each(|finding| runs.add(&finding.record));
    let cells = explored.matrix.map_or(&[][..], |matrix| &matrix.cells);
    for removed in removals(&explored) {
        let plan = plan_without(&removed.removal, &explored.baseline.plan).to_string();
        explored.kept.get(&plan).into_iter().for_each(|record| runs.add(record));
    }
    add_kept(&mut runs, cells, &explored);
    let level = explored.matrix.map_or(Level::Hosts, |matrix| matrix.level);
    let asked = explored.baseline.exchanges_at(level);
    let names = if explored.matrix.is_some() { &asked[..] } else { &[] };
    let index_of: BTreeMap<&ExchangeId, usize> =
        names.iter().enumerate().map(|(index, exchange)| (&exchange.id, index)).collect();
    Report {
        test: explored.baseline.test.clone(),
        build: explored.baseline.build.clone(),
        outcome: outcome(subject.exit).to_string(),
        model: subject.model.to_string(),
        world: world(subject.world),
        summary: summary(&explored),
        properties: properties(explored.properties, &found, &letters),
        exchanges: names.iter().map(exchange_name).collect(),
        cells: cells.iter().map(|tried| cell(tried, &index_of, &explored, &runs)).collect(),
        level: level_words(level).to_string(),
        findings: by_search
            .iter()
            .map(|(search, f)| finding(search, f, explored.baseline, &runs))
            .collect(),
        edges: edges(&asked, cells),
        dependencies: dependencies(&explored, &runs),
        difference: difference(&explored),
        runs: runs.runs,
    }
}

/// The runs that a report holds, and where.
struct Runs<'a> {
    baseline: &'a RunRecord,
    runs: Vec<Run>,
    index_of: BTreeMap<String, usize>,
    bytes: usize,
    /// Packs each as the page will, to know how much room it takes there.
    packer: Packer,
    page_bytes: usize,
    is_full: bool,
}

impl<'a> Runs<'a> {
    fn of(record: &'a RunRecord) -> Runs<'a> {
        let run = baseline(record, &verdict(record, None), BASELINE_BYTES_MAX);
        let mut packer = Packer::default();
        Runs {
            page_bytes: packer.run(&run).1,
            packer,
            baseline: record,
            bytes: size(&run),
            index_of: BTreeMap::from([(run.plan.clone(), 0)]),
            runs: vec![run],
            is_full: false,
        }
    }

    fn get(&self, plan: &Plan) -> Option<usize> {
        self.index_of.get(&plan.to_string()).copied()
    }

    fn add_always(&mut self, record: &RunRecord) {
        if self.get(&record.plan).is_none() {
            let run = self.beside(record, BYTES_MAX.saturating_sub(self.bytes));
            self.page_bytes += self.packer.run(&run).1;
            self.push(run);
        }
    }

    /// Adds a run where it fits. After the first that does not, none does: what a report holds has to be
    /// foreseeable.
    fn add(&mut self, record: &RunRecord) {
        if self.is_full || self.get(&record.plan).is_some() {
            return;
        }
        let run = self.beside(record, usize::MAX);
        let page_bytes = self.page_bytes + self.packer.run(&run).1;
        self.is_full = page_bytes > PAGE_BYTES_MAX || self.bytes + size(&run) > RUNS_BYTES_MAX;
        if !self.is_full {
            self.page_bytes = page_bytes;
            self.push(run);
        }
    }

    fn beside(&self, record: &RunRecord, bytes_max: usize) -> Run {
        let verdict = verdict(record, Some(self.baseline));
        beside(record, &verdict, (self.baseline, &self.runs[0]), bytes_max)
    }

    fn push(&mut self, run: Run) {
        self.bytes += size(&run);
        self.index_of.insert(run.plan.clone(), self.runs.len());
        self.runs.push(run);
    }
}

/// Adds the runs of cells: those that break something first.
fn add_kept(runs: &mut Runs<'_>, cells: &[TriedCell], explored: &Explored<'_>) {
    let variants = || cells.iter().flat_map(|c| c.variants.iter().map(move |v| (c, v)));
    for fails in [true, false] {
        for (cell, variant) in variants() {
            if variant.verdict.outcome.is_failure() == fails && variant.skip.is_none() {
                let plan = plan(cell, variant, explored.baseline).to_string();
                explored.kept.get(&plan).into_iter().for_each(|record| runs.add(record));
            }
        }
    }
}

/// All findings, each with the search that found it.
fn findings_of<'a>(
    explored: &Explored<'a>,
) -> impl Iterator<Item = (&'static str, &'a Found)> + use<'a> {
    let matrix = explored.matrix.map_or(&[][..], |matrix| &matrix.findings);
    let schedules = explored.schedules.map_or(&[][..], |schedules| &schedules.findings);
    let swarm = explored.swarm.map_or(&[][..], |swarm| &swarm.findings);
    let all = [("matrix", matrix), ("schedules", schedules), ("swarm", swarm)];
    all.into_iter().flat_map(|(search, found)| found.iter().map(move |found| (search, found)))
}

/// The plan that makes a cell's run.
fn plan(cell: &TriedCell, variant: &Tried, baseline: &RunRecord) -> Plan {
    Plan { injections: vec![injection(cell, variant)], ..baseline.plan.clone() }
}

fn injection(cell: &TriedCell, variant: &Tried) -> Injection {
    let (at, lasting) = (cell.exchange.clone(), variant.lasting);
    Injection { at, lasting, step: cell.step, effect: variant.effect }
}

fn outcome(exit: Exit) -> &'static str {
    match exit {
        Exit::Held => "held",
        Exit::Violated => "violated",
        Exit::Usage => "not run",
        Exit::Inconclusive => "inconclusive",
        Exit::Nondeterminism => "not deterministic",
        Exit::OurBug => "a bug of Bizarro",
    }
}

fn world(spec: &WorldSpec) -> World {
    let host = |host: &bizarro_record::HostSpec| Host {
        name: host.name.clone(),
        address: host.address.to_string(),
        role: match host.role {
            Role::Program => "program".to_string(),
            Role::Workload => "workload".to_string(),
        },
        group: host.group.clone(),
        non_critical: host.declared == Declared::NonCritical,
        cpus: host.cpus,
        clock_offset: host.clock.offset,
        arguments: host.arguments.clone(),
        environment: host.env.clone(),
    };
    let link = |link: &bizarro_record::LinkSpec| Link {
        between: link.between.clone(),
        latency_min: link.latency_min.0,
        latency_max: link.latency_max.0,
        bandwidth: link.bandwidth,
        loss_ppm: link.loss_ppm,
    };
    World {
        hosts: spec.hosts.iter().map(host).collect(),
        links: spec.links.iter().map(link).collect(),
        epoch: spec.epoch,
        deadline: spec.deadline.0,
    }
}

fn summary(explored: &Explored<'_>) -> Summary {
    let mut summary = Summary { runs: 1, ..Summary::default() };
    if explored.run.is_some_and(|run| run.plan != explored.baseline.plan) {
        summary.runs += 1;
    }
    if let Some(matrix) = explored.matrix {
        summary.runs = matrix.runs;
        summary.cells = matrix.cells.len() as u64;
        summary.cells_violated = matrix.cells_broken() as u64;
        summary.cells_inconclusive = matrix.cells_in_doubt() as u64;
        summary.interrupted = matrix.interrupted;
        summary.wall_ms = matrix.wall.as_millis() as u64;
    }
    if let Some(swarm) = explored.swarm {
        summary.runs += swarm.runs;
        summary.swarm = swarm.drawn;
        summary.swarm_distinct = swarm.distinct;
        summary.swarm_combinations = swarm.combinations;
        summary.interrupted |= swarm.interrupted;
        summary.wall_ms += swarm.wall.as_millis() as u64;
    }
    if let Some(schedules) = explored.schedules {
        summary.runs += schedules.runs;
        summary.schedules = schedules.seeds;
        summary.schedules_distinct = schedules.distinct;
        summary.interrupted |= schedules.interrupted;
        summary.wall_ms += schedules.wall.as_millis() as u64;
    }
    summary
}

/// What the tests state, and what holds for every test and was broken here.
fn properties(all: &Properties, found: &[&Found], letters: &Letters) -> Vec<Property> {
    let letter = |name: &str| {
        let is_broken = found.iter().any(|f| f.properties.iter().any(|known| known == name));
        is_broken.then(|| letters.get(name).to_string())
    };
    let stated = all.folded.iter().map(|folded| Property {
        letter: letter(&folded.name),
        name: folded.name.clone(),
        kind: kind(folded.kind).to_string(),
        place: folded.place.clone(),
        runs_passed: folded.runs_passed,
        runs_broken: folded.runs_broken,
    });
    let mut list: Vec<Property> = stated.collect();
    let known: BTreeSet<String> = list.iter().map(|property| property.name.clone()).collect();
    let mut default: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in found {
        for name in finding.properties.iter().filter(|name| !known.contains(*name)) {
            *default.entry(name).or_default() += finding.plans.len() as u64;
        }
    }
    list.extend(default.into_iter().map(|(name, broken)| Property {
        letter: letter(name),
        name: name.to_string(),
        kind: "default".to_string(),
        place: String::new(),
        runs_passed: all.runs.saturating_sub(broken),
        runs_broken: broken,
    }));
    list.sort_by(|one, other| one.name.cmp(&other.name));
    list
}

fn kind(kind: PropertyKind) -> &'static str {
    match kind {
        PropertyKind::Always => "always",
        PropertyKind::Sometimes => "sometimes",
        PropertyKind::Reachable => "reachable",
        PropertyKind::Unreachable => "unreachable",
        PropertyKind::Eventually => "eventually",
        PropertyKind::AtEnd => "at-end",
    }
}

fn exchange_name(exchange: &Asked) -> ExchangeName {
    let id = &exchange.id;
    ExchangeName {
        client: id.client.clone(),
        server: id.server.clone(),
        name: cut(&id.name),
        ordinal: id.ordinal,
        attempt: exchange.attempt,
    }
}

fn cell(
    tried: &TriedCell,
    index_of: &BTreeMap<&ExchangeId, usize>,
    explored: &Explored<'_>,
    runs: &Runs<'_>,
) -> Cell {
    Cell {
        exchange: index_of[&tried.exchange],
        step: tried.step.key().to_string(),
        outcome: tried.outcome().words().to_string(),
        variants: tried.variants.iter().map(|v| variant(tried, v, explored, runs)).collect(),
    }
}

fn variant(cell: &TriedCell, tried: &Tried, explored: &Explored<'_>, runs: &Runs<'_>) -> Variant {
    let plan = plan(cell, tried, explored.baseline);
    Variant {
        effect: format!(
            "{}{}",
            tried.effect,
            if tried.lasting == Lasting::Sticky { "+" } else { "" }
        ),
        sentence: format!("{}.", cut(&fault(&plan.injections[0]))),
        outcome: tried.verdict.outcome.words().to_string(),
        broken: tried.verdict.properties().map(str::to_string).collect(),
        facts: facts(&tried.verdict),
        doubts: tried.verdict.doubts.clone(),
        skipped: tried.skip.map(skipped),
        impact: tried.impact.map(impact),
        command: replay_command(&explored.baseline.test, &plan),
        run: runs.get(&plan),
    }
}

fn skipped(skip: Skip) -> String {
    let words = match skip {
        Skip::OutsideModel => "The system model excludes this.",
        Skip::NotReached => "The run without faults never came to this step.",
        Skip::NothingOlder => "It is the first request of its name: there is no older one.",
        Skip::NoSuccess => "The reply is none of HTTP that says success.",
        Skip::SameAsOnce => "No second attempt was struck: see the fault that strikes once.",
        Skip::NoDiskWrite => "The host writes nothing to its disk at this step.",
        Skip::Interrupted => "The exploration was stopped before this run.",
    };
    words.to_string()
}

fn facts(verdict: &Verdict) -> Vec<String> {
    let fact = |violation: &bizarro_explore::Violation| match violation.fact.as_str() {
        "" => format!("{}: broken", violation.property),
        fact => cut(&format!("{}: {fact}", violation.property)),
    };
    verdict.broken.iter().map(fact).collect()
}

fn impact(measured: Measured) -> Impact {
    let (recovered, recovery) = match measured.recovery {
        Some(Recovery::After(time)) => (true, Some(time.0)),
        Some(Recovery::Never) => (false, None),
        // Nothing struck, so there is nothing to recover from.
        None => (true, None),
    };
    let from_heal = match measured.recovery_from_heal {
        Some(Recovery::After(time)) => Some(time.0),
        _ => None,
    };
    Impact {
        recovery,
        recovery_from_heal: from_heal,
        recovered,
        delay: measured.delay_ns,
        hosts: measured.blast.hosts as u64,
        hosts_total: measured.blast.hosts_total as u64,
        exchanges: measured.blast.exchanges as u64,
        exchanges_total: measured.blast.exchanges_total as u64,
    }
}

fn finding(search: &str, found: &Found, baseline: &RunRecord, runs: &Runs<'_>) -> Finding {
    let has_faults = found.plan().names_faults();
    Finding {
        sentence: format!("{}.", cut(&sentence(found, baseline))),
        outcome: found.verdict.outcome.words().to_string(),
        properties: found.properties.clone(),
        facts: match found.is_failure() {
            true => facts(&found.verdict),
            false => found.verdict.doubts.clone(),
        },
        impact: has_faults.then(|| impact(found.impact)),
        search: search.to_string(),
        shrunk_from: found.shrunk.as_ref().map(|shrunk| shrunk.original.to_string()),
        shrink_runs: found.shrunk.as_ref().map_or(0, |shrunk| shrunk.runs),
        alike: found.plans.len() as u64,
        command: replay_command(&found.record.test, found.plan()),
        run: runs.get(found.plan()),
    }
}

/// Who asks whom in the baseline, in the order of the first requests, with the worst of the cells.
fn edges(asked: &[Asked], cells: &[TriedCell]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    let mut index_of: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let mut worst: Vec<Option<Outcome>> = Vec::new();
    for exchange in asked {
        let id = &exchange.id;
        let index = *index_of.entry((&id.client, &id.server, &id.name)).or_insert_with(|| {
            edges.push(Edge {
                client: id.client.clone(),
                server: id.server.clone(),
                name: cut(&id.name),
                count: 0,
                outcome: None,
                broken: vec![],
            });
            worst.push(None);
            edges.len() - 1
        });
        edges[index].count += 1;
    }
    for cell in cells {
        let id = &cell.exchange;
        let Some(&index) = index_of.get(&(&*id.client, &*id.server, &*id.name)) else { continue };
        worst[index] = worst[index].max(Some(cell.outcome()));
        for variant in cell.variants.iter().filter(|v| v.verdict.outcome.is_failure()) {
            edges[index].broken.extend(variant.verdict.properties().map(str::to_string));
        }
    }
    for (edge, worst) in edges.iter_mut().zip(worst) {
        edge.outcome = worst.map(|outcome| outcome.words().to_string());
        edge.broken.sort();
        edge.broken.dedup();
    }
    edges
}

fn removals<'a>(explored: &Explored<'a>) -> impl Iterator<Item = &'a Removed> {
    let all = explored.matrix.into_iter().flat_map(|matrix| &matrix.dependencies);
    all.flat_map(|dependency| &dependency.removals)
}

fn dependencies(explored: &Explored<'_>, runs: &Runs<'_>) -> Vec<Dependency> {
    let all = explored.matrix.map_or(&[][..], |matrix| &matrix.dependencies);
    let one = |depends: &Depends| Dependency {
        client: depends.client.clone(),
        server: depends.server.clone(),
        count: depends.names.iter().map(|(_, count)| count).sum(),
        criticality: depends.criticality().map(|worst| worst.words().to_string()),
        non_critical: depends.declared == Declared::NonCritical,
        misplaced: depends.is_misplaced(),
        removals: depends.removals.iter().map(|r| removal(r, explored, runs)).collect(),
    };
    all.iter().map(one).collect()
}

fn removal(removed: &Removed, explored: &Explored<'_>, runs: &Runs<'_>) -> Removal {
    let plan = plan_without(&removed.removal, &explored.baseline.plan);
    let loss = removed.loss.unwrap_or_default();
    Removal {
        effect: removed.removal.effect.to_string(),
        sentence: format!("{}.", removal_sentence(&removed.removal)),
        criticality: removed.criticality.map(|worst| worst.words().to_string()),
        outcome: removed.verdict.outcome.words().to_string(),
        broken: removed.verdict.properties().map(str::to_string).collect(),
        facts: facts(&removed.verdict),
        doubts: removed.verdict.doubts.clone(),
        skipped: removed.skip.map(skipped),
        longer: loss.longer.0,
        exchanges_lost: loss.exchanges as u64,
        operations_lost: loss.operations as u64,
        command: replay_command(&explored.baseline.test, &plan),
        run: runs.get(&plan),
    }
}

fn level_words(level: Level) -> &'static str {
    match level {
        Level::Hosts => "hosts",
        Level::Groups => "groups",
    }
}

fn difference(explored: &Explored<'_>) -> Option<String> {
    let matrix = explored.matrix.and_then(|matrix| matrix.difference.as_ref());
    let schedules = || explored.schedules.and_then(|schedules| schedules.difference.as_ref());
    let swarm = || explored.swarm.and_then(|swarm| swarm.difference.as_ref());
    let difference = matrix.or_else(schedules).or_else(swarm)?;
    Some(crate::difference::difference(&explored.baseline.test, difference, Look::PLAIN))
}
