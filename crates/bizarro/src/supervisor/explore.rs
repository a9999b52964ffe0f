//! Which runs one invocation makes, and what it says of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bizarro_explore::{
    Finding, MatrixOptions, MatrixReport, Outcome, Properties, Repeat, Runner, RunnerError,
    SchedulesReport, SwarmOptions, SwarmReport, compare, matrix, schedules, self_check, swarm,
    verdict,
};
use bizarro_record::{Declared, Plan, RunRecord};
use bizarro_report::{Exit, FileError, Look, load, replay_command, save, trace, write_file};

use super::admissible::objection;
use super::build_id::build_id;
use super::keep::{Keep, Keeping};
use super::regressions::{FOLDER, Regressions};
use super::reports::Reports;
use super::runner::{TestCase, WorldRunner};
use super::session::Conclusion;
use super::settings::Settings;
use super::symbols::Symbols;
use super::voice::{Detail, Voice};
use crate::explore::Explore;

/// The run of a plan, told beside the baseline.
pub(crate) fn one_run(
    test: &Arc<TestCase>,
    plan: &Plan,
    settings: &Settings,
    look: Look,
) -> Result<Conclusion, RunnerError> {
    Ok(told_run(test, plan, settings, look)?.1)
}

/// The run of a record once more: it has to come out the same.
pub(crate) fn repeat(
    test: &Arc<TestCase>,
    path: &Path,
    settings: &Settings,
    look: Look,
) -> Result<Conclusion, RunnerError> {
    let build = build_id().map_err(|error| RunnerError::Bug(error.to_string()))?;
    let recorded = load(path, Some(build)).map_err(usage)?;
    if recorded.test != test.name {
        return Err(RunnerError::Usage(format!(
            "error: {} is a record of {}, not of {}",
            path.display(),
            recorded.test,
            test.name
        )));
    }
    let (record, mut conclusion) = told_run(test, &recorded.plan, settings, look)?;
    if let Some(difference) = compare(&recorded, &record) {
        let told = bizarro_report::difference(&test.name, &difference, look);
        conclusion.text = format!("{}\n\n{told}", conclusion.text.trim_end());
        conclusion.exit = Exit::of_difference(Some(&difference));
    }
    Ok(conclusion)
}

/// Makes a run and tells it; its record is written down where that is wanted.
fn told_run(
    test: &Arc<TestCase>,
    plan: &Plan,
    settings: &Settings,
    look: Look,
) -> Result<(RunRecord, Conclusion), RunnerError> {
    if let Some(objection) = objection(test, plan) {
        return Err(RunnerError::Usage(format!("error: {objection}")));
    }
    let mut runner = WorldRunner::new(test.clone());
    let undisturbed = plan.without_faults();
    let baseline = match plan.names_faults() {
        false => None,
        true => Some(runner.run(&undisturbed)?),
    };
    let (record, calls) = runner.run_traced(plan, settings.trace)?;
    if let Some(path) = &settings.record {
        save(&record, path).map_err(usage)?;
    }
    let mut named = record.clone();
    Symbols::own().name_record(&mut named);
    let verdict = verdict(&named, baseline.as_ref());
    if let Some(path) = &settings.perfetto {
        write_file(path, trace(&named, &verdict).as_bytes()).map_err(usage)?;
    }
    if let Some(path) = &settings.capture {
        save(&captured(&mut runner, &record)?, path).map_err(usage)?;
    }
    let story = bizarro_report::story(&named, &verdict, baseline.as_ref(), look);
    let fingerprint = format!("\nfingerprint {:016x}\n", record.fingerprint);
    let text = calls + &fingerprint + &story;
    let conclusion = Conclusion { text, exit: Exit::of_verdict(&verdict) };
    let report = Reports::of_run(baseline, named);
    Ok((record, report.write(test, settings, conclusion)))
}

