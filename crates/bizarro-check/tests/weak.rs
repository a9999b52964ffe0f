//! Session guarantees, read committed, read atomic and causal consistency against their definitions: all orders
//! of a few transactions.

use bizarro_check::budget::{Budget, Exhausted};
use bizarro_check::evidence::verify_weak;
use bizarro_check::history::{Builder, Outcome};
use bizarro_check::model::Access;
use bizarro_check::transactions::weak::{GUARANTEES, Guarantee, Options, Report, Verdict, check};
use bizarro_check::transactions::{RegisterHistory, Unwritten};
use proptest::collection::vec;
use proptest::prelude::*;
use std::cell::Cell;

/// A transaction: whose it is, what came of it, and its accesses: of which register, and which write of it is
/// read, if it is no write.
type Script = Vec<(i64, u8, Vec<(i64, Option<u8>)>)>;

fn scripts() -> impl Strategy<Value = Script> {
    let access = (0..2_i64, prop::option::of(any::<u8>()));
    vec((0..3_i64, 0..10_u8, vec(access, 1..4)), 2..6)
}

/// Nobody has written this.
const INITIAL: i64 = 0;

fn play(script: &Script) -> RegisterHistory<i64> {
    let mut value = 0;
    let mut numbered = script.clone();
    let mut written: Vec<(i64, i64)> = Vec::new();
    let mut calls = Vec::new();
    for (.., accesses) in &mut numbered {
        let call = accesses.iter().map(|(key, read)| {
            if read.is_some() {
                return Access::Read(*key);
            }
            value += 1;
            written.push((*key, value));
            Access::Write(*key, value)
        });
        calls.push(call.collect::<Vec<_>>());
    }
    let mut builder = Builder::new();
    for ((process, ends, accesses), call) in script.iter().zip(calls) {
        let mut own: Vec<(i64, i64)> = Vec::new();
        let mut seen = Vec::new();
        for ((key, read), access) in accesses.iter().zip(&call) {
            if let Access::Write(key, value) = access {
                own.push((*key, *value));
            }
            let Some(read) = read else { continue };
            // Mostly what it wrote itself.
            let mine = own.iter().rev().find(|(of, _)| of == key).filter(|_| *read < 240);
            let all: Vec<i64> =
                written.iter().filter(|(of, _)| of == key).map(|(_, value)| *value).collect();
            let any = match usize::from(*read) % (all.len() + 1) {
                0 => INITIAL,
                which => all[which - 1],
            };
            seen.push(Some(mine.map_or(any, |(_, value)| *value)));
        }
        builder.invoke(*process, call).unwrap();
        let outcome = match ends {
            0 => Outcome::Unknown,
            1 if *process == 0 => Outcome::Fail,
            _ => Outcome::Ok(seen),
        };
        builder.end(*process, outcome).unwrap();
    }
    builder.finish()
}

fn options(guarantee: Guarantee) -> Options {
    Options { guarantee, unwritten: Unwritten::Anomaly, budget: Budget::default() }
}

fn said(history: &RegisterHistory<i64>, guarantee: Guarantee) -> Report {
    check(history, &INITIAL, &options(guarantee)).expect("every value is written once")
}

/// Whether some order shows that the guarantee is given.
fn is_given(history: &RegisterHistory<i64>, guarantee: Guarantee) -> bool {
    // Who took effect is not known here: all orders of all subsets are tried.
    fn go(left: &mut Vec<u32>, order: &mut Vec<u32>, ok: &mut impl FnMut(&[u32]) -> bool) -> bool {
        if ok(order) {
            return true;
        }
        for at in 0..left.len() {
            let it = left.swap_remove(at);
            order.push(it);
            let found = go(left, order, ok);
            order.pop();
            left.push(it);
            let last = left.len() - 1;
            left.swap(at, last);
            if found {
                return true;
            }
        }
        false
    }
    let mut all: Vec<u32> = (0..history.len() as u32).collect();
    go(&mut all, &mut Vec::new(), &mut |order| {
        let verdict = Verdict::Holds(order.to_vec());
        verify_weak(history, &INITIAL, guarantee, &verdict).is_ok()
    })
}

