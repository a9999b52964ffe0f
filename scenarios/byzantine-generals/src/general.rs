//! A general's program.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::SystemTime;

use bizarro_remedy::agreement::{General, Oral, Refused, Relay, Signed, SignedOrder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::camp::{Camp, Manner, Order};
use crate::conduct::{Treason, Twist};
use crate::letter;

/// Takes part in one agreement, prints the order that he obeys, and ends. `treason` is asked whenever he is about to speak:
/// who has some is a traitor.
pub fn run(camp: &Camp, treason: impl Fn() -> Option<Treason>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let decided = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let port = camp.addresses[usize::from(camp.me)].rsplit(':').next().unwrap_or_default();
            let socket = UdpSocket::bind(format!("0.0.0.0:{port}")).await?;
            take_part(camp, &socket, treason).await
        })
    });
    match decided {
        Ok(order) => {
            println!("{order}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("general {}: {error}", camp.me);
            ExitCode::FAILURE
        }
    }
}

/// The number of the agreement. A camp has one battle.
pub const NUMBER: u64 = 1;

/// Takes part in one agreement by this socket, and gives the order that he obeys.
///
/// # Errors
/// The name of another general leads nowhere. What goes wrong later is somebody's silence.
pub async fn take_part(
    camp: &Camp,
    socket: &UdpSocket,
    treason: impl Fn() -> Option<Treason>,
) -> io::Result<Order> {
    let everybody = camp.resolve().await?;
    let is_commander = camp.me == camp.setting.commander();
    Ok(match camp.manner {
        Manner::Oral if is_commander => {
            let machine = Oral::commander(camp.setting, camp.order, Order::Retreat);
            speak(camp, socket, &everybody, machine, treason).await
        }
        Manner::Oral => {
            let machine = Oral::lieutenant(camp.setting, camp.me, Order::Retreat);
            speak(camp, socket, &everybody, machine, treason).await
        }
        Manner::Signed => {
            let (key, keys) = (camp.key.clone(), camp.keys.clone());
            let machine = if is_commander {
                Signed::commander(camp.setting, NUMBER, camp.order, key, keys, Order::Retreat)
            } else {
                Signed::lieutenant(camp.setting, NUMBER, camp.me, key, keys, Order::Retreat)
            };
            speak(camp, socket, &everybody, machine, treason).await
        }
    })
}

/// What both algorithms have in common.
trait Machine {
    type Message: Serialize + DeserializeOwned + Twist;
    fn outbox(&self) -> Vec<(General, Self::Message)>;
    fn accept(&mut self, from: General, message: Self::Message) -> Result<(), Refused>;
    fn end_round(&mut self);
    fn decide(&self) -> Order;
}

impl Machine for Oral<Order> {
    type Message = Relay<Order>;
    fn outbox(&self) -> Vec<(General, Relay<Order>)> {
        Oral::outbox(self)
    }
    fn accept(&mut self, from: General, message: Relay<Order>) -> Result<(), Refused> {
        Oral::accept(self, from, message)
    }
    fn end_round(&mut self) {
        Oral::end_round(self);
    }
    fn decide(&self) -> Order {
        Oral::decide(self)
    }
}

impl Machine for Signed<Order> {
    type Message = SignedOrder<Order>;
    fn outbox(&self) -> Vec<(General, SignedOrder<Order>)> {
        Signed::outbox(self)
    }
    fn accept(&mut self, from: General, message: SignedOrder<Order>) -> Result<(), Refused> {
        Signed::accept(self, from, message)
    }
    fn end_round(&mut self) {
        Signed::end_round(self);
    }
    fn decide(&self) -> Order {
        Signed::decide(self)
    }
}

/// All rounds.
async fn speak<M: Machine>(
    camp: &Camp,
    socket: &UdpSocket,
    everybody: &[SocketAddr],
    mut machine: M,
    treason: impl Fn() -> Option<Treason>,
) -> Order {
    let until_start = camp.start.duration_since(SystemTime::now()).unwrap_or_default();
    let start = Instant::now() + until_start;
    let mut refused = 0_u64;
    for round in 0..u32::from(camp.setting.rounds()) {
        sleep_until(start + camp.round * round).await;
        for (to, letter) in letters(machine.outbox(), treason()) {
            // A letter that cannot be sent is silence.
            let _ = socket.send_to(&letter, everybody[usize::from(to)]).await;
        }
        let end = start + camp.round * (round + 1);
        // The end comes, however many letters there are.
        while Instant::now() < end {
            let mut buffer = [0; letter::LONGEST + 1];
            let Ok(arrived) = timeout_at(end, socket.recv_from(&mut buffer)).await else { break };
            // An error tells of a letter that we sent.
            let Ok((length, sender)) = arrived else { continue };
            let from = everybody.iter().position(|address| *address == sender);
            let messages = letter::read::<M::Message>(&buffer[..length]);
            let (Some(from), Some(messages)) = (from, messages) else {
                refused += 1;
                continue;
            };
            for message in messages {
                refused += u64::from(machine.accept(from as General, message).is_err());
            }
        }
        machine.end_round();
    }
    if refused > 0 {
        eprintln!("general {}: {refused} letters and messages not believed", camp.me);
    }
    machine.decide()
}

/// One letter to each who is told anything.
fn letters<M: Serialize + Twist>(
    messages: Vec<(General, M)>,
    treason: Option<Treason>,
) -> BTreeMap<General, Vec<u8>> {
    let mut letters: BTreeMap<General, Vec<M>> = BTreeMap::new();
    for (to, message) in messages {
        let told = match &treason {
            Some(treason) => treason.told(to, message),
            None => Some(message),
        };
        if let Some(told) = told {
            letters.entry(to).or_default().push(told);
        }
    }
    letters.into_iter().map(|(to, messages)| (to, letter::write(&messages))).collect()
}
