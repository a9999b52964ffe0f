//! A node that knows what it can do: it refuses at once what it could not make in time (load shedding), says when to
//! come back, and does not work for those who have gone.

use std::process::ExitCode;
use std::sync::Arc;

use axum::error_handling::HandleErrorLayer;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{BoxError, Router};
use scenario_programs::setting;
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;

use super::{WORK, report};
use crate::http::run;

/// Requests that it has at a time: one that it works on, and those that wait.
pub const WAITING_MAX: usize = 4;

/// The node as a program: `CASCADE_LISTEN`.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    run("node", &setting("CASCADE_LISTEN", "0.0.0.0:8080"), app()).await
}

/// Its one route: `GET /report/NUMBER`.
pub fn app() -> Router {
    let limits = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_: BoxError| async { too_many() }))
        .load_shed()
        // One for all connections: `concurrency_limit` would count for each of them.
        .layer(GlobalConcurrencyLimitLayer::new(WAITING_MAX));
    let worker = Arc::new(Semaphore::new(1));
    Router::new().route("/report/{number}", get(make)).layer(limits).with_state(worker)
}

/// Who goes away takes the request along: hyper drops this future with the connection.
async fn make(State(worker): State<Arc<Semaphore>>, Path(number): Path<u32>) -> Response {
    match worker.acquire().await {
        Ok(_permit) => {
            tokio::time::sleep(WORK).await;
            report(number).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Load shedding is the only thing that fails: come back when those who wait now are served.
fn too_many() -> Response {
    let after = (WORK.as_secs() * WAITING_MAX as u64).to_string();
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, after)]).into_response()
}
