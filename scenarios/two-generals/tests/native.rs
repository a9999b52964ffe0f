//! Two generals on this machine's loopback, one of whom a stranger writes to.

use std::time::Duration;

use tokio::net::UdpSocket;
use two_generals::finite::{Protocol, Side, follow};
use two_generals::post::{LONGEST, Post};
use two_generals::revocable;

async fn posts() -> (Post, Post, [String; 2]) {
    let (first, second) = (bound().await, bound().await);
    let there = [&first, &second].map(|socket| socket.local_addr().unwrap().to_string());
    let first = Post::with(first, &there[1]).await.unwrap();
    (first, Post::with(second, &there[0]).await.unwrap(), there)
}

async fn bound() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

fn block_on<T>(program: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(program)
}

async fn strange(to: &[String]) {
    let stranger = bound().await;
    let letters: [&[u8]; 5] = [b"", b"1", b"home", b"\xff\xfe", &[b'1'; 10 * LONGEST]];
    for to in to {
        for letter in letters {
            stranger.send_to(letter, to).await.unwrap();
        }
    }
}

#[test]
fn both_attack_where_no_messenger_is_lost() {
    for messages in 1..=4 {
        let protocol = Protocol { messages, messengers: 2, dawn: Duration::from_millis(500) };
        let attacks = block_on(async {
            let (first, second, there) = posts().await;
            strange(&there).await;
            let first = follow(Side::First, protocol, &first);
            tokio::join!(first, follow(Side::Second, protocol, &second))
        });
        assert_eq!(attacks, (true, true), "{messages} messages");
    }
}

#[test]
fn the_second_one_follows_the_first() {
    let (at_first, at_second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = block_on(async {
        let (first, second, there) = posts().await;
        strange(&there).await;
        let noon = Duration::from_secs(10);
        tokio::select! {
            place = revocable::lead(at_first.path(), &first, noon) => place,
            () = revocable::follow(at_second.path(), &second) => unreachable!("he follows for ever"),
        }
    });
    assert_eq!(place, "march");
    assert_eq!(revocable::read(at_second.path()).as_deref(), Some("march"));
}

/// The second one hears of it when noon is over: first that he should march, then that he should not.
#[test]
fn a_march_that_is_heard_of_too_late_is_called_off() {
    let (at_first, at_second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = block_on(async {
        let (first, second, _) = posts().await;
        let leads = revocable::lead(at_first.path(), &first, Duration::from_millis(300));
        let follows = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            revocable::follow(at_second.path(), &second).await;
        };
        tokio::select! {
            place = leads => place,
            () = follows => unreachable!("he follows for ever"),
        }
    });
    assert_eq!(place, "home");
    assert_eq!(revocable::read(at_second.path()).as_deref(), Some("home"));
}
