//! Cascading failure, as *Designing Data-Intensive Applications* (chapter 8) tells it: under load, nodes are slow; a short
//! time-out declares one of them dead; its load moves to the others, which become slow too, until all of them are dead.
//!
//! Ordinary programs: a node makes reports, one at a time ([`node::hasty`], [`node::steady`]); a front has customers who want
//! some ([`front::hasty`], [`front::steady`]). The hasty ones are the document's, the steady ones are right.

pub mod front;
pub mod http;
pub mod node;
