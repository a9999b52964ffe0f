//! A run as it looks between groups of hosts: who is one machine and who is many does not matter there.
//!
//! Gabrielson (*Challenges with distributed systems*, Amazon Builders' Library) calls it recursive: a group of machines
//! asks another one, and the request and its reply can fail in the same eight ways as between two machines.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::exchange::{Exchange, ExchangeId};
use crate::record::RunRecord;

/// What asks and is asked.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Hosts.
    #[default]
    Hosts,
    /// Groups of hosts; what the hosts of a group ask each other is not seen.
    Groups,
}

impl RunRecord {
    /// The group of the host of this name.
    pub fn group_of<'a>(&'a self, host: &'a str) -> &'a str {
        let index = self.hosts.iter().position(|name| name == host);
        index.and_then(|index| self.groups.get(index)).map_or(host, String::as_str)
    }

    /// The exchanges as they are named at a level, in the order of their requests.
    pub fn exchanges_at(&self, level: Level) -> Vec<Exchange> {
        if level == Level::Hosts {
            return self.exchanges.clone();
        }
        let named = self.exchanges.iter().zip(self.group_ids());
        let between = named.filter(|(_, id)| id.client != id.server);
        between.map(|(exchange, id)| Exchange { id, ..exchange.clone() }).collect()
    }

    /// What an exchange of this run is called between the groups of its two hosts.
    pub fn group_id(&self, exchange: &ExchangeId) -> Option<ExchangeId> {
        let at = self.exchanges.iter().position(|known| known.id == *exchange)?;
        self.group_ids().into_iter().nth(at)
    }

    /// For each exchange its name between groups. Its ordinal counts the requests of every host of the one group to any
    /// host of the other.
    fn group_ids(&self) -> Vec<ExchangeId> {
        let mut counts: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
        let mut ids = Vec::with_capacity(self.exchanges.len());
        for exchange in &self.exchanges {
            let id = &exchange.id;
            let (client, server) = (self.group_of(&id.client), self.group_of(&id.server));
            let count = counts.entry((client, server, &id.name)).or_default();
            *count += 1;
            ids.push(ExchangeId {
                client: client.to_string(),
                server: server.to_string(),
                name: id.name.clone(),
                ordinal: *count,
            });
        }
        ids
    }
}
