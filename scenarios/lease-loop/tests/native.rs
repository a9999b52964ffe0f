//! Registry, store and nodes over real sockets, and what the servers make of bad input.

use std::process::Command;

use lease_loop::registry::{self, Grant, Held};
use lease_loop::store::{self, Guard, Read};
use reqwest::{Client, StatusCode};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

struct Servers {
    registry: String,
    store: String,
    http: Client,
    _directory: TempDir,
}

async fn start() -> Servers {
    let directory = tempfile::tempdir().unwrap();
    let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let two = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let [registry, store] = [&one, &two].map(|it| format!("http://{}", it.local_addr().unwrap()));
    tokio::spawn(registry::serve(directory.path().join("registry/leases.json"), one));
    tokio::spawn(store::serve(Guard::Fence, directory.path().join("store/account.json"), two));
    Servers { registry, store, http: Client::new(), _directory: directory }
}

impl Servers {
    async fn post(&self, body: &str) -> reqwest::Response {
        let request = self.http.post(format!("{}/lease", self.registry));
        let request = request.header("content-type", "application/json").body(body.to_string());
        request.send().await.unwrap()
    }

    async fn put(&self, body: &str) -> StatusCode {
        let request = self.http.put(format!("{}/account", self.store));
        let request = request.header("content-type", "application/json").body(body.to_string());
        request.send().await.unwrap().status()
    }

    async fn get(&self, query: &str) -> reqwest::Response {
        self.http.get(format!("{}/account{query}", self.store)).send().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_process_their_requests() {
    let servers = start().await;
    let node = |name: &'static str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lease_loop"));
        command.arg("careful").env("NODE", name).env("REQUESTS", "2");
        command.env("REGISTRY", &servers.registry).env("STORE", &servers.store);
        tokio::task::spawn_blocking(move || command.status())
    };
    assert!(node("node-1").await.unwrap().unwrap().success());
    let read: Read = servers.get("?token=1").await.json().await.unwrap();
    assert_eq!(
        (read.value, read.done),
        (2, vec!["node-1 #1".to_string(), "node-1 #2".to_string()])
    );
    // The first one did not give its lease back.
    let held: Held = servers.post(r#"{"holder":"b"}"#).await.json().await.unwrap();
    assert!((20_000..=30_000).contains(&held.at_most_ms), "{held:?}");
}

#[tokio::test]
async fn the_store_turns_33_away_after_34() {
    let servers = start().await;
    let write = |request: &str, token: u64| {
        format!(r#"{{"request":"{request}","value":1,"token":{token}}}"#)
    };
    assert_eq!(servers.put(&write("a", 33)).await, StatusCode::OK);
    assert_eq!(servers.get("?token=34").await.status(), StatusCode::OK);
    assert_eq!(servers.put(&write("b", 33)).await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(servers.get("?token=33").await.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(servers.put(&write("c", 34)).await, StatusCode::OK);
}

#[tokio::test]
async fn bad_input_is_refused_and_the_servers_go_on() {
    let servers = start().await;
    let long = "h".repeat(65);
    for (body, status) in [
        ("{".to_string(), 400),
        ("{}".to_string(), 422),
        (r#"{"holder":"a","ttl":1}"#.to_string(), 422),
        (format!(r#"{{"holder":"{long}"}}"#), 422),
        (" ".repeat(5000), 413),
    ] {
        assert_eq!(servers.post(&body).await.status().as_u16(), status, "{body}");
    }
    for (body, status) in [
        ("[".to_string(), 400),
        (r#"{"request":"a","value":-1,"token":1}"#.to_string(), 422),
        (r#"{"request":"a","value":1}"#.to_string(), 422),
        (format!(r#"{{"request":"{long}","value":1,"token":1}}"#), 422),
        (" ".repeat(5000), 413),
    ] {
        assert_eq!(servers.put(&body).await.as_u16(), status, "{body}");
    }
    // Nobody reads without a token.
    assert_eq!(servers.get("").await.status(), 400);
    assert_eq!(servers.get("?token=none").await.status(), 400);
    for url in [&servers.registry, &servers.store] {
        assert_eq!(servers.http.get(format!("{url}/nothing")).send().await.unwrap().status(), 404);
        let mut slow = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
        slow.write_all(b"POST /lease HTTP/1.1\r\nhost: x\r\ncontent-le").await.unwrap();
    }
    let grant: Grant = servers.post(r#"{"holder":"a"}"#).await.json().await.unwrap();
    assert_eq!((grant.token.0, grant.ttl_ms), (1, 30_000));
    assert_eq!(servers.put(r#"{"request":"a","value":1,"token":1}"#).await, 200);
}
