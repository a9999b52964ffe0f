//! The balancer as it was: a server that answers is well, and the fastest is the best.

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::{Upstreams, passed_on};
use crate::http::sealed;

/// The balancer as a program: `CATALOGUE_LISTEN`, `CATALOGUE_SERVERS`.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    super::run(app(&Upstreams::urls_from_env())).await
}

/// Its one route: `GET /product/ID`, to the fastest of these servers.
pub fn app(servers: &[String]) -> Router {
    let upstreams = Arc::new(Upstreams::new(servers));
    Router::new().route("/product/{id}", get(product)).with_state(upstreams)
}

async fn product(State(upstreams): State<Arc<Upstreams>>, Path(id): Path<u32>) -> Response {
    let Some(fastest) = upstreams.by_speed().first().copied() else {
        return sealed(StatusCode::BAD_GATEWAY, Vec::new());
    };
    upstreams.tell(fastest);
    let (reply, time) = upstreams.ask(fastest, id).await;
    match reply {
        Ok(reply) if reply.status < 500 => {
            upstreams.took(fastest, time);
            passed_on(reply)
        }
        // No reply, or one that says that the server is not well: it is not the fastest.
        _ => {
            upstreams.failed(fastest);
            sealed(StatusCode::BAD_GATEWAY, Vec::new())
        }
    }
}
