//! The Byzantine generals (Lamport, Shostak, Pease 1982; Kleppmann, *Distributed Systems*, 2.2), over UDP.
//!
//! A general is a program ([`general::run`]) that takes part in one agreement and prints the order that it obeys. Which
//! algorithm it follows, how many traitors it reckons with and who the others are is in its [`camp::Camp`]. A traitor is
//! the same program with another conduct ([`conduct`]).

pub mod camp;
pub mod conduct;
pub mod general;
pub mod letter;
