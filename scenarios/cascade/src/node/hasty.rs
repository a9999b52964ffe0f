//! A node that takes every request and works them off in their order, also for those who have long gone.

use std::process::ExitCode;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use scenario_programs::setting;
use tokio::sync::{mpsc, oneshot};

use super::{WORK, report};
use crate::http::run;

type Job = (u32, oneshot::Sender<String>);

/// The node as a program: `CASCADE_LISTEN`.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    run("node", &setting("CASCADE_LISTEN", "0.0.0.0:8080"), app()).await
}

/// Its one route: `GET /report/NUMBER`. Call it inside a runtime, for the thread that works.
pub fn app() -> Router {
    let (queue, mut jobs) = mpsc::unbounded_channel::<Job>();
    tokio::spawn(async move {
        while let Some((number, reply)) = jobs.recv().await {
            tokio::time::sleep(WORK).await;
            // Whether anybody still wants it is not asked.
            let _ = reply.send(report(number));
        }
    });
    Router::new().route("/report/{number}", get(make)).with_state(queue)
}

async fn make(
    State(queue): State<mpsc::UnboundedSender<Job>>,
    Path(number): Path<u32>,
) -> Response {
    let (reply, made) = oneshot::channel();
    // The queue is there for as long as the runtime.
    let _ = queue.send((number, reply));
    match made.await {
        Ok(report) => report.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
