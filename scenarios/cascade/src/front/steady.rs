//! A front that adds no load where there is too much: it waits for as long as replies take (RFC 6298), asks one node at a
//! time, goes to the next after a pause that grows and is drawn, and comes back when a node says so. That a node is slow
//! says nothing about the next request, and nobody is declared dead.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use bizarro_remedy::detector::{Limits, RoundTrips};

use super::{Refused, ask, nodes_from_env, serve_customers};

/// Before anything is known: as long as a customer may have to wait behind those whom a node takes at a time, and a little.
const LIMITS: Limits = Limits {
    initial: Duration::from_secs(5),
    min: Duration::from_secs(1),
    max: Duration::from_secs(20),
};

struct Front {
    client: reqwest::Client,
    nodes: Vec<String>,
    trips: Vec<Mutex<RoundTrips>>,
}

/// The front as a program: `CASCADE_NODES`.
#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    run(nodes_from_env()).await;
}

/// Serves all customers from these nodes.
pub async fn run(nodes: Vec<String>) {
    let trips = nodes.iter().map(|_| Mutex::new(RoundTrips::new(LIMITS))).collect();
    let front = Arc::new(Front { client: reqwest::Client::new(), nodes, trips });
    serve_customers(|number| get(front.clone(), number)).await;
}

/// Pauses between attempts, without end.
fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .with_jitter()
        .build()
}

async fn get(front: Arc<Front>, number: u32) -> String {
    let mut pauses = pauses();
    let mut node = number as usize % front.nodes.len();
    loop {
        let after = match front.ask(node, number).await {
            Ok(report) => return report,
            Err(Refused::Busy(after)) => after.unwrap_or_default(),
            Err(Refused::Nothing) => Duration::ZERO,
        };
        node = (node + 1) % front.nodes.len();
        let pause = pauses.next().expect("there is no last one");
        // What one node says of itself holds for the next one too where all are busy, and drawn pauses keep customers apart.
        tokio::time::sleep(after + pause).await;
    }
}

impl Front {
    async fn ask(&self, node: usize, number: u32) -> Result<String, Refused> {
        let trips = || self.trips[node].lock().expect("no holder of the lock panics");
        let (timeout, begun) = (trips().timeout(), Instant::now());
        let report = ask(&self.client, &self.nodes[node], number, timeout).await;
        match &report {
            Ok(_) => trips().observe(begun.elapsed()),
            // A refusal says nothing of how long a report takes.
            Err(Refused::Busy(_)) => {}
            Err(Refused::Nothing) if begun.elapsed() >= timeout => trips().expired(),
            Err(Refused::Nothing) => {}
        }
        report
    }
}
