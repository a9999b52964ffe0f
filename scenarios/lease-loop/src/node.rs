//! The nodes: each has requests of its own, and processes them while it holds the lease. The loop is the document's:
//!
//! ```text
//! while (true) {
//!     request = getIncomingRequest();
//!     if (lease.expiryTimeMillis - System.currentTimeMillis() < 10000) lease = lease.renew();
//!     if (lease.isValid()) process(request);
//! }
//! ```

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bizarro_remedy::lease::{Drift, Lease, Token};
use reqwest::{Client, StatusCode};
use scenario_programs::setting;

use crate::registry::{Grant, Held, Wanted, now};
use crate::store::{Read, Write};
use crate::{PAUSE, RENEW};

/// How long a server has to answer, where anybody thought of that.
const PATIENCE: Duration = Duration::from_secs(3);

/// How a node knows that its lease is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// The document's loop: the registry's time of day is compared with its own.
    TimeOfDay,
    /// It counts on its monotonic clock, from before it asked.
    Monotonic,
    /// The same, and it does not wait for an answer for ever.
    Careful,
    /// It shows a token that nobody gave it.
    Nobody,
}

/// The document's loop.
pub fn time_of_day() -> ExitCode {
    run(Trust::TimeOfDay)
}

/// The loop on a monotonic clock, with time-outs. With a store that looks at tokens this is the remedy.
pub fn careful() -> ExitCode {
    run(Trust::Careful)
}

/// The loop on a monotonic clock.
pub fn monotonic() -> ExitCode {
    run(Trust::Monotonic)
}

/// A node that lies: it never asks for the lease, and shows the highest token that there is.
pub fn forged() -> ExitCode {
    run(Trust::Nobody)
}

/// Processes `REQUESTS` (1) requests, one every `EVERY_MS`, the first after `WAIT_MS`, under the name `NODE`.
#[tokio::main]
async fn run(trust: Trust) -> ExitCode {
    let http = match trust {
        Trust::TimeOfDay | Trust::Monotonic => Client::builder(),
        Trust::Careful | Trust::Nobody => Client::builder().timeout(PATIENCE),
    };
    let http = http.no_proxy().build();
    let name = setting("NODE", "node");
    let node = Node {
        http: http.expect("a client without TLS can be made"),
        registry: setting("REGISTRY", "http://registry:8080"),
        store: setting("STORE", "http://store:8080"),
        // Another holder after a restart.
        holder: format!("{name}/{}", now().as_nanos()),
        trust,
    };
    let requests: u32 = setting("REQUESTS", "1").parse().expect("REQUESTS is a number");
    let every = setting("EVERY_MS", "0").parse().expect("EVERY_MS is a number");
    let wait = setting("WAIT_MS", "0").parse().expect("WAIT_MS is a number");
    tokio::time::sleep(Duration::from_millis(wait)).await;
    let (begun, every) = (Instant::now(), Duration::from_millis(every));
    let mut held = None;
    for number in 1..=requests {
        let due = every * (number - 1);
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
        node.handle(&format!("{name} #{number}"), &mut held).await;
        println!("{name} #{number} is processed");
    }
    ExitCode::SUCCESS
}

struct Node {
    http: Client,
    registry: String,
    store: String,
    holder: String,
    trust: Trust,
}

/// A lease as the node knows it.
enum Holding {
    /// Until this time of day, in milliseconds since 1970.
    Until(Token, u64),
    /// As its own clock counts.
    Counted(Lease),
    /// Always.
    Forged,
}

impl Holding {
    fn remaining(&self) -> Duration {
        match self {
            Holding::Until(_, expiry_ms) => Duration::from_millis(*expiry_ms).saturating_sub(now()),
            Holding::Counted(lease) => lease.remaining(),
            Holding::Forged => Duration::MAX,
        }
    }

    fn token(&self) -> Option<Token> {
        match self {
            Holding::Until(token, _) => Some(*token).filter(|_| !self.remaining().is_zero()),
            Holding::Counted(lease) => lease.token().ok(),
            Holding::Forged => Some(Token(u64::MAX)),
        }
    }
}

/// What became of a request.
enum Processed {
    Done,
    /// Another one had the lease since.
    Stale,
    Unknown(String),
}

impl Node {
    /// Goes round the loop until the request is processed.
    async fn handle(&self, request: &str, held: &mut Option<Holding>) {
        loop {
            if held.as_ref().is_none_or(|lease| lease.remaining() < RENEW) {
                match self.renew().await {
                    Ok(Ok(lease)) => *held = Some(lease),
                    Ok(Err(at_most)) => {
                        // As long as its own lease lasts, nobody else has it.
                        tokio::time::sleep(at_most + Duration::from_millis(1)).await;
                        continue;
                    }
                    Err(error) => {
                        eprintln!("{request}: {error}");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            let Some(token) = held.as_ref().and_then(Holding::token) else { continue };
            match self.process(request, token).await {
                Processed::Done => return,
                Processed::Stale => *held = None,
                Processed::Unknown(error) => eprintln!("{request}: {error}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks for the lease, or for more of it.
    async fn renew(&self) -> Result<Result<Holding, Duration>, reqwest::Error> {
        if self.trust == Trust::Nobody {
            return Ok(Ok(Holding::Forged));
        }
        let asked = Instant::now();
        let wanted = Wanted { holder: self.holder.clone() };
        let url = format!("{}/lease", self.registry);
        let answer = self.http.post(url).json(&wanted).send().await?;
        if answer.status() == StatusCode::CONFLICT {
            let Held { at_most_ms } = answer.json().await?;
            return Ok(Err(Duration::from_millis(at_most_ms)));
        }
        let Grant { token, ttl_ms, expiry_ms } = answer.error_for_status()?.json().await?;
        Ok(Ok(match self.trust {
            Trust::TimeOfDay => Holding::Until(token, expiry_ms),
            _ => {
                let ttl = Duration::from_millis(ttl_ms);
                Holding::Counted(Lease::granted("leader", token, asked, ttl, Drift::default()))
            }
        }))
    }

    /// Reads the value, and writes one that is higher by 1.
    async fn process(&self, request: &str, token: Token) -> Processed {
        let url = format!("{}/account", self.store);
        let read = async {
            let answer = self.http.get(&url).query(&[("token", token)]).send().await?;
            if answer.status() == StatusCode::PRECONDITION_FAILED {
                return Ok(None);
            }
            answer.error_for_status()?.json::<Read>().await.map(Some)
        };
        let read = match read.await {
            Ok(Some(read)) => read,
            Ok(None) => return Processed::Stale,
            Err(error) => return Processed::Unknown(error.to_string()),
        };
        if read.done.iter().any(|done| done == request) {
            return Processed::Done;
        }
        let write = Write { request: request.to_string(), value: read.value + 1, token };
        let sent = self.http.put(&url).json(&write).send().await;
        match sent.and_then(|answer| match answer.status() {
            StatusCode::PRECONDITION_FAILED => Ok(Processed::Stale),
            _ => answer.error_for_status().map(|_| Processed::Done),
        }) {
            Ok(processed) => processed,
            Err(error) => Processed::Unknown(error.to_string()),
        }
    }
}