fn agrees(guarantee: Guarantee) {
    let (held, violated) = (Cell::new(0), Cell::new(0));
    let config =
        ProptestConfig { cases: 500, source_file: Some(file!()), ..ProptestConfig::default() };
    let run = proptest::test_runner::TestRunner::new(config).run(&scripts(), |script| {
        let history = play(&script);
        let report = said(&history, guarantee);
        let counted = match report.verdict {
            Verdict::Holds(_) => &held,
            Verdict::Violated(_) => &violated,
            Verdict::Unknown(_) => panic!("the budget is large enough"),
        };
        counted.set(counted.get() + 1);
        let verified = verify_weak(&history, &INITIAL, guarantee, &report.verdict);
        assert_eq!(verified, Ok(()), "{:?} {history:#?}", report.verdict);
        // What holds is shown by its order; what does not, by there being none.
        if matches!(report.verdict, Verdict::Violated(_)) {
            assert!(!is_given(&history, guarantee), "{:?} {history:#?}", report.verdict);
        }
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    assert!(held.get() > 50 && violated.get() > 50, "{guarantee}: {held:?} {violated:?}");
}

#[test]
fn read_your_writes() {
    agrees(Guarantee::ReadYourWrites);
}

#[test]
fn monotonic_reads() {
    agrees(Guarantee::MonotonicReads);
}

#[test]
fn monotonic_writes() {
    agrees(Guarantee::MonotonicWrites);
}

#[test]
fn writes_follow_reads() {
    agrees(Guarantee::WritesFollowReads);
}

#[test]
fn read_committed() {
    agrees(Guarantee::ReadCommitted);
}

#[test]
fn read_atomic() {
    agrees(Guarantee::ReadAtomic);
}

#[test]
fn causal() {
    agrees(Guarantee::Causal);
}

/// Causal consistency gives all that the others do, and read atomic what read committed does.
#[test]
fn what_gives_more_allows_less() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1000));
    let run = runner.run(&scripts(), |script| {
        let history = play(&script);
        let holds = |it| matches!(said(&history, it).verdict, Verdict::Holds(_));
        if holds(Guarantee::Causal) {
            assert!(GUARANTEES.iter().all(|(_, it)| holds(*it)), "{history:#?}");
        }
        assert!(!holds(Guarantee::ReadAtomic) || holds(Guarantee::ReadCommitted));
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

/// One session writes x and y; another one sees the new y, and then the old x.
#[test]
fn a_violation_says_what_was_visible_and_why() {
    let mut builder = Builder::new();
    let mut operation = |process, call: Vec<Access<i64>>, seen: Vec<Option<i64>>| {
        builder.invoke(process, call).unwrap();
        builder.ok(process, seen).unwrap();
    };
    operation(1, vec![Access::Write(10, 1)], vec![]);
    operation(1, vec![Access::Write(11, 2)], vec![]);
    operation(2, vec![Access::Read(11)], vec![Some(2)]);
    operation(2, vec![Access::Read(10)], vec![Some(INITIAL)]);
    let history = builder.finish();
    for (name, guarantee) in GUARANTEES {
        let report = said(&history, *guarantee);
        let kept = matches!(report.verdict, Verdict::Holds(_));
        let broken = [Guarantee::MonotonicWrites, Guarantee::Causal].contains(guarantee);
        assert_eq!(kept, !broken, "{name}");
        if let Verdict::Violated(found) = &report.verdict {
            assert_eq!(found[0].operations(), [0, 1, 2, 3]);
        }
    }
}

/// A store of which everybody sees an old state, but never an older one than before.
fn delayed(operations: usize, sessions: i64) -> RegisterHistory<i64> {
    let mut builder = Builder::new();
    let mut written: Vec<(i64, i64)> = Vec::new();
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 33) % below
    };
    // What each session sees: the log up to somewhere.
    let mut seen = vec![(0_usize, std::collections::BTreeMap::new()); sessions as usize];
    for value in 1..=operations as i64 {
        let session = random(sessions as u64) as usize;
        let key = random(50) as i64;
        let (upto, view) = &mut seen[session];
        let call = if random(2) == 0 {
            *upto = written.len() + 1;
            written.push((key, value));
            (vec![Access::Write(key, value)], vec![])
        } else {
            *upto += random((written.len() - *upto) as u64 + 1) as usize;
            (vec![Access::Read(key)], vec![None])
        };
        for (key, value) in &written[view.len()..*upto] {
            view.insert(view.len(), (*key, *value));
        }
        let last = view.values().rev().find(|(of, _)| *of == key);
        let reply = call.1.iter().map(|_: &Option<i64>| Some(last.map_or(INITIAL, |it| it.1)));
        builder.invoke(session as i64, call.0).unwrap();
        builder.ok(session as i64, reply.collect()).unwrap();
    }
    builder.finish()
}

#[test]
fn a_store_that_lags_behind_is_causal_until_it_goes_back() {
    let history = delayed(3_000, 12);
    for (name, guarantee) in GUARANTEES {
        let report = said(&history, *guarantee);
        assert!(matches!(report.verdict, Verdict::Holds(_)), "{name}: {:?}", report.verdict);
    }
}

#[test]
fn a_budget_is_kept() {
    let history = delayed(2_000, 40);
    let small = Budget { memory_bytes: 300_000, ..Budget::default() };
    let options = Options { budget: small, ..options(Guarantee::Causal) };
    let report = check(&history, &INITIAL, &options).unwrap();
    assert_eq!(report.verdict, Verdict::Unknown(Exhausted::Memory));
    assert!(report.bytes_peak <= small.memory_bytes);
}
