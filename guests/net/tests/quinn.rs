//! quinn: QUIC over UDP, with several streams on one connection.

mod certificates;

use std::net::ToSocketAddrs;
use std::sync::Arc;

use bizarro::prelude::*;
use certificates::certified;
use guests::{SERVERS_ARE_UP, prints};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Echoes streams and datagrams, and gives the certificate of its authority to whoever connects to port 80.
#[tokio::main]
async fn server() {
    let certified = certified((2025, 12), (2026, 2));
    let config = ServerConfig::with_single_cert(certified.chain, certified.key).unwrap();
    let endpoint = Endpoint::server(config, "[::]:4433".parse().unwrap()).unwrap();

    let trust = TcpListener::bind("0.0.0.0:80").await.unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = trust.accept().await.unwrap();
        stream.write_all(&certified.authority).await.unwrap();
    });
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let error = match incoming.await {
                Ok(connection) => echo(connection).await,
                Err(error) => error,
            };
            println!("{}", error.to_string().rsplit(": ").next().unwrap());
        });
    }
}

/// Serves a connection until the client closes it; says why that was.
async fn echo(connection: Connection) -> ConnectionError {
    let datagrams = connection.clone();
    tokio::spawn(async move {
        while let Ok(datagram) = datagrams.read_datagram().await {
            datagrams.send_datagram(datagram).unwrap();
        }
    });
    loop {
        let (mut send, mut receive) = match connection.accept_bi().await {
            Ok(stream) => stream,
            Err(error) => return error,
        };
        tokio::spawn(async move {
            tokio::io::copy(&mut receive, &mut send).await.unwrap();
            send.finish().unwrap();
        });
    }
}

/// Connects, with trust in these certificates only.
async fn connect(endpoint: &Endpoint, roots: RootCertStore) -> Result<Connection, ConnectionError> {
    let config = ClientConfig::with_root_certificates(Arc::new(roots)).unwrap();
    let is_v4 = endpoint.local_addr().unwrap().is_ipv4();
    let mut addresses = "server:4433".to_socket_addrs().unwrap();
    let address = addresses.find(|address| address.is_ipv4() == is_v4).unwrap();
    endpoint.connect_with(config, address, "server").unwrap().await
}

async fn trust() -> RootCertStore {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    let mut der = Vec::new();
    TcpStream::connect("server:80").await.unwrap().read_to_end(&mut der).await.unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(der)).unwrap();
    roots
}

/// Numbers in their order, so that a byte in a wrong place shows.
fn numbered(stream: usize) -> Vec<u8> {
    (0..10_000 * stream as u32).flat_map(|number| (number + stream as u32).to_be_bytes()).collect()
}

/// Sends eight streams at once and reads their echoes.
async fn use_streams(local: &str) {
    let endpoint = Endpoint::client(local.parse().unwrap()).unwrap();
    let connection = connect(&endpoint, trust().await).await.unwrap();
    let echoes = (0..8usize).map(|stream| {
        let connection = connection.clone();
        tokio::spawn(async move {
            let sent = numbered(stream);
            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            let writing = async {
                send.write_all(&sent).await.unwrap();
                send.finish().unwrap();
            };
            let ((), received) = tokio::join!(writing, receive.read_to_end(1 << 20));
            let received = received.unwrap();
            assert!(received == sent, "stream {stream} came back as it was sent");
            received.len()
        })
    });
    let mut total = 0;
    for echo in echoes.collect::<Vec<_>>() {
        total += echo.await.unwrap();
    }
    println!("{total} bytes");
    connection.close(7u32.into(), b"done");
    endpoint.wait_idle().await;
    println!("idle");
}

#[tokio::main]
async fn client() {
    use_streams("[::]:0").await;
}

#[bizarro::test]
fn streams(world: &mut World) {
    world.host("server").program(server);
    world.host("client").workload(client);
    prints(world, "client", &["1120000 bytes", "idle"]);
    prints(world, "server", &["done (code 7)"]);
}

#[tokio::main]
async fn client_over_ipv4() {
    use_streams("0.0.0.0:0").await;
}

/// The server's socket is one of IPv6, which takes both.
#[bizarro::test]
fn streams_over_ipv4(world: &mut World) {
    world.host("server").program(server);
    world.host("client").workload(client_over_ipv4);
    prints(world, "client", &["1120000 bytes", "idle"]);
    prints(world, "server", &["done (code 7)"]);
}

/// Lost packets are sent again: QUIC brings its own loss recovery.
#[bizarro::test]
fn streams_over_a_lossy_link(world: &mut World) {
    world.host("server").program(server);
    world.host("client").workload(client);
    world.links().loss(0.1);
    prints(world, "client", &["1120000 bytes", "idle"]);
    prints(world, "server", &["done (code 7)"]);
}

#[tokio::main]
async fn client_of_datagrams() {
    let endpoint = Endpoint::client("[::]:0".parse().unwrap()).unwrap();
    let connection = connect(&endpoint, trust().await).await.unwrap();
    for datagram in ["one", "two", "three"] {
        connection.send_datagram(datagram.into()).unwrap();
        println!("{}", String::from_utf8_lossy(&connection.read_datagram().await.unwrap()));
    }
}

/// Datagrams are not sent again, so the first must not overtake the end of the handshake: all packets take as long.
#[bizarro::test]
fn datagrams(world: &mut World) {
    world.host("server").program(server);
    world.host("client").workload(client_of_datagrams);
    world.links().latency(millis(1));
    prints(world, "client", &["one", "two", "three"]);
}

#[tokio::main]
async fn client_of_another_authority() {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    let mut roots = RootCertStore::empty();
    roots.add(certified((2025, 12), (2026, 2)).authority).unwrap();
    let endpoint = Endpoint::client("[::]:0".parse().unwrap()).unwrap();
    let error = connect(&endpoint, roots).await.unwrap_err().to_string();
    println!("{}", error.rsplit(": ").next().unwrap());
    endpoint.wait_idle().await;
}

/// The client's own authority has the same name as the server's, but another key.
#[bizarro::test]
fn another_authority(world: &mut World) {
    world.host("server").program(server);
    world.host("client").workload(client_of_another_authority);
    prints(world, "client", &["BadSignature"]);
    prints(world, "server", &["BadSignature"]);
}

#[tokio::main]
async fn client_without_server() {
    let endpoint = Endpoint::client("[::]:0".parse().unwrap()).unwrap();
    let start = tokio::time::Instant::now();
    let mut roots = RootCertStore::empty();
    roots.add(certified((2025, 12), (2026, 2)).authority).unwrap();
    let error = connect(&endpoint, roots).await.unwrap_err();
    println!("{error} after {} s", start.elapsed().as_secs());
}

/// Nobody answers: QUIC's own timers run in virtual time.
#[bizarro::test]
fn nobody_there(world: &mut World) {
    world.host("server").program(|| std::thread::sleep(secs(3600)));
    world.host("client").workload(client_without_server);
    prints(world, "client", &["timed out after 30 s"]);
}
