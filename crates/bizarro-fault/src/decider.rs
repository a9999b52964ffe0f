//! The decider that follows a plan.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bizarro_kernel::seams::{Decider, Queue, Turn};
use bizarro_record::{
    Deviation, Effect, ExchangeId, HEALED_AFTER, Incident, Injection, Lasting, Nanos, Plan,
    RandomFaults, Removal, Step,
};

use crate::draw::SplitMix64;
use crate::schedule::Scheduler;

/// What a stream of draws is for. A run that loses one more packet still draws the same latencies.
#[derive(Clone, Copy)]
enum Purpose {
    Schedule = 1,
    Latency = 2,
    Loss = 3,
    Guest = 4,
    Jitter = 5,
    Fault = 6,
    Survivor = 7,
    Lifetime = 8,
    Disturbance = 20,
}

/// How many faults are drawn in a run. After them the world is left alone, so that it can be asked whether it
/// recovers.
const DRAWN_MAX: u32 = 16;

/// Answers every choice of a run from its [`Plan`].
///
/// - *Scheduling.* See [`Schedule`](bizarro_record::Schedule). It says afterwards where it was
///   not fair ([`Decider::deviations`]), and a plan of these deviations gives the same run.
/// - *Draws.* Scheduling, latency, loss, what the guest sees as random, jitter and drawn faults have a stream each, so
///   that a fault which changes the number of draws of one kind does not shift the others.
/// - *Groups.* A fault between groups strikes by the count of exchanges between them.
/// - *Faults.* Each injection of the plan strikes once, at its exchange and step; a sticky one until it is healed. Of
///   faults that are drawn there are at most 16.
#[derive(Clone, Debug)]
pub struct PlanDecider {
    members: Members,
    scheduler: Scheduler,
    latency: SplitMix64,
    loss: SplitMix64,
    guest: SplitMix64,
    jitter: (u64, SplitMix64),
    drawn: Option<Drawn>,
    survivor: SplitMix64,
    lifetime: SplitMix64,
    incidents: Vec<Incident>,
    disturbance: SplitMix64,
    injections: Vec<Planned>,
    /// Faults that may be added.
    expected: Vec<Planned>,
    removals: Vec<Removal>,
    /// Requests have to be kept, because the plan may strike with older ones.
    keeps_requests: bool,
    /// The plan may strike with power losses.
    may_take_power: bool,
}

/// A fault of the plan and when it struck first.
#[derive(Clone, Debug)]
struct Planned {
    injection: Injection,
    struck: Option<Nanos>,
    /// Of a fault between groups: which exchanges it is meant for.
    groups: Option<BetweenGroups>,
}

impl Planned {
    fn new(injection: &Injection, members: &Members) -> Planned {
        let names_hosts =
            members.is_host(&injection.at.client) && members.is_host(&injection.at.server);
        Planned {
            injection: injection.clone(),
            struck: None,
            groups: (!names_hosts).then(BetweenGroups::default),
        }
    }

    /// Whether it is meant for this step of this exchange.
    fn is_due(&mut self, members: &Members, exchange: &ExchangeId, step: Step) -> bool {
        let is_meant = match &mut self.groups {
            None => self.injection.aims_at(exchange),
            Some(groups) => groups.aims_at(&self.injection, members, exchange, step),
        };
        is_meant && self.injection.step == step
    }

    fn strikes(
        &mut self,
        members: &Members,
        now: Nanos,
        exchange: &ExchangeId,
        step: Step,
    ) -> bool {
        let is_due = self.is_due(members, exchange, step);
        let is_over = match (self.struck, self.injection.lasting) {
            (None, _) => false,
            (Some(_), Lasting::Once) => true,
            (Some(struck), Lasting::Sticky) => now >= struck + HEALED_AFTER,
        };
        is_due && !is_over
    }
}

