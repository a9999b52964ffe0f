//! Which exchanges are one call that was made again.
//!
//! An exchange is another attempt at the one before it of the same client, server, name and body if that one was over
//! without success when it began: it had been refused (a status of HTTP from 400 on, of gRPC other than 0, an error of
//! Redis or PostgreSQL), or its connection or stream had been given up. What came later, after the client had given
//! up, makes no success of it. Of a request of HTTP its query and content count and not its headers, in which dates
//! and traces differ from attempt to attempt; of PostgreSQL texts and values, and not what the client calls them; of
//! others all bytes. A request that was not sent whole is like no other.

use alloc::collections::BTreeMap;

use bizarro_record::Nanos;

use super::exchange::{Exchanges, Record};

/// The attempts that were made at one call so far.
#[derive(Clone, Copy)]
struct Tries {
    count: u32,
    /// The last one was over then, without success.
    failed: Option<Nanos>,
}

impl Exchanges {
    /// The how-manieth attempt each exchange is, from 1, in the order of their requests.
    pub(super) fn attempts(&self) -> impl Iterator<Item = u32> {
        let mut calls: BTreeMap<(u32, u64), Tries> = BTreeMap::new();
        self.records.iter().map(move |record| {
            let Some(body) = record.body else { return 1 };
            let tries =
                calls.entry((record.name, body)).or_insert(Tries { count: 0, failed: None });
            let is_again = tries.failed.is_some_and(|failed| failed <= record.requested);
            tries.count = if is_again { tries.count + 1 } else { 1 };
            tries.failed = self.failed(record);
            tries.count
        })
    }

    /// When an exchange was over, if that was without success.
    fn failed(&self, record: &Record) -> Option<Nanos> {
        let given_up = record.broken.or_else(|| self.broken_at(record.connection));
        match record.completed {
            Some(_) if !record.is_refused => None,
            Some(completed) => Some(completed),
            None => given_up,
        }
    }
}
