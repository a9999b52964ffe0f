//! A shard: the versions of one value, each with the timestamp of its commit.
//!
//! A commit takes the latest time that it can be, is written to the disk, and is told to nobody before that time is over
//! everywhere. A snapshot at a time is read when that time is over here, so that nothing can be committed in it any more.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use bizarro_remedy::clock::kernel::KernelClock;
use bizarro_remedy::clock::{IntervalClock, Unbounded, commit_wait};
use scenario_programs::{disk, ended, setting};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::clock::Clock;

/// The longest request, and the longest name of a commit, in bytes.
const BODY_MAX: usize = 4 << 10;
const ID_MAX: usize = 64;
/// Nobody reads what is further away than this.
const FUTURE_MAX: Duration = Duration::from_secs(10);

/// `PUT /value`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    /// The client's name for the commit: one that is sent again is the same.
    pub id: String,
    /// The value.
    pub value: i64,
}

/// The answer: it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committed {
    /// Its timestamp: nanoseconds since 1970.
    pub at_ns: u64,
}

/// `GET /value?at_ns=…`: what it is in the snapshot of that time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// Nanoseconds since 1970.
    pub at_ns: u64,
}

/// The answer: the value, if it had one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Got {
    /// The value.
    pub value: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Version {
    id: String,
    at_ns: u64,
    value: i64,
}

/// A shard that believes its clock.
pub fn believing() -> ExitCode {
    run(Clock::Believed)
}

/// A shard that knows how wrong its clock may be.
pub fn bounded() -> ExitCode {
    run(Clock::Bounded(KernelClock::default()))
}

/// `LISTEN`, `DATA`.
#[tokio::main]
async fn run(clock: Clock) -> ExitCode {
    let served = async {
        let listener = TcpListener::bind(setting("LISTEN", "0.0.0.0:8080")).await?;
        serve(clock, setting("DATA", "/var/lib/shard/versions.json").into(), listener).await
    };
    ended("shard", served.await)
}

/// Serves the value, for good.
///
/// # Errors
/// The file has no versions in it.
pub async fn serve(
    clock: impl IntervalClock + Send + Sync + 'static,
    file: PathBuf,
    listener: TcpListener,
) -> io::Result<()> {
    let versions: Vec<Version> = disk::load("shard", &file).await?;
    let shard = Arc::new(Shard { clock, file, versions: Mutex::new(versions) });
    let app = Router::new()
        .route("/value", get(read).put(write))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(shard);
    axum::serve(listener, app).await
}

struct Shard<C> {
    clock: C,
    file: PathBuf,
    /// What is on the disk. Held by a commit until its time is over, so that nobody sees it before.
    versions: Mutex<Vec<Version>>,
}

/// A status, and why.
type Refusal = (StatusCode, String);

fn unavailable(error: impl std::fmt::Display) -> Refusal {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}

impl<C: IntervalClock + Send + Sync + 'static> Shard<C> {
    async fn commit(&self, put: Put) -> Result<Committed, Refusal> {
        let mut versions = self.versions.lock().await;
        if let Some(known) = versions.iter().find(|version| version.id == put.id) {
            let at_ns = known.at_ns;
            self.over(at_ns).await.map_err(unavailable)?;
            return Ok(Committed { at_ns });
        }
        let latest = nanos(self.clock.now().map_err(unavailable)?.latest);
        let at_ns = versions.last().map_or(latest, |last| latest.max(last.at_ns + 1));
        let mut changed = versions.clone();
        changed.push(Version { id: put.id, at_ns, value: put.value });
        let bytes = serde_json::to_vec(&changed).map_err(unavailable)?;
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || disk::replace(&file, &bytes)).await;
        written.map_err(unavailable)?.map_err(unavailable)?;
        *versions = changed;
        self.over(at_ns).await.map_err(unavailable)?;
        Ok(Committed { at_ns })
    }

    async fn snapshot(&self, at_ns: u64) -> Result<Got, Refusal> {
        let latest = self.clock.now().map_err(unavailable)?.latest;
        if at_ns > nanos(latest + FUTURE_MAX) {
            return Err((StatusCode::UNPROCESSABLE_ENTITY, "too far in the future".to_string()));
        }
        self.over(at_ns).await.map_err(unavailable)?;
        let versions = self.versions.lock().await;
        // A commit that was cut off while it waited is not seen early either: its time is over if that of the snapshot is.
        let before = versions.iter().rev().find(|version| version.at_ns <= at_ns);
        Ok(Got { value: before.map(|version| version.value) })
    }

    async fn over(&self, at_ns: u64) -> Result<(), Unbounded> {
        commit_wait(&self.clock, Duration::from_nanos(at_ns)).await
    }
}

async fn write<C: IntervalClock + Send + Sync + 'static>(
    State(shard): State<Arc<Shard<C>>>,
    put: Result<Json<Put>, JsonRejection>,
) -> Result<Json<Committed>, Refusal> {
    let Json(put) = put.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
    if put.id.is_empty() || put.id.len() > ID_MAX {
        let reason = format!("the name of a commit has 1 to {ID_MAX} bytes");
        return Err((StatusCode::UNPROCESSABLE_ENTITY, reason));
    }
    // Brought to its end though the client goes away.
    let committed = tokio::spawn(async move { shard.commit(put).await });
    committed.await.map_err(unavailable)?.map(Json)
}

async fn read<C: IntervalClock + Send + Sync + 'static>(
    State(shard): State<Arc<Shard<C>>>,
    at: Result<Query<At>, QueryRejection>,
) -> Result<Json<Got>, Refusal> {
    let Query(at) = at.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
    shard.snapshot(at.at_ns).await.map(Json)
}
