//! The bank and its tellers on this machine: real sockets and files.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bank::config::Config;
use bank::proto::answer::Result as Verdict;
use bank::proto::bank_client::BankClient;
use bank::proto::{Account, Withdrawal};
use bank::server;
use bank::teller::{self, Bank, Book, Entry};
use bank::{ACCOUNT, CUSTOMERS, OPENING};
use bizarro_remedy::idempotency::{HEADER, Key};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tonic::{Code, Request};

fn config(data: &Path) -> Config {
    let listen = "127.0.0.1:0".to_string();
    Config { listen, data: data.to_path_buf(), ..Config::from_env() }
}

async fn start(data: &Path) -> (SocketAddr, Config) {
    let settings = config(data);
    let listener = TcpListener::bind(&settings.listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { server::serve(listener, &settings).await });
    (address, Config { bank: format!("http://{address}"), ..config(data) })
}

fn request<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

async fn balance(config: &Config) -> u64 {
    let mut bank = BankClient::connect(config.bank.clone()).await.unwrap();
    let account = request(Account { account: ACCOUNT.to_string() }, &config.token);
    bank.balance(account).await.unwrap().into_inner().cents
}

#[tokio::test]
async fn every_teller_serves_its_customers() {
    let directory = tempfile::tempdir().unwrap();
    for kind in ["gives-up", "naive", "careful"] {
        let data = directory.path().join(kind);
        let (_, settings) = start(&data).await;
        match kind {
            "gives-up" => teller::naive::serve(&settings, 1).await.unwrap(),
            "naive" => teller::naive::serve(&settings, teller::naive::ATTEMPTS).await.unwrap(),
            _ => teller::careful::serve(&settings).await.unwrap(),
        }
        let book = Book::open(&data).unwrap();
        let paid = Entry::Paid(CUSTOMERS[0].0.to_string(), CUSTOMERS[0].1);
        assert!(book.entries().contains(&paid), "{kind}");
        assert!(book.entries().contains(&Entry::Refused(CUSTOMERS[1].0.to_string())), "{kind}");
        assert_eq!(balance(&settings).await, OPENING - CUSTOMERS[0].1, "{kind}");
    }
}

#[tokio::test]
async fn a_key_withdraws_once_across_a_restart_of_the_bank() {
    let directory = tempfile::tempdir().unwrap();
    let key = Key::random();
    for _ in 0..2 {
        // A second bank on the same ledger is what a restart leaves.
        let (_, settings) = start(directory.path()).await;
        let mut bank = Bank::new(&settings, None);
        for _ in 0..3 {
            assert_eq!(bank.withdraw(30, Some(&key)).await.unwrap(), Verdict::Success);
        }
        assert_eq!(balance(&settings).await, OPENING - 30);
        let other = bank.withdraw(31, Some(&key)).await.unwrap_err();
        assert_eq!(other.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_key_withdraws_once_from_many_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let (_, settings) = start(directory.path()).await;
    let key = Key::random();
    let asked = (0..20).map(|_| {
        let (mut bank, key) = (Bank::new(&settings, None), key.clone());
        tokio::spawn(async move { bank.withdraw(30, Some(&key)).await })
    });
    for answer in asked.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap().unwrap(), Verdict::Success);
    }
    assert_eq!(balance(&settings).await, OPENING - 30);
}

#[tokio::test]
async fn bad_requests_are_refused_and_the_bank_stays_up() {
    let directory = tempfile::tempdir().unwrap();
    let (address, settings) = start(directory.path()).await;
    let mut bank = BankClient::connect(settings.bank.clone()).await.unwrap();
    let token = settings.token.clone();
    let withdrawal = |account: &str, cents| Withdrawal { account: account.to_string(), cents };

    let code = bank.withdraw(withdrawal(ACCOUNT, 1)).await.unwrap_err().code();
    assert_eq!(code, Code::Unauthenticated, "without a token");
    let code = bank.withdraw(request(withdrawal(ACCOUNT, 1), "other")).await.unwrap_err().code();
    assert_eq!(code, Code::Unauthenticated, "with another token");
    let code = bank.withdraw(request(withdrawal("other", 1), &token)).await.unwrap_err().code();
    assert_eq!(code, Code::NotFound, "from no account");
    let code = bank.withdraw(request(withdrawal(ACCOUNT, 0), &token)).await.unwrap_err().code();
    assert_eq!(code, Code::InvalidArgument, "nothing");
    let long = withdrawal(&"a".repeat(100_000), 1);
    let code = bank.withdraw(request(long, &token)).await.unwrap_err().code();
    assert_eq!(code, Code::OutOfRange, "an oversized message");
    for bad in ["", "\"\"", "no quotes", "\"two words\""] {
        let mut request = request(withdrawal(ACCOUNT, 1), &token);
        request.metadata_mut().insert(HEADER, bad.parse().unwrap());
        let code = bank.withdraw(request).await.unwrap_err().code();
        assert_eq!(code, Code::InvalidArgument, "the key {bad}");
    }

    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 1000], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The bank may have hung up by now.
        let _ = stream.write_all(bytes).await;
    }
    assert_eq!(balance(&settings).await, OPENING);
}

#[tokio::test]
async fn slow_clients_stop_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let (address, settings) = start(directory.path()).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"PRI * HT").await.unwrap();
        slow.push(stream);
    }
    let read = tokio::time::timeout(Duration::from_secs(10), balance(&settings));
    assert_eq!(read.await.unwrap(), OPENING);
}
