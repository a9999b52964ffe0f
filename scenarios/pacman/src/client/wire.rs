//! One attempt at one call: seal it, send it, believe the reply only if its seal holds.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Request, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::outcome::{self, Outcome};
use crate::protocol::{FoundAll, Location, NAME_MAX, SEALED};
use crate::seal;

/// An answer that can be checked beyond its form.
pub trait Reply: DeserializeOwned {
    /// What is impossible about it, if anything.
    ///
    /// # Errors
    /// A sentence that names the impossible value.
    fn check(&self) -> Result<(), String>;
}

impl Reply for Location {
    fn check(&self) -> Result<(), String> {
        let at = self.at();
        if at.on_board() { Ok(()) } else { Err(format!("{at} is not on the board")) }
    }
}

impl Reply for FoundAll {
    fn check(&self) -> Result<(), String> {
        match self.pieces.iter().find(|piece| !piece.at().on_board()) {
            Some(piece) => Err(format!("{} at {} is not on the board", piece.name, piece.at())),
            None if self.pieces.iter().any(|p| p.name.is_empty() || p.name.len() > NAME_MAX) => {
                Err("a piece has no proper name".to_owned())
            }
            None => Ok(()),
        }
    }
}

/// A call to the board, the same in every attempt.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    /// A call that only looks, with these names and values in its query.
    pub fn get(path: &str, query: &[(&str, &str)]) -> Call {
        let query = query.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let path = format!("{SEALED}{path}");
        Call { method: Method::GET, path, query: query.collect(), body: Vec::new() }
    }

    /// A call that changes something.
    pub fn post(path: &str, message: &impl Serialize) -> Call {
        let body = serde_json::to_vec(message).expect("a message of strings is JSON");
        Call { method: Method::POST, path: format!("{SEALED}{path}"), query: Vec::new(), body }
    }
}

/// The connection to the board.
#[derive(Debug)]
pub struct Wire {
    client: Client,
    board: String,
}

impl Wire {
    /// To the board at `url`. Redirects are not followed: the board sends none, so one would be a
    /// damaged reply.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(url: &str) -> reqwest::Result<Wire> {
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build()?;
        Ok(Wire { client, board: url.to_owned() })
    }

    /// Sends `call` once and waits `patience` for the whole reply.
    pub async fn attempt<T: Reply>(&self, call: &Call, patience: Duration) -> Outcome<T> {
        match self.exchange(call, patience).await {
            Ok(answer) => answer.outcome(),
            Err(error) => outcome::of_error(&error),
        }
    }

    async fn exchange(&self, call: &Call, patience: Duration) -> reqwest::Result<Answer> {
        let (request, request_seal) = self.sealed(call, patience)?;
        let reply = self.client.execute(request).await?;
        let status = reply.status();
        let seal = reply.headers().get(seal::HEADER).and_then(|seal| seal.to_str().ok());
        let seal = seal.unwrap_or("").to_owned();
        Ok(Answer { request_seal, status, seal, body: reply.bytes().await?.to_vec() })
    }

    /// The seal covers the target as it will be sent, which is the address after the client has
    /// parsed it.
    fn sealed(&self, call: &Call, patience: Duration) -> reqwest::Result<(Request, String)> {
        let url = format!("{}{}", self.board, call.path);
        let request = self.client.request(call.method.clone(), url).query(&call.query);
        let mut request = request.timeout(patience).body(call.body.clone()).build()?;
        let url = request.url();
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let seal = seal::request(call.method.as_str(), &target, fastrand::u64(..), &call.body);
        if call.method == Method::POST {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let value = seal.parse().expect("hexadecimal digits make a header");
        request.headers_mut().insert(seal::HEADER, value);
        Ok((request, seal))
    }
}

/// A reply as it arrived.
struct Answer {
    request_seal: String,
    status: StatusCode,
    seal: String,
    body: Vec<u8>,
}

impl Answer {
    /// Whatever a reply says, it is believed only under a seal for this very attempt, an error as
    /// little as a success: any status can be a damaged one.
    fn outcome<T: Reply>(self) -> Outcome<T> {
        if self.seal != seal::reply(&self.request_seal, self.status.as_u16(), &self.body) {
            return Outcome::Unknown(format!("the seal of a reply ({}) is broken", self.status));
        }
        if self.status != StatusCode::OK {
            return outcome::of_refusal(self.status, &self.body);
        }
        let reply: Result<T, _> = serde_json::from_slice(&self.body);
        match reply.map_err(|error| error.to_string()).and_then(|reply| {
            reply.check()?;
            Ok(reply)
        }) {
            Ok(reply) => Outcome::Success(reply),
            Err(why) => Outcome::Unknown(format!("the reply makes no sense: {why}")),
        }
    }
}
