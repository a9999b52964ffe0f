//! Fewest faults, and the earliest ones.

use bizarro_record::{Effect, Injection, Lasting, Moment, Nanos, Step};

use super::{Shrinker, Stop};

/// Faults that are aimed anew one by one, when another one is taken away.
const AIMED_MAX: usize = 4;
/// How many earlier exchanges of its name a fault is aimed at.
const AIMS: u32 = 8;
/// Seeds from which damage is drawn anew.
const DRAWS: u64 = 16;
/// Faults that others are replaced by: the request acted, or did not, and the client does not know.
const PLAIN: [(Step, Effect); 5] = [
    (Step::DeliverReply, Effect::Lost),
    (Step::PostReply, Effect::Reset),
    (Step::DeliverRequest, Effect::Lost),
    (Step::PostRequest, Effect::Reset),
    (Step::UpdateServer, Effect::Crash),
];

impl Shrinker<'_> {
    pub(super) fn fewest_faults(&mut self) -> Result<(), Stop> {
        self.fewest_others()?;
        self.fewest_injections()?;
        self.plainest_incidents()
    }

    /// Takes away incidents and missing dependencies: all of them, or one by one.
    fn fewest_others(&mut self) -> Result<(), Stop> {
        let plan = self.plan();
        if plan.incidents.is_empty() && plan.removals.is_empty() {
            return Ok(());
        }
        if self.attempt_with(|plan| {
            plan.incidents.clear();
            plan.removals.clear();
        })? {
            return Ok(());
        }
        for index in (0..self.plan().incidents.len()).rev() {
            self.attempt_with(|plan| drop(plan.incidents.remove(index)))?;
        }
        for index in (0..self.plan().removals.len()).rev() {
            self.attempt_with(|plan| drop(plan.removals.remove(index)))?;
        }
        Ok(())
    }

    /// Has incidents last as long as their kinds do by themselves, and begin at whole seconds.
    fn plainest_incidents(&mut self) -> Result<(), Stop> {
        const SECOND: u64 = 1_000_000_000;
        for index in 0..self.plan().incidents.len() {
            if self.plan().incidents[index].end.is_some() {
                self.attempt_with(|plan| plan.incidents[index].end = None)?;
            }
            if let Moment::Time(Nanos(at)) = self.plan().incidents[index].moment
                && !at.is_multiple_of(SECOND)
            {
                let _ = self.attempt_with(|plan| {
                    plan.incidents[index].moment = Moment::Time(Nanos(at / SECOND * SECOND));
                })? || self.attempt_with(|plan| {
                    plan.incidents[index].moment =
                        Moment::Time(Nanos(at.div_ceil(SECOND) * SECOND));
                })?;
            }
        }
        Ok(())
    }

    fn fewest_injections(&mut self) -> Result<(), Stop> {
        if self.plan().injections.is_empty()
            || self.attempt_with(|plan| plan.injections = vec![])?
        {
            return Ok(());
        }
        if self.plan().injections.len() > 1 && self.one_of_them()? {
            return self.transient();
        }
        let mut chunk = self.plan().injections.len() / 2;
        while chunk > 1 {
            self.drop_faults(chunk)?;
            chunk /= 2;
        }
        while self.drop_one()? {}
        self.one_aimed_anew()?;
        self.one_drawn_anew()?;
        self.transient()
    }

    /// Tries each fault alone.
    fn one_of_them(&mut self) -> Result<bool, Stop> {
        for fault in self.plan().injections.clone() {
            if self.attempt_with(|plan| plan.injections = vec![fault])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tries each fault alone at the other exchanges of its name.
    fn one_aimed_anew(&mut self) -> Result<(), Stop> {
        let faults = self.plan().injections.clone();
        if faults.len() < 2 {
            return Ok(());
        }
        for fault in faults {
            for ordinal in 1..=AIMS {
                let aimed = aim(&fault, ordinal);
                if self.attempt_with(|plan| plan.injections = vec![aimed])? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn drop_faults(&mut self, chunk: usize) -> Result<(), Stop> {
        let mut end = self.plan().injections.len();
        while end > 0 {
            let start = end.saturating_sub(chunk);
            self.attempt_with(|plan| drop(plan.injections.drain(start..end)))?;
            end = start.min(self.plan().injections.len());
        }
        Ok(())
    }

    /// Takes one fault away; says whether it could.
    fn drop_one(&mut self) -> Result<bool, Stop> {
        let faults = self.plan().injections.clone();
        if faults.len() < 2 {
            return Ok(false);
        }
        for gone in (0..faults.len()).rev() {
            let mut rest = faults.clone();
            let gone = rest.remove(gone);
            if self.attempt_with(|plan| plan.injections = rest.clone())?
                || self.attempt_with(|plan| plan.injections = closed_up(&gone, &rest))?
                || self.drop_and_aim(&rest)?
                || self.drop_and_replace(&gone, &rest)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Aims one of the faults that are left at an earlier exchange.
    fn drop_and_aim(&mut self, rest: &[Injection]) -> Result<bool, Stop> {
        if rest.len() > AIMED_MAX {
            return Ok(false);
        }
        for (index, fault) in rest.iter().enumerate() {
            let first = fault.at.ordinal.saturating_sub(AIMS).max(1);
            for ordinal in (first..fault.at.ordinal).rev() {
                let mut aimed = rest.to_vec();
                aimed[index] = aim(fault, ordinal);
                if self.attempt_with(|plan| plan.injections = aimed)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Puts a plain fault of the same exchange in the place of one that is left: a run may do with fewer faults of other
    /// kinds than those that were drawn.
    fn drop_and_replace(&mut self, gone: &Injection, rest: &[Injection]) -> Result<bool, Stop> {
        if rest.len() > AIMED_MAX {
            return Ok(false);
        }
        for rest in [rest.to_vec(), closed_up(gone, rest)] {
            for index in 0..rest.len() {
                for (step, effect) in PLAIN {
                    if !self.model.allows(effect) {
                        continue;
                    }
                    let mut replaced = rest.clone();
                    replaced[index] = Injection::once(rest[index].at.clone(), step, effect);
                    if self.attempt_with(|plan| plan.injections = replaced)? {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// What damage does depends on which bits it strikes, and these are drawn: looks whether other draws of one of the
    /// faults are enough alone, or a single bit, at the first exchange of its name or where it is.
    fn one_drawn_anew(&mut self) -> Result<(), Stop> {
        let is_drawn =
            |fault: &Injection| matches!(fault.effect, Effect::BitFlip | Effect::Garbage);
        let faults = self.plan().injections.clone();
        if faults.len() < 2 {
            return Ok(());
        }
        for fault in faults.into_iter().filter(is_drawn) {
            for ordinal in [1, fault.at.ordinal] {
                for (seed, effect) in (0..DRAWS)
                    .flat_map(|seed| [Effect::BitFlip, fault.effect].map(|effect| (seed, effect)))
                {
                    let aimed = Injection { effect, ..aim(&fault, ordinal) };
                    let is_enough = self.attempt_with(|plan| {
                        plan.seed = seed;
                        plan.injections = vec![aimed];
                    })?;
                    if is_enough {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// A fault that strikes once is simpler than a sticky one.
    fn transient(&mut self) -> Result<(), Stop> {
        for index in 0..self.plan().injections.len() {
            if self.plan().injections[index].lasting == Lasting::Sticky {
                self.attempt_with(|plan| plan.injections[index].lasting = Lasting::Once)?;
            }
        }
        Ok(())
    }

    /// Aims each fault at the earliest exchange of its name at which it does the same.
    pub(super) fn earliest_faults(&mut self) -> Result<(), Stop> {
        for index in 0..self.plan().injections.len() {
            let fault = self.plan().injections[index].clone();
            for ordinal in 1..fault.at.ordinal.min(AIMS + 1) {
                if self.attempt_with(|plan| plan.injections[index] = aim(&fault, ordinal))? {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn aim(fault: &Injection, ordinal: u32) -> Injection {
    let mut aimed = fault.clone();
    aimed.at.ordinal = ordinal;
    aimed
}

/// Without `gone` there is no retry of what it struck: later faults of its name strike one exchange earlier.
fn closed_up(gone: &Injection, rest: &[Injection]) -> Vec<Injection> {
    let mut rest = rest.to_vec();
    for fault in &mut rest {
        let (at, other) = (&mut fault.at, &gone.at);
        let same =
            (&at.client, &at.server, &at.name) == (&other.client, &other.server, &other.name);
        if same && at.ordinal > other.ordinal {
            at.ordinal -= 1;
        }
    }
    rest
}
