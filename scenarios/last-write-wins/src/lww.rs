//! The last write wins, and the last one is that with the highest time of day.

use serde::{Deserialize, Serialize};

use crate::register::{Context, Got, Put, Register, Write};

/// One value with its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWriteWins {
    latest: Option<Stamped>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamped {
    time_ms: u64,
    write: Write,
}

impl LastWriteWins {
    fn offer(&mut self, other: &Stamped) {
        if self.latest.as_ref().is_none_or(|latest| latest.time_ms < other.time_ms) {
            self.latest = Some(other.clone());
        }
    }
}

impl Register for LastWriteWins {
    fn put(&mut self, _: &str, now_ms: u64, put: Put) {
        self.offer(&Stamped { time_ms: now_ms, write: put.write });
    }

    fn merge(&mut self, other: &LastWriteWins) {
        if let Some(other) = &other.latest {
            self.offer(other);
        }
    }

    fn get(&self) -> Got {
        let writes = self.latest.iter().map(|latest| latest.write.clone()).collect();
        Got { writes, context: Context::new() }
    }
}
