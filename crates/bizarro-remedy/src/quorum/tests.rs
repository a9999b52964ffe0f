use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::net::UdpSocket;

use super::client::{Register, Transport};
use super::register::{Operation, Progress, Replica, Reply, Request, Tag};
use super::*;

/// What an operation of a client did: from one step to another, with the value of this tag.
struct Done {
    began: usize,
    ended: usize,
    tag: Tag,
    is_write: bool,
}

/// An operation under way.
struct Running {
    operation: Operation<u64>,
    began: usize,
    is_write: bool,
    /// Which of its requests is open: replies to others are late.
    phase: u32,
}

/// A message on its way.
#[derive(Clone)]
enum Flight {
    There { client: usize, nth: u32, phase: u32, replica: usize, request: Request<u64> },
    Back { client: usize, nth: u32, phase: u32, replica: usize, reply: Reply<u64> },
}

/// Clients read and write a register while messages are lost, repeated and overtake each other. Gives what they did.
/// With `Amnesia` replicas lose what they had, now and then.
fn history(seed: u64, memory: Memory) -> Vec<Done> {
    const REPLICAS: usize = 5;
    const CLIENTS: usize = 4;
    let mut lots = Rng::with_seed(seed);
    let mut replicas = vec![Replica::new(0_u64); REPLICAS];
    let mut running: Vec<Option<Running>> = (0..CLIENTS).map(|_| None).collect();
    let (mut counts, mut flights) = ([0_u32; CLIENTS], Vec::new());
    let (mut tags, mut done) = (BTreeMap::from([(0, Tag::default())]), Vec::new());
    // Two replicas never answer.
    let silent = if lots.bool() { 2 } else { 0 };
    for step in 0..2000 {
        let client = lots.usize(..CLIENTS);
        match &running[client] {
            None => {
                counts[client] += 1;
                let is_write = lots.bool();
                let value = client as u64 * 1_000_000 + step as u64 + 1;
                let operation = match is_write {
                    true => Operation::write(REPLICAS, value, value),
                    false => Operation::read(REPLICAS),
                };
                running[client] = Some(Running { operation, began: step, is_write, phase: 0 });
            }
            // Asks one of the replicas, perhaps again.
            Some(Running { operation, phase, .. }) if flights.len() < 12 => {
                flights.push(Flight::There {
                    client,
                    nth: counts[client],
                    phase: *phase,
                    replica: lots.usize(silent..REPLICAS),
                    request: operation.request(),
                })
            }
            Some(_) => {}
        }
        if memory == Memory::Amnesia && lots.u32(..50) == 0 {
            replicas[lots.usize(..REPLICAS)] = Replica::new(0);
        }
        if flights.is_empty() || lots.u32(..4) == 0 {
            continue;
        }
        let at = lots.usize(..flights.len());
        // Lost one time in ten, repeated one time in ten.
        let fate = lots.u32(..10);
        let flight = if fate == 0 { flights[at].clone() } else { flights.swap_remove(at) };
        if fate == 1 {
            continue;
        }
        match flight {
            Flight::There { client, nth, phase, replica, request } => {
                if let Request::Store(tag, value) = &request {
                    tags.insert(*value, *tag);
                }
                let (next, reply) = replicas[replica].handle(request);
                replicas[replica] = next.unwrap_or(replicas[replica].clone());
                flights.push(Flight::Back { client, nth, phase, replica, reply });
            }
            Flight::Back { client, nth, phase, replica, reply } => {
                let is_open = counts[client] == nth;
                let Some(open) = running[client].as_mut().filter(|it| is_open && it.phase == phase)
                else {
                    continue;
                };
                match open.operation.accept(replica, reply) {
                    Progress::Waits => {}
                    Progress::Asks(_) => open.phase += 1,
                    Progress::Done(value) => {
                        let (began, is_write) = (open.began, open.is_write);
                        done.push(Done { began, ended: step, tag: tags[&value], is_write });
                        running[client] = None;
                    }
                }
            }
        }
    }
    done
}

#[derive(Clone, Copy, PartialEq)]
enum Memory {
    Stable,
    Amnesia,
}

/// Lemma of the papers, from which linearizability follows: an operation that begins after another one has ended has no
/// lower tag, and a higher one if it writes.
fn is_in_order(done: &[Done]) -> bool {
    done.iter().all(|first| {
        done.iter()
            .filter(|second| first.ended < second.began)
            .all(|second| second.tag > first.tag || second.tag == first.tag && !second.is_write)
    })
}

