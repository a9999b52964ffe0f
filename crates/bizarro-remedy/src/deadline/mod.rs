//! Deadlines that travel: what is asked of others on the way to an answer has to be there before the answer is.
//!
//! What travels is the time that is left, not a moment: the clocks of two hosts differ, and the time of a packet on its
//! way is small against a deadline. gRPC's own header is used (`grpc-timeout`, *gRPC over HTTP2*), and for other calls of
//! HTTP, which has none, the same text as `request-timeout`.
//!
//! A server keeps the deadline ([`KeepLayer`]): it drops what it does for a request when nobody waits for it any more.
//! While it does it, [`left`] says how long there is, and a client below ([`SendLayer`]) sends on what is left and does
//! not send at all when that is nothing. `tonic`'s own layer sends and keeps a time, but does not pass on what is left;
//! `tower`'s timeout does neither.

use std::time::Duration;

use tokio::time::Instant;
use tokio::time::error::Elapsed;

mod layers;
mod text;

pub use layers::{Expired, Keep, KeepLayer, Send, SendLayer, Wire};
pub use text::{read, write};

tokio::task_local! {
    static DEADLINE: Instant;
}

/// How long there is for what this task does; `None` where nobody said.
pub fn left() -> Option<Duration> {
    let deadline = DEADLINE.try_with(|deadline| *deadline).ok();
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

/// Does something within a time, or within what is left if that is less.
///
/// # Errors
/// The time is over.
pub async fn within<T>(time: Duration, what: impl Future<Output = T>) -> Result<T, Elapsed> {
    let time = left().map_or(time, |left| left.min(time));
    let end = Instant::now() + time;
    DEADLINE.scope(end, tokio::time::timeout_at(end, what)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_within_has_no_longer_than_what_is_left() {
        assert_eq!(left(), None);
        let inner = within(3 * SECOND, async {
            assert_eq!(left(), Some(3 * SECOND));
            tokio::time::sleep(SECOND).await;
            assert_eq!(left(), Some(2 * SECOND));
            within(SECOND, async { assert_eq!(left(), Some(SECOND)) }).await.unwrap();
            within(60 * SECOND, std::future::pending::<()>()).await.unwrap_err();
            assert_eq!(left(), Some(Duration::ZERO));
        });
        let _ = inner.await;
    }
}
