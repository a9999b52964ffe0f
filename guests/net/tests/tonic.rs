//! tonic 0.14: calls with one reply, with a stream of them, with streams both ways, and with a deadline; which exchanges
//! are seen of them, and what a fault does to one of many calls on a connection.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bizarro::prelude::*;
use bizarro::{Exchange, Lab};
use guests::{SERVERS_ARE_UP, prints};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

/// What is deposited.
#[derive(Clone, Copy, PartialEq, prost::Message)]
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

/// A stream of balances for a second, and meanwhile four deposits at a time, one of which is refused.
#[tokio::main]
async fn busy() {
    let bank = connect().await;
    let mut watching = bank.clone();
    let watch = async move {
        let mut balances = watching.watch(Amount { cents: 100 }).await.unwrap().into_inner();
        while balances.message().await.unwrap().is_some() {}
    };
    let deposits = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let calls = [5, 6, 0, 7].map(|cents| {
            let mut bank = bank.clone();
            tokio::spawn(async move { bank.deposit(Amount { cents }).await.is_ok() })
        });
        for call in calls {
            call.await.unwrap();
        }
    };
    tokio::join!(watch, deposits);
}

fn busy_world(world: &mut World) {
    world.host("bank").program(server);
    world.host("client").workload(busy);
}

/// Every exchange of a run of a lab, in the order of their requests.
fn exchanges(lab: &mut Lab, plan: &str) -> Vec<Exchange> {
    let plan = plan.parse().expect("it is a plan");
    lab.run(&plan).expect("runs can be made").exchanges
}

/// Names, statuses and attempts.
fn calls(exchanges: &[Exchange]) -> Vec<String> {
    let call = |x: &Exchange| match x.status {
        Some(status) => format!("{} = {status}, attempt {}", x.id, x.attempt),
        None => format!("{}, attempt {}", x.id, x.attempt),
    };
    exchanges.iter().map(call).collect()
}

#[test]
fn calls_at_the_same_time_are_kept_apart() {
    let mut lab = Lab::open("tonic::calls_at_the_same_time_are_kept_apart", busy_world);
    let seen = exchanges(&mut lab, "baseline");
    let expected = [
        "client>bank grpc bank.Bank/Watch #1 = 0, attempt 1",
        "client>bank grpc bank.Bank/Deposit #1 = 0, attempt 1",
        "client>bank grpc bank.Bank/Deposit #2 = 0, attempt 1",
        "client>bank grpc bank.Bank/Deposit #3 = 3, attempt 1",
        "client>bank grpc bank.Bank/Deposit #4 = 0, attempt 1",
    ];
    let mut found = calls(&seen);
    // Who of the four is first is up to the scheduler; one of them is refused.
    found.sort_by_key(|call| (call.contains("Deposit"), call.clone()));
    let refused = found.iter().filter(|call| call.contains("= 3,")).count();
    let unsaid = |calls: &[&str]| -> Vec<String> {
        calls.iter().map(|call| call.replace("= 3,", "= 0,")).collect()
    };
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!((unsaid(&found), refused), (unsaid(&expected), 1));
    assert!(seen.iter().all(|x| x.connection == 1), "all on one connection");
    let watch = &seen[0];
    for deposit in &seen[1..] {
        assert!(watch.requested < deposit.requested && deposit.completed < watch.completed);
        assert!(deposit.delivered < deposit.replied && deposit.replied <= deposit.completed);
        assert!(deposit.reply_bytes < 200 && watch.reply_bytes > 1000, "each has its own bytes");
    }
}

#[test]
fn a_flipped_bit_strikes_the_call_that_is_meant() {
    let mut lab = Lab::open("tonic::a_flipped_bit_strikes_the_call_that_is_meant", busy_world);
    let usual = exchanges(&mut lab, "baseline");
    let plan = "client>bank grpc bank.Bank/Deposit #2 validate-request=garbage";
    let struck = exchanges(&mut lab, plan);
    assert_eq!(usual.len(), struck.len());
    for (usual, struck) in usual.iter().zip(&struck) {
        let is_meant = struck.id.name.ends_with("Deposit") && struck.id.ordinal == 2;
        // The server cannot read what was deposited, and says so; nobody else notices.
        assert_eq!(struck.status == usual.status, !is_meant, "{}", struck.id);
        assert!(struck.completed.is_some(), "{}", struck.id);
    }
}

/// A deposit that is made again, on a new connection, where no answer comes within a second.
#[tokio::main]
async fn persistent() {
    let mut bank = connect().await;
    let deposit = Amount { cents: 10 };
    let balance = loop {
        match tokio::time::timeout(Duration::from_secs(1), bank.deposit(deposit)).await {
            Ok(Ok(balance)) => break balance.into_inner(),
            _ => {
                drop(bank);
                bank = connect().await;
            }
        }
    };
    println!("{}", balance.cents);
}

fn persistent_world(world: &mut World) {
    world.host("bank").program(server);
    world.host("client").workload(persistent);
    world.check("a deposit counts once", |run| match run.output("client")[..] {
        [] | ["10"] => Ok(()),
        ref other => Err(format!("the balance is {other:?}")),
    });
}

#[test]
fn a_lost_reply_makes_a_second_attempt() {
    let mut lab = Lab::open("tonic::a_lost_reply_makes_a_second_attempt", persistent_world);
    let seen = exchanges(&mut lab, "client>bank grpc bank.Bank/Deposit #1 deliver-reply=lost");
    let expected = [
        "client>bank grpc bank.Bank/Deposit #1 = 0, attempt 1",
        "client>bank grpc bank.Bank/Deposit #2 = 0, attempt 2",
    ];
    assert_eq!(calls(&seen), expected);
    assert_eq!((seen[0].completed, seen[1].connection), (None, 2));
    assert!(seen[1].completed.is_some());
}

/// What the matrix is for: a server that counts a deposit again whose reply was lost.
#[bizarro::test]
fn the_matrix_shows_a_lost_reply(world: &mut World) {
    persistent_world(world);
    world.must_break(&["a deposit counts once"]);
}
