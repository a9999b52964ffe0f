//! The programs of the scenario on this machine.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use snapshot::{client, shard};

/// Two shards and a client. Settings are in the environment: LISTEN and DATA of shards, A and B of the client.
#[derive(Parser)]
struct Cli {
    role: Role,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// A shard that believes its clock.
    Believing,
    /// A shard that knows how wrong its clock may be.
    Bounded,
    /// The client.
    Client,
}

fn main() -> ExitCode {
    match Cli::parse().role {
        Role::Believing => shard::believing(),
        Role::Bounded => shard::bounded(),
        Role::Client => client::main(),
    }
}
