//! What the programs share: settings, and a server that does not wait for ever.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

/// How long the head of a request may take to arrive; then its connection is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes that the head of a request may have; hyper takes no smaller limit than 8 KiB.
const HEAD_MAX: usize = 8192;
/// A pause where no connection can be accepted, because of too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A setting: the environment's, or this.
pub fn setting(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.to_string())
}

/// Listens on `address` and serves until the process ends, as a program does; says where it listens.
pub async fn run(name: &str, address: &str, app: Router) -> ExitCode {
    let served = async {
        let listener = TcpListener::bind(address).await?;
        println!("{name} listens on http://{}", listener.local_addr()?);
        serve(listener, app).await;
        io::Result::Ok(())
    };
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name} cannot listen on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves connections, for good. Whoever takes too long to send the head of a request is closed.
pub async fn serve(listener: TcpListener, app: Router) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // A connection that is gone again, or no file descriptor left (accept(2)): others are served still.
            Err(_) => {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let mut server = http1::Builder::new();
            server
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_MAX);
            // What goes wrong with one connection is its client's to see.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
