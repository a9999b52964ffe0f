//! Fewest faults, and the earliest ones.

use bizarro_record::{Injection, Lasting};

use super::{Shrinker, Stop};

/// Faults that are aimed anew one by one, when another one is taken away.
const AIMED_MAX: usize = 4;
/// How many earlier exchanges of its name a fault is aimed at.
const AIMS: u32 = 8;

impl Shrinker<'_> {
    pub(super) fn fewest_faults(&mut self) -> Result<(), Stop> {
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
