//! The same programs on this machine, over real sockets.

use std::time::Duration;

use axum::Router;
use cascade::{front, http, node};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Serves this on a port of its own, and gives its URL.
async fn start(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(http::serve(listener, app));
    format!("http://{address}")
}

async fn three(app: fn() -> Router) -> Vec<String> {
    vec![start(app()).await, start(app()).await, start(app()).await]
}

#[tokio::test]
async fn both_fronts_serve_all_customers_where_nothing_goes_wrong() {
    tokio::join!(
        front::hasty::run(three(node::hasty::app).await),
        front::steady::run(three(node::steady::app).await)
    );
}

#[tokio::test]
async fn the_steady_front_serves_all_customers_where_a_node_is_not_there() {
    let mut nodes = three(node::steady::app).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    nodes[1] = format!("http://{gone}");
    front::steady::run(nodes).await;
}

#[tokio::test]
async fn what_is_too_much_is_refused_at_once_and_told_when_to_come_back() {
    let node = start(node::steady::app()).await;
    let mut asked = JoinSet::new();
    for number in 0..7 {
        asked.spawn(reqwest::get(format!("{node}/report/{number}")));
    }
    let (mut made, mut refused) = (0, 0);
    for response in asked.join_all().await {
        let response = response.unwrap();
        match response.status().as_u16() {
            200 => made += 1,
            503 => {
                assert_eq!(response.headers()["retry-after"], "4");
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!((made, refused), (node::steady::WAITING_MAX, 3));
}

#[tokio::test]
async fn who_goes_away_takes_the_work_along() {
    let node = start(node::steady::app()).await;
    let impatient = reqwest::Client::builder().timeout(Duration::from_millis(200)).build().unwrap();
    for number in 0..4 {
        impatient.get(format!("{node}/report/{number}")).send().await.unwrap_err();
    }
    let begun = std::time::Instant::now();
    let response = reqwest::get(format!("{node}/report/9")).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.text().await.unwrap()),
        (200, "report 9".into())
    );
    assert!(begun.elapsed() < 2 * node::WORK, "it waited for what nobody wants");
}

/// What a server says to these bytes, up to the end of the connection.
async fn says(url: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    // A server may have said what it has to say, and gone, before it is told everything.
    let _ = stream.write_all(bytes).await;
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test]
async fn requests_that_make_no_sense_have_a_status_and_do_no_harm() {
    for node in [start(node::hasty::app()).await, start(node::steady::app()).await] {
        let long = "9".repeat(70_000);
        let asked = [
            ("GET /report/abc HTTP/1.1".to_string(), "400"),
            ("GET /report/-1 HTTP/1.1".to_string(), "400"),
            ("GET /report/99999999999 HTTP/1.1".to_string(), "400"),
            ("GET /report/%ff HTTP/1.1".to_string(), "400"),
            ("GET / HTTP/1.1".to_string(), "404"),
            ("POST /report/1 HTTP/1.1".to_string(), "405"),
            (format!("GET /report/{long} HTTP/1.1"), "431"),
            (format!("GET /report/1 HTTP/1.1\r\nX: {long}"), "431"),
            ("\u{1}\u{2}\u{3}".to_string(), "400"),
            ("GET /report/1 HTTP/9.9".to_string(), "400"),
        ];
        for (head, status) in asked {
            let request = format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n");
            let reply = says(&node, request.as_bytes()).await;
            let shown = &head[..head.len().min(60)];
            assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {reply}");
        }
        assert_eq!(reqwest::get(format!("{node}/report/1")).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_request_that_drips_is_closed_and_others_are_served_meanwhile() {
    let mut drips = JoinSet::new();
    for node in [start(node::hasty::app()).await, start(node::steady::app()).await] {
        drips.spawn(async move {
            let mut stream = TcpStream::connect(node.trim_start_matches("http://")).await.unwrap();
            for byte in b"GET /report/1 HTT" {
                stream.write_all(&[*byte]).await.unwrap();
            }
            assert_eq!(reqwest::get(format!("{node}/report/1")).await.unwrap().status(), 200);
            let mut reply = Vec::new();
            let end = stream.read_to_end(&mut reply);
            let closed = tokio::time::timeout(Duration::from_secs(30), end).await;
            assert!(closed.is_ok(), "{node} is still waiting");
        });
    }
    drips.join_all().await;
}
