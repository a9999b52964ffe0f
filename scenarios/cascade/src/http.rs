//! How the programs serve HTTP.

use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use scenario_programs::http;
use tokio::net::TcpListener;

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