/// Which exchanges of hosts are the ones that a fault between groups is meant for.
#[derive(Clone, Debug, Default)]
struct BetweenGroups {
    /// Exchanges of the two groups and the name that have begun.
    begun: u32,
    /// The last of them.
    last: Option<ExchangeId>,
    /// Those of them that the fault is meant for.
    meant: BTreeSet<ExchangeId>,
}

impl BetweenGroups {
    /// Counts an exchange when it begins: its first step is asked about before any other. May be asked again at once.
    fn aims_at(
        &mut self,
        injection: &Injection,
        members: &Members,
        exchange: &ExchangeId,
        step: Step,
    ) -> bool {
        let at = &injection.at;
        if step != Step::PostRequest {
            return self.meant.contains(exchange);
        }
        let is_between = at.name == exchange.name
            && members.group_of(&exchange.client) == Some(&at.client)
            && members.group_of(&exchange.server) == Some(&at.server);
        if !is_between {
            return false;
        }
        if self.last.as_ref() == Some(exchange) {
            return self.meant.contains(exchange);
        }
        self.last = Some(exchange.clone());
        self.begun += 1;
        let is_meant = match injection.lasting {
            Lasting::Once => self.begun == at.ordinal,
            Lasting::Sticky => self.begun >= at.ordinal,
        };
        if is_meant {
            self.meant.insert(exchange.clone());
        }
        is_meant
    }
}

/// The hosts by index, each with its group.
#[derive(Clone, Debug)]
struct Members(Vec<(String, String)>);

impl Members {
    fn is_host(&self, name: &str) -> bool {
        self.0.iter().any(|(host, _)| host == name)
    }

    fn group_of(&self, host: &str) -> Option<&String> {
        self.0.iter().find(|(name, _)| name == host).map(|(_, group)| group)
    }

    /// Whether the host of this index is called so, or is in the group that is.
    fn is_meant(&self, index: u16, name: &str) -> bool {
        self.0.get(usize::from(index)).is_some_and(|(host, group)| host == name || group == name)
    }
}

/// Faults that are drawn.
#[derive(Clone, Debug)]
struct Drawn {
    faults: RandomFaults,
    draws: SplitMix64,
    left: u32,
}

impl Drawn {
    fn fault(&mut self, step: Step) -> Option<Effect> {
        let possible = || self.faults.effects.iter().filter(|effect| effect.strikes_at(step));
        let count = possible().count() as u64;
        if self.left == 0 || count == 0 {
            return None;
        }
        if self.draws.within(1, self.faults.one_in.into()) > 1 {
            return None;
        }
        let chosen = self.draws.within(0, count - 1) as usize;
        self.left -= 1;
        match possible().nth(chosen).copied() {
            Some(Effect::CrashAt(last)) => {
                Some(Effect::CrashAt(self.draws.within(1, last.into()) as u32))
            }
            other => other,
        }
    }
}

impl PlanDecider {
    /// A decider at the beginning of the run that `plan` describes, in a world of these hosts, by index, each with the name
    /// of its group: its own where it is in none.
    pub fn new(plan: &Plan, hosts: &[(&str, &str)]) -> PlanDecider {
        let members = |(host, group): &(&str, &str)| (host.to_string(), group.to_string());
        let members = Members(hosts.iter().map(members).collect());
        let hosts: Vec<&str> = hosts.iter().map(|(host, _)| *host).collect();
        let stream = |purpose: Purpose| SplitMix64::stream(plan.seed, purpose as u64);
        let drawn = |faults: &RandomFaults| Drawn {
            faults: faults.clone(),
            draws: stream(Purpose::Fault),
            left: DRAWN_MAX,
        };
        let named = plan.injections.iter().map(|injection| &injection.effect);
        let named = named.chain(plan.faults.iter().flat_map(|faults| &faults.effects));
        PlanDecider {
            scheduler: Scheduler::new(plan, &hosts, stream(Purpose::Schedule)),
            latency: stream(Purpose::Latency),
            loss: stream(Purpose::Loss),
            guest: stream(Purpose::Guest),
            jitter: (plan.jitter.0, stream(Purpose::Jitter)),
            drawn: plan.faults.as_ref().map(drawn),
            survivor: stream(Purpose::Survivor),
            lifetime: stream(Purpose::Lifetime),
            incidents: plan.incidents.clone(),
            disturbance: stream(Purpose::Disturbance),
            injections: plan.injections.iter().map(|fault| Planned::new(fault, &members)).collect(),
            expected: Vec::new(),
            removals: plan.removals.clone(),
            members,
            keeps_requests: named.clone().any(|effect| *effect == Effect::Older),
            may_take_power: named.clone().any(|effect| *effect == Effect::PowerOff),
        }
    }

