//! What generals make of what they should say.
//!
//! A traitor knows the protocol: he says nothing that would be refused. Traitors have agreed beforehand whom they want to
//! believe what (odd numbers should retreat, even ones attack), and have each other's keys.

use bizarro_remedy::agreement::{General, Relay, SignedOrder, SigningKey};

use crate::camp::Order;

/// How a traitor lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
    /// As all traitors have agreed: this to the ones, that to the others.
    Agreed,
    /// Each word by lot: the truth, the contrary, or nothing.
    ByLot,
}

/// What a traitor has.
#[derive(Clone, Debug)]
pub struct Treason {
    /// How he lies.
    pub lie: Lie,
    /// The keys of all traitors, his own among them.
    pub keys: Vec<(General, SigningKey)>,
    /// The agreement's number, which is in every signature.
    pub number: u64,
}

/// A message that a traitor can change.
pub trait Twist: Sized {
    /// The order in it.
    fn order(&self) -> Order;
    /// The same with another order, if the traitors can say that.
    fn twisted(&self, treason: &Treason) -> Option<Self>;
}

impl Twist for Relay<Order> {
    fn order(&self) -> Order {
        self.order
    }
    fn twisted(&self, _: &Treason) -> Option<Self> {
        Some(Relay { path: self.path.clone(), order: self.order.other() })
    }
}

impl Twist for SignedOrder<Order> {
    fn order(&self) -> Order {
        self.order
    }
    /// Where nobody loyal has signed, they can sign something else.
    fn twisted(&self, treason: &Treason) -> Option<Self> {
        let other = SignedOrder::unsigned(self.order.other());
        self.signatures.iter().try_fold(other, |order, (signer, _)| {
            let (_, key) = treason.keys.iter().find(|(traitor, _)| traitor == signer)?;
            Some(order.sign(treason.number, *signer, key))
        })
    }
}

impl Treason {
    /// What a traitor says in place of the message.
    pub fn told<M: Twist>(&self, to: General, message: M) -> Option<M> {
        let contrary = match self.lie {
            Lie::Agreed => {
                let wanted = if to % 2 == 1 { Order::Retreat } else { Order::Attack };
                message.order() != wanted
            }
            Lie::ByLot => match fastrand::u8(0..3) {
                0 => false,
                1 => true,
                _ => return None,
            },
        };
        if contrary { message.twisted(self) } else { Some(message) }
    }
}
