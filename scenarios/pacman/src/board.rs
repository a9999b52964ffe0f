//! The board as a plain value: where the pieces stand, what has been changed, in which order.
//!
//! Nothing here does I/O. A change is made in two steps so that it can be written to disk in
//! between: [`Board::plan`] says what a request would change, [`Board::apply`] changes it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::game;

/// Columns of the board; `x` runs from 0 on the left to `WIDTH - 1`.
pub const WIDTH: u32 = 28;
/// Rows of the board; `y` runs from 0 at the top to `HEIGHT - 1`.
pub const HEIGHT: u32 = 31;

/// A field of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Column, counted from the left.
    #[serde(rename = "xPos")]
    pub x: u32,
    /// Row, counted from the top.
    #[serde(rename = "yPos")]
    pub y: u32,
}

impl Position {
    /// Whether the field lies on the board.
    pub fn on_board(self) -> bool {
        self.x < WIDTH && self.y < HEIGHT
    }

    /// The neighbouring field in `direction`, or `None` where the board ends.
    pub fn step(self, direction: Direction) -> Option<Position> {
        let (x, y) = (self.x, self.y);
        let next = match direction {
            Direction::Up => Position { x, y: y.checked_sub(1)? },
            Direction::Down => Position { x, y: y.checked_add(1)? },
            Direction::Left => Position { x: x.checked_sub(1)?, y },
            Direction::Right => Position { x: x.checked_add(1)?, y },
        };
        next.on_board().then_some(next)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.x, self.y)
    }
}

/// Where the joystick points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One column to the left.
    Left,
    /// One column to the right.
    Right,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Left => "left",
            Direction::Right => "right",
        })
    }
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Moved by a user.
    Pacman,
    /// Stands where the board put it.
    Ghost,
}

/// A piece on the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// The user who may move and remove it; nobody may touch a ghost.
    pub owner: Option<String>,
    /// Where it stands.
    pub at: Position,
}

/// What a user asks the board to do with a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Put it on the neighbouring field.
    Move(Direction),
    /// Take it off the board.
    Remove,
}

/// A request that changes the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Who asks.
    pub user: String,
    /// Which piece.
    pub piece: String,
    /// What to do with it.
    pub action: Action,
    /// With a key the order is applied at most once, however often it arrives.
    pub key: Option<String>,
}

/// A change that was applied: one record of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// The board's logical clock after the change; the first change has 1, each next one more.
    pub clock: u64,
    /// Who asked for it.
    pub user: String,
    /// Which piece.
    pub piece: String,
    /// What was done with it.
    pub action: Action,
    /// Where the piece stood before.
    pub from: Position,
    /// Where it stood after; the last field it stood on when it was removed.
    pub to: Position,
    /// The order's key, kept so that a repetition is recognised after a restart too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What an order comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It would change the board like this.
    Change(Applied),
    /// It was applied before: this is what it did then.
    Repeated(Applied),
}

/// Why an order cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No such piece stands on the board.
    NoSuchPiece,
    /// The piece belongs to somebody else, or to the board.
    NotYours,
    /// The board ends there.
    OffBoard,
    /// The key was used before, for another order.
    KeyReused,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::NoSuchPiece => "no such piece stands on the board",
            Refused::NotYours => "the piece is not this user's",
            Refused::OffBoard => "the board ends there",
            Refused::KeyReused => "the key was used before for another order",
        })
    }
}

/// The state of the board.
#[derive(Debug, Clone)]
pub struct Board {
    pieces: BTreeMap<String, Piece>,
    history: Vec<Applied>,
    /// From user and key to the place in `history`.
    keys: BTreeMap<(String, String), usize>,
}

impl Board {
    /// The board at the start of the game.
    pub fn new() -> Board {
        let pieces = game::layout().into_iter().collect();
        Board { pieces, history: Vec::new(), keys: BTreeMap::new() }
    }

    /// The logical clock: how many changes were applied.
    pub fn clock(&self) -> u64 {
        self.history.len() as u64
    }

    /// Everything that was applied, oldest first.
    pub fn history(&self) -> &[Applied] {
        &self.history
    }

    /// Where the piece called `name` stands.
    pub fn find(&self, name: &str) -> Option<Position> {
        self.pieces.get(name).map(|piece| piece.at)
    }

