//! The search against the plainest decision there is: trying every order. Small histories of every model,
//! of objects that behave and of some that do not.

mod common;

use bizarro_check::budget::{Budget, Exhausted};
use bizarro_check::evidence::{Doubt, verify};
use bizarro_check::history::{Builder, History, Value};
use bizarro_check::linearizable::{CoreSearch, Options, Report, Verdict, check};
use bizarro_check::model::*;
use common::brute::is_linearizable;
use common::generate::{Script, histories};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::cell::Cell;
use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

/// Compares verdicts on many small histories, and verifies the evidence of each.
fn agrees<M>(model: M, calls: &[M::Call], replies: impl Fn(&M::Call) -> Vec<M::Reply>)
where
    M: Model + Sync,
    M::Call: Sync + Debug,
    M::Reply: Sync + Debug,
{
    agrees_by(model, calls, replies, |_| {});
}

/// The same, with a look at every report.
fn agrees_by<M>(
    model: M,
    calls: &[M::Call],
    replies: impl Fn(&M::Call) -> Vec<M::Reply>,
    look: impl Fn(&Report),
) where
    M: Model + Sync,
    M::Call: Sync + Debug,
    M::Reply: Sync + Debug,
{
    let (held, violated, unclear) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let config = Config { cases: 1200, source_file: Some(file!()), ..Config::default() };
    let run = TestRunner::new(config).run(&histories(), |script: Script| {
        let history = script.play(&model, calls, &replies);
        let report = check(&model, &history, &Options::default());
        look(&report);
        let expected = is_linearizable(&model, &history, u32::MAX);
        let problem = |what: &str| Err(TestCaseError::fail(format!("{what}: {history:#?}")));
        match &report.verdict {
            Verdict::Holds(_) if !expected => return problem("it does not hold"),
            Verdict::Violated(_) if expected => return problem("it holds"),
            Verdict::Unknown(_) => return problem("the budget is large enough"),
            Verdict::Holds(_) => held.set(held.get() + 1),
            Verdict::Violated(violation) => {
                violated.set(violated.get() + 1);
                let end = history.operations()[violation.stuck as usize].ended.unwrap().position;
                if !violation.longest || is_linearizable(&model, &history, end) {
                    return problem("there is a longer prefix");
                }
                unclear.set(unclear.get() + usize::from(!violation.core.minimal));
            }
        }
        let evidence = report.verdict.evidence().expect("there is a verdict");
        match verify(&model, &history, evidence, 200_000) {
            Ok(()) => Ok(()),
            Err(Doubt::TooLarge(_)) => {
                unclear.set(unclear.get() + 1);
                Ok(())
            }
            Err(doubt) => problem(&format!("{doubt} ({:?})", report.verdict)),
        }
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    // A comparison of nothing but one verdict would say little.
    assert!(held.get() > 40 && violated.get() > 40, "{} {}", held.get(), violated.get());
    // Nearly all of these are small enough to be shown in full.
    assert!(20 * unclear.get() < violated.get(), "{} of {}", unclear.get(), violated.get());
}

#[test]
fn register() {
    use {RegisterCall::*, RegisterReply::*};
    agrees(Register::new(0), &[Read, Read, Write(1), Write(2)], |call| match call {
        Read => vec![Value(0), Value(1), Value(2)],
        Write(_) => vec![Written],
    });
}

/// Mostly every value is written once, and then nothing is searched.
#[test]
fn register_with_distinct_values() {
    use {RegisterCall::*, RegisterReply::*};
    let mut calls: Vec<RegisterCall<i32>> = (1..12).map(Write).collect();
    calls.extend([Read; 11]);
    let searched = Cell::new(0);
    agrees_by(
        Register::new(0),
        &calls,
        |call| match call {
            Read => (0..7).map(Value).collect(),
            Write(_) => vec![Written],
        },
        |report| searched.set(searched.get() + usize::from(report.configurations > 0)),
    );
    assert!(searched.get() < 600, "{} of 1200 were searched", searched.get());
}

#[test]
fn cas_register() {
    use {CasRegisterCall::*, CasRegisterReply::*};
    agrees(CasRegister::new(0), &[Read, Write(1), Cas(0, 1), Cas(1, 2)], |call| match call {
        Read => vec![Value(0), Value(1), Value(2)],
        Write(_) => vec![Written],
        Cas(..) => vec![Set(true), Set(false)],
    });
}

#[test]
fn multi_register() {
    use Access::*;
    let calls = [vec![Read(0), Read(1)], vec![Write(0, 1)], vec![Read(0), Write(1, 1)]];
    let seen = [None, Some(0), Some(1)];
    agrees(MultiRegister::new(0), &calls, |call| {
        let reads = call.iter().filter(|access| matches!(access, Read(_))).count();
        match reads {
            0 => vec![vec![]],
            1 => seen.iter().map(|one| vec![*one]).collect(),
            _ => seen.iter().flat_map(|one| seen.map(|two| vec![*one, two])).collect(),
        }
    });
}

/// What can be asked, and what can be answered to it.
type Domain<C, R> = (Vec<C>, fn(&C) -> Vec<R>);

/// Two keys, so that parts matter, and appends between which reads tell.
fn store() -> Domain<KeyValueCall, KeyValueReply> {
    use KeyValueCall::*;
    use KeyValueReply::{Done, Set, Value as Seen};
    let text = |text: &str| Value::text(text);
    let [x, y, a, b] = ["x", "y", "a", "b"].map(text);
    let calls = vec![
        Get(x.clone()),
        Get(x.clone()),
        Get(y.clone()),
        Append(x.clone(), a.clone()),
        Append(x.clone(), b.clone()),
        Append(y, b.clone()),
        Put(x.clone(), b.clone()),
        Cas(x.clone(), a, b),
        Delete(x),
    ];
    (calls, |call| match call {
        Get(_) => ["", "a", "b", "ab", "ba", "bb"].map(|it| Seen(it.into())).to_vec(),
        Cas(..) => vec![Set(true), Set(false)],
        Put(..) | Append(..) | Delete(_) => vec![Done],
    })
}

#[test]
fn key_value() {
    let (calls, replies) = store();
    agrees(KeyValue::new(Value::text("")), &calls, replies);
}

#[test]
fn key_value_as_one_object() {
    let (calls, replies) = store();
    agrees(Whole(KeyValue::new(Value::text(""))), &calls, replies);
}

/// Without compare-and-set all changes are blind, and states may be merged.
#[test]
fn key_value_with_blind_changes_only() {
    let (mut calls, replies) = store();
    calls.retain(|call| !matches!(call, KeyValueCall::Cas(..)));
    agrees(KeyValue::new(Value::text("")), &calls, replies);
    agrees(Whole(KeyValue::new(Value::text(""))), &calls, replies);
}

#[test]
fn counter() {
    use {CounterCall::*, CounterReply::*};
    let replies = |call: &CounterCall| match call {
        Read | AddAndGet(_) => (-1..4).map(Value).collect(),
        Add(_) => vec![Added],
    };
    agrees(Counter { initial: 0 }, &[Read, Read, Add(1), Add(2)], replies);
    agrees(Counter { initial: 0 }, &[Read, Add(1), Add(-1), AddAndGet(1)], replies);
}

#[test]
fn set() {
    use SetCall::{Add, Contains as Ask, Read, Remove};
    use SetReply::{Changed, Contains, Done, Members};
    let replies = |call: &SetCall<i32>| match call {
        Add(_) | Remove(_) => vec![Done, Changed(true), Changed(false)],
        Ask(_) => vec![Contains(true), Contains(false)],
        Read => vec![Members(vec![]), Members(vec![1]), Members(vec![2]), Members(vec![1, 2])],
    };
    let contains = Ask(1);
    agrees(Set::new(), &[Read, Add(1), Add(2), contains], replies);
    agrees(Set::new(), &[Read, Add(1), Remove(1), Remove(2), contains], replies);
    agrees(Set::new(), &[Read, Add(1), Add(2), contains], |call| match call {
        Add(_) => vec![Done],
        other => replies(other),
    });
}

fn queue_replies(call: &ContainerCall<i32>) -> Vec<ContainerReply<i32>> {
    match call {
        ContainerCall::Put(_) => vec![ContainerReply::Put],
        ContainerCall::Take => {
            vec![
                ContainerReply::Taken(1),
                ContainerReply::Taken(2),
                ContainerReply::Taken(3),
                ContainerReply::Empty,
            ]
        }
    }
}

const QUEUE_CALLS: [ContainerCall<i32>; 5] = [
    ContainerCall::Put(2),
    ContainerCall::Put(1),
    ContainerCall::Put(3),
    ContainerCall::Take,
    ContainerCall::Take,
];

#[test]
fn queue() {
    agrees(Queue::new(), &QUEUE_CALLS, queue_replies);
}

/// Mostly every value is put once, and then little is searched.
#[test]
fn queue_with_distinct_values() {
    let mut calls: Vec<ContainerCall<i32>> = (1..10).map(ContainerCall::Put).collect();
    calls.extend([ContainerCall::Take; 8]);
    let searched = Cell::new(0);
    let replies = |call: &ContainerCall<i32>| match call {
        ContainerCall::Put(_) => vec![ContainerReply::Put],
        ContainerCall::Take => (1..10).map(ContainerReply::Taken).collect(),
    };
    let look = |report: &Report| {
        searched.set(searched.get() + usize::from(report.configurations > 0));
    };
    agrees_by(Queue::new(), &calls, replies, look);
    assert!(searched.get() < 900, "{} of 1200 were searched", searched.get());
}

#[test]
fn stack() {
    agrees(Stack::new(), &QUEUE_CALLS, queue_replies);
}

#[test]
fn priority_queue() {
    agrees(PriorityQueue::new(), &QUEUE_CALLS, queue_replies);
}

#[test]
fn mutex() {
    agrees(Mutex, &[MutexCall::Acquire, MutexCall::Acquire, MutexCall::Release], |_| vec![()]);
}

#[test]
fn fenced_lock() {
    use {FencedLockCall::*, FencedLockReply::*};
    let replies = |call: &FencedLockCall| match call {
        Acquire => vec![Granted(1), Granted(2), Granted(3)],
        Release(_) => vec![Released],
        Use(_) => vec![Accepted(true), Accepted(false)],
    };
    let calls = [Acquire, Release(1), Use(1), Use(2)];
    agrees(FencedLock { expiry: Expiry::Possible }, &calls, replies);
    agrees(FencedLock { expiry: Expiry::Never }, &calls, replies);
}

/// This one is not deterministic.
#[test]
fn lease() {
    use LeaseCall::*;
    agrees(Lease, &[Acquire(1), Acquire(2), Holds(1), Renew(1), Release(1)], |call| match call {
        Release(_) => vec![LeaseReply::Released],
        Acquire(_) | Holds(_) | Renew(_) => vec![LeaseReply::Yes, LeaseReply::No],
    });
}

#[test]
fn bank() {
    use BankCall::{Balance as Ask, Deposit, Read, Transfer, Withdraw};
    use BankReply::{Balance, Balances, Done, Insufficient};
    let calls = [Read, Ask(0), Deposit(0, 1), Withdraw(1, 1), Transfer(0, 1, 1)];
    agrees(Bank::new([(0, 1), (1, 1)]), &calls, |call| match call {
        Read => [[1, 1], [0, 2], [2, 1], [1, 0], [1, 2]]
            .map(|[one, two]| Balances(vec![(0, one), (1, two)]))
            .to_vec(),
        Ask(_) => (0..3).map(Balance).collect(),
        Deposit(..) | Withdraw(..) | Transfer(..) => vec![Done, Insufficient],
    });
}

#[test]
fn unique_id() {
    agrees(UniqueId::new(), &[UniqueIdCall::Generate], |_| (0..8).collect());
}

#[test]
fn append_log() {
    use {AppendLogCall::*, AppendLogReply::*};
    let calls = [Append(1), Append(2), Get(0), Get(1), Read];
    let replies = |call: &AppendLogCall<i32>| match call {
        Append(_) => vec![Appended, AppendedAt(0), AppendedAt(1)],
        Get(_) => vec![At(None), At(Some(1)), At(Some(2))],
        Read => vec![Entries(vec![]), Entries(vec![1]), Entries(vec![2, 1]), Entries(vec![1, 2])],
    };
    agrees(AppendLog::new(), &calls, replies);
    agrees(AppendLog::new(), &calls, |call| match call {
        Append(_) => vec![Appended],
        other => replies(other),
    });
}

/// Many writes with unknown outcomes, each of which may explain any read.
fn hard(writes: i64) -> History<CasRegisterCall<i64>, CasRegisterReply<i64>> {
    use {CasRegisterCall::*, CasRegisterReply::*};
    let mut builder = Builder::new();
    for process in 0..writes {
        builder.invoke(process, Cas(process, process + 1)).unwrap();
        builder.unknown(process).unwrap();
        builder.invoke(process, Cas(process + 1, process * 7 % writes)).unwrap();
        builder.unknown(process).unwrap();
    }
    builder.invoke(-1, Read).unwrap();
    builder.ok(-1, Value(-5)).unwrap();
    builder.finish()
}

#[test]
fn a_budget_of_memory_is_kept() {
    let memory_bytes = 20 << 20;
    let time = Duration::from_secs(60);
    let budget = Budget { memory_bytes, time };
    let report = check(&CasRegister::new(0), &hard(60), &Options { budget, ..Options::default() });
    assert_eq!(report.verdict, Verdict::Unknown(Exhausted::Memory));
    assert!(report.bytes_peak <= memory_bytes);
    assert!(report.bytes_peak >= memory_bytes / 4, "most of it was used");
}

#[test]
fn a_budget_of_time_is_kept() {
    let time = Duration::from_millis(50);
    let budget = Budget { memory_bytes: usize::MAX, time };
    let start = Instant::now();
    let report = check(&CasRegister::new(0), &hard(60), &Options { budget, ..Options::default() });
    assert_eq!(report.verdict, Verdict::Unknown(Exhausted::Time));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_hard_part_does_not_hide_a_violated_one() {
    use KeyValueCall::*;
    use KeyValueReply::Done;
    let mut builder = Builder::new();
    let text = |text: &str| Value::text(text);
    // Orders of these are many, and tell nothing.
    for process in 0..40_i64 {
        let value = Value::from(process);
        builder.invoke(process, Cas(text("a"), value.clone(), text("z"))).unwrap();
        builder.unknown(process).unwrap();
        builder.invoke(process, Put(text("a"), value)).unwrap();
        builder.unknown(process).unwrap();
        let list = Append(text("a"), process.into());
        builder.invoke(process, list).unwrap();
        builder.unknown(process).unwrap();
    }
    builder.invoke(90, Get(text("a"))).unwrap();
    builder.ok(90, KeyValueReply::Value(text("never"))).unwrap();
    builder.invoke(91, Put(text("b"), text("1"))).unwrap();
    builder.ok(91, Done).unwrap();
    builder.invoke(92, Get(text("b"))).unwrap();
    builder.ok(92, KeyValueReply::Value(text("2"))).unwrap();
    let budget = Budget { memory_bytes: 64 << 20, time: Duration::from_secs(60) };
    let history = builder.finish();
    let options = Options { budget, ..Options::default() };
    let report = check(&KeyValue::default(), &history, &options);
    let Verdict::Violated(violation) = report.verdict else { panic!("{:?}", report.verdict) };
    assert_eq!(violation.core.operations, [122], "a read of what was never put");
}

#[test]
fn threads_do_not_change_what_is_said() {
    use KeyValueCall::*;
    use KeyValueReply::{Done, Value as Seen};
    let mut builder = Builder::new();
    for round in 0..40_i64 {
        for process in 0..8_i64 {
            let key = Value::from(process);
            let call = if round % 2 == 0 { Put(key, round.into()) } else { Get(key) };
            builder.invoke(process, call).unwrap();
        }
        for process in 0..8_i64 {
            // Two keys are read wrong, one of them later.
            let wrong = (process == 6 && round == 11) || (process == 3 && round == 31);
            let seen = Seen((round - 1 - i64::from(wrong)).into());
            builder.ok(process, if round % 2 == 0 { Done } else { seen }).unwrap();
        }
    }
    let history = builder.finish();
    let one = check(&KeyValue::default(), &history, &Options::default());
    assert!(matches!(one.verdict, Verdict::Violated(_)));
    for threads in [2, 3, 8] {
        let threads = NonZeroUsize::new(threads).unwrap();
        let options = Options { threads, ..Options::default() };
        assert_eq!(check(&KeyValue::default(), &history, &options).verdict, one.verdict);
    }
}

#[test]
fn a_core_is_what_a_person_would_point_at() {
    use {RegisterCall::*, RegisterReply::*};
    let mut builder = Builder::new();
    let mut write = |value| {
        builder.invoke(1, Write(value)).unwrap();
        builder.ok(1, Written).unwrap();
    };
    (0..50).for_each(&mut write);
    builder.invoke(2, Read).unwrap();
    builder.ok(2, Value(47)).unwrap();
    let history = builder.finish();
    // More time than any machine needs.
    let time = Duration::from_secs(600);
    let budget = Budget { time, ..Budget::default() };
    let options = Options { budget, core: CoreSearch::For(time), ..Options::default() };
    let report = check(&Register::new(0), &history, &options);
    let Verdict::Violated(violation) = report.verdict else { panic!("47 was overwritten") };
    // The write of 47, one that came after it, and the read.
    assert_eq!(violation.core.operations.len(), 3, "{:?}", violation.core);
    assert_eq!(violation.core.operations[0], 47);
    assert_eq!(violation.core.operations[2], 50);
    assert!(violation.core.minimal);
    let skip = Options { core: CoreSearch::Skip, ..Options::default() };
    let Verdict::Violated(violation) = check(&Register::new(0), &history, &skip).verdict else {
        panic!("47 was overwritten")
    };
    assert_eq!(violation.core.operations.len(), 51);
}
