//! What goes wrong with the network, with hosts that lie and with clients that ask too much: each time a naive program
//! breaks and a careful one holds. Both are in one world, side by side, and meet the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{sleep, spawn};

use bizarro::prelude::*;
use bizarro::{Event, Lab, RunRecord};

/// How a program goes about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manner {
    Naive,
    Careful,
}

impl Manner {
    fn server(self) -> &'static str {
        match self {
            Manner::Naive => "naive-server",
            Manner::Careful => "careful-server",
        }
    }
}

/// A world of two clients, `naive` and `careful`, which are the group `clients`, and their servers, the group `servers`.
fn side_by_side(world: &mut World, server: fn(Manner), client: fn(Manner)) {
    for (manner, name) in [(Manner::Naive, "naive"), (Manner::Careful, "careful")] {
        world.host(manner.server()).program(move || server(manner));
        world.host(name).workload(move || {
            // The servers are up.
            sleep(millis(10));
            client(manner);
        });
    }
    world.group("clients", &["naive", "careful"]);
    world.group("servers", &["naive-server", "careful-server"]);
    world.deadline(secs(3600));
}

/// The last line that a host printed.
fn last_line(record: &RunRecord, host: &str) -> String {
    let index = record.hosts.iter().position(|name| name == host).expect("a host");
    let lines = record.events.iter().filter(|stamped| usize::from(stamped.host) == index);
    let mut printed = lines.filter_map(|stamped| match &stamped.event {
        Event::Output { line, .. } => Some(line.clone()),
        _ => None,
    });
    printed.next_back().unwrap_or_default()
}

/// Makes a run for each of these plans; gives what the naive and the careful client printed last.
fn run(lab: &mut Lab, plan: &str) -> (String, String) {
    let record = lab.run(&plan.parse().expect("a plan")).expect("a run");
    let began = record.events.iter().any(|stamped| matches!(stamped.event, Event::Began { .. }));
    assert!(began || plan == "baseline", "`{plan}` never began");
    (last_line(&record, "naive"), last_line(&record, "careful"))
}

/// Wants the careful client to print this under all plans, and the naive one under none but the baseline.
fn check(lab: &mut Lab, plans: &[&str], printed: &str) {
    assert_eq!(run(lab, "baseline"), (printed.to_string(), printed.to_string()));
    let results: Vec<_> = plans.iter().map(|plan| (*plan, run(lab, plan))).collect();
    let wrong = results.iter().filter(|(_, (n, c))| n == printed || c != printed);
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&(&str, (String, String))>::new());
}

// F1 over UDP: the client adds one ten times, then asks for the total.

fn counter(manner: Manner) {
    let socket = UdpSocket::bind("0.0.0.0:53").expect("bound");
    let (mut total, mut seen) = (0, BTreeSet::new());
    loop {
        let mut request = [0; 64];
        let (length, from) = socket.recv_from(&mut request).expect("a request");
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        let reply = match request.strip_prefix("add ") {
            Some(number) => {
                // The careful server counts what comes again once.
                if manner == Manner::Naive || seen.insert(number.to_string()) {
                    total += 1;
                }
                format!("ok {number}")
            }
            None => format!("total {total}"),
        };
        let _ = socket.send_to(reply.as_bytes(), from);
    }
}

/// Sends a request until it is answered. The careful client does not wait for ever, and knows whose answer it is.
fn ask(socket: &UdpSocket, manner: Manner, request: &str, answer: &str) -> String {
    loop {
        let _ = socket.send(request.as_bytes());
        let mut reply = [0; 64];
        loop {
            let received = socket.recv(&mut reply);
            let Ok(length) = received else {
                // It may be a refusal, which comes at once.
                sleep(millis(100));
                break;
            };
            let reply = String::from_utf8_lossy(&reply[..length]).into_owned();
            if manner == Manner::Naive || reply.starts_with(answer) {
                return reply;
            }
        }
    }
}

