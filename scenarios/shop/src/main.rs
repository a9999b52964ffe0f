//! Shop and payment service as programs of this machine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use scenario_programs::ended;
use shop::config::Config;
use shop::payment;
use shop::shop::{Fate, careful, hurried};

/// An online shop and a payment service.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// The payment service.
    Payment {
        /// Address and port
        #[arg(long, default_value = "127.0.0.1:50051")]
        listen: String,
        /// Its ledger
        #[arg(long, default_value = "payment.db")]
        data: PathBuf,
    },
    /// A shop.
    Shop {
        /// What it does when it knows nothing of a payment
        kind: Kind,
        /// Where the payment service is
        #[arg(long, default_value = "http://127.0.0.1:50051")]
        payment: String,
        /// Its book
        #[arg(long, default_value = "shop.db")]
        data: PathBuf,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// It cancels the order
    Cancels,
    /// It ships
    ShipsAnyway,
    /// It asks again, or takes the payment back
    Careful,
}

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::from_env();
    let served = match Cli::parse().role {
        Role::Payment { listen, data } => {
            let config = Config { listen, data, ..config };
            payment::run(&config).await.map_err(|error| error.to_string())
        }
        Role::Shop { kind, payment, data } => {
            let config = Config { payment, data, ..config };
            match kind {
                Kind::Careful => careful::serve(&config).await,
                Kind::Cancels => {
                    hurried::serve(&config, Fate::Cancelled).await;
                    Ok(())
                }
                Kind::ShipsAnyway => {
                    hurried::serve(&config, Fate::Shipped).await;
                    Ok(())
                }
            }
        }
    };
    ended("shop", served)
}
