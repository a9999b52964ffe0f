//! Which exchanges are seen in what hosts send each other.

use expect_test::expect;

use super::world::{DGRAM, World, inet};

/// The exchanges that are seen after [`World::after`].
fn exchanges_of(parts: &[&str]) -> alloc::string::String {
    World::after(parts).exchanges()
}

const GET: &str = ">GET /a?q=1 HTTP/1.1\r\nhost: b\r\n\r\n";
const OK: &str = "<HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn http_requests_have_names_and_statuses() {
    let seen = exchanges_of(&[
        GET,
        OK,
        ">POST /b HTTP/1.1\r\ncontent-length: 4\r\n\r\n",
        ">body",
        "<HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        GET,
        OK,
    ]);
    expect![[r#"
        a>b GET /a #1 (1.1): 32 bytes at 0, delivered 1000000; 40 bytes at 1000000000, completed 1001000000; status Some(200)
        a>b POST /b #1 (1.2): 43 bytes at 2000000000, delivered 3001000000; 45 bytes at 4000000000, completed 4001000000; status Some(404)
        a>b GET /a #2 (1.3): 32 bytes at 5000000000, delivered 5001000000; 40 bytes at 6000000000, completed 6001000000; status Some(200)
    "#]].assert_eq(&seen);
}

#[test]
fn http_requests_may_come_one_upon_the_other() {
    let two = alloc::format!("{GET}{}", GET[1..].replace("/a", "/b"));
    let replies = alloc::format!("{OK}{}", OK[1..].replace("200", "500"));
    let (first, second) = replies.split_at(50);
    let second = alloc::format!("<{second}");
    expect![[r#"
        a>b GET /a #1 (1.1): 32 bytes at 0, delivered 1000000; 40 bytes at 1000000000, completed 1001000000; status Some(200)
        a>b GET /b #1 (1.2): 32 bytes at 0, delivered 1000000; 40 bytes at 1000000000, completed 2001000000; status Some(500)
    "#]].assert_eq(&exchanges_of(&[&two, first, &second]));
}

#[test]
fn a_name_in_pieces_is_found() {
    let expected = expect![[r#"
        a>b GET /a #1 (1.1): 23 bytes at 0, delivered 3001000000; 40 bytes at 4000000000, completed 4001000000; status Some(200)
    "#]];
    expected.assert_eq(&exchanges_of(&[">G", ">ET /a?q", ">=1 HTTP/1.1\r\n", ">\r\n", OK]));
}

#[test]
fn interim_replies_belong_to_the_reply() {
    let continues = "<HTTP/1.1 100 Continue\r\n\r\n";
    let head = ">POST /b HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n";
    expect![[r#"
        a>b POST /b #1 (1.1): 62 bytes at 0, delivered 2001000000; 65 bytes at 1000000000, completed 3001000000; status Some(200)
    "#]].assert_eq(&exchanges_of(&[head, continues, ">x", OK]));
}

#[test]
fn what_follows_an_upgrade_takes_turns() {
    let upgraded = "<HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n";
    expect![[r#"
        a>b GET /a #1 (1.1): 32 bytes at 0, delivered 1000000; 48 bytes at 1000000000, completed 1001000000; status Some(101)
        a>b tcp:80 #1 (1.2): 5 bytes at 2000000000, delivered 2001000000; 5 bytes at 3000000000, completed 3001000000; status None
    "#]].assert_eq(&exchanges_of(&[GET, upgraded, ">frame", "<frame"]));
}

#[test]
fn a_reply_may_end_with_the_connection() {
    let mut w = World::new();
    w.connected(0, 1);
    w.send("client", &GET.as_bytes()[1..]).unwrap();
    w.settle();
    w.recv("server").unwrap();
    w.send("server", b"HTTP/1.0 200 OK\r\n\r\nall of ").unwrap();
    w.settle();
    w.send("server", b"it").unwrap();
    w.close("server");
    w.settle();
    expect![[r#"
        a>b GET /a #1 (1.1): 32 bytes at 0, delivered 1000000; 28 bytes at 1000000000, completed 2001000000; status Some(200)
    "#]].assert_eq(&w.exchanges());
}

#[test]
fn a_greeting_is_no_exchange() {
    expect![[r#"
        a>b tcp:80 #1 (1.1): 16 bytes at 1000000000, delivered 1001000000; 6 bytes at 2000000000, completed 2001000000; status None
    "#]].assert_eq(&exchanges_of(&["<220 hello", ">GET me something", "<250 ok"]));
}

#[test]
fn a_word_that_may_begin_a_request_and_does_not() {
    expect![[r#"
        a>b tcp:80 #1 (1.1): 1 bytes at 0, delivered -; 4 bytes at 1000000000, completed 1001000000; status None
        a>b tcp:80 #2 (1.2): 1 bytes at 2000000000, delivered 2001000000; 4 bytes at 3000000000, completed 3001000000; status None
    "#]].assert_eq(&exchanges_of(&[">P", "<pong", ">P", "<pong"]));
}

#[test]
fn datagrams_and_their_answers() {
    let mut w = World::new();
    w.socket("server", 1, libc::AF_INET, DGRAM);
    w.bind("server", inet("0.0.0.0:99")).unwrap();
    w.socket("client", 0, libc::AF_INET, DGRAM);
    w.bind("client", inet("0.0.0.0:1000")).unwrap();
    w.connect("client", &inet("10.0.0.2:99")).unwrap();
    for _ in 0..2 {
        w.send("client", b"ask").unwrap();
        w.settle();
        w.recv("server").unwrap();
        w.send_to("server", b"answer", Some(&inet("10.0.0.1:1000")), &[]).unwrap();
        w.settle();
        w.recv("client").unwrap();
    }
    expect![[r#"
        a>b udp:99 #1 (1.1): 3 bytes at 0, delivered 1000000; 6 bytes at 1000000000, completed 1001000000; status None
        a>b udp:99 #2 (1.2): 3 bytes at 2000000000, delivered 2001000000; 6 bytes at 3000000000, completed 3001000000; status None
    "#]].assert_eq(&w.exchanges());
}

#[test]
fn a_host_has_no_exchanges_with_itself() {
    let mut w = World::new();
    w.connected(0, 0);
    w.send("client", &GET.as_bytes()[1..]).unwrap();
    assert_eq!(w.exchanges(), "");
}

#[test]
fn messages_are_shown() {
    let mut w = World::new();
    w.watch();
    w.connected(0, 1);
    w.transcript();
    w.send("client", &GET.as_bytes()[1..]).unwrap();
    w.settle();
    w.recv("server").unwrap();
    w.send("server", &OK.as_bytes()[1..]).unwrap();
    w.close("server");
    w.settle();
    w.call(0, |net, cx| net.host_powered_off(cx, 1));
    w.send("client", b"x").unwrap();
    expect![[r#"
        0.000000 s host 0: sent 2 to 1: 32 bytes `GET /a #1`
        0.000000 s client send 32 = 32
        0.001000 s host 1: delivered 2
        1.000000 s server recv = "GET /a?q=1 HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s host 1: sent 3 to 0: 40 bytes `GET /a #1 reply`
        1.000000 s server send 40 = 40
        1.000000 s host 1: sent 4 to 0: 0 bytes `fin`
        1.000000 s server close
        1.001000 s host 0: delivered 3
        1.001000 s host 0: delivered 4
        2.000000 s client send 1 = 1
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn disk_writes_are_counted_where_they_belong() {
    let mut w = World::new();
    w.connected(0, 1);
    w.net.disk_written(0);
    w.net.disk_written(1);
    w.send("client", &GET.as_bytes()[1..]).unwrap();
    w.settle();
    w.net.disk_written(1);
    w.net.disk_written(1);
    w.send("server", &OK.as_bytes()[1..]).unwrap();
    w.net.disk_written(1);
    w.net.disk_written(0);
    w.settle();
    w.net.disk_written(0);
    w.send("client", &GET.as_bytes()[1..]).unwrap();
    w.net.disk_written(0);
    let counts = |n: usize| {
        let exchange = &w.net.exchanges()[n];
        (exchange.server_disk_writes, exchange.client_disk_writes)
    };
    assert_eq!((counts(0), counts(1)), ((2, 1), (0, 0)));
}

#[test]
fn unknown_protocols_take_turns() {
    expect![[r#"
        a>b tcp:80 #1 (1.1): 10 bytes at 0, delivered 1001000000; 4 bytes at 2000000000, completed 2001000000; status None
        a>b tcp:80 #2 (1.2): 3 bytes at 3000000000, delivered 3001000000; 6 bytes at 4000000000, completed 5001000000; status None
    "#]]
    .assert_eq(&exchanges_of(&[">hello", ">again", "<answ", ">bye", "<one", "<two"]));
}
