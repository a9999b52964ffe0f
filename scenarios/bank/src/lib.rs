//! A teller and a bank on another machine, as in "Challenges with distributed systems" (Jacob Gabrielson, Amazon Builders'
//! Library): `withdraw` answers SUCCESS, INSUFFICIENT_FUNDS, or nothing is known.

pub mod config;
pub mod server;
pub mod teller;

/// What the two say to each other: made of `proto/bank.proto`.
#[allow(missing_docs, unused_qualifications, unreachable_pub, clippy::all)]
pub mod proto {
    tonic::include_proto!("bank");
}

/// The account from which money is withdrawn.
pub const ACCOUNT: &str = "vault";
/// What is on it in the beginning, in cents.
pub const OPENING: u64 = 100;
/// Who comes to the teller, and wants how much. There is not enough for the last one.
pub const CUSTOMERS: [(&str, u64); 2] = [("ann", 30), ("bob", 80)];
