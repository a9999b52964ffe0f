//! Groups of machines (Gabrielson, *Challenges with distributed systems*, "Recursive distributed engineering"): GROUP1 sends
//! GROUP2 what it has to keep, through a balancer; the machine of GROUP2 that gets it sends it on to another one before it
//! answers, because it may be lost. [`machine::early`] answers before.

pub mod balancer;
pub mod client;
pub mod http;
pub mod machine;
mod store;
