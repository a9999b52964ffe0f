//! Remedies: production code for the known cures of what goes wrong in a distributed system.
//!
//! Nothing here knows Bizarro or needs it: these are ordinary libraries for programs on real networks. Bizarro's
//! scenarios prove each of them inside the system model that it needs.

pub mod detector;
