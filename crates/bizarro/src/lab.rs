//! Runs of one world, made by a program of its own instead of `cargo test`.

use std::sync::Arc;
use std::time::Duration;

use bizarro_explore::{Runner, RunnerError};
use bizarro_record::{Injection, Memory, Messages, Plan, RunRecord};

use crate::guest;
use crate::mistake::render;
use crate::supervisor::protocol::WORLD_ENV;
use crate::supervisor::runner::{TestCase, WorldRunner};
use crate::world::World;

/// Real time that a run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Makes runs of one world one by one: for benchmarks and for tools that explore in their own way.
///
/// A program opens all of its labs first thing in `main`, in the same order every time: it is started
/// again as a world process, where the lab that is wanted serves it.
#[derive(Debug)]
pub struct Lab {
    runner: WorldRunner,
}

impl Lab {
    /// The world that `describe` describes, under a name of the form `crate::name`.
    ///
    /// In a world process that was started for this name, it serves and does not return.
    ///
    /// # Panics
    /// Where the description is wrong: a host's name is used twice, there is no workload, ….
    pub fn open(name: &str, describe: fn(&mut World)) -> Lab {
        let path = name.split_once("::").map_or(name, |(_, path)| path);
        if bizarro_call::present()
            && std::env::var_os(WORLD_ENV).is_some()
            && std::env::args().any(|argument| argument == path)
        {
            let served = guest::serve(name, describe);
            std::process::exit(i32::from(served.is_err()));
        }
        let mut world = World::new(name);
        describe(&mut world);
        let blueprint =
            world.blueprint().unwrap_or_else(|mistakes| panic!("{}", render(&mistakes)));
        let test = TestCase {
            name: name.to_string(),
            blueprint,
            model: world.model,
            watches: world.watches,
            checks: world.checks,
            eventually: world.eventually,
            must_break: Vec::new(),
            must_differ: false,
            messages: Messages::Hidden,
            limit: LIMIT,
            is_stopped: || false,
        };
        Lab { runner: WorldRunner::new(Arc::new(test)) }
    }

    /// Makes a run. The same plan twice in a row is run in a new world process.
    ///
    /// # Errors
    /// Where no world process can be started, with the reason.
    pub fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
        self.runner.run(plan)
    }

    /// What the simulator's own memory held when the last run ended that [`Lab::run`] made: nothing before one was made.
    pub fn memory(&self) -> Memory {
        self.runner.memory
    }

    /// Makes a run for each fault: that of `plan` with the fault as its last. They are forked from one run where their
    /// faults strike. Gives their records in the faults' order.
    ///
    /// # Errors
    /// Where no world process can be started, with the reason.
    pub fn run_branches(
        &mut self,
        plan: &Plan,
        faults: &[Injection],
    ) -> Result<Vec<RunRecord>, RunnerError> {
        let mut records: Vec<Option<RunRecord>> = faults.iter().map(|_| None).collect();
        self.runner
            .run_branches(plan, faults, &mut |place, record| records[place] = Some(record))?;
        Ok(records.into_iter().flatten().collect())
    }
}
