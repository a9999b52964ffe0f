//! A machine of GROUP2.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::put;
use reqwest::Client;
use scenario_programs::http::only_with;
use tokio::net::TcpListener;

use crate::http::{self, Patience};
use crate::store::Store;

/// Letters of a name.
const NAME: usize = 32;

/// Where a machine is, and who else is in its group.
#[derive(Clone, Debug)]
pub struct Site {
    /// Address and port to listen on.
    pub listen: String,
    /// The others: `http://s25:8080`.
    pub others: Vec<String>,
    /// Its data directory.
    pub directory: PathBuf,
    /// What machines of the group show each other.
    pub token: String,
}

/// When a machine answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answers {
    BeforeTheCopy,
    AfterTheCopy,
}

/// A machine that answers when it has the value itself; another one will have it soon.
pub fn early(site: &Site) -> ExitCode {
    run(site, Answers::BeforeTheCopy)
}

/// A machine that answers when another one has the value, too.
pub fn recursive(site: &Site) -> ExitCode {
    run(site, Answers::AfterTheCopy)
}

fn run(site: &Site, answers: Answers) -> ExitCode {
    http::run(async {
        let listener = TcpListener::bind(&site.listen).await?;
        serve_as(site.clone(), listener, answers).await
    })
}

/// Serves as [`recursive`] does, for ever, at this listener.
///
/// # Errors
/// What was kept cannot be read.
pub async fn serve(site: Site, listener: TcpListener) -> io::Result<()> {
    serve_as(site, listener, Answers::AfterTheCopy).await
}

async fn serve_as(site: Site, listener: TcpListener, answers: Answers) -> io::Result<()> {
    let store = Store::open(site.directory.clone())?;
    let client = http::client()?;
    let machine = Arc::new(Machine { site, store, client, answers });
    let copies = Router::new()
        .route("/copies/{name}", put(keep_copy).get(give_copy))
        .with_state(machine.clone());
    let app = Router::new()
        .route("/values/{name}", put(keep).get(give))
        .with_state(machine.clone())
        .merge(only_with(copies, &machine.site.token));
    http::serve(listener, app).await;
    Ok(())
}

struct Machine {
    site: Site,
    store: Store,
    client: Client,
    answers: Answers,
}

type Shared = State<Arc<Machine>>;

/// GROUP1 wants a value to be kept.
async fn keep(
    State(machine): Shared,
    patience: Patience,
    Path(name): Path<String>,
    value: String,
) -> Result<(), StatusCode> {
    machine.keep(&name, &value)?;
    match machine.answers {
        Answers::BeforeTheCopy => {
            tokio::spawn(async move { machine.pass_on(patience, &name, &value).await });
            Ok(())
        }
        Answers::AfterTheCopy => match machine.pass_on(patience, &name, &value).await {
            true => Ok(()),
            false => Err(StatusCode::SERVICE_UNAVAILABLE),
        },
    }
}

/// A machine of this group wants a value to be kept.
async fn keep_copy(
    State(machine): Shared,
    Path(name): Path<String>,
    value: String,
) -> Result<(), StatusCode> {
    machine.keep(&name, &value)
}

/// GROUP1 wants a value.
async fn give(
    State(machine): Shared,
    patience: Patience,
    Path(name): Path<String>,
) -> Result<String, StatusCode> {
    if let Some(value) = machine.store.get(&name) {
        return Ok(value);
    }
    let mut missing = StatusCode::NOT_FOUND;
    for other in &machine.site.others {
        match machine.ask(patience, other, &name).await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => {}
            // It may have it.
            Err(()) => missing = StatusCode::SERVICE_UNAVAILABLE,
        }
    }
    Err(missing)
}

/// A machine of this group wants a value.
async fn give_copy(State(machine): Shared, Path(name): Path<String>) -> Result<String, StatusCode> {
    machine.store.get(&name).ok_or(StatusCode::NOT_FOUND)
}

impl Machine {
    fn keep(&self, name: &str, value: &str) -> Result<(), StatusCode> {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        if name.len() > NAME || !name.chars().all(is_letter) {
            return Err(StatusCode::BAD_REQUEST);
        }
        let kept = self.store.put(name.to_string(), value.to_string());
        kept.map_err(|_| StatusCode::INSUFFICIENT_STORAGE)
    }

    /// Gives the value to another machine, and says whether one has it now.
    async fn pass_on(&self, patience: Patience, name: &str, value: &str) -> bool {
        for other in &self.site.others {
            let request = self.client.put(format!("{other}/copies/{name}"));
            let request = request.bearer_auth(&self.site.token).body(value.to_string());
            let sent = patience.part(3).with(request).send().await;
            if sent.is_ok_and(|reply| reply.status() == StatusCode::OK) {
                return true;
            }
        }
        false
    }

    /// Whether another machine has a value, and which, if it answers.
    async fn ask(&self, patience: Patience, other: &str, name: &str) -> Result<Option<String>, ()> {
        let request = self.client.get(format!("{other}/copies/{name}"));
        let request = request.bearer_auth(&self.site.token);
        let reply = patience.part(3).with(request).send().await.map_err(drop)?;
        match reply.status() {
            StatusCode::OK => reply.text().await.map(Some).map_err(drop),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(()),
        }
    }
}
