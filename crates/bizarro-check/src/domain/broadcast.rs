//! Broadcast: whether messages are delivered as promised (C. Cachin, R. Guerraoui, L. Rodrigues,
//! *Introduction to Reliable and Secure Distributed Programming*, 2011, chapters 3 and 6).

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{Findings, Rule, done, may_have_happened};
use crate::history::{History, Process, RawCall, RawHistory, Value};
use crate::model::Misfit;

/// What a process does.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum BroadcastCall<V> {
    /// Sends a message to all, itself included. No message is sent twice.
    Broadcast(V),
    /// Waits for the next message.
    Deliver,
}

/// What comes of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum BroadcastReply<V> {
    /// It was sent.
    Sent,
    /// This is the next message.
    Delivered(V),
    /// There is none.
    Nothing,
}

/// In which order messages are delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// In any.
    Any,
    /// Those of one sender in the order in which they were sent.
    Fifo,
    /// What one process delivers first, every process delivers first, and so on.
    #[default]
    Total,
}

/// Whether the history goes on until all messages must have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ending {
    /// Messages may still be on their way.
    #[default]
    Open,
    /// What was sent or delivered anywhere is delivered by every process that delivers at all.
    Settled,
}

/// A history of sending and delivering.
pub type Deliveries<V> = History<BroadcastCall<V>, BroadcastReply<V>>;

/// No process delivers what nobody sent, or anything twice; all in this order; and, where all have had time,
/// everything.
pub fn broadcast<V: Clone + Ord + Debug>(
    history: &Deliveries<V>,
    order: Order,
    ending: Ending,
) -> Findings {
    let mut findings = Findings::default();
    let sent = sent(history);
    let delivered = delivered(history);
    for of_process in &delivered {
        one_by_one(&mut findings, &sent, of_process);
        if order == Order::Fifo {
            fifo(&mut findings, &sent, of_process);
        }
    }
    if order == Order::Total {
        total(&mut findings, &delivered);
    }
    if ending == Ending::Settled {
        agreement(&mut findings, &sent, &delivered);
    }
    findings
}

/// Who sends a message: the operation, the process, and its place among that one's messages.
struct Sent {
    index: u32,
    process: Process,
    place: u32,
    invoked: u32,
    ok: bool,
}

fn sent<V: Ord>(history: &Deliveries<V>) -> BTreeMap<&V, Sent> {
    let (mut sent, mut places) = (BTreeMap::new(), BTreeMap::<Process, u32>::new());
    for (index, it) in history.operations().iter().enumerate() {
        let BroadcastCall::Broadcast(message) = &it.call else { continue };
        if may_have_happened(it) {
            let place = places.entry(it.process).or_default();
            *place += 1;
            let (index, invoked) = (index as u32, it.invoked.position);
            let ok = it.outcome.reply().is_some();
            let this = Sent { index, process: it.process, place: *place, invoked, ok };
            sent.entry(message).or_insert(this);
        }
    }
    sent
}

/// A message that was delivered, by which operation, and where that ended.
type Delivered<'h, V> = (u32, &'h V, u32);

/// What each process delivered, in order; processes in the order in which they begin to deliver.
fn delivered<V>(history: &Deliveries<V>) -> Vec<Vec<Delivered<'_, V>>> {
    let (mut places, mut delivered) = (BTreeMap::<Process, usize>::new(), Vec::new());
    for it in done(history).filter(|it| matches!(it.operation.call, BroadcastCall::Deliver)) {
        let place = *places.entry(it.operation.process).or_insert_with(|| {
            delivered.push(Vec::new());
            delivered.len() - 1
        });
        if let BroadcastReply::Delivered(message) = it.reply {
            delivered[place].push((it.index, message, it.ended));
        }
    }
    delivered
}

