//! What the lease is for: an account that only the holder may change. A request is processed by reading the value and
//! writing one that is higher by 1.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bizarro_remedy::lease::{Fence, Token};
use scenario_programs::{disk, ended, setting};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::BODY_MAX;

/// Where a host keeps the account.
pub const FILE: &str = "/var/lib/store/account.json";
/// The longest name of a request, in bytes.
const REQUEST_MAX: usize = 64;

/// Whether the store looks at tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// It writes them down.
    None,
    /// It turns away everybody after whom a later holder came.
    Fence,
}

/// What the store keeps: every write that it took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The highest token that was shown.
    pub fence: Fence,
    /// The writes, in their order.
    pub writes: Vec<Write>,
}

/// `PUT /account`, and what is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The name of the request that is processed: one that comes twice is one.
    pub request: String,
    /// The new value.
    pub value: u64,
    /// Under which grant of the lease.
    pub token: Token,
}

/// `GET /account`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Under which grant of the lease.
    pub token: Token,
}

/// The answer to a `GET`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The value.
    pub value: u64,
    /// The requests that were processed.
    pub done: Vec<String>,
}

/// The store that writes tokens down, as a program. `LISTEN`, `DATA`.
pub fn unguarded() -> ExitCode {
    run(Guard::None)
}

/// The store that looks at tokens, as a program.
pub fn fenced() -> ExitCode {
    run(Guard::Fence)
}

#[tokio::main]
async fn run(guard: Guard) -> ExitCode {
    let served = async {
        let listener = TcpListener::bind(setting("LISTEN", "0.0.0.0:8080")).await?;
        serve(guard, setting("DATA", FILE).into(), listener).await
    };
    ended("store", served.await)
}

/// Keeps the account, for good.
///
/// # Errors
/// The file is no account.
pub async fn serve(guard: Guard, file: PathBuf, listener: TcpListener) -> io::Result<()> {
    let account: Account = disk::load("store", &file).await?;
    let store = Store { guard, file, account: Mutex::new(account) };
    let app = Router::new()
        .route("/account", get(read).put(write))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(Arc::new(store));
    axum::serve(listener, app).await
}

struct Store {
    guard: Guard,
    file: PathBuf,
    /// What is on the disk.
    account: Mutex<Account>,
}

impl Store {
    /// Lets the holder of this token through, changes the account, on the disk first, and gives what it is then.
    async fn change(
        self: Arc<Self>,
        token: Token,
        change: impl FnOnce(&mut Account) + Send + 'static,
    ) -> Result<Account, (StatusCode, String)> {
        let failed = |error: io::Error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
        let changed = tokio::spawn(async move {
            let mut kept = self.account.lock().await;
            let mut account = kept.clone();
            if self.guard == Guard::Fence {
                let admitted = account.fence.admit(token);
                admitted.map_err(|stale| (StatusCode::PRECONDITION_FAILED, stale.to_string()))?;
            }
            change(&mut account);
            // A token that was shown is kept too: a holder before it may still write.
            if account != *kept {
                let bytes = serde_json::to_vec(&account).map_err(|error| failed(error.into()))?;
                let file = self.file.clone();
                let replaced = tokio::task::spawn_blocking(move || disk::replace(&file, &bytes));
                replaced.await.map_err(|error| failed(error.into()))?.map_err(failed)?;
                *kept = account.clone();
            }
            Ok(account)
        });
        changed.await.map_err(|error| failed(error.into()))?
    }
}

async fn read(
    State(store): State<Arc<Store>>,
    reading: Result<Query<Reading>, QueryRejection>,
) -> Response {
    let token = match reading {
        Ok(Query(Reading { token })) => token,
        Err(rejection) => return (rejection.status(), rejection.body_text()).into_response(),
    };
    match store.change(token, |_| ()).await {
        Ok(account) => {
            let done = account.writes.iter().map(|write| write.request.clone()).collect();
            let value = account.writes.last().map_or(0, |write| write.value);
            Json(Read { value, done }).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn write(
    State(store): State<Arc<Store>>,
    write: Result<Json<Write>, JsonRejection>,
) -> Response {
    let write = match write {
        Ok(Json(write)) => write,
        Err(rejection) => return (rejection.status(), rejection.body_text()).into_response(),
    };
    if write.request.is_empty() || write.request.len() > REQUEST_MAX {
        let reason = format!("the name of a request has 1 to {REQUEST_MAX} bytes");
        return (StatusCode::UNPROCESSABLE_ENTITY, reason).into_response();
    }
    let token = write.token;
    let append = move |account: &mut Account| {
        if !account.writes.iter().any(|known| known.request == write.request) {
            account.writes.push(write);
        }
    };
    match store.change(token, append).await {
        Ok(_) => StatusCode::OK.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}
