//! The group on this machine's loopback, and requests that nobody should send it.

use std::net::SocketAddr;
use std::path::Path;

use groups::balancer;
use groups::client::Group;
use groups::http::{LONGEST, SLOWEST};
use groups::machine::{self, Site};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

fn block_on<T>(program: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(program)
}

struct Running {
    balancer: String,
    machines: Vec<(SocketAddr, JoinHandle<std::io::Result<()>>)>,
}

/// Three machines and a balancer.
async fn start(directory: &Path) -> Running {
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let addresses: Vec<SocketAddr> =
        listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let machines = listeners.into_iter().enumerate().map(|(me, listener)| {
        let others = urls.iter().enumerate().filter(|(other, _)| *other != me);
        let site = Site {
            listen: String::new(),
            others: others.map(|(_, url)| url.clone()).collect(),
            directory: directory.join(me.to_string()),
            token: "secret".to_string(),
        };
        (addresses[me], tokio::spawn(machine::serve(site, listener)))
    });
    let machines = machines.collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let balancer = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(balancer::serve(urls, listener));
    Running { balancer, machines }
}

#[test]
fn what_is_kept_survives_the_loss_of_a_machine() {
    let directory = tempfile::tempdir().unwrap();
    block_on(async {
        let running = start(directory.path()).await;
        let group = Group::at(&running.balancer).unwrap();
        assert_eq!(group.value("a").await, None);
        group.keep("a", "1000").await;
        let kept = |machine: usize| directory.path().join(machine.to_string()).join("values.json");
        let lost = (0..3).find(|machine| kept(*machine).exists()).unwrap();
        running.machines[lost].1.abort();
        assert_eq!(group.value("a").await.as_deref(), Some("1000"));
    });
}

/// The status with which an HTTP request is answered, which is sent as it is; nothing if the connection just ends.
async fn answered(address: SocketAddr, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut reply = Vec::new();
    // A server that lets a slow client wait for ever fails here.
    tokio::time::timeout(SLOWEST * 3, stream.read_to_end(&mut reply)).await.unwrap().ok()?;
    let reply = String::from_utf8_lossy(&reply).into_owned();
    reply.split(' ').nth(1)?.parse().ok()
}

fn request(method: &str, path: &str, length: usize, body: &str) -> Vec<u8> {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: m\r\nconnection: close\r\n");
    format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
}

#[test]
fn strange_requests_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    block_on(async {
        let running = start(directory.path()).await;
        let (machine, _) = running.machines[0];
        let balancer: SocketAddr = running.balancer.trim_start_matches("http://").parse().unwrap();
        for address in [machine, balancer] {
            let long = "x".repeat(LONGEST + 1);
            let cases = [
                (request("PUT", "/values/..%2Fa", 1, "x"), 400),
                (request("PUT", &format!("/values/{}", "n".repeat(33)), 1, "x"), 400),
                (request("PUT", "/values/a", long.len(), &long), 413),
                (request("DELETE", "/values/a", 0, ""), 405),
                (request("GET", "/values/a", 0, ""), 404),
                (request("PUT", "/copies/a", 1, "x"), 401),
                // The rest of the body never comes.
                (request("PUT", "/values/a", 2, "x"), 408),
                (b"\x16\x03\x01\x02\x00\r\n\r\n".to_vec(), 400),
            ];
            for (request, status) in cases {
                let text = String::from_utf8_lossy(&request[..request.len().min(99)]).into_owned();
                assert_eq!(answered(address, &request).await, Some(status), "{text}");
            }
            // Not UTF-8.
            let mut strange = request("PUT", "/values/a", 1, "");
            strange.push(0xff);
            assert_eq!(answered(address, &strange).await, Some(400));
            // The rest of the head never comes: there is nobody to answer to.
            assert!(matches!(answered(address, b"GET /val").await, None | Some(408)));
        }
        // All are still there.
        let group = Group::at(&running.balancer).unwrap();
        group.keep("a", "1000").await;
        assert_eq!(group.value("a").await.as_deref(), Some("1000"));
    });
}
