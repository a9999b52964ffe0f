//! Who is alive, and how long to wait before one doubts it.

pub mod timeout;
