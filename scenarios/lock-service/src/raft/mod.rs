//! How the lock servers agree: Raft, of the crate `openraft`, with what it needs from us: a log and a vote that are on the
//! disk when they are acknowledged ([`Log`]), the state that the log makes ([`Machine`]), and messages ([`Peers`]).

mod disk;
mod log;
mod machine;
mod network;

use std::io::Cursor;

use openraft::{Config, ConfigError, SnapshotPolicy};

use crate::locks::{Command, Reply};

pub use disk::Disk;
pub use log::Log;
pub use machine::{Machine, View};
pub use network::Peers;

openraft::declare_raft_types!(
    /// What Raft replicates here.
    pub Types:
        D = Command,
        R = Reply,
        NodeId = u64,
        Node = openraft::BasicNode,
        Entry = openraft::Entry<Types>,
        SnapshotData = Cursor<Vec<u8>>,
        Responder = openraft::impls::OneshotResponder<Types>,
        AsyncRuntime = openraft::TokioRuntime,
);

/// A lock server's part of Raft.
pub type Raft = openraft::Raft<Types>;

/// Times of Raft: slow ones, since a lock is asked for seldom. The leader is missed after 6 s, and somebody else stands for
/// election within another 6 s. A snapshot is taken after so many entries, and then they are forgotten.
///
/// # Errors
/// None with these times.
pub fn config(snapshot_after: u64) -> Result<Config, ConfigError> {
    let config = Config {
        cluster_name: "locks".to_string(),
        heartbeat_interval: 1_500,
        election_timeout_min: 4_000,
        election_timeout_max: 6_000,
        install_snapshot_timeout: 3_000,
        snapshot_max_chunk_size: 64 << 10,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(snapshot_after),
        replication_lag_threshold: snapshot_after,
        max_in_snapshot_log_to_keep: 0,
        ..Config::default()
    };
    config.validate()
}
