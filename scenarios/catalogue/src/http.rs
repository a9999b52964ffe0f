//! How the programs speak HTTP: servers that do not wait for ever, replies as they came.

use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use scenario_programs::http;
use tokio::net::TcpListener;

use crate::product::{BODY_MAX, DIGEST, digest};

/// How long the head of a request may take to arrive.
const SLOWEST: Duration = Duration::from_secs(10);

/// Listens on `address` and serves until the process ends, as a program does; says where it listens.
pub async fn run(name: &str, address: &str, app: Router) -> ExitCode {
    http::run(name, address, app, SLOWEST).await
}

/// Serves connections, for good.
pub async fn serve(listener: TcpListener, app: Router) {
    http::serve(listener, app, SLOWEST).await;
}

/// A client that waits so long for a whole reply.
pub fn client(timeout: Duration) -> reqwest::Client {
    let client = reqwest::Client::builder().timeout(timeout).build();
    client.expect("there is nothing in it that can fail: no TLS, no proxy")
}

/// A reply as it came.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// What its header says of its body.
    pub digest: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Asks, and reads the whole reply.
///
/// # Errors
/// No reply came, or not all of it, or it is longer than anybody needs.
pub async fn get(client: &reqwest::Client, url: &str) -> Result<Reply, String> {
    let mut response = client.get(url).send().await.map_err(|error| error.to_string())?;
    let digest = response.headers().get(DIGEST).and_then(|value| value.to_str().ok());
    let (status, digest) = (response.status().as_u16(), digest.map(str::to_string));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_MAX {
            return Err(format!("more than {BODY_MAX} bytes"));
        }
    }
    Ok(Reply { status, digest, body })
}

/// A reply whose header says what its body is.
pub fn sealed(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(DIGEST, digest(&body))], body).into_response()
}
