//! Who has the lease: a server that grants it, and keeps on its disk to whom.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bizarro_remedy::lease::{Answer, Table, Token};
use scenario_programs::{disk, ended, setting};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::{BODY_MAX, TTL};

/// The name of the only lease that there is.
const LEASE: &str = "leader";
/// The longest name of a holder, in bytes.
const HOLDER_MAX: usize = 64;

/// `POST /lease`: grant it, or let the holder keep it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Who wants it.
    pub holder: String,
}

/// It is granted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its fencing token.
    pub token: Token,
    /// For so long, from when the registry answered.
    pub ttl_ms: u64,
    /// The same as a time of day, of the registry's clock: milliseconds since 1970.
    pub expiry_ms: u64,
}

/// Somebody else has it (409).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// For so long at the most, if nobody renews it.
    pub at_most_ms: u64,
}

/// The registry as a program. `LISTEN`, `DATA`.
#[tokio::main]
pub async fn main() -> ExitCode {
    let served = async {
        let listener = TcpListener::bind(setting("LISTEN", "0.0.0.0:8080")).await?;
        serve(setting("DATA", "/var/lib/registry/leases.json").into(), listener).await
    };
    ended("registry", served.await)
}

/// Grants the lease, for good.
///
/// # Errors
/// The file is no table of leases.
pub async fn serve(file: PathBuf, listener: TcpListener) -> io::Result<()> {
    let begun = Instant::now();
    let table: Table = disk::load("registry", &file).await?;
    let table = Mutex::new(table.restarted(begun.elapsed()));
    let app = Router::new()
        .route("/lease", post(grant))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(Arc::new(Registry { file, begun, table }));
    axum::serve(listener, app).await
}

struct Registry {
    file: PathBuf,
    begun: Instant,
    table: Mutex<Table>,
}

impl Registry {
    /// What is granted is on the disk before anybody hears of it; what is brought to its end though the client goes away.
    async fn grant(self: Arc<Self>, holder: String) -> io::Result<Answer> {
        tokio::spawn(async move {
            let mut kept = self.table.lock().await;
            let mut table = kept.clone();
            let answer = table.acquire(self.begun.elapsed(), LEASE, &holder, TTL);
            if let Answer::Granted(_) = answer {
                let (file, bytes) = (self.file.clone(), serde_json::to_vec(&table)?);
                tokio::task::spawn_blocking(move || disk::replace(&file, &bytes)).await??;
                *kept = table;
            }
            Ok(answer)
        })
        .await?
    }
}

async fn grant(
    State(registry): State<Arc<Registry>>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    let holder = match wanted {
        Ok(Json(Wanted { holder })) => holder,
        Err(rejection) => return (rejection.status(), rejection.body_text()).into_response(),
    };
    if holder.is_empty() || holder.len() > HOLDER_MAX {
        let reason = format!("the name of a holder has 1 to {HOLDER_MAX} bytes");
        return (StatusCode::UNPROCESSABLE_ENTITY, reason).into_response();
    }
    match registry.grant(holder).await {
        Ok(Answer::Granted(token)) => {
            let expiry_ms = (now() + TTL).as_millis() as u64;
            let grant = Grant { token, ttl_ms: TTL.as_millis() as u64, expiry_ms };
            Json(grant).into_response()
        }
        Ok(Answer::Held(at_most)) => {
            let held = Held { at_most_ms: at_most.as_millis() as u64 };
            (StatusCode::CONFLICT, Json(held)).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// The time of day of this host.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
