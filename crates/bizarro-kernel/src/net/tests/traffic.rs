//! Hosts that lie, and clients that ask too much.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use bizarro_record::Lie;
use expect_test::expect;

use super::world::{DGRAM, STREAM, World, inet};

fn begin_lie(w: &mut World, way: &str, lie: Lie) {
    let way = way.parse().expect("a way");
    w.call(0, |net, _| net.begin_lie(&way, lie, 1));
}

fn reply(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// What a and c are told that ask b over connections of their own for the same, twice.
fn told(way: &str, lie: Lie) -> String {
    let mut w = World::new();
    w.connected(0, 1);
    w.socket("other", 2, libc::AF_INET, STREAM);
    w.connect_blocking("other", &inet("10.0.0.2:80")).expect("connected");
    w.settle();
    w.accept("listener", "to-other").expect("accepted");
    w.transcript();
    begin_lie(&mut w, way, lie);
    for body in ["leader 1 of term 7", "leader 2 of term 8"] {
        for (client, server) in [("client", "server"), ("other", "to-other")] {
            w.send(client, b"GET /leader HTTP/1.1\r\n\r\n").expect("sent");
            w.settle();
            let _ = w.recv(server);
            w.send(server, reply(body).as_bytes()).expect("sent");
            w.settle();
            let _ = w.recv(client);
        }
    }
    let log = w.transcript();
    let of_interest = |line: &&str| {
        line.contains("client recv") || line.contains("other recv") && !line.contains("to-other")
    };
    let told = log.lines().filter(of_interest);
    told.map(|line| line.split_once(" s ").map_or(line, |(_, rest)| rest))
        .map(|line| {
            format!("{}\n", line.replace("HTTP/1.1 200 OK\\r\\ncontent-length: 18\\r\\n\\r\\n", ""))
        })
        .collect()
}

#[test]
fn every_receiver_is_told_something_else() {
    expect![[r#"
        client recv = "leader 1 of term 8"
        other recv = "leader 1 of term 0"
        client recv = "leader 2 of term 9"
        other recv = "leader 2 of term 1"
    "#]]
    .assert_eq(&told("b>*", Lie::Equivocate));
}

#[test]
fn some_are_told_nothing_or_what_is_no_longer_true_or_what_never_was() {
    expect![[r#"
        client recv = "leader 1 of term 7"
        other recv = EAGAIN
        client recv = "leader 2 of term 8"
        other recv = EAGAIN
    "#]]
    .assert_eq(&told("b>c", Lie::Withhold));
    expect![[r#"
        client recv = "leader 1 of term 7"
        other recv = "leader 1 of term 7"
        client recv = "leader 1 of term 7"
        other recv = "leader 2 of term 8"
    "#]]
    .assert_eq(&told("b>*", Lie::Replay));
    expect![[r#"
        client recv = "leader 4 of term 7"
        other recv = "leader 1 of term 7"
        client recv = "leader 2 of term 4"
        other recv = "leader 2 of term 8"
    "#]]
    .assert_eq(&told("b>a", Lie::Mutate));
}

#[test]
fn who_asks_may_lie_too_and_a_lie_can_be_ended() {
    let mut w = World::new();
    w.connected(0, 1);
    w.watch();
    begin_lie(&mut w, "a>b", Lie::Mutate);
    let post = "POST /pay HTTP/1.1\r\ncontent-length: 3\r\n\r\n100";
    for request in [post, "GET /pay?amount=100 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] {
        w.send("client", request.as_bytes()).expect("sent");
        w.settle();
        let _ = w.recv("server");
        w.send("server", reply("ok").as_bytes()).expect("sent");
        w.settle();
        let _ = w.recv("client");
    }
    w.call(0, |net, _| net.end_lie(&"a>b".parse().expect("a way"), Lie::Mutate, 1));
    w.send("client", post.as_bytes()).expect("sent");
    w.settle();
    let _ = w.recv("server");
    let log = w.transcript();
    let shown = log.lines().filter(|line| line.contains("felt") || line.contains("server recv"));
    expect![[r#"
        0.000000 s host 0: felt lie a>b mutate 1/1 to 1 `POST /pay #1`
        1.000000 s server recv = "POST /pay HTTP/1.1\r\ncontent-length: 3\r\n\r\n140"
        2.000000 s host 0: felt lie a>b mutate 1/1 to 1 `GET /pay #1`
        3.000000 s server recv = "GET /pay?amount=104 HTTP/1.1\r\n\r\n"
        4.000000 s host 0: felt lie a>b mutate 1/1 to 1 `GET / #1`
        5.000000 s server recv = "GET . HTTP/1.1\r\n\r\n"
        7.000000 s server recv = "POST /pay HTTP/1.1\r\ncontent-length: 3\r\n\r\n100"
    "#]]
    .assert_eq(&shown.map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn datagrams_lie_too() {
    let mut w = World::new();
    w.socket("server", 1, libc::AF_INET, DGRAM);
    w.bind("server", inet("0.0.0.0:53")).expect("bound");
    w.socket("client", 0, libc::AF_INET, DGRAM);
    w.connect("client", &inet("10.0.0.2:53")).expect("connected");
    begin_lie(&mut w, "a>b", Lie::Equivocate);
    begin_lie(&mut w, "b>a", Lie::Withhold);
    w.send("client", b"vote 3").expect("sent");
    w.settle();
    assert_eq!(w.recv("server").expect("a datagram"), b"vote 5");
    w.send_to("server", b"ok", Some(&inet("10.0.0.1:32768")), &[]).expect("sent");
    w.settle();
    assert!(w.recv("client").is_err());
}

#[test]
fn copies_of_a_request_come_on_connections_of_their_own() {
    let mut w = World::new();
    w.connected(0, 1);
    w.call(0, |net, _| net.begin_burst(&"a>b".parse().expect("a way"), 3));
    // In two parts: it is repeated when it is whole.
    w.send("client", b"POST /slow HTTP/1.1\r\ncontent-length: 4\r\n\r\nwo").expect("sent");
    w.settle();
    assert!(w.accept("listener", "early").is_err());
    w.send("client", b"rk").expect("sent");
    w.settle();
    let mut seen = String::new();
    for copy in ["first", "second", "third"] {
        w.accept("listener", copy).expect("a connection");
        let request = w.recv(copy).expect("a request");
        seen += &format!("{}\n", String::from_utf8_lossy(&request).escape_debug());
        w.send(copy, reply("done").as_bytes()).expect("sent");
    }
    expect![[r#"
        POST /slow HTTP/1.1\r\ncontent-length: 4\r\n\r\nwork
        POST /slow HTTP/1.1\r\ncontent-length: 4\r\n\r\nwork
        POST /slow HTTP/1.1\r\ncontent-length: 4\r\n\r\nwork
    "#]]
    .assert_eq(&seen);
    assert!(w.accept("listener", "fourth").is_err(), "a copy is not repeated");
    w.recv("server").expect("the request");
    w.send("server", reply("done").as_bytes()).expect("sent");
    w.settle();
    w.recv("client").expect("one reply");
    assert!(w.recv("client").is_err(), "and no other");
    w.transcript();
    expect![[r#"
        a>b POST /slow #1 (1.1): 46 bytes at 0, delivered 1001000000; 42 bytes at 2000000000, completed 2001000000; status Some(200)
        a>b POST /slow #2 (2.1): 46 bytes at 1002000000, delivered 1003000000; 42 bytes at 2000000000, completed 2001000000; status Some(200)
        a>b POST /slow #3 (3.1): 46 bytes at 1002000000, delivered 1003000000; 42 bytes at 2000000000, completed 2001000000; status Some(200)
        a>b POST /slow #4 (4.1): 46 bytes at 1002000000, delivered 1003000000; 42 bytes at 2000000000, completed 2001000000; status Some(200)
    "#]].assert_eq(&w.exchanges());
    // One is closed by the server, the others by who asked.
    w.close("first");
    w.call(0, |net, _| net.end_burst(&"a>b".parse().expect("a way"), 3));
    w.sleep(Duration::from_secs(70));
    for copy in ["second", "third"] {
        assert_eq!(w.recv(copy).expect("the end"), b"");
        w.close(copy);
    }
    w.sleep(Duration::from_secs(70));
    assert_eq!(w.pending(), 0);
    assert_eq!(w.net.sockets.filter(|_| true).len(), 3, "listener, client and server");
}

#[test]
fn copies_of_a_datagram_follow_it() {
    let mut w = World::new();
    w.socket("server", 1, libc::AF_INET, DGRAM);
    w.bind("server", inet("0.0.0.0:53")).expect("bound");
    w.socket("client", 0, libc::AF_INET, DGRAM);
    w.connect("client", &inet("10.0.0.2:53")).expect("connected");
    w.call(0, |net, _| net.begin_burst(&"a>b".parse().expect("a way"), 4));
    w.send("client", b"who?").expect("sent");
    w.settle();
    let mut count = 0;
    while w.recv("server").is_ok() {
        count += 1;
    }
    assert_eq!(count, 5);
}