    /// Keeps what a run needs in which one of these faults strikes besides, from whenever [`PlanDecider::add`] says.
    pub fn expect(&mut self, faults: &[Injection]) {
        self.keeps_requests |= faults.iter().any(|fault| fault.effect == Effect::Older);
        self.may_take_power |= faults.iter().any(|fault| fault.effect == Effect::PowerOff);
        self.expected = faults.iter().map(|fault| Planned::new(fault, &self.members)).collect();
    }

    /// Which of the expected faults have their turn at this step of this exchange, by their places. To be asked once
    /// for each step that is asked about, before [`Decider::fault`]: faults between groups go by the count of exchanges.
    pub fn due(&mut self, exchange: &ExchangeId, step: Step) -> Vec<usize> {
        let members = &self.members;
        let expected = self.expected.iter_mut().enumerate();
        expected
            .filter_map(|(place, fault)| fault.is_due(members, exchange, step).then_some(place))
            .collect()
    }

    /// Goes on as if the expected fault of this place had been the last of the plan from the beginning on. It must not
    /// have had its turn before this one.
    ///
    /// # Panics
    /// Where no fault of this place is expected.
    pub fn add(&mut self, place: usize) {
        self.injections.push(self.expected.swap_remove(place));
        self.expected.clear();
    }

    /// The injections that have not struck, in the plan's order.
    pub fn pending(&self) -> impl Iterator<Item = &Injection> {
        self.injections.iter().filter(|p| p.struck.is_none()).map(|p| &p.injection)
    }
}

impl Decider for PlanDecider {
    fn next_task(&mut self, queue: &dyn Queue) -> usize {
        self.scheduler.next_task(queue)
    }

    #[inline]
    fn preempt(&mut self, running: Turn, queue: &dyn Queue) -> bool {
        self.scheduler.preempt(running, queue)
    }

    fn random(&mut self) -> u64 {
        self.guest.bits()
    }

    fn within(&mut self, low: u64, high: u64) -> u64 {
        self.latency.within(low, high)
    }

    fn latency(&mut self, shortest: u64, longest: u64) -> u64 {
        let usual = self.latency.within(shortest, longest);
        let (longer, draws) = &mut self.jitter;
        usual.saturating_add(draws.within(0, *longer))
    }

    fn chance(&mut self, ppm: u32) -> bool {
        self.loss.chance(ppm)
    }

    fn fault(&mut self, now: Nanos, exchange: &ExchangeId, step: Step) -> Option<Effect> {
        let mut effect = None;
        // Each of them counts the exchanges, whichever of them strikes.
        for planned in &mut self.injections {
            if planned.strikes(&self.members, now, exchange, step) && effect.is_none() {
                planned.struck.get_or_insert(now);
                effect = Some(planned.injection.effect);
            }
        }
        if effect.is_some() {
            return effect;
        }
        self.drawn.as_mut()?.fault(step)
    }

    fn removed(&self, client: u16, server: u16) -> Option<Effect> {
        let is_meant = |removal: &&Removal| {
            self.members.is_meant(client, &removal.client)
                && self.members.is_meant(server, &removal.server)
        };
        self.removals.iter().find(is_meant).map(|removal| removal.effect)
    }

