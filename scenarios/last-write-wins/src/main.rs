//! The programs of the scenario on this machine.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use last_write_wins::lww::LastWriteWins;
use last_write_wins::versions::Versions;
use last_write_wins::{client, node};

/// A store with a leader on every node. Settings are in the environment: NODE, LISTEN, PEERS and DATA of nodes, AT, ID and
/// NODES of clients.
#[derive(Parser)]
struct Cli {
    role: Role,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// A node whose last write wins.
    Lww,
    /// A node with version vectors.
    Versions,
    /// Client A: sets x to 1.
    Set,
    /// Client B: adds 1 to x.
    Increment,
}

fn main() -> ExitCode {
    match Cli::parse().role {
        Role::Lww => node::main::<LastWriteWins>(),
        Role::Versions => node::main::<Versions>(),
        Role::Set => client::set(),
        Role::Increment => client::increment(),
    }
}
