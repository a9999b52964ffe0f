//! A client that commits `a` at one shard, then `b` at another one, and reads both in the snapshot of the second commit.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use scenario_programs::setting;
use serde::de::DeserializeOwned;

use crate::shard::{At, Committed, Got, Put};

/// For one answer: a commit waits for as long as clocks may be wrong.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);

/// Prints the timestamps of both commits, and what the snapshot at the second one shows. The first one is made after
/// `WAIT_MS`.
#[tokio::main]
pub async fn main() -> ExitCode {
    let http = Client::builder().no_proxy().timeout(PATIENCE).build();
    let http = http.expect("a client without TLS can be made");
    let wait = setting("WAIT_MS", "0").parse().expect("WAIT_MS is a number");
    tokio::time::sleep(Duration::from_millis(wait)).await;
    let shards = [setting("A", "http://shard-a:8080"), setting("B", "http://shard-b:8080")];
    let mut last = 0;
    for (shard, key) in shards.iter().zip(["a", "b"]) {
        let put = Put { id: key.to_string(), value: 1 };
        let committed: Committed = again(http.put(format!("{shard}/value")).json(&put)).await;
        println!("{key} is committed at {}", committed.at_ns);
        last = committed.at_ns;
    }
    let mut seen = Vec::new();
    for shard in &shards {
        let got: Got = again(http.get(format!("{shard}/value")).query(&At { at_ns: last })).await;
        seen.push(got.value.map_or("nothing".to_string(), |value| value.to_string()));
    }
    println!("at {last} a is {} and b is {}", seen[0], seen[1]);
    ExitCode::SUCCESS
}

/// Sends it until there is an answer: a commit that comes twice is one.
async fn again<T: DeserializeOwned>(request: RequestBuilder) -> T {
    loop {
        let request = request.try_clone().expect("the body is in memory");
        let answer = async { request.send().await?.error_for_status()?.json().await };
        match answer.await {
            Ok(answer) => return answer,
            Err(error) => eprintln!("client: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
