//! hyper 1 by hand: HTTP/1 with keep-alive and HTTP/2 with many requests at once on one connection.

use std::convert::Infallible;

use bizarro::prelude::*;
use bytes::Bytes;
use guests::{SERVERS_ARE_UP, prints};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Answers with the body, reversed.
async fn reverse(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/reverse" {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let mut body = request.into_body().collect().await.unwrap().to_bytes().to_vec();
    body.reverse();
    *response.body_mut() = Full::from(body);
    Ok(response)
}

#[tokio::main]
async fn server() {
    let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let connection = auto::Builder::new(TokioExecutor::new());
            connection.serve_connection(TokioIo::new(stream), service_fn(reverse)).await.unwrap();
        });
    }
}

fn request(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let builder = Request::post(format!("http://server{path}")).header("host", "server");
    builder.body(Full::from(body.into())).unwrap()
}

#[tokio::main]
async fn http1_client() {
    sleep(SERVERS_ARE_UP).await;
    let stream = TcpStream::connect("server:80").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for body in ["abc", "", "noon"] {
        let response = sender.send_request(request("/reverse", body)).await.unwrap();
        let reply = response.into_body().collect().await.unwrap().to_bytes();
        println!("{}", String::from_utf8_lossy(&reply));
    }
    let long = vec![b'x'; 300_000];
    let response = sender.send_request(request("/reverse", long)).await.unwrap();
    println!("{} bytes", response.into_body().collect().await.unwrap().to_bytes().len());
    println!("{}", sender.send_request(request("/", "")).await.unwrap().status());
}

#[bizarro::test]
fn http1(world: &mut World) {
    world.host("server").program(server);
    world.host("client").workload(http1_client);
    prints(world, "client", &["cba", "", "noon", "300000 bytes", "404 Not Found"]);
}

#[tokio::main]
async fn http2_client() {
    sleep(SERVERS_ARE_UP).await;
    let stream = TcpStream::connect("server:80").await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut calls = JoinSet::new();
    for call in 0..25 {
        let mut sender = sender.clone();
        calls.spawn(async move {
            let response = sender.send_request(request("/reverse", format!("<{call}>"))).await;
            response.unwrap().into_body().collect().await.unwrap().to_bytes()
        });
    }
    let mut replies = calls.join_all().await;
    replies.sort();
    println!("{} {:?}", replies.len(), replies[24]);
}

#[bizarro::test]
fn http2(world: &mut World) {
    world.host("server").program(server);
    world.host("client").workload(http2_client);
    prints(world, "client", &["25 b\">9<\""]);
}
