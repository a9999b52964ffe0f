//! Math server and clients as programs of this machine.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use is_even::{client, server};

/// Arithmetic on another machine.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// The math server.
    Server {
        /// Address and port
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: String,
    },
    /// The client for which whatever is not 0 is odd.
    Hurried(Client),
    /// The client that asks until there is an answer.
    AsksAgain(Client),
}

#[derive(clap::Args)]
struct Client {
    /// Where the math server is
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    server: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Cli::parse().role {
        Role::Server { listen } => server::run(&listen).await.map_err(|error| error.to_string()),
        Role::Hurried(Client { server }) => {
            client::hurried::run(&server).await;
            Ok(())
        }
        Role::AsksAgain(Client { server }) => client::asks_again::run(&server).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("is-even: {error}");
            ExitCode::FAILURE
        }
    }
}
