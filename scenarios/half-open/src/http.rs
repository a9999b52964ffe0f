//! HTTP as all members serve it: nobody may be slow for ever, or send too much, or ask what only members may.

use std::convert::Infallible;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use reqwest::{Client, RequestBuilder};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

/// How long the head of a request may take, and then its body.
pub const SLOWEST: Duration = Duration::from_secs(2);
/// Bytes of a request's body.
pub const LONGEST: usize = 4096;

/// Serves for ever.
pub async fn serve(listener: TcpListener, app: Router) {
    let app = app.layer(from_fn(whole));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, perhaps: others will be closed.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(SLOWEST)
                .serve_connection(TokioIo::new(stream), service);
            // What goes wrong with a connection is its client's concern.
            let _ = connection.await;
        });
    }
}

/// Passes on only what has arrived whole.
async fn whole(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match timeout(SLOWEST, to_bytes(body, LONGEST)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Ok(Err(error)) => {
            let is_long = std::error::Error::source(&error)
                .is_some_and(|why| why.to_string().contains("length limit"));
            if is_long { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }
                .into_response()
        }
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Lets only members through, who show this.
pub fn members_only(app: Router, token: &str) -> Router {
    let expected = format!("Bearer {token}");
    app.route_layer(from_fn(move |request: Request, next: Next| {
        let is_member =
            request.headers().get(AUTHORIZATION).is_some_and(|shown| *shown == *expected);
        async move {
            if is_member {
                next.run(request).await
            } else {
                StatusCode::UNAUTHORIZED.into_response()
            }
        }
    }))
}

/// The header with which somebody who asks says how long he waits, in ms.
pub const PATIENCE: &str = "x-patience-ms";

/// How long somebody waits for the answer to his request; whoever needs others for it waits for each of them a part of
/// that. Nobody knows how slow the network is at present, but who asks again waits longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience(pub Duration);

impl Patience {
    /// Of the first attempt.
    pub const FIRST: Patience = Patience(Duration::from_millis(4800));
    /// Of the most patient.
    const LONGEST: Patience = Patience(Duration::from_millis(4800 * 32));

    /// For the next attempt.
    #[must_use]
    pub fn doubled(self) -> Patience {
        Patience(self.0 * 2).min_of(Patience::LONGEST)
    }

    /// How long to wait before the next attempt.
    pub fn pause(self) -> Duration {
        self.0 / 48
    }

    /// A part of it.
    #[must_use]
    pub fn part(self, of: u32) -> Patience {
        Patience(self.0 / of)
    }

    fn min_of(self, other: Patience) -> Patience {
        Patience(self.0.min(other.0))
    }

    /// Says it in a request, which is given up when it is over.
    pub fn with(self, request: RequestBuilder) -> RequestBuilder {
        request.header(PATIENCE, self.0.as_millis().to_string()).timeout(self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Patience {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Patience, Infallible> {
        let said = parts.headers.get(PATIENCE).and_then(|value| value.to_str().ok()?.parse().ok());
        let said = said.map(|ms| Patience(Duration::from_millis(ms)));
        Ok(said.unwrap_or(Patience::FIRST).min_of(Patience::LONGEST))
    }
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(program)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("half-open: {error}");
            ExitCode::FAILURE
        }
    }
}
