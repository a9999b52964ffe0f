//! Raft's messages: JSON over HTTP.

use std::error::Error;

use openraft::BasicNode;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use reqwest::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Types;

/// The way to the other lock servers.
#[derive(Clone, Debug)]
pub struct Peers {
    http: Client,
    secret: String,
}

impl Peers {
    /// What lock servers know shows that this is one of them.
    ///
    /// # Panics
    /// Never: a client without TLS can be made.
    pub fn new(secret: &str) -> Peers {
        let http = Client::builder().no_proxy().build();
        let http = http.expect("a client without TLS can be made");
        Peers { http, secret: secret.to_string() }
    }
}

impl RaftNetworkFactory<Types> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        Peer { peers: self.clone(), target, url: node.addr.clone() }
    }
}

/// The way to one of them.
#[derive(Debug)]
pub struct Peer {
    peers: Peers,
    target: u64,
    url: String,
}

type Asked<T, E> = Result<T, RPCError<u64, BasicNode, RaftError<u64, E>>>;

impl Peer {
    /// Asks, and waits no longer than Raft does.
    async fn ask<T, E>(
        &self,
        what: &str,
        question: &impl Serialize,
        option: &RPCOption,
    ) -> Asked<T, E>
    where
        T: DeserializeOwned,
        E: Error + DeserializeOwned,
    {
        let request = self.peers.http.post(format!("{}/raft/{what}", self.url));
        let request = request.bearer_auth(&self.peers.secret).timeout(option.hard_ttl());
        let answer = async {
            let answer = request.json(question).send().await?.error_for_status()?;
            answer.json::<Result<T, RaftError<u64, E>>>().await
        };
        match answer.await {
            Ok(answer) => answer.map_err(|error| RemoteError::new(self.target, error).into()),
            Err(error) => Err(Unreachable::new(&error).into()),
        }
    }
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        question: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Asked<AppendEntriesResponse<u64>, openraft::error::Infallible> {
        self.ask("append", &question, &option).await
    }

    async fn install_snapshot(
        &mut self,
        question: InstallSnapshotRequest<Types>,
        option: RPCOption,
    ) -> Asked<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        self.ask("snapshot", &question, &option).await
    }

    async fn vote(
        &mut self,
        question: VoteRequest<u64>,
        option: RPCOption,
    ) -> Asked<VoteResponse<u64>, openraft::error::Infallible> {
        self.ask("vote", &question, &option).await
    }
}
