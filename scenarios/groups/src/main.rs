//! `groups machine`, `groups balancer`, `groups keep`: the programs on this machine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use groups::client::Group;
use groups::machine::Site;
use groups::{balancer, http, machine};

/// A group of machines that keeps values, behind a balancer.
#[derive(Parser)]
#[command(version)]
enum Cli {
    /// A machine of the group
    Machine {
        /// Address and port to listen on
        listen: String,
        /// The data directory
        directory: PathBuf,
        /// The other machines: http://127.0.0.1:8081
        others: Vec<String>,
        /// What machines show each other
        #[arg(long, default_value = "drill")]
        token: String,
        /// Answer before another machine has the value
        #[arg(long)]
        early: bool,
    },
    /// The balancer
    Balancer {
        /// Address and port to listen on
        listen: String,
        /// The machines: http://127.0.0.1:8081
        machines: Vec<String>,
    },
    /// Ask the group
    #[command(subcommand)]
    Group(Asked),
}

#[derive(Subcommand)]
enum Asked {
    /// To keep a value
    Keep { balancer: String, name: String, value: String },
    /// For a value
    Give { balancer: String, name: String },
}

fn main() -> ExitCode {
    match Cli::parse() {
        Cli::Machine { listen, directory, others, token, early } => {
            let site = Site { listen, others, directory, token };
            if early { machine::early(&site) } else { machine::recursive(&site) }
        }
        Cli::Balancer { listen, machines } => balancer::run(&listen, &machines),
        Cli::Group(asked) => http::run(async {
            match asked {
                Asked::Keep { balancer, name, value } => {
                    Group::at(&balancer)?.keep(&name, &value).await;
                }
                Asked::Give { balancer, name } => {
                    println!("{:?}", Group::at(&balancer)?.value(&name).await);
                }
            }
            Ok(())
        }),
    }
}
