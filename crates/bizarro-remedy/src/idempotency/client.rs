//! The client's side: a key for every request.

use std::task::{Context, Poll};

use http::{HeaderName, Request};
use tower::{Layer, Service};

use super::{HEADER, Key};

/// Gives each request a key of its own, unless it has one. It belongs *outside* the layer that sends requests again, so
/// that all attempts have the same key.
///
/// It does not survive the process: a client that goes on with a call after its own restart writes its key down first, and
/// sets the header by hand ([`Key::to_header`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyLayer;

impl<S> Layer<S> for KeyLayer {
    type Service = Keyed<S>;

    fn layer(&self, inner: S) -> Keyed<S> {
        Keyed { inner }
    }
}

/// What [`KeyLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Keyed<S> {
    inner: S,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Keyed<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let name = HeaderName::from_static(HEADER);
        request.headers_mut().entry(name).or_insert_with(|| Key::random().to_header());
        self.inner.call(request)
    }
}
