//! The game that is played: a fixed layout, a fixed joystick, and what a right game looks like
//! afterwards.

use crate::board::{Action, Applied, Direction, Kind, Piece, Position};

/// The one user the board knows (the document's `userId`).
pub const USER: &str = "8765309";
/// The user's piece.
pub const PACMAN: &str = "pacman";
/// The ghost that the joystick leads Pac-Man to.
pub const BLINKY: &str = "Blinky";
/// Where Pac-Man starts.
pub const START: Position = Position { x: 13, y: 23 };
/// The joystick, frame by frame. No beginning of it and no repetition within it reaches a ghost's
/// field in another way, so a move applied twice or left out always shows in the journal.
pub const JOYSTICK: [Direction; 4] =
    [Direction::Left, Direction::Left, Direction::Up, Direction::Up];

/// The pieces and where they stand when the game begins.
pub fn layout() -> Vec<(String, Piece)> {
    let owner = Some(USER.to_owned());
    let mut pieces = vec![(PACMAN.to_owned(), Piece { kind: Kind::Pacman, owner, at: START })];
    pieces.extend([(BLINKY, 11, 21), ("Pinky", 13, 14), ("Inky", 11, 14), ("Clyde", 15, 14)].map(
        |(name, x, y)| {
            let at = Position { x, y };
            (name.to_owned(), Piece { kind: Kind::Ghost, owner: None, at })
        },
    ));
    pieces
}

/// The changes that a whole game consists of, in order: every frame of the joystick, then the
/// removal.
pub fn intended() -> Vec<Action> {
    JOYSTICK.into_iter().map(Action::Move).chain([Action::Remove]).collect()
}

/// Safety: what the board has applied so far is the beginning of the intended game, each change
/// once, in order, from the field where the one before it ended.
///
/// `applied` is the journal, oldest record first ([`crate::journal::read`] or `GET /journal`).
///
/// # Errors
/// A sentence that names the first change that is not as intended.
pub fn check_so_far(applied: &[Applied]) -> Result<(), String> {
    let intended = intended();
    let mut at = START;
    for (place, change) in applied.iter().enumerate() {
        let wanted = intended.get(place);
        if change.clock != place as u64 + 1 {
            return Err(format!("change {} carries clock {}", place + 1, change.clock));
        }
        if change.user != USER || change.piece != PACMAN {
            return Err(format!("{} is not the player's change", describe(change)));
        }
        if change.from != at {
            return Err(format!("{} does not start where Pac-Man stood, {at}", describe(change)));
        }
        if wanted != Some(&change.action) {
            return Err(match wanted {
                Some(action) => {
                    format!("{} was applied where {} was meant", describe(change), name(*action))
                }
                None => format!("{} was applied after the game had ended", describe(change)),
            });
        }
        at = destination(change)?;
    }
    Ok(())
}

/// Safety and completion: every intended change was applied exactly once and in order, and nothing
/// else was.
///
/// # Errors
/// A sentence that names the first change that is wrong or missing.
pub fn check_game(applied: &[Applied]) -> Result<(), String> {
    check_so_far(applied)?;
    match intended().get(applied.len()) {
        Some(missing) => {
            Err(format!("change {} ({}) was never applied", applied.len() + 1, name(*missing)))
        }
        None => Ok(()),
    }
}

/// Where a change must have left Pac-Man, if the record says so too.
fn destination(change: &Applied) -> Result<Position, String> {
    let expected = match change.action {
        Action::Move(direction) => change.from.step(direction),
        Action::Remove => Some(change.from),
    };
    match expected {
        Some(to) if to == change.to => Ok(to),
        _ => Err(format!("{} ended on {}", describe(change), change.to)),
    }
}

fn describe(change: &Applied) -> String {
    format!("change {} ({} from {})", change.clock, name(change.action), change.from)
}

fn name(action: Action) -> String {
    match action {
        Action::Move(direction) => format!("move {direction}"),
        Action::Remove => "remove".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Board, Order, Plan};

    fn play(actions: &[Action]) -> Vec<Applied> {
        let mut board = Board::new();
        for action in actions {
            let order =
                Order { user: USER.into(), piece: PACMAN.into(), action: *action, key: None };
            match board.plan(&order) {
                Ok(Plan::Change(change)) => board.apply(change),
                other => panic!("{other:?}"),
            }
        }
        board.history().to_vec()
    }

    #[test]
    fn the_intended_game_ends_on_blinky() {
        let history = play(&intended());
        assert_eq!(check_game(&history), Ok(()));
        let blinky = layout().into_iter().find(|(name, _)| name == BLINKY).unwrap().1.at;
        assert_eq!(history.last().unwrap().to, blinky);
    }

    #[test]
    fn every_beginning_is_safe_but_only_the_whole_game_is_complete() {
        let history = play(&intended());
        for length in 0..history.len() {
            assert_eq!(check_so_far(&history[..length]), Ok(()));
            let error = check_game(&history[..length]).unwrap_err();
            assert!(error.contains("never applied"), "{error}");
        }
    }

    #[test]
    fn every_move_applied_twice_or_left_out_is_found() {
        for place in 0..JOYSTICK.len() {
            let mut twice = intended();
            twice.insert(place, twice[place]);
            check_so_far(&play(&twice)).unwrap_err();
            let mut without = intended();
            without.remove(place);
            check_game(&play(&without)).unwrap_err();
        }
    }
}
