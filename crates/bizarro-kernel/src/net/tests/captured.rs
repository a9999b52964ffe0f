//! What a real client and a real server of HTTP/2 write to their connection.

extern crate std;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::net::exchange::Side;

/// Who wrote what, in order.
pub(super) type Writes = Vec<(Side, Vec<u8>)>;

/// One end of a connection, whose writes are kept.
struct Tap {
    side: Side,
    inner: DuplexStream,
    writes: Arc<Mutex<Writes>>,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = written {
            let bytes = bytes[..length].to_vec();
            self.writes.lock().unwrap().push((self.side, bytes));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Two rounds of four calls on one connection, all four at a time: a call of gRPC, one that fails, a GET, and an upload
/// in several frames, to which the reply comes in several, too.
pub(super) fn writes() -> Writes {
    let writes = Arc::new(Mutex::new(Vec::new()));
    let (client, server) = tokio::io::duplex(1 << 20);
    let tap = |side, inner| Tap { side, inner, writes: writes.clone() };
    let (client, server) = (tap(Side::Client, client), tap(Side::Server, server));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        tokio::join!(ask(client), serve(server));
    });
    let writes = writes.lock().unwrap();
    writes.clone()
}

async fn ask(stream: Tap) {
    let (mut calls, connection) = h2::client::handshake(stream).await.unwrap();
    let calling = async move {
        for _ in 0..2 {
            let mut replies = Vec::new();
            for (path, content_type, body) in [
                ("/bank.Bank/Withdraw", "application/grpc", &b"\0\0\0\0\x02hi"[..]),
                ("/bank.Bank/Close", "application/grpc", b"\0\0\0\0\x01x"),
                ("/a?q=1", "", b""),
                ("/upload", "text/plain", &[b'u'; 40_000]),
            ] {
                calls = calls.ready().await.unwrap();
                let method = if body.is_empty() { "GET" } else { "POST" };
                let request = Request::builder()
                    .method(method)
                    .uri(alloc::format!("http://board:80{path}"))
                    .header("content-type", content_type)
                    .header(
                        "traceparent",
                        "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
                    );
                let (reply, mut sending) =
                    calls.send_request(request.body(()).unwrap(), body.is_empty()).unwrap();
                if !body.is_empty() {
                    sending.send_data(Bytes::from_static(body), true).unwrap();
                }
                replies.push(reply);
            }
            for reply in replies {
                let mut body = reply.await.unwrap().into_body();
                while let Some(data) = body.data().await {
                    let length = data.unwrap().len();
                    body.flow_control().release_capacity(length).unwrap();
                }
                body.trailers().await.unwrap();
            }
        }
    };
    let (_, ended) = tokio::join!(calling, connection);
    ended.unwrap();
}

async fn serve(stream: Tap) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let mut waiting = Vec::new();
    while let Some(call) = connection.accept().await {
        waiting.push(call.unwrap());
        if waiting.len() < 4 {
            continue;
        }
        // The last one is answered first.
        while let Some((request, mut respond)) = waiting.pop() {
            let path = request.uri().path().to_ascii_lowercase();
            let (_, mut body) = request.into_parts();
            let reading = async move {
                while let Some(data) = body.data().await {
                    let length = data.unwrap().len();
                    body.flow_control().release_capacity(length).unwrap();
                }
            };
            tokio::select! {
                () = reading => {}
                other = connection.accept() => assert!(other.is_none(), "four at a time"),
            }
            let ok = Response::builder().status(StatusCode::OK);
            let mut trailer = HeaderMap::new();
            trailer.insert("grpc-status", if path.ends_with("close") { 9 } else { 0 }.into());
            let grpc = |builder: http::response::Builder| {
                builder.header("content-type", "application/grpc").body(()).unwrap()
            };
            match path.as_str() {
                "/bank.bank/withdraw" => {
                    let mut sending = respond.send_response(grpc(ok), false).unwrap();
                    sending.send_data(Bytes::from_static(b"\0\0\0\0\x02ok"), false).unwrap();
                    sending.send_trailers(trailer).unwrap();
                }
                "/bank.bank/close" => {
                    let mut failed = grpc(ok);
                    failed.headers_mut().extend(trailer);
                    respond.send_response(failed, true).unwrap();
                }
                "/a" => {
                    let lost = Response::builder().status(StatusCode::NOT_FOUND);
                    respond.send_response(lost.body(()).unwrap(), true).unwrap();
                }
                _ => {
                    let mut sending = respond.send_response(ok.body(()).unwrap(), false).unwrap();
                    sending.send_data(Bytes::from(alloc::vec![b'd'; 20_000]), true).unwrap();
                }
            }
        }
    }
}
