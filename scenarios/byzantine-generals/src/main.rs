//! `byzantine-generals drill`: all generals of one agreement on this machine, each with a socket of his own.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use bizarro_remedy::agreement::{General, Setting, SigningKey};
use byzantine_generals::camp::{Camp, Manner, Order};
use byzantine_generals::conduct::{Lie, Treason};
use byzantine_generals::general::{NUMBER, take_part};
use clap::Parser;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// One agreement among generals on this machine, over UDP.
#[derive(Parser)]
#[command(version)]
struct Drill {
    /// How many generals there are; the first one commands
    #[arg(long, default_value_t = 4)]
    generals: u8,
    /// How many traitors they reckon with
    #[arg(long, default_value_t = 1)]
    traitors: u8,
    /// Who lies, from 0
    #[arg(long)]
    liar: Vec<General>,
    /// `oral` or `signed`
    #[arg(long, default_value = "oral")]
    manner: Manner,
    /// How long a round is, in ms
    #[arg(long, default_value_t = 100)]
    round_ms: u64,
}

fn main() -> ExitCode {
    let drill = Drill::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(|error| error.to_string()).and_then(|it| it.block_on(hold(&drill)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("byzantine-generals: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn hold(drill: &Drill) -> Result<(), String> {
    let setting =
        Setting::new(drill.generals, drill.traitors, 0).map_err(|error| error.to_string())?;
    let said = |error: std::io::Error| error.to_string();
    let (mut sockets, mut addresses) = (Vec::new(), Vec::new());
    for _ in 0..drill.generals {
        let socket = UdpSocket::bind("127.0.0.1:0").await.map_err(said)?;
        addresses.push(socket.local_addr().map_err(said)?.to_string());
        sockets.push(socket);
    }
    // It is a drill: nobody will look for these keys.
    let secret: Vec<SigningKey> = sockets
        .iter()
        .map(|_| SigningKey::from_bytes(&std::array::from_fn(|_| fastrand::u8(..))))
        .collect();
    let keys: Vec<_> = secret.iter().map(SigningKey::verifying_key).collect();
    let start = SystemTime::now() + Duration::from_millis(50);
    let mut all = JoinSet::new();
    for (me, socket) in (0..).zip(sockets) {
        let camp = Camp {
            setting,
            me,
            order: Order::Attack,
            manner: drill.manner,
            addresses: addresses.clone(),
            start,
            round: Duration::from_millis(drill.round_ms),
            key: secret[usize::from(me)].clone(),
            keys: keys.clone(),
        };
        let liars = drill.liar.iter().filter(|liar| usize::from(**liar) < secret.len());
        let keys = liars.map(|liar| (*liar, secret[usize::from(*liar)].clone())).collect();
        let treason =
            drill.liar.contains(&me).then_some(Treason { lie: Lie::Agreed, keys, number: NUMBER });
        all.spawn(async move { (me, take_part(&camp, &socket, || treason.clone()).await) });
    }
    let mut decided = all.join_all().await;
    decided.sort_by_key(|(me, _)| *me);
    for (me, order) in decided {
        let role = if drill.liar.contains(&me) { " (a traitor)" } else { "" };
        println!("general {me}{role}: {}", order.map_err(said)?);
    }
    Ok(())
}
