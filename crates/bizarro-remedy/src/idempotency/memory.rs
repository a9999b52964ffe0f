//! Keys in memory: gone when the process ends. For requests whose effects are gone then too.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use super::{Begun, Fingerprint, Key, Reply, Store, StoreError};

/// A store in memory, of a bounded number of keys.
#[derive(Debug)]
pub struct Memory {
    entries: Mutex<Entries>,
    keys_max: usize,
}

#[derive(Debug, Default)]
struct Entries {
    of: BTreeMap<Key, Entry>,
    /// In the order in which they came, with the time at which each came; those that were given back are still in it.
    order: VecDeque<(Key, SystemTime)>,
}

#[derive(Debug)]
struct Entry {
    request: Fingerprint,
    since: SystemTime,
    expires: SystemTime,
    reply: Option<Reply>,
}

impl Memory {
    /// A store of at most so many keys. When it is full, [`Store::begin`] fails until one expires: a key that is
    /// forgotten early would be done twice.
    pub fn new(keys_max: usize) -> Memory {
        Memory { entries: Mutex::default(), keys_max }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Entries {
    /// Forgets from the oldest on what has expired.
    fn expire(&mut self, now: SystemTime) {
        while let Some((key, since)) = self.order.front() {
            match self.of.get(key) {
                // One that is being done is never forgotten.
                Some(entry)
                    if entry.since == *since && (entry.expires > now || entry.reply.is_none()) =>
                {
                    return;
                }
                Some(entry) if entry.since == *since => {
                    self.of.remove(key);
                }
                _ => {}
            }
            self.order.pop_front();
        }
    }

    fn begin(&mut self, key: &Key, request: Fingerprint, since: SystemTime, expires: SystemTime) {
        self.order.push_back((key.clone(), since));
        self.of.insert(key.clone(), Entry { request, since, expires, reply: None });
    }
}

impl Store for Memory {
    async fn begin(
        &self,
        key: &Key,
        request: Fingerprint,
        now: SystemTime,
        time_to_live: Duration,
    ) -> Result<Begun, StoreError> {
        let mut entries = self.entries();
        entries.expire(now);
        match entries.of.get(key) {
            Some(entry) if entry.request != request => return Ok(Begun::OtherRequest),
            Some(Entry { reply: Some(reply), .. }) => return Ok(Begun::Done(reply.clone())),
            Some(_) => return Ok(Begun::InProgress),
            None => {}
        }
        if entries.of.len() >= self.keys_max {
            return Err(StoreError("it is full".into()));
        }
        entries.begin(key, request, now, now + time_to_live);
        Ok(Begun::New)
    }

    async fn finish(&self, key: &Key, reply: Reply) -> Result<(), StoreError> {
        if let Some(entry) = self.entries().of.get_mut(key) {
            entry.reply = Some(reply);
        }
        Ok(())
    }

    async fn abandon(&self, key: &Key) -> Result<(), StoreError> {
        self.entries().of.remove(key);
        Ok(())
    }
}
