//! Makes runs of a test in a world process, and starts another one where that died.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bizarro_explore::{Runner, RunnerError};
use bizarro_fault::SystemModel;
use bizarro_record::{
    Ending, FORMAT, Injection, Memory, Messages, Nanos, Plan, RunRecord, Stats, Trace, WorldSpec,
};

use super::build_id::build_id;
use super::doctor;
use super::process::{Afterwards, StartError, WorldProcess};
use super::protocol::Command;
use crate::check::{Check, Eventually, Watch, watch};

/// A test as its supervisor knows it.
#[derive(Debug)]
pub(crate) struct TestCase {
    /// Its full name, with the crate.
    pub(crate) name: String,
    /// The world, as it was described in the supervisor.
    pub(crate) blueprint: WorldSpec,
    /// What it has to survive.
    pub(crate) model: SystemModel,
    /// What is watched while a run goes on.
    pub(crate) watches: Vec<Watch>,
    /// What is looked at when a run is over.
    pub(crate) checks: Vec<Check>,
    /// What has to end in time.
    pub(crate) eventually: Vec<Eventually>,
    /// What exploring it has to break.
    pub(crate) must_break: Vec<String>,
    /// Whether exploring it has to show that it is not deterministic.
    pub(crate) must_differ: bool,
    /// What its records say of messages.
    pub(crate) messages: Messages,
    /// Real time that a run may take.
    pub(crate) limit: Duration,
    /// Asked before each run: whether the user wants to stop.
    pub(crate) is_stopped: fn() -> bool,
}

/// Makes runs of one test, one at a time.
#[derive(Debug)]
pub(crate) struct WorldRunner {
    test: Arc<TestCase>,
    process: Option<WorldProcess>,
    last: Option<Plan>,
    /// What the simulator held when the last run ended that was made by itself.
    pub(crate) memory: Memory,
}

impl TestCase {
    /// The name under which libtest knows the test: without the crate.
    fn libtest_path(&self) -> &str {
        self.name.split_once("::").map_or(&self.name, |(_, path)| path)
    }

    /// The record of a run that left none.
    fn lost(&self, plan: &Plan, reason: String) -> RunRecord {
        let hosts = &self.blueprint.hosts;
        RunRecord {
            format: FORMAT,
            build: String::new(),
            test: self.name.clone(),
            plan: plan.clone(),
            fingerprint: 0,
            ending: Ending::Lost { reason },
            hosts: hosts.iter().map(|host| host.name.clone()).collect(),
            groups: hosts.iter().map(|host| host.group_name().to_string()).collect(),
            exchanges: Vec::new(),
            properties: Vec::new(),
            events: Vec::new(),
            files: Vec::new(),
            deviations: None,
            stats: Stats::default(),
        }
    }

    /// Adds to a record what only the supervisor knows. Of a lost run nothing is known, so nothing is
    /// promised.
    fn complete(&self, record: &mut RunRecord) -> io::Result<()> {
        record.build = build_id()?.to_string();
        if matches!(record.ending, Ending::Lost { .. }) {
            return Ok(());
        }
        let watched = watch(&self.watches, record);
        if matches!(record.ending, Ending::Broken { .. }) {
            // Nothing is promised of a run that did not come to its end.
            record.properties.extend(watched);
            return Ok(());
        }
        let checks = self.checks.iter().map(|check| check.judge(record));
        let promises = self.eventually.iter().map(|promise| promise.judge(record));
        let judged: Vec<_> = watched.into_iter().chain(checks).chain(promises).collect();
        record.properties.extend(judged);
        Ok(())
    }

