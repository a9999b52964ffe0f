//! How long checks of causal consistency and of what is weaker take, and the most memory that the process has
//! held. `cargo bench -p bizarro-check --bench weak` runs all of them; a word on the command line selects
//! those that have it in their name.

mod common;

use std::collections::VecDeque;
use std::time::Instant;

use bizarro_check::budget::Budget;
use bizarro_check::history::Builder;
use bizarro_check::model::Access;
use bizarro_check::transactions::weak::{GUARANTEES, Options, Verdict, check};
use bizarro_check::transactions::{RegisterHistory, Unwritten};
use common::peak_mib;

const SESSIONS: u64 = 1_001;
const KEYS: u64 = 1_000;
const EVENTS: u64 = 1_000_000;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    for size in [1, 10] {
        let history = causal(EVENTS / size, size);
        println!("history: {:.1} MiB peak", peak_mib());
        for (level, guarantee) in GUARANTEES {
            let name = format!("{level}, {EVENTS} events, {size} a transaction");
            if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
                continue;
            }
            let budget = Budget { memory_bytes: 2 << 30, ..Budget::default() };
            let options = Options { guarantee: *guarantee, unwritten: Unwritten::Anomaly, budget };
            let start = Instant::now();
            let report = check(&history, &0, &options).expect("every value is written once");
            let seconds = start.elapsed().as_secs_f64();
            let verdict = match report.verdict {
                Verdict::Holds(_) => "holds".to_string(),
                Verdict::Violated(found) => format!("violated, {} times", found.len()),
                Verdict::Unknown(what) => format!("unknown: {what:?}"),
            };
            println!(
                "{name:56} {seconds:>7.3} s  {:>9} inferred  {:>7.1} MiB counted  {:>7.1} MiB peak  {verdict}",
                report.inferred,
                report.bytes_peak as f64 / f64::from(1 << 20),
                peak_mib(),
            );
        }
    }
}

/// A store in which everybody sees all that was written until a while ago, and what he wrote himself.
fn causal(transactions: u64, size: u64) -> RegisterHistory<i64> {
    let mut draw = 1_u64;
    let mut next = |below: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % below
    };
    let mut builder = Builder::new();
    // Of each register its values, with the numbers of their transactions; who lags sees fewer.
    let mut values: Vec<VecDeque<(u64, i64)>> = vec![VecDeque::from([(0, 0)]); KEYS as usize];
    let mut seen = vec![0_u64; SESSIONS as usize];
    let mut value = 0;
    for number in 1..=transactions {
        let session = next(SESSIONS);
        let past = &mut seen[session as usize];
        *past = (*past).max(number.saturating_sub(1 + next(3 * SESSIONS)));
        let mut writes = Vec::new();
        let (mut call, mut reply) = (Vec::new(), Vec::new());
        for _ in 0..size {
            let key = next(KEYS);
            if next(2) == 0 {
                value += 1;
                writes.retain(|(of, _)| *of != key);
                writes.push((key, value));
                call.push(Access::Write(key as i64, value));
                // Who writes sees all: every write comes upon all others.
                *past = number - 1;
            }
            if size > 1 || call.is_empty() {
                call.push(Access::Read(key as i64));
            }
        }
        for access in &call {
            let Access::Read(key) = access else { continue };
            let mine = call.iter().take_while(|it| !std::ptr::eq(*it, access));
            let mine = mine.filter_map(|it| match it {
                Access::Write(to, value) if to == key => Some(*value),
                Access::Read(_) | Access::Write(..) => None,
            });
            let held = values[*key as usize].iter().rev();
            let last = held.clone().find(|(at, _)| at <= past).map_or(0, |(_, value)| *value);
            reply.push(Some(mine.last().unwrap_or(last)));
        }
        if !writes.is_empty() {
            *past = number;
        }
        for (key, value) in writes {
            let held = &mut values[key as usize];
            held.push_back((number, value));
            if held.len() as u64 > 64 {
                held.pop_front();
            }
        }
        builder.invoke(session as i64, call).expect("it is idle");
        builder.ok(session as i64, reply).expect("it is open");
    }
    builder.finish()
}
