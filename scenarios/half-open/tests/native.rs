//! Members on this machine's loopback, and requests that nobody should send them.

use std::net::SocketAddr;

use half_open::client::{self, Call, End, Task, Watch};
use half_open::http::{LONGEST, SLOWEST};
use half_open::site::Site;
use half_open::{careful, naive};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn block_on<T>(program: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(program)
}

/// Three members, and where they are; the last is dead.
async fn members(directory: &tempfile::TempDir, is_careful: bool) -> Vec<String> {
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let members: Vec<String> = listeners.iter().map(url).collect();
    for (me, listener) in listeners.into_iter().enumerate().take(2) {
        let site = Site {
            me,
            members: members.clone(),
            listen: String::new(),
            directory: directory.path().join(me.to_string()),
            token: "secret".to_string(),
        };
        match is_careful {
            true => drop(tokio::spawn(careful::serve(site, listener))),
            false => drop(tokio::spawn(naive::serve(site, listener))),
        }
    }
    members
}

struct Ends(Vec<(Call, End)>);

impl Watch for Ends {
    type Begun = Call;
    fn begins(&mut self, call: Call) -> Call {
        call
    }
    fn ends(&mut self, call: Call, end: End) {
        self.0.push((call, end));
    }
}

#[test]
fn what_is_written_is_read() {
    for is_careful in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let ends = block_on(async {
            let members = members(&directory, is_careful).await;
            let mut ends = Ends(Vec::new());
            let tasks = [Task::Read, Task::Write(7), Task::Read];
            client::run(&members, 0, &tasks, &mut ends).await.unwrap();
            ends.0
        });
        let read = |value| (Call::Read, End::Value(value));
        assert_eq!(ends, [read(0), (Call::Write(7), End::Written), read(7)]);
    }
}

/// Member 0 is gone; the two others elect one of them, who knows what was written.
#[test]
fn who_does_not_answer_leads_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let ends = block_on(async {
        let mut members = members(&directory, true).await;
        let mut ends = Ends(Vec::new());
        client::run(&members, 0, &[Task::Write(7)], &mut ends).await.unwrap();
        // The dead member comes to life, and the leader is out of everybody's reach.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        members[2] = format!("http://{}", listener.local_addr().unwrap());
        let site = |me: usize, members: Vec<String>| Site {
            me,
            members,
            listen: String::new(),
            directory: directory.path().join(format!("{me}")),
            token: "secret".to_string(),
        };
        members[0] = "http://127.0.0.1:1".to_string();
        let again = TcpListener::bind("127.0.0.1:0").await.unwrap();
        members[1] = format!("http://{}", again.local_addr().unwrap());
        tokio::spawn(careful::serve(site(1, members.clone()), again));
        tokio::spawn(careful::serve(site(2, members.clone()), listener));
        client::run(&members, 1, &[Task::Read], &mut ends).await.unwrap();
        ends.0
    });
    assert_eq!(ends.last(), Some(&(Call::Read, End::Value(7))));
}

/// The status with which an HTTP request is answered, which is sent as it is; nothing if the connection just ends.
async fn answered(address: SocketAddr, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut reply = Vec::new();
    let limit = SLOWEST * 3;
    // A server that lets a slow client wait for ever fails here.
    tokio::time::timeout(limit, stream.read_to_end(&mut reply)).await.unwrap().ok()?;
    let reply = String::from_utf8_lossy(&reply).into_owned();
    reply.split(' ').nth(1)?.parse().ok()
}

#[test]
fn strange_requests_are_refused() {
    for is_careful in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        block_on(async {
            let members = members(&directory, is_careful).await;
            let address: SocketAddr = members[0].trim_start_matches("http://").parse().unwrap();
            let put = |kind: &str, body: &str| {
                let length = body.len();
                format!(
                    "PUT /register HTTP/1.1\r\nhost: m\r\nconnection: close\r\ncontent-type: {kind}\r\n\
                     content-length: {length}\r\n\r\n{body}"
                )
            };
            let json = "application/json";
            let vote = "POST /vote HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\
                        content-type: application/json\r\ncontent-length: 26\r\n";
            let candidacy = r#"{"term":9,"candidate":2}  "#;
            let cases = [
                (put(json, "{").into_bytes(), 400),
                (put(json, r#"{"value":-1}"#).into_bytes(), 422),
                (put("text/plain", "7").into_bytes(), 415),
                (put(json, &" ".repeat(LONGEST + 1)).into_bytes(), 413),
                (
                    b"DELETE /register HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n".to_vec(),
                    405,
                ),
                (b"GET /else HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n".to_vec(), 404),
                (b"\x16\x03\x01\x02\x00\r\n\r\n".to_vec(), 400),
                (format!("{vote}\r\n{candidacy}").into_bytes(), 401),
                (format!("{vote}authorization: Bearer guess\r\n\r\n{candidacy}").into_bytes(), 401),
                // The rest of the body never comes.
                (put(json, "{}").replace("length: 2", "length: 3").into_bytes(), 408),
            ];
            for (request, status) in cases {
                let text = String::from_utf8_lossy(&request).into_owned();
                assert_eq!(answered(address, &request).await, Some(status), "{text}");
            }
            // The rest of the head never comes: there is nobody to answer to.
            assert!(matches!(answered(address, b"GET /reg").await, None | Some(408)));
            // It is still there.
            let mut ends = Ends(Vec::new());
            client::run(&members, 0, &[Task::Read], &mut ends).await.unwrap();
            assert_eq!(ends.0, [(Call::Read, End::Value(0))]);
        });
    }
}
