//! Histories in which every value is put once, decided without a search, against the plainest decision there
//! is. Every arrangement of a few operations in time, and many of more.

#[path = "common/brute.rs"]
mod brute;

use bizarro_check::evidence::{Doubt, verify};
use bizarro_check::history::{Builder, History, Outcome};
use bizarro_check::linearizable::{CoreSearch, Options, Verdict, check};
use bizarro_check::model::*;
use brute::is_linearizable;
use proptest::collection::vec;
use proptest::prelude::*;
use std::cell::Cell;
use std::fmt::Debug;

/// Begins and ends of operations in an order, an operation by its number: first it begins, then it ends.
fn arrangements(operations: usize, mut look: impl FnMut(&[usize])) {
    fn go(counts: &mut [u8], events: &mut Vec<usize>, look: &mut impl FnMut(&[usize])) {
        if events.len() == 2 * counts.len() {
            return look(events);
        }
        for operation in 0..counts.len() {
            if counts[operation] < 2 {
                counts[operation] += 1;
                events.push(operation);
                go(counts, events, look);
                events.pop();
                counts[operation] -= 1;
            }
        }
    }
    go(&mut vec![0; operations], &mut Vec::new(), &mut look);
}

/// What is asked and answered; none where the outcome is unknown.
type Asked<C, R> = (C, Option<R>);

fn history<C: Clone, R: Clone>(asked: &[Asked<C, R>], events: &[usize]) -> History<C, R> {
    let mut builder = Builder::new();
    let mut begun = vec![false; asked.len()];
    for &event in events {
        let (process, (call, reply)) = (event as i64, &asked[event]);
        if !std::mem::replace(&mut begun[event], true) {
            builder.invoke(process, call.clone()).unwrap();
        } else {
            let outcome = reply.clone().map_or(Outcome::Unknown, Outcome::Ok);
            builder.end(process, outcome).unwrap();
        }
    }
    builder.finish()
}

/// Whether the history holds, as everybody says, and whether no configuration was searched.
fn agrees<M>(model: &M, history: &History<M::Call, M::Reply>) -> (bool, bool)
where
    M: Model + Sync,
    M::Call: Sync + Debug,
    M::Reply: Sync + Debug,
{
    let options = Options { core: CoreSearch::Skip, ..Options::default() };
    let report = check(model, history, &options);
    let expected = is_linearizable(model, history, u32::MAX);
    let holds = matches!(report.verdict, Verdict::Holds(_));
    assert_eq!(holds, expected, "{history:#?}");
    let evidence = report.verdict.evidence().expect("the budget is large enough");
    // Where others may take effect at any time, some cores are long to show.
    match verify(model, history, evidence, 3_000) {
        Ok(()) | Err(Doubt::TooLarge(_)) => {}
        Err(doubt) => panic!("{doubt}: {:?} {history:#?}", report.verdict),
    }
    (holds, report.configurations == 0)
}

/// Compares all arrangements of these, none of which is to be searched.
fn all_agree<M>(model: M, asked: &[Asked<M::Call, M::Reply>])
where
    M: Model + Sync,
    M::Call: Sync + Debug,
    M::Reply: Sync + Debug,
{
    let mut counts = [0, 0];
    arrangements(asked.len(), |events| {
        let history = history(asked, events);
        let (holds, unsearched) = agrees(&model, &history);
        assert!(unsearched, "{history:#?}");
        counts[usize::from(holds)] += 1;
    });
    assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
}

type Step = Asked<ContainerCall<u8>, ContainerReply<u8>>;

fn put(value: u8) -> Step {
    (ContainerCall::Put(value), Some(ContainerReply::Put))
}

fn take(value: u8) -> Step {
    (ContainerCall::Take, Some(ContainerReply::Taken(value)))
}

const EMPTY: Step = (ContainerCall::Take, Some(ContainerReply::Empty));

fn all_agree_on<D: Discipline<u8> + Sync>(asked: &[Step]) {
    all_agree(Container::<u8, D>::new(), asked);
}

#[test]
fn every_small_queue() {
    all_agree_on::<Fifo>(&[put(1), put(2), take(1), take(2)]);
    all_agree_on::<Fifo>(&[put(1), put(2), take(1), EMPTY]);
    all_agree_on::<Fifo>(&[put(1), take(1), EMPTY, EMPTY]);
}

#[test]
fn every_small_stack() {
    all_agree_on::<Lifo>(&[put(1), put(2), take(1), take(2)]);
    all_agree_on::<Lifo>(&[put(1), put(2), take(1), EMPTY]);
    all_agree_on::<Lifo>(&[put(1), take(1), EMPTY, EMPTY]);
}

#[test]
fn every_small_priority_queue() {
    for (one, other) in [(1, 2), (2, 1)] {
        all_agree_on::<LeastFirst>(&[put(one), put(other), take(one), take(other)]);
        all_agree_on::<LeastFirst>(&[put(one), put(other), take(one), EMPTY]);
    }
}

