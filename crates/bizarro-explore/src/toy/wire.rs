//! The toy's clock, record and network: one exchange from the client's first byte to its last.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use bizarro_fault::PlanDecider;
use bizarro_kernel::seams::{Decider, Turn};
use bizarro_record::{
    Effect, Ending, Event, Exchange, ExchangeId, FORMAT, Injection, Nanos, Plan, Property,
    PropertyKind, RunRecord, Stamped, Stats, Step, Stream,
};

use super::Scores;

pub(super) const BOARD: u16 = 0;
pub(super) const PLAYER: u16 = 1;
const SCORES: u16 = 2;

/// What the client sees of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// A reply that makes sense.
    Status(u16),
    /// A reply that makes none.
    Senseless,
    /// The connection broke.
    Broken,
    /// Nothing.
    Silence,
    /// The client itself was killed on receipt and started again.
    Reborn,
}

/// How the server got on with a request.
enum Handled {
    /// It has a reply of this status.
    Replies(u16),
    /// The connection broke; it may have acted.
    Broke,
}

/// The record in the making.
pub(super) struct Wire {
    pub(super) decider: PlanDecider,
    pub(super) record: RunRecord,
    ordinals: BTreeMap<String, u32>,
    incarnations: [u32; 2],
    /// System calls of the board's only task that a schedule may preempt.
    calls: u32,
}

impl Wire {
    pub(super) fn new(plan: &Plan, scores: Scores) -> Wire {
        let names = ["board", "player", "scores"];
        let hosts = if scores == Scores::Absent { &names[..2] } else { &names[..] };
        let named: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let record = RunRecord {
            format: FORMAT,
            build: "toy".to_string(),
            test: "pacman::toy".to_string(),
            plan: plan.clone(),
            fingerprint: 0,
            ending: Ending::Completed,
            hosts: named.clone(),
            groups: named,
            exchanges: vec![],
            properties: vec![],
            events: vec![],
            files: vec![],
            deviations: None,
            stats: Stats::default(),
        };
        let members: Vec<(&str, &str)> = hosts.iter().map(|name| (*name, *name)).collect();
        let decider = PlanDecider::new(plan, &members);
        let (ordinals, incarnations) = (BTreeMap::new(), [0, 0]);
        let mut wire = Wire { decider, record, ordinals, incarnations, calls: 0 };
        wire.start(BOARD);
        wire.start(PLAYER);
        wire
    }

    pub(super) fn now(&self) -> Nanos {
        self.record.stats.virtual_time
    }

    pub(super) fn pass(&mut self, time: Nanos) {
        self.record.stats.virtual_time += time;
    }

    pub(super) fn event(&mut self, host: u16, event: Event) {
        let at = self.now();
        self.record.events.push(Stamped { at, host, tid: 1, event });
    }

    pub(super) fn say(&mut self, host: u16, line: String) {
        self.event(host, Event::Output { stream: Stream::Stdout, line });
    }

    fn start(&mut self, host: u16) {
        self.incarnations[usize::from(host)] += 1;
        let incarnation = self.incarnations[usize::from(host)];
        self.event(host, Event::Started { incarnation });
    }

    /// The host is killed, and back after a second.
    fn crash(&mut self, host: u16) {
        self.event(host, Event::Crashed);
        self.pass(Nanos::from_secs(1));
        self.start(host);
    }

    /// The host stands still for fifteen seconds.
    fn pause(&mut self, host: u16) {
        let until = self.now() + Nanos::from_secs(15);
        self.event(host, Event::Paused { until });
        self.record.stats.virtual_time = until;
    }

    /// A look at a property.
    pub(super) fn look(&mut self, kind: PropertyKind, name: &str, holds: bool, detail: &str) {
        let at = self.now();
        let properties = &mut self.record.properties;
        let index = properties.iter().position(|p| p.name == name).unwrap_or_else(|| {
            properties.push(Property {
                kind,
                name: name.to_string(),
                place: "src/toy.rs:7".to_string(),
                passes: 0,
                failures: 0,
                first_failure: None,
                picture: None,
            });
            properties.len() - 1
        });
        let property = &mut properties[index];
        if holds {
            property.passes += 1;
        } else {
            property.failures += 1;
            property.first_failure.get_or_insert((at, BOARD, detail.to_string()));
        }
    }

    /// Whether another task of the board runs before the current one's next system call.
    pub(super) fn preempted(&mut self) -> bool {
        self.calls += 1;
        let running = Turn { host: BOARD, tid: 100, calls: self.calls, turns: 1 };
        let other = Turn { host: BOARD, tid: 101, calls: 0, turns: 0 };
        self.decider.preempt(running, &vec![other])
    }

    fn fault(&mut self, id: &ExchangeId, step: Step) -> Option<Effect> {
        let effect = self.decider.fault(self.now(), id, step)?;
        let host = match step {
            Step::PostRequest | Step::ValidateReply | Step::UpdateClient => PLAYER,
            _ => BOARD,
        };
        let injection = Box::new(Injection::once(id.clone(), step, effect));
        self.event(host, Event::Struck { injection });
        Some(effect)
    }

    /// One exchange. `update` is the server's work, and gives the status of its reply; `writes` is how
    /// often it writes to its disk.
    pub(super) fn call(
        &mut self,
        name: &str,
        writes: u32,
        update: &mut dyn FnMut(&mut Wire) -> u16,
    ) -> Reply {
        match self.missing(PLAYER, BOARD) {
            None => {}
            Some(Effect::Partition) => return Reply::Silence,
            Some(_) => return Reply::Broken,
        }
        let index = self.request(("player", "board"), name, writes);
        let id = self.record.exchanges[index].id.clone();
        match self.fault(&id, Step::PostRequest) {
            Some(_) => return Reply::Broken,
            None => self.hop(),
        }
        match self.fault(&id, Step::DeliverRequest) {
            Some(Effect::Lost) => return Reply::Silence,
            Some(Effect::Partition) => self.pass(Nanos::from_secs(30)),
            Some(_) => {
                self.crash(BOARD);
                return Reply::Broken;
            }
            None => {}
        }
        self.record.exchanges[index].delivered = Some(self.now());
        match self.handle(&id, update) {
            Handled::Broke => Reply::Broken,
            Handled::Replies(status) => self.reply(index, &id, status),
        }
    }

