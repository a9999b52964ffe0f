//! Nodes and clients over real sockets, and what nodes make of bad input.

use std::time::Duration;

use last_write_wins::lww::LastWriteWins;
use last_write_wins::node::{Config, serve};
use last_write_wins::register::{Context, Got, Put, Register, Write};
use last_write_wins::versions::Versions;
use reqwest::StatusCode;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Two nodes that know each other, with what has to outlive them.
async fn nodes<R: Register>() -> (Vec<String>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let two = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let urls: Vec<String> =
        [&one, &two].map(|it| format!("http://{}", it.local_addr().unwrap())).to_vec();
    for (index, listener) in [one, two].into_iter().enumerate() {
        let config = Config {
            name: format!("node-{index}"),
            listen: String::new(),
            peers: vec![urls[1 - index].clone()],
            file: directory.path().join(format!("{index}/x.json")),
        };
        tokio::spawn(serve::<R>(config, listener));
    }
    (urls, directory)
}

fn put(id: &str, value: i64, context: &Context) -> Put {
    Put { write: Write { id: id.to_string(), value }, context: context.clone() }
}

async fn send(url: &str, put: &Put) {
    let http = reqwest::Client::new();
    let answer = http.put(format!("{url}/x")).json(put).send().await.unwrap();
    answer.error_for_status().unwrap();
}

async fn read(url: &str) -> Got {
    reqwest::get(format!("{url}/x?wait=true")).await.unwrap().json().await.unwrap()
}

/// Looks until it is so.
async fn until(url: &str, is: impl Fn(&[i64]) -> bool) {
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let values: Vec<i64> = read(url).await.writes.iter().map(|write| write.value).collect();
            if is(&values) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it comes to be so");
}

#[tokio::test]
async fn what_is_concurrent_is_kept_until_somebody_saw_it() {
    let (urls, _directory) = nodes::<Versions>().await;
    send(&urls[0], &put("a", 1, &Context::new())).await;
    send(&urls[1], &put("c", 5, &Context::new())).await;
    for url in &urls {
        until(url, |values| values == [1, 5]).await;
    }
    let seen = read(&urls[1]).await.context;
    send(&urls[1], &put("d", 6, &seen)).await;
    for url in &urls {
        until(url, |values| values == [6]).await;
    }
}

#[tokio::test]
async fn a_node_without_version_vectors_has_one_value() {
    let (urls, _directory) = nodes::<LastWriteWins>().await;
    send(&urls[0], &put("a", 1, &Context::new())).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    send(&urls[1], &put("c", 5, &Context::new())).await;
    until(&urls[0], |values| values == [5]).await;
}

#[tokio::test]
async fn bad_input_is_refused_and_the_node_goes_on() {
    let (urls, _directory) = nodes::<Versions>().await;
    let (http, url) = (reqwest::Client::new(), &urls[0]);
    let json = |path: &str, body: String| {
        let request = if path == "/x" {
            http.put(format!("{url}{path}"))
        } else {
            http.post(format!("{url}{path}"))
        };
        let sent = request.header("content-type", "application/json").body(body).send();
        async { sent.await.unwrap().status() }
    };
    assert_eq!(json("/x", "{".into()).await, StatusCode::BAD_REQUEST);
    assert_eq!(json("/x", "{}".into()).await, StatusCode::UNPROCESSABLE_ENTITY);
    let long = serde_json::to_string(&put(&"i".repeat(65), 1, &Context::new())).unwrap();
    assert_eq!(json("/x", long).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(json("/x", " ".repeat(1 << 20)).await, StatusCode::PAYLOAD_TOO_LARGE);
    // A value that contradicts its own version.
    let liar = r#"[[[{"node":"n","count":2},{"id":"a","value":1}]],{"n":1}]"#;
    assert_eq!(json("/merge", liar.into()).await, StatusCode::UNPROCESSABLE_ENTITY);
    let unlabelled = http.put(format!("{url}/x")).body("{}").send().await.unwrap();
    assert_eq!(unlabelled.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(http.delete(format!("{url}/x")).send().await.unwrap().status(), 405);
    assert_eq!(http.get(format!("{url}/y")).send().await.unwrap().status(), 404);

    // One that sends no HTTP, and one that sends it a byte at a time and never ends.
    let address = url.trim_start_matches("http://");
    let mut garbage = TcpStream::connect(address).await.unwrap();
    garbage.write_all(b"\x16\x03\x01\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    garbage.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400"));
    let mut slow = TcpStream::connect(address).await.unwrap();
    for byte in b"PUT /x HTTP/1.1\r\nhost: x\r\ncontent-le" {
        slow.write_all(&[*byte]).await.unwrap();
    }
    send(url, &put("a", 1, &Context::new())).await;
    until(url, |values| values == [1]).await;
}
