//! What a run saw, and the table of all runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bizarro::RunRecord;
use bizarro_record::{Event, Injection, Step, Stream};

/// A call of the client.
pub(crate) struct Call {
    pub(crate) id: String,
    /// The name of its outcome; none where the client died before there was one.
    pub(crate) outcome: Option<String>,
    pub(crate) why: String,
}

/// What client and server wrote down in a run.
#[derive(Default)]
pub(crate) struct Seen {
    /// In the order in which they were made.
    pub(crate) calls: Vec<Call>,
    /// Calls whose request came to the server's program.
    pub(crate) got: BTreeSet<String>,
    /// Calls that the server did.
    pub(crate) done: BTreeSet<String>,
}

impl Seen {
    pub(crate) fn of(record: &RunRecord) -> Seen {
        let mut seen = Seen::default();
        for stamped in &record.events {
            if let Event::Output { stream: Stream::Stdout, line } = &stamped.event {
                seen.line(line);
            }
        }
        seen
    }

    fn line(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').expect("lines are a word and what it says");
        let (id, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "asked" => {
                let call = Call { id: id.to_string(), outcome: None, why: String::new() };
                self.calls.push(call);
            }
            "ended" => {
                let mut calls = self.calls.iter_mut();
                let call = calls.find(|call| call.id == id).expect("it was asked");
                let name = rest.split(':').next().expect("a name");
                call.outcome = Some(name.to_string());
                call.why = rest.to_string();
            }
            "got" => drop(self.got.insert(id.to_string())),
            "did" => drop(self.done.insert(id.to_string())),
            _ => panic!("nobody writes this: {line}"),
        }
    }
}

/// Library × what went wrong × outcome, with the number of runs in which it was seen.
#[derive(Default)]
pub(crate) struct Table {
    /// Of the call that was struck; without a step, of a call to a server that was never there.
    struck: Cells,
    /// Of the call after it.
    next: Cells,
    libraries: Vec<&'static str>,
}

type Cells = BTreeMap<(&'static str, Option<Step>), BTreeMap<&'static str, u32>>;

/// Outcomes, as the table abbreviates them.
const SHORT: [(&str, &str); 6] = [
    ("POST_FAILED", "P"),
    ("RETRYABLE", "R"),
    ("FATAL", "F"),
    ("UNKNOWN", "U"),
    ("SUCCESS", "S"),
    ("", "–"),
];

impl Table {
    /// Counts what came of the call that was struck, the n-th that the client made, and of the next one.
    pub(crate) fn count(&mut self, library: &'static str, fault: &Injection, seen: &Seen) {
        let (struck, step) = (fault.at.ordinal as usize - 1, Some(fault.step));
        count(&mut self.struck, (library, step), seen.calls.get(struck));
        if let Some(next) = seen.calls.get(struck + 1) {
            count(&mut self.next, (library, step), Some(next));
        }
        self.knows(library);
    }

    /// Counts what came of the first call to a server that was never there.
    pub(crate) fn count_alone(&mut self, library: &'static str, seen: &Seen) {
        count(&mut self.struck, (library, None), seen.calls.first());
        self.knows(library);
    }

    fn knows(&mut self, library: &'static str) {
        if !self.libraries.contains(&library) {
            self.libraries.push(library);
        }
    }

    fn rows(
        &self,
        f: &mut fmt::Formatter<'_>,
        cells: &Cells,
        columns: &[Option<Step>],
    ) -> fmt::Result {
        write!(f, "| |")?;
        for column in columns {
            match column {
                Some(step) => write!(f, " {} |", step.to_string().replace('-', " "))?,
                None => write!(f, " nobody there |")?,
            }
        }
        writeln!(f, "\n|---|{}", "---|".repeat(columns.len()))?;
        for library in &self.libraries {
            write!(f, "| {library} |")?;
            for column in columns {
                let cell = cells.get(&(*library, *column));
                let counts = SHORT.iter().filter_map(|(name, short)| {
                    let count = cell.and_then(|cell| cell.get(name))?;
                    Some(format!("{short} {count}"))
                });
                write!(f, " {} |", counts.collect::<Vec<_>>().join(", "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn count(cells: &mut Cells, key: (&'static str, Option<Step>), call: Option<&Call>) {
    let outcome = call.and_then(|call| call.outcome.as_deref()).unwrap_or("");
    let (name, _) = SHORT.iter().find(|(name, _)| *name == outcome).expect("a name");
    *cells.entry(key).or_default().entry(name).or_default() += 1;
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "What became of a call when one of its eight steps failed, in the whole failure matrix of a client that calls \
             twice on one connection: **P** post failed, **R** retryable, **F** fatal, **U** unknown, **S** success, \
             **–** the client died; each with the number of runs. *Post request* fails while the request is being written \
             to a connection that there is: no library says whether a byte of it was sent. In the last column the server \
             refuses connections, cannot be reached, or says nothing, from the beginning.\n"
        )?;
        let mut columns: Vec<Option<Step>> = Step::ALL.into_iter().map(Some).collect();
        columns.push(None);
        self.rows(f, &self.struck, &columns)?;
        columns.pop();
        writeln!(f, "\nAnd what became of the client's next call:\n")?;
        self.rows(f, &self.next, &columns)?;
        writeln!(
            f,
            "\n*Post failed* was never said of a request that the server's program had seen, and *retryable*, *fatal* and \
             *success* never of the contrary unless the fault had changed bytes."
        )
    }
}