    fn keeps_requests(&self) -> bool {
        self.keeps_requests
    }

    fn may_take_power(&self) -> bool {
        self.may_take_power
    }

    fn incidents(&self) -> Vec<Incident> {
        self.incidents.clone()
    }

    fn lifetime(&mut self, most: u32) -> u32 {
        self.lifetime.within(1, most.into()) as u32
    }

    fn disturbance(&mut self, low: u64, high: u64) -> u64 {
        self.disturbance.within(low, high)
    }

    fn survivor(&mut self, below: u64) -> u64 {
        self.survivor.within(0, below.saturating_sub(1))
    }

    fn deviations(&self) -> Option<Vec<Deviation>> {
        let hosts: Vec<String> = self.members.0.iter().map(|(host, _)| host.clone()).collect();
        self.scheduler.deviations(&hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use bizarro_record::Schedule;
    use proptest::prelude::*;

    const HOSTS: [(&str, &str); 2] = [("a", "a"), ("b", "b")];

    fn decider(plan: &str) -> PlanDecider {
        PlanDecider::new(&plan.parse().unwrap(), &HOSTS)
    }

    fn turn(tid: u32) -> Turn {
        Turn { host: 0, tid, calls: 1, turns: 0 }
    }

    fn queue(tasks: u32) -> Vec<Turn> {
        (0..tasks).map(|n| turn(100 + n)).collect()
    }

    /// Asks whether a task is preempted that nobody stands behind.
    fn preempts(decider: &mut PlanDecider) -> bool {
        decider.preempt(turn(1), &Vec::new())
    }

    fn exchange(text: &str) -> ExchangeId {
        text.parse().unwrap()
    }

    #[test]
    fn a_fair_schedule_takes_the_head_of_the_queue_and_never_preempts() {
        let mut decider = decider("seed=5");
        assert!((2..100).all(|runnable| decider.next_task(&queue(runnable)) == 0));
        assert!((0..10_000).all(|_| !preempts(&mut decider)));
        assert_eq!(decider.deviations(), Some(vec![]));
    }

    #[test]
    fn a_random_schedule_reaches_every_task_and_preempts() {
        let mut decider = decider("seed=5; random");
        let mut reached = [false; 7];
        for _ in 0..1_000 {
            reached[decider.next_task(&queue(7))] = true;
        }
        assert_eq!(reached, [true; 7]);
        let preempted = (0..10_000).filter(|_| preempts(&mut decider)).count();
        assert!((1..5_000).contains(&preempted), "{preempted}");
    }

    #[test]
    fn seeds_preempt_at_different_rates() {
        let preempted = |seed: u64| {
            let mut decider = decider(&alloc::format!("seed={seed}; random"));
            (0..20_000).filter(|_| preempts(&mut decider)).count()
        };
        let counts: Vec<usize> = (1..64).map(preempted).collect();
        // One in 4, 8, 16, … or 512.
        for rate in 2..=9 {
            let expected = 20_000 >> rate;
            let near = |count: &&usize| (expected * 3 / 4..expected * 4 / 3).contains(*count);
            assert!(counts.iter().any(|count| near(&count)), "1 in {}: {counts:?}", 1 << rate);
        }
    }

    /// Makes a thousand calls of three tasks, and gives who made them; a task's turn is over when it is preempted, or
    /// after five calls.
    fn played(decider: &mut PlanDecider) -> Vec<u32> {
        let mut waiting = queue(3);
        let mut order = Vec::new();
        while order.len() < 1_000 {
            let place = if waiting.len() > 1 { decider.next_task(&waiting) } else { 0 };
            let mut running = waiting.remove(place);
            running.turns += 1;
            for _ in 0..5 {
                running.calls += 1;
                if decider.preempt(running, &waiting) {
                    break;
                }
                order.push(running.tid);
            }
            waiting.push(running);
        }
        order
    }

    #[test]
    fn a_schedule_is_the_same_when_its_deviations_are_written_out() {
        for mode in ["random", "pct=1/1000", "pct=4/1000"] {
            for seed in 1..40 {
                let mut drawn = decider(&alloc::format!("seed={seed}; {mode}"));
                let order = played(&mut drawn);
                let deviations = drawn.deviations().unwrap();
                assert!(!deviations.is_empty());
                let plan = Plan { deviations, ..Plan::default() };
                let read: Plan = plan.to_string().parse().unwrap();
                assert_eq!(read, plan);
                let mut written = PlanDecider::new(&read, &HOSTS);
                assert_eq!(played(&mut written), order, "{mode} {seed}");
                assert_eq!(written.deviations(), Some(read.deviations), "{mode} {seed}");
            }
        }
    }

    #[test]
    fn a_deviation_happens_once_and_only_where_it_is_aimed() {
        let mut decider = decider("preempt a/1 #3; pass a/100 #1 for a/102; pass b/9 #1 for b/8");
        let at_call = |calls| Turn { calls, ..turn(1) };
        let preempted: Vec<u32> =
            (1..6).filter(|calls| decider.preempt(at_call(*calls), &queue(1))).collect();
        assert_eq!(preempted, [3]);
        assert_eq!(decider.next_task(&queue(2)), 0);
        assert_eq!(decider.next_task(&queue(3)), 2);
        assert_eq!(decider.next_task(&queue(3)), 0);
        // The third one of the plan never came to pass.
        assert_eq!(decider.deviations().unwrap().len(), 2);
    }

    #[test]
    fn the_highest_priority_runs_until_it_changes() {
        // One ordering constraint: no change, so each task runs to its end (but for PATIENCE).
        let order = played(&mut decider("seed=4; pct=1/1000"));
        assert!(order.iter().all(|tid| *tid == order[0]));
        // Others are first in other runs.
        let first = |seed: u64| played(&mut decider(&alloc::format!("seed={seed}; pct=1/1000")))[0];
        let firsts: BTreeSet<u32> = (1..30).map(first).collect();
        assert_eq!(firsts.len(), 3);
        // Each change lets another task run.
        let order = played(&mut decider("seed=4; pct=3/900"));
        let changes = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(changes, 2);
    }

    #[test]
    fn who_polls_gives_way_in_the_end() {
        let mut decider = decider("seed=1; pct=1/10");
        let waiting = queue(3);
        let place = decider.next_task(&waiting);
        let running = waiting[place];
        let others: Vec<Turn> = waiting.into_iter().filter(|task| *task != running).collect();
        let calls = (0..10_000).take_while(|_| !decider.preempt(running, &others)).count();
        assert_eq!(calls, 1_000);
        assert!(!decider.preempt(others[0], &vec![running]));
    }

    #[test]
    fn an_injection_strikes_once_and_only_where_it_is_aimed() {
        let mut decider = decider("a>b GET / #2 deliver-reply=lost");
        assert_eq!(decider.fault(Nanos::ZERO, &exchange("a>b GET / #1"), Step::DeliverReply), None);
        assert_eq!(
            decider.fault(Nanos::ZERO, &exchange("a>b GET / #2"), Step::DeliverRequest),
            None
        );
        assert_eq!(decider.fault(Nanos::ZERO, &exchange("b>a GET / #2"), Step::DeliverReply), None);
        assert_eq!(decider.pending().count(), 1);
        let aimed = exchange("a>b GET / #2");
        assert_eq!(decider.fault(Nanos::ZERO, &aimed, Step::DeliverReply), Some(Effect::Lost));
        assert_eq!(decider.fault(Nanos::ZERO, &aimed, Step::DeliverReply), None);
        assert_eq!(decider.pending().count(), 0);
    }

    #[test]
    fn what_has_not_struck_is_named() {
        let mut decider = decider("a>b x #1 update-server=pause; a>b y #1 post-reply=reset");
        decider.fault(Nanos::ZERO, &exchange("a>b x #1"), Step::UpdateServer);
        let pending: Vec<_> = decider.pending().map(ToString::to_string).collect();
        assert_eq!(pending, ["a>b y #1 post-reply=reset"]);
    }

    #[test]
    fn a_sticky_fault_strikes_every_later_exchange_until_it_is_healed() {
        let mut decider = decider("a>b GET / #2+ deliver-reply=lost");
        let mut ask = |seconds, text| {
            decider.fault(Nanos::from_secs(seconds), &exchange(text), Step::DeliverReply).is_some()
        };
        assert!(!ask(0, "a>b GET / #1"));
        assert!(ask(1, "a>b GET / #2"));
        assert!(!ask(1, "a>b GET /x #2"));
        assert!(!ask(1, "b>a GET / #2"));
        assert!(ask(30, "a>b GET / #3"));
        assert!(ask(60, "a>b GET / #9"));
        assert!(!ask(61, "a>b GET / #10"));
    }

    #[test]
    fn a_fault_between_groups_counts_the_exchanges_of_all_their_hosts() {
        let hosts = [("c1", "c"), ("c2", "c"), ("d1", "d"), ("d2", "d"), ("e", "e")];
        let decider = |plan: &str| PlanDecider::new(&plan.parse().unwrap(), &hosts);
        let asked = [
            "c1>d1 GET / #1",
            "c2>e GET / #1",
            "c2>d1 GET / #1",
            "c1>d2 GET /x #1",
            "c1>d2 GET / #1",
            "c1>d1 GET / #2",
        ];
        let struck = |plan: &str| -> Vec<&str> {
            let mut decider = decider(plan);
            // Requests first, then all replies.
            let mut ask = |step, at: &&str| {
                decider.fault(Nanos::ZERO, &exchange(at), step) == Some(Effect::Lost)
            };
            assert!(asked.iter().filter(|at| ask(Step::PostRequest, at)).count() == 0);
            asked.into_iter().filter(|at| ask(Step::DeliverReply, at)).collect()
        };
        assert_eq!(struck("c>d GET / #2 deliver-reply=lost"), ["c2>d1 GET / #1"]);
        assert_eq!(
            struck("c>d GET / #3+ deliver-reply=lost"),
            ["c1>d2 GET / #1", "c1>d1 GET / #2"]
        );
        assert_eq!(struck("c>e GET / #1 deliver-reply=lost"), ["c2>e GET / #1"]);
        assert_eq!(struck("c1>d1 GET / #2 deliver-reply=lost"), ["c1>d1 GET / #2"]);
        // Both strike, though the first of them is asked first each time.
        let both = "c>d GET / #1 deliver-reply=lost; c>d GET / #3 deliver-reply=lost";
        assert_eq!(struck(both), ["c1>d1 GET / #1", "c1>d2 GET / #1"]);
    }

    #[test]
    fn a_fault_that_is_added_when_it_has_its_turn_strikes_as_if_it_had_been_there() {
        let hosts = [("c1", "c"), ("c2", "c"), ("d", "d")];
        let asked = ["c1>d GET / #1", "c2>d GET / #1", "c2>d GET / #2", "c1>d GET / #2"];
        for fault in [
            "c>d GET / #1 post-request=reset",
            "c>d GET / #3 post-request=reset",
            "c>d GET / #2 deliver-reply=lost",
            "c>d GET / #2+ deliver-reply=lost",
            "c2>d GET / #2 deliver-reply=lost",
            "c2>d GET / #1+ post-request=reset",
        ] {
            let mut planned = PlanDecider::new(&fault.parse().unwrap(), &hosts);
            let mut added = PlanDecider::new(&Plan::default(), &hosts);
            // Beside another one, which is never added.
            let other = "c>d GET / #4 deliver-request=lost";
            added.expect(&[other, fault].map(|fault| fault.parse().unwrap()));
            let mut is_there = false;
            for at in asked {
                for step in Step::ALL {
                    let at = exchange(at);
                    if !is_there && added.due(&at, step).contains(&1) {
                        added.add(1);
                        is_there = true;
                    }
                    let now = Nanos::ZERO;
                    assert_eq!(
                        added.fault(now, &at, step),
                        planned.fault(now, &at, step),
                        "{fault}"
                    );
                }
            }
            assert!(is_there, "{fault}");
        }
    }

    #[test]
    fn a_removal_is_of_one_direction_and_of_all_hosts_of_a_group() {
        let hosts = [("c1", "c"), ("c2", "c"), ("d", "d")];
        let removed = |plan: &str, client, server| {
            PlanDecider::new(&plan.parse().unwrap(), &hosts).removed(client, server)
        };
        let one = "c1>d removed=refused";
        assert_eq!(removed(one, 0, 2), Some(Effect::Refused));
        assert_eq!([removed(one, 2, 0), removed(one, 1, 2)], [None, None]);
        let group = "c>d removed=partition";
        assert_eq!([0, 1].map(|client| removed(group, client, 2)), [Some(Effect::Partition); 2]);
        assert_eq!(removed(group, 2, 1), None);
        assert_eq!(removed("baseline", 0, 2), None);
    }

    #[test]
    fn drawn_faults_are_of_the_kinds_that_are_on_as_often_as_said_and_come_to_an_end() {
        let mut rates = Vec::new();
        for seed in 0..200u64 {
            let mut decider = decider(&alloc::format!("seed={seed}; faults=1/10 crash,lost"));
            let mut struck = 0;
            for n in 1..=1000 {
                let at = exchange(&alloc::format!("a>b GET / #{n}"));
                for step in Step::ALL {
                    let effect = decider.fault(Nanos::ZERO, &at, step);
                    struck += u32::from(effect.is_some());
                    assert!(effect.is_none_or(|e| e.strikes_at(step)));
                    assert!(matches!(effect, None | Some(Effect::Crash | Effect::Lost)));
                }
                if n == 10 {
                    rates.push(struck);
                }
            }
            assert_eq!(struck, DRAWN_MAX);
        }
        // 10 exchanges have 50 steps that can suffer one of the two.
        let mean = rates.iter().sum::<u32>() as f64 / rates.len() as f64;
        assert!((4.5..5.5).contains(&mean), "{mean}");
    }

    #[test]
    fn jitter_makes_packets_later_and_moves_no_other_draw() {
        let (mut plain, mut late) = (decider("seed=3"), decider("seed=3; jitter=1ms"));
        let mut longest = 0;
        for _ in 0..1_000 {
            let longer = late.latency(400, 600) - plain.latency(400, 600);
            longest = longest.max(longer);
            assert_eq!(late.random(), plain.random());
        }
        assert!((990_000..=1_000_000).contains(&longest), "{longest}");
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
            Ask::Task => decider.next_task(&queue(100)) as u64,
            Ask::Preempt => u64::from(preempts(decider)),
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
            let plan = Plan { seed, schedule: Schedule::Random, ..Plan::default() };
            let (mut a, mut b) = (PlanDecider::new(&plan, &HOSTS), PlanDecider::new(&plan, &HOSTS));
            for ask in asks {
                prop_assert_eq!(answer(&mut a, ask), answer(&mut b, ask));
            }
        }

        #[test]
        fn a_stream_does_not_notice_the_others(seed: u64, asks in asks(), stream in 0u8..4) {
            let plan = Plan { seed, schedule: Schedule::Random, ..Plan::default() };
            let (mut all, mut alone) = (PlanDecider::new(&plan, &HOSTS), PlanDecider::new(&plan, &HOSTS));
            for ask in asks {
                let mixed = answer(&mut all, ask);
                if stream_of(ask) == stream {
                    prop_assert_eq!(mixed, answer(&mut alone, ask));
                }
            }
        }
    }
}
