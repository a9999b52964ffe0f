//! The decider that follows a plan.

use alloc::vec;
use alloc::vec::Vec;

use bizarro_kernel::seams::Decider;
use bizarro_record::{Effect, ExchangeId, Injection, Plan, Schedule, Step};

use crate::draw::SplitMix64;

/// What a stream of draws is for. A run that loses one more packet still draws the same latencies.
#[derive(Clone, Copy)]
enum Purpose {
    Schedule = 1,
    Latency = 2,
    Loss = 3,
    Guest = 4,
}

/// Answers every choice of a run from its [`Plan`].
///
/// - *Scheduling.* [`Schedule::Fair`] takes the head of the queue and never preempts.
///   [`Schedule::Random`] draws the task, and preempts at one system call in 4, 8, 16, … or 512: the
///   rate is itself drawn from the seed, because a bug that needs one rare preemption and a bug that
///   needs many are found at different rates (Groce et al., *Swarm Testing*, ISSTA 2012).
/// - *Draws.* Scheduling, latency, loss and what the guest sees as random have a stream each, so that
///   a fault which changes the number of draws of one kind does not shift the others.
/// - *Faults.* Each injection of the plan strikes once, at its exchange and step.
#[derive(Clone, Debug)]
pub struct PlanDecider {
    schedule: Schedule,
    preempt_ppm: u32,
    tasks: SplitMix64,
    latency: SplitMix64,
    loss: SplitMix64,
    guest: SplitMix64,
    injections: Vec<Injection>,
    struck: Vec<bool>,
}

impl PlanDecider {
    /// A decider at the beginning of the run that `plan` describes.
    pub fn new(plan: &Plan) -> PlanDecider {
        let stream = |purpose: Purpose| SplitMix64::stream(plan.seed, purpose as u64);
        let mut tasks = stream(Purpose::Schedule);
        PlanDecider {
            schedule: plan.schedule,
            preempt_ppm: 1_000_000 >> tasks.within(2, 9),
            tasks,
            latency: stream(Purpose::Latency),
            loss: stream(Purpose::Loss),
            guest: stream(Purpose::Guest),
            struck: vec![false; plan.injections.len()],
            injections: plan.injections.clone(),
        }
    }

    /// The injections that have not struck, in the plan's order.
    pub fn pending(&self) -> impl Iterator<Item = &Injection> {
        self.injections.iter().zip(&self.struck).filter(|(_, struck)| !**struck).map(|(i, _)| i)
    }
}

impl Decider for PlanDecider {
    fn next_task(&mut self, runnable: usize) -> usize {
        match self.schedule {
            Schedule::Fair => 0,
            Schedule::Random => {
                let last = (runnable as u64).saturating_sub(1);
                self.tasks.within(0, last) as usize
            }
        }
    }

    fn preempt(&mut self) -> bool {
        match self.schedule {
            Schedule::Fair => false,
            Schedule::Random => self.tasks.chance(self.preempt_ppm),
        }
    }

    fn random(&mut self) -> u64 {
        self.guest.bits()
    }

    fn within(&mut self, low: u64, high: u64) -> u64 {
        self.latency.within(low, high)
    }

    fn chance(&mut self, ppm: u32) -> bool {
        self.loss.chance(ppm)
    }

