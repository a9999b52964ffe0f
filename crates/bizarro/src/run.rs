//! A finished run, as checks look at it.

use std::collections::BTreeMap;

use bizarro_record::event::OpOutcome;
use bizarro_record::{Ending, Event, Exchange, Injection, Nanos, RunRecord, Stream};
use serde::de::DeserializeOwned;

/// A finished run. Everything in it is a fact of the true virtual time, not of a host's clock.
#[derive(Clone, Copy, Debug)]
pub struct Run<'r> {
    record: &'r RunRecord,
}

/// An operation of a history: what was asked, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct OpView<'r> {
    /// The host that asked.
    pub host: &'r str,
    /// When it began.
    pub invoked: Nanos,
    /// When its end was known; `None` where it never was.
    pub returned: Option<Nanos>,
    /// How it ended; an operation without an end is `Unknown`.
    pub outcome: OpOutcome,
    value: &'r [u8],
    result: &'r [u8],
}

impl<'r> OpView<'r> {
    /// What was given to `invoke`. `Err` says why the bytes are not a `T`.
    pub fn value<T: DeserializeOwned>(&self) -> Result<T, String> {
        parse(self.value)
    }

    /// What was given to `ok`. `Err` says why the bytes are not a `T`; an operation that did not end with `ok` has none.
    pub fn result<T: DeserializeOwned>(&self) -> Result<T, String> {
        parse(self.result)
    }
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json)
        .map_err(|error| format!("`{}`: {error}", String::from_utf8_lossy(json)))
}

impl<'r> Run<'r> {
    pub(crate) fn new(record: &'r RunRecord) -> Run<'r> {
        Run { record }
    }

    /// Everything that is known of the run.
    pub fn record(&self) -> &'r RunRecord {
        self.record
    }

    /// Names of the hosts, in the order of their declaration.
    pub fn hosts(&self) -> &'r [String] {
        &self.record.hosts
    }

    /// Whether every workload ended.
    pub fn is_completed(&self) -> bool {
        self.record.ending == Ending::Completed
    }

    /// Lines that the host's programs wrote to their standard output.
    ///
    /// # Panics
    /// Where no host has this name: the check is wrong.
    pub fn output(&self, host: &str) -> Vec<&'r str> {
        self.lines(host, Stream::Stdout)
    }

    /// Lines that the host's programs wrote to their standard error.
    ///
    /// # Panics
    /// Where no host has this name: the check is wrong.
    pub fn errors(&self, host: &str) -> Vec<&'r str> {
        self.lines(host, Stream::Stderr)
    }

    fn lines(&self, host: &str, wanted: Stream) -> Vec<&'r str> {
        let index = self.index_of(host);
        let lines = self.record.events.iter().filter_map(|stamped| match &stamped.event {
            Event::Output { stream, line } if usize::from(stamped.host) == index => {
                (*stream == wanted).then_some(line.as_str())
            }
            _ => None,
        });
        lines.collect()
    }

    /// A file of a host's disk as it was at the end, if the host was told to keep it
    /// ([`HostBuilder::keep`](crate::Host::keep)) and it was there.
    ///
    /// # Panics
    /// Where no host has this name, or was not told to keep this file: the check is wrong.
    pub fn file(&self, host: &str, path: &str) -> Option<&'r [u8]> {
        let index = self.index_of(host);
        let mut kept = self.record.files.iter();
        let kept = kept.find(|file| usize::from(file.host) == index && file.path == path);
        let kept = kept.unwrap_or_else(|| panic!("host `{host}` was not told to keep {path}"));
        kept.content.as_deref()
    }

    fn index_of(&self, host: &str) -> usize {
        let hosts = self.hosts();
        let index = hosts.iter().position(|name| name == host);
        index.unwrap_or_else(|| panic!("no host is called `{host}`: {}", hosts.join(", ")))
    }

    /// Requests and their replies, in the order of the requests.
    pub fn exchanges(&self) -> &'r [Exchange] {
        &self.record.exchanges
    }

    /// The faults that struck, and when.
    pub fn faults(&self) -> Vec<(Nanos, &'r Injection)> {
        let struck = self.record.events.iter().filter_map(|stamped| match &stamped.event {
            Event::Struck { injection } => Some((stamped.at, &**injection)),
            _ => None,
        });
        struck.collect()
    }

    /// The history of this name, for a checker of [`bizarro_check`]. Its processes are the tasks that invoked
    /// the operations; those of a task that are open at one time are of several.
    ///
    /// # Errors
    /// The first value that is not of its type, and where it was given.
    pub fn operations<C: DeserializeOwned, R: DeserializeOwned>(
        &self,
        history: &str,
    ) -> Result<bizarro_check::history::History<C, R>, String> {
        crate::judge::operations(self.record, history)
    }

    /// The operations of the history of this name, in the order of their beginnings.
    pub fn history(&self, name: &str) -> Vec<OpView<'r>> {
        let mut ops: Vec<OpView<'r>> = Vec::new();
        let mut index_of: BTreeMap<u64, usize> = BTreeMap::new();
        for stamped in &self.record.events {
            match &stamped.event {
                Event::Invoked { history, op, value } if history == name => {
                    let host = self.hosts().get(usize::from(stamped.host));
                    index_of.insert(*op, ops.len());
                    ops.push(OpView {
                        host: host.map_or("", String::as_str),
                        invoked: stamped.at,
                        returned: None,
                        outcome: OpOutcome::Unknown,
                        value,
                        result: &[],
                    });
                }
                Event::Returned { op, outcome, value } => {
                    if let Some(view) = index_of.get(op).map(|index| &mut ops[*index]) {
                        view.returned = Some(stamped.at);
                        view.outcome = *outcome;
                        view.result = value;
                    }
                }
                _ => {}
            }
        }
        ops
    }
}

