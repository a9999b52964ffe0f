//! A front that knows a fixed time-out. Who does not answer within it is dead, and the others do its work: all of them are
//! asked, the first reply counts.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{ask, nodes_from_env, serve_customers};

/// A report takes one second, and nobody waits for more than one other.
const TIMEOUT: Duration = Duration::from_millis(2500);
/// For how long a node stays dead.
const DEAD: Duration = Duration::from_secs(10);

struct Front {
    client: reqwest::Client,
    nodes: Vec<String>,
    /// Until when each of them is dead.
    dead: Mutex<Vec<Option<Instant>>>,
}

/// The front as a program: `CASCADE_NODES`.
#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    run(nodes_from_env()).await;
}

/// Serves all customers from these nodes.
pub async fn run(nodes: Vec<String>) {
    let dead = Mutex::new(vec![None; nodes.len()]);
    let front = Arc::new(Front { client: reqwest::Client::new(), nodes, dead });
    serve_customers(|number| get(front.clone(), number)).await;
}

async fn get(front: Arc<Front>, number: u32) -> String {
    loop {
        let mut asked = JoinSet::new();
        for node in front.who_serves(number) {
            let front = front.clone();
            asked.spawn(async move {
                let report = ask(&front.client, &front.nodes[node], number, TIMEOUT).await;
                (node, report)
            });
        }
        while let Some(Ok((node, report))) = asked.join_next().await {
            match report {
                Ok(report) => return report,
                Err(_) => front.bury(node),
            }
        }
    }
}

impl Front {
    /// The node that is responsible for this report; where it is dead, the others. Where all are, all are tried again.
    fn who_serves(&self, number: u32) -> Vec<usize> {
        let home = number as usize % self.nodes.len();
        let mut dead = self.dead.lock().expect("no holder of the lock panics");
        let is_alive = |until: &Option<Instant>| until.is_none_or(|until| until <= Instant::now());
        if dead.iter().all(|until| !is_alive(until)) {
            println!("front: all nodes are dead");
            dead.fill(None);
            return (0..self.nodes.len()).collect();
        }
        if is_alive(&dead[home]) {
            return vec![home];
        }
        (0..self.nodes.len()).filter(|node| is_alive(&dead[*node])).collect()
    }

    fn bury(&self, node: usize) {
        println!("front: {} is dead", self.nodes[node]);
        let mut dead = self.dead.lock().expect("no holder of the lock panics");
        dead[node] = Some(Instant::now() + DEAD);
    }
}
