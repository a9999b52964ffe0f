//! `half-open member`, `half-open client`: one member of three, or a client of them, on this machine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use half_open::client::{self, Printed, Task};
use half_open::site::Site;
use half_open::{careful, http, naive};

/// A register that three members keep, with a leader.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Where the members are
    #[arg(long, value_delimiter = ',', default_values = [
        "http://127.0.0.1:8080", "http://127.0.0.1:8081", "http://127.0.0.1:8082"
    ])]
    members: Vec<String>,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Be a member
    Member {
        /// Its number, from 0
        me: usize,
        /// What a leader does
        manner: Manner,
        /// Its data directory
        directory: PathBuf,
        /// What members show each other
        #[arg(long, default_value = "drill")]
        token: String,
    },
    /// Write a value, and read
    Client {
        /// What is written
        value: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Manner {
    Naive,
    Careful,
}

fn main() -> ExitCode {
    let Cli { members, role } = Cli::parse();
    match role {
        Role::Member { me, manner, directory, token } => {
            let Some(url) = members.get(me) else {
                eprintln!("half-open: there are {} members, from 0", members.len());
                return ExitCode::FAILURE;
            };
            let listen = url.trim_start_matches("http://").to_string();
            let site = Site { me, members, listen, directory, token };
            match manner {
                Manner::Naive => naive::run(&site),
                Manner::Careful => careful::run(&site),
            }
        }
        Role::Client { value } => http::run(async {
            let tasks = [Task::Write(value), Task::Wait(Duration::from_millis(10)), Task::Read];
            client::run(&members, 0, &tasks, &mut Printed).await
        }),
    }
}