/// The same run once more, with its packets.
fn captured(runner: &mut WorldRunner, record: &RunRecord) -> Result<RunRecord, RunnerError> {
    let captured = runner.run_captured(&record.plan)?;
    match captured.fingerprint == record.fingerprint {
        true => Ok(captured),
        false => Err(RunnerError::Usage(format!(
            "error: the run whose packets were to be written is another one: the test is not deterministic\n  \
             = how two runs of it differ: cargo bizarro run {}",
            record.test
        ))),
    }
}

fn usage(error: FileError) -> RunnerError {
    RunnerError::Usage(format!("error: {error}"))
}

/// Runs the plans that broke the test once. Gives whether all of them hold now.
fn known_failures(
    test: &TestCase,
    regressions: &Regressions,
    runner: &mut dyn Runner,
    told: &mut Told,
) -> Result<bool, RunnerError> {
    let mut all_hold = true;
    for (line, plan) in &regressions.plans {
        let place = regressions.place(*line);
        if let Some(objection) = objection(test, plan) {
            return Err(RunnerError::Usage(format!("error: {place}: {objection}")));
        }
        let record = runner.run(plan)?;
        let mut verdict = verdict(&record, None);
        Symbols::own().name_verdict(&mut verdict);
        told.properties.add(&record);
        match verdict.outcome {
            Outcome::Held => {}
            Outcome::NotApplicable => {
                told.text += &format!("{place}: the fault strikes no more; delete the line\n");
            }
            _ => {
                all_hold = false;
                told.exits.push(Exit::of_verdict(&verdict));
                let broken = verdict.properties().map(str::to_string);
                told.broken.extend(broken);
                let look = told.voice.look();
                told.text += &format!("known from {place}\n");
                told.text += &bizarro_report::verdict_text(&test.name, plan, &verdict, look);
                told.command.get_or_insert_with(|| replay_command(&test.name, plan));
            }
        }
    }
    Ok(all_hold)
}

/// Baseline, matrix and random schedules, as far as the test and the environment want them. Where the
/// baseline does not hold, nothing else is tried: it would explain nothing.
pub(crate) fn everything(
    test: &Arc<TestCase>,
    wanted: Explore,
    settings: &Settings,
    voice: &mut Voice,
) -> Result<Conclusion, RunnerError> {
    let seeds = settings.seeds.unwrap_or(wanted.seeds);
    let keep = Keep::for_reports(settings.report.is_some());
    let mut runners = runners(test, settings.jobs, &keep);
    let mut reports = Reports::default();
    let mut told = Told::new(&test.name, *voice);
    // What is known to be wrong on purpose is no regression.
    let regressions = match settings.regressions && test.must_break.is_empty() && !test.must_differ
    {
        true => Regressions::read(Path::new(FOLDER), &test.name)
            .map(Some)
            .map_err(|wrong| RunnerError::Usage(format!("error: {wrong}")))?,
        false => None,
    };
    if let Some(known) = &regressions
        && !known_failures(test, known, &mut *runners[0], &mut told)?
        && *voice == Voice::Libtest
    {
        // What has to be mended first was found at once.
        told.may_go_on = false;
        return Ok(told.conclude());
    }
    let baseline = if settings.matrix.unwrap_or(wanted.matrix) {
        let pairs = settings.pairs.into();
        let options = MatrixOptions {
            model: test.model,
            pairs,
            forks: settings.forks,
            level: settings.level,
            non_critical: non_critical(test),
            ..MatrixOptions::default()
        };
        let mut report = matrix(&mut runners, options, voice)?;
        Symbols::own().name_findings(&mut report.findings);
        told.matrix(&report);
        reports.matrix(report).clone()
    } else {
        let (baseline, difference) = self_check(&mut *runners[0], &Plan::default())?;
        told.baseline(&baseline);
        if let Some(difference) = &difference {
            told.exits.push(Exit::of_difference(Some(difference)));
            told.text += &bizarro_report::difference(&test.name, difference, voice.look());
        }
        baseline
    };
    if seeds > 0 && told.may_go_on {
        match schedules(&mut runners, seeds.into(), Repeat::EveryRun, voice) {
            Ok(mut report) => {
                Symbols::own().name_findings(&mut report.findings);
                told.schedules(&report, &baseline);
                reports.schedules(report);
            }
            // What the matrix found is told all the same.
            Err(RunnerError::Interrupted) => told.exits.push(Exit::Inconclusive),
            Err(error) => return Err(error),
        }
    }
    if let Some(options) = swarm_options(test, wanted, settings)
        && told.may_go_on
    {
        let mut report = swarm(&mut runners, options, voice)?;
        Symbols::own().name_findings(&mut report.findings);
        told.swarm(&report);
        reports.swarm(report);
    }
    if let Some(regressions) = regressions {
        told.text += &regressions.add(told.failing.iter());
    }
    reports.all(baseline, &told.properties, keep);
    let broken = std::mem::take(&mut told.broken);
    let conclusion = reports.write(test, settings, told.conclude());
    Ok(match voice {
        Voice::Libtest if test.must_differ => nondeterminism(test, conclusion),
        Voice::Libtest if !test.must_break.is_empty() => canary(test, &broken, conclusion),
        _ => conclusion,
    })
}

