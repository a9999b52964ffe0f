//! Packets as a wire would show them: what a run records where it is asked for their bytes.

use alloc::vec::Vec;
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};

use crate::time::Nanos;

/// A packet that left a host for another one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Packet {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// When it arrives; `None` where it is lost.
    pub arrives: Option<Nanos>,
    /// What it is.
    pub payload: Payload,
}

/// What a packet carries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// A datagram of UDP.
    Datagram {
        /// Its bytes.
        data: Vec<u8>,
    },
    /// A segment of TCP, up to 64 KiB: what Linux hands to a network card at once.
    Segment {
        /// What it says beside its bytes.
        sign: Sign,
        /// How many bytes its sender sent before it on this connection.
        offset: u64,
        /// Its bytes.
        data: Vec<u8>,
    },
}

/// What a segment of TCP says (RFC 9293).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// A connection is wanted.
    Syn,
    /// It is agreed to.
    SynAck,
    /// Nothing but that what came was heard.
    Ack,
    /// Bytes.
    Data,
    /// There will be no more bytes.
    Fin,
    /// There is no such connection.
    Rst,
}
