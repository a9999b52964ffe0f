//! The teller that asks again when something goes wrong.

use std::process::ExitCode;
use std::time::Duration;

use super::{Bank, Book, Entry, PATIENCE, report};
use crate::CUSTOMERS;
use crate::config::Config;
use crate::proto::answer::Result as Verdict;

/// How often the bank is asked before the customer is sent away.
const ATTEMPTS: u32 = 5;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// The teller as a host's program: settings from the environment.
#[tokio::main]
pub async fn main() -> ExitCode {
    report(serve(&Config::from_env()).await)
}

/// Serves all customers that were not served yet.
///
/// # Errors
/// The book cannot be kept.
pub async fn serve(config: &Config) -> Result<(), String> {
    let mut bank = Bank::new(config, Some(PATIENCE));
    let mut book = Book::open_patiently(&config.data).map_err(|error| error.to_string())?;
    for (name, cents) in CUSTOMERS {
        if book.is_done(name) {
            continue;
        }
        let entry = match withdraw(&mut bank, cents).await {
            Some(Verdict::Success) => Entry::Paid(name.to_string(), cents),
            _ => Entry::Refused(name.to_string()),
        };
        book.add_patiently(&entry);
    }
    Ok(())
}

async fn withdraw(bank: &mut Bank, cents: u64) -> Option<Verdict> {
    for _ in 0..ATTEMPTS {
        if let Ok(verdict) = bank.withdraw(cents, None).await {
            return Some(verdict);
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}
