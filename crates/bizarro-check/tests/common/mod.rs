//! What several tests use.

pub(crate) mod brute;
pub(crate) mod generate;
