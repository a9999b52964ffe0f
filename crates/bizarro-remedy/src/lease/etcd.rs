//! Leases kept by etcd, which replicates them.
//!
//! A lease is a key that is bound to a lease of etcd's: it goes when that ends. Its token is the revision of the store at which
//! the key was created, which grows with every change of anything in etcd. etcd counts in whole seconds, on the clock of its
//! leader; a new leader gives all leases their whole time again, so none is shorter than was granted.

use std::fmt;
use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, GetOptions, KeyValue, PutOptions, Txn, TxnOp, TxnOpResponse,
};

use super::{Answer, LeaseStore, Token};

/// Leases in etcd, below a prefix; clones share a connection.
#[derive(Clone)]
pub struct EtcdLeases {
    client: Client,
    prefix: String,
}

/// Why nothing is known of a lease.
#[derive(Debug)]
pub enum EtcdError {
    /// etcd cannot be reached, or did not do it.
    Client(etcd_client::Error),
    /// etcd answered what its protocol excludes.
    Answer(&'static str),
}

impl fmt::Display for EtcdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EtcdError::Client(error) => error.fmt(f),
            EtcdError::Answer(what) => write!(f, "etcd answered without {what}"),
        }
    }
}

impl std::error::Error for EtcdError {}

impl From<etcd_client::Error> for EtcdError {
    fn from(error: etcd_client::Error) -> EtcdError {
        EtcdError::Client(error)
    }
}

impl fmt::Debug for EtcdLeases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdLeases").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl EtcdLeases {
    /// Leases whose keys begin with `prefix`. A deadline for requests is a setting of the client.
    pub fn new(client: Client, prefix: &str) -> EtcdLeases {
        EtcdLeases { client, prefix: prefix.to_string() }
    }

    fn key(&self, lease: &str) -> String {
        format!("{}{lease}", self.prefix)
    }

    /// Has etcd's lease last for its whole time again, from when etcd hears of it; `false` where it has ended.
    async fn keep_alive(&self, id: i64) -> Result<bool, EtcdError> {
        let (mut keeper, mut answers) = self.client.clone().lease_keep_alive(id).await?;
        keeper.keep_alive().await?;
        let answer = answers.message().await?.ok_or(EtcdError::Answer("a time to live"))?;
        Ok(answer.ttl() > 0)
    }

    /// The key as it is, if it is there.
    async fn get(&self, key: String) -> Result<Option<KeyValue>, EtcdError> {
        let found = self.client.clone().get(key, None).await?;
        Ok(found.kvs().first().cloned())
    }
}

/// Whole seconds, as etcd counts; rounded up, because less would be shorter than was granted.
fn seconds(ttl: Duration) -> i64 {
    let whole = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
    i64::try_from(whole.max(1)).unwrap_or(i64::MAX)
}

fn token(revision: i64) -> Token {
    Token(revision.unsigned_abs())
}

impl LeaseStore for EtcdLeases {
    type Error = EtcdError;

    async fn acquire(&self, lease: &str, holder: &str, ttl: Duration) -> Result<Answer, EtcdError> {
        let (mut client, key) = (self.client.clone(), self.key(lease));
        let id = client.lease_grant(seconds(ttl), None).await?.id();
        let put = PutOptions::new().with_lease(id);
        let wanted = Txn::new()
            .when([Compare::create_revision(key.as_str(), CompareOp::Equal, 0)])
            .and_then([TxnOp::put(key.as_str(), holder, Some(put))])
            .or_else([TxnOp::get(key.as_str(), None::<GetOptions>)]);
        let answer = client.txn(wanted).await?;
        if answer.succeeded() {
            let header = answer.header().ok_or(EtcdError::Answer("a header"))?;
            return Ok(Answer::Granted(token(header.revision())));
        }
        // Nobody needs it, and it would end by itself.
        client.lease_revoke(id).await?;
        let found = answer.op_responses().into_iter().find_map(|response| match response {
            TxnOpResponse::Get(found) => found.kvs().first().cloned(),
            _ => None,
        });
        let held = found.ok_or(EtcdError::Answer("the key that is there"))?;
        if held.value() == holder.as_bytes() && self.keep_alive(held.lease()).await? {
            return Ok(Answer::Granted(token(held.create_revision())));
        }
        let left = client.lease_time_to_live(held.lease(), None).await?.ttl();
        Ok(Answer::Held(Duration::from_secs(left.max(0).unsigned_abs() + 1)))
    }

    async fn renew(&self, lease: &str, wanted: Token, _: Duration) -> Result<bool, EtcdError> {
        match self.get(self.key(lease)).await? {
            // The lease of etcd's is this grant's own: another grant has another one.
            Some(held) if token(held.create_revision()) == wanted => {
                self.keep_alive(held.lease()).await
            }
            _ => Ok(false),
        }
    }

    async fn release(&self, lease: &str, wanted: Token) -> Result<(), EtcdError> {
        let held = self.get(self.key(lease)).await?;
        let Some(held) = held.filter(|held| token(held.create_revision()) == wanted) else {
            return Ok(());
        };
        // The key goes with it, and no other one is bound to it.
        self.client.clone().lease_revoke(held.lease()).await?;
        Ok(())
    }
}
