//! Settings: those of a host, changed by the environment.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of both programs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the bank listens (`BANK_LISTEN`).
    pub listen: String,
    /// Where the teller finds it (`BANK_URL`).
    pub bank: String,
    /// Directory of a program's files (`BANK_DATA`).
    pub data: PathBuf,
    /// What a teller has to show (`BANK_TOKEN`).
    pub token: String,
    /// How long a teller tries one withdrawal (`BANK_DEADLINE_S`).
    pub deadline: Duration,
}

impl Config {
    /// Those of a host, with what the environment says.
    pub fn from_env() -> Config {
        let or = |name: &str, usual: &str| env::var(name).unwrap_or_else(|_| usual.to_string());
        let deadline = or("BANK_DEADLINE_S", "90").parse().expect("BANK_DEADLINE_S is a number");
        Config {
            listen: or("BANK_LISTEN", "0.0.0.0:50051"),
            bank: or("BANK_URL", "http://bank:50051"),
            data: or("BANK_DATA", "/var/lib/bank").into(),
            token: or("BANK_TOKEN", "teller-1"),
            deadline: Duration::from_secs(deadline),
        }
    }
}