#[test]
fn tags_follow_time_whatever_the_network_does() {
    let mut operations = 0;
    for seed in 0..200 {
        let done = history(seed, Memory::Stable);
        operations += done.len();
        assert!(is_in_order(&done), "seed {seed}");
    }
    assert!(operations > 4000, "{operations} operations ended");
}

#[test]
fn replicas_that_forget_are_found_out() {
    assert!((0..200).any(|seed| !is_in_order(&history(seed, Memory::Amnesia))));
}

#[test]
fn two_majorities_meet_and_votes_count_once() {
    for members in 1..=9 {
        assert!(2 * majority(members) > members && majority(members) <= members);
        for bits in 0..1_u32 << members {
            let mut ballot = Ballot::new(members);
            for member in 0..members {
                let first = bits >> member & 1 == 1;
                let verdict = if first { ballot.yes(member) } else { ballot.no(member) };
                // Who changes his mind, or is no member, is not heard.
                assert_eq!(if first { ballot.no(member) } else { ballot.yes(member) }, verdict);
                assert_eq!(ballot.yes(members + member), verdict);
            }
            let is_won = bits.count_ones() as usize >= majority(members);
            assert_eq!(ballot.verdict(), if is_won { Verdict::Won } else { Verdict::Lost });
        }
    }
    assert_eq!(Ballot::new(3).yes(0), Verdict::Open);
}

#[test]
fn a_mandate_ends_with_the_answers_of_the_majority() {
    let start = Instant::now();
    let after = |ms| start + Duration::from_millis(ms);
    let mut mandate = Mandate::new(3, Duration::from_millis(110), Duration::from_millis(10));
    assert_eq!((mandate.ends(), mandate.lasts(start)), (None, false));
    mandate.confirm(0, after(0));
    assert_eq!(mandate.ends(), None);
    mandate.confirm(1, after(20));
    assert_eq!(mandate.ends(), Some(after(100)));
    // What it thinks of itself alone is not enough.
    mandate.confirm(0, after(500));
    assert_eq!(mandate.ends(), Some(after(120)));
    mandate.confirm(2, after(90));
    assert!(mandate.lasts(after(189)) && !mandate.lasts(after(190)));
    // An answer to an older question takes nothing back.
    mandate.confirm(2, after(10));
    mandate.confirm(7, after(900));
    assert_eq!(mandate.ends(), Some(after(190)));
}

/// Replicas at UDP sockets.
struct Udp(Vec<SocketAddr>);

impl Transport<u64> for Udp {
    async fn ask(&self, replica: usize, request: Request<u64>) -> Option<Reply<u64>> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
        socket.connect(self.0[replica]).await.ok()?;
        socket.send(&postcard::to_allocvec(&request).ok()?).await.ok()?;
        let mut buffer = [0; 64];
        let patience = Duration::from_millis(100);
        let length = tokio::time::timeout(patience, socket.recv(&mut buffer)).await.ok()?.ok()?;
        postcard::from_bytes(&buffer[..length]).ok()
    }
}

async fn replica(socket: UdpSocket) {
    let mut state = Replica::new(0);
    let mut buffer = [0; 64];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let Ok(request) = postcard::from_bytes(&buffer[..length]) else { continue };
        let (next, reply) = state.handle(request);
        state = next.unwrap_or(state);
        let _ = socket.send_to(&postcard::to_allocvec(&reply).unwrap(), from).await;
    }
}

#[tokio::test]
async fn a_register_on_real_sockets_survives_a_minority() {
    let mut addresses = Vec::new();
    for number in 0..3 {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        addresses.push(socket.local_addr().unwrap());
        // The last one is dead.
        if number < 2 {
            tokio::spawn(replica(socket));
        }
    }
    let register = Register::new(Udp(addresses.clone()), 3, Duration::from_millis(10));
    assert_eq!(register.read().await, 0);
    register.write(7, 1).await;
    assert_eq!(register.clone().read().await, 7);
    // Without a majority nothing is said.
    let alone = Udp(vec![addresses[0], addresses[2], addresses[2]]);
    let alone = Register::new(alone, 3, Duration::from_millis(10));
    let given_up = tokio::time::timeout(Duration::from_millis(300), alone.write(8, 2)).await;
    assert!(given_up.is_err());
}
