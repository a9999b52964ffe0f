//! Leases in a real etcd (Debian: etcd-server), which the test starts. Where there is none it says so and holds;
//! `BIZARRO_NEED_ETCD=1` makes it fail.
//!
//! `cargo test -p bizarro-remedy --features etcd --test etcd`; that needs `protoc` (Debian: protobuf-compiler, libprotobuf-dev).

#![cfg(feature = "etcd")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bizarro_remedy::lease::etcd::EtcdLeases;
use bizarro_remedy::lease::{Answer, Drift, Expired, Lease, LeaseStore};
use etcd_client::Client;
use tempfile::TempDir;

struct Etcd {
    process: Child,
    url: String,
    _data: TempDir,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // Where it has ended by itself there is nothing to kill.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A port that nobody has at the moment.
fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    format!("http://{}", listener.local_addr().expect("it is bound"))
}

fn start() -> Option<Etcd> {
    let (data, url, peers) = (tempfile::tempdir().expect("a directory"), free(), free());
    let started = Command::new("etcd")
        .arg("--data-dir")
        .arg(data.path())
        .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
        .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", &format!("default={peers}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(process) => Some(Etcd { process, url, _data: data }),
        Err(error) if std::env::var_os("BIZARRO_NEED_ETCD").is_some() => {
            panic!("etcd cannot be started: {error}")
        }
        Err(error) => {
            eprintln!("SKIPPED: etcd cannot be started ({error}); Debian has it in etcd-server");
            None
        }
    }
}

#[tokio::test]
async fn a_lease_in_etcd_is_held_by_one_and_ends_by_itself() {
    let Some(etcd) = start() else { return };
    let begun = Instant::now();
    let client = loop {
        if let Ok(mut client) = Client::connect([&etcd.url], None).await
            && client.status().await.is_ok()
        {
            break client;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "etcd does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let store = EtcdLeases::new(client, "leases/");
    let (ttl, drift) = (Duration::from_secs(2), Drift::default());
    let acquire = |holder| Lease::acquire(&store, "a", holder, ttl, drift);

    let mut one = acquire("one").await.unwrap().unwrap();
    let token = one.token().unwrap();
    assert_eq!(store.acquire("a", "one", ttl).await.unwrap(), Answer::Granted(token));
    assert!(acquire("two").await.unwrap().unwrap_err() <= ttl + Duration::from_secs(2));
    one.renew(&store).await.unwrap().unwrap();

    // Nobody renews it: it ends, and not before its holder knows.
    let two = loop {
        match acquire("two").await.unwrap() {
            Ok(lease) => break lease,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    assert_eq!(one.token(), Err(Expired));
    assert!(two.token().unwrap() > token);
    assert_eq!(one.renew(&store).await.unwrap(), Err(Expired));
    // What the one gives back is not the other one's.
    one.release(&store).await.unwrap();
    assert!(acquire("three").await.unwrap().is_err());

    let second = two.token().unwrap();
    two.release(&store).await.unwrap();
    let three = acquire("three").await.unwrap().unwrap();
    assert!(three.token().unwrap() > second);
}
