//! Deadlines and retries as layers, in front of services over real sockets.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ::hyper_util::client::legacy::Client;
use ::hyper_util::rt::TokioExecutor;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use bizarro_remedy::deadline::{Expired, KeepLayer, SendLayer, Wire, left, read, within};
use bizarro_remedy::idempotency::KeyLayer;
use bizarro_remedy::outcome::{Kind, hyper_util, status};
use bizarro_remedy::retry::{Backoff, Policy};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::retry::RetryLayer;
use tower::retry::budget::TpsBudget;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/")
}

fn ask(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

/// A service that asks another one, which says how long it was given.
#[tokio::test]
async fn a_deadline_travels_through_a_chain_of_services() {
    let told = get(async |headers: HeaderMap| {
        headers.get("request-timeout").map(|v| v.to_str().unwrap().to_string()).unwrap_or_default()
    });
    let below = serve(Router::new().route("/", told)).await;
    let between = get(move || async move {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let client = SendLayer::new(Wire::Http, 60 * SECOND).layer(client);
        let reply = client.oneshot(ask(&below)).await.unwrap();
        String::from_utf8(reply.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    });
    let app = Router::new().route("/", between).layer(KeepLayer::new(Wire::Http, 30 * SECOND));
    let url = serve(app).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    for (said, most) in [("5S", 5 * SECOND), ("1H", 30 * SECOND), ("nonsense", 30 * SECOND)] {
        let mut request = ask(&url);
        request.headers_mut().insert("request-timeout", said.parse().unwrap());
        let reply = client.request(request).await.unwrap();
        let told = reply.into_body().collect().await.unwrap().to_bytes();
        let told = read(std::str::from_utf8(&told).unwrap()).unwrap();
        assert!(told < most && told > most - 4 * SECOND, "{said}: {told:?}");
    }
}

#[tokio::test]
async fn a_server_drops_what_nobody_waits_for() {
    for (wire, header) in [(Wire::Http, "request-timeout"), (Wire::Grpc, "grpc-timeout")] {
        let app = Router::new().route("/", get(std::future::pending::<()>));
        let url = serve(app.layer(KeepLayer::new(wire, 60 * SECOND))).await;
        let mut request = ask(&url);
        request.headers_mut().insert(header, "10m".parse().unwrap());
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let reply = client.request(request).await.unwrap();
        match wire {
            Wire::Http => assert_eq!(reply.status(), StatusCode::GATEWAY_TIMEOUT),
            Wire::Grpc => assert_eq!(reply.headers()["grpc-status"], "4"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_does_not_send_what_cannot_be_answered_in_time() {
    let sent = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&sent);
    let silent = service_fn(move |_: Request<()>| {
        counts.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Result<(), Infallible>>()
    });
    let client = SendLayer::new(Wire::Grpc, SECOND).layer(silent);
    let unanswered = client.clone().oneshot(Request::new(())).await.unwrap_err();
    assert_eq!(unanswered.downcast_ref(), Some(&Expired::Unanswered));
    let late = within(SECOND, async {
        tokio::time::sleep(SECOND - Duration::from_nanos(1)).await;
        assert!(left().unwrap() <= Duration::from_millis(1));
        let _ = client.clone().oneshot(Request::new(())).await;
    });
    let _ = late.await;
    let unsent = within(Duration::ZERO, client.oneshot(Request::new(()))).await;
    assert_eq!(unsent.unwrap().unwrap_err().downcast_ref(), Some(&Expired::Unsent));
    assert!(sent.load(Ordering::SeqCst) <= 2);
}

/// How often a service that answers so is asked.
async fn asked(request: Request<()>, answers: &'static [u16], budget: TpsBudget) -> (u16, u32) {
    let asked = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&asked);
    let service = service_fn(move |_: Request<()>| {
        let number = counts.fetch_add(1, Ordering::SeqCst) as usize;
        let mut response = Response::new(());
        *response.status_mut() =
            StatusCode::from_u16(answers[number.min(answers.len() - 1)]).unwrap();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let judge = |result: &Result<Response<()>, Infallible>| match result {
        Ok(response) => status::kind(response.status()),
        Err(never) => match *never {},
    };
    let backoff = Backoff { first: Duration::from_millis(10), longest: SECOND };
    let policy = Policy::new(judge, backoff, 60 * SECOND, budget);
    let client = ServiceBuilder::new().layer(RetryLayer::new(policy)).service(service);
    let response = client.oneshot(request).await.unwrap();
    (response.status().as_u16(), asked.load(Ordering::SeqCst))
}

fn post() -> Request<()> {
    Request::post("/").body(()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn requests_are_sent_again_where_it_is_safe() {
    assert_eq!(asked(post(), &[503, 429, 200], TpsBudget::default()).await, (200, 3));
    assert_eq!(asked(post(), &[500, 200], TpsBudget::default()).await, (500, 1));
    assert_eq!(asked(post(), &[404, 200], TpsBudget::default()).await, (404, 1));
    let get = Request::get("/").body(()).unwrap();
    assert_eq!(asked(get, &[500, 502, 200], TpsBudget::default()).await, (200, 3));
    let mut keyed = post();
    keyed.headers_mut().insert("idempotency-key", "\"a\"".parse().unwrap());
    assert_eq!(asked(keyed, &[500, 504, 200], TpsBudget::default()).await, (200, 3));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_always_fails_is_not_asked_for_ever() {
    // At first ten a second may be sent again, for ten seconds: the reserve of an idle budget.
    let (status, asked) = asked(post(), &[503], TpsBudget::new(10 * SECOND, 1, 0.2)).await;
    assert_eq!(status, 503);
    assert!(asked <= 11, "{asked}");
}

/// All layers, in the order in which they belong, against a port where nobody listens.
#[tokio::test]
async fn what_was_never_sent_is_sent_again_whatever_it_is() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let judge = |result: &Result<Response<_>, ::hyper_util::client::legacy::Error>| match result {
        Ok(response) => status::kind(response.status()),
        Err(error) => hyper_util::kind(error),
    };
    let judged = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&judged);
    let judge = move |result: &_| {
        let kind = judge(result);
        assert_eq!(kind, Kind::PostFailed);
        counts.fetch_add(1, Ordering::SeqCst);
        kind
    };
    let backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(10) };
    let policy = Policy::new(judge, backoff, Duration::from_millis(200), TpsBudget::default());
    let client = ServiceBuilder::new()
        .layer(KeyLayer)
        .layer(SendLayer::new(Wire::Http, SECOND))
        .layer(RetryLayer::new(policy))
        .service(Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>());
    let mut request = ask(&url);
    *request.method_mut() = Method::POST;
    assert!(client.oneshot(request).await.is_err());
    assert!(judged.load(Ordering::SeqCst) > 1);
}

/// Whatever text there is, reading it gives a time that is written shorter or equal, or nothing.
#[test]
fn any_text_is_a_time_or_none() {
    bolero::check!().with_type::<String>().for_each(|text| {
        if let Some(time) = read(text) {
            let again = read(&bizarro_remedy::deadline::write(time)).unwrap();
            assert!(again <= time);
        }
    });
}