/// Names of the hosts without which the test has to hold.
fn non_critical(test: &TestCase) -> Vec<String> {
    let hosts = test.blueprint.hosts.iter();
    hosts.filter(|h| h.declared == Declared::NonCritical).map(|h| h.name.clone()).collect()
}

/// The swarm that the environment or else the test asks for.
fn swarm_options(test: &TestCase, wanted: Explore, settings: &Settings) -> Option<SwarmOptions> {
    let by_test = (wanted.swarm > 0).then_some(wanted.swarm);
    let runs = match (settings.runs, settings.time) {
        (None, None) => by_test,
        (runs, _) => runs,
    };
    let wants_some = runs.map_or(settings.time.is_some(), |runs| runs > 0);
    wants_some.then_some(SwarmOptions {
        model: test.model,
        seed: settings.swarm_seed.into(),
        runs: runs.map(u64::from),
        time: settings.time,
        guidance: settings.guidance,
    })
}

/// Turns the verdict of the self-check round.
fn nondeterminism(test: &TestCase, conclusion: Conclusion) -> Conclusion {
    match conclusion.exit {
        Exit::Nondeterminism => Conclusion {
            text: format!("{}: not deterministic, as it has to be", test.name),
            exit: Exit::Held,
        },
        Exit::Held => Conclusion {
            text: format!("{}: was to differ from itself and did not", test.name),
            exit: Exit::Violated,
        },
        _ => conclusion,
    }
}

/// Turns the verdict on programs that are known to be wrong round: what had to be found was found, or not.
fn canary(test: &TestCase, broken: &BTreeSet<String>, conclusion: Conclusion) -> Conclusion {
    let held: Vec<&str> =
        test.must_break.iter().map(String::as_str).filter(|name| !broken.contains(*name)).collect();
    if !held.is_empty() {
        let text = format!(
            "{}\n{}: was to break and did not: {}\n\ncargo bizarro matrix {}\n",
            conclusion.text.trim_end(),
            test.name,
            held.join("; "),
            test.name
        );
        return Conclusion { text, exit: Exit::Violated };
    }
    match conclusion.exit {
        Exit::Violated => Conclusion {
            text: format!("{}: broken, as it has to be: {}", test.name, test.must_break.join("; ")),
            exit: Exit::Held,
        },
        _ => conclusion,
    }
}

fn runners(test: &Arc<TestCase>, jobs: u32, keep: &Keep) -> Vec<Box<dyn Runner + Send>> {
    let runner = || Box::new(Keeping::new(test.clone(), keep)) as Box<dyn Runner + Send>;
    (0..jobs).map(|_| runner()).collect()
}

/// What has been found and said so far.
struct Told {
    /// Name of the test.
    test: String,
    voice: Voice,
    text: String,
    exits: Vec<Exit>,
    properties: Properties,
    /// Names of the properties that some run broke.
    broken: BTreeSet<String>,
    /// The plans that broke it, but for the baseline.
    failing: Vec<Plan>,
    /// The command that repeats the first failure.
    command: Option<String>,
    /// Whether the baseline held and the user has not stopped.
    may_go_on: bool,
}

