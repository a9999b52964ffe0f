//! The math server and its clients on this machine, over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use is_even::{NUMBERS, client, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, server::router()).await });
    address
}

/// The first line that the server answers to these bytes.
async fn answer(server: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server).await.unwrap();
    // A server that has read enough may have closed by now.
    let _ = stream.write_all(bytes).await;
    let mut reply = Vec::new();
    let mut part = [0; 4096];
    while !reply.contains(&b'\n') {
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => break,
            Ok(read) => reply.extend(&part[..read]),
        }
    }
    let text = String::from_utf8_lossy(&reply).into_owned();
    text.lines().next().unwrap_or_default().to_string()
}

async fn get(server: SocketAddr, target: &str) -> String {
    answer(server, format!("GET {target} HTTP/1.1\r\nhost: math\r\n\r\n").as_bytes()).await
}

async fn is_up(server: SocketAddr) -> bool {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answers = NUMBERS.map(|number| {
        let (http, server) = (http.clone(), format!("http://{server}"));
        async move {
            let asked = client::asks_again::is_even(&http, &server, number).await;
            asked.success() == Some(number % 2 == 0)
        }
    });
    for answer in answers {
        if !answer.await {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn clients_are_answered() {
    let server = start().await;
    assert!(is_up(server).await);
    client::asks_again::run(&format!("http://{server}")).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(client::hurried::is_even(&http, &format!("http://{server}"), 10).await);
}

#[tokio::test]
async fn bad_requests_are_refused_and_the_server_stays_up() {
    let server = start().await;
    for target in [
        "/mod",
        "/mod?number=7",
        "/mod?number=7&divisor=0",
        "/mod?number=-1&divisor=2",
        "/mod?number=99999999999999999999999&divisor=2",
        "/mod?number=7&divisor=2&more=1",
        "/mod?number=7&number=8&divisor=2",
    ] {
        assert_eq!(get(server, target).await, "HTTP/1.1 400 Bad Request", "{target}");
    }
    assert_eq!(get(server, "/other").await, "HTTP/1.1 404 Not Found");
    let post = b"POST /mod HTTP/1.1\r\nhost: math\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(answer(server, post).await, "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(answer(server, b"\x00\xff\r\n\r\n").await, "HTTP/1.1 400 Bad Request");
    let long = format!("/mod?number={}&divisor=2", "1".repeat(100_000));
    assert_eq!(get(server, &long).await, "HTTP/1.1 414 URI Too Long");
    assert!(is_up(server).await);
}

#[tokio::test]
async fn slow_clients_stop_nobody_else() {
    let server = start().await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(server).await.unwrap();
        stream.write_all(b"GET /mod?num").await.unwrap();
        slow.push(stream);
    }
    assert!(tokio::time::timeout(Duration::from_secs(10), is_up(server)).await.unwrap());
}
