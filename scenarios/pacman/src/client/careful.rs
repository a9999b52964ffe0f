//! The careful player: the same game, with each of the five outcomes of each call handled.
//!
//! Why it is safe to send a change again after any outcome: it carries a key, and the board applies
//! it at most once under that key, before and after a restart of either side. Why it is safe to
//! believe a reply: it is sealed for this very attempt. Why the player goes on where it was when it
//! is killed: what comes next is on its disk before it is begun.

use std::time::{Duration, Instant};

use super::outcome::Outcome;
use super::progress::{Keeper, Next, Progress};
use super::wire::{Call, Reply, Wire};
use super::{End, GameError, Narrator, Operation, Slain, User, Watch};
use crate::board::Direction;
use crate::config::{ClientConfig, Patience};
use crate::game::{JOYSTICK, PACMAN};
use crate::log;
use crate::protocol::{FoundAll, Location, Move, Remove};

/// The careful player as a host's program: settings from the environment, defaults of
/// [`ClientConfig::for_host`].
#[tokio::main]
pub async fn main() -> std::process::ExitCode {
    log::to_stderr();
    super::report(match super::host_config() {
        Ok(config) => play(&config, &mut Narrator).await,
        Err(error) => Err(error),
    })
}

/// Plays one game to its end, or goes on with the one whose progress is in `config.data`. A game
/// that is over there is only reported.
///
/// # Errors The board refuses, does not answer in time, or contradicts itself; the player's own
/// disk fails for long.
pub async fn play(config: &ClientConfig, watch: &mut impl Watch) -> Result<Slain, GameError> {
    let wire = Wire::new(&config.board).map_err(GameError::Client)?;
    let keeper = Keeper::new(&config.data);
    let patience = config.patience;
    let loaded = retry_disk(patience, || keeper.load()).await?;
    let progress = loaded.unwrap_or_else(Progress::new);
    let (user, player) = (config.user.clone(), User);
    let mut game = Game { wire, keeper, patience, user, player, progress, watch };
    loop {
        game.save().await?;
        match game.progress.next.clone() {
            Next::Find => game.find().await?,
            Next::Move => game.move_pacman().await?,
            Next::FindAll => game.find_all().await?,
            Next::Remove(ghost) => game.remove(ghost).await?,
            Next::Nothing(slain) => return Ok(slain),
        }
    }
}

struct Game<'a, W> {
    wire: Wire,
    keeper: Keeper,
    patience: Patience,
    user: String,
    player: User,
    progress: Progress,
    watch: &'a mut W,
}

