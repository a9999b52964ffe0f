//! The server's side: a filter in front of a service of HTTP, such as a router of axum.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tower::{Layer, Service};

use super::{Begun, Fingerprint, HEADER, Key, Reply, Store, StoreError};
use crate::outcome::{Outcome, status::of_status};

/// Whether requests need a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    /// One without a key is refused, unless its method is safe (RFC 9110, section 9.2.1).
    Needed,
    /// One without a key is done whenever it comes.
    Welcome,
}

/// A filter that does each request at most once under its key. See the [table](super).
///
/// The service goes on with a request that it has begun even if the client hangs up.
#[derive(Debug)]
pub struct FilterLayer<K> {
    shared: Arc<Shared<K>>,
}

#[derive(Debug)]
struct Shared<K> {
    store: K,
    keys: Keys,
    time_to_live: Duration,
    body_max: usize,
}

impl<K: Store> FilterLayer<K> {
    /// A filter that keeps replies for so long in this store, and reads bodies of at most `body_max` bytes.
    pub fn new(store: K, keys: Keys, time_to_live: Duration, body_max: usize) -> FilterLayer<K> {
        FilterLayer { shared: Arc::new(Shared { store, keys, time_to_live, body_max }) }
    }
}

impl<K> Clone for FilterLayer<K> {
    fn clone(&self) -> FilterLayer<K> {
        FilterLayer { shared: Arc::clone(&self.shared) }
    }
}

impl<S, K> Layer<S> for FilterLayer<K> {
    type Service = Filtered<S, K>;

    fn layer(&self, inner: S) -> Filtered<S, K> {
        Filtered { inner, shared: Arc::clone(&self.shared) }
    }
}

/// What [`FilterLayer`] makes.
#[derive(Debug)]
pub struct Filtered<S, K> {
    inner: S,
    shared: Arc<Shared<K>>,
}

impl<S: Clone, K> Clone for Filtered<S, K> {
    fn clone(&self) -> Filtered<S, K> {
        Filtered { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

impl<S, K, B, R> Service<Request<B>> for Filtered<S, K>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    K: Store,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Boxed>,
    R: http_body::Body + Send + 'static,
    R::Data: Send,
    R::Error: Into<Boxed>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        // The one that is ready is used up; the copy waits for its own turn.
        let other = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, other);
        Box::pin(async move { Ok(answer(shared, inner, request).await) })
    }
}

async fn answer<S, K, B, R>(
    shared: Arc<Shared<K>>,
    inner: S,
    request: Request<B>,
) -> Response<Full<Bytes>>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible> + Send + 'static,
    S::Future: Send,
    K: Store,
    B: http_body::Body + Send + 'static,
    B::Error: Into<Boxed>,
    R: http_body::Body + Send + 'static,
    R::Data: Send,
    R::Error: Into<Boxed>,
{
    let key = match key(&request, shared.keys) {
        Ok(key) => key,
        Err(why) => return problem(StatusCode::BAD_REQUEST, why),
    };
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, shared.body_max).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long");
        }
        Err(_) => return problem(StatusCode::BAD_REQUEST, "the body did not arrive"),
    };
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let print = Fingerprint::of(&[head.method.as_str().as_bytes(), target.as_bytes(), &body]);
    let request = Request::from_parts(head, Full::new(body));
    // A task of its own: a client that hangs up must not leave it half done.
    let done = tokio::spawn(async move {
        match key {
            None => reply_of(inner, request).await,
            Some(key) => once(&shared, &key, print, inner, request).await,
        }
    });
    match done.await {
        Ok(reply) => response(reply),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the service failed"),
    }
}

fn key<B>(request: &Request<B>, keys: Keys) -> Result<Option<Key>, &'static str> {
    let mut values = request.headers().get_all(HEADER).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => match Key::from_header(value.as_bytes()) {
            Ok(key) => Ok(Some(key)),
            Err(_) => Err("this is no idempotency key"),
        },
        (Some(_), Some(_)) => Err("there are two idempotency keys"),
        (None, _) if keys == Keys::Needed && !request.method().is_safe() => {
            Err("an idempotency key is needed")
        }
        (None, _) => Ok(None),
    }
}

async fn once<S, K, R>(
    shared: &Shared<K>,
    key: &Key,
    print: Fingerprint,
    inner: S,
    request: Request<Full<Bytes>>,
) -> Reply
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible>,
    K: Store,
    R: http_body::Body,
    R::Error: Into<Boxed>,
{
    let now = SystemTime::now();
    match shared.store.begin(key, print, now, shared.time_to_live).await {
        Ok(Begun::New) => {
            let reply = reply_of(inner, request).await;
            // What fails here leaves the key taken, and the request undone a second time; the reply is true all the same.
            let _: Result<(), StoreError> = match StatusCode::from_u16(reply.status).map(of_status)
            {
                Ok(Outcome::Retryable(_)) => shared.store.abandon(key).await,
                _ => shared.store.finish(key, reply.clone()).await,
            };
            reply
        }
        Ok(Begun::Done(reply)) => reply,
        Ok(Begun::InProgress) => refusal(StatusCode::CONFLICT, "it is being done"),
        Ok(Begun::Orphaned) => {
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "nobody knows whether it was done")
        }
        Ok(Begun::OtherRequest) => {
            refusal(StatusCode::UNPROCESSABLE_ENTITY, "the key is another request's")
        }
        Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "keys cannot be kept now"),
    }
}

async fn reply_of<S, R>(mut inner: S, request: Request<Full<Bytes>>) -> Reply
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible>,
    R: http_body::Body,
    R::Error: Into<Boxed>,
{
    let Ok(response) = inner.call(request).await;
    let (head, body) = response.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.map(str::to_string);
    match body.collect().await {
        Ok(body) => {
            Reply { status: head.status.as_u16(), content_type, body: body.to_bytes().to_vec() }
        }
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the reply broke off"),
    }
}

/// A problem of RFC 9457.
fn refusal(status: StatusCode, why: &str) -> Reply {
    let content_type = Some("application/problem+json".to_string());
    let body = format!(r#"{{"title":"{why}","status":{}}}"#, status.as_u16()).into_bytes();
    Reply { status: status.as_u16(), content_type, body }
}

fn problem(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    response(refusal(status, why))
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(value) = reply.content_type.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}
