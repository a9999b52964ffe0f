//! The network between two hosts, as unmodified programs of the standard library see it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bizarro::prelude::*;

/// What the line begins with in which a test shows its run's fingerprint.
const FINGERPRINT: &str = "fingerprint of the run: ";

/// Each way takes this long on the links of these tests.
const LATENCY: Duration = Duration::from_millis(5);

/// A world in which `asker` uses what `server` does, with an even latency, and only the run without faults.
fn two_hosts(world: &mut World, server: fn(), asker: fn()) {
    world.host("server").address("10.0.0.7").program(server);
    world.host("asker").workload(move || {
        sleep(millis(10)); // the server is up
        asker();
        println!("done");
    });
    world.links().latency(LATENCY..=LATENCY);
    world.explore(Explore::baseline_only());
    world.check("the program ran to its end", |run| match run.output("asker")[..] {
        ["done"] => Ok(()),
        _ => Err(format!("{:?} {:?}", run.output("asker"), run.errors("asker"))),
    });
}

fn idle() {
    loop {
        sleep(secs(3600));
    }
}

/// Serves one connection after the other by sending back what comes.
fn echo() {
    let listener = TcpListener::bind("0.0.0.0:80").unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            stream.write_all(&bytes[..count]).unwrap();
        }
    }
}

#[bizarro::test]
fn a_closed_port_refuses_after_a_round_trip(world: &mut World) {
    two_hosts(world, idle, || {
        let start = Instant::now();
        let error = TcpStream::connect("server:81").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(start.elapsed() >= 2 * LATENCY, "{:?}", start.elapsed());
    });
}

#[bizarro::test]
fn names_of_hosts_are_found_and_others_are_not(world: &mut World) {
    two_hosts(world, idle, || {
        let address: Vec<SocketAddr> = "server:80".to_socket_addrs().unwrap().collect();
        assert!(address.contains(&"10.0.0.7:80".parse().unwrap()), "{address:?}");
        let error = "nobody:80".to_socket_addrs().unwrap_err();
        assert!(error.to_string().contains("Name or service not known"), "{error}");
    });
}

#[bizarro::test]
fn latency_shows_both_ways(world: &mut World) {
    two_hosts(world, echo, || {
        let start = Instant::now();
        let mut stream = TcpStream::connect("10.0.0.7:80").unwrap();
        let connected = start.elapsed();
        assert!(connected >= 2 * LATENCY && connected < 3 * LATENCY, "{connected:?}");
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        let answered = start.elapsed() - connected;
        assert!(answered >= 2 * LATENCY && answered < 3 * LATENCY, "{answered:?}");
    });
}

#[bizarro::test]
fn a_half_closed_connection_still_answers(world: &mut World) {
    fn count_then_answer() {
        let listener = TcpListener::bind("0.0.0.0:80").unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(all.len().to_string().as_bytes()).unwrap();
        drop(stream);
        idle();
    }
    two_hosts(world, count_then_answer, || {
        let mut stream = TcpStream::connect("server:80").unwrap();
        stream.write_all(&[7; 100_000]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "100000");
    });
}

