//! Money between accounts.

use std::fmt::Debug;

use super::{Findings, Rule, done, may_have_happened};
use crate::history::History;
use crate::model::{Bank, BankCall, BankReply, Overdraft};

/// Every read's balances add up to what there is: what the bank's accounts begin with (or, where the bank
/// names none, what other reads saw), and what was paid in and out since. And no balance is below zero,
/// unless the bank allows that.
///
/// Payments that overlap with a read, or whose outcome is unknown, may be part of what it saw, or not.
pub fn conservation<A: Clone + Debug>(
    bank: &Bank<A>,
    history: &History<BankCall<A>, BankReply<A>>,
) -> Findings {
    let mut findings = Findings::default();
    let payments = Payments::of(history);
    let mut first = First::of(bank);
    for it in done(history) {
        let BankReply::Balances(balances) = it.reply else { continue };
        if let Some((account, balance)) = balances.iter().find(|(_, balance)| *balance < 0)
            && bank.overdraft == Overdraft::Refused
        {
            findings.add(Rule::NoOverdraft, &[it.index], || {
                format!("account {account:?} holds {balance}")
            });
        }
        let total = sum(balances);
        let (least, most) = payments.between(it.invoked, it.ended);
        if let Err(witness) = first.narrow(total - most, total - least, it.index) {
            let operations: Vec<u32> = witness.into_iter().chain([it.index]).collect();
            findings.add(Rule::Conservation, &operations, || match witness {
                None => format!("balances add up to {total}, and not to what there is"),
                Some(_) => format!("balances add up to {total}, and not to what was read before"),
            });
        }
    }
    findings
}

/// What there can have been first, and the reads that say so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct First {
    least: (i128, Option<u32>),
    most: (i128, Option<u32>),
}

impl First {
    pub(crate) fn of<A>(bank: &Bank<A>) -> First {
        let (least, most) = match bank.accounts.is_empty() {
            true => (i128::MIN, i128::MAX),
            false => (sum(&bank.accounts), sum(&bank.accounts)),
        };
        First { least: (least, None), most: (most, None) }
    }

    /// A read says that it was between these two; or it contradicts another read, or what is known.
    pub(crate) fn narrow(&mut self, least: i128, most: i128, read: u32) -> Result<(), Option<u32>> {
        if least > self.most.0 {
            return Err(self.most.1);
        }
        if most < self.least.0 {
            return Err(self.least.1);
        }
        if least > self.least.0 {
            self.least = (least, Some(read));
        }
        if most < self.most.0 {
            self.most = (most, Some(read));
        }
        Ok(())
    }
}

fn sum<A>(balances: &[(A, i64)]) -> i128 {
    balances.iter().map(|(_, balance)| i128::from(*balance)).sum()
}

/// What was paid in, in all, by event: sums up to and with each.
struct Payments {
    /// Of payments that were invoked: only in, and only out.
    into: Vec<(u32, i128)>,
    out_of: Vec<(u32, i128)>,
    /// Of payments that had certainly taken effect: all, only in, and only out.
    certain_into: Vec<(u32, i128)>,
    certain_out_of: Vec<(u32, i128)>,
}

impl Payments {
    fn of<A>(history: &History<BankCall<A>, BankReply<A>>) -> Payments {
        let (mut invoked, mut certain) = (Vec::new(), Vec::new());
        for it in history.operations().iter().filter(|it| may_have_happened(it)) {
            let amount = match &it.call {
                BankCall::Deposit(_, amount) => i128::from(*amount),
                BankCall::Withdraw(_, amount) => -i128::from(*amount),
                BankCall::Read | BankCall::Balance(_) | BankCall::Transfer(..) => continue,
            };
            if matches!(it.outcome.reply(), Some(BankReply::Insufficient)) {
                continue;
            }
            invoked.push((it.invoked.position, amount));
            if let (Some(_), Some(ended)) = (it.outcome.reply(), it.ended) {
                certain.push((ended.position, amount));
            }
        }
        certain.sort_unstable();
        Payments {
            into: sums(&invoked, |amount| amount.max(0)),
            out_of: sums(&invoked, |amount| amount.min(0)),
            certain_into: sums(&certain, |amount| amount.max(0)),
            certain_out_of: sums(&certain, |amount| amount.min(0)),
        }
    }

    /// The least and the most that can have been paid in at some time between two events.
    fn between(&self, from: u32, to: u32) -> (i128, i128) {
        let (into, out_of) = (before(&self.certain_into, from), before(&self.certain_out_of, from));
        (into + before(&self.out_of, to), before(&self.into, to) + out_of)
    }
}

fn sums(amounts: &[(u32, i128)], part: impl Fn(i128) -> i128) -> Vec<(u32, i128)> {
    let mut sum = 0;
    let each = amounts.iter().map(|(position, amount)| {
        sum += part(*amount);
        (*position, sum)
    });
    each.collect()
}

/// The sum of what came before an event.
fn before(sums: &[(u32, i128)], position: u32) -> i128 {
    let count = sums.partition_point(|(at, _)| *at < position);
    count.checked_sub(1).map_or(0, |last| sums[last].1)
}
