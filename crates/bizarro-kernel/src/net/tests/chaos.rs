//! Many calls in any order, on links that lose packets and under faults, compared with what must hold of any
//! stream and any datagram: bytes come in order, none is invented, and in the end nothing is left behind.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bizarro_record::{LinkSpec, Nanos};

use super::world::{DGRAM, STREAM, World, inet};
use crate::errno::Errno;
use crate::net::HostFault;

/// An end of a connection: what it sent, and what it received.
#[derive(Default)]
struct End {
    name: String,
    host: u16,
    peer: Option<usize>,
    sent: Vec<u8>,
    received: Vec<u8>,
    is_open: bool,
}

struct Chaos {
    w: World,
    ends: Vec<End>,
    /// Bytes may be changed on the way.
    has_faults: bool,
    /// A message was replaced by an older one, which may be longer.
    was_replaced: bool,
    next: u8,
    /// How many strikes were looked at.
    struck: usize,
}

fn link(loss_ppm: u32, bandwidth: u64) -> LinkSpec {
    LinkSpec {
        latency_min: Nanos::from_micros(100),
        latency_max: Nanos::from_millis(5),
        loss_ppm,
        bandwidth,
        ..LinkSpec::default()
    }
}

impl Chaos {
    fn new(seed: u64, link: LinkSpec, fault_rate: u64) -> Chaos {
        let mut w = World::with_seed(seed, link, fault_rate);
        for host in 0..3 {
            listen(&mut w, host);
        }
        let has_faults = fault_rate > 0;
        Chaos { w, ends: Vec::new(), has_faults, was_replaced: false, next: 0, struck: 0 }
    }

    fn add(&mut self, name: String, host: u16) -> usize {
        self.ends.push(End { name, host, is_open: true, ..End::default() });
        self.ends.len() - 1
    }

    /// One call, or some time.
    fn step(&mut self) {
        match self.w.draw(12) {
            0 | 1 => self.connect(),
            2 => self.accept(),
            3..=5 => self.send(),
            6 | 7 => self.receive(),
            8 => self.end(),
            9 => {
                let micros = self.w.draw(20_000);
                self.w.sleep(Duration::from_micros(micros));
            }
            10 => self.w.sleep(Duration::from_millis(300)),
            _ => self.trouble(),
        }
        self.look();
    }

    fn look(&mut self) {
        self.was_replaced |= self.w.transcript().contains("=older");
    }

    fn connect(&mut self) {
        let (from, to) = (self.w.draw(3) as u16, self.w.draw(3) as u16);
        let name = format!("end{}", self.ends.len());
        self.w.socket(&name, from, libc::AF_INET, STREAM);
        let _ = self.w.connect(&name, &inet(&format!("10.0.0.{}:80", to + 1)));
        self.add(name, from);
    }

    fn accept(&mut self) {
        let host = self.w.draw(3) as u16;
        let name = format!("end{}", self.ends.len());
        if self.w.accept(&format!("listener{host}"), &name).is_err() {
            return;
        }
        let new = self.add(name.clone(), host);
        let remote = self.w.net.getpeername(self.w.id(&name));
        let peer = (0..new).rev().find(|other| {
            let id = self.w.id(&self.ends[*other].name);
            remote.is_ok() && self.w.net.getsockname(id).ok() == remote.clone().ok()
        });
        if let Some(peer) = peer {
            self.ends[new].peer = Some(peer);
            self.ends[peer].peer = Some(new);
        }
    }

    fn some_end(&mut self) -> Option<usize> {
        let count = self.ends.len() as u64;
        let end = if count == 0 { return None } else { self.w.draw(count) as usize };
        self.ends[end].is_open.then_some(end)
    }

    fn send(&mut self) {
        let Some(end) = self.some_end() else { return };
        let length = match self.w.draw(4) {
            0 => 1,
            1 => 100,
            2 => 5_000,
            _ => self.w.draw(300_000) as usize,
        };
        let mut bytes = Vec::with_capacity(length);
        if self.w.draw(2) == 0 {
            bytes.extend_from_slice(b"GET /x HTTP/1.1\r\n\r\n");
        }
        while bytes.len() < length {
            self.next = self.next.wrapping_mul(5).wrapping_add(1);
            bytes.push(self.next);
        }
        let name = self.ends[end].name.clone();
        if let Ok(sent) = self.w.send(&name, &bytes) {
            self.ends[end].sent.extend_from_slice(&bytes[..sent]);
        }
    }

    fn receive(&mut self) {
        if let Some(end) = self.some_end() {
            let max = 1 + self.w.draw(100_000) as usize;
            let _ = self.receive_at(end, max);
        }
    }

    fn receive_at(&mut self, end: usize, max: usize) -> Result<usize, Errno> {
        let name = self.ends[end].name.clone();
        let (bytes, received) = self.w.recv_with(&name, max, libc::MSG_DONTWAIT)?;
        assert_eq!(bytes.len(), received.bytes);
        self.ends[end].received.extend_from_slice(&bytes);
        self.look();
        self.check(end);
        Ok(bytes.len())
    }

    /// What arrived is what was sent, as far as it goes.
    fn check(&self, end: usize) {
        let Some(peer) = self.ends[end].peer else { return };
        let (received, sent) = (&self.ends[end].received, &self.ends[peer].sent);
        if !self.was_replaced {
            assert!(received.len() <= sent.len(), "{} bytes of {}", received.len(), sent.len());
        }
        if !self.has_faults {
            assert!(sent.starts_with(received), "other bytes than were sent");
        }
    }