impl<W: Watch> Game<'_, W> {
    /// Notes what comes next, before it is begun.
    async fn save(&self) -> Result<(), GameError> {
        retry_disk(self.patience, || self.keeper.save(&self.progress)).await
    }

    async fn find(&mut self) -> Result<(), GameError> {
        let call = Call::get("/find", &[("user", &self.user), ("name", PACMAN)]);
        let found: Location = self.call(Operation::Find, &call).await?;
        self.newest(Operation::Find, found.clock)?;
        self.progress.at = found.at();
        self.progress.next = Next::Move;
        Ok(())
    }

    async fn move_pacman(&mut self) -> Result<(), GameError> {
        let moves = self.progress.moves;
        let Some(direction) = JOYSTICK.get(moves as usize).copied() else {
            return Err(GameError::NeverSlain { moves });
        };
        let operation = Operation::Move { step: moves + 1, direction };
        let (user, key) = (self.user.clone(), Some(self.progress.move_key()));
        let message = Move { user, piece: PACMAN.into(), direction, key };
        let moved: Location = self.call(operation, &Call::post("/move", &message)).await?;
        self.as_meant(operation, direction, moved)?;
        self.newest(operation, moved.clock)?;
        self.progress.at = moved.at();
        self.progress.moves += 1;
        self.progress.next = Next::FindAll;
        Ok(())
    }

    async fn find_all(&mut self) -> Result<(), GameError> {
        let call = Call::get("/findAll", &[("user", &self.user), ("kind", "ghost")]);
        let found: FoundAll = self.call(Operation::FindAll, &call).await?;
        self.newest(Operation::FindAll, found.clock)?;
        let ghost = found.pieces.into_iter().find(|ghost| ghost.at() == self.progress.at);
        self.progress.next = match ghost {
            Some(ghost) => Next::Remove(ghost.name),
            None => Next::Move,
        };
        Ok(())
    }

    async fn remove(&mut self, ghost: String) -> Result<(), GameError> {
        self.player.slay_by(&ghost);
        let (user, key) = (self.user.clone(), Some(self.progress.remove_key()));
        let call = Call::post("/remove", &Remove { user, piece: PACMAN.into(), key });
        let removed: Location = self.call(Operation::Remove, &call).await?;
        self.newest(Operation::Remove, removed.clock)?;
        let (at, moves, clock) = (self.progress.at, self.progress.moves, removed.clock);
        self.progress.next = Next::Nothing(Slain { ghost, at, moves, clock });
        Ok(())
    }

    /// A move that is confirmed must have led where the joystick pointed. If not, somebody else
    /// plays with the same piece, or the board has lost its memory; going on would make it worse.
    fn as_meant(&self, what: Operation, to: Direction, moved: Location) -> Result<(), GameError> {
        let expected = self.progress.at.step(to);
        if expected == Some(moved.at()) {
            return Ok(());
        }
        let from = self.progress.at;
        let reason = format!("from {from} the board moved Pac-Man to {}", moved.at());
        Err(GameError::Refused { operation: what, reason })
    }

    /// The board's clock never goes back, unless the board has lost its memory.
    fn newest(&mut self, operation: Operation, clock: u64) -> Result<(), GameError> {
        if clock < self.progress.clock {
            let reason = format!("the board's clock went back to {clock}");
            return Err(GameError::Refused { operation, reason });
        }
        self.progress.clock = clock;
        Ok(())
    }

    /// Tries until the board has done it, has refused it, or time is up.
    async fn call<T: Reply>(&mut self, what: Operation, call: &Call) -> Result<T, GameError> {
        self.watch.invoked(what);
        let mut waits = Waits::new(self.patience);
        let mut in_doubt = false;
        loop {
            let outcome = self.wire.attempt::<T>(call, waits.reply()).await;
            self.watch.attempted(what, &outcome.describe());
            let last = outcome.describe();
            match outcome {
                Outcome::Success(reply) => {
                    self.watch.ended(what, End::Done);
                    return Ok(reply);
                }
                Outcome::Fatal(reason) => {
                    self.watch.ended(what, if in_doubt { End::Unknown } else { End::Failed });
                    return Err(GameError::Refused { operation: what, reason });
                }
                // The server has not done it: sending it again is what anybody would do.
                Outcome::PostFailed(_) | Outcome::Retryable(_) => {}
                // The server may have done it: sending it again is safe because a look changes
                // nothing, and a change has a key.
                Outcome::Unknown(_) => {
                    in_doubt = true;
                    waits.longer_for_replies();
                }
            }
            if waits.over() {
                self.watch.ended(what, if in_doubt { End::Unknown } else { End::Failed });
                return Err(GameError::GaveUp { operation: what, last });
            }
            waits.pause().await;
        }
    }
}

/// How long to wait for what, from attempt to attempt.
struct Waits {
    patience: Patience,
    begun: Instant,
    attempts: u32,
    reply: Duration,
    pause: Duration,
}

impl Waits {
    fn new(patience: Patience) -> Waits {
        let (reply, pause) = (patience.first_reply, patience.first_pause);
        Waits { patience, begun: Instant::now(), attempts: 0, reply, pause }
    }

    fn reply(&mut self) -> Duration {
        self.attempts += 1;
        self.reply
    }

    /// A board that is slow rather than gone would otherwise never be heard.
    fn longer_for_replies(&mut self) {
        self.reply = (self.reply * 2).min(self.patience.longest_reply);
    }

    fn over(&self) -> bool {
        self.attempts >= self.patience.attempts_min
            && self.begun.elapsed() >= self.patience.deadline
    }

    /// Exponential, and random between half and whole, so that players who failed together do not
    /// return together.
    async fn pause(&mut self) {
        tokio::time::sleep(self.pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.pause = (self.pause * 2).min(self.patience.longest_pause);
    }
}

/// Tries until the player's own disk has done it, or time is up. Damaged data is final.
async fn retry_disk<T>(
    patience: Patience,
    mut attempt: impl FnMut() -> std::io::Result<T>,
) -> Result<T, GameError> {
    let mut waits = Waits::new(patience);
    loop {
        waits.attempts += 1;
        // Blocks this thread, on purpose: until the disk has it, the player has nothing else to do.
        match attempt() {
            Ok(done) => return Ok(done),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData || waits.over() => {
                return Err(GameError::Progress(error));
            }
            Err(error) => tracing::warn!(%error, "the progress cannot be kept yet"),
        }
        waits.pause().await;
    }
}
