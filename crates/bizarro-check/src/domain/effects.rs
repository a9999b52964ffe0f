//! Requests that take effect at most once, at least once, or exactly once, however often they are sent.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{Findings, Rule, done, may_have_happened};
use crate::history::{History, RawCall, RawHistory, Value};
use crate::model::Misfit;

/// What is asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EffectCall<V> {
    /// Have the effect that goes by this name. The same may be asked again, to be sure.
    Request(V),
    /// Which effects were there?
    Read,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EffectReply<V> {
    /// It was done; perhaps before.
    Done,
    /// The names of all effects, one for each time that it was had.
    Effects(Vec<V>),
}

/// What is promised of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Delivery {
    /// It takes effect once or never.
    AtMostOnce,
    /// Where it was answered, it has taken effect; perhaps more than once.
    AtLeastOnce,
    /// Where it was answered, it has taken effect once; otherwise once or never.
    #[default]
    ExactlyOnce,
}

/// A history of requests and of looks at their effects.
pub type Requests<V> = History<EffectCall<V>, EffectReply<V>>;

/// Every read shows the effects that were asked for as often as is promised, and none that was not.
pub fn effects<V: Ord + Debug>(history: &Requests<V>, promise: Delivery) -> Findings {
    let mut findings = Findings::default();
    let (mut asked, answered) = asked(history);
    // Which effects the latest read shows, by the number of that read.
    let mut reads = 0;
    for it in done(history) {
        let EffectReply::Effects(shown) = it.reply else { continue };
        reads += 1;
        for name in shown {
            let Some(request) = asked.get_mut(name).filter(|asked| asked.invoked < it.ended) else {
                findings.add(Rule::NoCreation, &[it.index], || {
                    format!("{name:?} took effect, and nobody had asked for it")
                });
                continue;
            };
            if request.shown_by == reads && promise != Delivery::AtLeastOnce {
                let request = request.index;
                findings.add(Rule::AtMostOnce, &[request, it.index], || {
                    format!("{name:?} took effect more than once")
                });
            }
            request.shown_by = reads;
        }
        if promise == Delivery::AtMostOnce {
            continue;
        }
        // Those that were answered before the read began.
        for (_, name, index) in answered.iter().take_while(|(ended, ..)| *ended < it.invoked) {
            if asked.get(name).is_some_and(|request| request.shown_by != reads) {
                findings.add(Rule::AtLeastOnce, &[*index, it.index], || {
                    format!("{name:?} was answered, and took no effect")
                });
            }
        }
    }
    findings
}

/// The first request for an effect.
struct Request {
    index: u32,
    invoked: u32,
    /// The number of the last read that showed it.
    shown_by: u32,
}

/// When a request was answered first, its name, and the request's index.
type Answered<'h, V> = (u32, &'h V, u32);

fn asked<V: Ord>(history: &Requests<V>) -> (BTreeMap<&V, Request>, Vec<Answered<'_, V>>) {
    let (mut asked, mut answered) = (BTreeMap::new(), BTreeMap::<&V, (u32, u32)>::new());
    for (index, it) in history.operations().iter().enumerate() {
        let (EffectCall::Request(name), true) = (&it.call, may_have_happened(it)) else { continue };
        let (index, invoked) = (index as u32, it.invoked.position);
        asked.entry(name).or_insert(Request { index, invoked, shown_by: 0 });
        if let (Some(_), Some(ended)) = (it.outcome.reply(), it.ended) {
            let this = (ended.position, index);
            let first = answered.entry(name).or_insert(this);
            *first = this.min(*first);
        }
    }
    let mut answered: Vec<Answered<'_, V>> =
        answered.into_iter().map(|(name, (ended, index))| (ended, name, index)).collect();
    answered.sort_unstable_by_key(|(ended, ..)| *ended);
    (asked, answered)
}

/// `request` with a name, and `read`, which answers a list of names.
///
/// # Errors
/// The first operation that is neither, by its index.
pub fn from_raw(raw: &RawHistory) -> Result<Requests<Value>, (usize, Misfit)> {
    raw.translate(|call: &RawCall, outcome| match &*call.function {
        "request" => {
            let done = outcome.map(|_| EffectReply::Done);
            Ok((EffectCall::Request(call.value.clone()), done))
        }
        "read" => {
            let shown = crate::model::raw::reply(outcome, |value| {
                crate::model::raw::list(value).map(EffectReply::Effects)
            })?;
            Ok((EffectCall::Read, shown))
        }
        _ => Err(Misfit::function("request, read", call)),
    })
}
