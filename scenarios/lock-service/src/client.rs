//! A client: it gets the lock, reads the file, writes it with a line more, and gives the lock back.

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bizarro_remedy::lease::{Drift, Expired, Lease, Token};
use reqwest::{Client as Http, RequestBuilder, StatusCode};
use scenario_programs::setting;
use serde::de::DeserializeOwned;

use crate::server::{Granted, Held, Release, Wanted};
use crate::store::{Reading, Write};
use crate::{LOCK, PAUSE};

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a client asks of lock service and store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The lock.
    Acquire,
    /// That the store takes a file under this token.
    Write(Token),
    /// That a grant ends.
    Release(Token),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The lock was granted.
    Granted(Token),
    /// Another one has the lock.
    Held,
    /// The file was taken.
    Written,
    /// The file was not taken: a later holder was here.
    Stale,
    /// The grant has ended.
    Released,
    /// Nothing is known.
    Unknown,
}

/// Who is told what a client does.
pub trait Watch {
    /// What is kept of a call until its end.
    type Begun;
    /// A call begins.
    fn begins(&mut self, call: Call) -> Self::Begun;
    /// It has ended.
    fn ends(&mut self, begun: Self::Begun, end: End);
}

/// Nobody is.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watch for Unwatched {
    type Begun = ();
    fn begins(&mut self, _: Call) {}
    fn ends(&mut self, (): (), _: End) {}
}

/// A client as a program: adds the line `NAME` to the file, after `WAIT_MS`. `SERVERS`, `STORE`.
pub fn main() -> ExitCode {
    run(Unwatched)
}

/// The same, and somebody is told.
#[tokio::main(flavor = "current_thread")]
pub async fn run<W: Watch>(watch: W) -> ExitCode {
    let name = setting("NAME", "client");
    let servers = setting("SERVERS", "http://lock-1:8080,http://lock-2:8080,http://lock-3:8080");
    let wait = setting("WAIT_MS", "0").parse().expect("WAIT_MS is a number");
    // Each request has a connection of its own: none waits for an old one to be given up.
    let http = Http::builder().no_proxy().pool_max_idle_per_host(0).build();
    let mut client = Client {
        http: http.expect("a client without TLS can be made"),
        servers: servers.split(',').map(str::to_string).collect(),
        asked: 0,
        store: setting("STORE", "http://store:8080"),
        line: name.clone(),
        watch,
    };
    tokio::time::sleep(Duration::from_millis(wait)).await;
    // Another holder after a restart, and for each grant.
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    for number in 1.. {
        let lease = client.acquire(&format!("{name}/{started}/{number}")).await;
        let written = client.write(&lease).await;
        if let Ok(token) = lease.token() {
            client.release(token).await;
        }
        match written {
            Written::Yes => break,
            Written::TooLate(why) => eprintln!("{name}: {why}"),
        }
    }
    println!("{name} has written its line");
    ExitCode::SUCCESS
}

struct Client<W> {
    http: Http,
    servers: Vec<String>,
    /// Which of the lock servers is asked; another one if it does not answer or does not lead.
    asked: usize,
    store: String,
    line: String,
    watch: W,
}

/// What came of trying to write under a lease.
enum Written {
    /// The line is in the file.
    Yes,
    /// The lease has ended, as far as the client or the store knows.
    TooLate(String),
}

/// What is known of a request.
enum Answer<T> {
    Ok(T),
    /// A status that says so, with its body.
    Refused(StatusCode, Vec<u8>),
    Unknown,
}

impl<W: Watch> Client<W> {
    /// Asks until the lock is granted.
    async fn acquire(&mut self, holder: &str) -> Lease {
        let wanted = Wanted { holder: holder.to_string() };
        loop {
            let request = self.http.post(self.lock()).json(&wanted);
            let (asked, begun) = (Instant::now(), self.watch.begins(Call::Acquire));
            match self.send(request, json::<Granted>).await {
                Answer::Ok(Granted { token, ttl_ms }) => {
                    self.watch.ends(begun, End::Granted(token));
                    let ttl = Duration::from_millis(ttl_ms);
                    return Lease::granted(LOCK, token, asked, ttl, Drift::default());
                }
                Answer::Refused(StatusCode::CONFLICT, body) => {
                    self.watch.ends(begun, End::Held);
                    let left_ms = json(&body).map_or(0, |Held { at_most_ms }| at_most_ms);
                    tokio::time::sleep(Duration::from_millis(left_ms.saturating_add(1))).await;
                }
                Answer::Refused(..) | Answer::Unknown => {
                    self.watch.ends(begun, End::Unknown);
                    self.asked += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Reads the file and writes it with the line, until it is there or the lease has ended.
    async fn write(&mut self, lease: &Lease) -> Written {
        let url = format!("{}/file", self.store);
        loop {
            let token = match lease.token() {
                Ok(token) => token,
                Err(Expired) => return Written::TooLate(Expired.to_string()),
            };
            // True until here. How long the rest takes nobody knows.
            let read = self.http.get(&url).query(&Reading { token });
            match self.send(read, json::<Vec<String>>).await {
                Answer::Ok(lines) if lines.contains(&self.line) => return Written::Yes,
                Answer::Ok(mut lines) => {
                    lines.push(self.line.clone());
                    let write = self.http.put(&url).json(&Write { token, lines });
                    let begun = self.watch.begins(Call::Write(token));
                    let (end, written) = match self.send(write, nothing).await {
                        Answer::Ok(()) => (End::Written, Some(Written::Yes)),
                        Answer::Refused(StatusCode::PRECONDITION_FAILED, body) => {
                            (End::Stale, Some(too_late(&body)))
                        }
                        Answer::Refused(..) | Answer::Unknown => (End::Unknown, None),
                    };
                    self.watch.ends(begun, end);
                    if let Some(written) = written {
                        return written;
                    }
                }
                Answer::Refused(StatusCode::PRECONDITION_FAILED, body) => return too_late(&body),
                Answer::Refused(..) | Answer::Unknown => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Gives the lock back, if the first server that is asked can take it; else it comes back by itself.
    async fn release(&mut self, token: Token) {
        let request = self.http.delete(self.lock()).query(&Release { token });
        let begun = self.watch.begins(Call::Release(token));
        let end = match self.send(request, nothing).await {
            Answer::Ok(()) => End::Released,
            Answer::Refused(..) | Answer::Unknown => End::Unknown,
        };
        self.watch.ends(begun, end);
    }

    fn lock(&self) -> String {
        format!("{}/locks/{LOCK}", self.servers[self.asked % self.servers.len()])
    }

    /// Sends a request once. An answer that cannot be read says nothing.
    async fn send<T>(
        &mut self,
        request: RequestBuilder,
        read: fn(&[u8]) -> Option<T>,
    ) -> Answer<T> {
        let answer = async {
            let answer = request.timeout(PATIENCE).send().await?;
            Ok::<_, reqwest::Error>((answer.status(), answer.bytes().await?))
        };
        match answer.await {
            Ok((status, body)) if status.is_success() => {
                read(&body).map_or(Answer::Unknown, Answer::Ok)
            }
            Ok((status, body)) => Answer::Refused(status, body.to_vec()),
            Err(error) => {
                eprintln!("{}: {error}", self.line);
                Answer::Unknown
            }
        }
    }
}

fn too_late(body: &[u8]) -> Written {
    Written::TooLate(String::from_utf8_lossy(body).into_owned())
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// An answer without a body.
fn nothing(_: &[u8]) -> Option<()> {
    Some(())
}
