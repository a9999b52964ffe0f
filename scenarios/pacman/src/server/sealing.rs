//! Around every handler: the request's seal is verified before anything looks at the message, the
//! reply is sealed.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;
use crate::{protocol, seal};

/// How long the rest of a request may take once its head is there. A damaged length makes the
/// server wait for bytes that nobody will send.
const BODY_WAIT: Duration = Duration::from_secs(10);

/// Verifies the seal of `request`, lets it through, and seals the reply.
pub(crate) async fn sealed(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let request_seal = seal_of(&parts).to_owned();
    let reply = match receive(&parts, body).await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(refusal) => refusal.into_response(),
    };
    seal_reply(&request_seal, reply).await
}

async fn receive(parts: &Parts, body: Body) -> Result<Bytes, Refusal> {
    let body = match tokio::time::timeout(BODY_WAIT, to_bytes(body, protocol::BODY_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return Err(Refusal::corrupt(format!("the body is unreadable: {error}"))),
        Err(_) => return Err(Refusal::corrupt("the body did not arrive")),
    };
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let mandatory = target.starts_with(&format!("{}/", protocol::SEALED));
    let seal = seal_of(parts);
    if seal.is_empty() && !parts.headers.contains_key(seal::HEADER) {
        return if mandatory { Err(Refusal::corrupt("there is no seal")) } else { Ok(body) };
    }
    if seal::request_holds(seal, parts.method.as_str(), target, &body) {
        Ok(body)
    } else {
        Err(Refusal::corrupt("the seal is broken"))
    }
}

fn seal_of(parts: &Parts) -> &str {
    parts.headers.get(seal::HEADER).and_then(|value| value.to_str().ok()).unwrap_or("")
}

async fn seal_reply(request_seal: &str, reply: Response) -> Response {
    let (mut parts, body) = reply.into_parts();
    let body = match to_bytes(body, usize::MAX).await {
        Ok(body) => body,
        Err(error) => return Refusal::in_doubt(format!("no reply: {error}")).into_response(),
    };
    let seal = seal::reply(request_seal, parts.status.as_u16(), &body);
    let seal = HeaderValue::try_from(seal).expect("hexadecimal digits make a header");
    parts.headers.insert(seal::HEADER, seal);
    Response::from_parts(parts, Body::from(body))
}
