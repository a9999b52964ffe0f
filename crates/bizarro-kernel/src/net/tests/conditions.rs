//! What TCP and UDP make of each trouble of a link: what programs see, and when.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use bizarro_record::{LinkTrouble, Nanos};
use expect_test::{Expect, expect};

use super::world::{DGRAM, STREAM, World, inet};
use crate::errno::Errno;

const TCP: i32 = libc::IPPROTO_TCP;

fn begin(w: &mut World, way: &str, trouble: LinkTrouble) {
    let way = way.parse().expect("a way");
    w.call(0, |net, cx| net.begin_condition(cx, &way, trouble));
}

fn end(w: &mut World, way: &str, trouble: LinkTrouble) {
    let way = way.parse().expect("a way");
    w.call(0, |net, cx| net.end_condition(cx, &way, trouble));
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Waits until the socket has an error, and writes it down.
fn wait_for_error(w: &mut World, name: &str) {
    while w.net.readiness(w.id(name)) & libc::EPOLLERR as u32 == 0 {
        assert!(w.now < Nanos::from_secs(9000), "no error in time");
        assert!(w.step(), "no error ever");
    }
    w.error(name);
}

/// A datagram socket `sender` on a and `receiver` on b, at port 53.
fn datagrams() -> World {
    let mut w = World::new();
    w.socket("receiver", 1, libc::AF_INET, DGRAM);
    w.bind("receiver", inet("0.0.0.0:53")).expect("bound");
    w.socket("sender", 0, libc::AF_INET, DGRAM);
    w.connect("sender", &inet("10.0.0.2:53")).expect("connected");
    w
}

/// Sends a hundred numbered datagrams, 1 ms apart; gives what arrives, in order.
fn hundred(trouble: LinkTrouble) -> Vec<u8> {
    let mut w = datagrams();
    begin(&mut w, "a>b", trouble);
    for number in 0..100_u8 {
        w.send("sender", &[number]).expect("sent");
        w.sleep(Duration::from_millis(1));
    }
    w.settle();
    let mut arrived = Vec::new();
    while let Ok(bytes) = w.recv("receiver") {
        arrived.extend(bytes);
    }
    arrived
}

/// Sends a hundred numbered bytes over a connection, 1 ms apart; gives what arrives within a minute.
fn hundred_in_a_stream(trouble: LinkTrouble) -> Vec<u8> {
    let mut w = World::new();
    w.connected(0, 1);
    begin(&mut w, "a<>b", trouble);
    for number in 0..100_u8 {
        w.send("client", &[number]).expect("sent");
        w.sleep(Duration::from_millis(1));
    }
    w.sleep(secs(60));
    w.recv("server").unwrap_or_default()
}

fn in_order() -> Vec<u8> {
    (0..100).collect()
}

#[test]
fn what_is_lost_late_repeated_or_out_of_order_is_in_order_in_a_stream() {
    let ms = Nanos::from_millis;
    for trouble in [
        LinkTrouble::Loss { one_in: 5 },
        LinkTrouble::Delay { by: ms(700) },
        LinkTrouble::Jitter { up_to: ms(50) },
        LinkTrouble::Duplicate { one_in: 3 },
        LinkTrouble::Reorder { one_in: 3, by: ms(20) },
        LinkTrouble::Limp { bandwidth: 1_000 },
        LinkTrouble::Flap { period: ms(900) },
    ] {
        assert_eq!(hundred_in_a_stream(trouble), in_order(), "{trouble:?}");
    }
}

#[test]
fn datagrams_are_lost() {
    let arrived = hundred(LinkTrouble::Loss { one_in: 5 });
    assert!((65..95).contains(&arrived.len()), "{}", arrived.len());
    assert!(arrived.is_sorted());
}

#[test]
fn datagrams_arrive_twice() {
    let mut arrived = hundred(LinkTrouble::Duplicate { one_in: 5 });
    assert!((105..135).contains(&arrived.len()), "{}", arrived.len());
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived, in_order());
}

