//! Checks that are made while a history happens, against the same checks of all that has happened by each event.

use std::cell::Cell;
use std::fmt::Debug;

use bizarro_check::domain::{Findings, bank, fencing};
use bizarro_check::history::{Builder, History};
use bizarro_check::model::{Bank, BankCall, BankReply, FencedLockCall, FencedLockReply, Overdraft};
use bizarro_check::online::{Conservation, Online, Tokens, replay};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

const PROCESSES: u8 = 4;

/// What processes do: who, and a number that says what. A process with an open operation ends it.
type Script = Vec<(u8, u16)>;

/// All that happened up to and with each event.
fn prefixes<C: Clone, R: Clone>(
    script: &Script,
    act: impl Fn(u16) -> (C, R),
) -> Vec<History<C, R>> {
    let play = |length: usize| {
        let mut builder = Builder::new();
        let mut open: Vec<Option<R>> = (0..PROCESSES).map(|_| None).collect();
        for (process, number) in &script[..length] {
            let (slot, process) = (&mut open[usize::from(*process)], i64::from(*process));
            match slot.take() {
                None => {
                    let (call, reply) = act(*number);
                    builder.invoke(process, call).unwrap();
                    *slot = Some(reply);
                }
                Some(_) if number % 16 < 2 => builder.fail(process).unwrap(),
                Some(_) if number % 16 == 2 => builder.unknown(process).unwrap(),
                Some(reply) => builder.ok(process, reply).unwrap(),
            }
        }
        builder.finish()
    };
    (1..=script.len()).map(play).collect()
}

/// The check breaks by the first event by which what has happened is broken, and names operations that have begun.
fn agrees<O: Online + Clone>(
    check: &O,
    act: impl Fn(u16) -> (O::Call, O::Reply),
    whole: impl Fn(&History<O::Call, O::Reply>) -> Findings,
) where
    O::Call: Clone + Debug,
    O::Reply: Clone + Debug,
{
    let (held, broken) = (Cell::new(0), Cell::new(0));
    let config = Config { cases: 2000, source_file: Some(file!()), ..Config::default() };
    let run = TestRunner::new(config).run(&vec((0..PROCESSES, any::<u16>()), 2..30), |script| {
        let prefixes = prefixes(&script, &act);
        let first = prefixes.iter().position(|prefix| !whole(prefix).held());
        let all = prefixes.last().expect("a script has two events at least");
        let said = replay(check.clone(), all);
        let at = said.as_ref().err().map(|(position, _)| *position as usize);
        if at != first {
            return Err(TestCaseError::fail(format!("{said:?}, expected {first:?} of {all:#?}")));
        }
        if let Err((position, contradiction)) = said {
            let known = |index: &u32| {
                let it = &all.operations()[*index as usize];
                it.invoked.position < position
            };
            prop_assert!(!contradiction.operations.is_empty());
            prop_assert!(contradiction.operations.iter().all(known), "{:?}", contradiction);
        }
        let tally = if first.is_some() { &broken } else { &held };
        tally.set(tally.get() + 1);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    assert!(held.get() > 100 && broken.get() > 100, "{} {}", held.get(), broken.get());
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
    agrees(&Tokens::new(), act, fencing::tokens);
}

#[test]
fn money() {
    use {BankCall::*, BankReply::*};
    let act = |number: u16| {
        let amount = i64::from(number / 64 % 4);
        match number / 16 % 4 {
            0 => (Deposit(0, amount), Done),
            1 if (number / 256).is_multiple_of(3) => (Withdraw(0, amount), Insufficient),
            1 => (Withdraw(0, amount), Done),
            _ => (Read, Balances(vec![(0, i64::from(number / 64 % 9) - 1), (1, 3)])),
        }
    };
    for bank in [Bank::new([]), Bank::new([(0, 2), (1, 3)])] {
        let allowed = Bank { overdraft: Overdraft::Allowed, ..bank.clone() };
        for bank in [bank, allowed] {
            agrees(&Conservation::new(&bank), act, |it| bank::conservation(&bank, it));
        }
    }
}

#[test]
fn a_payment_that_failed_in_the_end_explains_no_read() {
    use {BankCall::*, BankReply::*};
    let mut builder = Builder::new();
    builder.invoke(1, Deposit(0, 5)).unwrap();
    builder.invoke(2, Read).unwrap();
    builder.ok(2, Balances(vec![(0, 15)])).unwrap();
    builder.fail(1).unwrap();
    let bank = Bank::new([(0, 10)]);
    let (position, contradiction) =
        replay(Conservation::new(&bank), &builder.finish()).unwrap_err();
    assert_eq!(position, 3);
    assert_eq!(contradiction.because, "balances add up to 15, and not to what there is");
    assert_eq!(contradiction.operations, [1]);
}
