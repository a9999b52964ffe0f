//! Whole games: both players on a sound network, the careful one on a bad one.

use std::time::Duration;

use pacman::client::{End, GameError, Operation, Slain, Watch, careful, naive};
use pacman::game::{self, check_game, check_so_far};

use super::proxy::{Plan, Proxy, Trouble, Way};
use super::support::{Board, client_config, server_config};

/// Requests of a game without trouble: find, four times move and findAll, remove.
const REQUESTS: usize = 10;

fn expected() -> Slain {
    let at = pacman::board::Position { x: 11, y: 21 };
    Slain { ghost: game::BLINKY.into(), at, moves: 4, clock: 5 }
}

/// Writes down what a player does.
#[derive(Default)]
struct Notes(Vec<String>);

impl Watch for Notes {
    fn invoked(&mut self, operation: Operation) {
        self.0.push(operation.to_string());
    }
    fn ended(&mut self, _: Operation, end: End) {
        let last = self.0.last_mut().expect("what ends was begun");
        last.push_str(&format!(": {end:?}"));
    }
}

#[tokio::test]
async fn both_players_play_the_whole_game() {
    for careful in [false, true] {
        let (dir, mut notes) = (tempfile::tempdir().unwrap(), Notes::default());
        let board = Board::start(server_config(dir.path())).await;
        let mut config = client_config(&board.url, dir.path());
        // However busy this machine is, no request may seem lost: the naive player would repeat it.
        config.patience.first_reply = Duration::from_secs(60);
        let slain = match careful {
            false => naive::play(&config, &mut notes).await,
            true => careful::play(&config, &mut notes).await,
        };
        let slain = slain.unwrap();
        let line = "pacman: slain by ghost Blinky at (11,21) after 4 moves, clock 5";
        assert_eq!(slain.to_string(), line);
        assert_eq!(slain, expected());
        assert_eq!(check_game(&board.journal().await), Ok(()));
        let operations = "find: Done, move 1 (left): Done, findAll: Done, move 2 (left): Done, \
            findAll: Done, move 3 (up): Done, findAll: Done, move 4 (up): Done, findAll: Done, \
            remove: Done";
        assert_eq!(notes.0.join(", "), operations);
    }
}

#[tokio::test]
async fn a_game_that_is_over_is_reported_again_and_not_played_again() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    let config = client_config(&board.url, dir.path());
    careful::play(&config, &mut ()).await.unwrap();
    let mut notes = Notes::default();
    assert_eq!(careful::play(&config, &mut notes).await.unwrap(), expected());
    assert_eq!(notes.0, Vec::<String>::new());
}

#[tokio::test]
async fn a_board_that_is_not_there_is_given_up_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = client_config("http://127.0.0.1:1", dir.path());
    config.patience.deadline = Duration::ZERO;
    let mut notes = Notes::default();
    let error = careful::play(&config, &mut notes).await.unwrap_err();
    assert!(matches!(error, GameError::GaveUp { operation: Operation::Find, .. }), "{error}");
    assert_eq!(notes.0, ["find: Failed"], "no connection: it certainly was not done");
}

#[tokio::test]
async fn a_user_the_board_does_not_know_is_refused_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    let mut config = client_config(&board.url, dir.path());
    config.user = "a b&c".into();
    let error = careful::play(&config, &mut ()).await.unwrap_err();
    assert!(matches!(error, GameError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_throttled_careful_player_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = server_config(dir.path());
    (config.burst, config.per_second) = (1, 200);
    let board = Board::start(config).await;
    let slain = careful::play(&client_config(&board.url, dir.path()), &mut ()).await.unwrap();
    assert_eq!(slain, expected());
    assert_eq!(check_game(&board.journal().await), Ok(()));
}

/// One game of the careful player through a proxy with this plan.
async fn careful_game(plan: Plan) {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    let proxy = Proxy::start(&board.url, plan).await;
    let played = careful::play(&client_config(&proxy.url, dir.path()), &mut ()).await;
    assert!(proxy.struck(), "{plan:?} never happened");
    assert_eq!(played.unwrap_or_else(|error| panic!("{plan:?}: {error}")), expected(), "{plan:?}");
    assert_eq!(check_game(&board.journal().await), Ok(()), "{plan:?}");
}

#[tokio::test]
async fn the_careful_player_survives_every_reset_loss_and_truncation() {
    let troubles = [Trouble::Reset, Trouble::Lose, Trouble::ResetAfter, Trouble::Truncate];
    for trouble in troubles {
        for way in [Way::ToBoard, Way::ToPlayer] {
            for nth in 0..REQUESTS {
                careful_game(Plan { way, nth, trouble }).await;
            }
        }
    }
}

/// Every byte of a move (the second request) and of its reply is damaged in turn, each in another
/// bit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_careful_player_survives_damage_to_every_byte() {
    // Longer than request and reply; what lies beyond their ends wraps around to another bit of the
    // beginning.
    const BYTES: usize = 330;
    for way in [Way::ToBoard, Way::ToPlayer] {
        for byte in 0..BYTES {
            let bit = byte * 8 + (byte * 5 + byte / 8) % 8;
            careful_game(Plan { way, nth: 1, trouble: Trouble::Flip(bit) }).await;
        }
    }
}

#[tokio::test]
async fn the_naive_player_moves_twice_when_the_reply_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    let plan = Plan { way: Way::ToPlayer, nth: 1, trouble: Trouble::Reset };
    let proxy = Proxy::start(&board.url, plan).await;
    let mut config = client_config(&proxy.url, dir.path());
    config.patience.first_reply = Duration::from_secs(60);
    let played = naive::play(&config, &mut ()).await;
    assert!(matches!(played, Err(GameError::NeverSlain { moves: 4 })), "{played:?}");
    let broken = check_so_far(&board.journal().await).unwrap_err();
    assert_eq!(broken, "change 3 (move left from (11,23)) was applied where move up was meant");
}
