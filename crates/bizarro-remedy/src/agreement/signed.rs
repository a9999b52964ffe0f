//! Signed messages: SM(m). Nobody can say that another one said what he did not, so a commander who gives two orders is
//! found out as soon as both are passed on.

use std::collections::BTreeSet;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::{General, Refused, Setting, check_path};

/// What precedes all that is signed here, so that no signature is one of another protocol.
const DOMAIN: &[u8] = b"bizarro-remedy SM(m) v1";

/// An order with the signatures of all by whom it went, the commander's first. Each of them covers the agreement's number,
/// the order, and who signed before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedOrder<V> {
    /// The order.
    pub order: V,
    /// Who signed, and his signature.
    pub signatures: Vec<(General, Signature)>,
}

impl<V: AsRef<[u8]>> SignedOrder<V> {
    /// An order in the agreement of this number that nobody has signed.
    pub fn unsigned(order: V) -> SignedOrder<V> {
        SignedOrder { order, signatures: Vec::new() }
    }

    /// The same, signed by one more general.
    #[must_use]
    pub fn sign(mut self, number: u64, general: General, key: &SigningKey) -> SignedOrder<V> {
        let path: Vec<General> = self.path().chain([general]).collect();
        let signature = key.sign(&signed_bytes(number, self.order.as_ref(), &path));
        self.signatures.push((general, signature));
        self
    }

    fn path(&self) -> impl Iterator<Item = General> {
        self.signatures.iter().map(|(general, _)| *general)
    }

    /// Whether each signature is of the one who is named beside it. All names have to be of generals.
    fn holds(&self, number: u64, keys: &[VerifyingKey]) -> bool {
        let path: Vec<General> = self.path().collect();
        self.signatures.iter().enumerate().all(|(at, (general, signature))| {
            let bytes = signed_bytes(number, self.order.as_ref(), &path[..=at]);
            keys[usize::from(*general)].verify_strict(&bytes, signature).is_ok()
        })
    }
}

/// What a signature covers. Every part has a length that is known or written, so no two texts share their bytes.
fn signed_bytes(number: u64, order: &[u8], path: &[General]) -> Vec<u8> {
    let length = order.len() as u64;
    [DOMAIN, &number.to_be_bytes(), &length.to_be_bytes(), order, path].concat()
}

/// One general of an agreement with signed messages.
#[derive(Clone, Debug)]
pub struct Signed<V> {
    setting: Setting,
    number: u64,
    me: General,
    key: SigningKey,
    keys: Vec<VerifyingKey>,
    default: V,
    /// Whether he is the commander, who has given his order in the first round.
    is_commander: bool,
    /// From 1.
    round: u8,
    /// The orders of the commander that were seen, two of them at most: with two he is a traitor.
    orders: BTreeSet<V>,
    /// What is passed on in the round after that of its length.
    to_pass_on: Vec<SignedOrder<V>>,
}

impl<V: Clone + Ord + AsRef<[u8]>> Signed<V> {
    /// The commander, who gives `order`. See [`Signed::lieutenant`] for the rest.
    ///
    /// # Panics
    /// There is not one key for each general.
    pub fn commander(
        setting: Setting,
        number: u64,
        order: V,
        key: SigningKey,
        keys: Vec<VerifyingKey>,
        default: V,
    ) -> Signed<V> {
        let mut machine =
            Signed::lieutenant(setting, number, setting.commander(), key, keys, default);
        machine.is_commander = true;
        machine.orders.insert(order);
        machine
    }

    /// Any other general. `number` is of this agreement and of no other under the same keys: else what was signed in one
    /// could be shown in the other. `keys` are those of all generals in their order, and `default` is what they obey if the
    /// commander is silent or gives two orders: the same for all of them.
    ///
    /// # Panics
    /// There is not one key for each general.
    pub fn lieutenant(
        setting: Setting,
        number: u64,
        me: General,
        key: SigningKey,
        keys: Vec<VerifyingKey>,
        default: V,
    ) -> Signed<V> {
        assert_eq!(keys.len(), usize::from(setting.generals()), "one key for each general");
        Signed {
            setting,
            number,
            me,
            key,
            keys,
            default,
            is_commander: false,
            round: 1,
            orders: BTreeSet::new(),
            to_pass_on: Vec::new(),
        }
    }

    /// The round that is open, from 1.
    pub fn round(&self) -> u8 {
        self.round
    }

    /// Whether the last round is over.
    pub fn is_over(&self) -> bool {
        self.round > self.setting.rounds()
    }

    /// What he has to say in this round, and to whom. A loyal general says all of it.
    pub fn outbox(&self) -> Vec<(General, SignedOrder<V>)> {
        if self.is_over() {
            return Vec::new();
        }
        if self.is_commander {
            let first = self.orders.first().filter(|_| self.round == 1);
            let given = first.map(|order| SignedOrder::unsigned(order.clone()));
            return given.into_iter().flat_map(|order| self.to_others(order)).collect();
        }
        let length = usize::from(self.round) - 1;
        let now = self.to_pass_on.iter().filter(|order| order.signatures.len() == length);
        now.flat_map(|order| self.to_others(order.clone())).collect()
    }

    /// Signed, to each who has not signed it.
    fn to_others(&self, order: SignedOrder<V>) -> Vec<(General, SignedOrder<V>)> {
        let order = order.sign(self.number, self.me, &self.key);
        let path: Vec<General> = order.path().collect();
        let others = self.setting.everybody().filter(|general| !path.contains(general));
        others.map(|to| (to, order.clone())).collect()
    }

    /// Takes a message that arrived from `from`, in its round or before it: rounds need not begin at the very same time.
    ///
    /// # Errors
    /// It says what it cannot say, or nothing new; it was not taken.
    pub fn accept(&mut self, from: General, message: SignedOrder<V>) -> Result<(), Refused> {
        let path: Vec<General> = message.path().collect();
        check_path(self.setting, self.round, self.me, from, &path)?;
        if self.is_commander || self.orders.len() == 2 || self.orders.contains(&message.order) {
            return Err(Refused::Again);
        }
        if !message.holds(self.number, &self.keys) {
            return Err(Refused::Forged);
        }
        self.orders.insert(message.order.clone());
        self.to_pass_on.push(message);
        Ok(())
    }

    /// The round is over: what belongs to it and was not heard by now was never said.
    pub fn end_round(&mut self) {
        self.round = self.round.saturating_add(1);
    }

    /// The order that he obeys. It is final once the last round is over.
    pub fn decide(&self) -> V {
        match self.orders.first() {
            Some(order) if self.orders.len() == 1 => order.clone(),
            _ => self.default.clone(),
        }
    }
}
