//! Money between accounts.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;

use super::{Event, Online};
use crate::domain::bank::First;
use crate::domain::{Contradiction, Rule};
use crate::history::Outcome;
use crate::model::{Bank, BankCall, BankReply, Overdraft};

/// Every read's balances add up to what there is, and none is below zero, unless the bank allows that. The same as
/// [`bank::conservation`](crate::domain::bank::conservation).
///
/// A payment that overlaps with a read may be part of what it saw. Where it turns out later that it never took
/// effect, the read is looked at again.
#[derive(Clone, Debug)]
pub struct Conservation<A> {
    accounts: PhantomData<A>,
    overdraft: Overdraft,
    first: First,
    /// What was paid in, and out, by payments that are known to have taken effect.
    certain: Paid,
    /// By those that were invoked, unless they are known to have had no effect.
    possible: Paid,
    open: BTreeMap<u32, Open>,
    /// Reads which a payment that is still open may be part of.
    reads: Vec<Read>,
}

/// Sums of what was paid in, and of what was paid out, which is below zero.
#[derive(Clone, Copy, Debug, Default)]
struct Paid {
    into: i128,
    out_of: i128,
}

impl Paid {
    fn add(&mut self, amount: i128) {
        self.into += amount.max(0);
        self.out_of += amount.min(0);
    }

    /// A payment had no effect after all.
    fn take_back(&mut self, amount: i128) {
        self.into -= amount.max(0);
        self.out_of -= amount.min(0);
    }
}

#[derive(Clone, Copy, Debug)]
enum Open {
    Payment(i128),
    /// What was certain when it began.
    Read(Paid),
    Other,
}

/// A read that has ended.
#[derive(Clone, Debug)]
struct Read {
    index: u32,
    total: i128,
    certain: Paid,
    possible: Paid,
    /// The payments that were open when it ended, and still are.
    payments: Vec<u32>,
}

impl<A: Clone + Debug> Conservation<A> {
    /// What the bank's accounts begin with has to stay; where it names none, what reads see.
    pub fn new(bank: &Bank<A>) -> Conservation<A> {
        Conservation {
            accounts: PhantomData,
            overdraft: bank.overdraft,
            first: First::of(bank),
            certain: Paid::default(),
            possible: Paid::default(),
            open: BTreeMap::new(),
            reads: Vec::new(),
        }
    }

    fn read(&mut self, read: Read, balances: &[(A, i64)]) -> Result<(), Contradiction> {
        if let Some((account, balance)) = balances.iter().find(|(_, balance)| *balance < 0)
            && self.overdraft == Overdraft::Refused
        {
            let because = format!("account {account:?} holds {balance}");
            let (rule, operations) = (Rule::NoOverdraft, vec![read.index]);
            return Err(Contradiction { rule, operations, because });
        }
        self.look(&read)?;
        if !read.payments.is_empty() {
            self.reads.push(read);
        }
        Ok(())
    }

    /// Whether a read's total can have come about.
    fn look(&mut self, read: &Read) -> Result<(), Contradiction> {
        let Read { index, total, certain, possible, .. } = read;
        let least = certain.into + possible.out_of;
        let most = possible.into + certain.out_of;
        self.first.narrow(total - most, total - least, *index).map_err(|witness| {
            let than = if witness.is_some() { "what was read before" } else { "what there is" };
            let because = format!("balances add up to {total}, and not to {than}");
            let mut operations: Vec<u32> = witness.into_iter().chain([*index]).collect();
            operations.dedup();
            Contradiction { rule: Rule::Conservation, operations, because }
        })
    }

    /// A payment has ended.
    fn paid(
        &mut self,
        index: u32,
        amount: i128,
        outcome: &Outcome<BankReply<A>>,
    ) -> Result<(), Contradiction> {
        let none = match outcome {
            Outcome::Ok(BankReply::Insufficient) | Outcome::Fail => true,
            Outcome::Ok(_) => {
                self.certain.add(amount);
                false
            }
            Outcome::Unknown => false,
        };
        if none {
            self.possible.take_back(amount);
        }
        let mut reads = std::mem::take(&mut self.reads);
        let mut looked = Ok(());
        for read in &mut reads {
            if let Some(at) = read.payments.iter().position(|it| *it == index) {
                read.payments.swap_remove(at);
                if none {
                    read.possible.take_back(amount);
                    looked = looked.and_then(|()| self.look(read));
                }
            }
        }
        reads.retain(|read| !read.payments.is_empty());
        self.reads = reads;
        looked
    }
}

impl<A: Clone + Debug> Online for Conservation<A> {
    type Call = BankCall<A>;
    type Reply = BankReply<A>;

    fn feed(&mut self, event: Event<'_, BankCall<A>, BankReply<A>>) -> Result<(), Contradiction> {
        let (index, outcome) = match event {
            Event::Invoked(index, call) => {
                let open = match call {
                    BankCall::Deposit(_, amount) => Open::Payment(i128::from(*amount)),
                    BankCall::Withdraw(_, amount) => Open::Payment(-i128::from(*amount)),
                    BankCall::Read => Open::Read(self.certain),
                    BankCall::Balance(_) | BankCall::Transfer(..) => Open::Other,
                };
                if let Open::Payment(amount) = open {
                    self.possible.add(amount);
                }
                self.open.insert(index, open);
                return Ok(());
            }
            Event::Ended(index, outcome) => (index, outcome),
        };
        match (self.open.remove(&index), outcome) {
            (Some(Open::Payment(amount)), outcome) => self.paid(index, amount, outcome),
            (Some(Open::Read(certain)), Outcome::Ok(BankReply::Balances(balances))) => {
                let total = balances.iter().map(|(_, balance)| i128::from(*balance)).sum();
                let open = self.open.iter();
                let payments = open.filter(|(_, it)| matches!(it, Open::Payment(_)));
                let payments = payments.map(|(index, _)| *index).collect();
                let possible = self.possible;
                self.read(Read { index, total, certain, possible, payments }, balances)
            }
            _ => Ok(()),
        }
    }
}
