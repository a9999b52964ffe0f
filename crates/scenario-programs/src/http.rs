//! HTTP servers for whom nobody may be slow for ever, or send too much.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// The most bytes that the head of a request may have; hyper takes no smaller limit than 8 KiB.
const HEAD_MAX: usize = 8192;
/// A pause where no connection can be accepted, because of too many open files (accept(2)): others will be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What is said to somebody whose request does not come to an end (RFC 9110, 15.5.9).
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Listens on `address` and serves until the process ends, as a program does; says where it listens.
pub async fn run(name: &str, address: &str, app: Router, slowest: Duration) -> ExitCode {
    let served = async {
        let listener = TcpListener::bind(address).await?;
        println!("{name} listens on http://{}", listener.local_addr()?);
        serve(listener, app, slowest).await;
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

/// Serves connections, for good. Whoever takes longer than this to send the head of a request is told so (408), and its
/// connection is closed.
pub async fn serve(listener: TcpListener, app: Router, slowest: Duration) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, app.clone(), slowest));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// What goes wrong with one connection is its client's to see.
async fn connection(stream: TcpStream, app: Router, slowest: Duration) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(slowest).max_buf_size(HEAD_MAX);
    let service = TowerToHyperService::new(app);
    let mut connection = server.serve_connection(TokioIo::new(stream), service);
    let served = std::future::poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    // hyper answers heads that are wrong, but not those that do not end. Who has not begun one has asked nothing.
    if served.is_err_and(|error| error.is_timeout()) && !parts.read_buf.is_empty() {
        let _ = stream.write_all(TOO_SLOW).await;
    }
    let _ = stream.shutdown().await;
}

/// Passes on only requests whose body has arrived whole: within this time (else 408), and of no more bytes (else 413).
pub fn whole(app: Router, slowest: Duration, longest: usize) -> Router {
    app.layer(from_fn(move |request: Request, next: Next| arrive(request, next, slowest, longest)))
}

async fn arrive(request: Request, next: Next, slowest: Duration, longest: usize) -> Response {
    let (head, body) = request.into_parts();
    match timeout(slowest, to_bytes(body, longest)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Ok(Err(error)) => {
            let is_long =
                error.source().is_some_and(|why| why.to_string().contains("length limit"));
            if is_long { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }
                .into_response()
        }
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Lets only those through who show this token (RFC 6750); others get 401.
pub fn only_with(app: Router, token: &str) -> Router {
    let expected = format!("Bearer {token}");
    app.route_layer(from_fn(move |request: Request, next: Next| {
        let is_known =
            request.headers().get(AUTHORIZATION).is_some_and(|shown| *shown == *expected);
        async move {
            if is_known {
                next.run(request).await
            } else {
                StatusCode::UNAUTHORIZED.into_response()
            }
        }
    }))
}