fn count_to_ten(manner: Manner) {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("bound");
    socket.connect((manner.server(), 53)).expect("connected");
    let patience = match manner {
        // It tries again, too, and hopes that the first try was lost.
        Manner::Naive => millis(3000),
        Manner::Careful => millis(500),
    };
    socket.set_read_timeout(Some(patience)).expect("an option");
    for number in 0..10 {
        ask(&socket, manner, &format!("add {number}"), &format!("ok {number}"));
        sleep(millis(100));
    }
    println!("{}", ask(&socket, manner, "total", "total"));
}

fn counting(world: &mut World) {
    side_by_side(world, counter, count_to_ten);
}

#[test]
fn a_counter_over_udp() {
    let mut lab = Lab::open("troubled_network::a_counter_over_udp", counting);
    check(
        &mut lab,
        &[
            "at 0s: loss servers>clients 1/2",
            "at 0s: duplicate clients>servers 1/2",
            "at 0s: duplicate servers>clients 1/2",
            "at 200ms for 8s: partition servers>clients",
            "at 0s for 20s: flap servers>clients 7s",
            "at 0s: reorder servers>clients 1/3 4s",
            "at 200ms for 1m: stall clients<>servers",
            "at 0s for 1m: delay clients<>servers 2s",
            "at 0s for 1m: jitter clients<>servers 4s",
        ],
        "total 10",
    );
    // What is only lost on the way there, or refused, is asked again by both.
    for plan in [
        "at 0s: loss clients>servers 1/2",
        "at 200ms for 10s: partition clients>servers",
        "at 200ms for 10s: refuse clients>servers",
        "at 200ms for 10s: unreachable clients>servers",
    ] {
        assert_eq!(run(&mut lab, plan).1, "total 10", "{plan}");
    }
}

/// Sends more to both clients than their ports carry.
fn noise() {
    let sockets = ["naive:9", "careful:9"].map(|client| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("bound");
        socket.connect(client).expect("connected");
        socket
    });
    loop {
        for socket in &sockets {
            // Nobody listens, and says so now and then.
            let _ = socket.send(&[0; 1000]);
        }
        sleep(micros(200));
    }
}

#[test]
fn a_noisy_neighbour_at_the_same_switch() {
    let describe = |world: &mut World| {
        counting(world);
        world.host("noise").program(noise);
        world.switch("rack", &["naive", "careful"]).bandwidth(1_000_000).queue(100_000);
    };
    let mut lab = Lab::open("troubled_network::a_noisy_neighbour_at_the_same_switch", describe);
    let (naive, careful) = run(&mut lab, "baseline");
    // Two of three replies are lost: the naive server counts twice what is asked twice.
    assert_ne!(naive, "total 10");
    assert_eq!(careful, "total 10");
}

// F1 over TCP: the same, a connection for all requests, each with a number.

fn counter_of_streams(manner: Manner) {
    let listener = TcpListener::bind("0.0.0.0:80").expect("bound");
    let numbers = Arc::new(Mutex::new(BTreeSet::new()));
    for stream in listener.incoming().flatten() {
        let numbers = numbers.clone();
        if manner == Manner::Careful {
            // Who is silent for a minute is gone.
            let _ = stream.set_read_timeout(Some(secs(60)));
        }
        spawn(move || {
            let mut lines = BufReader::new(stream.try_clone().expect("a copy"));
            let (mut line, mut stream) = (String::new(), stream);
            while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
                let number: u32 = line.trim().parse().expect("a number");
                let total = {
                    let mut numbers = numbers.lock().expect("a lock");
                    numbers.insert(number);
                    numbers.len()
                };
                if writeln!(stream, "{total}").is_err() {
                    break;
                }
                line.clear();
            }
        });
    }
}

fn count_in_streams(manner: Manner) {
    let mut connection = None;
    let mut number = 0;
    let mut last = String::new();
    while number < 10 {
        let sent = tell(&mut connection, manner, number);
        match (sent, manner) {
            (Ok(reply), _) => {
                last = reply;
                number += 1;
                sleep(millis(100));
            }
            (Err(error), Manner::Naive) => return println!("{error}"),
            (Err(_), Manner::Careful) => {
                connection = None;
                sleep(millis(200));
            }
        }
    }
    println!("total {}", last.trim());
}

