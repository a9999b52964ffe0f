//! The math server: `GET /mod?number=N&divisor=D` answers the remainder.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;

/// Where a host's server listens.
pub const LISTEN: &str = "0.0.0.0:8080";

/// The server as a host's program.
#[tokio::main]
pub async fn main() -> ExitCode {
    match run(LISTEN).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("math: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves for good.
///
/// # Errors
/// The port is taken.
pub async fn run(listen: &str) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    println!("math: listens on http://{}", listener.local_addr()?);
    axum::serve(listener, router()).await
}

/// The service.
pub fn router() -> Router {
    Router::new().route("/mod", get(remainder))
}

/// What is divided by what.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Division {
    number: u64,
    divisor: u64,
}

async fn remainder(
    division: Result<Query<Division>, QueryRejection>,
) -> Result<String, (StatusCode, String)> {
    let Query(Division { number, divisor }) =
        division.map_err(|error| (StatusCode::BAD_REQUEST, error.body_text()))?;
    // Calculating takes a while.
    tokio::time::sleep(Duration::from_millis(5)).await;
    match number.checked_rem(divisor) {
        Some(remainder) => Ok(remainder.to_string()),
        None => Err((StatusCode::BAD_REQUEST, "nothing can be divided by 0".to_string())),
    }
}
