//! Plays the kernel's part: owns the time, the queue of events, and sockets by name; writes down every call.

extern crate std;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bizarro_record::packet::Payload;
use bizarro_record::{
    Deviation, Effect, Event, Exchange, ExchangeId, HostSpec, Injection, LinkSpec, Nanos, Packet,
    Role, Step, SwitchSpec, WorldSpec,
};

use crate::errno::Errno;
use crate::net::{
    Control, Cx, HostFault, Net, NetEvent, Received, SockAddr, SockId, Ucred, UnixName, Wake,
};
use crate::seams::{Decider, Observer, Queue, Turn};

/// Draws the same in every run; strikes the planned faults, and checks that nobody asks twice.
struct Draws {
    state: u64,
    faults: Vec<Injection>,
    /// Client, server, and what the client is told.
    removed: Option<(u16, u16, Effect)>,
    /// Beside the planned ones, one step in this many is struck.
    fault_rate: u64,
    asked: BTreeMap<(String, Step), u32>,
}

impl Decider for Draws {
    fn next_task(&mut self, _: &dyn Queue) -> usize {
        0
    }
    fn keeps_requests(&self) -> bool {
        true
    }
    fn removed(&self, client: u16, server: u16) -> Option<Effect> {
        let (from, to, effect) = self.removed?;
        ((from, to) == (client, server)).then_some(effect)
    }
    fn may_take_power(&self) -> bool {
        false
    }
    fn incidents(&self) -> Vec<bizarro_record::Incident> {
        Vec::new()
    }
    fn lifetime(&mut self, most: u32) -> u32 {
        most
    }
    fn disturbance(&mut self, low: u64, high: u64) -> u64 {
        self.within(low, high)
    }
    fn survivor(&mut self, _: u64) -> u64 {
        0
    }
    fn deviations(&self) -> Option<Vec<Deviation>> {
        None
    }
    fn preempt(&mut self, _: Turn, _: &dyn Queue) -> bool {
        false
    }
    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn within(&mut self, low: u64, high: u64) -> u64 {
        if low == high { low } else { low + self.random() % (high - low + 1) }
    }
    fn latency(&mut self, shortest: u64, longest: u64) -> u64 {
        self.within(shortest, longest)
    }
    fn chance(&mut self, ppm: u32) -> bool {
        self.random() % 1_000_000 < u64::from(ppm)
    }
    fn fault(&mut self, _: Nanos, exchange: &ExchangeId, step: Step) -> Option<Effect> {
        let count = self.asked.entry((exchange.to_string(), step)).or_default();
        *count += 1;
        assert_eq!(*count, 1, "asked twice about {exchange} {step}");
        if self.fault_rate > 0 && self.random().is_multiple_of(self.fault_rate) {
            let effects = Effect::of(step);
            return Some(effects[self.random() as usize % effects.len()]);
        }
        let planned = self.faults.iter().find(|fault| fault.at == *exchange && fault.step == step);
        planned.map(|fault| fault.effect)
    }
}

/// Writes down what the network shows.
#[derive(Default)]
struct Watcher {
    lines: Vec<String>,
    is_on: bool,
    /// Packets are wanted, too.
    captures: bool,
    /// A line for each of them.
    packets: Vec<String>,
    /// Times are shown from here on.
    start: Nanos,
}

impl Observer for Watcher {
    fn wants_messages(&self) -> bool {
        true
    }

    fn wants_packets(&self) -> bool {
        self.captures
    }

    fn event(&mut self, at: Nanos, host: u16, _tid: u32, event: Event) {
        let text = match event {
            Event::Struck { injection } => format!("struck {injection}"),
            Event::Removed { server, effect } => {
                format!("asks host {server}, which is missing: {effect}")
            }
            Event::Packet { packet } => {
                self.packets.push(format!("{at} {}", packet_text(&packet)));
                return;
            }
            _ if !self.is_on => return,
            Event::Sent { message, to, bytes, label } => {
                format!("sent {message} to {to}: {bytes} bytes `{label}`")
            }
            Event::Felt { trouble, to, label } => format!("felt {trouble} to {to} `{label}`"),
            Event::Delivered { message } => format!("delivered {message}"),
            Event::Dropped { message } => format!("dropped {message}"),
            other => format!("{other:?}"),
        };
        self.lines.push(format!("{} host {host}: {text}", at - self.start));
    }
    fn call(&mut self, _: Nanos, _: u16, _: u32, _: &str) {}
    fn traces(&self) -> bool {
        false
    }
}

