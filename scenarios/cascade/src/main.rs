//! The programs on one machine, each a process of its own.

use std::process::ExitCode;

use cascade::{front, http, node};
use clap::{Parser, Subcommand};

/// Nodes that make reports, and a front that wants some.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
    /// Shed load, wait as long as replies take, and pause between attempts
    #[arg(long, global = true)]
    steady: bool,
}

#[derive(Subcommand)]
enum Role {
    /// Make reports.
    Node {
        /// Address and port to listen on
        #[arg(long, default_value = "127.0.0.1:8081")]
        listen: String,
    },
    /// Serve customers.
    Front {
        /// URLs of the nodes
        #[arg(required = true)]
        nodes: Vec<String>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { role, steady } = Cli::parse();
    match role {
        Role::Node { listen } => {
            let app = if steady { node::steady::app() } else { node::hasty::app() };
            http::run("node", &listen, app).await
        }
        Role::Front { nodes } => {
            if steady {
                front::steady::run(nodes).await;
            } else {
                front::hasty::run(nodes).await;
            }
            ExitCode::SUCCESS
        }
    }
}
