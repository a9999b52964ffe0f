//! Balancers between the site and the servers of the catalogue. Both favour the fastest; what they take for a reply is the
//! difference.

pub mod fastest;
pub mod guarded;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::Response;
use scenario_programs::setting;

use crate::http::{self, Reply, sealed};
use crate::product::DIGEST;

/// How long a server may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A server, and how fast it is.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) url: String,
    /// Moving average of how long its replies take, in nanoseconds; 0 before the first.
    mean: AtomicU64,
}

/// The servers, and a client for all of them.
#[derive(Debug)]
pub(crate) struct Upstreams {
    pub(crate) list: Vec<Upstream>,
    client: reqwest::Client,
    favourite: Mutex<Option<usize>>,
}

impl Upstreams {
    /// Servers at these URLs.
    pub(crate) fn new(urls: &[String]) -> Upstreams {
        let list = urls.iter().map(|url| Upstream { url: url.clone(), mean: AtomicU64::new(0) });
        Upstreams {
            list: list.collect(),
            client: http::client(TIMEOUT),
            favourite: Mutex::new(None),
        }
    }

    /// Those of the environment: `CATALOGUE_SERVERS`, separated by spaces.
    pub(crate) fn urls_from_env() -> Vec<String> {
        let urls = setting(
            "CATALOGUE_SERVERS",
            "http://catalogue-1:8080 http://catalogue-2:8080 http://catalogue-3:8080",
        );
        urls.split_whitespace().map(str::to_string).collect()
    }

    /// All of them, by how fast they are; those of which nothing is known first.
    pub(crate) fn by_speed(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        order.sort_by_key(|index| self.list[*index].mean.load(Ordering::Relaxed));
        order
    }

    /// Asks a server for a product, and says how long that took.
    pub(crate) async fn ask(&self, index: usize, id: u32) -> (Result<Reply, String>, Duration) {
        let begun = Instant::now();
        let reply =
            http::get(&self.client, &format!("{}/product/{id}", self.list[index].url)).await;
        (reply, begun.elapsed())
    }

    /// Takes into account how long a reply took.
    pub(crate) fn took(&self, index: usize, time: Duration) {
        let mean = &self.list[index].mean;
        let (old, new) = (mean.load(Ordering::Relaxed), time.as_nanos() as u64);
        mean.store(
            if old == 0 || old == FAILED { new } else { (7 * old + 3 * new) / 10 },
            Ordering::Relaxed,
        );
    }

    /// Forgets how fast a server was: it counts as slower than any other.
    pub(crate) fn failed(&self, index: usize) {
        self.list[index].mean.store(FAILED, Ordering::Relaxed);
    }

    /// Says which server is the favourite, where that is another one than before.
    pub(crate) fn tell(&self, favourite: usize) {
        let mut told = self.favourite.lock().expect("no holder of the lock panics");
        if *told != Some(favourite) {
            *told = Some(favourite);
            println!("balancer favours {}", self.list[favourite].url);
        }
    }
}

/// The average of a server that did not answer.
const FAILED: u64 = Duration::from_secs(60).as_nanos() as u64;

/// A server's reply, passed on as it is.
fn passed_on(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let Some(Ok(digest)) = reply.digest.map(axum::http::HeaderValue::try_from) else {
        return sealed(StatusCode::BAD_GATEWAY, Vec::new());
    };
    let mut response = sealed(status, reply.body);
    response.headers_mut().insert(DIGEST, digest);
    response
}

async fn run(app: axum::Router) -> ExitCode {
    http::run("balancer", &setting("CATALOGUE_LISTEN", "0.0.0.0:8080"), app).await
}
