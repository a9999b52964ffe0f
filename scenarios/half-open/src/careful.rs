//! A leader that leads as long as a majority says so. What is written is at a majority of the members before it is answered,
//! and a member takes nothing from a leader of an older term than it has voted in.

use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bizarro_remedy::quorum::client::{Register, Transport};
use bizarro_remedy::quorum::register::{Replica, Reply, Request};
use bizarro_remedy::quorum::{Ballot, Mandate, Verdict};
use reqwest::Client;
use scenario_programs::http::only_with;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::http::{self, Patience};
use crate::site::{Candidacy, Site, Value, load, save};

/// How long a leader that is asked for its vote points to its majority.
const TERM: Duration = Duration::from_secs(1);
/// Before a member that did not answer is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// What a member has promised, and keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    /// It listens to no leader of an earlier one.
    term: u64,
    /// Who leads in it, if that is known.
    leader: Option<usize>,
    replica: Replica<u64>,
}

struct Member {
    site: Site,
    client: Client,
    kept: Mutex<Kept>,
    mandate: Mutex<Mandate>,
    /// One election at a time.
    election: tokio::sync::Mutex<()>,
}

/// A request of a leader.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Order<R> {
    term: u64,
    leader: usize,
    request: R,
}

/// A member's program.
pub fn run(site: &Site) -> ExitCode {
    http::run(async {
        let listener = TcpListener::bind(&site.listen).await?;
        serve(site.clone(), listener).await
    })
}

/// Serves for ever at this listener.
///
/// # Errors
/// What was kept cannot be read.
pub async fn serve(site: Site, listener: TcpListener) -> io::Result<()> {
    let first = Kept { term: 1, leader: Some(0), replica: Replica::new(0) };
    let kept = load(&site.directory)?.unwrap_or(first);
    let mandate = Mandate::new(site.members.len(), TERM, Duration::ZERO);
    let member = Arc::new(Member {
        client: http::client()?,
        kept: Mutex::new(kept),
        mandate: Mutex::new(mandate),
        election: tokio::sync::Mutex::default(),
        site,
    });
    let among_members = Router::new()
        .route("/leads", get(leads))
        .route("/vote", post(vote))
        .route("/replica", post(replica))
        .with_state(member.clone());
    let app = Router::new()
        .route("/register", get(read).put(write))
        .with_state(member.clone())
        .merge(only_with(among_members, &member.site.token));
    http::serve(listener, app).await;
    Ok(())
}

