//! HTTP as lock servers and store serve it: nobody may send too much, or be slow for ever.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::PAUSE;

/// How long the head of a request may take, and then its body.
const SLOWEST: Duration = Duration::from_secs(2);

/// Serves for good; a request's body has so many bytes at most.
pub(crate) async fn serve(listener: TcpListener, app: Router, body_max: usize) {
    let app = app.layer(from_fn(whole)).layer(DefaultBodyLimit::max(body_max));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No file descriptor is free, perhaps.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(SLOWEST);
        let service = TowerToHyperService::new(app.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        // What goes wrong with a connection is its client's concern.
        tokio::spawn(async move { drop(connection.await) });
    }
}

/// Hands on what has come as a whole.
async fn whole(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let arriving = Request::from_parts(head.clone(), body);
    match tokio::time::timeout(SLOWEST, Bytes::from_request(arriving, &())).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Ok(Err(rejection)) => rejection.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}
