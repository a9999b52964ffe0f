//! Sending again as a layer of tower: the rules of [`Retry`](super::Retry) for [`tower::retry`], with its budget.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use tokio::time::{Instant, Sleep, sleep};
use tower::retry::budget::{Budget, TpsBudget};

use super::{Backoff, Safe};
use crate::idempotency::HEADER;
use crate::outcome::Kind;

/// A policy for [`tower::retry::RetryLayer`].
///
/// A request is sent again if its outcome allows it ([`safe`]), if its time is not over, and if the budget has something
/// left: all requests of a client pay into it, and what is sent again takes out, so that a service that fails is not asked
/// much more often than one that works. The budget is shared by all clones.
#[derive(Clone, Debug)]
pub struct Policy<J> {
    judge: J,
    backoff: Backoff,
    deadline: Duration,
    budget: Arc<TpsBudget>,
    /// Of the request that this clone is for: tower makes one for each.
    attempt: u32,
    begun: Option<Instant>,
}

impl<J> Policy<J> {
    /// `judge` says of a result what is known, as the functions `kind` of [`crate::outcome`] do. No attempt begins later
    /// than `deadline` after the first one ended.
    pub fn new(judge: J, backoff: Backoff, deadline: Duration, budget: TpsBudget) -> Policy<J> {
        let budget = Arc::new(budget);
        Policy { judge, backoff, deadline, budget, attempt: 0, begun: None }
    }
}

/// Whether twice is as good as once, by what HTTP says of the method (RFC 9110, section 9.2.2), or because the request has
/// an idempotency key.
pub fn safe<B>(request: &Request<B>) -> Safe {
    let idempotent =
        [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE];
    if idempotent.contains(request.method()) || request.headers().contains_key(HEADER) {
        Safe::Always
    } else {
        Safe::WhenUndone
    }
}

impl<J, B, R, E> tower::retry::Policy<Request<B>, R, E> for Policy<J>
where
    J: Fn(&Result<R, E>) -> Kind,
    B: Clone,
{
    type Future = Sleep;

    fn retry(&mut self, request: &mut Request<B>, result: &mut Result<R, E>) -> Option<Sleep> {
        let kind = (self.judge)(result);
        if matches!(kind, Kind::Success | Kind::Fatal) {
            self.budget.deposit();
            return None;
        }
        let is_safe = kind != Kind::Unknown || safe(request) == Safe::Always;
        self.attempt += 1;
        let pause = self.backoff.pause(self.attempt);
        let begun = *self.begun.get_or_insert_with(Instant::now);
        if is_safe && begun.elapsed() + pause < self.deadline && self.budget.withdraw() {
            Some(sleep(pause))
        } else {
            None
        }
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}
