//! The programs of the scenario on this machine.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use lock_service::{client, server, store};

/// A lock service, a file store and clients. Settings are in the environment: LISTEN and DATA of servers, ME and SECRET of
/// lock servers, NAME and STORE of clients, SERVERS of both.
#[derive(Parser)]
struct Cli {
    role: Role,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// A lock server.
    Server,
    /// A store that takes whatever arrives.
    Unfenced,
    /// A store that looks at tokens.
    Fenced,
    /// A client, which adds its line to the file.
    Client,
}

fn main() -> ExitCode {
    match Cli::parse().role {
        Role::Server => server::main(),
        Role::Unfenced => store::unfenced(),
        Role::Fenced => store::fenced(),
        Role::Client => client::main(),
    }
}