    /// Refuses a world that is not the same in both processes: what was checked here would not be
    /// what runs there.
    fn compare(&self, described: &WorldSpec) -> Result<(), RunnerError> {
        let mut described = described.clone();
        for host in &mut described.hosts {
            (host.entry, host.data) = (0, 0);
        }
        if described == self.blueprint {
            return Ok(());
        }
        Err(RunnerError::Usage(format!(
            "error: {} describes one world in the test's process and another in the world's\n  \
             = {}\n  \
             = the description must not depend on environment variables, the current directory, time or randomness",
            self.name,
            difference(&self.blueprint, &described),
        )))
    }
}

/// Where two descriptions differ, in words.
fn difference(here: &WorldSpec, there: &WorldSpec) -> String {
    let pairs = here.hosts.iter().zip(&there.hosts);
    if let Some((one, other)) = pairs.clone().find(|(one, other)| one.name != other.name) {
        return format!("a host is called `{}` here and `{}` there", one.name, other.name);
    }
    if here.hosts.len() != there.hosts.len() {
        return format!("{} hosts here, {} there", here.hosts.len(), there.hosts.len());
    }
    match pairs.clone().find(|(one, other)| one != other) {
        Some((host, _)) => format!("host `{}` is not the same", host.name),
        None => "its links or limits are not the same".to_string(),
    }
}

impl WorldRunner {
    pub(crate) fn new(test: Arc<TestCase>) -> WorldRunner {
        WorldRunner { test, process: None, last: None, memory: Memory::default() }
    }

    /// Makes a run; gives its record and, where it was asked for, a line for each system call.
    pub(crate) fn run_traced(
        &mut self,
        plan: &Plan,
        trace: Trace,
    ) -> Result<(RunRecord, String), RunnerError> {
        self.make(self.command(plan, trace))
    }

    fn command(&self, plan: &Plan, trace: Trace) -> Command {
        let messages = self.test.messages;
        Command { plan: plan.clone(), messages, trace, until: None, branches: Vec::new() }
    }

    /// Makes a run whose record has the bytes of all packets between hosts.
    pub(crate) fn run_captured(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
        let command = Command { messages: Messages::Captured, ..self.command(plan, Trace::Off) };
        self.make(command).map(|(record, _)| record)
    }

    /// Makes a run and stops it at a moment: it ends as at its deadline.
    pub(crate) fn run_until(
        &mut self,
        plan: &Plan,
        until: Nanos,
        trace: Trace,
    ) -> Result<(RunRecord, String), RunnerError> {
        self.make(Command { until: Some(until), ..self.command(plan, trace) })
    }

    fn make(&mut self, command: Command) -> Result<(RunRecord, String), RunnerError> {
        let plan = &command.plan;
        if (self.test.is_stopped)() {
            return Err(RunnerError::Interrupted);
        }
        // Whoever asks for the baseline again wants to know whether it is the same, and a process that has
        // made other runs before, or none, is part of the question. Other plans are repeated more cheaply.
        let is_repeated = self.last.replace(plan.clone()).as_ref() == Some(plan);
        if is_repeated && *plan == Plan::default() {
            self.process = None;
        }
        let mut process = self.take_process()?;
        let mut ran = process.run(&command, self.test.limit).map_err(bug)?;
        if ran.process == Afterwards::GoneBefore {
            process = self.take_process()?;
            ran = process.run(&command, self.test.limit).map_err(bug)?;
        }
        if ran.process == Afterwards::Ready {
            self.process = Some(process);
        }
        self.memory = ran.memory;
        let record = self.completed(plan, ran.record)?;
        Ok((record, ran.trace))
    }

    fn completed(
        &self,
        plan: &Plan,
        record: Result<RunRecord, String>,
    ) -> Result<RunRecord, RunnerError> {
        let mut record = match record {
            Ok(record) => record,
            Err(reason) if !doctor::missing().is_empty() => return Err(cannot_start(&reason)),
            Err(reason) => self.test.lost(plan, reason),
        };
        self.test.complete(&mut record).map_err(bug)?;
        Ok(record)
    }

