//! axum 0.8 and reqwest, in the clear and with rustls on both sides; and which exchanges are seen of HTTP/2.

mod certificates;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bizarro::Lab;
use bizarro::prelude::*;
use certificates::{Certified, certified};
use guests::{SERVERS_ARE_UP, prints};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Balance {
    name: String,
    cents: u64,
}

#[derive(Default)]
struct Bank {
    cents: AtomicU64,
}

async fn deposit(
    State(bank): State<Arc<Bank>>,
    Json(amount): Json<u64>,
) -> Result<Json<Balance>, StatusCode> {
    if amount == 0 {
        return Err(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let cents = bank.cents.fetch_add(amount, Ordering::SeqCst) + amount;
    Ok(Json(Balance { name: "all".into(), cents }))
}

fn bank() -> Router {
    let named = |Path(name): Path<String>| async move { Json(Balance { name, cents: 0 }) };
    Router::new()
        .route("/deposit", post(deposit))
        .route("/account/{name}", get(named))
        .with_state(Arc::default())
}

#[tokio::main]
async fn plain_server() {
    let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
    axum::serve(listener, bank()).await.unwrap();
}

async fn use_bank(client: &reqwest::Client, base: &str) {
    for amount in [5, 7, 0] {
        let response = client.post(format!("{base}/deposit")).json(&amount).send().await.unwrap();
        let status = response.status().as_u16();
        match response.error_for_status() {
            Ok(response) => {
                println!("{status} {}", response.json::<Balance>().await.unwrap().cents)
            }
            Err(_) => println!("{status}"),
        }
    }
    let all = (0..10).map(|number| {
        let request = client.get(format!("{base}/account/{number}"));
        tokio::spawn(async move { request.send().await.unwrap().json::<Balance>().await.unwrap() })
    });
    for (number, balance) in all.collect::<Vec<_>>().into_iter().enumerate() {
        let expected = Balance { name: number.to_string(), cents: 0 };
        assert_eq!(balance.await.unwrap(), expected);
    }
    println!("done");
}

#[tokio::main]
async fn plain_client() {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    use_bank(&reqwest::Client::new(), "http://server").await;
}

#[bizarro::test]
fn http(world: &mut World) {
    world.host("server").program(plain_server);
    world.host("client").workload(plain_client);
    prints(world, "client", &["200 5", "200 12", "422", "done"]);
}

/// What is at the bottom of an error.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}

/// Serves the bank on port 443, and the certificate of its authority, for those who want to trust it, on port 80.
async fn serve_tls(certified: Certified) {
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(certified.chain, certified.key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let authority = certified.authority.to_vec();
    let trust = Router::new().route("/authority", get(move || async move { authority }));
    let open = TcpListener::bind("0.0.0.0:80").await.unwrap();
    tokio::spawn(async move { axum::serve(open, trust).await });

    let listener = TcpListener::bind("0.0.0.0:443").await.unwrap();
    let bank = bank();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, bank) = (acceptor.clone(), bank.clone());
        tokio::spawn(async move {
            match acceptor.accept(stream).await {
                Ok(stream) => {
                    let connection = auto::Builder::new(TokioExecutor::new());
                    let service = TowerToHyperService::new(bank);
                    connection.serve_connection(TokioIo::new(stream), service).await.unwrap();
                }
                Err(error) => println!("{}", cause(&error)),
            }
        });
    }
}

#[tokio::main]
async fn tls_server() {
    serve_tls(certified((2025, 12), (2026, 2))).await;
}

#[tokio::main]
async fn expired_server() {
    serve_tls(certified((2025, 10), (2025, 12))).await;
}

/// A client that trusts the authority which the server names on port 80.
async fn trusting_client() -> reqwest::Client {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    let der = reqwest::get("http://server/authority").await.unwrap().bytes().await.unwrap();
    let authority = reqwest::Certificate::from_der(&der).unwrap();
    reqwest::Client::builder().add_root_certificate(authority).build().unwrap()
}

#[tokio::main]
async fn tls_client() {
    let client = trusting_client().await;
    let stranger = reqwest::get("https://server/account/1").await.unwrap_err();
    println!("{}", cause(&stranger));
    let response = client.get("https://server/account/1").send().await.unwrap();
    println!("{:?}", response.version());
    use_bank(&client, "https://server").await;
}

/// Who does not trust the authority ends the handshake, and the server learns why.
#[bizarro::test]
fn https(world: &mut World) {
    world.host("server").program(tls_server);
    world.host("client").workload(tls_client);
    let lines =
        &["invalid peer certificate: UnknownIssuer", "HTTP/2.0", "200 5", "200 12", "422", "done"];
    prints(world, "client", lines);
    prints(world, "server", &["received fatal alert: UnknownCA"]);
}

#[tokio::main]
async fn disappointed_client() {
    let client = trusting_client().await;
    let error = client.get("https://server/account/1").send().await.unwrap_err();
    println!("expired: {}", cause(&error).contains("certificate expired"));
}

/// Whether a certificate has expired is told by the clock of the client's host, not by the machine's.
#[bizarro::test]
fn an_expired_certificate(world: &mut World) {
    world.host("server").program(expired_server);
    world.host("client").workload(disappointed_client);
    prints(world, "client", &["expired: true"]);
}

/// HTTP/2 from the first byte on, as a client speaks it that knows its server.
#[tokio::main]
async fn client_of_http2() {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    use_bank(&client, "http://bank").await;
}

fn http2(world: &mut World) {
    world.host("bank").program(plain_server);
    world.host("client").workload(client_of_http2);
}

#[test]
fn calls_of_http2_are_named_and_kept_apart() {
    let mut lab = Lab::open("axum_reqwest::calls_of_http2_are_named_and_kept_apart", http2);
    let record = lab.run(&"baseline".parse().unwrap()).unwrap();
    let mut calls: Vec<String> =
        record.exchanges.iter().map(|x| format!("{} {:?}", x.id, x.status)).collect();
    calls[3..].sort();
    let mut expected = vec![
        "client>bank POST /deposit #1 Some(200)".to_string(),
        "client>bank POST /deposit #2 Some(200)".to_string(),
        "client>bank POST /deposit #3 Some(422)".to_string(),
    ];
    expected.extend((0..10).map(|n| format!("client>bank GET /account/{n} #1 Some(200)")));
    assert_eq!(calls, expected);
    assert!(record.exchanges.iter().all(|x| x.connection == 1 && x.completed.is_some()));
    let at_once = &record.exchanges[3..];
    let first_reply = at_once.iter().filter_map(|x| x.replied).min();
    let last_request = at_once.iter().map(|x| x.requested).max();
    assert!(last_request < first_reply, "ten calls are under way at a time");
}
