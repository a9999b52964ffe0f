//! What the server answers, and what it keeps.

use std::io::Write;
use std::time::Duration;

use pacman::board::{Action, Direction};
use pacman::config::ServerConfig;
use pacman::journal;
use pacman::protocol::ErrorCode::{CorruptMessage, InvalidMessage, RetryableError, UserNotFound};
use pacman::protocol::{FoundAll, Location};
use pacman::seal;

use super::support::{Board, a_move, server_config};

#[tokio::test]
async fn find_and_find_all_tell_where_the_pieces_are() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    let (find, all) = ("/find?user=8765309&name=pacman", "/findAll?user=8765309&kind=ghost");
    let sealed = |call: &str| format!("/v2{call}");
    for found in [board.get(find).await, board.get_sealed(&sealed(find)).await] {
        assert_eq!(found.body, r#"{"xPos":13,"yPos":23,"clock":0}"#);
    }
    for ghosts in [board.get(all).await, board.get_sealed(&sealed(all)).await] {
        let ghosts: FoundAll = ghosts.parse();
        let names: Vec<_> = ghosts.pieces.iter().map(|ghost| ghost.name.as_str()).collect();
        assert_eq!(names, ["Blinky", "Clyde", "Inky", "Pinky"]);
    }
    assert_eq!(board.get(&sealed(find)).await.refusal(), (400, CorruptMessage), "no seal");
}

#[tokio::test]
async fn a_change_moves_the_clock_and_a_refused_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    let moved: Location = board.post("/move", &a_move("left", None)).await.parse();
    assert_eq!((moved.x, moved.y, moved.clock), (12, 23, 1));
    assert_eq!(board.find().await, moved);
    let removed: Location =
        board.post("/remove", r#"{"user":"8765309","piece":"pacman"}"#).await.parse();
    assert_eq!((removed.x, removed.y, removed.clock), (12, 23, 2));
    let gone = board.post("/move", &a_move("left", None)).await;
    assert_eq!(gone.refusal(), (404, UserNotFound));
    assert_eq!(board.get("/find?user=8765309&name=pacman").await.refusal(), (404, UserNotFound));
    assert_eq!(board.journal().await.len(), 2);
}

#[tokio::test]
async fn messages_that_make_no_sense_are_invalid_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    let long = a_move("left", Some(&"k".repeat(65)));
    let ghost = a_move("left", None).replace("pacman", "Blinky");
    let unknown_field = a_move("left", None).replace("direction", "dir\":\"up\",\"direction");
    for body in ["", "{}", "[]", "null", &a_move("sideways", None), &long, &ghost, &unknown_field] {
        assert_eq!(board.post("/move", body).await.refusal(), (400, InvalidMessage), "{body}");
    }
    let nothing = ["/find", "/find?user=8765309", "/findAll?user=8765309&kind=wall", "/nowhere"];
    let extra = ["/find?user=8765309&name=pacman&x=1", "/find?user=&name=pacman", "/move"];
    for target in nothing.iter().chain(&extra) {
        assert_eq!(board.get(target).await.refusal(), (400, InvalidMessage), "{target}");
    }
    let huge = board.post("/move", &" ".repeat(5000)).await;
    assert_eq!(huge.refusal().0, 400);
    assert_eq!(board.journal().await, []);
}

#[tokio::test]
async fn the_board_ends_at_its_edge() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    for _ in 0..13 {
        board.post("/move", &a_move("left", None)).await.parse::<Location>();
    }
    let over = board.post("/move", &a_move("left", None)).await;
    assert_eq!(over.refusal(), (400, InvalidMessage));
    assert_eq!(board.find().await.x, 0);
}

#[tokio::test]
async fn unknown_users_are_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    assert_eq!(board.get("/find?user=1&name=pacman").await.refusal(), (404, UserNotFound));
    let stranger = a_move("left", None).replace("8765309", "1");
    assert_eq!(board.post("/move", &stranger).await.refusal(), (404, UserNotFound));
    assert_eq!(board.journal().await, []);
}

#[tokio::test]
async fn a_user_silent_for_too_long_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let keep_alive = Duration::ZERO;
    let board = Board::start(ServerConfig { keep_alive, ..server_config(dir.path()) }).await;
    let refusal = board.post("/move", &a_move("left", None)).await.refusal();
    assert_eq!(refusal, (404, UserNotFound));
    assert_eq!(board.journal().await, []);
}

#[tokio::test]
async fn a_user_who_asks_too_often_is_told_to_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (burst, per_second) = (2, 0);
    let config = ServerConfig { burst, per_second, ..server_config(dir.path()) };
    let board = Board::start(config).await;
    board.find().await;
    board.post("/move", &a_move("left", None)).await.parse::<Location>();
    let third = board.post("/move", &a_move("left", None)).await;
    assert_eq!(third.refusal(), (429, RetryableError));
    assert_eq!(board.journal().await.len(), 1);
    let other = board.get("/find?user=1&name=pacman").await;
    assert_eq!(other.refusal(), (404, UserNotFound), "another user is not throttled");
}

