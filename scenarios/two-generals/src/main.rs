//! `two-generals`: one of the two on this machine; the other one is another process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use two_generals::finite::{self, Protocol, Side};
use two_generals::revocable;

/// Two generals and their messengers, over UDP.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Where this general is
    #[arg(long, default_value = "127.0.0.1:7001")]
    here: String,
    /// Where the other one is
    #[arg(long, default_value = "127.0.0.1:7002")]
    there: String,
    #[command(subcommand)]
    general: General,
}

#[derive(Subcommand)]
enum General {
    /// A protocol of so many messages, seen from the general who begins
    First { messages: u32 },
    /// A protocol of so many messages, seen from the general who answers
    Second { messages: u32 },
    /// March, and call it back if nobody answers
    Lead { directory: PathBuf },
    /// March or come home, as the other one says
    Follow { directory: PathBuf },
}

/// Time to start the other one by hand.
const DAWN: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let Cli { here, there, general } = Cli::parse();
    let protocol = |messages| Protocol { messages, messengers: 1, dawn: DAWN };
    match general {
        General::First { messages } => finite::run(Side::First, protocol(messages), &here, &there),
        General::Second { messages } => {
            finite::run(Side::Second, protocol(messages), &here, &there)
        }
        General::Lead { directory } => revocable::first(&directory, &here, &there, DAWN),
        General::Follow { directory } => revocable::second(&directory, &here, &there),
    }
}
