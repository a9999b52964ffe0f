//! What the classifications of outcomes say while every step of a call fails in every way, compared with what the server
//! wrote down: a program of its own, because it looks at each run.
//!
//! `UPDATE_EXPECT=1` writes the table of the documentation.

mod clients;
mod server;
mod table;

use std::sync::{Arc, Mutex};

use bizarro::{Lab, Plan, RunRecord, World};
use bizarro_explore::{MatrixOptions, Runner, RunnerError, Silent, matrix};
use bizarro_record::Effect;
use expect_test::expect_file;

use table::{Seen, Table};

type Describe = fn(&mut World);

/// The libraries, in the order of the table.
const LIBRARIES: [(&str, Describe); 6] = [
    ("hyper, HTTP/1", |world| describe(world, clients::hyper_http1)),
    ("hyper, HTTP/2", |world| describe(world, clients::hyper_http2)),
    ("hyper-util", |world| describe(world, clients::hyper_util)),
    ("reqwest, HTTP/1", |world| describe(world, clients::reqwest_http1)),
    ("reqwest, HTTP/2", |world| describe(world, clients::reqwest_http2)),
    ("tonic", |world| describe(world, clients::tonic)),
];

fn describe(world: &mut World, client: fn()) {
    world.host("server").program(server::main);
    world.host("client").workload(client);
}

fn main() {
    // A world process serves the lab of its name and does not come back from this.
    let labs = LIBRARIES.map(|(library, describe)| (library, Lab::open(&name(library), describe)));
    // Tools that list tests are told that there are none.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let table = Arc::new(Mutex::new(Table::default()));
    let mut wrong = Vec::new();
    for (library, lab) in labs {
        let watched = Watched { library, lab, table: Arc::clone(&table), wrong: Vec::new() };
        let watched = Arc::new(Mutex::new(watched));
        let mut runners: [Box<dyn Runner + Send>; 1] = [Box::new(Shared(Arc::clone(&watched)))];
        let report = matrix(&mut runners, MatrixOptions::default(), &mut Silent).expect("runs");
        assert!(!report.cells.is_empty(), "{library}: {:?}", report.baseline_verdict);
        println!("{library}: {} runs", report.runs);
        wrong.append(&mut watched.lock().expect("nobody panicked").wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let table = table.lock().expect("nobody panicked").to_string();
    expect_file!["../../src/outcome/seen.md"].assert_eq(&table);
}

/// A name as it is wanted of a test.
fn name(library: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("outcomes::{}", library.chars().map(plain).collect::<String>())
}

struct Watched {
    library: &'static str,
    lab: Lab,
    table: Arc<Mutex<Table>>,
    wrong: Vec<String>,
}

struct Shared(Arc<Mutex<Watched>>);

impl Runner for Shared {
    fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
        let mut watched = self.0.lock().expect("nobody panicked");
        let record = watched.lab.run(plan)?;
        watched.look_at(plan, &record);
        Ok(record)
    }
}

impl Watched {
    fn look_at(&mut self, plan: &Plan, record: &RunRecord) {
        let seen = Seen::of(record);
        let bytes_lie = plan.injections.iter().any(|fault| changes_bytes(fault.effect));
        for call in &seen.calls {
            let is_got = seen.got.contains(&call.id);
            let is_done = seen.done.contains(&call.id);
            let Some(outcome) = &call.outcome else { continue };
            let lies = match outcome.as_str() {
                "POST_FAILED" => is_got,
                "RETRYABLE" | "FATAL" => is_done && !bytes_lie,
                "SUCCESS" => !is_done && !bytes_lie,
                _ => false,
            };
            if lies {
                self.wrong.push(format!(
                    "{}: {plan}: {outcome}, but the server got it: {is_got}, did it: {is_done} ({})",
                    self.library, call.why
                ));
            }
        }
        let mut table = self.table.lock().expect("nobody panicked");
        match &plan.injections[..] {
            // How many calls to the system a server makes, and so at how many places it can be killed, differs from build
            // to build.
            [fault] if !matches!(fault.effect, Effect::CrashAt(_)) => {
                table.count(self.library, fault, &seen);
            }
            [] if !plan.removals.is_empty() => table.count_alone(self.library, &seen),
            _ => {}
        }
    }
}

fn changes_bytes(effect: Effect) -> bool {
    matches!(
        effect,
        Effect::BitFlip
            | Effect::Truncated
            | Effect::Garbage
            | Effect::Older
            | Effect::Empty
            | Effect::ErrorBody
    )
}
