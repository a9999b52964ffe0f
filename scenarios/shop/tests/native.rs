//! The shop and the payment service on this machine: real sockets and files.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use shop::config::Config;
use shop::payment::{self, state_of};
use shop::proto::Order;
use shop::proto::answer::State;
use shop::proto::payment_client::PaymentClient;
use shop::shop::{Book, Fate, Payment, careful, hurried};
use shop::{CARD_MAX, ORDERS, Ordered, Stock};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tonic::{Code, Request};

fn config(data: &Path) -> Config {
    let listen = "127.0.0.1:0".to_string();
    Config { listen, data: data.to_path_buf(), ..Config::from_env() }
}

/// A payment service, and the settings of a shop that asks it; their files are in this directory.
async fn start(directory: &Path) -> (SocketAddr, Config) {
    let settings = config(&directory.join("payment.db"));
    let listener = TcpListener::bind(&settings.listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { payment::serve(listener, &settings).await });
    let payment = format!("http://{address}");
    (address, Config { payment, ..config(&directory.join("shop.db")) })
}

fn order(number: u64, cents: u64) -> Ordered {
    Ordered { number, cents, stock: Stock::There }
}

#[tokio::test]
async fn every_shop_serves_its_orders() {
    for kind in ["cancels", "ships anyway", "careful"] {
        let directory = tempfile::tempdir().unwrap();
        let (_, settings) = start(directory.path()).await;
        match kind {
            "cancels" => hurried::serve(&settings, Fate::Cancelled).await,
            "ships anyway" => hurried::serve(&settings, Fate::Shipped).await,
            _ => careful::serve(&settings).await.unwrap(),
        }
        let mut book = Book::new(&settings.data);
        let fates = ORDERS.map(|order| book.fate(order.number).unwrap());
        assert_eq!(fates, [Fate::Shipped, Fate::Cancelled], "{kind}");
        let ledger = Connection::open(directory.path().join("payment.db")).unwrap();
        let states = ORDERS.map(|order| state_of(&ledger, order.number).unwrap().unwrap());
        assert_eq!(states, [State::Charged, State::Voided], "{kind}");
    }
}

#[tokio::test]
async fn what_becomes_of_a_payment_is_decided_once_across_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        // A second service on the same ledger is what a restart leaves.
        let (_, settings) = start(directory.path()).await;
        let mut payment = Payment::new(&settings, None);
        for _ in 0..2 {
            assert_eq!(payment.charge(order(1, 30)).await.unwrap(), State::Charged);
            assert_eq!(payment.charge(order(2, CARD_MAX + 1)).await.unwrap(), State::Declined);
            // Made void before it was charged: it never will be.
            assert_eq!(payment.void(order(3, 30)).await.unwrap(), State::Voided);
            assert_eq!(payment.charge(order(3, 30)).await.unwrap(), State::Voided);
        }
        let other = payment.charge(order(1, 31)).await.unwrap_err();
        assert_eq!(other.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_careful_shop_takes_back_what_it_cannot_have_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let (_, settings) = start(directory.path()).await;
    // The customer does not wait at all: nothing is charged, and nothing will be.
    let settings = Config { customer: Duration::ZERO, ..settings };
    careful::serve(&settings).await.unwrap();
    let mut book = Book::new(&settings.data);
    assert!(ORDERS.iter().all(|order| book.fate(order.number) == Some(Fate::Cancelled)));
    let mut payment = Payment::new(&settings, None);
    assert_eq!(payment.charge(ORDERS[0]).await.unwrap(), State::Voided);
}

#[tokio::test]
async fn bad_requests_are_refused_and_the_service_stays_up() {
    let directory = tempfile::tempdir().unwrap();
    let (address, settings) = start(directory.path()).await;
    let mut payment = PaymentClient::connect(settings.payment.clone()).await.unwrap();
    let code = payment.charge(Order { number: 1, cents: 1 }).await.unwrap_err().code();
    assert_eq!(code, Code::Unauthenticated, "without a token");
    for (number, cents) in [(0, 1), (1, 0)] {
        let mut request = Request::new(Order { number, cents });
        let token = format!("Bearer {}", settings.token).parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        let code = payment.void(request).await.unwrap_err().code();
        assert_eq!(code, Code::InvalidArgument, "{number} {cents}");
    }
    // Messages that are no messages, and one that is too long: by a client that does not know the service's.
    for (bytes, wanted) in [(vec![0xff; 10], Code::Internal), (vec![0; 100_000], Code::OutOfRange)]
    {
        let channel = tonic::transport::Endpoint::from_shared(settings.payment.clone()).unwrap();
        let mut raw = tonic::client::Grpc::new(channel.connect().await.unwrap());
        raw.ready().await.unwrap();
        let mut request = Request::new(bytes);
        let token = format!("Bearer {}", settings.token).parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        let path = "/shop.Payment/Charge".parse().unwrap();
        let codec = tonic_prost::ProstCodec::<Vec<u8>, Order>::default();
        let refused = raw.unary(request, path, codec).await.unwrap_err();
        assert!(refused.code() == wanted || refused.code() == Code::InvalidArgument, "{refused:?}");
    }
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 1000]] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The service may have hung up by now.
        let _ = stream.write_all(bytes).await;
    }
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"PRI * HT").await.unwrap();
        slow.push(stream);
    }
    let mut payment = Payment::new(&settings, None);
    assert_eq!(payment.charge(order(1, 30)).await.unwrap(), State::Charged);
}
