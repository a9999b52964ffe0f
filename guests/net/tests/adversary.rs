//! An adversary on the wire between a client of reqwest and a server of axum, who reads, changes, repeats and invents what
//! is sent. In the clear the client believes what it is told; with rustls in between what was touched is a broken
//! connection, and never wrong data.

mod certificates;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use bizarro::prelude::*;
use bizarro::{Ending, Event, Lab, RunRecord};
use certificates::{Certified, certified};
use guests::SERVERS_ARE_UP;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the server keeps for its client: a number of twenty digits.
const SECRET: &str = "01234567899876543210";

/// Runs that are made with each kind of trouble.
const SEEDS: u64 = 12;

fn vault() -> Router {
    Router::new().route("/secret", get(async || SECRET))
}

#[tokio::main]
async fn plain_server() {
    let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
    axum::serve(listener, vault()).await.unwrap();
}

/// Serves the vault on port 443, and the certificate of its authority, for those who want to trust it, on port 80.
#[tokio::main]
async fn tls_server() {
    let Certified { chain, key, authority } = certified((2025, 12), (2026, 2));
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let authority = authority.to_vec();
    let trust = Router::new().route("/authority", get(move || async move { authority }));
    let open = TcpListener::bind("0.0.0.0:80").await.unwrap();
    tokio::spawn(async move { axum::serve(open, trust).await });

    let listener = TcpListener::bind("0.0.0.0:443").await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, vault) = (acceptor.clone(), vault());
        tokio::spawn(async move {
            // What the adversary breaks is the end of this connection only.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = TowerToHyperService::new(vault);
            let connection = auto::Builder::new(TokioExecutor::new());
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Asks ten times, and says each time what came of it.
async fn ask(client: &reqwest::Client, url: &str) {
    // The adversary is there from now on.
    tokio::time::sleep(secs(1)).await;
    for _ in 0..10 {
        println!("{}", asked(client, url).await);
        tokio::time::sleep(millis(100)).await;
    }
}

async fn asked(client: &reqwest::Client, url: &str) -> &'static str {
    let reply = async { client.get(url).send().await?.error_for_status()?.text().await };
    match tokio::time::timeout(secs(5), reply).await {
        Ok(Ok(text)) if text == SECRET => "right",
        Ok(Ok(_)) => "wrong",
        Ok(Err(_)) | Err(_) => "error",
    }
}

#[tokio::main]
async fn plain_client() {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    ask(&reqwest::Client::new(), "http://server/secret").await;
}

#[tokio::main]
async fn tls_client() {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    let der = reqwest::get("http://server/authority").await.unwrap().bytes().await.unwrap();
    let authority = reqwest::Certificate::from_der(&der).unwrap();
    let client = reqwest::Client::builder().add_root_certificate(authority).build().unwrap();
    ask(&client, "https://server/secret").await;
}

/// How often a client said so in all of these runs.
fn count(records: &[RunRecord], what: &str) -> usize {
    let events = records.iter().flat_map(|record| &record.events);
    let said = events
        .filter(|stamped| matches!(&stamped.event, Event::Output { line, .. } if line == what));
    said.count()
}

/// Runs of many seeds in which the adversary does this from the first second on.
fn runs(lab: &mut Lab, trouble: &str) -> Vec<RunRecord> {
    let run = |seed| {
        let plan = format!("seed={seed}; at 1s: {trouble}");
        let record = lab.run(&plan.parse().unwrap()).unwrap();
        let is_over = record.ending == Ending::Completed;
        assert!(is_over, "{plan}: {:?}", record.ending);
        record
    };
    (1..=SEEDS).map(run).collect()
}

/// Whether the adversary has read the secret.
fn is_read(records: &[RunRecord]) -> bool {
    let heard =
        records.iter().flat_map(|record| &record.events).filter_map(|stamped| {
            match &stamped.event {
                Event::Overheard { bytes, .. } => Some(bytes),
                _ => None,
            }
        });
    let mut heard = heard.peekable();
    assert!(heard.peek().is_some(), "nothing was overheard");
    heard.any(|bytes| bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()))
}

fn plain(world: &mut World) {
    world.host("server").program(plain_server);
    world.host("client").workload(plain_client);
}

fn tls(world: &mut World) {
    world.host("server").program(tls_server);
    world.host("client").workload(tls_client);
}

/// What the adversary does in both tests.
const TAMPERS: [&str; 4] = [
    "tamper server>client 1/3",
    "corrupt server<>client 1/3",
    "inject server<>client 1/3",
    "replay server<>client 1/3",
];

#[test]
fn in_the_clear_a_client_believes_the_adversary() {
    let mut lab = Lab::open("adversary::in_the_clear_a_client_believes_the_adversary", plain);
    let forged = runs(&mut lab, TAMPERS[0]);
    assert!(count(&forged, "wrong") > SEEDS as usize, "{}", count(&forged, "wrong"));
    let damaged = runs(&mut lab, TAMPERS[1]);
    assert!(count(&damaged, "wrong") > 0);
    assert!(is_read(&runs(&mut lab, "eavesdrop server>client")));
}

#[test]
fn with_tls_what_was_touched_is_a_broken_connection() {
    let mut lab = Lab::open("adversary::with_tls_what_was_touched_is_a_broken_connection", tls);
    for trouble in TAMPERS {
        let records = runs(&mut lab, trouble);
        assert_eq!(count(&records, "wrong"), 0, "{trouble}");
        assert!(count(&records, "error") > 0, "{trouble} was never noticed");
        for (record, seed) in records.iter().zip(1..) {
            let one = std::slice::from_ref(record);
            let said = count(one, "error") + count(one, "right");
            assert_eq!(said, 10, "seed={seed}; {trouble}: {:#?}", record.events);
        }
    }
    // An adversary who throws everything away is a broken connection, too; one who only listens learns nothing.
    let dropped = runs(&mut lab, "loss server<>client 1/1");
    assert_eq!(count(&dropped, "error"), 10 * SEEDS as usize);
    let heard = runs(&mut lab, "eavesdrop server<>client");
    assert!(!is_read(&heard));
    assert_eq!(count(&heard, "right"), 10 * SEEDS as usize);
}
