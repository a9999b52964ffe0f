//! The file store: it keeps one file, which clients read and write as a whole.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router, extract::Query};
use bizarro_remedy::lease::{Fence, Token};
use redb::{Database, Error, ReadableTable as _, TableDefinition};
use scenario_programs::setting;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::{PAUSE, database, serve_http};

/// The longest request, in bytes.
const BODY_MAX: usize = 16 << 10;
/// The longest line, in bytes, and the most lines.
const LINE_MAX: usize = 64;
const LINES_MAX: usize = 64;

/// What is kept, in JSON, under the only key.
const KEPT: TableDefinition<'_, (), &[u8]> = TableDefinition::new("kept");

/// Whether the store looks at tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// It takes whatever arrives.
    None,
    /// It turns away everybody after whom a later holder came.
    Fence,
}

/// `PUT /file`: this is the file from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Under which grant of the lock.
    pub token: Token,
    /// All lines.
    pub lines: Vec<String>,
}

/// `GET /file`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Under which grant of the lock.
    pub token: Token,
}

/// The file, and the highest token that was shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    fence: Fence,
    lines: Vec<String>,
}

/// The store that takes whatever arrives, as a program. `LISTEN`, `DATA`.
pub fn unfenced() -> ExitCode {
    run(Guard::None)
}

/// The store that looks at tokens, as a program.
pub fn fenced() -> ExitCode {
    run(Guard::Fence)
}

#[tokio::main(flavor = "current_thread")]
async fn run(guard: Guard) -> ExitCode {
    match TcpListener::bind(setting("LISTEN", "0.0.0.0:8080")).await {
        Ok(listener) => {
            serve(guard, setting("DATA", "/var/lib/store/file.redb").into(), listener).await
        }
        Err(error) => eprintln!("store: {error}"),
    }
    ExitCode::FAILURE
}

/// Keeps the file, for good. It prints what is in it, after each write and when it starts.
pub async fn serve(guard: Guard, path: PathBuf, listener: TcpListener) {
    let store = Arc::new(Store { guard, path, database: Mutex::new(None) });
    while let Err(error) = store.change(|_| Ok(Said::Found)) {
        eprintln!("store: {}", error.1);
        tokio::time::sleep(PAUSE).await;
    }
    let app = Router::new().route("/file", get(read).put(write)).with_state(store);
    serve_http(listener, app, BODY_MAX).await;
}

struct Store {
    guard: Guard,
    path: PathBuf,
    /// Nothing where it has to be opened: redb does no more after an error of its disk.
    database: Mutex<Option<Database>>,
}

/// A status, and why.
type Refusal = (StatusCode, String);

/// What is printed of a change, with the lines.
enum Said {
    Nothing,
    Found,
    Took(Token),
}

impl Store {
    /// Changes what is kept, on the disk first, and gives what it is then. The disk is waited for in place: requests are
    /// done one after the other, and brought to their end though the client goes away.
    fn change(
        &self,
        change: impl FnOnce(&mut Kept) -> Result<Said, Refusal>,
    ) -> Result<Kept, Refusal> {
        let unavailable = |error: Error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
        let mut open = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let (database, before) = opened(open.take(), &self.path).map_err(unavailable)?;
        let mut kept = before.clone();
        let changed = change(&mut kept);
        // A token that was shown is kept too: a holder before it may still write.
        if changed.is_ok() && kept != before {
            keep(&database, &kept).map_err(unavailable)?;
        }
        *open = Some(database);
        let lines = kept.lines.join(", ");
        match changed? {
            Said::Nothing => {}
            Said::Found => println!("the file: {lines}"),
            Said::Took(token) => println!("under token {token}: {lines}"),
        }
        Ok(kept)
    }

    /// Lets the holder of this token through, or not.
    fn admit(&self, kept: &mut Kept, token: Token) -> Result<(), Refusal> {
        match self.guard {
            Guard::None => Ok(()),
            Guard::Fence => {
                let admitted = kept.fence.admit(token);
                admitted.map_err(|stale| (StatusCode::PRECONDITION_FAILED, stale.to_string()))
            }
        }
    }
}

/// The database and what is in it.
fn opened(database: Option<Database>, path: &Path) -> Result<(Database, Kept), Error> {
    let database = database.map_or_else(|| database::open(path), Ok)?;
    let begun = database.begin_write()?;
    let kept = match begun.open_table(KEPT)?.get(())? {
        None => Kept::default(),
        Some(bytes) => {
            let kept = serde_json::from_slice(bytes.value());
            kept.map_err(|error| Error::Io(error.into()))?
        }
    };
    begun.abort()?;
    Ok((database, kept))
}

fn keep(database: &Database, kept: &Kept) -> Result<(), Error> {
    let bytes = serde_json::to_vec(kept).map_err(|error| Error::Io(error.into()))?;
    let begun = database.begin_write()?;
    begun.open_table(KEPT)?.insert((), bytes.as_slice())?;
    Ok(begun.commit()?)
}

async fn read(
    State(store): State<Arc<Store>>,
    reading: Result<Query<Reading>, QueryRejection>,
) -> Result<Json<Vec<String>>, Refusal> {
    let Query(Reading { token }) =
        reading.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
    let kept = store.change(|kept| store.admit(kept, token).map(|()| Said::Nothing))?;
    Ok(Json(kept.lines))
}

async fn write(
    State(store): State<Arc<Store>>,
    write: Result<Json<Write>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(Write { token, lines }) =
        write.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
    let is_line = |line: &String| !line.is_empty() && line.len() <= LINE_MAX;
    if lines.len() > LINES_MAX || !lines.iter().all(is_line) {
        let reason = format!("a file has at most {LINES_MAX} lines, of 1 to {LINE_MAX} bytes each");
        return Err((StatusCode::UNPROCESSABLE_ENTITY, reason));
    }
    store.change(|kept| {
        store.admit(kept, token)?;
        kept.lines = lines;
        Ok(Said::Took(token))
    })?;
    Ok(StatusCode::OK)
}
