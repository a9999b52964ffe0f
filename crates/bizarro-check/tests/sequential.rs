//! Sequential consistency against its definition: all orders of small histories.

#[path = "common/brute.rs"]
mod brute;
#[path = "common/generate.rs"]
mod generate;

use std::cell::Cell;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use bizarro_check::budget::{Budget, Exhausted};
use bizarro_check::evidence::{Core, Doubt, Evidence, NonSequential, Sequence, verify};
use bizarro_check::history::{Builder, History, Value};
use bizarro_check::linearizable::{CoreSearch, Options};
use bizarro_check::model::*;
use bizarro_check::sequential::{Verdict, check};
use brute::{has_order, is_linearizable};
use generate::{Script, histories};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

fn is_sequential<M: Model>(model: &M, history: &History<M::Call, M::Reply>) -> bool {
    has_order(model, history, u32::MAX, |one, other| one.process == other.process)
}

/// Compares verdicts on many small histories, and verifies the evidence of each.
fn agrees<M: Model + Debug>(
    model: M,
    calls: &[M::Call],
    replies: impl Fn(&M::Call) -> Vec<M::Reply>,
) where
    M::Call: Debug,
    M::Reply: Debug,
{
    let (held, violated, between, unclear) =
        (Cell::new(0), Cell::new(0), Cell::new(0), Cell::new(0));
    let add = |to: &Cell<i32>| to.set(to.get() + 1);
    let config = Config { cases: 600, source_file: Some(file!()), ..Config::default() };
    let run = TestRunner::new(config).run(&histories(), |script: Script| {
        let history = script.play(&model, calls, &replies);
        let report = check(&model, &history, &Options::default());
        let expected = is_sequential(&model, &history);
        let problem = |what: &str| {
            Err(TestCaseError::fail(format!("{what}: {:?} of {history:#?}", report.verdict)))
        };
        match &report.verdict {
            Verdict::Holds(_) if !expected => return problem("it does not hold"),
            Verdict::Violated(_) if expected => return problem("it holds"),
            Verdict::Unknown(_) => return problem("the budget is large enough"),
            Verdict::Holds(_) => {
                add(&held);
                if !is_linearizable(&model, &history, u32::MAX) {
                    add(&between);
                }
            }
            Verdict::Violated(violation) => {
                add(&violated);
                if !violation.core.minimal {
                    add(&unclear);
                }
            }
        }
        let evidence = report.verdict.evidence().expect("there is a verdict");
        match verify(&model, &history, evidence, 200_000) {
            Ok(()) => Ok(()),
            Err(Doubt::TooLarge(_)) => {
                add(&unclear);
                Ok(())
            }
            Err(doubt) => problem(&doubt.to_string()),
        }
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    // A comparison of nothing but one verdict would say little, and so would one with linearizability.
    let counts = (held.get(), violated.get(), between.get());
    assert!(counts.0 > 40 && counts.1 > 40 && counts.2 > 10, "{counts:?}");
    assert!(10 * unclear.get() < violated.get(), "{} of {counts:?}", unclear.get());
}

#[test]
fn register() {
    use {RegisterCall::*, RegisterReply::*};
    agrees(Register::new(0), &[Read, Read, Write(1), Write(2)], |call| match call {
        Read => vec![Value(0), Value(1), Value(2)],
        Write(_) => vec![Written],
    });
}

/// Two objects, each of which may be in order while both together are not.
#[test]
fn key_value() {
    use KeyValueCall::*;
    let [x, y, a] = ["x", "y", "a"].map(Value::text);
    let calls = [
        Get(x.clone()),
        Get(y.clone()),
        Put(x.clone(), a.clone()),
        Put(y, a.clone()),
        Append(x, a),
    ];
    agrees(KeyValue::new(Value::text("")), &calls, |call| match call {
        Get(_) => ["", "a", "aa"].map(|it| KeyValueReply::Value(it.into())).to_vec(),
        Put(..) | Append(..) | Delete(_) | Cas(..) => vec![KeyValueReply::Done],
    });
}

#[test]
fn queue() {
    use ContainerCall::{Put, Take};
    use ContainerReply::{Empty, Taken};
    agrees(Queue::new(), &[Put(1), Put(2), Put(3), Take, Take, Take], |call| match call {
        Put(_) => vec![ContainerReply::Put],
        Take => vec![Taken(1), Taken(2), Taken(3), Empty],
    });
}

#[test]
fn counter() {
    use {CounterCall::*, CounterReply::*};
    agrees(Counter { initial: 0 }, &[Read, Read, Add(1), Add(2)], |call| match call {
        Read | AddAndGet(_) => (-1..4).map(Value).collect(),
        Add(_) => vec![Added],
    });
}

type Store = History<KeyValueCall, KeyValueReply>;

/// What processes say one after the other: who, what, and the answer.
fn told(said: &[(i64, KeyValueCall, KeyValueReply)]) -> Store {
    let mut builder = Builder::new();
    for (process, call, reply) in said {
        builder.invoke(*process, call.clone()).unwrap();
        builder.ok(*process, reply.clone()).unwrap();
    }
    builder.finish()
}

/// Dekker's question: each of two processes writes, and then misses what the other one wrote.
#[test]
fn objects_in_order_do_not_make_a_whole_in_order() {
    use KeyValueCall::{Get, Put};
    use KeyValueReply::{Done, Value as Seen};
    let [x, y, one, none] = ["x", "y", "1", ""].map(Value::text);
    let history = told(&[
        (1, Put(x.clone(), one.clone()), Done),
        (2, Put(y.clone(), one), Done),
        (3, Get(x.clone()), Seen(Value::text("1"))),
        (1, Get(y), Seen(none.clone())),
        (2, Get(x), Seen(none)),
    ]);
    let model = KeyValue::new(Value::text(""));
    let report = check(&model, &history, &Options::default());
    let Verdict::Violated(violation) = report.verdict else { panic!("{report:?}") };
    // All but the read that saw the write.
    assert_eq!(
        violation.core,
        Core { operations: vec![0, 1, 3, 4], until: u32::MAX, minimal: true }
    );
}

#[test]
fn evidence_that_shows_nothing_is_refused() {
    use KeyValueCall::{Get, Put};
    use KeyValueReply::{Done, Value as Seen};
    let [x, one, none] = ["x", "1", ""].map(Value::text);
    let history = told(&[
        (1, Put(x.clone(), one.clone()), Done),
        (1, Get(x.clone()), Seen(one)),
        (2, Get(x), Seen(none)),
    ]);
    let model = KeyValue::new(Value::text(""));
    let sequence = |order: &[u32]| {
        let sequence = Sequence { order: order.to_vec() };
        verify(&model, &history, Evidence::Sequence(&sequence), 1_000)
    };
    assert_eq!(sequence(&[2, 0, 1]), Ok(()));
    for wrong in [&[0, 1, 2][..], &[2, 1, 0], &[2, 0], &[2, 0, 1, 1], &[2, 0, 1, 9]] {
        assert!(matches!(sequence(wrong), Err(Doubt::Wrong(_))), "{wrong:?}");
    }
    for operations in [vec![], vec![0, 1], vec![0, 1, 2], vec![1, 1], vec![7]] {
        let violation =
            NonSequential { core: Core { operations, until: u32::MAX, minimal: false } };
        let said = verify(&model, &history, Evidence::NonSequential(&violation), 1_000);
        assert!(matches!(said, Err(Doubt::Wrong(_))), "{violation:?}");
    }
}

/// Many processes, whose operations nothing puts in order, and a read that nobody explains.
#[test]
fn budgets_are_kept() {
    use {CasRegisterCall::*, CasRegisterReply::*};
    let mut builder = Builder::new();
    for process in 0..60 {
        builder.invoke(process, Cas(process, process + 1)).unwrap();
        builder.unknown(process).unwrap();
        builder.invoke(process, Cas(process + 1, process * 7 % 60)).unwrap();
        builder.unknown(process).unwrap();
    }
    builder.invoke(-1, Read).unwrap();
    builder.ok(-1, Value(-5)).unwrap();
    let history = builder.finish();
    let model = CasRegister::new(0_i64);
    let verdict = |budget| {
        let options = Options { budget, core: CoreSearch::Skip, ..Options::default() };
        check(&model, &history, &options)
    };
    let minute = Duration::from_secs(60);
    let small = verdict(Budget { memory_bytes: 20 << 20, time: minute });
    assert_eq!(small.verdict, Verdict::Unknown(Exhausted::Memory));
    assert!(small.bytes_peak <= 20 << 20 && small.bytes_peak > 5 << 20, "{small:?}");
    let start = Instant::now();
    let short = verdict(Budget { memory_bytes: usize::MAX, time: Duration::from_millis(50) });
    assert_eq!(short.verdict, Verdict::Unknown(Exhausted::Time));
    assert!(start.elapsed() < Duration::from_secs(10));
}
