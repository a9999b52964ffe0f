//! Two generals (Gray 1978; Kleppmann, *Distributed Systems*, 2.1): each attacks only if the other one does, and
//! messengers between them get lost. Over UDP.
//!
//! [`finite`] is any protocol of a fixed number of messages, after which each has to be certain; there is none that works.
//! [`revocable`] is what works where a march can be called back.

pub mod finite;
pub mod post;
pub mod revocable;
