//! What the README shows is this file, from the line after the next comment of this kind to the end.

#![expect(unreachable_pub, reason = "the reader's service is a crate of its own")]

use std::fs;
use std::path::Path;

/// Where the listing begins: everything above is what a reader has already.
const MARK: &str = "// ---- The listing of the README.\n";

#[test]
fn the_readme_shows_what_is_tested_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, listing) = include_str!("readme.rs").rsplit_once(MARK).unwrap();
    let shown = format!("```rust\n{}```\n", listing.trim_start());
    assert!(readme.contains(&shown), "put this into README.md:\n{shown}");
}

/// The reader's service: pays out from an account of 100, each order once, and writes down what it paid
/// before it answers.
mod bank {
    use std::fs::{self, File, OpenOptions};
    use std::io::{BufRead, BufReader, Result, Write};
    use std::net::{TcpListener, TcpStream};

    pub fn main() -> Result<()> {
        fs::create_dir_all("/var/lib/bank")?;
        let listener = TcpListener::bind("0.0.0.0:8080")?;
        for stream in listener.incoming() {
            // A teller that has gone is no reason to close the bank.
            let _ = serve(&stream?);
        }
        Ok(())
    }

    fn serve(stream: &TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(std::time::Duration::from_secs(5)))?;
        let (mut order, mut to) = (String::new(), stream);
        BufReader::new(stream).read_line(&mut order)?;
        let answer = match order.strip_suffix('\n').and_then(|order| order.split_once(' ')) {
            Some((id, amount)) if amount.parse::<u64>().is_ok() => pay(id, amount)?,
            _ => "not understood",
        };
        writeln!(to, "{answer}")
    }

    /// The journal may end in the middle of a line, where a disk was full: that payment was never answered.
    fn pay(id: &str, amount: &str) -> Result<&'static str> {
        let journal = fs::read_to_string("/var/lib/bank/journal").unwrap_or_default();
        let paid: Vec<(&str, u64)> = journal.lines().filter_map(read).collect();
        if paid.iter().any(|(known, _)| *known == id) {
            return Ok("paid");
        }
        let asked: u64 = amount.parse().unwrap_or(u64::MAX);
        if paid.iter().map(|(_, amount)| amount).sum::<u64>().saturating_add(asked) > 100 {
            return Ok("refused");
        }
        let mut file: File =
            OpenOptions::new().create(true).append(true).open("/var/lib/bank/journal")?;
        file.write_all(format!("{id} {amount}\n").as_bytes())?;
        file.sync_all()?;
        Ok("paid")
    }

    pub fn read(line: &str) -> Option<(&str, u64)> {
        let (id, amount) = line.split_once(' ')?;
        Some((id, amount.parse().ok()?))
    }
}

/// The reader's client: orders 30 four times, and again while it does not know what came of an order.
mod teller {
    use std::io::{BufRead, BufReader, Result, Write};
    use std::net::TcpStream;
    use std::thread::sleep;
    use std::time::Duration;

    use bizarro::History;

    pub fn run(bank: &str, history: &History) {
        for id in ["a", "b", "c", "d"] {
            loop {
                let op = history.invoke((id, 30));
                match order(bank, id).as_deref() {
                    Ok("paid\n") => break op.ok(30),
                    Ok("refused\n") => break op.fail(),
                    _ => op.unknown(),
                }
                sleep(Duration::from_millis(100));
            }
        }
    }

    fn order(bank: &str, id: &str) -> Result<String> {
        let (mut stream, mut answer) = (TcpStream::connect(bank)?, String::new());
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(format!("{id} 30\n").as_bytes())?;
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer)
    }
}

// ---- The listing of the README.

use bizarro::prelude::*;

#[bizarro::test]
fn money_is_never_made(world: &mut World) {
    let history = world.history("payments");
    world.host("bank").env("RUST_LOG", "info").keep("/var/lib/bank/journal").program(bank::main);
    world.host("teller").workload({
        let history = history.clone();
        move || teller::run("bank:8080", &history) // the run ends when the workload does
    });

    world.check("the bank pays no more than it has", |run| {
        let journal = run.file("bank", "/var/lib/bank/journal").unwrap_or_default();
        let journal = String::from_utf8_lossy(journal);
        let paid: u64 = journal.lines().filter_map(bank::read).map(|(_, amount)| amount).sum();
        if paid <= 100 { Ok(()) } else { Err(format!("it paid {paid} of 100")) }
    });
    world.eventually("the teller is served again", secs(60)); // after the last fault
}