#[tokio::test]
async fn an_order_with_a_key_is_applied_once_across_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let order = a_move("left", Some("game-1"));
    let first = {
        let board = Board::start(server_config(dir.path())).await;
        let first = board.post_sealed("/v2/move", &order).await;
        assert_eq!(board.post_sealed("/v2/move", &order).await.body, first.body);
        first
    };
    let board = Board::start(server_config(dir.path())).await;
    assert_eq!(board.post_sealed("/v2/move", &order).await.body, first.body);
    assert_eq!(board.post("/move", &order).await.body, first.body, "on either API");
    assert_eq!(board.journal().await.len(), 1);
    let other = board.post_sealed("/v2/move", &a_move("up", Some("game-1"))).await;
    assert_eq!(other.refusal(), (400, InvalidMessage), "a key names one order");
    let (next, second) = (a_move("up", Some("game-2")), board.journal().await.len() as u64 + 1);
    assert_eq!(board.post_sealed("/v2/move", &next).await.parse::<Location>().clock, second);
    let before = board.post_sealed("/v2/move", &order).await;
    assert_eq!(before.body, first.body, "the stored answer, not the present state");
}

#[tokio::test]
async fn copies_that_arrive_together_are_applied_once() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    let order = a_move("left", Some("k"));
    let copies =
        (board.post("/move", &order), board.post("/move", &order), board.post("/move", &order));
    let (a, b, c) = tokio::join!(copies.0, copies.1, copies.2);
    assert_eq!((&a.body, a.status), (&b.body, 200));
    assert_eq!(a.body, c.body);
    assert_eq!(board.journal().await.len(), 1);
}

#[tokio::test]
async fn a_broken_or_missing_seal_is_refused_before_anything_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::start(server_config(dir.path())).await;
    let (left, up) = (a_move("left", Some("k")), a_move("up", Some("k")));
    let seal = |path: &str, body: &str| seal::request("POST", path, 1, body.as_bytes());
    let wrong = [
        ("/v2/move", &left, seal("/v2/move", &up)),
        ("/v2/move", &left, seal("/v2/remove", &left)),
        ("/v2/move", &left, seal("/v2/move", &left).to_uppercase()),
        ("/v2/move", &left, String::new()),
        // Wherever there is a seal it must hold, on the plain API too.
        ("/move", &left, seal("/v2/move", &left)),
        ("/find", &left, seal("/v2/move", &left)),
    ];
    for (path, body, seal) in wrong {
        let answer = board.post_with_seal(path, body, &seal).await;
        assert_eq!(answer.refusal(), (400, CorruptMessage), "{path} {seal}");
    }
    let unsealed = board.post("/v2/move", &left).await;
    assert_eq!(unsealed.refusal(), (400, CorruptMessage), "a seal is mandatory there");
    let keyless = board.post_sealed("/v2/move", &a_move("left", None)).await;
    assert_eq!(keyless.refusal(), (400, InvalidMessage), "and so is a key");
    let keyless = r#"{"user":"8765309","piece":"pacman"}"#;
    assert_eq!(board.post_sealed("/v2/remove", keyless).await.refusal(), (400, InvalidMessage));
    assert_eq!(board.journal().await, []);
}

#[tokio::test]
async fn a_torn_last_record_was_never_answered_and_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    {
        let board = Board::start(server_config(dir.path())).await;
        board.post("/move", &a_move("left", None)).await.parse::<Location>();
    }
    let path = dir.path().join(journal::FILE);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(br#"01234567 {"clock":2,"user":"876"#).unwrap();
    let board = Board::start(server_config(dir.path())).await;
    assert_eq!(board.find().await.clock, 1);
    board.post("/move", &a_move("up", None)).await.parse::<Location>();
    let (told, kept) = (board.journal().await, journal::read(dir.path()).unwrap());
    let actions: Vec<_> = told.iter().map(|change| change.action).collect();
    assert_eq!(actions, [Action::Move(Direction::Left), Action::Move(Direction::Up)]);
    assert_eq!(told, kept, "what the board tells is what the disk holds");
}

#[tokio::test]
async fn a_damaged_journal_keeps_the_board_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    {
        let board = Board::start(server_config(dir.path())).await;
        board.post("/move", &a_move("left", None)).await.parse::<Location>();
        board.post("/move", &a_move("left", None)).await.parse::<Location>();
    }
    let path = dir.path().join(journal::FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = pacman::server::Server::bind(server_config(dir.path())).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("line 1 is damaged"), "{error}");
}
