//! Accounts between which money moves.

use std::hash::Hash;

use crate::history::{Outcome, RawCall, Value};

use super::Model;
use super::raw::{self, FromRaw, Misfit};

/// Accounts.
#[derive(Clone, Debug, Default)]
pub struct Bank<A> {
    /// The accounts and their first balances, in the order of accounts.
    pub accounts: Vec<(A, i64)>,
    /// Whether a balance may go below zero.
    pub overdraft: Overdraft,
}

/// Whether a balance may go below zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Overdraft {
    /// What would need it is refused.
    #[default]
    Refused,
    /// It may.
    Allowed,
}

impl<A: Ord> Bank<A> {
    /// Accounts with their first balances, without overdraft.
    pub fn new(accounts: impl IntoIterator<Item = (A, i64)>) -> Bank<A> {
        let mut accounts: Vec<(A, i64)> = accounts.into_iter().collect();
        accounts.sort();
        Bank { accounts, overdraft: Overdraft::Refused }
    }
}

/// What can be asked of a [`Bank`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum BankCall<A> {
    /// All balances.
    Read,
    /// The balance of one account.
    Balance(A),
    /// Put this much into an account.
    Deposit(A, i64),
    /// Take this much out of an account.
    Withdraw(A, i64),
    /// Move this much from the first account to the second.
    Transfer(A, A, i64),
}

/// What a [`Bank`] can answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum BankReply<A> {
    /// All balances, in the order of accounts.
    Balances(Vec<(A, i64)>),
    /// One balance.
    Balance(i64),
    /// It was done.
    Done,
    /// There was not enough, and nothing was done.
    Insufficient,
}

impl<A: Clone + Ord + Hash> Model for Bank<A> {
    type State = Vec<(A, i64)>;
    type Call = BankCall<A>;
    type Reply = BankReply<A>;
    type Part = ();

    fn initial(&self) -> Self::State {
        self.accounts.clone()
    }

    fn step(
        &self,
        state: &Self::State,
        call: &BankCall<A>,
        reply: Option<&BankReply<A>>,
        next: &mut Vec<Self::State>,
    ) {
        let mut after = state.clone();
        let answer = match call {
            BankCall::Read => Some(BankReply::Balances(state.clone())),
            BankCall::Balance(account) => balance(state, account).map(BankReply::Balance),
            BankCall::Deposit(account, amount) => {
                self.move_money(&mut after, &[(account, *amount)])
            }
            BankCall::Withdraw(account, amount) => {
                self.move_money(&mut after, &[(account, amount.saturating_neg())])
            }
            BankCall::Transfer(from, to, amount) => {
                self.move_money(&mut after, &[(from, amount.saturating_neg()), (to, *amount)])
            }
        };
        // An account that does not exist answers nothing.
        let Some(answer) = answer else { return };
        if reply.is_none_or(|reply| *reply == answer) {
            next.push(after);
        }
    }

    fn part(&self, _: &BankCall<A>) {}

    fn observes(&self, call: &BankCall<A>, reply: Option<&BankReply<A>>) -> bool {
        matches!(call, BankCall::Read | BankCall::Balance(_))
            || reply == Some(&BankReply::Insufficient)
    }

    fn weight(&self, state: &Self::State) -> usize {
        size_of_val(state) + state.len() * size_of::<(A, i64)>()
    }
}

impl<A: Ord> Bank<A> {
    /// All of it or, where there is not enough, nothing.
    fn move_money(&self, state: &mut [(A, i64)], moves: &[(&A, i64)]) -> Option<BankReply<A>> {
        for (account, amount) in moves {
            let at = state.binary_search_by(|(other, _)| other.cmp(account)).ok()?;
            let short = *amount < 0 && state[at].1.checked_add(*amount).is_none_or(|left| left < 0);
            if short && self.overdraft == Overdraft::Refused {
                return Some(BankReply::Insufficient);
            }
        }
        for (account, amount) in moves {
            let at = state.binary_search_by(|(other, _)| other.cmp(account)).ok()?;
            state[at].1 = state[at].1.saturating_add(*amount);
        }
        Some(BankReply::Done)
    }
}

fn balance<A: Ord>(state: &[(A, i64)], account: &A) -> Option<i64> {
    let at = state.binary_search_by(|(other, _)| other.cmp(account)).ok()?;
    Some(state[at].1)
}

/// `read` with a map of balances, `balance` with an account; `deposit` and `withdraw` with
/// `{:account, :amount}`, `transfer` with `{:from, :to, :amount}`. What is ok was done, unless it answered
/// `false`.
impl FromRaw for Bank<Value> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit> {
        let field = |name: &str| {
            let found = call.value.get(name).cloned();
            found.ok_or_else(|| Misfit::new(format!("a map with `{name}`"), &call.value))
        };
        let amount = || raw::int(&field("amount")?);
        let done = raw::reply(outcome, |value| match value {
            Value::Bool(false) => Ok(BankReply::Insufficient),
            _ => Ok(BankReply::Done),
        })?;
        match &*call.function {
            "read" => Ok((BankCall::Read, raw::reply(outcome, balances)?)),
            "balance" => {
                let seen = |value: &Value| raw::int(value).map(BankReply::Balance);
                Ok((BankCall::Balance(call.value.clone()), raw::reply(outcome, seen)?))
            }
            "deposit" => Ok((BankCall::Deposit(field("account")?, amount()?), done)),
            "withdraw" => Ok((BankCall::Withdraw(field("account")?, amount()?), done)),
            "transfer" => Ok((BankCall::Transfer(field("from")?, field("to")?, amount()?), done)),
            _ => Err(Misfit::function("read, balance, deposit, withdraw, transfer", call)),
        }
    }
}

fn balances(value: &Value) -> Result<BankReply<Value>, Misfit> {
    let pairs = value.pairs().ok_or_else(|| Misfit::new("a map of balances", value))?;
    let one = |(account, balance): &(Value, Value)| Ok((account.clone(), raw::int(balance)?));
    Ok(BankReply::Balances(pairs.iter().map(one).collect::<Result<_, Misfit>>()?))
}
