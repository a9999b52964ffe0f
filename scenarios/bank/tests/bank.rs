//! The bank and its tellers on simulated hosts.

use std::fs;
use std::path::Path;

use bank::teller::{Entry, entries};
use bank::{ACCOUNT, CUSTOMERS, OPENING, server, teller};
use bizarro::prelude::*;
use rusqlite::Connection;

const CONSERVED: &str = "money is conserved";
const LEDGER: [&str; 2] = ["/var/lib/bank/bank.db", "/var/lib/bank/bank.db-journal"];
const BOOK: &str = "/var/lib/bank/book";

fn describe<T: std::process::Termination>(world: &mut World, teller: impl Fn() -> T + 'static) {
    world.host("bank").keep(LEDGER[0]).keep(LEDGER[1]).program(server::main);
    // A swarm strikes up to sixteen times in a run, and a partition lasts 30 s.
    world.host("teller").keep(BOOK).env("BANK_DEADLINE_S", 500).workload(teller);
    world.check(CONSERVED, conserved);
    world.eventually("every customer is served", secs(120));
}

/// Retries and lost messages are in the model, damaged ones are not: what is damaged on the way is asked and answered in
/// another meaning, and no key helps. That is the work of TLS.
fn no_damage(world: &mut World) {
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
}

/// Safety: what is missing from the account is what customers have, but for the one that is being served.
fn conserved(run: &Run<'_>) -> Result<(), String> {
    let book = entries(run.file("teller", BOOK).unwrap_or_default())?;
    let paid = book.iter().map(|entry| match entry {
        Entry::Paid(_, cents) => *cents,
        _ => 0,
    });
    let paid: u64 = paid.sum();
    let taken = OPENING - balance(run)?;
    let is_done = |name: &str| {
        book.iter().any(|entry| entry.customer() == name && !matches!(entry, Entry::Ask(..)))
    };
    let open = CUSTOMERS.iter().find(|(name, _)| !is_done(name)).map_or(0, |(_, cents)| *cents);
    if taken == paid || !run.is_completed() && taken == paid + open {
        Ok(())
    } else {
        Err(format!("{taken} cents were taken from the account, and customers have {paid}"))
    }
}

/// What is on the account, read as the bank's next start would read it: with the journal of what was not committed.
fn balance(run: &Run<'_>) -> Result<u64, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    for path in LEDGER {
        if let Some(content) = run.file("bank", path) {
            let name = path.rsplit('/').next().expect("a path has a name");
            fs::write(directory.path().join(name), content).map_err(|error| error.to_string())?;
        }
    }
    read(&directory.path().join("bank.db")).map_err(|error| error.to_string())
}

fn read(path: &Path) -> rusqlite::Result<u64> {
    let database = Connection::open(path)?;
    if database.table_exists(None, "accounts")? {
        Ok(server::balance_of(&database, ACCOUNT)?.unwrap_or(OPENING))
    } else {
        // The bank did not come so far.
        Ok(OPENING)
    }
}

#[bizarro::test]
fn gives_up(world: &mut World) {
    describe(world, teller::naive::gives_up);
    no_damage(world);
    world.must_break(&[CONSERVED]);
}

#[bizarro::test]
fn naive(world: &mut World) {
    describe(world, teller::naive::main);
    no_damage(world);
    world.must_break(&[CONSERVED]);
}

#[bizarro::test]
fn careful(world: &mut World) {
    describe(world, teller::careful::main);
    no_damage(world);
}

/// Where the network changes bytes, a key is not enough: other amounts are withdrawn than are handed out.
#[bizarro::test]
fn careful_on_a_network_that_changes_bytes(world: &mut World) {
    describe(world, teller::careful::main);
    world.model(Network::Arbitrary, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    world.must_break(&[CONSERVED, "programs end with success"]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