/// Sends a number over the connection, which is made where there is none, and reads the reply.
fn tell(
    connection: &mut Option<BufReader<TcpStream>>,
    manner: Manner,
    number: u32,
) -> std::io::Result<String> {
    if connection.is_none() {
        let stream = TcpStream::connect((manner.server(), 80))?;
        if manner == Manner::Careful {
            stream.set_read_timeout(Some(secs(1)))?;
        }
        *connection = Some(BufReader::new(stream));
    }
    let lines = connection.as_mut().expect("it was made");
    writeln!(lines.get_mut(), "{number}")?;
    let mut reply = String::new();
    match lines.read_line(&mut reply)? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(reply),
    }
}

fn counting_in_streams(world: &mut World) {
    side_by_side(world, counter_of_streams, count_in_streams);
    world.zone("eu", &["naive", "careful"]);
    world.zone("us", &["naive-server", "careful-server"]);
    world.between_zones("eu", "us").latency(millis(40)..=millis(60));
}

#[test]
fn a_counter_over_tcp() {
    let mut lab = Lab::open("troubled_network::a_counter_over_tcp", counting_in_streams);
    // The naive client waits for a reply that was given up, or gives up itself. In the long partition it has sent
    // nothing that could time out: nothing tells it that the connection is dead.
    check(
        &mut lab,
        &[
            "at 500ms for 20m: partition clients<>servers",
            "at 500ms for 20m: partition us>eu",
            "at 500ms for 20m: stall servers>clients",
            "at 500ms for 10s: reset clients<>servers",
            "at 0s for 30s: refuse clients>servers",
            "at 0s for 30s: unreachable clients>servers",
        ],
        "total 10",
    );
    // What TCP repairs, it repairs for both; a short interruption only takes time.
    for plan in [
        "at 0s: loss clients<>servers 1/5",
        "at 0s: delay clients<>servers 300ms",
        "at 0s: jitter clients<>servers 200ms",
        "at 0s: duplicate clients<>servers 1/2",
        "at 0s: reorder clients<>servers 1/2 100ms",
        "at 0s: limp clients<>servers 2000B/s",
        "at 500ms for 10s: partition clients<>servers",
        "at 500ms for 10s: partition clients>servers",
        "at 500ms for 1m: stall clients<>servers",
        "at 0s for 1m: flap clients<>servers 3s",
    ] {
        let total = || "total 10".to_string();
        assert_eq!(run(&mut lab, plan), (total(), total()), "{plan}");
    }
}

#[test]
fn a_half_open_connection_after_a_power_loss() {
    let name = "troubled_network::a_half_open_connection_after_a_power_loss";
    let mut lab = Lab::open(name, counting_in_streams);
    // The host is back after ten seconds and knows nothing of the connection: the naive client gets a reset for what it
    // sent, or, if it had sent everything, nothing at all.
    let plan = "at 500ms: power-off naive-server; at 500ms: power-off careful-server";
    let (naive, careful) = run(&mut lab, plan);
    assert_ne!(naive, "total 10");
    // The numbers of before were in memory.
    let counted: usize = careful.strip_prefix("total ").expect(&careful).parse().expect("a number");
    assert!((1..10).contains(&counted), "{careful}");
}

// F2: bits flip and no checksum of the network finds them. The careful programs have their own.

/// FNV-1a (Fowler, Noll, Vo).
fn sum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn keeper(manner: Manner) {
    let socket = UdpSocket::bind("0.0.0.0:53").expect("bound");
    let mut kept: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    loop {
        let mut bytes = [0; 64];
        let (length, from) = socket.recv_from(&mut bytes).expect("a request");
        let bytes = &bytes[..length];
        let Some(request) = unsealed(manner, bytes) else { continue };
        let reply = match request.split_once('=') {
            Some((key, value)) => {
                kept.insert(key.into(), value.into());
                format!("{key} is kept")
            }
            None => {
                let value = kept.get(request.as_bytes()).cloned().unwrap_or_default();
                format!("{request}={}", String::from_utf8_lossy(&value))
            }
        };
        let _ = socket.send_to(sealed(manner, &reply).as_bytes(), from);
    }
}