    /// The pieces of one kind, in the order of their names.
    pub fn find_all(&self, kind: Kind) -> impl Iterator<Item = (&str, Position)> {
        let of_kind = move |(_, piece): &(&String, &Piece)| piece.kind == kind;
        self.pieces.iter().filter(of_kind).map(|(name, piece)| (name.as_str(), piece.at))
    }

    /// What `order` would change; the board stays as it is.
    ///
    /// # Errors
    /// [`Refused`] when the order cannot be carried out on the board as it stands.
    pub fn plan(&self, order: &Order) -> Result<Plan, Refused> {
        if let Some(before) = self.applied_before(order) {
            let same = before.piece == order.piece && before.action == order.action;
            return if same { Ok(Plan::Repeated(before.clone())) } else { Err(Refused::KeyReused) };
        }
        let piece = self.pieces.get(&order.piece).ok_or(Refused::NoSuchPiece)?;
        if piece.owner.as_ref() != Some(&order.user) {
            return Err(Refused::NotYours);
        }
        let to = match order.action {
            Action::Move(direction) => piece.at.step(direction).ok_or(Refused::OffBoard)?,
            Action::Remove => piece.at,
        };
        Ok(Plan::Change(Applied {
            clock: self.clock() + 1,
            user: order.user.clone(),
            piece: order.piece.clone(),
            action: order.action,
            from: piece.at,
            to,
            key: order.key.clone(),
        }))
    }

    /// Makes a planned change, or repeats a recorded one when the board is rebuilt from its
    /// journal.
    pub fn apply(&mut self, change: Applied) {
        match change.action {
            Action::Move(_) => {
                if let Some(piece) = self.pieces.get_mut(&change.piece) {
                    piece.at = change.to;
                }
            }
            Action::Remove => {
                self.pieces.remove(&change.piece);
            }
        }
        if let Some(key) = &change.key {
            self.keys.insert((change.user.clone(), key.clone()), self.history.len());
        }
        self.history.push(change);
    }

    fn applied_before(&self, order: &Order) -> Option<&Applied> {
        let key = order.key.clone()?;
        let place = self.keys.get(&(order.user.clone(), key))?;
        self.history.get(*place)
    }
}

impl Default for Board {
    fn default() -> Board {
        Board::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(action: Action, key: Option<&str>) -> Order {
        let (user, piece) = (game::USER.to_owned(), game::PACMAN.to_owned());
        Order { user, piece, action, key: key.map(str::to_owned) }
    }

    fn change(board: &Board, order: &Order) -> Applied {
        match board.plan(order) {
            Ok(Plan::Change(applied)) => applied,
            other => panic!("{order:?} is no change: {other:?}"),
        }
    }

    #[test]
    fn planning_changes_nothing_and_applying_moves_one_field() {
        let mut board = Board::new();
        let start = board.find(game::PACMAN).unwrap();
        let applied = change(&board, &order(Action::Move(Direction::Left), None));
        assert_eq!((board.clock(), board.find(game::PACMAN)), (0, Some(start)));
        board.apply(applied);
        let next = Position { x: start.x - 1, ..start };
        assert_eq!((board.clock(), board.find(game::PACMAN)), (1, Some(next)));
    }

    #[test]
    fn a_key_is_honoured_once_and_only_for_the_same_order() {
        let mut board = Board::new();
        let first = order(Action::Move(Direction::Left), Some("k"));
        let applied = change(&board, &first);
        board.apply(applied.clone());
        assert_eq!(board.plan(&first), Ok(Plan::Repeated(applied)));
        let other = order(Action::Move(Direction::Up), Some("k"));
        assert_eq!(board.plan(&other), Err(Refused::KeyReused));
    }

    #[test]
    fn the_edges_of_the_board_hold() {
        let corner = Position { x: 0, y: 0 };
        assert_eq!(corner.step(Direction::Left), None);
        assert_eq!(corner.step(Direction::Up), None);
        let corner = Position { x: WIDTH - 1, y: HEIGHT - 1 };
        assert_eq!(corner.step(Direction::Right), None);
        assert_eq!(corner.step(Direction::Down), None);
    }

    #[test]
    fn ghosts_belong_to_the_board_and_a_removed_piece_is_gone() {
        let mut board = Board::new();
        let ghost = Order { piece: game::BLINKY.into(), ..order(Action::Remove, None) };
        assert_eq!(board.plan(&ghost), Err(Refused::NotYours));
        let applied = change(&board, &order(Action::Remove, None));
        board.apply(applied);
        assert_eq!(board.plan(&order(Action::Remove, None)), Err(Refused::NoSuchPiece));
    }
}
