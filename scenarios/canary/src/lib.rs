//! Programs with one planted bug each: against safety, liveness, a crash, a race. A search that does not find them
//! finds nothing.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Where the bank writes down what it paid: a payment's id a line.
pub const JOURNAL: &str = "/var/lib/bank/journal";
/// Where the counter of the race is.
pub const COUNTER: &str = "/counter";
/// How often each of the race's two threads counts.
pub const COUNTS: u64 = 5;

/// The bank: pays each id once, and answers with how many payments it made. It has no bug.
///
/// # Errors
/// Where its disk or its port cannot be used.
pub fn bank() -> Result<()> {
    fs::create_dir_all("/var/lib/bank")?;
    for stream in TcpListener::bind("0.0.0.0:8080")?.incoming() {
        // A client that has gone, or a disk that is full, is no reason to close the bank.
        let _ = serve(&stream?);
    }
    Ok(())
}

fn serve(stream: &TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (mut line, mut to) = (String::new(), stream);
    BufReader::new(stream).read_line(&mut line)?;
    // A damaged request is none: an id is letters only, said twice.
    let Some((id, again)) = line.strip_suffix('\n').and_then(|line| line.split_once(' ')) else {
        return Ok(());
    };
    if id != again || !id.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Ok(());
    }
    let journal = fs::read_to_string(JOURNAL).unwrap_or_default();
    let known = journal.lines().any(|line| line == id);
    if !known {
        let mut file = OpenOptions::new().create(true).append(true).open(JOURNAL)?;
        file.write_all(format!("{id}\n").as_bytes())?;
    }
    let count = journal.lines().count() + usize::from(!known);
    writeln!(to, "{count}")
}

/// Longer than anything that the simulator delays.
const PATIENCE: Duration = Duration::from_secs(100);
/// Longer than a bank is away after a crash.
const PAUSE: Duration = Duration::from_secs(3);

fn pay(id: &str, patience: Option<Duration>) -> Result<String> {
    let mut stream = TcpStream::connect("bank:8080")?;
    stream.set_read_timeout(patience)?;
    stream.write_all(format!("{id} {id}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    match answer.ends_with('\n') {
        true => Ok(answer),
        false => Err(Error::from(ErrorKind::UnexpectedEof)),
    }
}

/// **Against safety.** Pays once, and asks again under the same id; but after two failures in a row takes another
/// id. Two faults are needed, the second of which strikes the retry of the first.
pub fn hasty_teller() {
    for id in ["a", "a", "b", "b", "c", "c"] {
        if pay(id, Some(PATIENCE)).is_ok() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// **Against liveness.** Waits for its answer for ever. One lost message is enough.
pub fn patient_teller() {
    while pay("a", None).is_err() {
        thread::sleep(PAUSE);
    }
}

/// **Crashes** when an answer is not what it expects. One damaged message is enough.
///
/// # Panics
/// Then.
pub fn trusting_teller() {
    loop {
        match pay("a", Some(PATIENCE)) {
            Ok(answer) => {
                let count: u64 = answer.trim_end().parse().expect("the bank answers with a number");
                println!("{count}");
                return;
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// **Races.** Two threads count in one file without a lock. No fault is needed, but another order of tasks.
pub fn racing_counters() {
    fs::write(COUNTER, "0").expect("the disk can be written");
    let count = || {
        for _ in 0..COUNTS {
            let counted = fs::read_to_string(COUNTER).expect("it is there");
            let counted: u64 = counted.parse().unwrap_or(0);
            fs::write(COUNTER, (counted + 1).to_string()).expect("the disk can be written");
        }
    };
    thread::scope(|scope| {
        scope.spawn(count);
        scope.spawn(count);
    });
}

/// **Is not deterministic**, because what it reads of a directory outside its world changes.
pub fn reader_of_the_outside() {
    println!("{}", fs::read_to_string("/outside/canary").unwrap_or_default());
}
