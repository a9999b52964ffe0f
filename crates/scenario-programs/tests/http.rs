//! Bad requests, byte by byte over real sockets: each gets its status, and the server stays up.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use scenario_programs::http;
use tokio::net::TcpListener;

const SLOWEST: Duration = Duration::from_millis(300);
const LONGEST: usize = 100;
const TOKEN: &str = "friend";

/// A server that answers `GET /` to everybody, and to whom it knows what it is sent.
fn start() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        scenario_programs::run("server", async move {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            tell.send(listener.local_addr()?).unwrap();
            let known = Router::new().route("/echo", get(|body: String| async { body }));
            let app = Router::new().route("/", get(|| async { "here" }));
            let app = app.merge(http::only_with(known, TOKEN));
            http::serve(listener, http::whole(app, SLOWEST, LONGEST), SLOWEST).await;
            Ok(())
        })
    });
    told.recv().unwrap()
}

/// What the server says until it closes the connection.
fn answer(server: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[track_caller]
fn check(server: SocketAddr, request: &str, status: &str) {
    let told = answer(server, request.as_bytes());
    assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.80}\n{told:?}");
    let well = answer(server, b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert!(well.starts_with("HTTP/1.1 200 ") && well.ends_with("here"), "{well:?}");
}

fn echo(headers: &str, body: &str) -> String {
    format!("GET /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n{body}")
}

#[test]
fn bad_requests_get_their_status() {
    let server = start();
    let token = format!("authorization: Bearer {TOKEN}\r\n");
    check(server, &echo(&format!("{token}content-length: 2\r\n"), "hi"), "200");
    check(server, &echo("content-length: 2\r\n", "hi"), "401");
    check(server, &echo("authorization: Bearer foe\r\ncontent-length: 2\r\n", "hi"), "401");
    check(server, "nonsense\r\n\r\n", "400");
    check(server, &echo(&format!("x: {}\r\n", "y".repeat(20_000)), ""), "431");
    let long = "z".repeat(LONGEST + 1);
    check(server, &echo(&format!("{token}content-length: {}\r\n", long.len()), &long), "413");
    // A body and a head that do not end.
    check(server, &echo(&format!("{token}content-length: 2\r\n"), "h"), "408");
    check(server, "GET / HTTP/1.1\r\nho", "408");
}

#[test]
fn who_asks_nothing_is_told_nothing() {
    assert_eq!(answer(start(), b""), "");
    let twice = answer(start(), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(twice.matches("HTTP/1.1").count(), 1, "{twice:?}");
}
