//! Ports of switches: what waits for them, what is lost at them, and who suffers from whom.

use core::time::Duration;

use bizarro_record::{Nanos, SwitchSpec};

use super::world::{DGRAM, STREAM, World, inet};

/// A megabyte a second for each host, and queues of 100 kB.
fn switch(hosts: &[&str], uplink: u64) -> SwitchSpec {
    SwitchSpec {
        name: "switch".into(),
        hosts: hosts.iter().map(|&host| host.into()).collect(),
        bandwidth: 1_000_000,
        uplink,
        queue: 100_000,
    }
}

/// A world in which b listens at port 80 for TCP, and at port 53 for datagrams.
fn world(switches: &[SwitchSpec]) -> World {
    let mut w = World::with_switches(switches);
    w.socket("listener", 1, libc::AF_INET, STREAM);
    w.bind("listener", inet("0.0.0.0:80")).expect("bound");
    w.listen("listener", 16).expect("listening");
    w.socket("receiver", 1, libc::AF_INET, DGRAM);
    w.bind("receiver", inet("0.0.0.0:53")).expect("bound");
    w
}

/// A connection from `client` to b, whose other end is called `child`.
fn connect(w: &mut World, name: &str, client: u16, child: &str) {
    w.socket(name, client, libc::AF_INET, STREAM);
    w.connect_blocking(name, &inet("10.0.0.2:80")).expect("connected");
    w.settle();
    w.accept("listener", child).expect("accepted");
}

/// Sends a datagram from `host` to b, and says how long it was on the way, if it arrived.
fn ping(w: &mut World, host: u16) -> Option<Nanos> {
    w.socket("ping", host, libc::AF_INET, DGRAM);
    w.send_to("ping", b"ping", Some(&inet("10.0.0.2:53")), &[]).expect("sent");
    let start = w.now;
    while w.recv("receiver").is_err() {
        if w.now > start + Nanos::from_secs(1) || !w.step() {
            return None;
        }
    }
    Some(w.now - start)
}

#[test]
fn an_idle_port_takes_only_the_time_of_a_packet() {
    let mut w = world(&[switch(&["a", "b", "c"], 0)]);
    // 70 bytes out of a and into b, and the millisecond of the link.
    assert_eq!(ping(&mut w, 0), Some(Nanos::from_micros(1140)));
}

#[test]
fn a_noisy_neighbour_makes_others_wait() {
    let mut w = world(&[switch(&["a", "b", "c"], 0)]);
    connect(&mut w, "noisy", 2, "noisy-end");
    let mut slowest = Nanos::ZERO;
    for _ in 0..50 {
        while w.send("noisy", &[0; 65536]).is_ok() {}
        slowest = slowest.max(ping(&mut w, 0).expect("half of the queue is left to datagrams"));
        let _ = w.recv("noisy-end");
        w.sleep(Duration::from_millis(7));
    }
    assert!(slowest > Nanos::from_millis(40), "{slowest}");
    // When the noise is over, so is the wait.
    while w.step() {
        let _ = w.recv("noisy-end");
    }
    assert_eq!(ping(&mut w, 0), Some(Nanos::from_micros(1140)));
}

#[test]
fn a_flood_of_datagrams_takes_the_room_of_others() {
    let mut w = world(&[switch(&["a", "b", "c"], 0)]);
    for (name, host) in [("flood", 2), ("listeners", 1)] {
        w.socket(name, host, libc::AF_INET, DGRAM);
    }
    w.bind("listeners", inet("0.0.0.0:9")).expect("bound");
    let (mut arrived, mut lost) = (0, 0);
    for _ in 0..20 {
        for _ in 0..200 {
            w.send_to("flood", &[0; 1000], Some(&inet("10.0.0.2:9")), &[]).expect("sent");
        }
        match ping(&mut w, 0) {
            Some(_) => arrived += 1,
            None => lost += 1,
        }
        w.sleep(Duration::from_millis(1));
    }
    assert!(lost > 5, "{arrived} arrived, {lost} lost");
    w.sleep(Duration::from_secs(1));
    while w.recv("listeners").is_ok() {}
    assert_eq!(ping(&mut w, 0), Some(Nanos::from_micros(1140)));
}

#[test]
fn two_senders_share_a_port() {
    let mut w = world(&[switch(&["a", "b", "c"], 0)]);
    connect(&mut w, "one", 0, "one-end");
    connect(&mut w, "two", 2, "two-end");
    let start = w.now;
    let mut received = [0, 0];
    while w.now < start + Nanos::from_secs(10) {
        for (index, (name, end)) in [("one", "one-end"), ("two", "two-end")].into_iter().enumerate()
        {
            while w.send(name, &[0; 65536]).is_ok() {}
            received[index] += w.recv(end).map_or(0, |bytes| bytes.len());
        }
        w.step();
        w.transcript();
    }
    let [one, two] = received.map(|bytes| bytes as f64 / 1e6);
    assert!((9.0..10.5).contains(&(one + two)), "{one} + {two} MB in ten seconds");
    assert!((0.6..1.6).contains(&(one / two)), "{one} and {two} MB");
}

#[test]
fn hosts_at_other_switches_share_the_uplink() {
    let two = [switch(&["a", "c"], 100_000), switch(&["b"], 0)];
    let mut w = world(&two);
    connect(&mut w, "noisy", 2, "noisy-end");
    let _ = w.send("noisy", &[0; 65536]);
    let waited = ping(&mut w, 0).expect("there is room");
    assert!((600..700).contains(&(waited.0 / 1_000_000)), "{waited}");
}
