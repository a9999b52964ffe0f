//! tonic 0.14: calls with one reply, with a stream of them, with streams both ways, and with a deadline.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bizarro::prelude::*;
use guests::{SERVERS_ARE_UP, prints};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

/// What is deposited.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Amount {
    #[prost(uint64, tag = "1")]
    cents: u64,
}

/// What is there.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Balance {
    #[prost(uint64, tag = "1")]
    cents: u64,
    #[prost(string, tag = "2")]
    note: String,
}

mod service {
    #![allow(missing_docs)]
    include!(concat!(env!("OUT_DIR"), "/bank.Bank.rs"));
}
use service::bank_client::BankClient;
use service::bank_server::{Bank, BankServer};

#[derive(Default)]
struct Ledger {
    cents: AtomicU64,
}

#[tonic::async_trait]
impl Bank for Ledger {
    async fn deposit(&self, request: Request<Amount>) -> Result<Response<Balance>, Status> {
        let amount = request.into_inner().cents;
        if amount == 0 {
            return Err(Status::invalid_argument("nothing"));
        }
        let cents = self.cents.fetch_add(amount, Ordering::SeqCst) + amount;
        Ok(Response::new(Balance { cents, note: "thanks".into() }))
    }

    async fn ponder(&self, _: Request<Amount>) -> Result<Response<Balance>, Status> {
        std::future::pending().await
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<Balance, Status>> + Send>>;

    async fn watch(&self, request: Request<Amount>) -> Result<Response<Self::WatchStream>, Status> {
        let (from, to) = (self.cents.load(Ordering::SeqCst), request.into_inner().cents);
        let balances = (from..from + to).map(|cents| Ok(Balance { cents, note: String::new() }));
        let slowly = tokio_stream::iter(balances).throttle(Duration::from_millis(10));
        Ok(Response::new(Box::pin(slowly)))
    }

    type TransferStream = Pin<Box<dyn Stream<Item = Result<Balance, Status>> + Send>>;

    async fn transfer(
        &self,
        request: Request<Streaming<Amount>>,
    ) -> Result<Response<Self::TransferStream>, Status> {
        let mut sum = 0;
        let sums = request.into_inner().map(move |amount| {
            sum += amount?.cents;
            Ok(Balance { cents: sum, note: String::new() })
        });
        Ok(Response::new(Box::pin(sums)))
    }
}

#[tokio::main]
async fn server() {
    let bank = BankServer::new(Ledger::default());
    Server::builder().add_service(bank).serve("0.0.0.0:50051".parse().unwrap()).await.unwrap();
}

async fn connect() -> BankClient<Channel> {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    let endpoint = Endpoint::from_static("http://bank:50051");
    BankClient::new(endpoint.connect().await.unwrap())
}

#[tokio::main]
async fn depositor() {
    let mut bank = connect().await;
    for cents in [3, 4] {
        let balance = bank.deposit(Amount { cents }).await.unwrap().into_inner();
        println!("{} {}", balance.cents, balance.note);
    }
    let refused = bank.deposit(Amount { cents: 0 }).await.unwrap_err();
    println!("{:?}: {}", refused.code(), refused.message());
    let calls = (1..=20).map(|cents| {
        let mut bank = bank.clone();
        tokio::spawn(async move { bank.deposit(Amount { cents }).await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    println!("{}", bank.deposit(Amount { cents: 1 }).await.unwrap().into_inner().cents);
}

#[bizarro::test]
fn unary(world: &mut World) {
    world.host("bank").program(server);
    world.host("client").workload(depositor);
    prints(world, "client", &["3 thanks", "7 thanks", "InvalidArgument: nothing", "218"]);
}

#[tokio::main]
async fn watcher() {
    let mut bank = connect().await;
    let start = Instant::now();
    let mut balances = bank.watch(Amount { cents: 100 }).await.unwrap().into_inner();
    let mut seen = Vec::new();
    while let Some(balance) = balances.message().await.unwrap() {
        seen.push(balance.cents);
    }
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
    println!("{} balances in {} s", seen.len(), start.elapsed().as_secs_f32().round());
}

#[bizarro::test]
fn stream_of_replies(world: &mut World) {
    world.host("bank").program(server);
    world.host("client").workload(watcher);
    prints(world, "client", &["100 balances in 1 s"]);
}

#[tokio::main]
async fn mover() {
    let mut bank = connect().await;
    let (amounts, sent) = mpsc::channel(1);
    let replies = bank.transfer(ReceiverStream::new(sent)).await.unwrap();
    let mut replies = replies.into_inner();
    for cents in 1..=50 {
        amounts.send(Amount { cents }).await.unwrap();
        let sum = replies.message().await.unwrap().unwrap().cents;
        assert_eq!(sum, (1..=cents).sum::<u64>());
    }
    drop(amounts);
    println!("{:?}", replies.message().await.unwrap());
}

#[bizarro::test]
fn streams_both_ways(world: &mut World) {
    world.host("bank").program(server);
    world.host("client").workload(mover);
    prints(world, "client", &["None"]);
}

#[tokio::main]
async fn impatient() {
    let mut bank = connect().await;
    let start = Instant::now();
    let mut request = Request::new(Amount { cents: u64::MAX });
    request.set_timeout(Duration::from_secs(1));
    let refused = bank.ponder(request).await.unwrap_err();
    let after = start.elapsed().as_secs();
    println!("{:?}: {} after {after} s", refused.code(), refused.message());
}

/// The deadline travels with the call, as `grpc-timeout`: the server is who keeps it.
#[bizarro::test]
fn deadline(world: &mut World) {
    world.host("bank").program(server);
    world.host("client").workload(impatient);
    prints(world, "client", &["Cancelled: Timeout expired after 1 s"]);
}
