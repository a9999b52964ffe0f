//! The balancer that looks at replies: what is no product is no reply, however fast it came; another server is asked, and
//! one that fails again and again is ejected for a while.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use tower_resilience_outlier::OutlierDetector;

use super::{Upstreams, passed_on};
use crate::http::{Reply, sealed};
use crate::product::verified;

/// Servers that are asked for one reply. The site does not give up before all of them took as long as they may.
const ATTEMPTS: usize = 3;
/// Failures in a row after which a server is ejected.
const FAILURES: usize = 2;
/// How long it is ejected for the first time; twice as long each time after that, up to the longest.
const EJECTED: Duration = Duration::from_secs(10);
const EJECTED_MAX: Duration = Duration::from_secs(60);
/// The share of servers that may be ejected at a time: one is always left.
const EJECTED_SHARE: usize = 67;

/// Servers, and what is thought of them.
#[derive(Clone)]
struct Balancer {
    upstreams: Arc<Upstreams>,
    outliers: OutlierDetector,
}

/// The balancer as a program: `CATALOGUE_LISTEN`, `CATALOGUE_SERVERS`.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    super::run(app(&Upstreams::urls_from_env())).await
}

/// Its one route: `GET /product/ID`, to the fastest of these servers that is well.
pub fn app(servers: &[String]) -> Router {
    let outliers = OutlierDetector::new()
        .max_ejection_percent(EJECTED_SHARE)
        .base_ejection_duration(EJECTED)
        .max_ejection_duration(EJECTED_MAX)
        .on_ejection(|server, _| println!("balancer ejects {server}"))
        .on_recovery(|server, _| println!("balancer tries {server} again"));
    for server in servers {
        outliers.register(server, FAILURES);
    }
    let balancer = Balancer { upstreams: Arc::new(Upstreams::new(servers)), outliers };
    Router::new().route("/product/{id}", get(product)).with_state(balancer)
}

async fn product(State(balancer): State<Balancer>, Path(id): Path<u32>) -> Response {
    for server in balancer.candidates() {
        if let Some(reply) = balancer.ask(server, id).await {
            return passed_on(reply);
        }
    }
    sealed(StatusCode::BAD_GATEWAY, Vec::new())
}

impl Balancer {
    /// Those that are asked one after the other: the fastest first, nobody who is ejected.
    fn candidates(&self) -> Vec<usize> {
        let mut candidates = self.upstreams.by_speed();
        candidates.retain(|index| !self.outliers.is_ejected(&self.upstreams.list[*index].url));
        candidates.truncate(ATTEMPTS);
        candidates
    }

    /// The reply of this server, if it is one: a product, or that there is no such product.
    async fn ask(&self, server: usize, id: u32) -> Option<Reply> {
        let name = &self.upstreams.list[server].url;
        self.upstreams.tell(server);
        let (reply, time) = self.upstreams.ask(server, id).await;
        let is_one = |reply: &Reply| {
            verified(id, reply.status, reply.digest.as_deref(), &reply.body).is_ok()
        };
        match reply.ok().filter(is_one) {
            // Only what is a reply has a speed.
            Some(reply) => {
                self.upstreams.took(server, time);
                self.outliers.record_success(name);
                Some(reply)
            }
            None => {
                self.outliers.record_failure(name);
                None
            }
        }
    }
}
