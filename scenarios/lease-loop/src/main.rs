//! The programs of the scenario on this machine.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use lease_loop::{node, registry, store};

/// A lease, a store and nodes that trust their lease. Settings are in the environment: LISTEN and DATA of servers, NODE,
/// REGISTRY, STORE, REQUESTS and EVERY_MS of nodes.
#[derive(Parser)]
struct Cli {
    role: Role,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// Grants the lease.
    Registry,
    /// A store that writes tokens down.
    Unguarded,
    /// A store that looks at tokens.
    Fenced,
    /// A node that compares times of day.
    TimeOfDay,
    /// A node that counts on its monotonic clock.
    Monotonic,
    /// The same, with time-outs.
    Careful,
}

fn main() -> ExitCode {
    match Cli::parse().role {
        Role::Registry => registry::main(),
        Role::Unguarded => store::unguarded(),
        Role::Fenced => store::fenced(),
        Role::TimeOfDay => node::time_of_day(),
        Role::Monotonic => node::monotonic(),
        Role::Careful => node::careful(),
    }
}
