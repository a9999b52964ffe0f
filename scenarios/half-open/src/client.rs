//! A client: it asks one member after the other until one answers.

use std::io;
use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use tokio::time::sleep;

use crate::http::{self, Patience};
use crate::site::Value;

/// What it does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    /// Reads until it gets a value.
    Read,
    /// Writes values from this one on, each once, until it is told that one was written.
    Write(u64),
    /// Waits.
    Wait(Duration),
}

/// What a client asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// What is the value?
    Read,
    /// Let it be this.
    Write(u64),
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It is this.
    Value(u64),
    /// It was written.
    Written,
    /// It was certainly not written, and never will be.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// Somebody who wants to know what a client does.
pub trait Watch {
    /// An operation that was begun.
    type Begun;
    /// It begins.
    fn begins(&mut self, call: Call) -> Self::Begun;
    /// It ends.
    fn ends(&mut self, begun: Self::Begun, end: End);
}

/// Nobody does, but it is printed.
#[derive(Debug)]
pub struct Printed;

impl Watch for Printed {
    type Begun = Call;
    fn begins(&mut self, call: Call) -> Call {
        call
    }
    fn ends(&mut self, call: Call, end: End) {
        println!("{call:?}: {end:?}");
    }
}

/// Does all tasks. It begins with the member of this number.
///
/// # Errors
/// No HTTP client can be made.
pub async fn run(
    members: &[String],
    mut member: usize,
    tasks: &[Task],
    watch: &mut impl Watch,
) -> io::Result<()> {
    let client = http::client()?;
    for task in tasks {
        let mut patience = Patience::FIRST;
        match *task {
            Task::Wait(time) => sleep(time).await,
            Task::Read => loop {
                let begun = watch.begins(Call::Read);
                let reply = send(patience, client.get(url(members, member))).await;
                let end = match reply {
                    Reply::Yes(body) => serde_json::from_slice::<Value>(&body)
                        .map_or(End::Unknown, |it| End::Value(it.value)),
                    Reply::No | Reply::Unknown => End::Unknown,
                };
                watch.ends(begun, end);
                if end != End::Unknown {
                    break;
                }
                member += 1;
                patience = patience.doubled();
                sleep(patience.pause()).await;
            },
            Task::Write(first) => {
                for value in first.. {
                    let begun = watch.begins(Call::Write(value));
                    // Once: sent again, it might be written again after somebody else's.
                    let request = client.put(url(members, member)).json(&Value { value });
                    let end = match send(patience, request).await {
                        Reply::Yes(_) => End::Written,
                        Reply::No => End::Refused,
                        Reply::Unknown => End::Unknown,
                    };
                    watch.ends(begun, end);
                    if end == End::Written {
                        break;
                    }
                    member += 1;
                    patience = patience.doubled();
                    sleep(patience.pause()).await;
                }
            }
        }
    }
    Ok(())
}

fn url(members: &[String], member: usize) -> String {
    format!("{}/register", members[member % members.len()])
}

enum Reply {
    Yes(Vec<u8>),
    No,
    Unknown,
}

async fn send(patience: Patience, request: RequestBuilder) -> Reply {
    match patience.with(request).send().await {
        Ok(reply) => match reply.status() {
            StatusCode::OK => match reply.bytes().await {
                Ok(body) => Reply::Yes(body.into()),
                // The status alone says that it was done.
                Err(_) => Reply::Yes(Vec::new()),
            },
            // Statuses with which members say that they did not even begin.
            StatusCode::MISDIRECTED_REQUEST | StatusCode::SERVICE_UNAVAILABLE => Reply::No,
            _ => Reply::Unknown,
        },
        // A connection that was never made carried nothing.
        Err(error) if error.is_connect() => Reply::No,
        Err(_) => Reply::Unknown,
    }
}