#[test]
fn datagrams_overtake_each_other() {
    for trouble in [
        LinkTrouble::Reorder { one_in: 5, by: Nanos::from_millis(3) },
        LinkTrouble::Jitter { up_to: Nanos::from_millis(10) },
    ] {
        let mut arrived = hundred(trouble);
        assert!(!arrived.is_sorted(), "{trouble:?}");
        arrived.sort_unstable();
        assert_eq!(arrived, in_order(), "{trouble:?}");
    }
}

#[test]
fn a_bit_flips_and_the_checksum_is_right() {
    let flipped = |arrived: &[u8]| {
        let bits = in_order().iter().zip(arrived).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
        assert_eq!(arrived.len(), 100);
        bits
    };
    let trouble = LinkTrouble::Corrupt { one_in: 10 };
    let (datagrams, stream) = (flipped(&hundred(trouble)), flipped(&hundred_in_a_stream(trouble)));
    assert!((3..20).contains(&datagrams), "{datagrams}");
    assert!((3..20).contains(&stream), "{stream}");
}

#[test]
fn an_adversary_forges_repeats_and_invents() {
    let forged = |trouble| {
        let mut w = World::new();
        w.connected(0, 1);
        begin(&mut w, "a>b", trouble);
        w.send("client", b"pay 100").expect("sent");
        w.settle();
        let stream = w.recv("server").expect("bytes");
        let mut w = datagrams();
        begin(&mut w, "a>b", trouble);
        w.send("sender", b"pay 100").expect("sent");
        w.settle();
        let first = w.recv("receiver").expect("a datagram");
        (stream, first, w.recv("receiver").unwrap_or_default())
    };
    let text = |bytes: &[u8]| alloc::string::String::from_utf8_lossy(bytes).into_owned();
    let (stream, datagram, _) = forged(LinkTrouble::Tamper { one_in: 1 });
    for bytes in [&stream, &datagram] {
        let amount: u32 = text(bytes)["pay ".len()..].parse().expect("still a number");
        assert_ne!(amount, 100);
    }
    let (stream, first, second) = forged(LinkTrouble::Replay { one_in: 1 });
    assert_eq!(text(&stream), "pay 100pay 100");
    assert_eq!([text(&first), text(&second)], ["pay 100", "pay 100"]);
    let (stream, first, second) = forged(LinkTrouble::Inject { one_in: 1 });
    assert!(text(&stream).starts_with("pay 100pay ") && stream.len() == 14, "{}", text(&stream));
    assert_eq!(text(&first), "pay 100");
    assert!(text(&second).starts_with("pay ") && second != first, "{}", text(&second));
}

