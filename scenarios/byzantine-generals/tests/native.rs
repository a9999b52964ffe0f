//! Generals on this machine's loopback, and letters that nobody should send them.

use std::time::{Duration, SystemTime};

use bizarro_remedy::agreement::{General, Relay, Setting, SigningKey};
use byzantine_generals::camp::{Camp, Manner, Order};
use byzantine_generals::conduct::{Lie, Treason};
use byzantine_generals::general::{NUMBER, take_part};
use byzantine_generals::letter;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

struct Battle {
    manner: Manner,
    generals: u8,
    traitors: &'static [General],
}

/// What each of the loyal decides while a stranger writes letters to all of them.
fn decided(battle: &Battle, strange: &[Vec<u8>]) -> Vec<Order> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut sockets, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..battle.generals {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            addresses.push(socket.local_addr().unwrap().to_string());
            sockets.push(socket);
        }
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for address in &addresses {
            for letter in strange {
                stranger.send_to(letter, address).await.unwrap();
            }
        }
        let secret: Vec<SigningKey> =
            (0..battle.generals).map(|it| SigningKey::from_bytes(&[it + 1; 32])).collect();
        let keys = battle.traitors.iter().map(|it| (*it, secret[usize::from(*it)].clone()));
        let treason = Treason { lie: Lie::Agreed, keys: keys.collect(), number: NUMBER };
        let start = SystemTime::now() + Duration::from_millis(50);
        let mut all = JoinSet::new();
        for (me, socket) in (0..).zip(sockets) {
            let camp = Camp {
                setting: Setting::new(battle.generals, 1, 0).unwrap(),
                me,
                order: Order::Attack,
                manner: battle.manner,
                addresses: addresses.clone(),
                start,
                // Long, for a machine that is busy with other tests.
                round: Duration::from_millis(500),
                key: secret[usize::from(me)].clone(),
                keys: secret.iter().map(SigningKey::verifying_key).collect(),
            };
            let treason = battle.traitors.contains(&me).then(|| treason.clone());
            all.spawn(async move { (me, take_part(&camp, &socket, || treason.clone()).await) });
        }
        let loyal = all.join_all().await.into_iter();
        let loyal = loyal.filter(|(me, _)| !battle.traitors.contains(me));
        loyal.map(|(_, order)| order.unwrap()).collect()
    })
}

#[test]
fn one_of_four_lies() {
    let battle = Battle { manner: Manner::Oral, generals: 4, traitors: &[3] };
    assert_eq!(decided(&battle, &[]), [Order::Attack; 3]);
}

#[test]
fn one_of_three_lies() {
    let oral = decided(&Battle { manner: Manner::Oral, generals: 3, traitors: &[1] }, &[]);
    assert!(oral.contains(&Order::Attack), "the commander does as he says");
    let battle = Battle { manner: Manner::Signed, generals: 3, traitors: &[1] };
    assert_eq!(decided(&battle, &[]), [Order::Attack; 2]);
}

/// Garbage, nothing, too much, half a letter, and a right one by somebody who is no general.
#[test]
fn strange_letters_change_nothing() {
    let forged = letter::write(&[Relay { path: vec![0], order: Order::Retreat }]);
    let strange = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![],
        vec![0xff; letter::LONGEST],
        vec![0; 60_000],
        forged[..forged.len() - 1].to_vec(),
        forged,
    ];
    for manner in [Manner::Oral, Manner::Signed] {
        let battle = Battle { manner, generals: 4, traitors: &[] };
        assert_eq!(decided(&battle, &strange), [Order::Attack; 4]);
    }
}
