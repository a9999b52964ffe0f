//! The teller that asks once: whatever is no SUCCESS sends the customer away.

use std::process::ExitCode;

use super::{Bank, Book, Entry, PATIENCE, report};
use crate::CUSTOMERS;
use crate::config::Config;
use crate::proto::answer::Result as Verdict;

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
        let entry = match bank.withdraw(cents, None).await {
            Ok(Verdict::Success) => Entry::Paid(name.to_string(), cents),
            Ok(_) | Err(_) => Entry::Refused(name.to_string()),
        };
        book.add_patiently(&entry);
    }
    Ok(())
}
