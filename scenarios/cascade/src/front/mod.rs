//! The front: customers who want reports, one after the other. Each report has a node that it is asked of first.

pub mod hasty;
pub mod steady;

use std::time::Duration;

use scenario_programs::setting;

use crate::node;

/// Customers at a time. Two for each node: that is all that the nodes can do.
const CUSTOMERS: u32 = 6;
/// Reports that each of them wants.
const REPORTS: u32 = 2;

/// Why there is no report.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The node is there, and has too much to do; it may say when to come back.
    Busy(Option<Duration>),
    /// Nothing came, or nothing that is this report.
    Nothing,
}

/// The URLs of the nodes: `CASCADE_NODES`, separated by spaces.
pub(crate) fn nodes_from_env() -> Vec<String> {
    let nodes =
        setting("CASCADE_NODES", "http://node-1:8080 http://node-2:8080 http://node-3:8080");
    nodes.split_whitespace().map(str::to_string).collect()
}

/// Asks a node for a report, for so long.
pub(crate) async fn ask(
    client: &reqwest::Client,
    node: &str,
    number: u32,
    timeout: Duration,
) -> Result<String, Refused> {
    let request = client.get(format!("{node}/report/{number}")).timeout(timeout);
    let response = request.send().await.map_err(|_| Refused::Nothing)?;
    if response.status().as_u16() == 503 {
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let seconds = after.and_then(|text| text.parse().ok());
        return Err(Refused::Busy(seconds.map(Duration::from_secs)));
    }
    let report = response.text().await.map_err(|_| Refused::Nothing)?;
    if report == node::report(number) { Ok(report) } else { Err(Refused::Nothing) }
}

/// Serves all customers at once with `get`, which gives the report of a number; prints who is served.
pub(crate) async fn serve_customers<F>(get: impl Fn(u32) -> F)
where
    F: Future<Output = String> + Send + 'static,
{
    let mut customers = tokio::task::JoinSet::new();
    for customer in 0..CUSTOMERS {
        let reports: Vec<F> = (0..REPORTS).map(|nth| get(nth * CUSTOMERS + customer)).collect();
        customers.spawn(async move {
            for report in reports {
                println!("customer {customer} has {}", report.await);
            }
        });
    }
    customers.join_all().await;
}
