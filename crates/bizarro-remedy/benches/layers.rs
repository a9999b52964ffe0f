//! What each layer adds to a call: around a service that is ready at once, and around a call over the loopback device.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bizarro_remedy::deadline::{KeepLayer, SendLayer, Wire};
use bizarro_remedy::idempotency::{FilterLayer, HEADER, Key, KeyLayer, Keys, Memory};
use bizarro_remedy::outcome::{Kind, status};
use bizarro_remedy::retry::{Backoff, Policy, Retry, Safe};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::{Builder, Runtime};
use tower::retry::RetryLayer;
use tower::retry::budget::TpsBudget;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

type Body = Full<Bytes>;

const SECOND: Duration = Duration::from_secs(1);
const BACKOFF: Backoff = Backoff { first: SECOND, longest: SECOND };

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// A service that answers at once.
fn ready() -> impl Service<
    Request<Body>,
    Response = Response<Body>,
    Error = Infallible,
    Future = std::future::Ready<Result<Response<Body>, Infallible>>,
> + Clone
+ Send
+ 'static {
    service_fn(|_: Request<Body>| std::future::ready(Ok(Response::new(Body::default()))))
}

fn request() -> Request<Body> {
    Request::post("/").body(Body::from("please")).expect("it is well formed")
}

fn judge<B, E>(result: &Result<Response<B>, E>) -> Kind {
    result.as_ref().map_or(Kind::Unknown, |response| status::kind(response.status()))
}

fn policy<R, E>() -> Policy<impl Fn(&Result<Response<R>, E>) -> Kind + Clone> {
    Policy::new(judge::<R, E>, BACKOFF, SECOND, TpsBudget::default())
}

/// Calls a service again and again, from a task of the runtime, as a server does: what it spawns is its own thread's.
fn calls<S, F>(c: &mut Criterion, name: &str, service: S, request: F)
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Error: std::fmt::Debug,
    S::Future: Send,
    F: Fn() -> Request<Body> + Clone + Send + 'static,
{
    let runtime = runtime();
    c.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let (service, request) = (service.clone(), request.clone());
            let timed = runtime.spawn(async move {
                let begun = Instant::now();
                for _ in 0..times {
                    let answered = service.clone().oneshot(request()).await;
                    black_box(answered.expect("it never fails"));
                }
                begun.elapsed()
            });
            runtime.block_on(timed).expect("it ends")
        });
    });
}

fn ready_at_once(c: &mut Criterion) {
    calls(c, "ready/none", ready(), request);
    calls(c, "ready/key", ServiceBuilder::new().layer(KeyLayer).service(ready()), request);
    let send = SendLayer::new(Wire::Grpc, SECOND);
    calls(c, "ready/send a deadline", ServiceBuilder::new().layer(send).service(ready()), request);
    let keep = KeepLayer::new(Wire::Grpc, SECOND);
    calls(c, "ready/keep a deadline", ServiceBuilder::new().layer(keep).service(ready()), request);
    let retry = RetryLayer::new(policy());
    calls(c, "ready/retry", ServiceBuilder::new().layer(retry).service(ready()), request);
    let filter = FilterLayer::new(Memory::new(1 << 24), Keys::Needed, SECOND, 1 << 10);
    let filtered = ServiceBuilder::new().layer(filter).service(ready());
    let number = Arc::new(AtomicU64::new(0));
    calls(c, "ready/filter by key", filtered, move || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let key: Key = number.to_string().parse().expect("digits");
        let mut request = request();
        request.headers_mut().insert(HEADER, key.to_header());
        request
    });
}

fn function(c: &mut Criterion) {
    use bizarro_remedy::outcome::Outcome;
    use bizarro_remedy::retry::Patience;
    let patience = Patience { first: SECOND, longest: SECOND };
    let retry = Retry { backoff: BACKOFF, safe: Safe::Always, patience, deadline: SECOND };
    c.bench_function("ready/retry as a function", |bencher| {
        bencher.to_async(runtime()).iter(|| retry.call(async |_| Outcome::Success(1)));
    });
}

/// A call over the loopback device, without and with all of a client's layers.
fn loopback(c: &mut Criterion) {
    let runtime = runtime();
    let url = runtime.block_on(async {
        let app = axum::Router::new().route("/", axum::routing::post(async || "done"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}/")
    });
    let request = || Request::post(&url).body(Body::from("please")).expect("it is well formed");
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let all = ServiceBuilder::new()
        .layer(KeyLayer)
        .layer(SendLayer::new(Wire::Http, SECOND))
        .layer(RetryLayer::new(policy()))
        .service(client.clone());
    c.bench_function("loopback/none", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let reply = client.request(request()).await.expect("it answers");
            reply.into_body().collect().await.expect("it is whole")
        });
    });
    c.bench_function("loopback/all of a client's layers", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let reply = all.clone().oneshot(request()).await.expect("it answers");
            reply.into_body().collect().await.expect("it is whole")
        });
    });
}

criterion_group!(benches, ready_at_once, function, loopback);
criterion_main!(benches);