fn sealed(manner: Manner, text: &str) -> String {
    match manner {
        Manner::Naive => text.to_string(),
        Manner::Careful => format!("{text}|{:08x}", sum(text)),
    }
}

/// What a message says, if it is whole.
fn unsealed(manner: Manner, bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    if manner == Manner::Naive {
        return Some(text);
    }
    let (text, found) = text.rsplit_once('|')?;
    (found == format!("{:08x}", sum(text))).then(|| text.to_string())
}

fn keep_and_read(manner: Manner) {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("bound");
    socket.connect((manner.server(), 53)).expect("connected");
    socket.set_read_timeout(Some(millis(200))).expect("an option");
    let asked = |request: &str| loop {
        let _ = socket.send(sealed(manner, request).as_bytes());
        let mut reply = [0; 64];
        while let Ok(length) = socket.recv(&mut reply) {
            if let Some(reply) = unsealed(manner, &reply[..length]) {
                return reply;
            }
        }
    };
    for number in 0..20 {
        asked(&format!("key {number}=value {number}"));
    }
    let right = (0..20)
        .filter(|number| asked(&format!("key {number}")) == format!("key {number}=value {number}"));
    println!("{} right", right.count());
}

#[test]
fn a_store_whose_messages_are_damaged() {
    let describe = |world: &mut World| side_by_side(world, keeper, keep_and_read);
    let mut lab = Lab::open("troubled_network::a_store_whose_messages_are_damaged", describe);
    check(
        &mut lab,
        &[
            "at 0s: corrupt clients<>servers 1/5",
            "at 0s: corrupt clients>servers 1/5",
            "at 0s: corrupt servers>clients 1/5",
        ],
        "20 right",
    );
}

// F7: three of four say who leads; the naive client believes the first, the careful one what three agree on, which is
// more than one liar can say (Lamport, Shostak, Pease, *The Byzantine Generals Problem*, 1982).

fn replica() {
    let listener = TcpListener::bind("0.0.0.0:80").expect("bound");
    for mut stream in listener.incoming().flatten() {
        let _ = stream.read(&mut [0; 1024]);
        let body = if bizarro::traitor() { "leader 2 of term 9" } else { "leader 1 of term 7" };
        let length = body.len();
        let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
        let _ = stream.write_all(reply.as_bytes());
    }
}

/// What a replica says, if it says something within a second.
fn said_by(replica: &str) -> Option<String> {
    let mut stream = TcpStream::connect((replica, 80)).ok()?;
    stream.set_read_timeout(Some(secs(1))).ok()?;
    stream.write_all(b"GET /leader HTTP/1.1\r\n\r\n").ok()?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).ok()?;
    let reply = String::from_utf8_lossy(&reply).into_owned();
    reply.split_once("\r\n\r\n").map(|(_, body)| body.to_string())
}

const REPLICAS: [&str; 4] = ["replica-1", "replica-2", "replica-3", "replica-4"];

fn who_leads(manner: Manner) {
    let told: Vec<String> = REPLICAS.iter().filter_map(|replica| said_by(replica)).collect();
    let believed = match manner {
        Manner::Naive => told.first().cloned(),
        Manner::Careful => {
            let votes = |said: &&String| told.iter().filter(|other| other == said).count();
            told.iter().find(|said| votes(said) >= 3).cloned()
        }
    };
    println!("{}", believed.unwrap_or_default());
}

