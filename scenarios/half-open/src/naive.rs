//! A leader that leads because it was elected. It answers from its own memory, and tells the others afterwards.

use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bizarro_remedy::quorum::{Ballot, Verdict};
use reqwest::Client;
use scenario_programs::http::only_with;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::http::{self, Patience};
use crate::site::{Candidacy, Site, Value, load, save};

/// What a member knows, and keeps.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Known {
    term: u64,
    leader: usize,
    value: u64,
}

struct Member {
    site: Site,
    client: Client,
    known: Mutex<Known>,
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
    let first = Known { term: 1, leader: 0, value: 0 };
    let known = load(&site.directory)?.unwrap_or(first);
    let client = http::client()?;
    let member = Arc::new(Member { site, client, known: Mutex::new(known) });
    let among_members = Router::new()
        .route("/leads", get(leads))
        .route("/vote", post(vote))
        .route("/copy", post(copy))
        .with_state(member.clone());
    let app = Router::new()
        .route("/register", get(read).put(write))
        .with_state(member.clone())
        .merge(only_with(among_members, &member.site.token));
    http::serve(listener, app).await;
    Ok(())
}

type Refusal = StatusCode;

async fn read(
    State(member): State<Arc<Member>>,
    patience: Patience,
) -> Result<Json<Value>, Refusal> {
    member.lead(patience).await?;
    Ok(Json(Value { value: member.known().value }))
}

async fn write(
    State(member): State<Arc<Member>>,
    patience: Patience,
    Json(Value { value }): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    member.lead(patience).await?;
    let known = member.change(|known| Known { value, ..known })?;
    for other in member.site.others() {
        let member = member.clone();
        // It will arrive.
        tokio::spawn(async move { member.tell(patience, other, "copy", &known).await });
    }
    Ok(Json(Value { value }))
}

async fn leads(State(member): State<Arc<Member>>) -> Result<(), Refusal> {
    match member.known().leader == member.site.me {
        true => Ok(()),
        false => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// The leader says what the value is.
async fn copy(State(member): State<Arc<Member>>, Json(told): Json<Known>) -> Result<(), Refusal> {
    member.change(|known| if told.term >= known.term { told } else { known })?;
    Ok(())
}

async fn vote(
    State(member): State<Arc<Member>>,
    Json(Candidacy { term, candidate }): Json<Candidacy>,
) -> Result<(), Refusal> {
    let known = *member.known();
    // The leader is not dead: it is here.
    if term <= known.term || known.leader == member.site.me {
        return Err(StatusCode::CONFLICT);
    }
    member.change(|known| Known { term, leader: candidate, ..known })?;
    Ok(())
}

impl Member {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(Known) -> Known) -> Result<Known, Refusal> {
        let mut known = self.known();
        let next = change(*known);
        // Nothing was done, but who knows that?
        save(&self.site.directory, &next).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        *known = next;
        Ok(next)
    }

    /// Makes sure that this member leads: it does, or the leader is dead and the others elect this one.
    async fn lead(&self, patience: Patience) -> Result<(), Refusal> {
        let Known { term, leader, .. } = *self.known();
        if leader == self.site.me {
            return Ok(());
        }
        if self.ask(patience.part(16), leader, "leads").await {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
        let (me, term) = (self.site.me, term + 1);
        let mut ballot = Ballot::new(self.site.members.len());
        let mut verdict = ballot.yes(me);
        for other in self.site.others() {
            let candidacy = Candidacy { term, candidate: me };
            if self.tell(patience.part(8), other, "vote", &candidacy).await {
                verdict = ballot.yes(other);
            }
        }
        match verdict {
            Verdict::Won => self.change(|known| Known { term, leader: me, ..known }).map(|_| ()),
            Verdict::Open | Verdict::Lost => Err(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    async fn ask(&self, patience: Patience, other: usize, what: &str) -> bool {
        let url = format!("{}/{what}", self.site.members[other]);
        let request = self.client.get(url).bearer_auth(&self.site.token);
        patience.with(request).send().await.is_ok_and(|reply| reply.status().is_success())
    }

    async fn tell(
        &self,
        patience: Patience,
        other: usize,
        what: &str,
        message: &impl Serialize,
    ) -> bool {
        let url = format!("{}/{what}", self.site.members[other]);
        let request = self.client.post(url).bearer_auth(&self.site.token).json(message);
        patience.with(request).send().await.is_ok_and(|reply| reply.status().is_success())
    }
}