    fn end(&mut self) {
        let Some(end) = self.some_end() else { return };
        let name = self.ends[end].name.clone();
        match self.w.draw(3) {
            0 => drop(self.w.shutdown(&name, libc::SHUT_WR)),
            1 => drop(self.w.shutdown(&name, libc::SHUT_RDWR)),
            _ => {
                self.w.close(&name);
                self.ends[end].is_open = false;
            }
        }
    }

    fn trouble(&mut self) {
        let host = self.w.draw(3) as u16;
        match self.w.draw(12) {
            0 => {
                self.w.call(host, |net, cx| net.host_crashed(cx, host));
                self.forget(host);
            }
            1 => {
                self.w.call(host, |net, cx| net.host_powered_off(cx, host));
                self.w.sleep(Duration::from_secs(2));
                self.w.net.host_powered_on(host);
                self.forget(host);
            }
            2 => {
                let until = self.w.now + Nanos::from_millis(700);
                self.w.net.host_paused(host, until);
            }
            _ => {}
        }
        while self.struck < self.w.strikes.len() {
            let at = self.struck;
            self.struck += 1;
            if let HostFault::Crash(host) = self.w.strikes[at] {
                self.forget(host);
            }
        }
    }

    /// The process of a host is gone, and started again.
    fn forget(&mut self, host: u16) {
        for end in &mut self.ends {
            end.is_open &= end.host != host;
        }
        if self.w.net.readiness(self.w.id(&format!("listener{host}"))) == 0x20 {
            listen(&mut self.w, host);
        }
    }

    /// Everybody closes; everything comes to its end.
    fn finish(mut self) -> (usize, usize) {
        for end in 0..self.ends.len() {
            while self.ends[end].is_open && self.receive_at(end, 1 << 20).is_ok_and(|n| n > 0) {}
        }
        for host in 0..3 {
            self.w.call(host, |net, cx| net.host_crashed(cx, host));
        }
        self.w.sleep(Duration::from_secs(2000));
        assert_eq!(self.w.pending(), 0, "something is still to come");
        for id in self.w.net.sockets.filter(|_| true) {
            let (_, tcp) = self.w.net.tcp(id).expect("a TCP socket");
            // Only who waits for the FIN of a host that lost its power, or is silent, is left.
            let is_waiting = tcp.state == crate::net::tcp::State::FinWait2;
            assert!(tcp.is_orphan && is_waiting, "{:?} is left", tcp.state);
        }
        (self.ends.iter().map(|end| end.received.len()).sum(), self.w.strikes.len())
    }
}

fn listen(w: &mut World, host: u16) {
    let name = format!("listener{host}");
    w.socket(&name, host, libc::AF_INET, STREAM);
    w.set(&name, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).unwrap();
    w.bind(&name, inet("0.0.0.0:80")).unwrap();
    w.listen(&name, 4).unwrap();
}

/// Gives how many bytes were received, and how many hosts were struck.
fn run(seeds: core::ops::Range<u64>, link: &LinkSpec, fault_rate: u64) -> (usize, usize) {
    let mut total = (0, 0);
    for seed in seeds {
        let mut chaos = Chaos::new(seed, link.clone(), fault_rate);
        for _ in 0..250 {
            chaos.step();
        }
        let (received, struck) = chaos.finish();
        total = (total.0 + received, total.1 + struck);
    }
    total
}

#[test]
fn on_perfect_links() {
    let (received, _) = run(0..30, &link(0, 0), 0);
    assert!(received > 10_000_000, "{received}");
}

#[test]
fn on_slow_links_that_lose_packets() {
    let (received, _) = run(100..130, &link(50_000, 2_000_000), 0);
    assert!(received > 5_000_000, "{received}");
}

#[test]
fn under_faults() {
    let (received, struck) = run(200..270, &link(1000, 0), 6);
    assert!(received > 10_000_000 && struck > 60, "{received} {struck}");
}

#[test]
fn datagrams_are_whole_or_lost() {
    for seed in 0..50 {
        let mut w = World::with_seed(seed, link(100_000, 1_000_000), 0);
        for host in 0..3_u16 {
            let name = format!("udp{host}");
            w.socket(&name, host, libc::AF_INET, DGRAM);
            w.bind(&name, inet("0.0.0.0:7000")).unwrap();
        }
        let (mut sent, mut received) = (0, 0);
        for _ in 0..200 {
            let (from, to) = (w.draw(3), w.draw(3));
            let length = 1 + w.draw(2000) as usize;
            let bytes = alloc::vec![length as u8; length];
            let to = inet(&format!("10.0.0.{}:7000", to + 1));
            sent += usize::from(w.send_to(&format!("udp{from}"), &bytes, Some(&to), &[]).is_ok());
            w.sleep(Duration::from_micros(500));
            let name = format!("udp{}", w.draw(3));
            while let Ok(bytes) = w.recv(&name) {
                assert!(bytes.iter().all(|byte| *byte == bytes.len() as u8));
                received += 1;
            }
            w.transcript();
        }
        assert!(received <= sent && received > sent / 3, "{received} of {sent}");
    }
}
