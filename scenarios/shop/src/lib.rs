//! An online shop and a payment service, as in Martin Kleppmann's course *Distributed Systems*: pay by RPC, then ship.

pub mod config;
pub mod payment;
pub mod shop;

/// What the two say to each other: made of `proto/shop.proto`.
#[allow(missing_docs, unused_qualifications, unreachable_pub, clippy::all)]
pub mod proto {
    tonic::include_proto!("shop");
}

/// An order of a customer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ordered {
    /// Its number.
    pub number: u64,
    /// What it costs, in cents.
    pub cents: u64,
    /// Whether the goods turn out to be there.
    pub stock: Stock,
}

/// Whether goods are there. The shop looks when it packs them, which is after the payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stock {
    /// They can be shipped.
    There,
    /// They cannot.
    Gone,
}

/// What customers ordered.
pub const ORDERS: [Ordered; 2] = [
    Ordered { number: 1, cents: 30, stock: Stock::There },
    Ordered { number: 2, cents: 20, stock: Stock::Gone },
];

/// What a card is good for, in cents.
pub const CARD_MAX: u64 = 1000;
