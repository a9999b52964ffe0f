//! What the programs of scenarios share, and what is not their story: how they read settings and end, how their servers
//! keep out whoever is slow or sends too much, how they keep a small file through a power loss.

pub mod disk;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod http;
mod patience;

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

pub use patience::Patience;

/// A setting: the environment's, or this.
pub fn setting(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.to_string())
}

/// Runs a program to its end, on one thread. What went wrong is said under this name.
pub fn run(name: &str, program: impl Future<Output = io::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    ended(name, runtime.and_then(|runtime| runtime.block_on(program)))
}

/// The status with which a program ends. What went wrong is said under this name, on stderr.
pub fn ended(name: &str, result: Result<(), impl Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
