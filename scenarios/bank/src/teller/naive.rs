//! The tellers that send the customer away when something goes wrong: at once, or after asking again.

use std::process::ExitCode;
use std::time::Duration;

use scenario_programs::ended;

use super::{Bank, Book, Entry, PATIENCE};
use crate::CUSTOMERS;
use crate::config::Config;
use crate::proto::answer::Result as Verdict;

/// How often the bank is asked before the customer is sent away, by the teller that asks again.
pub const ATTEMPTS: u32 = 5;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// The teller that asks again, as a host's program: settings from the environment.
#[tokio::main]
pub async fn main() -> ExitCode {
    ended("teller", serve(&Config::from_env(), ATTEMPTS).await)
}

/// The teller that asks once, as a host's program: whatever is no SUCCESS sends the customer away.
#[tokio::main]
pub async fn gives_up() -> ExitCode {
    ended("teller", serve(&Config::from_env(), 1).await)
}

/// Serves all customers that were not served yet. The bank is asked so often for each.
///
/// # Errors
/// The book cannot be kept.
pub async fn serve(config: &Config, attempts: u32) -> Result<(), String> {
    let mut bank = Bank::new(config, Some(PATIENCE));
    let mut book = Book::open_patiently(&config.data).map_err(|error| error.to_string())?;
    for (name, cents) in CUSTOMERS {
        if book.is_done(name) {
            continue;
        }
        let entry = match withdraw(&mut bank, cents, attempts).await {
            Some(Verdict::Success) => Entry::Paid(name.to_string(), cents),
            _ => Entry::Refused(name.to_string()),
        };
        book.add_patiently(&entry);
    }
    Ok(())
}

async fn withdraw(bank: &mut Bank, cents: u64, attempts: u32) -> Option<Verdict> {
    for attempt in 0..attempts {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        if let Ok(verdict) = bank.withdraw(cents, None).await {
            return Some(verdict);
        }
    }
    None
}
