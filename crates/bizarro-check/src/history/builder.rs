//! Builds a history from its events, in the order in which they happened.

use std::collections::BTreeMap;
use std::fmt;

use super::{History, Moment, Operation, Outcome, Process, Times};

/// Pairs invocations with their ends. A process has at most one operation open.
///
/// ```
/// use bizarro_check::history::Builder;
///
/// let mut builder: Builder<&str, u32> = Builder::new();
/// builder.invoke(1, "read")?;
/// builder.ok(1, 42)?;
/// assert_eq!(builder.finish().len(), 1);
/// # Ok::<(), bizarro_check::history::Disorder>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder<C, R> {
    operations: Vec<Operation<C, R>>,
    open: BTreeMap<Process, usize>,
    position: u32,
    times: Times,
}

/// Events that no history can have in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disorder {
    /// The process invoked an operation while another one of its own was open.
    AlreadyOpen(Process),
    /// The process has no open operation which could end.
    NotOpen(Process),
    /// More events than a history can number (2³²).
    TooLong,
}

impl fmt::Display for Disorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disorder::AlreadyOpen(process) => {
                write!(f, "process {process} invokes an operation while its last one is open")
            }
            Disorder::NotOpen(process) => {
                write!(f, "process {process} ends an operation that it did not invoke")
            }
            Disorder::TooLong => f.write_str("a history has fewer than 2^32 events"),
        }
    }
}

impl std::error::Error for Disorder {}

impl<C, R> Default for Builder<C, R> {
    fn default() -> Self {
        Builder::new()
    }
}

impl<C, R> Builder<C, R> {
    /// No event yet.
    pub fn new() -> Builder<C, R> {
        Builder {
            operations: Vec::new(),
            open: BTreeMap::new(),
            position: 0,
            times: Times::default(),
        }
    }

    /// What clocks say at the events that follow.
    pub fn at(&mut self, times: Times) -> &mut Builder<C, R> {
        self.times = times;
        self
    }

    /// A process asks something.
    ///
    /// # Errors
    /// Its last operation is still open.
    pub fn invoke(&mut self, process: Process, call: C) -> Result<(), Disorder> {
        if self.open.contains_key(&process) {
            return Err(Disorder::AlreadyOpen(process));
        }
        let invoked = self.moment()?;
        self.open.insert(process, self.operations.len());
        let outcome = Outcome::Unknown;
        self.operations.push(Operation { process, call, outcome, invoked, ended: None });
        Ok(())
    }

    /// The process's open operation took effect, with this reply.
    ///
    /// # Errors
    /// It has none open.
    pub fn ok(&mut self, process: Process, reply: R) -> Result<(), Disorder> {
        self.end(process, Outcome::Ok(reply))
    }

    /// The process's open operation had no effect and never will.
    ///
    /// # Errors
    /// It has none open.
    pub fn fail(&mut self, process: Process) -> Result<(), Disorder> {
        self.end(process, Outcome::Fail)
    }

    /// The process gives its open operation up without knowing what came of it, or what will.
    ///
    /// # Errors
    /// It has none open.
    pub fn unknown(&mut self, process: Process) -> Result<(), Disorder> {
        self.end(process, Outcome::Unknown)
    }

    /// The process's open operation ends so.
    ///
    /// # Errors
    /// It has none open.
    pub fn end(&mut self, process: Process, outcome: Outcome<R>) -> Result<(), Disorder> {
        let index = self.open.remove(&process).ok_or(Disorder::NotOpen(process))?;
        let ended = self.moment()?;
        self.operations[index].ended = Some(ended);
        self.operations[index].outcome = outcome;
        Ok(())
    }

    /// What the process asked last and has no answer to.
    pub fn open(&self, process: Process) -> Option<&C> {
        self.open.get(&process).map(|index| &self.operations[*index].call)
    }

    /// How many operations were invoked.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether none was invoked.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The history. What is still open has an unknown outcome.
    pub fn finish(self) -> History<C, R> {
        History { operations: self.operations }
    }

    fn moment(&mut self) -> Result<Moment, Disorder> {
        let moment = Moment { position: self.position, times: self.times };
        self.position = self.position.checked_add(1).ok_or(Disorder::TooLong)?;
        Ok(moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_operation_at_a_time() {
        let mut builder: Builder<&str, ()> = Builder::new();
        assert_eq!(builder.ok(1, ()), Err(Disorder::NotOpen(1)));
        builder.invoke(1, "a").unwrap();
        assert_eq!(builder.open(1), Some(&"a"));
        assert_eq!(builder.invoke(1, "b"), Err(Disorder::AlreadyOpen(1)));
        builder.unknown(1).unwrap();
        assert_eq!(builder.fail(1), Err(Disorder::NotOpen(1)));
        builder.invoke(1, "b").unwrap();
        let history = builder.finish();
        let outcomes: Vec<_> = history.operations().iter().map(|op| &op.outcome).collect();
        assert_eq!(outcomes, [&Outcome::Unknown, &Outcome::Unknown]);
        assert_eq!(history.operations()[0].ended.unwrap().position, 1);
        assert_eq!(history.operations()[1].ended, None);
    }
}