    fn fault(&mut self, exchange: &ExchangeId, step: Step) -> Option<Effect> {
        let index = self
            .injections
            .iter()
            .zip(&self.struck)
            .position(|(i, struck)| !struck && i.step == step && i.at == *exchange)?;
        self.struck[index] = true;
        Some(self.injections[index].effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn decider(plan: &str) -> PlanDecider {
        PlanDecider::new(&plan.parse().unwrap())
    }

    fn exchange(text: &str) -> ExchangeId {
        text.parse().unwrap()
    }

    #[test]
    fn a_fair_schedule_takes_the_head_of_the_queue_and_never_preempts() {
        let mut decider = decider("seed=5");
        assert!((2..100).all(|runnable| decider.next_task(runnable) == 0));
        assert!((0..10_000).all(|_| !decider.preempt()));
    }

    #[test]
    fn a_random_schedule_reaches_every_task_and_preempts() {
        let mut decider = decider("seed=5; random");
        let mut reached = [false; 7];
        for _ in 0..1_000 {
            reached[decider.next_task(7)] = true;
        }
        assert_eq!(reached, [true; 7]);
        let preempted = (0..10_000).filter(|_| decider.preempt()).count();
        assert!((1..5_000).contains(&preempted), "{preempted}");
    }

    #[test]
    fn seeds_preempt_at_different_rates() {
        let rates: alloc::collections::BTreeSet<u32> = (0..64)
            .map(|seed| {
                PlanDecider::new(&Plan { seed, schedule: Schedule::Random, injections: vec![] })
                    .preempt_ppm
            })
            .collect();
        assert_eq!(rates.len(), 8, "{rates:?}");
        assert_eq!((rates.first(), rates.last()), (Some(&1_953), Some(&250_000)));
    }

    #[test]
    fn an_injection_strikes_once_and_only_where_it_is_aimed() {
        let mut decider = decider("a>b GET / #2 deliver-reply=lost");
        assert_eq!(decider.fault(&exchange("a>b GET / #1"), Step::DeliverReply), None);
        assert_eq!(decider.fault(&exchange("a>b GET / #2"), Step::DeliverRequest), None);
        assert_eq!(decider.fault(&exchange("b>a GET / #2"), Step::DeliverReply), None);
        assert_eq!(decider.pending().count(), 1);
        let aimed = exchange("a>b GET / #2");
        assert_eq!(decider.fault(&aimed, Step::DeliverReply), Some(Effect::Lost));
        assert_eq!(decider.fault(&aimed, Step::DeliverReply), None);
        assert_eq!(decider.pending().count(), 0);
    }

    #[test]
    fn what_has_not_struck_is_named() {
        let mut decider = decider("a>b x #1 update-server=pause; a>b y #1 post-reply=reset");
        decider.fault(&exchange("a>b x #1"), Step::UpdateServer);
        let pending: Vec<_> = decider.pending().map(ToString::to_string).collect();
        assert_eq!(pending, ["a>b y #1 post-reply=reset"]);
    }

    /// A question to a decider.
    #[derive(Clone, Copy, Debug)]
    enum Ask {
        Task,
        Preempt,
        Random,
        Within,
        Chance,
    }

    fn answer(decider: &mut PlanDecider, ask: Ask) -> u64 {
        match ask {
            Ask::Task => decider.next_task(1 << 20) as u64,
            Ask::Preempt => u64::from(decider.preempt()),
            Ask::Random => decider.random(),
            Ask::Within => decider.within(0, u64::MAX),
            Ask::Chance => u64::from(decider.chance(500_000)),
        }
    }

    /// Scheduling is one stream with two questions; every other question has its own.
    fn stream_of(ask: Ask) -> u8 {
        match ask {
            Ask::Task | Ask::Preempt => 0,
            Ask::Random => 1,
            Ask::Within => 2,
            Ask::Chance => 3,
        }
    }

    fn asks() -> impl Strategy<Value = Vec<Ask>> {
        let one = prop_oneof![
            Just(Ask::Task),
            Just(Ask::Preempt),
            Just(Ask::Random),
            Just(Ask::Within),
            Just(Ask::Chance)
        ];
        proptest::collection::vec(one, 0..60)
    }

    proptest! {
        #[test]
        fn equal_plans_give_equal_answers(seed: u64, asks in asks()) {
            let plan = Plan { seed, schedule: Schedule::Random, injections: vec![] };
            let (mut a, mut b) = (PlanDecider::new(&plan), PlanDecider::new(&plan));
            for ask in asks {
                prop_assert_eq!(answer(&mut a, ask), answer(&mut b, ask));
            }
        }

        #[test]
        fn a_stream_does_not_notice_the_others(seed: u64, asks in asks(), stream in 0u8..4) {
            let plan = Plan { seed, schedule: Schedule::Random, injections: vec![] };
            let (mut all, mut alone) = (PlanDecider::new(&plan), PlanDecider::new(&plan));
            for ask in asks {
                let mixed = answer(&mut all, ask);
                if stream_of(ask) == stream {
                    prop_assert_eq!(mixed, answer(&mut alone, ask));
                }
            }
        }
    }
}