impl Told {
    fn new(test: &str, voice: Voice) -> Told {
        Told {
            test: test.to_string(),
            voice,
            text: String::new(),
            exits: Vec::new(),
            properties: Properties::default(),
            broken: BTreeSet::new(),
            failing: Vec::new(),
            command: None,
            may_go_on: true,
        }
    }

    /// A baseline without a matrix.
    fn baseline(&mut self, baseline: &RunRecord) {
        let mut verdict = verdict(baseline, None);
        Symbols::own().name_verdict(&mut verdict);
        self.properties.add(baseline);
        self.exits.push(Exit::of_verdict(&verdict));
        self.broken.extend(verdict.properties().map(str::to_string));
        self.may_go_on = verdict.outcome == Outcome::Held;
        let look = self.voice.look();
        self.text += &bizarro_report::verdict_text(&baseline.test, &baseline.plan, &verdict, look);
    }

    fn matrix(&mut self, report: &MatrixReport) {
        let exit = Exit::of_matrix(report);
        self.properties.merge(&report.properties);
        self.exits.push(exit);
        self.remember(&report.findings);
        self.may_go_on = report.baseline_verdict.outcome == Outcome::Held
            && report.difference.is_none()
            && !report.interrupted;
        let look = self.voice.look();
        self.text += &match (exit, self.voice.detail()) {
            (Exit::Held, Detail::Findings) => bizarro_report::matrix_line(report, look),
            _ => bizarro_report::matrix(report, look),
        };
    }

    fn schedules(&mut self, report: &SchedulesReport, baseline: &RunRecord) {
        let exit = Exit::of_schedules(report);
        self.properties.merge(&report.properties);
        self.exits.push(exit);
        self.remember(&report.findings);
        let look = self.voice.look();
        self.text += &match exit {
            Exit::Held => bizarro_report::schedules_line(report, look),
            _ => format!("\n{}", bizarro_report::schedules(report, baseline, look)),
        };
    }

    fn swarm(&mut self, report: &SwarmReport) {
        let exit = Exit::of_swarm(report);
        self.properties.merge(&report.properties);
        self.exits.push(exit);
        self.remember(&report.findings);
        self.may_go_on = self.may_go_on && !report.interrupted;
        let look = self.voice.look();
        self.text += &match exit {
            Exit::Held => bizarro_report::swarm_line(report, look),
            _ => format!("\n{}", bizarro_report::swarm(report, look)),
        };
    }

    fn remember(&mut self, findings: &[Finding]) {
        self.broken.extend(findings.iter().flat_map(|finding| finding.properties.clone()));
        let failing = findings.iter().filter(|f| f.is_failure() && *f.plan() != Plan::default());
        self.failing.extend(failing.map(|finding| finding.plan().clone()));
        if self.command.is_none() {
            let finding = findings.first();
            self.command =
                finding.map(|finding| replay_command(&finding.record.test, finding.plan()));
        }
    }

    /// Properties that had to be met once, and were not in any run.
    fn unmet(&mut self) {
        for property in self.properties.unmet() {
            self.text += &format!("never seen in any run: {}, {}\n", property.name, property.place);
            self.command.get_or_insert_with(|| format!("cargo bizarro run {}", self.test));
        }
        self.exits.push(Exit::of_properties(&self.properties));
    }

    /// The last line of a failure is the command that repeats it.
    fn conclude(mut self) -> Conclusion {
        // Only what was explored to its end can say that something was never met.
        if self.may_go_on {
            self.unmet();
        }
        if let Some(command) = self.command
            && !self.text.trim_end().ends_with(&command)
        {
            self.text = format!("{}\n\n{command}\n", self.text.trim_end());
        }
        Conclusion { text: self.text, exit: Exit::worst(self.exits) }
    }
}