fn voting(world: &mut World) {
    for replica in REPLICAS {
        world.host(replica).program(self::replica);
    }
    for (manner, name) in [(Manner::Naive, "naive"), (Manner::Careful, "careful")] {
        world.host(name).workload(move || {
            sleep(millis(10));
            // Twice, for who says what is no longer true has to have said something before.
            said_by(REPLICAS[0]);
            who_leads(manner);
        });
    }
    world.group("clients", &["naive", "careful"]);
    world.model(Network::Arbitrary, Nodes::Byzantine, Timing::PartiallySynchronous);
}

#[test]
fn a_replica_that_lies() {
    let mut lab = Lab::open("troubled_network::a_replica_that_lies", voting);
    check(
        &mut lab,
        &[
            "at 0s: lie replica-1>* mutate 1/1",
            "at 0s: lie replica-1>* equivocate 1/1",
            "at 0s: traitor replica-1",
        ],
        "leader 1 of term 7",
    );
    // Who is silent to some, or says what was true before, misleads nobody here.
    for plan in ["at 0s: lie replica-1>naive withhold 1/1", "at 0s: lie replica-1>* replay 1/1"] {
        assert_eq!(run(&mut lab, plan).1, "leader 1 of term 7", "{plan}");
    }
    // Every receiver is told something else by a host that equivocates.
    let record = lab.run(&"at 0s: lie replica-1>* equivocate 1/1".parse().expect("a plan"));
    let record = record.expect("a run");
    let told: BTreeSet<u16> = record
        .events
        .iter()
        .filter_map(|stamped| match &stamped.event {
            Event::Felt { to, .. } => Some(*to),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 2);
}

// F8: a server that takes 60 ms for a request. The naive one lets everybody wait, and its client is one of many; the
// careful one turns away what it could not answer in time.

fn worker(manner: Manner) {
    let queue: Arc<(Mutex<VecDeque<TcpStream>>, Condvar)> = Arc::default();
    let work = queue.clone();
    spawn(move || {
        loop {
            let (waiting, is_some) = &*work;
            let waiting = waiting.lock().expect("a lock");
            let mut waiting =
                is_some.wait_while(waiting, |waiting| waiting.is_empty()).expect("a lock");
            let stream = waiting.pop_front();
            drop(waiting);
            let Some(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 1024]);
            sleep(millis(60));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let listener = TcpListener::bind("0.0.0.0:80").expect("bound");
    for mut stream in listener.incoming().flatten() {
        let (waiting, is_some) = &*queue;
        let mut waiting = waiting.lock().expect("a lock");
        // Six of them are 360 ms.
        if manner == Manner::Careful && waiting.len() >= 6 {
            drop(waiting);
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n");
            continue;
        }
        waiting.push_back(stream);
        is_some.notify_one();
    }
}

/// Whether the server answers within half a second.
fn is_served(manner: Manner) -> bool {
    let reply = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect((manner.server(), 80))?;
        stream.set_read_timeout(Some(millis(500)))?;
        stream.write_all(b"GET /work HTTP/1.1\r\n\r\n")?;
        let mut reply = vec![0; 1024];
        let length = stream.read(&mut reply)?;
        reply.truncate(length);
        Ok(reply)
    };
    reply().is_ok_and(|reply| reply.starts_with(b"HTTP/1.1 200"))
}

/// Twenty requests, one a second; how many were answered of the last ten.
fn use_worker(manner: Manner) {
    let mut served = Vec::new();
    for _ in 0..20 {
        served.push(
            is_served(manner) || {
                // Who is turned away comes again, once.
                sleep(millis(450));
                is_served(manner)
            },
        );
        sleep(secs(1));
    }
    println!("{} of the last 10 served", served[10..].iter().filter(|served| **served).count());
}

#[test]
fn a_burst_that_is_over_has_no_consequences() {
    let describe = |world: &mut World| side_by_side(world, worker, use_worker);
    let name = "troubled_network::a_burst_that_is_over_has_no_consequences";
    let mut lab = Lab::open(name, describe);
    // Three hundred more of each of three requests: the queue is a minute long when the burst is over.
    check(&mut lab, &["at 2s for 3s: burst clients>servers 300"], "10 of the last 10 served");
}