fn one_by_one<V: Ord + Debug>(
    findings: &mut Findings,
    sent: &BTreeMap<&V, Sent>,
    of_process: &[Delivered<'_, V>],
) {
    let mut first: BTreeMap<&V, u32> = BTreeMap::new();
    for (index, message, ended) in of_process {
        if sent.get(message).is_none_or(|sent| sent.invoked > *ended) {
            findings.add(Rule::NoCreation, &[*index], || {
                format!("{message:?} was delivered, and nobody had sent it")
            });
        }
        match first.get(message) {
            None => {
                first.insert(message, *index);
            }
            Some(earlier) => findings.add(Rule::NoDuplicate, &[*earlier, *index], || {
                format!("{message:?} was delivered to one process twice")
            }),
        }
    }
}

/// Every message comes after all that its sender sent before, as far as they come at all.
fn fifo<V: Ord + Debug>(
    findings: &mut Findings,
    sent: &BTreeMap<&V, Sent>,
    of_process: &[Delivered<'_, V>],
) {
    let mut latest: BTreeMap<Process, (u32, u32)> = BTreeMap::new();
    for (index, message, _) in of_process {
        let Some(sent) = sent.get(message) else { continue };
        let latest = latest.entry(sent.process).or_insert((sent.place, *index));
        if latest.0 > sent.place {
            findings.add(Rule::FifoOrder, &[latest.1, *index], || {
                format!("{message:?} was delivered after a message that its sender sent later")
            });
        } else {
            *latest = (sent.place, *index);
        }
    }
}

/// What a process delivers is the beginning of what the one that delivers most does.
fn total<V: Eq + Debug>(findings: &mut Findings, delivered: &[Vec<Delivered<'_, V>>]) {
    let Some(longest) = delivered.iter().max_by_key(|of_process| of_process.len()) else { return };
    for of_process in delivered {
        let mut both = longest.iter().zip(of_process);
        let differs = both.find(|((_, one, _), (_, other, _))| one != other);
        if let Some(((one, first, _), (other, second, _))) = differs {
            findings.add(Rule::TotalOrder, &[*one, *other], || {
                format!("after the same messages one process delivered {first:?}, another one {second:?}")
            });
        }
    }
}

fn agreement<V: Ord + Debug>(
    findings: &mut Findings,
    sent: &BTreeMap<&V, Sent>,
    delivered: &[Vec<Delivered<'_, V>>],
) {
    // Every message that has to come, and why.
    let mut due: BTreeMap<&V, u32> = BTreeMap::new();
    due.extend(
        sent.iter().filter(|(_, sent)| sent.ok).map(|(message, sent)| (*message, sent.index)),
    );
    for (index, message, _) in delivered.iter().flatten() {
        due.entry(message).or_insert(*index);
    }
    let mut due: Vec<(u32, &V)> = due.into_iter().map(|(message, why)| (why, message)).collect();
    due.sort_unstable_by_key(|(why, _)| *why);
    for (process, of_process) in delivered.iter().enumerate() {
        let came: std::collections::BTreeSet<&V> =
            of_process.iter().map(|(_, it, _)| *it).collect();
        for (why, message) in due.iter().filter(|(_, message)| !came.contains(message)) {
            let last = of_process.last().map(|(index, ..)| *index);
            let operations: Vec<u32> = [*why].into_iter().chain(last).collect();
            findings.add(Rule::Agreement, &operations, || {
                format!("{message:?} never came to the process that delivers as number {process}")
            });
        }
    }
}

/// `broadcast` with a message, and `deliver`, which answers the next message or `nil`.
///
/// # Errors
/// The first operation that is neither, by its index.
pub fn from_raw(raw: &RawHistory) -> Result<Deliveries<Value>, (usize, Misfit)> {
    raw.translate(|call: &RawCall, outcome| match &*call.function {
        "broadcast" => {
            let sent = outcome.map(|_| BroadcastReply::Sent);
            Ok((BroadcastCall::Broadcast(call.value.clone()), sent))
        }
        "deliver" => {
            let came = outcome.map(|message| match message {
                Value::Nil => BroadcastReply::Nothing,
                message => BroadcastReply::Delivered(message.clone()),
            });
            Ok((BroadcastCall::Deliver, came))
        }
        _ => Err(Misfit::function("broadcast, deliver", call)),
    })
}
