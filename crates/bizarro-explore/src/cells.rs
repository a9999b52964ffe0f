//! The cells of the matrix: which faults there are to try, and which need no run.

use bizarro_fault::SystemModel;
use bizarro_record::{Effect, Exchange, ExchangeId, Lasting, Step};
use serde::{Deserialize, Serialize};

use crate::measure::Impact;
use crate::verdict::{Outcome, Verdict};

/// One step of one exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The step.
    pub step: Step,
    /// What became of each effect that the step can suffer, in the order of [`Effect::of`]; then of the sticky ones.
    pub variants: Vec<Variant>,
}

impl Cell {
    /// The worst outcome of its variants.
    pub fn outcome(&self) -> Outcome {
        let outcomes = self.variants.iter().map(|variant| variant.verdict.outcome);
        outcomes.max().unwrap_or(Outcome::NotApplicable)
    }
}

/// One effect at one step of one exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Variant {
    /// The effect.
    pub effect: Effect,
    /// Whether it strikes once or at every attempt.
    pub lasting: Lasting,
    /// The verdict of its run, or what is known without one.
    pub verdict: Verdict,
    /// What the fault did, in numbers, where it was run.
    pub impact: Option<Impact>,
    /// Why there was no run; absent where there was one.
    pub skip: Option<Skip>,
}

/// Why a fault was not tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// The system model excludes the effect.
    OutsideModel,
    /// The baseline's exchange never came to this step, and until the fault strikes every run is the
    /// baseline.
    NotReached,
    /// It is the first request of its name: there is no older one.
    NothingOlder,
    /// The reply is none of HTTP that says success.
    NoSuccess,
    /// There was no second attempt that it could have struck: the run is that of the fault that strikes once, whose
    /// verdict this is.
    SameAsOnce,
    /// The host writes nothing to its disk at this step.
    NoDiskWrite,
    /// The exploration was interrupted before this run.
    Interrupted,
}

/// The cells of one exchange, with what is known before any run. Where `skip` is absent the verdict
/// waits for a run.
pub(crate) fn cells(
    exchange: &Exchange,
    model: SystemModel,
    lasting: &'static [Lasting],
) -> impl Iterator<Item = Cell> {
    Step::ALL.into_iter().map(move |step| {
        let effects = effects(exchange, step);
        let variants = lasting.iter().flat_map(|lasting| {
            effects.iter().map(|effect| {
                let skip = skip(exchange, step, *effect, model);
                let outcome = Outcome::NotApplicable;
                let verdict = Verdict { outcome, ..Verdict::held() };
                Variant { effect: *effect, lasting: *lasting, verdict, impact: None, skip }
            })
        });
        Cell { exchange: exchange.id.clone(), step, variants: variants.collect() }
    })
}

/// Places between two system calls of a handler at which a crash is tried; of more, so many at equal distances.
const CRASHES_MAX: u32 = 32;

/// What to try at a step: each effect, and a crash between every two system calls of the handler. A crash before the
/// call that sends the reply is the crash of the next step.
fn effects(exchange: &Exchange, step: Step) -> Vec<Effect> {
    let between = exchange.server_calls.saturating_sub(1);
    let tried = between.min(CRASHES_MAX);
    let nth = |n: u32| (u64::from(n) * u64::from(between) / u64::from(tried)) as u32;
    let each = |effect: &Effect| match effect {
        Effect::CrashAt(_) => (1..=tried).map(|n| Effect::CrashAt(nth(n))).collect(),
        other => vec![*other],
    };
    Effect::of(step).iter().flat_map(each).collect()
}

/// Marks a fault whose run was not made.
pub(crate) fn interrupt(variant: &mut Variant) {
    variant.skip = Some(Skip::Interrupted);
    variant.verdict.outcome = Outcome::Inconclusive;
    variant.verdict.doubts = vec!["the exploration was interrupted before this run".to_string()];
}

/// Gives a sticky fault the verdict of the one that strikes once.
pub(crate) fn same_as_once(sticky: &mut Variant, once: &Variant) {
    sticky.skip = Some(Skip::SameAsOnce);
    sticky.verdict = once.verdict.clone();
    sticky.impact = once.impact;
}

fn skip(exchange: &Exchange, step: Step, effect: Effect, model: SystemModel) -> Option<Skip> {
    if !model.allows(effect) {
        return Some(Skip::OutsideModel);
    }
    let (reached, disk_writes) = match step {
        // A request that is on its way can be lost or damaged even where the run ended before it
        // arrived: these steps are decided while it is being sent.
        Step::PostRequest | Step::DeliverRequest | Step::ValidateRequest => (true, 0),
        Step::UpdateServer => (exchange.delivered.is_some(), exchange.server_disk_writes),
        Step::PostReply => (exchange.replied.is_some(), exchange.server_disk_writes),
        Step::DeliverReply | Step::ValidateReply => (exchange.replied.is_some(), 0),
        Step::UpdateClient => (exchange.completed.is_some(), exchange.client_disk_writes),
    };
    let needs_disk = matches!(effect, Effect::DiskFull | Effect::IoError | Effect::PowerOff);
    if !reached {
        Some(Skip::NotReached)
    } else if needs_disk && disk_writes == 0 {
        Some(Skip::NoDiskWrite)
    } else if effect == Effect::Older && exchange.id.ordinal == 1 {
        Some(Skip::NothingOlder)
    } else if effect == Effect::ErrorBody && exchange.status.is_none_or(|s| s / 100 != 2) {
        Some(Skip::NoSuccess)
    } else {
        None
    }
}
