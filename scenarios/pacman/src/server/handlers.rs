//! The four calls, each in the document's order: validate, throttle, look the user up and refresh
//! the keep-alive table, then do what is asked.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde::de::DeserializeOwned;

use super::guard::{KeepAlive, Throttle};
use super::refusal::Refusal;
use super::sealing::sealed;
use super::store::{Failure, Store};
use crate::board::{Action, Applied, Order, Refused};
use crate::config::ServerConfig;
use crate::game;
use crate::protocol::{self, Find, FindAll, Found, FoundAll, Location, Move, NAME_MAX, Remove};

/// What all requests share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    store: Arc<Store>,
    guard: Arc<Mutex<Guard>>,
}

#[derive(Debug)]
struct Guard {
    throttle: Throttle,
    keep_alive: KeepAlive,
}

impl Shared {
    pub(crate) fn new(store: Arc<Store>, config: &ServerConfig) -> Shared {
        let throttle = Throttle::new(config.burst, config.per_second);
        let keep_alive = KeepAlive::new(config.keep_alive, &[game::USER], Instant::now());
        Shared { store, guard: Arc::new(Mutex::new(Guard { throttle, keep_alive })) }
    }

    /// Throttle, then keep-alive table; the message was validated before.
    fn admit(&self, user: &str) -> Result<(), Refusal> {
        let mut guard = self.guard.lock().expect("no holder of the lock panics");
        let now = Instant::now();
        if !guard.throttle.ok(user, now) {
            return Err(Refusal::throttled());
        }
        if !guard.keep_alive.refresh(user, now) {
            return Err(Refusal::not_found(
                "the user is unknown, or was given up after long silence",
            ));
        }
        Ok(())
    }

    /// Changes the board on a thread that may wait for the disk. The change goes on to its end even
    /// if the connection breaks and this future is dropped.
    async fn change(self, order: Order) -> Result<Json<Location>, Refusal> {
        let changed = tokio::task::spawn_blocking(move || self.store.change(&order)).await;
        match changed {
            Ok(Ok(change)) => Ok(Json(Location::new(change.to, change.clock))),
            Ok(Err(failure)) => Err(refusal(&failure)),
            Err(lost) => Err(Refusal::in_doubt(lost.to_string())),
        }
    }
}

fn refusal(failure: &Failure) -> Refusal {
    let reason = failure.to_string();
    match failure {
        Failure::Refused(Refused::NoSuchPiece) => Refusal::not_found(reason),
        Failure::Refused(_) => Refusal::invalid(reason),
        Failure::NotWritten(_) => Refusal::not_written(reason),
        Failure::InDoubt(_) => Refusal::in_doubt(reason),
    }
}

/// All routes. The seal is looked at before the route is chosen by anything but the path.
pub(crate) fn router(shared: Shared) -> Router {
    let plain = Router::new()
        .route("/find", get(find))
        .route("/findAll", get(find_all))
        .route("/move", post(move_piece))
        .route("/remove", post(remove));
    let keyed = Router::new()
        .route("/find", get(find))
        .route("/findAll", get(find_all))
        .route("/move", post(move_piece_keyed))
        .route("/remove", post(remove_keyed));
    Router::new()
        .merge(plain)
        .nest(protocol::SEALED, keyed)
        .route("/journal", get(journal))
        .fallback(unknown_call)
        .method_not_allowed_fallback(unknown_call)
        .layer(middleware::from_fn(sealed))
        .with_state(shared)
}

async fn find(
    State(shared): State<Shared>,
    query: Result<Query<Find>, QueryRejection>,
) -> Result<Json<Location>, Refusal> {
    let Query(message) = query.map_err(|error| Refusal::invalid(error.body_text()))?;
    valid_names(&[&message.user, &message.name])?;
    shared.admit(&message.user)?;
    let (at, clock) = shared.store.read(|board| (board.find(&message.name), board.clock()));
    let at = at.ok_or_else(|| Refusal::not_found(Refused::NoSuchPiece.to_string()))?;
    Ok(Json(Location::new(at, clock)))
}

async fn find_all(
    State(shared): State<Shared>,
    query: Result<Query<FindAll>, QueryRejection>,
) -> Result<Json<FoundAll>, Refusal> {
    let Query(message) = query.map_err(|error| Refusal::invalid(error.body_text()))?;
    valid_names(&[&message.user])?;
    shared.admit(&message.user)?;
    Ok(Json(shared.store.read(|board| {
        let pieces = board.find_all(message.kind);
        let pieces = pieces.map(|(name, at)| Found { name: name.to_owned(), x: at.x, y: at.y });
        FoundAll { pieces: pieces.collect(), clock: board.clock() }
    })))
}

async fn move_piece(State(shared): State<Shared>, body: Bytes) -> Result<Json<Location>, Refusal> {
    let message: Move = parse(&body)?;
    let action = Action::Move(message.direction);
    let Move { user, piece, key, .. } = message;
    change(shared, Order { user, piece, action, key }).await
}

async fn remove(State(shared): State<Shared>, body: Bytes) -> Result<Json<Location>, Refusal> {
    let Remove { user, piece, key } = parse(&body)?;
    change(shared, Order { user, piece, action: Action::Remove, key }).await
}

async fn move_piece_keyed(shared: State<Shared>, body: Bytes) -> Result<Json<Location>, Refusal> {
    demand_key(parse::<Move>(&body)?.key.as_ref())?;
    move_piece(shared, body).await
}

async fn remove_keyed(shared: State<Shared>, body: Bytes) -> Result<Json<Location>, Refusal> {
    demand_key(parse::<Remove>(&body)?.key.as_ref())?;
    remove(shared, body).await
}

/// Everything that was applied since the game began, oldest first.
async fn journal(State(shared): State<Shared>) -> Json<Vec<Applied>> {
    Json(shared.store.read(|board| board.history().to_vec()))
}

async fn unknown_call() -> Refusal {
    Refusal::invalid("the board has no such call")
}

async fn change(shared: Shared, order: Order) -> Result<Json<Location>, Refusal> {
    valid_names(&[&order.user, &order.piece])?;
    valid_names(order.key.as_ref().as_slice())?;
    shared.admit(&order.user)?;
    shared.change(order).await
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::invalid(error.to_string()))
}

fn demand_key(key: Option<&String>) -> Result<(), Refusal> {
    key.map(|_| ()).ok_or_else(|| Refusal::invalid("a change needs a key"))
}

fn valid_names(names: &[&String]) -> Result<(), Refusal> {
    let valid = |name: &&String| {
        (1..=NAME_MAX).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic())
    };
    if names.iter().all(valid) {
        return Ok(());
    }
    Err(Refusal::invalid(format!("a name has 1 to {NAME_MAX} printable ASCII characters")))
}
