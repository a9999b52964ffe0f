//! The clients of figure 8-3: A sets x to 1, B adds 1 to what it reads. Both do one thing, and do it until it is done.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::Client;
use scenario_programs::setting;
use serde::de::DeserializeOwned;

use crate::register::{Context, Got, Put, Write};

/// For one answer, and between two attempts.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(100);
/// Before the first look at what the nodes have; twice as long before each later one.
const LOOK: Duration = Duration::from_millis(50);
const LOOK_MAX: Duration = Duration::from_secs(10);

/// Client A: sets x to `VALUE` (1) at the node `AT`, under the name `ID`. With
/// `SETTLE=yes` it prints what the nodes have when they agree.
#[tokio::main]
pub async fn set() -> ExitCode {
    let client = Nodes::new();
    let value = setting("VALUE", "1").parse().expect("VALUE is a number");
    // For a test in which something happens first.
    let wait = setting("WAIT_MS", "0").parse().expect("WAIT_MS is a number");
    tokio::time::sleep(Duration::from_millis(wait)).await;
    let write = Write { id: setting("ID", "a"), value };
    let put = Put { write, context: Context::new() };
    client.put(&setting("AT", "http://node-1:8080"), &put).await;
    println!("{} set x to {value}", put.write.id);
    if setting("SETTLE", "no") == "yes" {
        client.settled().await;
    }
    ExitCode::SUCCESS
}

/// Client B: reads x at the node `AT` until there is a value, and writes one more. It prints what it did, and what the
/// nodes have when they agree.
#[tokio::main]
pub async fn increment() -> ExitCode {
    let client = Nodes::new();
    let (at, id) = (setting("AT", "http://node-3:8080"), setting("ID", "b"));
    let value = loop {
        let got: Got = client.get(&format!("{at}/x?wait=true")).await;
        // This program may have been killed after its write.
        if let Some(done) = got.writes.iter().find(|write| write.id == id) {
            break done.value;
        }
        let Some(highest) = got.writes.iter().map(|write| write.value).max() else { continue };
        let write = Write { id: id.clone(), value: highest + 1 };
        client.put(&at, &Put { write, context: got.context }).await;
        break highest + 1;
    };
    println!("{id} set x to {value}");
    client.settled().await;
    ExitCode::SUCCESS
}

struct Nodes {
    http: Client,
    all: Vec<String>,
}

impl Nodes {
    fn new() -> Nodes {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build();
        let all = setting("NODES", "http://node-1:8080,http://node-2:8080,http://node-3:8080");
        Nodes {
            http: http.expect("a client without TLS can be made"),
            all: all.split(',').map(str::to_string).collect(),
        }
    }

    /// Sends it until a node says that it has it: it is the same write however often it comes.
    async fn put(&self, node: &str, put: &Put) {
        loop {
            let sent = self.http.put(format!("{node}/x")).json(put).send().await;
            match sent.and_then(reqwest::Response::error_for_status) {
                Ok(_) => return,
                Err(error) => eprintln!("{}: {error}", put.write.id),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> T {
        loop {
            let answer =
                async { self.http.get(url).send().await?.error_for_status()?.json().await };
            match answer.await {
                Ok(read) => return read,
                Err(error) => eprintln!("{url}: {error}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until all nodes have the same, and prints it.
    async fn settled(&self) {
        let mut pause = LOOK;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_MAX);
            let mut all: Vec<Got> = Vec::new();
            for node in &self.all {
                all.push(self.get(&format!("{node}/x")).await);
            }
            if all.iter().all(|got| got.writes == all[0].writes) {
                let values: Vec<String> =
                    all[0].writes.iter().map(|write| write.value.to_string()).collect();
                println!("x is {}", values.join(" and "));
                return;
            }
        }
    }
}
