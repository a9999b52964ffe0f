//! Byzantine agreement: a commander gives an order, and all loyal generals obey the same one, whatever traitors say.
//!
//! The two algorithms of Lamport, Shostak and Pease, *The Byzantine Generals Problem* (ACM TOPLAS 4(3), 1982):
//!
//! | | [`Oral`], OM(m) | [`Signed`], SM(m) |
//! |---|---|---|
//! | generals for `m` traitors | at least 3m + 1 | at least m + 2 |
//! | rounds | m + 1 | m + 1 |
//! | messages | about n^(m+1) | at most 2 n² orders |
//! | needs beside | | a key pair for each general |
//!
//! Both keep the interactive consistency conditions: **IC1** all loyal lieutenants obey the same order; **IC2** if the
//! commander is loyal, every loyal lieutenant obeys what he ordered. Both assume that (A1) every message that is sent
//! arrives unchanged, (A2) its receiver knows who sent it, (A3) that one is missing is seen: rounds have an end that all
//! know, which is a synchronous network. A lost message counts as a lie of its sender.
//!
//! These are state machines without I/O. Whoever runs one sends [`Oral::outbox`] at the beginning of each round, gives it
//! what arrives ([`Oral::accept`]), and says when a round is over ([`Oral::end_round`]).
//!
//! Why own code: crates with Byzantine agreement (`hotstuff_rs`, `malachite`) are replicated logs with networks, stores
//! and leaders of their own; none has this agreement on one value, without I/O, for synchronous rounds.

mod oral;
mod signed;
#[cfg(test)]
mod tests;

use std::fmt;

pub use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
pub use oral::{Oral, Relay};
pub use signed::{Signed, SignedOrder};

/// A general: his place in the list that all generals have, from 0.
pub type General = u8;

/// What all generals know of an agreement before it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    generals: u8,
    traitors: u8,
    commander: General,
}

impl Setting {
    /// `generals` of them, of whom up to `traitors` may be traitors, and `commander` gives the order.
    ///
    /// No bound of the paper is enforced: it is the caller who knows whether 3m + 1 or m + 2 are needed.
    ///
    /// # Errors
    /// The commander is none of the generals, or there are not at least two generals more than traitors, without which
    /// there is nobody to agree with.
    pub fn new(generals: u8, traitors: u8, commander: General) -> Result<Setting, Senseless> {
        match commander < generals && traitors.checked_add(2).is_some_and(|least| generals >= least)
        {
            true => Ok(Setting { generals, traitors, commander }),
            false => Err(Senseless { generals, traitors, commander }),
        }
    }

    /// How many generals there are.
    pub fn generals(self) -> u8 {
        self.generals
    }

    /// Who gives the order.
    pub fn commander(self) -> General {
        self.commander
    }

    /// How many rounds it takes: one more than there may be traitors.
    pub fn rounds(self) -> u8 {
        self.traitors + 1
    }

    fn everybody(self) -> impl Iterator<Item = General> {
        0..self.generals
    }
}

/// A [`Setting`] that makes no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Senseless {
    generals: u8,
    traitors: u8,
    commander: General,
}

impl fmt::Display for Senseless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Senseless { generals, traitors, commander } = self;
        write!(
            f,
            "{generals} generals, {traitors} traitors among them, and commander {commander}: the commander has to be \
             one of the generals, and there have to be two more generals than traitors"
        )
    }
}

impl std::error::Error for Senseless {}

/// Why a message was not accepted. Nothing changed; its sender is a traitor, or the message was damaged or late.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Its round is over, or there is none of this number.
    OutOfRound,
    /// It names a general who does not exist, one twice, the receiver, or not its sender as the last.
    WrongPath,
    /// The same was said before.
    Again,
    /// A signature is not of the one whose it should be.
    Forged,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::OutOfRound => "it belongs to no round that is still open",
            Refused::WrongPath => "it did not come by the way that it says",
            Refused::Again => "the same was said before",
            Refused::Forged => "a signature does not hold",
        })
    }
}

impl std::error::Error for Refused {}

/// Whether a message can have come to `me` from `from` by this path.
fn check_path(
    setting: Setting,
    round: u8,
    me: General,
    from: General,
    path: &[General],
) -> Result<(), Refused> {
    let length = u8::try_from(path.len()).unwrap_or(u8::MAX);
    if length < round || length > setting.rounds() {
        return Err(Refused::OutOfRound);
    }
    let is_known = path.iter().all(|general| *general < setting.generals);
    let is_once = (1..path.len()).all(|at| !path[..at].contains(&path[at]));
    let has_ends = path.first() == Some(&setting.commander) && path.last() == Some(&from);
    match is_known && is_once && has_ends && !path.contains(&me) {
        true => Ok(()),
        false => Err(Refused::WrongPath),
    }
}
