//! A server that writes down every request that comes to it, over HTTP/1, HTTP/2 and gRPC.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tonic::server::Grpc;
use tonic_prost::ProstCodec;
use tower::service_fn;

/// The header with which calls are told apart.
pub(crate) const ID: &str = "x-id";

#[tokio::main]
pub(crate) async fn main() {
    let app = Router::new().route("/call", post(call)).route("/calls.Calls/Call", post(grpc));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await.expect("the port is free");
    axum::serve(listener, app).await.expect("it serves for good");
}

fn id(request: &Request) -> String {
    let id = request.headers().get(ID).map(|id| String::from_utf8_lossy(id.as_bytes()));
    id.unwrap_or_default().replace(char::is_whitespace, "_")
}

async fn call(request: Request) -> Response {
    let id = id(&request);
    println!("got {id}");
    match to_bytes(request.into_body(), 1 << 10).await {
        Ok(_) => {
            println!("did {id}");
            "done".into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn grpc(request: Request) -> Response {
    let id = id(&request);
    println!("got {id}");
    let service = service_fn(move |_: tonic::Request<String>| {
        println!("did {id}");
        std::future::ready(Ok::<_, tonic::Status>(tonic::Response::new("done".to_string())))
    });
    let mut grpc = Grpc::new(ProstCodec::<String, String>::default());
    grpc.unary(service, request).await.map(Body::new)
}
