//! A store in two replicas behind a balancer: what the matrix says of its hosts, and what of their groups.
//!
//! A replica passes each value on to the other one before it says that it has it (Gabrielson, *Challenges with distributed
//! systems*: what a reply promises has to survive the loss of one machine). The balancer asks the other replica where one does
//! not answer well, and tells each request to a host that counts them, which nothing else depends on.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Mutex;
use std::time::Duration;

use bizarro::prelude::*;

/// Serves each connection in a thread of its own: one request, one reply. `answer` gets the path and the value that the
/// request brings, and gives the status of the reply.
fn serve(answer: impl Fn(&str, &str) -> u16 + Send + Sync + Clone + 'static) {
    let listener = TcpListener::bind("[::]:80").unwrap();
    for stream in listener.incoming().flatten() {
        let answer = answer.clone();
        std::thread::spawn(move || {
            let _ = answer_one(&stream, answer);
        });
    }
}

fn answer_one(mut stream: &TcpStream, answer: impl Fn(&str, &str) -> u16) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().ok_or(ErrorKind::UnexpectedEof)??;
    let mut value = String::new();
    loop {
        // What ends before its empty line is no request.
        let line = lines.next().ok_or(ErrorKind::UnexpectedEof)??;
        if line.is_empty() {
            break;
        }
        if let Some(brought) = line.strip_prefix("value: ") {
            value = brought.to_string();
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let status = answer(path, &value);
    write!(stream, "HTTP/1.1 {status} .\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// Asks a host, and gives the status of its reply.
fn ask(host: &str, path: &str, value: &str, patience: Duration) -> io::Result<u16> {
    let address = (host, 80).to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n");
    let request = format!("{head}value: {value}\r\n\r\n");
    // In one piece.
    stream.write_all(request.as_bytes())?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let status = reply.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.ok_or_else(|| ErrorKind::InvalidData.into())
}

/// Where a replica keeps its values, a line each.
const VALUES: &str = "/var/lib/values";

/// Adds a value. What was kept before stays whatever happens, and what this says to have kept does, too: the old file is
/// replaced by a whole new one, and file and names are synced (fsync(2): a name needs its directory to be synced).
fn keep(value: &str) -> io::Result<()> {
    static WRITING: Mutex<()> = Mutex::new(());
    let _one = WRITING.lock().unwrap();
    let known = fs::read_to_string(VALUES).unwrap_or_default();
    let values: BTreeSet<&str> = known.lines().chain([value]).collect();
    let lines: String = values.iter().map(|value| format!("{value}\n")).collect();
    fs::create_dir_all("/var/lib")?;
    let mut new = File::create("/var/lib/new")?;
    new.write_all(lines.as_bytes())?;
    new.sync_all()?;
    fs::rename("/var/lib/new", VALUES)?;
    ["/var/lib", "/var", "/"].into_iter().try_for_each(|names| File::open(names)?.sync_all())
}

fn replica(other: &'static str) {
    serve(move |path, value| match (keep(value), path) {
        (Err(_), _) => 503,
        (Ok(()), "/put") => ask(other, "/copy", value, secs(1)).unwrap_or(503),
        (Ok(()), _) => 200,
    });
}

/// What the balancer thinks of the host that counts.
#[derive(Clone, Copy)]
enum Counting {
    /// It is told, and that is all.
    Told,
    /// A request that it does not hear of is refused.
    Insisted,
}

fn balancer(counting: Counting) {
    serve(move |path, value| {
        let told = ask("counter", "/count", value, millis(200)).is_ok_and(|status| status == 200);
        if !told && matches!(counting, Counting::Insisted) {
            return 503;
        }
        let by = |replica| ask(replica, path, value, secs(3)).ok().filter(|status| *status == 200);
        by("db-1").or_else(|| by("db-2")).unwrap_or(502)
    });
}

fn client() {
    for value in ["a", "b"] {
        while !ask("balancer", "/put", value, secs(8)).is_ok_and(|status| status == 200) {
            std::thread::sleep(millis(100));
        }
        println!("kept {value}");
    }
}

fn describe(world: &mut World, counting: Counting) {
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    world.host("client").workload(|| {
        std::thread::sleep(millis(10)); // the others are up
        client();
    });
    world.host("balancer").program(move || balancer(counting));
    world.host("db-1").keep(VALUES).program(|| replica("db-2"));
    world.host("db-2").keep(VALUES).program(|| replica("db-1"));
    world.host("counter").non_critical().program(|| serve(|_, _| 200));
    world.group("db", &["db-1", "db-2"]);
    // Longer than any fault lasts; without the store a client asks until then.
    world.deadline(secs(150));
    world.check("what is kept is kept by both", |run| {
        let said: Vec<&str> =
            run.output("client").iter().filter_map(|line| line.strip_prefix("kept ")).collect();
        for host in ["db-1", "db-2"] {
            let values = String::from_utf8_lossy(run.file(host, VALUES).unwrap_or_default());
            if let Some(lost) = said.iter().find(|value| !values.lines().any(|v| v == **value)) {
                return Err(format!("{host} lacks {lost}"));
            }
        }
        Ok(())
    });
}

#[bizarro::test]
fn two_replicas_are_one_store(world: &mut World) {
    describe(world, Counting::Told);
    world.explore(Explore::everything().seeds(4));
}

/// Something critical depends on what is declared not to be: that is found without any other fault.
#[bizarro::test]
fn what_is_not_critical_is_insisted_on(world: &mut World) {
    describe(world, Counting::Insisted);
    world.explore(Explore::everything().seeds(0));
    world.must_break(&["the workload ends"]);
}
