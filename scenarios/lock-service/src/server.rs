//! A lock server: one of those that agree by Raft. The leader grants leases, and everybody else says that it does not lead.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bizarro_remedy::lease::Token;
use openraft::BasicNode;
use openraft::error::{InitializeError, RaftError};
use openraft::raft::{AppendEntriesRequest, InstallSnapshotRequest, VoteRequest};
use scenario_programs::http::only_with;
use scenario_programs::setting;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::locks::{Command, Reply};
use crate::raft::{Disk, Log, Machine, Peers, Raft, Types, View, config};
use crate::{PAUSE, TTL, serve_http};

/// The longest request, in bytes: a part of a snapshot.
const BODY_MAX: usize = 1 << 20;
/// The longest name of a lock or of a holder, in bytes.
const NAME_MAX: usize = 64;
/// How long a majority may take for what a client waits for.
const AGREED: Duration = Duration::from_secs(2);

/// `POST /locks/{lock}`: grant it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Who wants it: another name for each grant. Under the same name it is the same grant, however often it is asked for.
    pub holder: String,
}

/// It is granted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    /// Its fencing token.
    pub token: Token,
    /// For so long, from when it was asked for.
    pub ttl_ms: u64,
}

/// Somebody else has it (409).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// For so long at the most.
    pub at_most_ms: u64,
}

/// `DELETE /locks/{lock}`: the grant with this token is given back.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Which grant.
    pub token: Token,
}

/// What a lock server is told.
#[derive(Clone, Debug)]
pub struct Site {
    /// Which of the servers it is, from 1.
    pub me: u64,
    /// The URLs of all, the first one's first.
    pub servers: Vec<String>,
    /// Its database.
    pub file: PathBuf,
    /// What shows that somebody is one of them.
    pub secret: String,
    /// After how many entries of the log a snapshot is taken.
    pub snapshot_after: u64,
}

/// A lock server as a program. `ME`, `SERVERS`, `LISTEN`, `DATA`, `SECRET`, `SNAPSHOT_AFTER`.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    let servers = setting("SERVERS", "http://lock-1:8080,http://lock-2:8080,http://lock-3:8080");
    let site = Site {
        me: setting("ME", "1").parse().expect("ME is a number"),
        servers: servers.split(',').map(str::to_string).collect(),
        file: setting("DATA", "/var/lib/locks/raft.redb").into(),
        secret: setting("SECRET", "only for lock servers"),
        snapshot_after: setting("SNAPSHOT_AFTER", "1000")
            .parse()
            .expect("SNAPSHOT_AFTER is a number"),
    };
    match TcpListener::bind(setting("LISTEN", "0.0.0.0:8080")).await {
        Ok(listener) => serve(site, listener).await,
        Err(error) => eprintln!("lock server {}: {error}", site.me),
    }
    ExitCode::FAILURE
}

/// Serves for good. Where its disk fails, the server forgets all that it has in memory, and begins again with what is on the
/// disk as soon as it can.
pub async fn serve(site: Site, listener: TcpListener) {
    let servers = Servers { node: Arc::default(), site: Arc::new(site) };
    tokio::spawn(serve_http(listener, router(&servers), BODY_MAX));
    loop {
        if let Err(error) = live(&servers).await {
            eprintln!("lock server {}: {error}", servers.site.me);
        }
        servers.set(None);
        tokio::time::sleep(PAUSE).await;
    }
}

/// What all handlers know.
#[derive(Clone, Debug)]
struct Servers {
    site: Arc<Site>,
    node: Arc<RwLock<Option<Node>>>,
}

/// A server that takes part in Raft.
#[derive(Clone)]
struct Node {
    me: u64,
    raft: Raft,
    view: View,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node {}", self.me)
    }
}

impl Servers {
    fn set(&self, node: Option<Node>) {
        *self.node.write().unwrap_or_else(PoisonError::into_inner) = node;
    }

    fn node(&self) -> Result<Node, Refusal> {
        let node = self.node.read().unwrap_or_else(PoisonError::into_inner).clone();
        node.ok_or_else(|| unavailable("not there yet"))
    }
}

