//! Layers of tower that send a deadline and keep one.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use tower::{Layer, Service};

use super::{left, read, within, write};

type Boxed = Box<dyn Error + std::marker::Send + Sync>;
type Answer<R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + std::marker::Send>>;

/// How a deadline is written, and what is answered when it is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wire {
    /// `grpc-timeout`, and `DEADLINE_EXCEEDED`.
    Grpc,
    /// `request-timeout`, and 504.
    Http,
}

impl Wire {
    fn header(self) -> HeaderName {
        match self {
            Wire::Grpc => HeaderName::from_static("grpc-timeout"),
            Wire::Http => HeaderName::from_static("request-timeout"),
        }
    }

    fn late<R: Default>(self) -> Response<R> {
        let mut response = Response::new(R::default());
        match self {
            Wire::Grpc => {
                let headers = response.headers_mut();
                headers.insert("content-type", HeaderValue::from_static("application/grpc"));
                headers.insert("grpc-status", HeaderValue::from_static("4"));
                headers.insert("grpc-message", HeaderValue::from_static("deadline exceeded"));
            }
            Wire::Http => *response.status_mut() = StatusCode::GATEWAY_TIMEOUT,
        }
        response
    }
}

/// A call that was not made, or not waited for, because its time was over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expired {
    /// Before it was sent.
    Unsent,
    /// Before there was a reply: nothing is known.
    Unanswered,
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Expired::Unsent => "the deadline was over before the request was sent",
            Expired::Unanswered => "the deadline was over before there was a reply",
        })
    }
}

impl Error for Expired {}

/// A client's layer: each request says how long there is for it.
#[derive(Clone, Copy, Debug)]
pub struct SendLayer {
    wire: Wire,
    longest: Duration,
}

impl SendLayer {
    /// Requests take no longer than this, and no longer than what is [`left`] of their task's own deadline.
    pub fn new(wire: Wire, longest: Duration) -> SendLayer {
        SendLayer { wire, longest }
    }
}

impl<S> Layer<S> for SendLayer {
    type Service = Send<S>;

    fn layer(&self, inner: S) -> Send<S> {
        Send { inner, layer: *self }
    }
}

/// What [`SendLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Send<S> {
    inner: S,
    layer: SendLayer,
}

impl<S, B> Service<Request<B>> for Send<S>
where
    S: Service<Request<B>>,
    S::Future: std::marker::Send + 'static,
    S::Error: Into<Boxed>,
{
    type Response = S::Response;
    type Error = Boxed;
    type Future = Answer<S::Response, Boxed>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Boxed>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let SendLayer { wire, longest } = self.layer;
        let time = left().map_or(longest, |left| left.min(longest));
        if time.is_zero() {
            return Box::pin(async { Err(Expired::Unsent.into()) });
        }
        let value = write(time).parse().expect("digits and a letter make a header");
        request.headers_mut().insert(wire.header(), value);
        let answer = self.inner.call(request);
        Box::pin(async move {
            match within(time, answer).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(Expired::Unanswered.into()),
            }
        })
    }
}

/// A server's layer: what a request asks for is done in the time that it says, or dropped.
#[derive(Clone, Copy, Debug)]
pub struct KeepLayer {
    wire: Wire,
    longest: Duration,
}

impl KeepLayer {
    /// Requests get no longer than this, whatever they say. One that says what is no time is taken as one that says
    /// nothing, as gRPC has it.
    pub fn new(wire: Wire, longest: Duration) -> KeepLayer {
        KeepLayer { wire, longest }
    }
}

impl<S> Layer<S> for KeepLayer {
    type Service = Keep<S>;

    fn layer(&self, inner: S) -> Keep<S> {
        Keep { inner, layer: *self }
    }
}

/// What [`KeepLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Keep<S> {
    inner: S,
    layer: KeepLayer,
}

impl<S, B, R> Service<Request<B>> for Keep<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: std::marker::Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Answer<Response<R>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let KeepLayer { wire, longest } = self.layer;
        let said = request.headers().get(wire.header()).and_then(|value| value.to_str().ok());
        let time = said.and_then(read).map_or(longest, |said| said.min(longest));
        let answer = self.inner.call(request);
        Box::pin(async move { within(time, answer).await.unwrap_or_else(|_| Ok(wire.late())) })
    }
}
