//! A small database whose transactions are isolated badly, in three ways: so that histories show all
//! anomalies, and also none.

use std::sync::Arc;

use bizarro_check::history::{Builder, Outcome};
use bizarro_check::transactions::{ListAccess, ListHistory};
use proptest::collection::vec;
use proptest::prelude::*;

/// What processes do: who, and a number that says what.
pub(crate) type Script = Vec<(u8, u16)>;

pub(crate) fn scripts() -> impl Strategy<Value = Script> {
    vec((0..3_u8, any::<u16>()), 2..26)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Isolation {
    /// Every access is made at once, on what is there.
    None,
    /// Reads are from when it began, writes are made when it ends.
    Snapshot,
    /// All is done when it ends.
    Serial,
}

struct Open {
    accesses: Vec<ListAccess<u8, u16>>,
    isolation: Isolation,
    snapshot: Vec<Vec<u16>>,
    seen: Vec<Arc<[u16]>>,
    done: usize,
}

impl Open {
    /// Makes the next access.
    fn go_on(&mut self, lists: &mut [Vec<u16>]) {
        let target = match self.isolation {
            Isolation::None | Isolation::Serial => lists,
            Isolation::Snapshot => &mut self.snapshot,
        };
        match &self.accesses[self.done] {
            ListAccess::Read(key) => self.seen.push(target[usize::from(*key)].as_slice().into()),
            ListAccess::Append(key, value) => target[usize::from(*key)].push(*value),
        }
        self.done += 1;
    }

    fn end(&mut self, lists: &mut [Vec<u16>]) {
        while self.done < self.accesses.len() {
            self.go_on(lists);
        }
        if self.isolation == Isolation::Snapshot {
            for access in &self.accesses {
                if let ListAccess::Append(key, value) = access {
                    lists[usize::from(*key)].push(*value);
                }
            }
        }
    }
}

/// Plays a script. No history has more than five transactions.
pub(crate) fn play(script: &Script) -> ListHistory<u8, u16> {
    let mut builder = Builder::new();
    let mut lists = vec![Vec::new(), Vec::new()];
    let mut open: [Option<Open>; 3] = [const { None }; 3];
    let mut next_value = 0;
    for (process, number) in script {
        let (slot, process) = (&mut open[usize::from(*process)], i64::from(*process));
        let Some(transaction) = slot else {
            if builder.len() < 5 {
                let begun = begin(*number, &mut next_value, &lists);
                builder.invoke(process, begun.accesses.clone()).unwrap();
                *slot = Some(begun);
            }
            continue;
        };
        let early = transaction.isolation != Isolation::Serial;
        if early && transaction.done < transaction.accesses.len() && number % 8 > 0 {
            transaction.go_on(&mut lists);
            continue;
        }
        let outcome = match number / 8 % 16 {
            // What was done at once stays.
            0 => Outcome::Fail,
            1 => Outcome::Unknown,
            2 => {
                transaction.end(&mut lists);
                Outcome::Unknown
            }
            _ => {
                transaction.end(&mut lists);
                Outcome::Ok(std::mem::take(&mut transaction.seen))
            }
        };
        builder.end(process, outcome).unwrap();
        *slot = None;
    }
    builder.finish()
}

fn begin(number: u16, next_value: &mut u16, lists: &[Vec<u16>]) -> Open {
    let isolation =
        [Isolation::None, Isolation::Snapshot, Isolation::Serial][usize::from(number % 3)];
    let accesses = (0..1 + number / 3 % 3).map(|at| {
        let what = number >> (6 + 2 * at);
        let key = u8::from(what & 1 == 1);
        if what & 2 == 0 {
            return ListAccess::Read(key);
        }
        *next_value += 1;
        ListAccess::Append(key, *next_value)
    });
    let (accesses, snapshot) = (accesses.collect(), lists.to_vec());
    Open { accesses, isolation, snapshot, seen: Vec::new(), done: 0 }
}
