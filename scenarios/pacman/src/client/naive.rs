//! The naive player: the document's game step, with each call to the board turned into an HTTP
//! request and, because networks fail, sent again when something goes wrong.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response};

use super::{End, GameError, Narrator, Operation, Slain, User, Watch};
use crate::board::{Kind, Position};
use crate::config::ClientConfig;
use crate::game::{JOYSTICK, PACMAN};
use crate::log;
use crate::protocol::{Find, FindAll, Found, FoundAll, Location, Move, Remove};

/// How often a request is sent before the game is given up.
const ATTEMPTS: u32 = 5;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// The naive player as a host's program: settings from the environment, defaults of
/// [`ClientConfig::for_host`].
#[tokio::main]
pub async fn main() -> std::process::ExitCode {
    log::to_stderr();
    super::report(match super::host_config() {
        Ok(config) => play(&config, &mut Narrator).await,
        Err(error) => Err(error),
    })
}

/// Plays one game.
///
/// # Errors
/// The board does not answer, or the joystick leads to no ghost.
///
/// # Panics
/// The board's answer is not what was expected.
pub async fn play(config: &ClientConfig, watch: &mut impl Watch) -> Result<Slain, GameError> {
    let client = Client::builder()
        .no_proxy()
        .timeout(config.patience.first_reply)
        .build()
        .map_err(GameError::Client)?;
    let mut game = Game {
        board: Board { client, url: config.board.clone(), user: config.user.clone(), watch },
        user: User,
        moves: 0,
    };
    let start = game.board.find(PACMAN).await?;
    tracing::info!(at = %start.at(), "the game begins");
    while !game.over() {
        if let Some(slain) = game.step().await? {
            return Ok(slain);
        }
    }
    Err(GameError::NeverSlain { moves: game.moves })
}

struct Game<'a, W> {
    board: Board<'a, W>,
    user: User,
    moves: u32,
}

impl<W: Watch> Game<'_, W> {
    fn over(&self) -> bool {
        self.moves as usize == JOYSTICK.len()
    }

    /// The document's step: move; find all ghosts; if Pac-Man overlaps with one, it slays the user.
    async fn step(&mut self) -> Result<Option<Slain>, GameError> {
        let pacman = self.board.move_piece(PACMAN, self.moves).await?;
        self.moves += 1;
        let ghosts = self.board.find_all(Kind::Ghost).await?;
        for ghost in ghosts {
            if overlaps(pacman.at(), &ghost) {
                self.user.slay_by(&ghost.name);
                let removed = self.board.remove(PACMAN).await?;
                let (at, clock) = (pacman.at(), removed.clock);
                return Ok(Some(Slain { ghost: ghost.name, at, moves: self.moves, clock }));
            }
        }
        Ok(None)
    }
}

fn overlaps(pacman: Position, ghost: &Found) -> bool {
    pacman == ghost.at()
}

/// The board, as it looks from far away.
struct Board<'a, W> {
    client: Client,
    url: String,
    user: String,
    watch: &'a mut W,
}

impl<W: Watch> Board<'_, W> {
    async fn find(&mut self, name: &str) -> Result<Location, GameError> {
        let message = Find { user: self.user.clone(), name: name.into() };
        let request = self.client.get(format!("{}/find", self.url)).query(&message);
        let reply = self.send(Operation::Find, request).await?;
        Ok(reply.json().await.unwrap())
    }

    async fn find_all(&mut self, kind: Kind) -> Result<Vec<Found>, GameError> {
        let message = FindAll { user: self.user.clone(), kind };
        let request = self.client.get(format!("{}/findAll", self.url)).query(&message);
        let reply = self.send(Operation::FindAll, request).await?;
        let found: FoundAll = reply.json().await.unwrap();
        Ok(found.pieces)
    }

    async fn move_piece(&mut self, piece: &str, frame: u32) -> Result<Location, GameError> {
        let direction = JOYSTICK[frame as usize];
        let message = Move { user: self.user.clone(), piece: piece.into(), direction, key: None };
        let request = self.client.post(format!("{}/move", self.url)).json(&message);
        let reply = self.send(Operation::Move { step: frame + 1, direction }, request).await?;
        Ok(reply.json().await.unwrap())
    }

    async fn remove(&mut self, piece: &str) -> Result<Location, GameError> {
        let message = Remove { user: self.user.clone(), piece: piece.into(), key: None };
        let request = self.client.post(format!("{}/remove", self.url)).json(&message);
        let reply = self.send(Operation::Remove, request).await?;
        Ok(reply.json().await.unwrap())
    }

    /// Sends a request, again if it fails or if the server has trouble.
    async fn send(
        &mut self,
        what: Operation,
        request: RequestBuilder,
    ) -> Result<Response, GameError> {
        self.watch.invoked(what);
        let mut last = String::new();
        for attempt in 1..=ATTEMPTS {
            let sent = request.try_clone().expect("the body is in memory").send().await;
            match sent {
                Ok(reply) if !reply.status().is_server_error() => {
                    self.watch.attempted(what, "answered");
                    self.watch.ended(what, End::Done);
                    return Ok(reply);
                }
                Ok(reply) => last = reply.status().to_string(),
                Err(error) => last = error.to_string(),
            }
            self.watch.attempted(what, &last);
            if attempt < ATTEMPTS {
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.watch.ended(what, End::Unknown);
        Err(GameError::GaveUp { operation: what, last })
    }
}
