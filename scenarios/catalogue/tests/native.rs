//! The same programs on this machine: real sockets, a real disk.

use std::time::Duration;

use axum::Router;
use catalogue::{balancer, http, product, server, site};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves this on a port of its own, and gives its URL.
async fn start(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(http::serve(listener, app));
    format!("http://{address}")
}

/// Three servers with these routes, and the directories that they have their files in.
async fn servers(app: fn(server::Shop) -> Router) -> (Vec<String>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let products = directory.path().join("products");
    server::stock(&products).unwrap();
    let mut urls = Vec::new();
    for number in 1..=3 {
        let data = directory.path().join(number.to_string());
        urls.push(start(app(server::Shop::open(&products, &data))).await);
    }
    (urls, directory)
}

/// A server that is well as far as one can see, and says nothing, at once.
async fn empty() -> String {
    let reply = || async { http::sealed(axum::http::StatusCode::OK, Vec::new()) };
    start(Router::new().fallback(reply)).await
}

fn client() -> reqwest::Client {
    http::client(Duration::from_secs(5))
}

/// The statuses of ten pages.
async fn ten_pages(balancer: Router) -> Vec<u16> {
    let site = start(site::app(start(balancer).await)).await;
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(http::get(&client(), &format!("{site}/page/2")).await.unwrap().status);
    }
    statuses
}

#[tokio::test]
async fn every_page_is_seen() {
    let (servers, _directory) = servers(server::hurried::app).await;
    for balancer in [balancer::fastest::app(&servers), balancer::guarded::app(&servers)] {
        let site = start(site::app(start(balancer).await)).await;
        for product in product::all() {
            let page = http::get(&client(), &format!("{site}/page/{}", product.id)).await.unwrap();
            assert_eq!((page.status, page.body), (200, product.line().into_bytes()));
        }
    }
}

#[tokio::test]
async fn one_empty_server_takes_the_site_down_or_nothing_at_all() {
    let (mut servers, _directory) = servers(server::hurried::app).await;
    servers[1] = empty().await;
    let fastest = ten_pages(balancer::fastest::app(&servers)).await;
    assert_eq!(fastest[3..], [502; 7], "{fastest:?}");
    assert_eq!(ten_pages(balancer::guarded::app(&servers)).await, [200; 10]);
}

#[tokio::test]
async fn what_is_not_sold_is_not_found_and_nobody_is_ejected_for_it() {
    let (servers, _directory) = servers(server::truthful::app).await;
    for balancer in [balancer::fastest::app(&servers), balancer::guarded::app(&servers)] {
        let site = start(site::app(start(balancer).await)).await;
        for _ in 0..10 {
            let page = http::get(&client(), &format!("{site}/page/99")).await.unwrap();
            assert_eq!(page.status, 404);
        }
        assert_eq!(http::get(&client(), &format!("{site}/page/1")).await.unwrap().status, 200);
    }
}

/// A counter that cannot count, as where the disk is full: `/dev/null` is no directory (ENOTDIR).
#[tokio::test]
async fn the_truthful_server_knows_products_without_counting_and_the_hurried_one_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let products = directory.path().join("products");
    server::stock(&products).unwrap();
    for (app, said) in [
        (
            server::truthful::app as fn(server::Shop) -> Router,
            r#"{"id":3,"name":"Rope","cents":899}"#,
        ),
        (server::hurried::app, ""),
    ] {
        let url = start(app(server::Shop::open(&products, "/dev/null/data".as_ref()))).await;
        let reply = http::get(&client(), &format!("{url}/product/3")).await.unwrap();
        assert_eq!((reply.status, reply.body), (200, said.as_bytes().to_vec()));
    }
}

/// All servers, by the path that each of them has.
async fn all_servers() -> (Vec<(String, &'static str)>, tempfile::TempDir) {
    let (servers, directory) = servers(server::truthful::app).await;
    let hurried = {
        let data = directory.path().join("hurried");
        let shop = server::Shop::open(&directory.path().join("products"), &data);
        start(server::hurried::app(shop)).await
    };
    let fastest = start(balancer::fastest::app(&servers)).await;
    let guarded = start(balancer::guarded::app(&servers)).await;
    let site = start(site::app(guarded.clone())).await;
    let all = vec![
        (servers[0].clone(), "/product/1"),
        (hurried, "/product/1"),
        (fastest, "/product/1"),
        (guarded, "/product/1"),
        (site, "/page/1"),
    ];
    (all, directory)
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
    let (servers, _directory) = all_servers().await;
    for (url, path) in servers {
        let dir = path.rsplit_once('/').unwrap().0;
        let long = "9".repeat(70_000);
        let asked = [
            (format!("GET {dir}/abc HTTP/1.1"), "400"),
            (format!("GET {dir}/-1 HTTP/1.1"), "400"),
            (format!("GET {dir}/99999999999 HTTP/1.1"), "400"),
            (format!("GET {dir}/%00 HTTP/1.1"), "400"),
            (format!("GET {dir}/%ff HTTP/1.1"), "400"),
            (format!("GET {dir}/../../etc/passwd HTTP/1.1"), "404"),
            ("GET / HTTP/1.1".to_string(), "404"),
            (format!("POST {path} HTTP/1.1"), "405"),
            (format!("DELETE {path} HTTP/1.1"), "405"),
            (format!("GET {dir}/{long} HTTP/1.1"), "431"),
            (format!("GET {path} HTTP/1.1\r\nX: {long}"), "431"),
            ("\u{1}\u{2}\u{3}".to_string(), "400"),
            (format!("GET {path} HTTP/9.9"), "400"),
        ];
        for (head, status) in asked {
            let request = format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n");
            let reply = says(&url, request.as_bytes()).await;
            let shown = &head[..head.len().min(60)];
            assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{url} {shown}: {reply}");
        }
        assert_eq!(http::get(&client(), &format!("{url}{path}")).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_request_that_drips_is_closed_and_others_are_served_meanwhile() {
    let (servers, _directory) = all_servers().await;
    let mut drips = tokio::task::JoinSet::new();
    for (url, path) in servers {
        drips.spawn(async move {
            let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
            for byte in format!("GET {path} HTT").bytes() {
                stream.write_all(&[byte]).await.unwrap();
            }
            assert_eq!(http::get(&client(), &format!("{url}{path}")).await.unwrap().status, 200);
            let mut reply = Vec::new();
            let end = stream.read_to_end(&mut reply);
            let closed = tokio::time::timeout(Duration::from_secs(30), end).await;
            assert!(closed.is_ok(), "{url} is still waiting");
        });
    }
    drips.join_all().await;
}