#[test]
fn every_small_set() {
    use SetCall::{Add, Contains as Ask, Read, Remove};
    use SetReply::{Changed, Contains, Done, Members};
    let (add, gone) = ((Add(1), Some(Done)), (Remove(1), Some(Done)));
    let (is, is_not) = ((Ask(1), Some(Contains(true))), (Ask(1), Some(Contains(false))));
    all_agree(Set::new(), &[add.clone(), is.clone(), is_not.clone(), gone.clone()]);
    all_agree(Set::new(), &[add.clone(), is.clone(), is_not.clone(), (Remove(1), None)]);
    all_agree(Set::new(), &[(Add(1), None), is.clone(), is_not.clone(), gone]);
    let gone = (Remove(1), Some(Changed(true)));
    let again = (Add(1), Some(Changed(false)));
    let nothing = (Remove(1), Some(Changed(false)));
    all_agree(Set::new(), &[add.clone(), is_not.clone(), is_not.clone(), gone.clone()]);
    all_agree(Set::new(), &[add.clone(), is.clone(), nothing, gone.clone()]);
    all_agree(Set::new(), &[add.clone(), is, again, gone]);
    let saw = |members: &[i32]| (Read, Some(Members(members.to_vec())));
    all_agree(Set::new(), &[add.clone(), saw(&[]), saw(&[1]), (Add(2), Some(Done))]);
    all_agree(Set::new(), &[add.clone(), saw(&[2]), saw(&[1, 2]), (Add(2), Some(Done))]);
    all_agree(Set::new(), &[add, saw(&[]), saw(&[2]), (Add(2), None)]);
}

/// A container that mostly does as it should. Who asks, and a number that says what and how.
fn script() -> impl Strategy<Value = Vec<(u8, u8)>> {
    vec((0..5_u8, any::<u8>()), 8..44)
}

/// Plays a script. An operation takes effect when it begins, when it ends, or between.
fn play<D: Discipline<u8>>(script: &[(u8, u8)]) -> History<ContainerCall<u8>, ContainerReply<u8>> {
    let mut builder = Builder::new();
    let mut held: Vec<u8> = Vec::new();
    let mut open: Vec<Option<Step>> = vec![None; 5];
    let (mut puts, mut lies) = (0_u8, 0);
    for (process, number) in script {
        let (slot, process) = (&mut open[usize::from(*process)], i64::from(*process));
        let begins = slot.is_none();
        if begins {
            if builder.len() == 9 {
                continue;
            }
            let call = match number % 2 {
                0 => ContainerCall::Take,
                // Not in the order in which they are put.
                _ => ContainerCall::Put(puts.wrapping_mul(37)),
            };
            puts += number % 2;
            builder.invoke(process, call).unwrap();
            *slot = Some((call, None));
        }
        let (call, reply) = slot.as_mut().expect("one is open");
        let acts = !begins || number / 2 % 2 == 0;
        if acts && reply.is_none() {
            *reply = Some(match call {
                ContainerCall::Put(value) => {
                    held.insert(D::place(&held, value), *value);
                    ContainerReply::Put
                }
                ContainerCall::Take => {
                    // Now and then the wrong one is taken, or one that is there is not found.
                    let wrong = number / 64 < 2 && lies < 2 && held.len() > 1;
                    lies += u8::from(wrong);
                    let at = match (wrong, number / 64) {
                        (false, _) => held.len().wrapping_sub(1),
                        (true, 0) => 0,
                        (true, _) => usize::MAX,
                    };
                    match held.get(at).copied() {
                        None => ContainerReply::Empty,
                        Some(value) => {
                            held.remove(at);
                            ContainerReply::Taken(value)
                        }
                    }
                }
            });
        }
        if !begins && number / 4 % 3 > 0 {
            let outcome = match number / 16 {
                0 => Outcome::Unknown,
                _ => Outcome::Ok(reply.expect("it acts when it ends")),
            };
            builder.end(process, outcome).unwrap();
            *slot = None;
        }
    }
    builder.finish()
}

/// Compares random histories; how many of them were searched.
fn many_agree<D: Discipline<u8> + Sync>() -> u32 {
    let (counts, searched) = (Cell::new([0, 0]), Cell::new(0));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1500,
        source_file: Some(file!()),
        ..ProptestConfig::default()
    });
    let run = runner.run(&script(), |script| {
        let history = play::<D>(&script);
        let (holds, unsearched) = agrees(&Container::<u8, D>::new(), &history);
        let mut of = counts.get();
        of[usize::from(holds)] += 1;
        counts.set(of);
        searched.set(searched.get() + u32::from(!unsearched));
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    let counts = counts.get();
    assert!(counts[0] > 100 && counts[1] > 100, "{counts:?}");
    searched.get()
}

/// Only where somebody was never told what was taken is there anything to search.
#[test]
fn many_containers() {
    let counts = [many_agree::<Fifo>(), many_agree::<Lifo>(), many_agree::<LeastFirst>()];
    assert!(counts.iter().all(|searched| *searched < 250), "{counts:?}");
}
