//! The teller that gives each withdrawal a key, writes it down, and asks under it until there is an answer.

use std::process::ExitCode;
use std::time::Duration;

use bizarro_remedy::idempotency::Key;
use bizarro_remedy::outcome::Outcome;
use bizarro_remedy::retry::{Backoff, Patience, Retry, Safe};
use scenario_programs::ended;

use super::{Bank, Book, Entry};
use crate::CUSTOMERS;
use crate::config::Config;
use crate::proto::answer::Result as Verdict;

const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5) };

/// A reply that takes longer than the longest of these is not waited for.
const PATIENCE: Patience =
    Patience { first: Duration::from_secs(1), longest: Duration::from_secs(15) };

/// The teller as a host's program: settings from the environment.
#[tokio::main]
pub async fn main() -> ExitCode {
    ended("teller", serve(&Config::from_env()).await)
}

/// Serves all customers that were not served yet.
///
/// # Errors
/// The bank does not answer for so long that the teller gives up. The customer is then neither paid nor refused: the next
/// start asks again, under the same key.
pub async fn serve(config: &Config) -> Result<(), String> {
    let mut bank = Bank::new(config, None);
    let mut book = Book::open_patiently(&config.data).map_err(|error| error.to_string())?;
    for (name, cents) in CUSTOMERS {
        if book.is_done(name) {
            continue;
        }
        let key = key_of(&mut book, name);
        // Twice is as good as once: the bank keeps the key.
        let (safe, deadline) = (Safe::Always, config.deadline);
        let retry = Retry { backoff: BACKOFF, safe, patience: PATIENCE, deadline };
        let entry = match retry.call(async |_| bank.ask(cents, &key).await).await {
            Outcome::Success(Verdict::Success) => Entry::Paid(name.to_string(), cents),
            Outcome::Success(_) => Entry::Refused(name.to_string()),
            other => return Err(format!("{name} cannot be served: {other}")),
        };
        book.add_patiently(&entry);
    }
    Ok(())
}

/// The key under which the bank was or will be asked for this customer.
fn key_of(book: &mut Book, customer: &str) -> Key {
    let asked = book.entries().iter().find_map(|entry| match entry {
        Entry::Ask(name, key) if name == customer => Some(key.clone()),
        _ => None,
    });
    asked.unwrap_or_else(|| {
        let key = Key::random();
        book.add_patiently(&Entry::Ask(customer.to_string(), key.clone()));
        key
    })
}