#[bizarro::test]
fn an_unread_peer_resets(world: &mut World) {
    fn drop_unread() {
        let listener = TcpListener::bind("0.0.0.0:80").unwrap();
        let (stream, _) = listener.accept().unwrap();
        sleep(secs(1));
        drop(stream);
        idle();
    }
    two_hosts(world, drop_unread, || {
        let mut stream = TcpStream::connect("server:80").unwrap();
        stream.write_all(b"unread").unwrap();
        let error = stream.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[bizarro::test]
fn a_peer_that_exits_resets_who_still_writes(world: &mut World) {
    fn exit() {
        let listener = TcpListener::bind("0.0.0.0:80").unwrap();
        let (stream, _) = listener.accept().unwrap();
        sleep(secs(1));
        // The kernel closes what the process had open.
        std::mem::forget(stream);
        std::process::exit(0);
    }
    world.host("server").address("10.0.0.7").workload(exit);
    world.host("asker").workload(|| {
        sleep(millis(10));
        let mut stream = TcpStream::connect("server:80").unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "the end of the stream");
        stream.write_all(b"x").unwrap();
        sleep(secs(1));
        let error = stream.write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        println!("done");
    });
    world.explore(Explore::baseline_only());
    world.check("the program ran to its end", |run| match run.output("asker")[..] {
        ["done"] => Ok(()),
        _ => Err(format!("{:?} {:?}", run.output("asker"), run.errors("asker"))),
    });
}

#[bizarro::test]
fn an_absent_address_is_unreachable(world: &mut World) {
    two_hosts(world, idle, || {
        let start = Instant::now();
        // An address of the own network that no host has: ARP asks three times.
        let error = TcpStream::connect("10.0.0.99:80").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostUnreachable);
        assert_eq!(start.elapsed().as_secs(), 3);
        let error = TcpStream::connect("192.0.2.1:80").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
        let nobody = "10.0.0.99:80".parse().unwrap();
        let start = Instant::now();
        let error = TcpStream::connect_timeout(&nobody, millis(200)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= millis(200) && start.elapsed() < millis(300));
    });
}

#[bizarro::test]
fn nobody_at_a_udp_port_is_told_to_the_connected(world: &mut World) {
    two_hosts(world, idle, || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(millis(100))).unwrap();
        socket.send_to(b"x", "10.0.0.7:53").unwrap();
        assert_eq!(socket.recv(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
        socket.connect("10.0.0.7:53").unwrap();
        let start = Instant::now();
        socket.send(b"x").unwrap();
        let error = socket.recv(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(start.elapsed() >= 2 * LATENCY);
    });
}

#[bizarro::test]
fn bandwidth_takes_its_time(world: &mut World) {
    two_hosts(world, echo_count, || {
        let mut stream = TcpStream::connect("10.0.0.7:80").unwrap();
        let start = Instant::now();
        stream.write_all(&vec![1; 1_000_000]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "1000000");
        let took = start.elapsed();
        assert!(took >= secs(1) && took < millis(1200), "{took:?}");
    });
    world.link("asker", "server").latency(LATENCY..=LATENCY).bandwidth(1_000_000);
}

fn echo_count() {
    let listener = TcpListener::bind("0.0.0.0:80").unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(all.len().to_string().as_bytes()).unwrap();
    }
}

#[bizarro::test]
fn losses_are_repaired_later(world: &mut World) {
    two_hosts(world, echo, || {
        let mut stream = TcpStream::connect("10.0.0.7:80").unwrap();
        let mut slow = 0;
        for turn in 0..100u8 {
            let start = Instant::now();
            stream.write_all(&[turn]).unwrap();
            let mut answer = [0];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [turn]);
            slow += u32::from(start.elapsed() >= millis(200));
        }
        // Of 200 packets each is lost with a chance of one in five.
        assert!((10..90).contains(&slow), "{slow} turns waited for a retransmission");
    });
    world.check("the fingerprint is shown", |run| {
        println!("{FINGERPRINT}{:x}", run.record().fingerprint);
        Ok(())
    });
    world.link("asker", "server").latency(LATENCY..=LATENCY).loss(0.2);
}

#[bizarro::test]
fn lost_datagrams_stay_lost(world: &mut World) {
    fn listen() {
        let socket = UdpSocket::bind("0.0.0.0:9").unwrap();
        let mut bytes = [0; 16];
        loop {
            let (count, from) = socket.recv_from(&mut bytes).unwrap();
            socket.send_to(&bytes[..count], from).unwrap();
        }
    }
    two_hosts(world, listen, || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(millis(50))).unwrap();
        let mut answered = 0;
        for turn in 0..100u8 {
            socket.send_to(&[turn], "10.0.0.7:9").unwrap();
            answered += u32::from(socket.recv(&mut [0; 1]).is_ok());
        }
        assert!((40..90).contains(&answered), "{answered} of 100 came back");
    });
    world.link("asker", "server").latency(LATENCY..=LATENCY).loss(0.2);
}

#[bizarro::test]
fn closing_lingers_until_everything_has_arrived(world: &mut World) {
    two_hosts(world, echo_count, || {
        let lingering = |seconds, size| {
            let mut stream = TcpStream::connect("10.0.0.7:80").unwrap();
            let linger = nix::libc::linger { l_onoff: 1, l_linger: seconds };
            nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::Linger, &linger)
                .unwrap();
            stream.write_all(&vec![1; size]).unwrap();
            let start = Instant::now();
            drop(stream);
            start.elapsed()
        };
        let took = lingering(10, 500_000);
        assert!(took >= millis(400) && took < millis(700), "{took:?}");
        // What is not there by then goes on alone.
        assert_eq!(lingering(1, 2_000_000).as_secs(), 1);
    });
    world.link("asker", "server").latency(LATENCY..=LATENCY).bandwidth(1_000_000);
}

/// The run depends on nothing but its description: neither on the process nor on the machine's state.
#[test]
fn the_run_is_the_same_in_every_process() {
    let run = || {
        let this = std::env::current_exe().unwrap();
        let arguments = ["--exact", "losses_are_repaired_later", "--nocapture"];
        let output = Command::new(this).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let shown = text.lines().find(|line| line.contains(FINGERPRINT)).map(str::to_string);
        shown.unwrap_or_else(|| panic!("no fingerprint in {text}"))
    };
    assert_eq!(run(), run());
}