fn packet_text(packet: &Packet) -> String {
    let what = match &packet.payload {
        Payload::Datagram { data } => format!("`{}`", data.escape_ascii()),
        Payload::Segment { sign, offset, data } => {
            format!("{sign:?} at {offset} `{}`", data.escape_ascii())
        }
    };
    let end = packet.arrives.map_or("lost".to_string(), |at| format!("arrives {at}"));
    format!("{} > {}: {what} {end}", packet.source, packet.destination)
}

/// A world with hosts `a`, `b` and `c` at 10.0.0.1 to 3, a millisecond apart.
pub(super) struct World {
    pub(super) net: Net,
    pub(super) now: Nanos,
    queue: BTreeMap<(Nanos, u64), NetEvent>,
    pushed: u64,
    draws: Draws,
    watcher: Watcher,
    pub(super) wakes: Vec<Wake>,
    pub(super) strikes: Vec<HostFault>,
    /// How many of them were looked at.
    carried_out: usize,
    pub(super) released: Vec<u64>,
    socks: BTreeMap<String, SockId>,
    log: String,
}

pub(super) const STREAM: i32 = libc::SOCK_STREAM;
pub(super) const DGRAM: i32 = libc::SOCK_DGRAM;

pub(super) fn inet(text: &str) -> SockAddr {
    SockAddr::Inet(text.parse::<SocketAddr>().expect("an address"))
}

pub(super) fn path(inode: u64) -> SockAddr {
    let path = format!("/tmp/{inode}").into_bytes();
    SockAddr::Unix(UnixName::Path { inode, path: path.into() })
}

fn host(name: &str, last: u8) -> HostSpec {
    HostSpec {
        group: None,
        declared: bizarro_record::Declared::Nothing,
        kept: Vec::new(),
        name: name.to_string(),
        address: [10, 0, 0, last].into(),
        cpus: 1,
        slowdown: 1,
        clock: Default::default(),
        memory_limit: 0,
        out_of_memory: Default::default(),
        role: Role::Program,
        entry: 0,
        data: 0,
        executable: String::new(),
        arguments: Vec::new(),
        env: Vec::new(),
        mounts: Vec::new(),
        files: Vec::new(),
    }
}

pub(super) fn link_of(latency: Nanos) -> LinkSpec {
    LinkSpec { latency_min: latency, latency_max: latency, ..LinkSpec::default() }
}

impl World {
    pub(super) fn new() -> World {
        World::with_link(link_of(Nanos::from_millis(1)))
    }

    pub(super) fn with_link(link: LinkSpec) -> World {
        World::of(link, &[])
    }

    /// A world with these switches.
    pub(super) fn with_switches(switches: &[SwitchSpec]) -> World {
        World::of(link_of(Nanos::from_millis(1)), switches)
    }

    fn of(link: LinkSpec, switches: &[SwitchSpec]) -> World {
        let mut spec = WorldSpec::new("test");
        spec.switches = switches.to_vec();
        spec.hosts = alloc::vec![host("a", 1), host("b", 2), host("c", 3)];
        spec.links = alloc::vec![link];
        World {
            net: Net::new(&spec),
            now: Nanos::ZERO,
            queue: BTreeMap::new(),
            pushed: 0,
            draws: Draws {
                state: 1,
                faults: Vec::new(),
                removed: None,
                fault_rate: 0,
                asked: BTreeMap::new(),
            },
            watcher: Watcher::default(),
            wakes: Vec::new(),
            strikes: Vec::new(),
            carried_out: 0,
            released: Vec::new(),
            socks: BTreeMap::new(),
            log: String::new(),
        }
    }

    /// A world in which this fault is planned.
    pub(super) fn with_fault(fault: &str) -> World {
        World::with_fault_on(link_of(Nanos::from_millis(1)), fault)
    }

    /// A world with these links in which this fault is planned.
    pub(super) fn with_fault_on(link: LinkSpec, fault: &str) -> World {
        let mut world = World::with_link(link);
        world.draws.faults.push(fault.parse().expect("a fault"));
        world
    }

