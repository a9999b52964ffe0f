//! Checks of one property each, against the properties as they are defined: by looking at all pairs.

use std::cell::Cell;
use std::fmt::Debug;
use std::time::Duration;

use bizarro_check::domain::broadcast::{self, BroadcastCall, BroadcastReply, Ending, Order};
use bizarro_check::domain::convergence::{ReplicaCall, ReplicaReply, convergence};
use bizarro_check::domain::effects::{Delivery, EffectCall, EffectReply, effects};
use bizarro_check::domain::set_full::{Staleness, set_full};
use bizarro_check::domain::{Findings, LISTED_MAX, Rule};
use bizarro_check::domain::{bank, exclusion, fencing, long_fork, unique_ids};
use bizarro_check::history::{Builder, History, Operation, Outcome, Times};
use bizarro_check::linearizable::{Options, Verdict, check};
use bizarro_check::model::{
    Access, Bank, BankCall, BankReply, FencedLockCall, FencedLockReply, Mutex, MutexCall, SetCall,
    SetReply, UniqueIdCall,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// What processes do: who, and a number that says what. A process with an open operation ends it.
type Script = Vec<(u8, u16)>;

/// Plays a script. `act` gives a call and its reply for a number.
fn play<C, R>(script: &Script, act: impl Fn(u16) -> (C, R)) -> History<C, R> {
    let mut builder = Builder::new();
    let mut open = [None, None, None];
    for (step, (process, number)) in script.iter().enumerate() {
        builder.at(Times { virtual_ns: Some(10 * step as u64), wall_ns: None });
        let (slot, process) = (&mut open[usize::from(*process)], i64::from(*process));
        match slot.take() {
            None => {
                let (call, reply) = act(*number);
                builder.invoke(process, call).unwrap();
                *slot = Some(reply);
            }
            Some(_) if number % 16 == 0 => builder.fail(process).unwrap(),
            Some(_) if number % 16 == 1 => builder.unknown(process).unwrap(),
            Some(reply) => builder.ok(process, reply).unwrap(),
        }
    }
    builder.finish()
}

/// A history of some of the operations of another one, at the same times.
fn only<C: Clone, R: Clone>(history: &History<C, R>, kept: &[u32]) -> History<C, R> {
    let mut events = Vec::new();
    for index in kept {
        let it = &history.operations()[*index as usize];
        events.push((it.invoked, it, false));
        events.extend(it.ended.map(|ended| (ended, it, true)));
    }
    events.sort_by_key(|(moment, ..)| moment.position);
    events.dedup_by_key(|(moment, ..)| moment.position);
    let mut builder = Builder::new();
    for (moment, it, ends) in events {
        builder.at(moment.times);
        match ends {
            false => builder.invoke(it.process, it.call.clone()).unwrap(),
            true => builder.end(it.process, it.outcome.clone()).unwrap(),
        }
    }
    builder.finish()
}

/// Plays many scripts: the check and the definition have to agree on each history, and on what is left
/// when only the operations of one contradiction are kept.
fn agrees<C: Clone + Debug, R: Clone + Debug>(
    act: impl Fn(u16) -> (C, R),
    check: impl Fn(&History<C, R>) -> Findings,
    is_broken: impl Fn(&History<C, R>) -> bool,
) {
    let (held, broken) = (Cell::new(0), Cell::new(0));
    let config = Config { cases: 3000, source_file: Some(file!()), ..Config::default() };
    let scripts = vec((0..3_u8, any::<u16>()), 2..26);
    let run = TestRunner::new(config).run(&scripts, |script| {
        let history = play(&script, &act);
        let findings = check(&history);
        if findings.held() == is_broken(&history) {
            return Err(TestCaseError::fail(format!("{findings:#?} in {history:#?}")));
        }
        for found in findings.listed() {
            if !is_broken(&only(&history, &found.operations)) {
                return Err(TestCaseError::fail(format!("{found:#?} in {history:#?}")));
            }
        }
        let tally = if findings.held() { &held } else { &broken };
        tally.set(tally.get() + 1);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    assert!(held.get() > 100 && broken.get() > 100, "{} {}", held.get(), broken.get());
}

fn done<C, R>(history: &History<C, R>) -> Vec<&Operation<C, R>> {
    history.operations().iter().filter(|it| it.outcome.reply().is_some()).collect()
}

fn pairs<'h, T>(all: &'h [&'h T]) -> impl Iterator<Item = (&'h T, &'h T)> {
    all.iter().flat_map(move |one| all.iter().map(move |other| (*one, *other)))
}

/// Whether one ended before the other one began.
fn precedes<C, R>(one: &Operation<C, R>, other: &Operation<C, R>) -> bool {
    one.ended.is_some_and(|end| end.position < other.invoked.position)
}

#[test]
fn tokens() {
    use {FencedLockCall::*, FencedLockReply::*};
    let act = |number: u16| {
        let token = i64::from(number / 16 % 12);
        match number / 256 % 3 {
            0 => (Acquire, Granted(token)),
            1 => (Use(token / 3), Accepted(number.is_multiple_of(2))),
            _ => (Release(token), Released),
        }
    };
    agrees(act, fencing::tokens, |history| {
        pairs(&done(history)).any(|(one, other)| {
            let same = one.invoked != other.invoked;
            match (&one.outcome, &other.outcome, one.call, other.call) {
                (Outcome::Ok(Granted(first)), Outcome::Ok(Granted(second)), ..) => {
                    (same && first == second) || (precedes(one, other) && first > second)
                }
                (Outcome::Ok(Accepted(true)), Outcome::Ok(Accepted(true)), Use(a), Use(b)) => {
                    precedes(one, other) && a > b
                }
                _ => false,
            }
        })
    });
}

#[test]
fn a_free_lock_is_granted_in_time() {
    use {FencedLockCall::*, FencedLockReply::*};
    let ms = |ms: u64| Times { virtual_ns: Some(ms * 1_000_000), wall_ns: None };
    let mut builder = Builder::new();
    builder.at(ms(0)).invoke(1, Acquire).unwrap();
    builder.at(ms(5)).ok(1, Granted(1)).unwrap();
    builder.at(ms(6)).invoke(2, Acquire).unwrap();
    builder.at(ms(90)).invoke(1, Release(1)).unwrap();
    builder.at(ms(95)).ok(1, Released).unwrap();
    builder.at(ms(120)).ok(2, Granted(2)).unwrap();
    builder.at(ms(130)).invoke(1, Acquire).unwrap();
    builder.at(ms(200)).fail(1).unwrap();
    builder.at(ms(200)).invoke(1, Acquire).unwrap();
    builder.at(ms(400)).fail(1).unwrap();
    builder.at(ms(400)).invoke(1, Release(9)).unwrap();
    let history = builder.finish();
    let found = |limit| {
        let findings = fencing::availability(&history, Duration::from_millis(limit));
        let listed = findings.listed().iter();
        listed.map(|it| (it.operations.clone(), it.because.clone())).collect::<Vec<_>>()
    };
    let never = (vec![3], "the lock was asked for, and not granted for 270ms".to_string());
    assert_eq!(found(400), []);
    assert_eq!(found(100), std::slice::from_ref(&never));
    let late = (vec![1], "the lock was granted 25ms after it was asked for".to_string());
    assert_eq!(found(20), [late, never]);
}

#[test]
fn mutual_exclusion() {
    use MutexCall::*;
    let act = |number: u16| (if number / 16 % 3 < 2 { Acquire } else { Release }, ());
    let hold = |history: &History<MutexCall, ()>, it: &Operation<MutexCall, ()>| {
        let from = it.ended.unwrap().position;
        let releases = history.operations().iter();
        let to = releases
            .filter(|other| other.process == it.process && other.call == Release)
            .map(|other| other.invoked.position)
            .find(|at| *at > from);
        (from, to.unwrap_or(u32::MAX))
    };
    agrees(act, exclusion::mutual_exclusion, |history| {
        let mut acquired = done(history);
        acquired.retain(|it| it.call == Acquire);
        pairs(&acquired).any(|(one, other)| {
            let ((from, to), (begin, end)) = (hold(history, one), hold(history, other));
            one.invoked != other.invoked && from < end && begin < to
        })
    });
}

/// Where every process releases what it holds itself, what is found here is no linearizable lock either.
#[test]
fn a_lock_with_two_holders_is_not_linearizable() {
    let mut builder = Builder::new();
    for process in [1, 2] {
        builder.invoke(process, MutexCall::Acquire).unwrap();
        builder.ok(process, ()).unwrap();
    }
    let history = builder.finish();
    assert_eq!(exclusion::mutual_exclusion(&history).listed()[0].operations, [0, 1]);
    let verdict = check(&Mutex, &history, &Options::default()).verdict;
    assert!(matches!(verdict, Verdict::Violated(_)));
}

#[test]
fn ids() {
    let act = |number: u16| (UniqueIdCall::Generate, number / 16 % 24);
    agrees(act, unique_ids::unique_ids, |history| {
        pairs(&done(history))
            .any(|(one, other)| one.invoked != other.invoked && one.outcome == other.outcome)
    });
}

fn set_act(number: u16) -> (SetCall<u16>, SetReply<u16>) {
    let value = number / 16 % 3;
    match number / 64 % 2 {
        0 => (SetCall::Add(value), SetReply::Done),
        _ => {
            let members = (0..3).filter(|it| ((number / 128) >> (2 * it)) & 3 > 0);
            let twice = (number / 8192 == 0).then_some(value);
            let mut members: Vec<u16> = members.chain(twice).collect();
            members.sort_unstable();
            (SetCall::Read, SetReply::Members(members))
        }
    }
}

/// Whether a read contains what it cannot, or misses what it must not: `again` says whether it matters that
/// a later read sees it again.
fn set_is_broken(history: &History<SetCall<u16>, SetReply<u16>>, staleness: Staleness) -> bool {
    let has = |it: &Operation<SetCall<u16>, SetReply<u16>>, value: u16| matches!(it.outcome.reply(), Some(SetReply::Members(members)) if members.contains(&value));
    let mut reads = done(history);
    reads.retain(|it| it.call == SetCall::Read);
    let created = reads.iter().any(|read| {
        let Some(SetReply::Members(members)) = read.outcome.reply() else { return false };
        members.windows(2).any(|pair| pair[0] == pair[1])
            || members.iter().any(|value| {
                let mut adds = history.operations().iter();
                !adds.any(|add| {
                    add.call == SetCall::Add(*value)
                        && add.outcome != Outcome::Fail
                        && add.invoked.position < read.ended.unwrap().position
                })
            })
    });
    let missed = (0..3).any(|value| {
        let mut known = done(history);
        known.retain(|it| it.call == SetCall::Add(value) || has(it, value));
        reads.iter().any(|read| {
            let misses = !has(read, value) && known.iter().any(|by| precedes(by, read));
            let mut later = reads.iter().filter(|it| it.invoked.position > read.invoked.position);
            misses && (staleness == Staleness::Refused || !later.any(|it| has(it, value)))
        })
    });
    created || missed
}

#[test]
fn sets() {
    for staleness in [Staleness::Allowed, Staleness::Refused] {
        agrees(
            set_act,
            |history| set_full(history, staleness),
            |history| set_is_broken(history, staleness),
        );
    }
}

fn bank_act(number: u16) -> (BankCall<u8>, BankReply<u8>) {
    let amount = i64::from(number / 16 % 3);
    match number / 64 % 8 {
        0 => (BankCall::Deposit(0, amount), BankReply::Done),
        1 => (BankCall::Withdraw(1, amount), BankReply::Done),
        2 => (BankCall::Transfer(0, 1, amount), BankReply::Done),
        _ => {
            let other = if (number / 512).is_multiple_of(8) { 9 } else { 10 };
            let more = if number / 4096 == 1 { amount } else { 0 };
            (BankCall::Read, BankReply::Balances(vec![(0, amount), (1, other - amount + more)]))
        }
    }
}

/// Whether there is no sum that all reads agree with, tried one by one.
fn bank_is_broken(
    history: &History<BankCall<u8>, BankReply<u8>>,
    known: impl Iterator<Item = i64> + Clone,
) -> bool {
    let reads: Vec<(i64, i64)> = done(history)
        .into_iter()
        .filter_map(|read| {
            let Some(BankReply::Balances(balances)) = read.outcome.reply() else { return None };
            let total: i64 = balances.iter().map(|(_, balance)| balance).sum();
            let (mut least, mut most) = (0, 0);
            for it in history.operations().iter().filter(|it| it.outcome != Outcome::Fail) {
                let amount = match it.call {
                    BankCall::Deposit(_, amount) => amount,
                    BankCall::Withdraw(_, amount) => -amount,
                    _ => continue,
                };
                let certain = it.outcome.reply().is_some() && precedes(it, read);
                if certain || it.invoked.position < read.ended.unwrap().position {
                    least += if certain { amount } else { amount.min(0) };
                    most += if certain { amount } else { amount.max(0) };
                }
            }
            Some((total - most, total - least))
        })
        .collect();
    let fits = |first: i64| reads.iter().all(|(least, most)| (*least..=*most).contains(&first));
    !known.clone().any(fits)
}

#[test]
fn money() {
    let unknown = Bank::new([]);
    // What is left of a history has other payments, so that only whole histories can be compared.
    let act = |number: u16| match bank_act(number) {
        (BankCall::Deposit(..) | BankCall::Withdraw(..), _) => {
            (BankCall::Transfer(0, 1, 1), BankReply::Done)
        }
        other => other,
    };
    agrees(act, |it| bank::conservation(&unknown, it), |it| bank_is_broken(it, -60..60));
    let known = Bank::new([(0, 7), (1, 3)]);
    agrees(act, |it| bank::conservation(&known, it), |it| bank_is_broken(it, 10..11));
}

#[test]
fn money_that_comes_and_goes() {
    let bank = Bank::new([]);
    let (mut held, mut broken) = (0, 0);
    let mut runner = TestRunner::new(Config { cases: 3000, ..Config::default() });
    let scripts = vec((0..3_u8, any::<u16>()), 2..26);
    let tallies = (Cell::new(0), Cell::new(0));
    let run = runner.run(&scripts, |script| {
        let history = play(&script, bank_act);
        let findings = bank::conservation(&bank, &history);
        prop_assert_eq!(!findings.held(), bank_is_broken(&history, -60..60), "{:#?}", history);
        let tally = if findings.held() { &tallies.0 } else { &tallies.1 };
        tally.set(tally.get() + 1);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    held += tallies.0.get();
    broken += tallies.1.get();
    assert!(held > 100 && broken > 100, "{held} {broken}");
}

#[test]
fn an_overdrawn_account_is_found_where_it_is_not_allowed() {
    let mut builder = Builder::new();
    builder.invoke(1, BankCall::Read).unwrap();
    builder.ok(1, BankReply::Balances(vec![('a', 12), ('b', -2)])).unwrap();
    let history = builder.finish();
    let mut bank = Bank::new([('a', 10), ('b', 0)]);
    let findings = bank::conservation(&bank, &history);
    assert_eq!(findings.listed()[0].rule, Rule::NoOverdraft);
    assert_eq!(findings.listed()[0].to_string(), "account 'b' holds -2");
    bank.overdraft = bizarro_check::model::Overdraft::Allowed;
    assert!(bank::conservation(&bank, &history).held());
}

#[test]
fn forks() {
    let act = |number: u16| {
        let group: &[u16] = if (number / 16).is_multiple_of(8) { &[0, 2] } else { &[0, 1] };
        let reads = group.iter().map(|name| Access::Read(*name)).collect::<Vec<_>>();
        let seen = group.iter().map(|name| Some(((number / 256) >> name) & 1)).collect();
        (reads, seen)
    };
    agrees(
        act,
        |history| long_fork::long_fork(history, &0),
        |history| {
            pairs(&done(history)).any(|(one, other)| {
                let (Some(first), Some(second)) = (one.outcome.reply(), other.outcome.reply())
                else {
                    return false;
                };
                let only =
                    |a: &[Option<u16>], b: &[Option<u16>]| a.iter().zip(b).any(|(a, b)| a > b);
                one.call == other.call && only(first, second) && only(second, first)
            })
        },
    );
}

fn broadcast_act(number: u16) -> (BroadcastCall<u16>, BroadcastReply<u16>) {
    match number / 16 % 3 {
        0 => (BroadcastCall::Broadcast(number / 48 % 32), BroadcastReply::Sent),
        _ if number / 8192 == 0 => (BroadcastCall::Deliver, BroadcastReply::Nothing),
        _ => (BroadcastCall::Deliver, BroadcastReply::Delivered(number / 48 % 4)),
    }
}

type Deliveries = broadcast::Deliveries<u16>;
type Act = Operation<BroadcastCall<u16>, BroadcastReply<u16>>;

fn sends(history: &Deliveries) -> Vec<(u16, &Act)> {
    let mut sends: Vec<(u16, &Act)> = Vec::new();
    for it in history.operations().iter().filter(|it| it.outcome != Outcome::Fail) {
        if let BroadcastCall::Broadcast(message) = it.call
            && !sends.iter().any(|(other, _)| *other == message)
        {
            sends.push((message, it));
        }
    }
    sends
}

fn by_process(history: &Deliveries) -> Vec<Vec<(u16, u32)>> {
    let of = |process| {
        done(history).into_iter().filter(move |it| it.process == process).filter_map(|it| match it
            .outcome
            .reply()
        {
            Some(BroadcastReply::Delivered(message)) => {
                Some((*message, it.ended.unwrap().position))
            }
            _ => None,
        })
    };
    (0..3).map(|process| of(process).collect()).collect()
}

fn delivered_wrongly(history: &Deliveries) -> bool {
    let sends = sends(history);
    by_process(history).iter().any(|delivered| {
        delivered.iter().enumerate().any(|(at, (message, ended))| {
            let sent = sends.iter().find(|(other, _)| other == message);
            sent.is_none_or(|(_, sent)| sent.invoked.position > *ended)
                || delivered[..at].iter().any(|(earlier, _)| earlier == message)
        })
    })
}

#[test]
fn messages() {
    agrees(
        broadcast_act,
        |history| broadcast::broadcast(history, Order::Any, Ending::Open),
        delivered_wrongly,
    );
}

#[test]
fn messages_in_the_order_of_their_senders() {
    let check = |history: &Deliveries| broadcast::broadcast(history, Order::Fifo, Ending::Open);
    agrees(broadcast_act, check, |history| {
        let sends = sends(history);
        let place = |message: u16| sends.iter().position(|(other, _)| *other == message);
        delivered_wrongly(history)
            || by_process(history).iter().any(|delivered| {
                let places: Vec<usize> =
                    delivered.iter().filter_map(|(message, _)| place(*message)).collect();
                (0..places.len()).any(|later| {
                    (0..later).any(|earlier| {
                        let (one, other) = (sends[places[earlier]].1, sends[places[later]].1);
                        one.process == other.process && places[earlier] > places[later]
                    })
                })
            })
    });
}

#[test]
fn messages_in_one_order() {
    let (sent, came) = (BroadcastReply::Sent, BroadcastReply::Delivered);
    let mut builder = Builder::new();
    let mut act = |process: i64, call: BroadcastCall<char>, reply: BroadcastReply<char>| {
        builder.invoke(process, call).unwrap();
        builder.ok(process, reply).unwrap();
    };
    act(1, BroadcastCall::Broadcast('a'), sent.clone());
    act(2, BroadcastCall::Broadcast('b'), sent);
    for (process, message) in [(1, 'a'), (2, 'a'), (3, 'b'), (1, 'b')] {
        act(process, BroadcastCall::Deliver, came(message));
    }
    let history = builder.finish();
    let found = |order, ending| {
        let findings = broadcast::broadcast(&history, order, ending);
        let listed = findings.listed().iter();
        listed.map(|it| (it.rule, it.operations.clone())).collect::<Vec<_>>()
    };
    assert_eq!(found(Order::Fifo, Ending::Open), []);
    assert_eq!(found(Order::Total, Ending::Open), [(Rule::TotalOrder, vec![2, 4])]);
    // `b` never came to process 2, nor `a` to process 3.
    let never = [(Rule::Agreement, vec![1, 3]), (Rule::Agreement, vec![0, 4])];
    assert_eq!(found(Order::Any, Ending::Settled), never);
}

fn effect_act(number: u16) -> (EffectCall<u16>, EffectReply<u16>) {
    match number / 16 % 3 {
        0 | 1 => (EffectCall::Request(number / 48 % 3), EffectReply::Done),
        _ => {
            let times = |name: &u16| [1, 0, 1, 2][usize::from((number >> (8 + 2 * name)) & 3)];
            let shown = (0..3).flat_map(|name| vec![name; times(&name)]).collect();
            (EffectCall::Read, EffectReply::Effects(shown))
        }
    }
}

#[test]
fn requests() {
    for promise in [Delivery::AtMostOnce, Delivery::AtLeastOnce, Delivery::ExactlyOnce] {
        agrees(
            effect_act,
            |history| effects(history, promise),
            |history| {
                done(history).iter().any(|read| {
                    let Some(EffectReply::Effects(shown)) = read.outcome.reply() else {
                        return false;
                    };
                    (0..3).any(|name| {
                        let times = shown.iter().filter(|it| **it == name).count();
                        let mut asked = history.operations().iter().filter(|it| {
                            it.call == EffectCall::Request(name) && it.outcome != Outcome::Fail
                        });
                        let answered = asked
                            .clone()
                            .any(|it| it.outcome.reply().is_some() && precedes(it, read));
                        let end = read.ended.unwrap().position;
                        let created = times > 0 && !asked.any(|it| it.invoked.position < end);
                        created
                            || (times > 1 && promise != Delivery::AtLeastOnce)
                            || (times == 0 && answered && promise != Delivery::AtMostOnce)
                    })
                })
            },
        );
    }
}

#[test]
fn replicas() {
    let act = |number: u16| match number / 16 % 4 {
        0 => (ReplicaCall::Update, ReplicaReply::Updated),
        _ => (ReplicaCall::Read, ReplicaReply::State(u8::from(number / 256 < 40))),
    };
    let settling = Duration::from_nanos(30);
    agrees(
        act,
        |history| convergence(history, settling),
        |history| {
            let updates = history.operations().iter().filter(|it| it.call == ReplicaCall::Update);
            let ends = updates.filter(|it| it.outcome != Outcome::Fail);
            let settled = ends
                .map(|it| it.ended.unwrap_or(it.invoked))
                .max_by_key(|moment| moment.position)
                .map_or(0, |moment| moment.times.virtual_ns.unwrap() + 30);
            let mut reads = done(history);
            reads.retain(|it| {
                it.call == ReplicaCall::Read && it.invoked.times.virtual_ns.unwrap() >= settled
            });
            pairs(&reads).any(|(one, other)| one.outcome != other.outcome)
        },
    );
}

#[test]
fn many_contradictions_are_counted_and_few_are_listed() {
    let mut builder = Builder::new();
    for _ in 0..1000 {
        builder.invoke(1, UniqueIdCall::Generate).unwrap();
        builder.ok(1, 7).unwrap();
    }
    let findings = unique_ids::unique_ids(&builder.finish());
    assert_eq!((findings.count(), findings.listed().len()), (999, LISTED_MAX));
    assert!(!findings.held());
}
