//! `distributedIsEven`, as in "Challenges with distributed systems" (Jacob Gabrielson, Amazon Builders' Library): `number % 2`,
//! calculated by a service on another machine.

pub mod client;
pub mod server;

/// What the client asks about.
pub const NUMBERS: [u64; 4] = [0, 1, 7, 10];
