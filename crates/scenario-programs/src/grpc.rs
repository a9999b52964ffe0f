//! gRPC servers for whom nobody may be slow for ever, and who serve only whom they know.

use std::convert::Infallible;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic::service::interceptor::InterceptedService;
use tonic::{Status, transport};

/// How long a request may take, its arrival included.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest message, in bytes: for `max_decoding_message_size`.
pub const MESSAGE_MAX: usize = 4096;

/// Serves for good those who show this token; others are unauthenticated.
///
/// # Errors
/// Those of the listener.
pub async fn serve<S>(
    listener: TcpListener,
    service: S,
    token: &str,
) -> Result<(), transport::Error>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let expected = format!("Bearer {token}");
    let known = move |request: tonic::Request<()>| {
        let shown = request.metadata().get("authorization").map(|value| value.as_bytes());
        if shown == Some(expected.as_bytes()) {
            Ok(request)
        } else {
            Err(Status::unauthenticated("who is this?"))
        }
    };
    transport::Server::builder()
        .timeout(PATIENCE)
        .http2_keepalive_interval(Some(PATIENCE))
        .http2_keepalive_timeout(Some(PATIENCE))
        .add_service(InterceptedService::new(service, known))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await
}
