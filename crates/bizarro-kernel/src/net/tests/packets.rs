//! Packets with their bytes, for an observer that wants them.

use alloc::vec::Vec;
use core::time::Duration;

use expect_test::expect;

use super::world::{DGRAM, World, inet};

#[test]
fn packets_are_shown_where_they_are_wanted() {
    let mut w = World::new();
    w.capture();
    w.connected(0, 1);
    w.send("client", b"ping").unwrap();
    w.send("client", b"!").unwrap();
    w.sleep(Duration::from_millis(2));
    w.send("server", b"pong").unwrap();
    w.close("client");
    w.sleep(Duration::from_millis(2));
    w.socket("asker", 2, libc::AF_INET, DGRAM);
    w.bind("asker", inet("0.0.0.0:7")).unwrap();
    w.send_to("asker", b"who?", Some(&inet("10.0.0.1:53")), &[]).unwrap();
    w.settle();
    expect![[r#"
        0.000000 s 10.0.0.1:42361 > 10.0.0.2:80: Syn at 0 `` arrives 0.001000 s
        0.001000 s 10.0.0.2:80 > 10.0.0.1:42361: SynAck at 0 `` arrives 0.002000 s
        0.002000 s 10.0.0.1:42361 > 10.0.0.2:80: Ack at 0 `` arrives 0.003000 s
        1.002000 s 10.0.0.1:42361 > 10.0.0.2:80: Data at 0 `ping` arrives 1.003000 s
        1.002000 s 10.0.0.1:42361 > 10.0.0.2:80: Data at 4 `!` arrives 1.003000 s
        1.004000 s 10.0.0.2:80 > 10.0.0.1:42361: Data at 0 `pong` arrives 1.005000 s
        1.004000 s 10.0.0.1:42361 > 10.0.0.2:80: Fin at 5 `` arrives 1.005000 s
        1.005000 s 10.0.0.1:42361 > 10.0.0.2:80: Rst at 0 `` arrives 1.006000 s
        1.006000 s 10.0.0.3:7 > 10.0.0.1:53: `who?` arrives 1.007000 s
    "#]]
    .assert_eq(&w.captured());
}

/// What is sent again stands at the same place of the stream.
#[test]
fn what_is_lost_is_shown_each_time() {
    let mut w = World::with_fault("a>b tcp:80 #1 deliver-request=lost");
    w.capture();
    w.connected(0, 1);
    w.send("client", b"ping").unwrap();
    w.sleep(Duration::from_secs(1));
    let captured = w.captured();
    let pings: Vec<&str> = captured.lines().filter(|line| line.contains("`ping`")).collect();
    assert!(pings.len() > 1, "{captured}");
    assert!(
        pings.iter().all(|line| line.contains("Data at 0") && line.ends_with("lost")),
        "{captured}"
    );
}

#[test]
fn nobody_else_pays_for_them() {
    let mut w = World::new();
    w.connected(0, 1);
    w.send("client", b"ping").unwrap();
    w.settle();
    assert_eq!(w.captured(), "");
}