    /// Makes those branches that a world process makes at once, and says of each whether it was.
    fn fork_branches(
        &mut self,
        plan: &Plan,
        faults: &[Injection],
        each: &mut dyn FnMut(usize, RunRecord),
    ) -> Result<Vec<bool>, RunnerError> {
        let mut made = vec![false; faults.len()];
        let mut process = self.take_process()?;
        let command = Command { branches: faults.to_vec(), ..self.command(plan, Trace::Off) };
        self.last = None;
        let mut failed = None;
        let limit = self.test.limit;
        let afterwards = process.run_branches(&command, limit, |place, record| {
            made[place] = true;
            let record = self.completed(&plan.and(&faults[place]), record);
            match record.map(|record| each(place, record)) {
                Ok(()) if (self.test.is_stopped)() => failed = Some(RunnerError::Interrupted),
                Ok(()) => return ControlFlow::Continue(()),
                Err(error) => failed = Some(error),
            }
            ControlFlow::Break(())
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if afterwards.map_err(bug)? == Afterwards::Ready {
            self.process = Some(process);
        }
        Ok(made)
    }

    fn take_process(&mut self) -> Result<WorldProcess, RunnerError> {
        if let Some(process) = self.process.take() {
            return Ok(process);
        }
        match WorldProcess::start(self.test.libtest_path(), self.test.limit) {
            Ok((process, described)) => self.test.compare(&described).map(|()| process),
            Err(StartError::Mistaken(what)) => Err(RunnerError::Usage(what)),
            Err(StartError::Died(how)) => Err(cannot_start(&how)),
            Err(StartError::Io(error)) => Err(cannot_start(&error.to_string())),
        }
    }
}

impl Runner for WorldRunner {
    fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
        self.run_traced(plan, Trace::Off).map(|(record, _)| record)
    }

    fn run_branches(
        &mut self,
        plan: &Plan,
        faults: &[Injection],
        each: &mut dyn FnMut(usize, RunRecord),
    ) -> Result<(), RunnerError> {
        // One that shares its beginning with none is made as cheaply from there.
        let made = match faults {
            [_] => vec![false],
            _ => self.fork_branches(plan, faults, each)?,
        };
        for (place, fault) in faults.iter().enumerate().filter(|(place, _)| !made[*place]) {
            each(place, self.run(&plan.and(fault))?);
        }
        Ok(())
    }
}

fn bug(error: io::Error) -> RunnerError {
    RunnerError::Bug(error.to_string())
}

/// The machine's fault, where the doctor finds one, else ours.
fn cannot_start(how: &str) -> RunnerError {
    let missing = doctor::missing();
    if missing.is_empty() {
        return RunnerError::Bug(format!("the world process could not be started: {how}"));
    }
    RunnerError::Usage(format!(
        "error: this machine cannot run a world: {how}\n{}",
        missing.iter().map(|line| format!("  = {line}")).collect::<Vec<_>>().join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::World;

    fn spec(describe: impl Fn(&mut World)) -> WorldSpec {
        let mut world = World::new("t");
        describe(&mut world);
        world.blueprint().unwrap()
    }

    #[track_caller]
    fn check(there: impl Fn(&mut World), expected: &str) {
        let here = spec(|world| {
            world.host("a").workload(|| ());
        });
        assert_eq!(difference(&here, &spec(there)), expected);
    }

    #[test]
    fn what_differs_between_two_descriptions_is_named() {
        check(
            |world| {
                world.host("b").workload(|| ());
            },
            "a host is called `a` here and `b` there",
        );
        check(
            |world| {
                world.host("a").workload(|| ());
                world.host("b").workload(|| ());
            },
            "1 hosts here, 2 there",
        );
        check(
            |world| {
                world.host("a").env("HOME", "/root").workload(|| ());
            },
            "host `a` is not the same",
        );
        check(
            |world| {
                world.host("a").workload(|| ());
                world.deadline(Duration::from_secs(1));
            },
            "its links or limits are not the same",
        );
    }
}
