//! Where hosts stand: in zones, and at switches whose ports have a queue.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Hosts that are near each other, and named together where something is wrong with the way to them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ZoneSpec {
    /// Its name, which is that of no host and no group.
    pub name: String,
    /// Names of its hosts.
    pub hosts: Vec<String>,
}

/// A switch and the hosts at its ports.
///
/// What leaves the switch through a port goes one packet after the other at the port's speed; what comes meanwhile waits
/// in the port's queue, whoever sent it, and a datagram that finds the queue full is lost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SwitchSpec {
    /// Its name.
    pub name: String,
    /// Names of the hosts at its ports.
    pub hosts: Vec<String>,
    /// Bytes a second of each host's port, each way; 0 for no limit.
    pub bandwidth: u64,
    /// Bytes a second to and from all other switches together, each way; 0 for no limit.
    pub uplink: u64,
    /// Bytes that wait at a port at most.
    pub queue: u64,
}
