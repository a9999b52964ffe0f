//! The balancer: it gives each request to the next machine of GROUP2, and to another one if that does not answer well.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use reqwest::Client;
use tokio::net::TcpListener;

use crate::http::{self, Patience};

/// A balancer's program: listens here, and knows these machines.
pub fn run(listen: &str, machines: &[String]) -> ExitCode {
    http::run(async {
        let listener = TcpListener::bind(listen).await?;
        serve(machines.to_vec(), listener).await
    })
}

struct Balancer {
    machines: Vec<String>,
    next: AtomicUsize,
    client: Client,
}

/// Serves for ever at this listener.
///
/// # Errors
/// No HTTP client can be made.
pub async fn serve(machines: Vec<String>, listener: TcpListener) -> io::Result<()> {
    let client = http::client()?;
    let balancer = Balancer { machines, next: AtomicUsize::new(0), client };
    let app = Router::new().fallback(pass_on).with_state(Arc::new(balancer));
    http::serve(listener, app).await;
    Ok(())
}

async fn pass_on(
    State(balancer): State<Arc<Balancer>>,
    patience: Patience,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let first = balancer.next.fetch_add(1, Ordering::Relaxed);
    for at in 0..balancer.machines.len() {
        let machine = &balancer.machines[(first + at) % balancer.machines.len()];
        // Values by name may be kept twice.
        let request = balancer.client.request(method.clone(), format!("{machine}{}", uri.path()));
        let request = patience.part(4).with(request.body(body.clone()));
        let Ok(reply) = request.send().await else { continue };
        let status = reply.status();
        let Ok(body) = reply.bytes().await else { continue };
        if !status.is_server_error() {
            return (status, body).into_response();
        }
    }
    StatusCode::BAD_GATEWAY.into_response()
}