    /// A world in which `server` is missing for `client`.
    pub(crate) fn without(client: u16, server: u16, effect: Effect) -> World {
        let mut world = World::new();
        world.draws.removed = Some((client, server, effect));
        world
    }

    /// A world in which everything is drawn from `seed`, faults too.
    pub(super) fn with_seed(seed: u64, link: LinkSpec, fault_rate: u64) -> World {
        let mut world = World::with_link(link);
        world.draws.state = seed;
        world.draws.fault_rate = fault_rate;
        world
    }

    /// A number below `limit`, drawn.
    pub(super) fn draw(&mut self, limit: u64) -> u64 {
        self.draws.random() % limit
    }

    /// Writes down messages too.
    pub(super) fn watch(&mut self) {
        self.watcher.is_on = true;
    }

    /// Asks for packets.
    pub(super) fn capture(&mut self) {
        self.watcher.captures = true;
    }

    /// The packets so far, a line each.
    pub(super) fn captured(&mut self) -> String {
        self.watcher.packets.drain(..).map(|line| line + "\n").collect()
    }

    /// Makes a call of `host`, and takes over its timers.
    pub(super) fn call<R>(&mut self, host: u16, f: impl FnOnce(&mut Net, &mut Cx<'_>) -> R) -> R {
        let mut timers = Vec::new();
        let mut cx = Cx {
            now: self.now,
            host,
            tid: 1,
            creds: Ucred { pid: 100 + u32::from(host), uid: 1000, gid: 1000 },
            decider: &mut self.draws,
            observer: &mut self.watcher,
            timers: &mut timers,
            wakes: &mut self.wakes,
            strikes: &mut self.strikes,
            released: &mut self.released,
        };
        let result = f(&mut self.net, &mut cx);
        for (at, event) in timers {
            assert!(at >= self.now, "an event in the past");
            self.pushed += 1;
            self.queue.insert((at, self.pushed), event);
        }
        self.carry_out_crashes();
        for line in core::mem::take(&mut self.watcher.lines) {
            self.log.push_str(&line);
            self.log.push('\n');
        }
        result
    }

    /// Kills the hosts that a fault has struck dead.
    fn carry_out_crashes(&mut self) {
        for strike in self.strikes.split_off(self.carried_out) {
            self.strikes.push(strike);
            self.carried_out = self.strikes.len();
            if let HostFault::Crash(host) = strike {
                self.call(host, |net, cx| net.host_crashed(cx, host));
            }
        }
    }

    /// Lets the next event happen; `false` where there is none.
    pub(super) fn step(&mut self) -> bool {
        let Some(((at, _), event)) = self.queue.pop_first() else { return false };
        self.now = at;
        self.call(0, |net, cx| net.fire(cx, event));
        true
    }

    /// Lets time pass.
    pub(super) fn sleep(&mut self, time: Duration) {
        let end = self.now + Nanos::from(time);
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Lets everything happen that is to happen within a second.
    pub(super) fn settle(&mut self) {
        self.sleep(Duration::from_secs(1));
    }

    /// How many events are to come.
    pub(super) fn pending(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn id(&self, name: &str) -> SockId {
        self.socks[name]
    }

    /// Gives a socket a name.
    pub(super) fn adopt(&mut self, name: &str, id: SockId) {
        self.socks.insert(name.to_string(), id);
    }

    fn host_of(&self, id: SockId) -> u16 {
        self.net.sockets.get(id).map_or(0, |socket| socket.base.host)
    }

    /// The time since the transcript began.
    pub(super) fn time(&self) -> Nanos {
        self.now - self.watcher.start
    }

    /// Adds a line to the transcript.
    pub(super) fn note(&mut self, line: &str) {
        self.log.push_str(&format!("{} {line}\n", self.time()));
    }

    fn noted<T: core::fmt::Display>(&mut self, what: &str, result: Result<T, Errno>) {
        match result {
            Ok(value) => self.note(&format!("{what} = {value}")),
            Err(error) => self.note(&format!("{what} = {error}")),
        }
    }

    /// The transcript so far; it begins anew.
    pub(super) fn transcript(&mut self) -> String {
        core::mem::take(&mut self.log)
    }

    pub(super) fn socket(&mut self, name: &str, host: u16, domain: i32, kind: i32) -> SockId {
        let id = self.net.socket(host, domain, kind, 0).expect("a socket");
        self.socks.insert(name.to_string(), id);
        id
    }

    /// Runs a call on a socket and writes its result down.
    pub(super) fn run(
        &mut self,
        name: &str,
        what: &str,
        f: impl FnOnce(&mut Net, &mut Cx<'_>, SockId) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let id = self.id(name);
        let host = self.host_of(id);
        let result = self.call(host, |net, cx| f(net, cx, id));
        self.noted(&format!("{name} {what}"), result.map(|()| "ok"));
        result
    }

    pub(super) fn bind(&mut self, name: &str, to: SockAddr) -> Result<(), Errno> {
        self.run(name, "bind", |net, cx, id| net.bind(cx, id, &to))
    }

    pub(super) fn listen(&mut self, name: &str, backlog: i32) -> Result<(), Errno> {
        self.run(name, "listen", |net, cx, id| net.listen(cx, id, backlog))
    }

    /// connect(2) of a descriptor that does not block.
    pub(super) fn connect(&mut self, name: &str, to: &SockAddr) -> Result<(), Errno> {
        self.run(name, "connect", |net, cx, id| net.connect(cx, id, to))
    }

    /// connect(2) of a descriptor that blocks: waits until it is decided.
    pub(super) fn connect_blocking(&mut self, name: &str, to: &SockAddr) -> Result<(), Errno> {
        let id = self.id(name);
        let host = self.host_of(id);
        let mut result = self.call(host, |net, cx| net.connect(cx, id, to));
        while matches!(result, Err(Errno::EINPROGRESS | Errno::EALREADY)) {
            result = self.call(host, |net, cx| net.connect(cx, id, to));
            if result == Err(Errno::EALREADY) && !self.step() {
                break;
            }
        }
        self.noted(&format!("{name} connect"), result.map(|()| "ok"));
        result
    }

    pub(super) fn accept(&mut self, name: &str, child: &str) -> Result<(), Errno> {
        let id = self.id(name);
        let host = self.host_of(id);
        let result = self.call(host, |net, cx| net.accept(cx, id));
        let shown = result.map(|accepted| {
            self.socks.insert(child.to_string(), accepted.sock);
            child.to_string()
        });
        self.noted(&format!("{name} accept"), shown.clone());
        shown.map(|_| ())
    }

    pub(super) fn send(&mut self, name: &str, bytes: &[u8]) -> Result<usize, Errno> {
        self.send_to(name, bytes, None, &[])
    }

    pub(super) fn send_to(
        &mut self,
        name: &str,
        bytes: &[u8],
        to: Option<&SockAddr>,
        control: &[Control],
    ) -> Result<usize, Errno> {
        let id = self.id(name);
        let host = self.host_of(id);
        let mut source = bytes;
        let result = self.call(host, |net, cx| net.send(cx, id, &mut source, to, control, 0));
        self.noted(&format!("{name} send {}", bytes.len()), result);
        result
    }

    /// recv(2) with these flags: what it gave, and what else it said.
    pub(super) fn recv_with(
        &mut self,
        name: &str,
        max: usize,
        flags: i32,
    ) -> Result<(Vec<u8>, Received), Errno> {
        let id = self.id(name);
        let host = self.host_of(id);
        let mut bytes = Vec::new();
        let mut sink = |part: &[u8]| {
            bytes.extend_from_slice(part);
            Ok(())
        };
        let result = self.call(host, |net, cx| net.recv(cx, id, &mut sink, max, flags));
        let shown = result.clone().map(|received| {
            let mut text = match bytes.len() {
                0 if received.bytes == 0 => "end".to_string(),
                0..64 => format!("{:?}", String::from_utf8_lossy(&bytes)),
                n => format!("{n} bytes"),
            };
            if received.bytes != bytes.len() {
                text += &format!(" of {}", received.bytes);
            }
            if let Some(SockAddr::Inet(from)) = &received.from {
                text += &format!(" from {from}");
            }
            for control in &received.control {
                text += &format!(" {control:?}");
            }
            text
        });
        self.noted(&format!("{name} recv"), shown);
        result.map(|received| (bytes, received))
    }

    /// recv(2) of a descriptor that does not block.
    pub(super) fn recv(&mut self, name: &str) -> Result<Vec<u8>, Errno> {
        self.recv_with(name, 1 << 24, libc::MSG_DONTWAIT).map(|(bytes, _)| bytes)
    }

    pub(super) fn shutdown(&mut self, name: &str, how: i32) -> Result<(), Errno> {
        self.run(name, "shutdown", |net, cx, id| net.shutdown(cx, id, how))
    }

    pub(super) fn close(&mut self, name: &str) {
        let id = self.id(name);
        let host = self.host_of(id);
        self.call(host, |net, cx| net.close(cx, id));
        self.note(&format!("{name} close"));
    }

    /// Writes down what poll(2) says.
    pub(super) fn poll(&mut self, name: &str) {
        const NAMES: [(i32, &str); 6] = [
            (libc::EPOLLIN, "IN"),
            (libc::EPOLLOUT, "OUT"),
            (libc::EPOLLRDHUP, "RDHUP"),
            (libc::EPOLLHUP, "HUP"),
            (libc::EPOLLERR, "ERR"),
            (libc::EPOLLPRI, "PRI"),
        ];
        let mask = self.net.readiness(self.id(name)) as i32;
        let set = NAMES.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, name)| *name);
        let text = set.collect::<Vec<_>>().join("|");
        self.note(&format!("{name} poll = {}", if text.is_empty() { "0" } else { &text }));
    }

    pub(super) fn set(
        &mut self,
        name: &str,
        level: i32,
        option: i32,
        value: i32,
    ) -> Result<(), Errno> {
        let id = self.id(name);
        let host = self.host_of(id);
        self.call(host, |net, cx| net.setsockopt(cx, id, level, option, &value.to_ne_bytes()))
    }

    pub(super) fn get(&mut self, name: &str, level: i32, option: i32) -> Result<i32, Errno> {
        let bytes = self.net.getsockopt(self.id(name), level, option)?;
        Ok(i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Takes SO_ERROR and writes it down.
    pub(super) fn error(&mut self, name: &str) {
        let error = self.get(name, libc::SOL_SOCKET, libc::SO_ERROR).expect("SO_ERROR");
        let text = match error {
            0 => "0".to_string(),
            n => Errno(n as u16).to_string(),
        };
        self.note(&format!("{name} SO_ERROR = {text}"));
    }

    /// A connection after these parts were sent on it in turn, `>` from the client and `<` from the server.
    pub(super) fn after(parts: &[&str]) -> World {
        let mut w = World::new();
        w.connected(0, 1);
        for part in parts {
            let (from, to) =
                if part.starts_with('>') { ("client", "server") } else { ("server", "client") };
            w.send(from, &part.as_bytes()[1..]).unwrap();
            w.settle();
            w.recv(to).unwrap();
        }
        w
    }

    /// A connection from `client` to `server` (host numbers), named so, through the listening socket
    /// `listener` on port 80. None of it is written down, and
    /// the time is told from then on.
    pub(super) fn connected(&mut self, client: u16, server: u16) {
        let log = core::mem::take(&mut self.log);
        self.socket("listener", server, libc::AF_INET, STREAM);
        self.set("listener", libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).expect("an option");
        self.bind("listener", inet("0.0.0.0:80")).expect("bound");
        self.listen("listener", 16).expect("listening");
        self.socket("client", client, libc::AF_INET, STREAM);
        let to = inet(&format!("10.0.0.{}:80", server + 1));
        self.connect_blocking("client", &to).expect("connected");
        self.settle();
        self.accept("listener", "server").expect("accepted");
        self.log = log;
        self.wakes.clear();
        self.watcher.start = self.now;
        assert_eq!(self.pending(), 0, "nothing is under way on an idle connection");
    }

    /// Every exchange in a line.
    pub(super) fn exchanges(&mut self) -> String {
        let start = self.watcher.start;
        let shown =
            |time: Option<Nanos>| time.map_or("-".to_string(), |t| (t - start).0.to_string());
        let line = |x: &Exchange| {
            format!(
                "{} ({}.{}): {} bytes at {}, delivered {}; {} bytes at {}, completed {}; status {:?}\n",
                x.id,
                x.connection,
                x.on_connection,
                x.request_bytes,
                (x.requested - start).0,
                shown(x.delivered),
                x.reply_bytes,
                shown(x.replied),
                shown(x.completed),
                x.status,
            )
        };
        self.net.exchanges().iter().map(line).collect()
    }
}
