//! Lock servers, store and clients over real sockets, and what the servers make of bad input.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use lock_service::server::{self, Granted, Held, Site};
use lock_service::store::{self, Guard};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: &str = "only for lock servers";

struct Service {
    servers: Vec<String>,
    store: String,
    http: Client,
    _directory: TempDir,
}

/// Three lock servers and a store, in this process.
async fn start() -> Service {
    let directory = tempfile::tempdir().unwrap();
    let mut listeners = Vec::new();
    for _ in 0..4 {
        listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let url = |it: &TcpListener| format!("http://{}", it.local_addr().unwrap());
    let mut servers: Vec<String> = listeners.iter().map(url).collect();
    let store = servers.pop().unwrap();
    let file = directory.path().join("store/file.redb");
    tokio::spawn(store::serve(Guard::Fence, file, listeners.pop().unwrap()));
    // The first one, who begins, comes last: then the others are there.
    for (me, listener) in [1, 2, 3].into_iter().zip(listeners).rev() {
        let site = Site {
            me,
            servers: servers.clone(),
            file: directory.path().join(format!("lock-{me}/raft.redb")),
            secret: SECRET.to_string(),
            snapshot_after: 1_000,
        };
        tokio::spawn(server::serve(site, listener));
    }
    Service { servers, store, http: Client::new(), _directory: directory }
}

fn json(request: RequestBuilder, body: &str) -> RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

impl Service {
    async fn put(&self, body: &str) -> StatusCode {
        let request = self.http.put(format!("{}/file", self.store));
        json(request, body).send().await.unwrap().status()
    }

    async fn get(&self, query: &str) -> Response {
        self.http.get(format!("{}/file{query}", self.store)).send().await.unwrap()
    }
}

/// Asks one server after the other for the lock, until one says who has it.
async fn acquire(http: &Client, servers: &[String], holder: &str) -> Response {
    let begun = Instant::now();
    for server in servers.iter().cycle() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody leads");
        let request = http.post(format!("{server}/locks/file")).timeout(Duration::from_secs(3));
        let answer = json(request, &format!(r#"{{"holder":"{holder}"}}"#)).send().await;
        match answer {
            Ok(answer) if answer.status() != StatusCode::SERVICE_UNAVAILABLE => return answer,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    unreachable!("there are servers")
}

async fn token(answer: Response) -> u64 {
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json::<Granted>().await.unwrap().token.0
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_their_lines() {
    let service = start().await;
    for name in ["client-1", "client-2"] {
        let mut client = Command::new(env!("CARGO_BIN_EXE_lock-service"));
        client.arg("client").env("NAME", name).env("STORE", &service.store);
        client.env("SERVERS", service.servers.join(","));
        let status = tokio::task::spawn_blocking(move || client.status()).await.unwrap();
        assert!(status.unwrap().success());
    }
    let lines: Vec<String> = service.get("?token=34").await.json().await.unwrap();
    assert_eq!(lines, ["client-1", "client-2"]);
    assert_eq!(token(acquire(&service.http, &service.servers, "c").await).await, 35);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_by_itself_and_who_asks_again_has_it_already() {
    let service = start().await;
    let asked = |holder| acquire(&service.http, &service.servers, holder);
    assert_eq!(token(asked("a").await).await, 33);
    assert_eq!(token(asked("a").await).await, 33);
    let begun = Instant::now();
    let held = asked("b").await;
    assert_eq!(held.status(), StatusCode::CONFLICT);
    let Held { at_most_ms } = held.json().await.unwrap();
    assert!((2_000..=5_000).contains(&at_most_ms), "{at_most_ms}");
    tokio::time::sleep(Duration::from_millis(at_most_ms + 10)).await;
    assert_eq!(token(asked("b").await).await, 34);
    assert!(begun.elapsed() > Duration::from_secs(2));
}

#[tokio::test]
async fn the_store_turns_33_away_after_34() {
    let service = start().await;
    let write = |token: u64, line: &str| format!(r#"{{"token":{token},"lines":["{line}"]}}"#);
    assert_eq!(service.put(&write(33, "a")).await, StatusCode::OK);
    assert_eq!(service.get("?token=34").await.status(), StatusCode::OK);
    assert_eq!(service.put(&write(33, "b")).await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(service.get("?token=33").await.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(service.put(&write(34, "c")).await, StatusCode::OK);
    assert_eq!(service.get("?token=34").await.json::<Vec<String>>().await.unwrap(), ["c"]);
}

/// A lock server as a process, which is killed in the end.
struct Server(Child);

impl Server {
    fn start(me: usize, servers: &[String], directory: &Path) -> Server {
        let mut server = Command::new(env!("CARGO_BIN_EXE_lock-service"));
        let listen = servers[me - 1].trim_start_matches("http://");
        server.arg("server").env("ME", me.to_string()).env("LISTEN", listen);
        server.env("SERVERS", servers.join(",")).env("SNAPSHOT_AFTER", "10");
        server.env("DATA", directory.join(format!("{me}/raft.redb")));
        Server(server.spawn().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The third one comes when the log has been cut: it gets a snapshot, and with it can take the place of another one.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_late_gets_a_snapshot_and_who_is_killed_is_not_missed() {
    let directory = tempfile::tempdir().unwrap();
    let mut ports = Vec::new();
    for _ in 0..3 {
        ports.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let url = |it: &TcpListener| format!("http://{}", it.local_addr().unwrap());
    let servers: Vec<String> = ports.iter().map(url).collect();
    drop(ports);
    let _second = Server::start(2, &servers, directory.path());
    let first = Server::start(1, &servers, directory.path());
    let http = Client::new();
    let mut last = 0;
    for number in 0..30 {
        let granted = acquire(&http, &servers[..2], &format!("holder-{number}")).await;
        last = token(granted).await;
        assert_eq!(last, 33 + number);
        for server in &servers[..2] {
            let release = http.delete(format!("{server}/locks/file?token={last}"));
            release.send().await.unwrap();
        }
    }
    let _third = Server::start(3, &servers, directory.path());
    // Long enough for a heartbeat, by which the leader finds that the third one is there.
    tokio::time::sleep(Duration::from_secs(5)).await;
    drop(first);
    assert_eq!(token(acquire(&http, &servers[1..], "last").await).await, last + 1);
}

#[tokio::test]
async fn bad_input_is_refused_and_the_servers_go_on() {
    let service = start().await;
    let long = "h".repeat(65);
    let server = &service.servers[0];
    let post = |path: &str, body: String| {
        let request = service.http.post(format!("{server}{path}"));
        let sent = json(request, &body).send();
        async { sent.await.unwrap().status().as_u16() }
    };
    for (body, status) in [
        ("{".to_string(), 400),
        ("{}".to_string(), 422),
        (r#"{"holder":"a","ttl":1}"#.to_string(), 422),
        (format!(r#"{{"holder":"{long}"}}"#), 422),
        (" ".repeat((1 << 20) + 1), 413),
    ] {
        assert_eq!(post("/locks/file", body.clone()).await, status, "{body}");
    }
    assert_eq!(post(&format!("/locks/{long}"), r#"{"holder":"a"}"#.to_string()).await, 422);
    let release = |query: &str| service.http.delete(format!("{server}/locks/file{query}")).send();
    assert_eq!(release("").await.unwrap().status(), 400);
    assert_eq!(release("?token=none").await.unwrap().status(), 400);

    // Raft's messages are for lock servers, and for them too they have to be Raft's.
    for path in ["/raft/append", "/raft/vote", "/raft/snapshot"] {
        assert_eq!(post(path, "{}".to_string()).await, 401);
        let member = |secret| service.http.post(format!("{server}{path}")).bearer_auth(secret);
        let sent = |request| async { json(request, "{}").send().await.unwrap().status() };
        assert_eq!(sent(member("another")).await, 401);
        assert_eq!(sent(member(SECRET)).await, 422);
    }

    for (body, status) in [
        ("[".to_string(), 400),
        (r#"{"token":-1,"lines":[]}"#.to_string(), 422),
        (r#"{"lines":[]}"#.to_string(), 422),
        (r#"{"token":1,"lines":[""]}"#.to_string(), 422),
        (format!(r#"{{"token":1,"lines":["{long}"]}}"#), 422),
        (" ".repeat((16 << 10) + 1), 413),
    ] {
        assert_eq!(service.put(&body).await.as_u16(), status, "{body}");
    }
    // Nobody reads without a token.
    assert_eq!(service.get("").await.status(), 400);
    assert_eq!(service.get("?token=none").await.status(), 400);

    for url in [server, &service.store] {
        assert_eq!(service.http.get(format!("{url}/nothing")).send().await.unwrap().status(), 404);
        assert_eq!(
            service.http.patch(format!("{url}/file")).send().await.unwrap().status().as_u16() / 100,
            4
        );
        let address = url.trim_start_matches("http://");
        // One who never ends the head is sent away, and one who never ends the body is told why.
        let mut head = TcpStream::connect(address).await.unwrap();
        head.write_all(b"POST /locks/file HTTP/1.1\r\nhost: x\r\ncontent-le").await.unwrap();
        let mut body = TcpStream::connect(address).await.unwrap();
        let begun = b"POST /locks/file HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{";
        body.write_all(begun).await.unwrap();
        let mut answers = [Vec::new(), Vec::new()];
        head.read_to_end(&mut answers[0]).await.unwrap();
        let mut answer = [0; 12];
        body.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 408");
        let mut garbage = TcpStream::connect(address).await.unwrap();
        garbage.write_all(b"\x16\x03\x01\r\n\r\n").await.unwrap();
        garbage.read_to_end(&mut answers[1]).await.unwrap();
        assert!(answers[1].starts_with(b"HTTP/1.1 400"));
    }
    assert_eq!(token(acquire(&service.http, &service.servers, "a").await).await, 33);
    assert_eq!(service.put(r#"{"token":33,"lines":["a"]}"#).await, 200);
}
