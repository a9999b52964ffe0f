//! Exchanges: one request and its reply, and the eight steps at which they can fail.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use crate::plan::SpecError;
use crate::time::Nanos;

/// The eight steps of a request/reply, each of which can fail on its own
/// (Gabrielson, *Challenges with distributed systems*, Amazon Builders' Library).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// 1: the client puts the request on the network.
    PostRequest,
    /// 2: the network delivers the request to the server.
    DeliverRequest,
    /// 3: the server validates the request.
    ValidateRequest,
    /// 4: the server updates its state.
    UpdateServer,
    /// 5: the server puts the reply on the network.
    PostReply,
    /// 6: the network delivers the reply to the client.
    DeliverReply,
    /// 7: the client validates the reply.
    ValidateReply,
    /// 8: the client updates its state.
    UpdateClient,
}

impl Step {
    /// All eight, in order.
    pub const ALL: [Step; 8] = [
        Step::PostRequest,
        Step::DeliverRequest,
        Step::ValidateRequest,
        Step::UpdateServer,
        Step::PostReply,
        Step::DeliverReply,
        Step::ValidateReply,
        Step::UpdateClient,
    ];

    /// 1 to 8, as the source document numbers them.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// The word used in specs: `deliver-reply`.
    pub fn key(self) -> &'static str {
        match self {
            Step::PostRequest => "post-request",
            Step::DeliverRequest => "deliver-request",
            Step::ValidateRequest => "validate-request",
            Step::UpdateServer => "update-server",
            Step::PostReply => "post-reply",
            Step::DeliverReply => "deliver-reply",
            Step::ValidateReply => "validate-reply",
            Step::UpdateClient => "update-client",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for Step {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Step, SpecError> {
        Step::ALL.into_iter().find(|step| step.key() == s).ok_or_else(|| {
            SpecError::new(s, "one of post-request, deliver-request, validate-request, update-server, post-reply, deliver-reply, validate-reply, update-client")
        })
    }
}

/// Identifies an exchange from run to run: who asks whom, what, and for the how-manieth time.
///
/// Written `player>board POST /move #3`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub struct ExchangeId {
    /// Name of the host that sends the request.
    pub client: String,
    /// Name of the host that is asked.
    pub server: String,
    /// What is asked: `POST /move`, `grpc pacman.Board/Move`, `redis SET`, `postgres INSERT accounts`, or `tcp:8080` where
    /// the protocol is not known.
    pub name: String,
    /// 1 for the first exchange of this client, server and name.
    pub ordinal: u32,
}

impl ExchangeId {
    /// Whether the two differ in their ordinals at the most.
    pub fn is_of_kind(&self, other: &ExchangeId) -> bool {
        self.name == other.name && self.client == other.client && self.server == other.server
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{} {} #{}", self.client, self.server, self.name, self.ordinal)
    }
}

impl FromStr for ExchangeId {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<ExchangeId, SpecError> {
        let wrong =
            || SpecError::new(s, "CLIENT>SERVER NAME #N, such as `player>board POST /move #3`");
        let (client, rest) = s.split_once('>').ok_or_else(wrong)?;
        let (server, rest) = rest.split_once(' ').ok_or_else(wrong)?;
        let (name, ordinal) = rest.rsplit_once(" #").ok_or_else(wrong)?;
        let ordinal = ordinal.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
        if client.is_empty() || server.is_empty() || name.is_empty() {
            return Err(wrong());
        }
        Ok(ExchangeId {
            client: client.to_string(),
            server: server.to_string(),
            name: name.to_string(),
            ordinal,
        })
    }
}

/// An exchange as a run saw it. Times are absent for steps that were not reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exchange {
    /// Who asked whom what.
    pub id: ExchangeId,
    /// Number of the connection in this run (a datagram pair counts as one).
    pub connection: u32,
    /// The how-manieth exchange on that connection, from 1.
    pub on_connection: u32,
    /// The client handed over the first byte of the request.
    pub requested: Nanos,
    /// The last byte of the request arrived at the server.
    pub delivered: Option<Nanos>,
    /// The server handed over the first byte of the reply.
    pub replied: Option<Nanos>,
    /// The last byte of the reply arrived at the client.
    pub completed: Option<Nanos>,
    /// Bytes of the request.
    pub request_bytes: u64,
    /// Bytes of the reply.
    pub reply_bytes: u64,
    /// System calls that the server's process began between the request's arrival and the reply, with the one that sent
    /// it; up to the end of that process, or of the run, where there was no reply.
    pub server_calls: u32,
    /// How many times the server wrote to its disk between the request's arrival and the reply, or that end.
    pub server_disk_writes: u32,
    /// How many times the client wrote to its disk between the reply's arrival and its next request.
    pub client_disk_writes: u32,
    /// Status of the reply where the protocol has one: of HTTP, or of gRPC (0 to 16, 0 being success).
    pub status: Option<u16>,
    /// The how-manieth attempt at the same call it is, from 1: more where the exchange before it of the same client,
    /// server, name and body was over without success.
    pub attempt: u32,
}
