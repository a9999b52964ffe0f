//! A client for each library: two calls, one after the other, on one connection where it still is, and none sent again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bizarro_remedy::outcome::{self, Outcome};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Version};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

use super::server::ID;

const SERVER: &str = "http://server:8080";
/// How long a client waits for a reply.
const PATIENCE: Duration = Duration::from_secs(2);
/// Servers start at the same instant as their clients.
const SERVERS_ARE_UP: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(10);

/// Makes two calls, and writes down what is known of them.
async fn twice(mut call: impl AsyncFnMut(String) -> Outcome<()>) {
    sleep(SERVERS_ARE_UP).await;
    for _ in 0..2 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        let id = now.as_nanos().to_string();
        println!("asked {id}");
        let ended = timeout(PATIENCE, call(id.clone())).await;
        let outcome = ended.unwrap_or_else(|elapsed| Outcome::Unknown(elapsed.into()));
        println!("ended {id} {}", outcome.to_string().replace('\n', " "));
        sleep(PAUSE).await;
    }
}

fn request(uri: &str, version: Version, id: String) -> Request<Full<Bytes>> {
    let request = Request::post(uri).version(version).header("host", "server").header(ID, id);
    request.body(Full::from("please")).expect("it is well formed")
}

/// The outcome of a reply whose status says so, with its whole body.
async fn of_reply(reply: Response<Incoming>) -> Outcome<()> {
    match outcome::status::of_status(reply.status()) {
        Outcome::Success(()) => match reply.into_body().collect().await {
            Ok(_) => Outcome::Success(()),
            Err(error) => Outcome::Unknown(Box::new(error)),
        },
        refused => refused,
    }
}

#[tokio::main]
pub(crate) async fn hyper_http1() {
    let mut kept: Option<http1::SendRequest<Full<Bytes>>> = None;
    twice(async |id| {
        let mut connection = match kept.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => match TcpStream::connect("server:8080").await {
                Ok(stream) => {
                    let made = http1::handshake(TokioIo::new(stream)).await;
                    let (sender, connection) = made.expect("nothing is sent yet");
                    tokio::spawn(connection);
                    sender
                }
                Err(error) => return Outcome::PostFailed(Box::new(error)),
            },
        };
        let outcome =
            match connection.try_send_request(request("/call", Version::HTTP_11, id)).await {
                Ok(reply) => of_reply(reply).await,
                Err(error) => outcome::hyper::of_try_send(error).0,
            };
        kept = Some(connection);
        outcome
    })
    .await;
}

#[tokio::main]
pub(crate) async fn hyper_http2() {
    let mut kept: Option<http2::SendRequest<Full<Bytes>>> = None;
    twice(async |id| {
        let mut connection = match kept.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => match TcpStream::connect("server:8080").await {
                Ok(stream) => {
                    let made = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
                    let Ok((sender, connection)) = made else {
                        return Outcome::PostFailed("no connection of HTTP/2".into());
                    };
                    tokio::spawn(connection);
                    sender
                }
                Err(error) => return Outcome::PostFailed(Box::new(error)),
            },
        };
        let uri = format!("{SERVER}/call");
        let outcome = match connection.send_request(request(&uri, Version::HTTP_2, id)).await {
            Ok(reply) => of_reply(reply).await,
            Err(error) => outcome::hyper::of_error(error),
        };
        kept = Some(connection);
        outcome
    })
    .await;
}

#[tokio::main]
pub(crate) async fn hyper_util() {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    twice(async |id| {
        let uri = format!("{SERVER}/call");
        match client.request(request(&uri, Version::HTTP_11, id)).await {
            Ok(reply) => of_reply(reply).await,
            Err(error) => outcome::hyper_util::of_error(error),
        }
    })
    .await;
}

#[tokio::main]
pub(crate) async fn reqwest_http1() {
    reqwest(reqwest::Client::builder()).await;
}

#[tokio::main]
pub(crate) async fn reqwest_http2() {
    reqwest(reqwest::Client::builder().http2_prior_knowledge()).await;
}

async fn reqwest(builder: reqwest::ClientBuilder) {
    let builder = builder.no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = builder.timeout(PATIENCE).build().expect("it can be made");
    twice(async |id| {
        let sent = client.post(format!("{SERVER}/call")).header(ID, id).body("please").send().await;
        let outcome = outcome::reqwest::of_sent(sent, outcome::reqwest::Redirects::Refused).await;
        outcome.map(drop)
    })
    .await;
}

#[tokio::main]
pub(crate) async fn tonic() {
    let channel = Endpoint::from_static(SERVER).connect_lazy();
    let mut client = tonic::client::Grpc::new(channel);
    twice(async |id| {
        if let Err(error) = client.ready().await {
            return outcome::tonic::of_status(tonic::Status::from_error(Box::new(error)));
        }
        let mut request = tonic::Request::new("please".to_string());
        request.metadata_mut().insert(ID, id.parse().expect("digits"));
        let codec = ProstCodec::<String, String>::default();
        let path = http::uri::PathAndQuery::from_static("/calls.Calls/Call");
        outcome::tonic::of_result(client.unary(request, path, codec).await).map(drop)
    })
    .await;
}