/// Takes part in Raft until the disk fails.
async fn live(servers: &Servers) -> Result<(), Box<dyn Error + Send + Sync>> {
    let site = servers.site.clone();
    let disk = Disk::open(&site.file)?;
    let machine = Machine::open(disk.clone())?;
    let (config, view) = (Arc::new(config(site.snapshot_after)?), machine.view());
    let raft =
        Raft::new(site.me, config, Peers::new(&site.secret), Log::new(disk), machine).await?;
    servers.set(Some(Node { me: site.me, raft: raft.clone(), view }));
    // Somebody has to say who the servers are, once.
    if site.me == 1 {
        let url = site.servers.iter().map(BasicNode::new);
        let members: BTreeMap<u64, BasicNode> = (1..).zip(url).collect();
        match raft.initialize(members).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut metrics = raft.metrics();
    let ended = metrics.wait_for(|now| now.running_state.is_err()).await;
    let why = ended.map(|now| now.running_state.clone().err());
    raft.shutdown().await?;
    why?.map_or(Ok(()), |error| Err(error.into()))
}

fn router(servers: &Servers) -> Router {
    let raft = Router::new()
        .route("/raft/append", post(append))
        .route("/raft/vote", post(vote))
        .route("/raft/snapshot", post(snapshot))
        .with_state(servers.clone());
    let locks = Router::new().route("/locks/{lock}", post(acquire).delete(release));
    // Raft's messages are for lock servers only: who sends them decides who leads.
    only_with(raft, &servers.site.secret).merge(locks.with_state(servers.clone()))
}

/// A status, and why.
type Refusal = (StatusCode, String);

fn unavailable(why: impl ToString) -> Refusal {
    (StatusCode::SERVICE_UNAVAILABLE, why.to_string())
}

async fn append(
    State(servers): State<Servers>,
    question: Result<Json<AppendEntriesRequest<Types>>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(question) = question.map_err(told)?;
    Ok(Json(servers.node()?.raft.append_entries(question).await).into_response())
}

async fn vote(
    State(servers): State<Servers>,
    question: Result<Json<VoteRequest<u64>>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(question) = question.map_err(told)?;
    Ok(Json(servers.node()?.raft.vote(question).await).into_response())
}

async fn snapshot(
    State(servers): State<Servers>,
    question: Result<Json<InstallSnapshotRequest<Types>>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(question) = question.map_err(told)?;
    Ok(Json(servers.node()?.raft.install_snapshot(question).await).into_response())
}

fn told(rejection: JsonRejection) -> Refusal {
    (rejection.status(), rejection.body_text())
}

fn name(what: &str, name: String) -> Result<String, Refusal> {
    if name.is_empty() || name.len() > NAME_MAX {
        let reason = format!("the name of a {what} has 1 to {NAME_MAX} bytes");
        return Err((StatusCode::UNPROCESSABLE_ENTITY, reason));
    }
    Ok(name)
}

async fn acquire(
    State(servers): State<Servers>,
    Path(lock): Path<String>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(Wanted { holder }) = wanted.map_err(told)?;
    let (lock, holder) = (name("lock", lock)?, name("holder", holder)?);
    let node = servers.node()?;
    let mut ended = None;
    if let Some((grant, known_for)) = node.view.held(&lock).filter(|it| it.0.holder != holder) {
        // Only a leader says so: another one may know old things.
        if let Some(left) = TTL.checked_sub(known_for).filter(|_| node.leads()) {
            return Ok(held(left));
        }
        ended = Some(grant);
    }
    match node.agree(Command::Acquire { lock, holder, ended }).await? {
        Reply::Granted(token) => {
            Ok(Json(Granted { token, ttl_ms: TTL.as_millis() as u64 }).into_response())
        }
        // Somebody was faster.
        Reply::Held(_) | Reply::Released | Reply::Nothing => Ok(held(TTL)),
    }
}

fn held(left: Duration) -> Response {
    let held = Held { at_most_ms: left.as_millis() as u64 };
    (StatusCode::CONFLICT, Json(held)).into_response()
}

async fn release(
    State(servers): State<Servers>,
    Path(lock): Path<String>,
    release: Result<Query<Release>, QueryRejection>,
) -> Result<StatusCode, Refusal> {
    let Query(Release { token }) =
        release.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
    let lock = name("lock", lock)?;
    servers.node()?.agree(Command::Release { lock, token }).await?;
    Ok(StatusCode::OK)
}

impl Node {
    fn leads(&self) -> bool {
        self.raft.metrics().borrow().current_leader == Some(self.me)
    }

    /// Has a majority write the command down, and does it. A client that hears nothing of it, or that it is not known,
    /// sends it again: it is the same command.
    async fn agree(&self, command: Command) -> Result<Reply, Refusal> {
        match tokio::time::timeout(AGREED, self.raft.client_write(command)).await {
            Ok(Ok(written)) => Ok(written.data),
            Ok(Err(error)) => Err(unavailable(error)),
            Err(_) => Err(unavailable("no majority has answered in time")),
        }
    }
}
