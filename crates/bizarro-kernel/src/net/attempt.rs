//! Which exchanges are one call that was made again.
//!
//! An exchange is another attempt at the one before it of the same client, server, name and body if that one was over
//! without success when it began: it had been refused (a status of HTTP from 400 on, of gRPC other than 0, an error of
//! Redis or PostgreSQL), or its connection or stream had been given up. What came later, after the client had given
//! up, makes no success of it. Of a request of HTTP its query and content count and not its headers, in which dates
//! and traces differ from attempt to attempt; of PostgreSQL texts and values, and not what the client calls them; of
//! others all bytes. A request that was not sent whole is like no other.

use alloc::collections::BTreeMap;
use core::num::NonZeroU64;

use bizarro_record::Nanos;

use super::exchange::{Exchanges, Record};

/// The attempts that were made at one call so far, without success.
#[derive(Clone, Copy)]
struct Tries {
    count: u32,
    /// The last one was over then.
    over: Nanos,
}

impl Exchanges {
    /// The how-manieth attempt each exchange is, from 1, in the order of their requests.
    pub(super) fn attempts(&self) -> impl Iterator<Item = u32> {
        let mut failed: BTreeMap<(u32, NonZeroU64), Tries> = BTreeMap::new();
        let ended = self.conversations.iter();
        let ended = ended.filter_map(|known| Some((known.number, known.broken?)));
        let broken: BTreeMap<u32, Nanos> = ended.collect();
        self.records.iter().zip(0..).map(move |(record, number)| {
            let Some(body) = record.body else { return 1 };
            let call = (record.name, body);
            // Most runs have many calls of which none fails.
            let before = if failed.is_empty() { None } else { failed.remove(&call) };
            let count = match before {
                Some(tries) if tries.over <= record.requested => tries.count + 1,
                _ => 1,
            };
            if let Some(over) = self.over_without_success(record, number, &broken) {
                failed.insert(call, Tries { count, over });
            }
            count
        })
    }

    /// When an exchange was over, if that was without success. `broken`: when connections of which something is left were
    /// given up.
    fn over_without_success(
        &self,
        record: &Record,
        number: u32,
        broken: &BTreeMap<u32, Nanos>,
    ) -> Option<Nanos> {
        match record.completed {
            Some(_) if !record.is_refused => None,
            Some(completed) => Some(completed),
            None => {
                let given_up = self.given_up.get(&number);
                given_up.or_else(|| broken.get(&record.connection)).copied()
            }
        }
    }
}
