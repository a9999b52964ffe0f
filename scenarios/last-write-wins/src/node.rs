//! A node: a leader that takes writes, keeps the object on its disk and sends it to the other nodes.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use scenario_programs::{disk, ended, setting};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};

use crate::register::{Got, ID_MAX, Put, Register};

/// The longest request, in bytes.
const BODY_MAX: usize = 64 << 10;
/// The longest time that a client waits until there is something to read.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// How long another node has to answer, and how long to wait before it is asked again.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(200);

/// What a node has to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its own name (`NODE`).
    pub name: String,
    /// Where it listens (`LISTEN`).
    pub listen: String,
    /// The other nodes' addresses, `http://…` (`PEERS`, with commas between them).
    pub peers: Vec<String>,
    /// Where the object is kept (`DATA`).
    pub file: PathBuf,
}

impl Config {
    /// From the environment.
    pub fn from_env() -> Config {
        let peers = setting("PEERS", "");
        Config {
            name: setting("NODE", "node"),
            listen: setting("LISTEN", "0.0.0.0:8080"),
            peers: peers.split(',').filter(|it| !it.is_empty()).map(str::to_string).collect(),
            file: setting("DATA", "/var/lib/store/x.json").into(),
        }
    }
}

/// A node as a program, with what it keeps of the object as `R`.
#[tokio::main]
pub async fn main<R: Register>() -> ExitCode {
    ended("node", run::<R>(Config::from_env()).await)
}

/// Runs a node, for good.
///
/// # Errors
/// Its port is taken, or its file is no object.
pub async fn run<R: Register>(config: Config) -> io::Result<()> {
    let listener = TcpListener::bind(&config.listen).await?;
    serve::<R>(config, listener).await
}

/// The same, on a socket that listens.
///
/// # Errors
/// Its file is no object.
pub async fn serve<R: Register>(config: Config, listener: TcpListener) -> io::Result<()> {
    let start: R = disk::load("node", &config.file).await?;
    let peers = config.peers.clone();
    let news = watch::Sender::new(start.clone());
    for peer in peers {
        tokio::spawn(send_to(peer, news.subscribe()));
    }
    let node = Node { config, object: Mutex::new(()), shown: watch::Sender::new(start), news };
    let node = Arc::new(node);
    let app = Router::new()
        .route("/x", get(read::<R>).put(write::<R>))
        .route("/merge", post(merge::<R>))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(node);
    axum::serve(listener, app).await
}

struct Node<R> {
    config: Config,
    /// Held while the object is changed and written to the disk.
    object: Mutex<()>,
    /// What is on the disk.
    shown: watch::Sender<R>,
    /// The same, as of the last write of a client: what this node has to send to the others.
    news: watch::Sender<R>,
}

/// Who changes the object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Client,
    Node,
}

impl<R: Register> Node<R> {
    /// Changes the object, on the disk first. What was begun is brought to its end though the client goes away.
    async fn change(
        self: Arc<Self>,
        source: Source,
        change: impl FnOnce(&mut R) + Send + 'static,
    ) -> Result<(), Refusal> {
        let changed = tokio::spawn(async move {
            let _held = self.object.lock().await;
            let mut object = self.shown.borrow().clone();
            change(&mut object);
            if object == *self.shown.borrow() {
                return Ok(());
            }
            let (file, bytes) = (self.config.file.clone(), serde_json::to_vec(&object)?);
            tokio::task::spawn_blocking(move || disk::replace(&file, &bytes)).await??;
            self.shown.send_replace(object.clone());
            if source == Source::Client {
                self.news.send_replace(object);
            }
            Ok::<(), io::Error>(())
        });
        match changed.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
            Err(error) => Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        }
    }
}

/// Sends the object to another node, and again each time that it has changed, until it has it.
async fn send_to<R: Register>(peer: String, mut object: watch::Receiver<R>) {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
    let http = http.expect("a client without TLS can be made");
    if *object.borrow() != R::default() {
        object.mark_changed();
    }
    while object.changed().await.is_ok() {
        loop {
            let whole = object.borrow_and_update().clone();
            let sent = http.post(format!("{peer}/merge")).json(&whole).send().await;
            match sent.and_then(reqwest::Response::error_for_status) {
                Ok(_) => break,
                Err(error) => eprintln!("node: {error}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Why something was not done: with its status, in words.
#[derive(Debug)]
struct Refusal(StatusCode, String);

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> axum::response::Response {
        (self.0, self.1).into_response()
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Refusal {
        Refusal(rejection.status(), rejection.body_text())
    }
}

#[derive(Deserialize)]
struct Reading {
    /// Whether to wait for a moment where nothing was written yet.
    #[serde(default)]
    wait: bool,
}

async fn read<R: Register>(
    State(node): State<Arc<Node<R>>>,
    Query(reading): Query<Reading>,
) -> Json<Got> {
    if reading.wait {
        let mut shown = node.shown.subscribe();
        let written = shown.wait_for(|object| *object != R::default());
        // Where nothing comes in time, there is nothing to read.
        drop(tokio::time::timeout(WAIT_MAX, written).await);
    }
    let got = node.shown.borrow().get();
    Json(got)
}

async fn write<R: Register>(
    State(node): State<Arc<Node<R>>>,
    put: Result<Json<Put>, JsonRejection>,
) -> Result<(), Refusal> {
    let Json(put) = put?;
    if put.write.id.is_empty() || put.write.id.len() > ID_MAX {
        let reason = format!("the id of a write has 1 to {ID_MAX} bytes");
        return Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, reason));
    }
    let name = node.config.name.clone();
    node.change(Source::Client, move |object: &mut R| object.put(&name, now_ms(), put)).await
}

async fn merge<R: Register>(
    State(node): State<Arc<Node<R>>>,
    other: Result<Json<R>, JsonRejection>,
) -> Result<(), Refusal> {
    let Json(other) = other?;
    node.change(Source::Node, move |object: &mut R| object.merge(&other)).await
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}
