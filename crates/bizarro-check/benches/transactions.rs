//! How long checks of transactions take, and the most memory that the process has held.
//! `cargo bench -p bizarro-check --bench transactions` runs all of them; a word on the command line selects
//! those that have it in their name. The peak is that of the whole process, history included, so it is right
//! for the first one only.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bizarro_check::history::{Builder, Outcome};
use bizarro_check::model::Access;
use bizarro_check::transactions::{
    Level, ListAccess, ListHistory, Options, RegisterHistory, Report, Unwritten, Verdict,
    list_append, rw_register,
};
use common::peak_mib;

/// Accesses of one transaction at most, lists in use at one time, and elements of a list at most.
const ACCESSES: u64 = 4;
const LISTS: u64 = 10;
const ELEMENTS: u64 = 100;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let runs =
        |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));
    for (transactions, damaged) in [(100_000, false), (100_000, true), (1_000_000, false)] {
        let kind = if damaged { "with a stale read" } else { "sound" };
        let name = format!("list-append, {transactions}, {kind}");
        if runs(&name) {
            let history = lists(transactions, 10, damaged);
            for level in [Level::StrictSerializable, Level::SnapshotIsolation] {
                let options = Options { level, ..Options::default() };
                run(&format!("{name}, {level}"), || {
                    list_append(&history, &options).expect("unique")
                });
            }
        }
        let name = format!("rw-register, {transactions}, {kind}");
        if runs(&name) {
            let history = registers(&lists(transactions, 10, damaged));
            let check = || rw_register(&history, &0, Unwritten::Anomaly, &Options::default());
            run(&name, || check().expect("unique"));
        }
    }
}

fn run(name: &str, mut body: impl FnMut() -> Report) {
    let begin = Instant::now();
    let mut times = Vec::new();
    let mut report = None;
    while times.len() < 3 || (times.len() < 15 && begin.elapsed() < Duration::from_secs(5)) {
        let start = Instant::now();
        report = Some(body());
        times.push(start.elapsed());
    }
    times.sort();
    let report = report.expect("it ran");
    let verdict = match &report.verdict {
        Verdict::Holds(Some(_)) => "holds, in a serial order".to_string(),
        Verdict::Holds(None) => "holds".to_string(),
        Verdict::Violated(anomalies) => {
            let first = anomalies.first().map(|it| it.phenomenon.to_string());
            format!("violated: {}", first.unwrap_or_default())
        }
        Verdict::Unknown(why) => format!("unknown: {why:?}"),
    };
    println!(
        "{name:56} {:>9.3} ms  {:>9} edges  {:>6.1} MiB counted  {:>6.1} MiB peak  {verdict}",
        times[times.len() / 2].as_secs_f64() * 1e3,
        report.edges,
        report.bytes_peak as f64 / f64::from(1 << 20),
        peak_mib(),
    );
}

/// What a database that does one transaction at a time shows to some processes. Where it is damaged, one
/// transaction in the middle reads lists without their last element.
fn lists(transactions: u64, processes: u64, damaged: bool) -> ListHistory<u64, u64> {
    let mut builder = Builder::new();
    let (mut draw, mut value) = (1_u64, 0);
    let mut next = |below: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % below
    };
    let mut held: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut names: Vec<u64> = (0..LISTS).collect();
    let mut fresh = LISTS;
    // Of each process: nothing, what it asked, or what it will be answered.
    let mut open: Vec<Option<Vec<ListAccess<u64, u64>>>> = vec![None; processes as usize];
    let mut replies: Vec<Option<Vec<Arc<[u64]>>>> = vec![None; processes as usize];
    let (mut invoked, mut executed) = (0, 0);
    while invoked < transactions || open.iter().any(Option::is_some) {
        let at = next(processes) as usize;
        if let Some(reply) = replies[at].take() {
            open[at] = None;
            builder.end(at as i64, Outcome::Ok(reply)).expect("it is open");
        } else if let Some(accesses) = &open[at] {
            executed += 1;
            let mut reply = Vec::new();
            for access in accesses {
                match access {
                    ListAccess::Append(name, value) => held.entry(*name).or_default().push(*value),
                    ListAccess::Read(name) => {
                        let list = held.entry(*name).or_default();
                        let miss = usize::from(damaged && executed == transactions / 2);
                        reply.push(list[..list.len().saturating_sub(miss)].into());
                    }
                }
            }
            replies[at] = Some(reply);
        } else if invoked < transactions {
            invoked += 1;
            let accesses: Vec<_> = (0..1 + next(ACCESSES))
                .map(|_| {
                    let name = &mut names[next(LISTS) as usize];
                    if next(2) == 0 {
                        return ListAccess::Read(*name);
                    }
                    if held.get(name).is_some_and(|list| list.len() as u64 >= ELEMENTS) {
                        (*name, fresh) = (fresh, fresh + 1);
                    }
                    value += 1;
                    ListAccess::Append(*name, value)
                })
                .collect();
            builder.invoke(at as i64, accesses.clone()).expect("it is idle");
            open[at] = Some(accesses);
        }
    }
    builder.finish()
}

/// The same as registers: every list as its last element.
fn registers(history: &ListHistory<u64, u64>) -> RegisterHistory<u64> {
    let translated = history.translate(|call, outcome| {
        let accesses = call.iter().map(|access| match access {
            ListAccess::Read(name) => Access::Read(*name),
            ListAccess::Append(name, value) => Access::Write(*name, *value),
        });
        let last = |lists: &Vec<Arc<[u64]>>| {
            lists.iter().map(|list| Some(list.last().copied().unwrap_or(0))).collect()
        };
        Ok::<_, std::convert::Infallible>((accesses.collect(), outcome.map(last)))
    });
    translated.unwrap_or_else(|(_, never)| match never {})
}
