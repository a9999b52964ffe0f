//! Promises that are judged when a run is over, in the process that asked for the run.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use bizarro_explore::last_fault_over;
use bizarro_record::{Ending, Nanos, Property, PropertyKind, RunRecord};

use crate::run::Run;

/// What a check is: the run, or what is wrong with it.
type CheckFn = Box<dyn Fn(&Run<'_>) -> Result<(), String> + Send + Sync>;

/// A property of finished runs.
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) place: &'static Location<'static>,
    pub(crate) check: CheckFn,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The workloads end in time.
#[derive(Debug)]
pub(crate) struct Eventually {
    pub(crate) name: String,
    pub(crate) place: &'static Location<'static>,
    pub(crate) within: Nanos,
}

impl Check {
    /// What the check says of the run. A check that panics has failed with its message.
    pub(crate) fn judge(&self, run: &RunRecord) -> Property {
        let said = catch_unwind(AssertUnwindSafe(|| (self.check)(&Run::new(run))))
            .unwrap_or_else(|panic| Err(format!("the check panicked: {}", message(&*panic))));
        property(PropertyKind::AtEnd, &self.name, self.place, run, said)
    }
}

impl Eventually {
    /// Whether the workloads of the run ended in time.
    pub(crate) fn judge(&self, run: &RunRecord) -> Property {
        property(PropertyKind::Eventually, &self.name, self.place, run, self.held(run))
    }

    fn held(&self, run: &RunRecord) -> Result<(), String> {
        let calm = last_fault_over(run);
        let end = run.stats.virtual_time;
        match &run.ending {
            Ending::Completed if end.saturating_sub(calm) <= self.within => Ok(()),
            Ending::Completed => Err(format!(
                "the workloads ended at {end}, {} after the last fault was over; promised: {}",
                end.saturating_sub(calm),
                self.within
            )),
            _ => Err(format!(
                "the workloads had not ended at {end}; the last fault was over at {calm}"
            )),
        }
    }
}

fn property(
    kind: PropertyKind,
    name: &str,
    place: &Location<'_>,
    run: &RunRecord,
    said: Result<(), String>,
) -> Property {
    Property {
        kind,
        name: name.to_string(),
        place: format!("{}:{}", place.file(), place.line()),
        passes: u64::from(said.is_ok()),
        failures: u64::from(said.is_err()),
        first_failure: said.err().map(|detail| (run.stats.virtual_time, 0, detail)),
    }
}

/// The message of a panic, where it has one.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fixtures::record;
    use bizarro_record::{Event, Stamped};

    fn judge(check: impl Fn(&Run<'_>) -> Result<(), String> + Send + Sync + 'static) -> Property {
        let check = Check { name: "c".into(), place: Location::caller(), check: Box::new(check) };
        check.judge(&record())
    }

    #[test]
    fn a_check_says_what_is_wrong() {
        assert_eq!(judge(|_| Ok(())).passes, 1);
        let failed = judge(|run| Err(format!("{} hosts", run.hosts().len())));
        assert_eq!(failed.first_failure.unwrap().2, "2 hosts");
    }

    #[test]
    fn a_check_that_panics_has_failed() {
        let failed = judge(|_| panic!("at the check"));
        assert_eq!(failed.first_failure.unwrap().2, "the check panicked: at the check");
    }

    #[test]
    fn the_time_of_a_promise_starts_when_the_last_fault_is_over() {
        let promise =
            Eventually { name: "p".into(), place: Location::caller(), within: Nanos::from_secs(5) };
        let mut run = record();
        run.stats.virtual_time = Nanos::from_secs(20);
        assert_eq!(promise.judge(&run).failures, 1);
        let event = Event::Paused { until: Nanos::from_secs(16) };
        run.events.push(Stamped { at: Nanos::from_secs(1), host: 0, tid: 0, event });
        assert_eq!(promise.judge(&run).passes, 1);
        run.ending = Ending::Deadline { tasks: Vec::new() };
        assert_eq!(promise.judge(&run).failures, 1);
    }
}
