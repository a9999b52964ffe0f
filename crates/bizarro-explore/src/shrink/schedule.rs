//! Fewest deviations from the fair schedule.

use bizarro_record::{Deviation, Plan, Schedule};

use super::{Shrinker, Stop};

/// How few deviations are aimed anew.
const AIMED_MAX: usize = 2;
/// At how many calls or turns close by, and at how many of the first.
const AIMS: u32 = 16;

/// Which call or turn it is at.
fn count(deviation: &mut Deviation) -> &mut u32 {
    match deviation {
        Deviation::Preempt { call, .. } => call,
        Deviation::Pass { turn, .. } => turn,
    }
}

impl Shrinker<'_> {
    /// None at all; else no more than up to the last one that matters, and of these as few as possible.
    pub(super) fn simplest_schedule(&mut self) -> Result<(), Stop> {
        let is_fair = |plan: &Plan| plan.schedule == Schedule::Fair && plan.deviations.is_empty();
        if is_fair(self.plan())
            || self.attempt_with(|plan| {
                plan.schedule = Schedule::Fair;
                plan.deviations = vec![];
            })?
        {
            return Ok(());
        }
        self.drop_idle()?;
        self.cut_end()?;
        let mut chunk = self.plan().deviations.len().div_ceil(2).max(1);
        loop {
            self.drop_chunks(chunk)?;
            if chunk == 1 {
                return Ok(());
            }
            chunk = chunk.min(self.plan().deviations.len()).div_ceil(2).max(1);
        }
    }

    /// Where few deviations are left beside faults, looks whether they are enough without any, a little or much earlier:
    /// faults make a program do things again, and so do its tasks come to a race a second time.
    pub(super) fn deviations_alone(&mut self) -> Result<(), Stop> {
        if self.plan().injections.is_empty() || self.plan().deviations.len() > AIMED_MAX {
            return Ok(());
        }
        for index in 0..self.plan().deviations.len() {
            let now = count(&mut self.plan().deviations[index].clone()).to_owned();
            let near = (now.saturating_sub(AIMS).max(1)..now).rev();
            for earlier in near.chain(1..now.min(AIMS + 1)) {
                let is_enough = self.attempt_with(|plan| {
                    plan.injections = vec![];
                    *count(&mut plan.deviations[index]) = earlier;
                })?;
                if is_enough {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Deviations that did not come to pass changed nothing.
    fn drop_idle(&mut self) -> Result<(), Stop> {
        let Some(happened) = self.best.0.deviations.clone() else { return Ok(()) };
        if happened.len() < self.plan().deviations.len() {
            self.attempt_with(|plan| plan.deviations = happened)?;
        }
        Ok(())
    }

    /// Looks for a short beginning of the list that is enough. What comes later moves nothing before it.
    fn cut_end(&mut self) -> Result<(), Stop> {
        let all = self.plan().deviations.clone();
        let (mut too_few, mut enough) = (0, all.len());
        while too_few + 1 < enough {
            let middle = usize::midpoint(too_few, enough);
            match self.attempt_with(|plan| plan.deviations = all[..middle].to_vec())? {
                true => enough = middle,
                false => too_few = middle,
            }
        }
        Ok(())
    }

    /// Takes away stretches of the list, from its end on.
    fn drop_chunks(&mut self, chunk: usize) -> Result<(), Stop> {
        let mut end = self.plan().deviations.len();
        while end > 0 {
            let start = end.saturating_sub(chunk);
            if self.attempt_with(|plan| drop(plan.deviations.drain(start..end)))? {
                self.drop_idle()?;
            }
            end = start.min(self.plan().deviations.len());
        }
        Ok(())
    }
}
