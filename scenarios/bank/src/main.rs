//! Bank and tellers as programs of this machine.

use std::path::PathBuf;
use std::process::ExitCode;

use bank::config::Config;
use bank::server;
use bank::teller::{careful, naive};
use clap::{Parser, Subcommand};
use scenario_programs::ended;

/// A teller and a bank on another machine.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// The bank.
    Server {
        /// Address and port
        #[arg(long, default_value = "127.0.0.1:50051")]
        listen: String,
        /// Directory of the ledger
        #[arg(long, default_value = "bank-data")]
        data: PathBuf,
    },
    /// A teller.
    Teller {
        /// What it does when it knows nothing
        kind: Kind,
        /// Where the bank is
        #[arg(long, default_value = "http://127.0.0.1:50051")]
        bank: String,
        /// Directory of the teller's book
        #[arg(long, default_value = "teller-data")]
        data: PathBuf,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// It sends the customer away
    GivesUp,
    /// It asks again
    Naive,
    /// It asks again under the same key
    Careful,
}

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::from_env();
    let served = match Cli::parse().role {
        Role::Server { listen, data } => {
            let config = Config { listen, data, ..config };
            server::run(&config).await.map_err(|error| error.to_string())
        }
        Role::Teller { kind, bank, data } => {
            let config = Config { bank, data, ..config };
            match kind {
                Kind::GivesUp => naive::serve(&config, 1).await,
                Kind::Naive => naive::serve(&config, naive::ATTEMPTS).await,
                Kind::Careful => careful::serve(&config).await,
            }
        }
    };
    ended("bank", served)
}
