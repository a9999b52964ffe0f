//! Shards and the client over real sockets, and what shards make of bad input.

use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bizarro_remedy::clock::{Interval, IntervalClock, Unbounded};
use reqwest::{Client, StatusCode};
use snapshot::clock::Clock;
use snapshot::shard::{Committed, Got, serve};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// The clock of this machine, and what is said of its error: whether a time daemon runs here is nothing to rely on.
#[derive(Clone, Copy)]
struct Said(Option<Duration>);

impl IntervalClock for Said {
    fn now(&self) -> Result<Interval, Unbounded> {
        let error = self.0.ok_or(Unbounded { why: "nobody asked".to_string() })?;
        let shown = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Ok(Interval::around(shown, error))
    }
}

async fn start(clock: impl IntervalClock + Send + Sync + 'static) -> (String, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(clock, directory.path().join("shard/versions.json"), listener));
    (url, directory)
}

async fn put(url: &str, body: &str) -> reqwest::Response {
    let request = Client::new().put(format!("{url}/value"));
    let request = request.header("content-type", "application/json").body(body.to_string());
    request.send().await.unwrap()
}

async fn get(url: &str, query: &str) -> reqwest::Response {
    reqwest::get(format!("{url}/value{query}")).await.unwrap()
}

#[tokio::test]
async fn a_commit_waits_for_as_long_as_the_clock_may_be_wrong() {
    let error = Duration::from_millis(20);
    let (url, _directory) = start(Said(Some(error))).await;
    let begun = Instant::now();
    let first = put(&url, r#"{"id":"a","value":1}"#).await.json::<Committed>().await.unwrap();
    assert!(begun.elapsed() >= 2 * error);
    let again = put(&url, r#"{"id":"a","value":1}"#).await.json::<Committed>().await.unwrap();
    assert_eq!(again, first);
    let second = put(&url, r#"{"id":"b","value":2}"#).await.json::<Committed>().await.unwrap();
    for (at_ns, value) in [
        (first.at_ns - 1, None),
        (first.at_ns, Some(1)),
        (second.at_ns - 1, Some(1)),
        (second.at_ns, Some(2)),
    ] {
        let got: Got = get(&url, &format!("?at_ns={at_ns}")).await.json().await.unwrap();
        assert_eq!(got.value, value, "at {at_ns}");
    }
}

#[tokio::test]
async fn without_a_bound_nothing_is_committed() {
    let (url, _directory) = start(Said(None)).await;
    let refused = put(&url, r#"{"id":"a","value":1}"#).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text().await.unwrap().starts_with("the error of the clock has no bound"));
    assert_eq!(get(&url, "?at_ns=1").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_sees_its_commits() {
    let (a, _one) = start(Clock::Believed).await;
    let (b, _two) = start(Said(Some(Duration::from_millis(5)))).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_snapshot"));
    command.arg("client").env("A", a).env("B", b);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.ends_with("a is 1 and b is 1\n"), "{said}");
}

#[tokio::test]
async fn bad_input_is_refused_and_the_shard_goes_on() {
    let (url, _directory) = start(Clock::Believed).await;
    let long = "i".repeat(65);
    for (body, status) in [
        ("{".to_string(), 400),
        ("{}".to_string(), 422),
        (r#"{"id":"","value":1}"#.to_string(), 422),
        (r#"{"id":"a","value":1,"at_ns":1}"#.to_string(), 422),
        (format!(r#"{{"id":"{long}","value":1}}"#), 422),
        (" ".repeat(5000), 413),
    ] {
        assert_eq!(put(&url, &body).await.status().as_u16(), status, "{body}");
    }
    for (query, status) in
        [("", 400), ("?at_ns=-1", 400), ("?at_ns=x", 400), ("?at_ns=18446744073709551615", 422)]
    {
        assert_eq!(get(&url, query).await.status().as_u16(), status, "{query}");
    }
    let mut slow = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    slow.write_all(b"PUT /value HTTP/1.1\r\nhost: x\r\ncontent-le").await.unwrap();
    assert_eq!(put(&url, r#"{"id":"a","value":1}"#).await.status(), StatusCode::OK);
}