#[cfg(test)]
pub(crate) mod fixtures {
    use super::*;
    use bizarro_record::{FORMAT, Plan, Stamped, Stats};

    fn at(ms: u64, host: u16, event: Event) -> Stamped {
        Stamped { at: Nanos::from_millis(ms), host, tid: 1, event }
    }

    /// A run of two hosts with a line of output and two operations, one of which never ended.
    pub(crate) fn record() -> RunRecord {
        let line = "served".to_string();
        let history = "bank".to_string();
        let events = vec![
            at(1, 0, Event::Output { stream: Stream::Stdout, line }),
            at(2, 1, Event::Invoked { history: history.clone(), op: 0, value: b"5".to_vec() }),
            at(
                3,
                1,
                Event::Returned { op: 0, outcome: OpOutcome::Ok, value: b"\"left\"".to_vec() },
            ),
            at(4, 1, Event::Invoked { history, op: 1, value: b"6".to_vec() }),
        ];
        RunRecord {
            format: FORMAT,
            build: String::new(),
            test: "t".into(),
            plan: Plan::default(),
            fingerprint: 1,
            ending: Ending::Completed,
            hosts: vec!["bank".into(), "teller".into()],
            groups: vec!["bank".into(), "teller".into()],
            exchanges: Vec::new(),
            properties: Vec::new(),
            events,
            files: Vec::new(),
            deviations: Some(Vec::new()),
            stats: Stats::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_belongs_to_its_host_and_stream() {
        let record = fixtures::record();
        let run = Run::new(&record);
        assert_eq!(run.output("bank"), ["served"]);
        assert!(run.errors("bank").is_empty());
        assert!(run.output("teller").is_empty());
    }

    #[test]
    fn operations_are_put_together_and_read_as_they_were_written() {
        let record = fixtures::record();
        let ops = Run::new(&record).history("bank");
        assert_eq!(ops.len(), 2);
        assert_eq!((ops[0].value::<u32>().unwrap(), ops[0].outcome), (5, OpOutcome::Ok));
        assert_eq!(ops[0].result::<String>().unwrap(), "left");
        assert_eq!((ops[1].outcome, ops[1].returned), (OpOutcome::Unknown, None));
        assert!(ops[0].value::<String>().unwrap_err().starts_with("`5`: invalid type"));
        assert!(Run::new(&record).history("other").is_empty());
    }
}
