//! Promises that are judged in the process that asked for the run: when the run is over, or event by event.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use bizarro_explore::last_fault_over;
use bizarro_record::{Ending, Nanos, Property, PropertyKind, RunRecord};

use crate::run::Run;

/// What is wrong with a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    /// In words for the reader of the report.
    pub(crate) how: String,
    /// Drawn as SVG, where a checker of a history knows.
    pub(crate) picture: Option<String>,
}

impl From<String> for Wrong {
    fn from(how: String) -> Wrong {
        Wrong { how, picture: None }
    }
}

/// What a check is: the run, or what is wrong with it.
type CheckFn = Box<dyn Fn(&Run<'_>) -> Result<(), Wrong> + Send + Sync>;

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

/// Looks at a run's events in order; gives the place of the one by which a promise is broken, and how.
type WatchFn = Box<dyn Fn(&RunRecord) -> Option<(usize, Wrong)> + Send + Sync>;

/// A promise that is watched while a run goes on. The run ends where it is broken.
pub(crate) struct Watch {
    pub(crate) name: String,
    pub(crate) place: &'static Location<'static>,
    pub(crate) watch: WatchFn,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("name", &self.name).finish_non_exhaustive()
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
            .unwrap_or_else(|panic| Err(panicked(&*panic)));
        property(PropertyKind::AtEnd, &self.name, self.place, run, said)
    }
}

impl Watch {
    /// Where the run breaks this first, and how. A watch that panics is broken by the last event.
    fn broken(&self, run: &RunRecord) -> Option<(usize, Wrong)> {
        let watched = catch_unwind(AssertUnwindSafe(|| (self.watch)(run)));
        watched
            .unwrap_or_else(|panic| Some((run.events.len().saturating_sub(1), panicked(&*panic))))
    }

    /// Of a run that ends at the event by which this is broken, if it is.
    fn property(&self, run: &RunRecord, said: Result<(), Wrong>) -> Property {
        let mut property = property(PropertyKind::Always, &self.name, self.place, run, said);
        if let (Some((at, host, _)), Some(last)) = (&mut property.first_failure, run.events.last())
        {
            (*at, *host) = (last.at, last.host);
        }
        property
    }
}

/// Says of each watch whether it was kept. Where one is broken, the first of them, the run is made to end there: what
/// happened later is taken out of its record.
pub(crate) fn watch(watches: &[Watch], run: &mut RunRecord) -> Vec<Property> {
    let broken = watches.iter().enumerate().filter_map(|(number, watch)| {
        let (event, wrong) = watch.broken(run)?;
        Some((event, number, wrong))
    });
    let first = broken.min_by_key(|(event, number, _)| (*event, *number));
    if let Some((event, number, _)) = &first {
        end_at(run, *event, &watches[*number].name);
    }
    let properties = watches.iter().enumerate().map(|(number, watch)| {
        let broken = first.as_ref().filter(|(_, broken, _)| *broken == number);
        watch.property(run, broken.map_or(Ok(()), |(.., wrong)| Err(wrong.clone())))
    });
    properties.collect()
}

/// Takes out of a record what happened after an event.
fn end_at(run: &mut RunRecord, event: usize, property: &str) {
    run.events.truncate(event + 1);
    let at = run.events.last().map_or(run.stats.virtual_time, |last| last.at);
    run.ending = Ending::Broken { property: property.to_string() };
    run.stats.virtual_time = at;
    // What files held by then is not known.
    run.files.clear();
    for property in &mut run.properties {
        if property.first_failure.take_if(|(when, ..)| *when > at).is_some() {
            property.failures = 0;
        }
    }
    run.exchanges.retain(|exchange| exchange.requested <= at);
    for exchange in &mut run.exchanges {
        for time in [&mut exchange.delivered, &mut exchange.replied, &mut exchange.completed] {
            time.take_if(|time| *time > at);
        }
        exchange.status = exchange.status.filter(|_| exchange.replied.is_some());
    }
}

impl Eventually {
    /// Whether the workloads of the run ended in time.
    pub(crate) fn judge(&self, run: &RunRecord) -> Property {
        let said = self.held(run).map_err(Wrong::from);
        property(PropertyKind::Eventually, &self.name, self.place, run, said)
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
    said: Result<(), Wrong>,
) -> Property {
    let (passes, failures) = (u64::from(said.is_ok()), u64::from(said.is_err()));
    let (how, picture) = said.err().map(|wrong| (wrong.how, wrong.picture)).unzip();
    Property {
        kind,
        name: name.to_string(),
        place: format!("{}:{}", place.file(), place.line()),
        passes,
        failures,
        first_failure: how.map(|how| (run.stats.virtual_time, 0, how)),
        picture: picture.flatten(),
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Wrong {
    format!("the check panicked: {}", message(panic)).into()
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
    use bizarro_record::record::KeptFile;
    use bizarro_record::{Event, Stamped};

    fn judge(check: impl Fn(&Run<'_>) -> Result<(), String> + Send + Sync + 'static) -> Property {
        let check = Box::new(move |run: &Run<'_>| check(run).map_err(Wrong::from));
        let check = Check { name: "c".into(), place: Location::caller(), check };
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

    fn watch_for(event: usize) -> Watch {
        let watch = Box::new(move |run: &RunRecord| {
            (run.events.len() > event).then(|| (event, "it is so".to_string().into()))
        });
        Watch { name: format!("w{event}"), place: Location::caller(), watch }
    }

    #[test]
    fn a_run_ends_where_the_first_watch_is_broken() {
        let mut run = record();
        run.files.push(KeptFile { host: 0, path: "/log".into(), content: None });
        let property = |name: &str, at| Property {
            first_failure: Some((Nanos::from_millis(at), 0, String::new())),
            ..property(
                PropertyKind::Always,
                name,
                Location::caller(),
                &record(),
                Err(String::new().into()),
            )
        };
        run.properties = vec![property("before", 2), property("after", 4)];
        let said = watch(&[watch_for(3), watch_for(2), watch_for(9)], &mut run);
        assert_eq!(run.ending, Ending::Broken { property: "w2".into() });
        assert_eq!((run.events.len(), run.stats.virtual_time), (3, Nanos::from_millis(3)));
        assert!(run.files.is_empty());
        let failures: Vec<u64> = run.properties.iter().map(|it| it.failures).collect();
        assert_eq!(failures, [1, 0]);
        // What would have been broken later is not known to be.
        let failures: Vec<u64> = said.iter().map(|it| it.failures).collect();
        assert_eq!(failures, [0, 1, 0]);
        let first = said[1].first_failure.clone().unwrap();
        assert_eq!(first, (Nanos::from_millis(3), 1, "it is so".to_string()));
    }

    #[test]
    fn a_run_whose_watches_are_kept_stays_as_it_is() {
        let mut run = record();
        let said = watch(&[watch_for(9)], &mut run);
        assert_eq!(run, record());
        assert_eq!((said[0].passes, said[0].failures), (1, 0));
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