#[test]
fn an_adversary_reads_what_arrives() {
    let mut w = World::new();
    w.connected(0, 1);
    w.watch();
    begin(&mut w, "a>b", LinkTrouble::Eavesdrop);
    w.send("client", b"hi").unwrap();
    w.send("server", b"not this").unwrap();
    w.settle();
    expect![[r#"
        0.000000 s host 0: sent 2 to 1: 2 bytes `tcp:80 #1`
        0.000000 s client send 2 = 2
        0.000000 s host 1: sent 3 to 0: 8 bytes `tcp:80 #1 reply`
        0.000000 s server send 8 = 8
        0.001000 s host 1: delivered 2
        0.001000 s host 0: felt eavesdrop a>b to 1 ``
        0.001000 s host 0: Overheard { to: 1, bytes: [104, 105] }
        0.001000 s host 0: delivered 3
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_limping_link_takes_its_time_and_holds_a_sender_back() {
    let mut w = World::new();
    w.connected(0, 1);
    begin(&mut w, "a<>b", LinkTrouble::Limp { bandwidth: 100_000 });
    let mut sent = 0;
    while let Ok(bytes) = w.send("client", &[7; 65536]) {
        sent += bytes;
    }
    w.transcript();
    // Another connection between the two waits for what is in the queue, and not for all that waits to get there.
    w.socket("second", 0, libc::AF_INET, STREAM);
    w.connect_blocking("second", &inet("10.0.0.2:80")).unwrap();
    let queued = w.transcript();
    assert!(queued.contains("second connect = ok"), "{queued}");
    let waited = w.time();
    assert!(Nanos::from_secs(1) < waited && waited < Nanos::from_secs(5), "{waited}");
    let mut received = 0;
    while received < sent {
        received += w.recv("server").map_or(0, |bytes| bytes.len());
        assert!(w.step() || received == sent, "{received} of {sent}");
    }
    let rate = received as f64 / w.time().0 as f64 * 1e9;
    assert!((85_000.0..100_000.0).contains(&rate), "{rate}");
}

#[test]
fn datagrams_that_find_the_queue_full_are_lost() {
    let mut w = datagrams();
    begin(&mut w, "a>b", LinkTrouble::Limp { bandwidth: 100_000 });
    for _ in 0..1000 {
        w.send("sender", &[1; 1000]).unwrap();
    }
    let mut arrived = 0;
    while w.step() {
        arrived += usize::from(w.recv("receiver").is_ok());
    }
    // 256 KiB of 1066 bytes each.
    assert_eq!(arrived, 246);
}

/// A connection whose client sends ten bytes, and a second later its server ten, under this trouble, which ends after
/// twenty seconds; what both have after one, 21 and 61 seconds.
fn talk(way: &str, trouble: LinkTrouble) -> alloc::string::String {
    let mut w = World::new();
    w.connected(0, 1);
    begin(&mut w, way, trouble);
    w.send("client", b"0123456789").unwrap();
    w.settle();
    w.send("server", b"abcdefghij").unwrap();
    for wait in [1, 18] {
        w.sleep(secs(wait));
        let _ = w.recv("client");
        let _ = w.recv("server");
    }
    end(&mut w, way, trouble);
    w.note("over");
    for wait in [1, 40] {
        w.sleep(secs(wait));
        let _ = w.recv("client");
        let _ = w.recv("server");
    }
    assert_eq!(w.pending(), 0, "nothing is left to happen");
    w.transcript()
}

#[track_caller]
fn check(way: &str, trouble: LinkTrouble, expected: Expect) {
    expected.assert_eq(&talk(way, trouble));
}

#[test]
fn a_partition_is_over_when_something_is_sent_again() {
    check(
        "a<>b",
        LinkTrouble::Partition,
        expect![[r#"
        0.000000 s client send 10 = 10
        1.000000 s server send 10 = 10
        2.000000 s client recv = EAGAIN
        2.000000 s server recv = EAGAIN
        20.000000 s client recv = EAGAIN
        20.000000 s server recv = EAGAIN
        20.000000 s over
        21.000000 s client recv = EAGAIN
        21.000000 s server recv = EAGAIN
        61.000000 s client recv = "abcdefghij"
        61.000000 s server recv = "0123456789"
    "#]],
    );
}

#[test]
fn one_direction_of_a_partition_works() {
    check(
        "a>b",
        LinkTrouble::Partition,
        expect![[r#"
        0.000000 s client send 10 = 10
        1.000000 s server send 10 = 10
        2.000000 s client recv = "abcdefghij"
        2.000000 s server recv = EAGAIN
        20.000000 s client recv = EAGAIN
        20.000000 s server recv = EAGAIN
        20.000000 s over
        21.000000 s client recv = EAGAIN
        21.000000 s server recv = EAGAIN
        61.000000 s client recv = EAGAIN
        61.000000 s server recv = "0123456789"
    "#]],
    );
    check(
        "b>*",
        LinkTrouble::Partition,
        expect![[r#"
        0.000000 s client send 10 = 10
        1.000000 s server send 10 = 10
        2.000000 s client recv = EAGAIN
        2.000000 s server recv = "0123456789"
        20.000000 s client recv = EAGAIN
        20.000000 s server recv = EAGAIN
        20.000000 s over
        21.000000 s client recv = EAGAIN
        21.000000 s server recv = EAGAIN
        61.000000 s client recv = "abcdefghij"
        61.000000 s server recv = EAGAIN
    "#]],
    );
}

#[test]
fn a_partition_of_others_is_not_felt() {
    check(
        "a<>c",
        LinkTrouble::Partition,
        expect![[r#"
        0.000000 s client send 10 = 10
        1.000000 s server send 10 = 10
        2.000000 s client recv = "abcdefghij"
        2.000000 s server recv = "0123456789"
        20.000000 s client recv = EAGAIN
        20.000000 s server recv = EAGAIN
        20.000000 s over
        21.000000 s client recv = EAGAIN
        21.000000 s server recv = EAGAIN
        61.000000 s client recv = EAGAIN
        61.000000 s server recv = EAGAIN
    "#]],
    );
}

#[test]
fn everything_that_stalled_arrives_at_once() {
    check(
        "a<>b",
        LinkTrouble::Stall,
        expect![[r#"
        0.000000 s client send 10 = 10
        1.000000 s server send 10 = 10
        2.000000 s client recv = EAGAIN
        2.000000 s server recv = EAGAIN
        20.000000 s client recv = EAGAIN
        20.000000 s server recv = EAGAIN
        20.000000 s over
        21.000000 s client recv = "abcdefghij"
        21.000000 s server recv = "0123456789"
        61.000000 s client recv = EAGAIN
        61.000000 s server recv = EAGAIN
    "#]],
    );
    let mut w = datagrams();
    begin(&mut w, "*<>*", LinkTrouble::Stall);
    for byte in 0..3 {
        w.send("sender", &[byte]).unwrap();
    }
    w.sleep(secs(60));
    w.recv("receiver").unwrap_err();
    end(&mut w, "*<>*", LinkTrouble::Stall);
    w.sleep(Duration::from_millis(1));
    for byte in 0..3 {
        assert_eq!(w.recv("receiver").unwrap(), [byte]);
    }
}

#[test]
fn a_box_resets_connections() {
    let mut w = World::new();
    w.connected(0, 1);
    begin(&mut w, "a>b", LinkTrouble::Reset);
    w.recv("client").unwrap_err();
    w.recv("server").unwrap_err();
    w.socket("second", 0, libc::AF_INET, STREAM);
    w.connect_blocking("second", &inet("10.0.0.2:80")).unwrap();
    w.send("second", b"hello").unwrap();
    w.settle();
    w.recv("second").unwrap_err();
    expect![[r#"
        0.000000 s client recv = ECONNRESET
        0.000000 s server recv = ECONNRESET
        0.002000 s second connect = ok
        0.002000 s second send 5 = 5
        1.002000 s second recv = ECONNRESET
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_host_refuses_or_cannot_be_reached() {
    let mut w = World::new();
    w.connected(0, 1);
    let mut u = datagrams();
    u.transcript();
    for trouble in [LinkTrouble::Refuse, LinkTrouble::Unreachable] {
        for (number, world) in [&mut w, &mut u].into_iter().enumerate() {
            begin(world, "a>b", trouble);
            let name = format!("{}-{number}", trouble.word());
            world.socket(&name, 0, libc::AF_INET, STREAM);
            let _ = world.connect_blocking(&name, &inet("10.0.0.2:80"));
        }
        let _ = u.send("sender", b"hello");
        // A connection that is there stays.
        w.send("client", b"hello").unwrap();
        w.settle();
        let _ = w.recv("server");
        for world in [&mut w, &mut u] {
            end(world, "a>b", trouble);
        }
    }
    expect![[r#"
        0.002000 s refuse-0 connect = ECONNREFUSED
        0.002000 s client send 5 = 5
        1.002000 s server recv = "hello"
        1.004000 s unreachable-0 connect = EHOSTUNREACH
        1.004000 s client send 5 = 5
        2.004000 s server recv = EAGAIN
        ---
        0.002000 s refuse-1 connect = ECONNREFUSED
        0.002000 s sender send 5 = ECONNREFUSED
        0.004000 s unreachable-1 connect = EHOSTUNREACH
        0.004000 s sender send 5 = EHOSTUNREACH
    "#]]
    .assert_eq(&format!("{}---\n{}", w.transcript(), u.transcript()));
}

#[test]
fn who_gets_no_answer_gives_up_in_time() {
    let ways = [
        ("a<>b", LinkTrouble::Partition),
        ("a>b", LinkTrouble::Partition),
        ("b>a", LinkTrouble::Partition),
        ("a<>b", LinkTrouble::Stall),
        ("b>a", LinkTrouble::Stall),
        ("a>b", LinkTrouble::Unreachable),
        ("a<>b", LinkTrouble::Loss { one_in: 1 }),
        ("a<>b", LinkTrouble::Delay { by: Nanos::from_secs(2000) }),
    ];
    let mut log = alloc::string::String::new();
    for (way, trouble) in ways {
        let patient = given_up(way, trouble, 0);
        let hasty = given_up(way, trouble, 5000);
        log += &format!("{} {way}: {patient}, {hasty}\n", trouble.word());
    }
    expect![[r#"
        partition a<>b: 924.600000 s ETIMEDOUT, 5.000000 s ETIMEDOUT
        partition a>b: 924.600000 s ETIMEDOUT, 5.000000 s ETIMEDOUT
        partition b>a: 924.601000 s ETIMEDOUT, 5.001000 s ETIMEDOUT
        stall a<>b: 924.601000 s ETIMEDOUT, 5.001000 s ETIMEDOUT
        stall b>a: 924.601000 s ETIMEDOUT, 5.001000 s ETIMEDOUT
        unreachable a>b: 924.600000 s EHOSTUNREACH, 5.000000 s EHOSTUNREACH
        loss a<>b: 924.600000 s ETIMEDOUT, 5.000000 s ETIMEDOUT
        delay a<>b: 924.600000 s ETIMEDOUT, 5.000000 s ETIMEDOUT
    "#]]
    .assert_eq(&log);
}

/// When a client gives up that has sent something, and with which error.
fn given_up(way: &str, trouble: LinkTrouble, user_timeout: i32) -> alloc::string::String {
    let mut w = World::new();
    w.connected(0, 1);
    w.set("client", TCP, libc::TCP_USER_TIMEOUT, user_timeout).unwrap();
    begin(&mut w, way, trouble);
    w.send("client", b"hello").unwrap();
    w.transcript();
    wait_for_error(&mut w, "client");
    w.transcript().trim().replace(" s client SO_ERROR =", " s")
}

#[test]
fn a_slow_link_is_no_reason_to_give_up() {
    let mut w = World::new();
    w.connected(0, 1);
    w.set("client", TCP, libc::TCP_USER_TIMEOUT, 5000).unwrap();
    begin(&mut w, "a<>b", LinkTrouble::Delay { by: Nanos::from_secs(2) });
    for _ in 0..100 {
        w.send("client", b"hello").unwrap();
        w.sleep(Duration::from_millis(130));
    }
    w.sleep(secs(10));
    assert_eq!(w.recv("server").unwrap().len(), 500);
    w.recv("client").unwrap_err();
    assert_eq!(w.get("client", libc::SOL_SOCKET, libc::SO_ERROR), Ok(0));
}

#[test]
fn keep_alive_finds_a_way_that_is_silent_in_either_direction() {
    let mut log = alloc::string::String::new();
    for (way, trouble) in [
        ("a>b", LinkTrouble::Partition),
        ("b>a", LinkTrouble::Partition),
        ("a<>b", LinkTrouble::Stall),
        ("a<>b", LinkTrouble::Unreachable),
        ("a<>b", LinkTrouble::Flap { period: Nanos::from_secs(100) }),
    ] {
        let mut w = World::new();
        w.connected(0, 1);
        for (level, option, value) in [
            (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
            (TCP, libc::TCP_KEEPIDLE, 10),
            (TCP, libc::TCP_KEEPINTVL, 5),
            (TCP, libc::TCP_KEEPCNT, 3),
        ] {
            w.set("client", level, option, value).unwrap();
        }
        begin(&mut w, way, trouble);
        wait_for_error(&mut w, "client");
        log += &format!("{} {way}: {}", trouble.word(), w.transcript());
    }
    // A short interruption is over before it is found.
    let mut w = World::new();
    w.connected(0, 1);
    w.set("client", libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1).unwrap();
    w.set("client", TCP, libc::TCP_KEEPIDLE, 10).unwrap();
    begin(&mut w, "a<>b", LinkTrouble::Partition);
    w.sleep(secs(12));
    end(&mut w, "a<>b", LinkTrouble::Partition);
    w.sleep(secs(1000));
    w.poll("client");
    log += &w.transcript();
    expect![[r#"
        partition a>b: 24.000000 s client SO_ERROR = ETIMEDOUT
        partition b>a: 24.000000 s client SO_ERROR = ETIMEDOUT
        stall a<>b: 24.000000 s client SO_ERROR = ETIMEDOUT
        unreachable a<>b: 24.000000 s client SO_ERROR = EHOSTUNREACH
        flap a<>b: 24.000000 s client SO_ERROR = ETIMEDOUT
        1012.000000 s client poll = OUT
    "#]]
    .assert_eq(&log);
}

#[test]
fn a_sender_that_is_not_heard_back_keeps_its_bytes() {
    let mut w = World::new();
    w.connected(0, 1);
    w.set("client", libc::SOL_SOCKET, libc::SO_SNDBUF, 10_000).unwrap();
    begin(&mut w, "b>a", LinkTrouble::Partition);
    while w.send("client", &[1; 1000]).is_ok() {
        w.sleep(Duration::from_millis(10));
    }
    w.settle();
    // Everything arrived, and the sender does not know.
    let arrived = w.recv("server").unwrap().len();
    assert_eq!(w.send("client", &[1; 1000]), Err(Errno::EAGAIN));
    end(&mut w, "b>a", LinkTrouble::Partition);
    w.sleep(secs(10));
    assert_eq!(w.recv("server"), Err(Errno::EAGAIN), "nothing arrives twice");
    assert!(w.send("client", &[1; 1000]).is_ok());
    w.close("client");
    w.settle();
    assert_eq!(w.recv("server").unwrap().len() + arrived, arrived + 1000);
    assert_eq!(w.pending(), 0);
}

#[test]
fn a_connection_that_is_closed_on_a_dead_way_is_forgotten() {
    for (way, trouble) in [
        ("a<>b", LinkTrouble::Partition),
        ("b>a", LinkTrouble::Partition),
        ("b>a", LinkTrouble::Stall),
        ("a>b", LinkTrouble::Stall),
    ] {
        let mut w = World::new();
        w.connected(0, 1);
        begin(&mut w, way, trouble);
        w.send("client", b"bye").unwrap();
        w.close("client");
        w.sleep(secs(200));
        w.close("server");
        w.sleep(secs(2000));
        end(&mut w, way, trouble);
        w.sleep(secs(200));
        w.close("listener");
        assert_eq!(w.pending(), 0, "{way} {trouble:?}");
        assert_eq!(w.net.sockets.filter(|_| true).len(), 0, "{way} {trouble:?}");
    }
}