async fn read(
    State(member): State<Arc<Member>>,
    patience: Patience,
) -> Result<Json<Value>, StatusCode> {
    let term = member.lead(patience).await?;
    let register = member.register(term, patience);
    // A read that was given up has changed nothing.
    let value = member.within(&register, register.read()).await;
    value.map(|value| Json(Value { value })).ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

async fn write(
    State(member): State<Arc<Member>>,
    patience: Patience,
    Json(Value { value }): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let term = member.lead(patience).await?;
    let register = member.register(term, patience);
    let written = member.within(&register, register.write(value, fastrand::u64(..))).await;
    // Some may have it: the client must not take it for refused.
    written.map(|()| Json(Value { value })).ok_or(StatusCode::GATEWAY_TIMEOUT)
}

async fn leads(State(member): State<Arc<Member>>) -> StatusCode {
    match member.kept().leader == Some(member.site.me) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A leader asks the replica that is here.
async fn replica(
    State(member): State<Arc<Member>>,
    Json(order): Json<Order<Request<u64>>>,
) -> Result<Json<Reply<u64>>, StatusCode> {
    member.obey(order).map(Json)
}

/// Somebody wants to lead, because it does not hear the leader.
async fn vote(
    State(member): State<Arc<Member>>,
    patience: Patience,
    Json(Candidacy { term, candidate }): Json<Candidacy>,
) -> Result<(), StatusCode> {
    let Kept { term: known, leader, .. } = member.kept().clone();
    let leader_is_there = match leader {
        _ if term <= known => return Err(StatusCode::CONFLICT),
        Some(leader) if leader == member.site.me => member.mandate().lasts(Instant::now()),
        Some(leader) if leader != candidate => member.leads(patience.part(2), leader).await,
        _ => false,
    };
    if leader_is_there {
        return Err(StatusCode::CONFLICT);
    }
    member.promise(term, Some(candidate))
}

/// How a leader of a term asks the replicas.
struct Replicas {
    member: Arc<Member>,
    term: u64,
    /// Of the client that waits for all this.
    patience: Patience,
    /// Somebody follows another leader.
    deposed: Notify,
}

impl Transport<u64> for Replicas {
    async fn ask(&self, replica: usize, request: Request<u64>) -> Option<Reply<u64>> {
        let (member, me) = (&self.member, self.member.site.me);
        let order = Order { term: self.term, leader: me, request };
        let asked = Instant::now();
        let answer = match replica == me {
            true => member.obey(order),
            false => member.tell(self.patience.part(8), replica, "replica", &order).await.and_then(
                |body| serde_json::from_slice(&body).map_err(|_| StatusCode::GATEWAY_TIMEOUT),
            ),
        };
        match answer {
            Ok(reply) => {
                member.mandate().confirm(replica, asked);
                Some(reply)
            }
            Err(why) => {
                if why == StatusCode::CONFLICT {
                    self.deposed.notify_one();
                }
                None
            }
        }
    }
}

impl Member {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mandate(&self) -> MutexGuard<'_, Mandate> {
        self.mandate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what `change` makes of what is kept, or says why not. What the disk does not take was not promised.
    fn change<T>(
        &self,
        change: impl FnOnce(&Kept) -> Result<(Kept, T), StatusCode>,
    ) -> Result<T, StatusCode> {
        let mut kept = self.kept();
        let (next, value) = change(&kept)?;
        save(&self.site.directory, &next).map_err(|_| StatusCode::INSUFFICIENT_STORAGE)?;
        *kept = next;
        Ok(value)
    }

    /// Promises to listen to no leader of an earlier term.
    fn promise(&self, term: u64, leader: Option<usize>) -> Result<(), StatusCode> {
        self.change(|kept| match term > kept.term {
            true => Ok((Kept { term, leader, ..kept.clone() }, ())),
            false => Err(StatusCode::CONFLICT),
        })
    }

    /// What the replica here answers to a leader, unless there is another one.
    fn obey(&self, order: Order<Request<u64>>) -> Result<Reply<u64>, StatusCode> {
        let Order { term, leader, request } = order;
        let kept = self.kept();
        if term == kept.term
            && let (None, reply) = kept.replica.handle(request.clone())
        {
            return Ok(reply);
        }
        drop(kept);
        self.change(|kept| {
            if term < kept.term {
                return Err(StatusCode::CONFLICT);
            }
            let (next, reply) = kept.replica.handle(request);
            let replica = next.unwrap_or_else(|| kept.replica.clone());
            Ok((Kept { term, leader: Some(leader), replica }, reply))
        })
    }

    /// Makes sure that this member leads, as far as it knows, and gives its term: it does, or a majority elects it because
    /// the leader is not heard.
    async fn lead(self: &Arc<Self>, patience: Patience) -> Result<u64, StatusCode> {
        let _one = self.election.lock().await;
        let Kept { term, leader, .. } = self.kept().clone();
        match leader {
            Some(leader) if leader == self.site.me => return Ok(term),
            Some(leader) if self.leads(patience.part(16), leader).await => {
                return Err(StatusCode::MISDIRECTED_REQUEST);
            }
            _ => {}
        }
        let (me, term) = (self.site.me, term + 1);
        let candidacy = Candidacy { term, candidate: me };
        let mut asked = JoinSet::new();
        for other in self.site.others() {
            let member = self.clone();
            asked.spawn(async move {
                (other, member.tell(patience.part(8), other, "vote", &candidacy).await)
            });
        }
        // Nobody leads in this term before the votes are there, and this member follows nobody else in it.
        self.promise(term, None)?;
        let mut ballot = Ballot::new(self.site.members.len());
        let mut verdict = ballot.yes(me);
        while let (Verdict::Open, Some(Ok((other, vote)))) = (verdict, asked.join_next().await) {
            verdict = if vote.is_ok() { ballot.yes(other) } else { ballot.no(other) };
        }
        if verdict != Verdict::Won {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        self.change(|kept| match kept.term == term {
            true => Ok((Kept { leader: Some(me), ..kept.clone() }, term)),
            // Meanwhile somebody else was elected.
            false => Err(StatusCode::SERVICE_UNAVAILABLE),
        })
    }

    fn register(self: &Arc<Self>, term: u64, patience: Patience) -> Register<Replicas> {
        let replicas = Replicas { member: self.clone(), term, patience, deposed: Notify::new() };
        Register::new(replicas, self.site.members.len(), PAUSE)
    }

    /// What an operation gives, if a majority answers. Otherwise this member has led long enough.
    async fn within<T>(
        &self,
        register: &Register<Replicas>,
        operation: impl Future<Output = T>,
    ) -> Option<T> {
        let replicas = register.transport();
        tokio::select! {
            value = operation => Some(value),
            () = replicas.deposed.notified() => self.step_down(replicas.term),
            () = sleep(replicas.patience.part(2).0) => self.step_down(replicas.term),
        }
    }

    fn step_down<T>(&self, term: u64) -> Option<T> {
        let mut kept = self.kept();
        // Not on the disk: started again it may believe that it leads, and will learn better in the same way.
        if kept.term == term && kept.leader == Some(self.site.me) {
            kept.leader = None;
        }
        None
    }

    /// Whether this member says that it leads.
    async fn leads(&self, patience: Patience, other: usize) -> bool {
        let url = format!("{}/leads", self.site.members[other]);
        let request = self.client.get(url).bearer_auth(&self.site.token);
        patience.with(request).send().await.is_ok_and(|reply| reply.status().is_success())
    }

    /// What another member answers, or the status with which it refuses. A missing answer is a time-out.
    async fn tell(
        &self,
        patience: Patience,
        other: usize,
        what: &str,
        message: &impl Serialize,
    ) -> Result<Vec<u8>, StatusCode> {
        let url = format!("{}/{what}", self.site.members[other]);
        let request = self.client.post(url).bearer_auth(&self.site.token).json(message);
        let silence = |_| StatusCode::GATEWAY_TIMEOUT;
        let reply = patience.with(request).send().await.map_err(silence)?;
        match reply.status() {
            StatusCode::OK => reply.bytes().await.map(Into::into).map_err(silence),
            refused => Err(refused),
        }
    }
}
