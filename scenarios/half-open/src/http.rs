//! HTTP as all members serve it: nobody may be slow for ever, or send too much.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use reqwest::Client;
use scenario_programs::http;
use tokio::net::TcpListener;

/// How long the head of a request may take, and then its body.
pub const SLOWEST: Duration = Duration::from_secs(2);
/// Bytes of a request's body.
pub const LONGEST: usize = 4096;

/// How long somebody waits for an answer.
pub type Patience = scenario_programs::Patience<4800, 5>;

/// Serves for ever.
pub async fn serve(listener: TcpListener, app: Router) {
    http::serve(listener, http::whole(app, SLOWEST, LONGEST), SLOWEST).await;
}

/// A client. Each request has a connection of its own, so that none waits for an old one to be given up.
///
/// # Errors
/// No client can be made.
pub fn client() -> io::Result<Client> {
    let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build();
    client.map_err(io::Error::other)
}

/// Runs a program to its end.
pub fn run(program: impl Future<Output = io::Result<()>>) -> ExitCode {
    scenario_programs::run("half-open", program)
}