    /// How the plan takes `server` away from `client`, if it does.
    fn missing(&mut self, client: u16, server: u16) -> Option<Effect> {
        let effect = self.decider.removed(client, server)?;
        let is_told =
            |s: &Stamped| s.host == client && s.event == (Event::Removed { server, effect });
        if !self.record.events.iter().any(is_told) {
            self.event(client, Event::Removed { server, effect });
        }
        Some(effect)
    }

    /// Whether the keeper of the scores was told of a move.
    pub(super) fn tell_scores(&mut self) -> bool {
        if self.missing(BOARD, SCORES).is_some() {
            return false;
        }
        let index = self.request(("board", "scores"), "PUT /score", 0);
        self.hop();
        let now = self.now();
        let exchange = &mut self.record.exchanges[index];
        (exchange.delivered, exchange.replied) = (Some(now), Some(now));
        self.hop();
        let now = self.now();
        let exchange = &mut self.record.exchanges[index];
        (exchange.completed, exchange.status) = (Some(now), Some(204));
        true
    }

    fn request(&mut self, (client, server): (&str, &str), name: &str, writes: u32) -> usize {
        let ordinal = self.ordinals.entry(name.to_string()).or_insert(0);
        *ordinal += 1;
        let id = ExchangeId {
            client: client.to_string(),
            server: server.to_string(),
            name: name.to_string(),
            ordinal: *ordinal,
        };
        let index = self.record.exchanges.len();
        // Each turn waits for its answer, so what was not done is tried again.
        let before = self.record.exchanges.iter().rfind(|exchange| exchange.id.name == name);
        let failed = |exchange: &&Exchange| {
            exchange.completed.is_none() || exchange.status.is_some_and(|status| status >= 400)
        };
        let attempt = before.filter(failed).map_or(1, |exchange| exchange.attempt + 1);
        self.record.exchanges.push(Exchange {
            id,
            connection: 1,
            on_connection: index as u32 + 1,
            requested: self.now(),
            delivered: None,
            replied: None,
            completed: None,
            request_bytes: 64,
            reply_bytes: 0,
            server_calls: writes + 2,
            server_disk_writes: writes,
            client_disk_writes: 0,
            status: None,
            attempt,
        });
        index
    }

    /// Steps 3 to 5.
    fn handle(&mut self, id: &ExchangeId, update: &mut dyn FnMut(&mut Wire) -> u16) -> Handled {
        if self.fault(id, Step::ValidateRequest).is_some() {
            return Handled::Replies(400);
        }
        let status = match self.fault(id, Step::UpdateServer) {
            Some(Effect::DiskFull | Effect::IoError) => 500,
            Some(Effect::Crash | Effect::CrashAt(1) | Effect::PowerOff) => {
                self.crash(BOARD);
                return Handled::Broke;
            }
            Some(Effect::CrashAt(_)) => {
                update(self);
                self.crash(BOARD);
                return Handled::Broke;
            }
            Some(_) => {
                self.pause(BOARD);
                update(self)
            }
            None => update(self),
        };
        match self.fault(id, Step::PostReply) {
            Some(Effect::Crash | Effect::PowerOff) => {
                self.crash(BOARD);
                Handled::Broke
            }
            Some(_) => Handled::Broke,
            None => Handled::Replies(status),
        }
    }

    /// Steps 6 to 8.
    fn reply(&mut self, index: usize, id: &ExchangeId, status: u16) -> Reply {
        self.record.exchanges[index].replied = Some(self.now());
        match self.fault(id, Step::DeliverReply) {
            Some(Effect::Lost) => return Reply::Silence,
            Some(Effect::Reset) => return Reply::Broken,
            Some(_) => self.pass(Nanos::from_secs(60)),
            None => self.hop(),
        }
        let senseless = self.fault(id, Step::ValidateReply);
        let now = self.now();
        let exchange = &mut self.record.exchanges[index];
        exchange.completed = Some(now);
        exchange.reply_bytes = 32;
        exchange.status = senseless.is_none().then_some(status);
        match self.fault(id, Step::UpdateClient) {
            Some(Effect::Crash | Effect::PowerOff) => {
                self.crash(PLAYER);
                return Reply::Reborn;
            }
            Some(_) => self.pause(PLAYER),
            None => {}
        }
        match senseless {
            Some(Effect::Empty | Effect::Truncated) => Reply::Broken,
            Some(_) => Reply::Senseless,
            None => Reply::Status(status),
        }
    }

    fn hop(&mut self) {
        let latency = self.decider.latency(400_000, 600_000);
        self.pass(Nanos(latency));
    }

    pub(super) fn end(mut self, ending: Ending) -> RunRecord {
        self.record.ending = ending;
        self.record.deviations = self.decider.deviations();
        // The text of these holds every effect; the standard hasher starts from fixed keys. Two plans may say the same.
        let RunRecord { ending, exchanges, properties, events, stats, .. } = &self.record;
        let mut hasher = DefaultHasher::new();
        format!("{ending:?} {exchanges:?} {properties:?} {events:?} {stats:?}").hash(&mut hasher);
        self.record.fingerprint = hasher.finish();
        self.record
    }
}
