//! The programs as processes: killed, started again, out of disk space.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use pacman::client::careful;
use pacman::game::check_game;
use pacman::journal;
use pacman::protocol::ErrorCode::RetryableError;
use pacman::protocol::Location;

use super::proxy::{Plan, Proxy, Trouble, Way};
use super::support::{Board, a_move, client_config, server_config};

const PACMAN: &str = env!("CARGO_BIN_EXE_pacman");

/// A server process; killed when it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(command: &mut Command, data: &Path, listen: &str) -> Server {
        let command = command.env("PACMAN_DATA", data).env("PACMAN_LISTEN", listen);
        let command = command.env("RUST_LOG", "warn").stdout(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().rsplit(' ').next().unwrap_or_default().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "the server said {line:?}");
        Server { child, url }
    }

    /// SIGKILL, as a crash would.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn server() -> Command {
    let mut command = Command::new(PACMAN);
    command.arg("server");
    command
}

fn client(kind: &str, board: &str, data: &Path) -> Command {
    let mut command = Command::new(PACMAN);
    command.args([OsStr::new("client"), kind.as_ref(), "--board".as_ref(), board.as_ref()]);
    command.arg("--data").arg(data).env("RUST_LOG", "warn").stdout(Stdio::piped());
    command.env("PACMAN_TIMEOUT_MS", "60000");
    command
}

fn printed(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_client_process_plays_a_game_and_prints_its_end() {
    for kind in ["naive", "careful"] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(&mut server(), dir.path(), "127.0.0.1:0");
        let line = printed(client(kind, &server.url, dir.path()).output().unwrap());
        assert_eq!(line, "pacman: slain by ghost Blinky at (11,21) after 4 moves, clock 5\n");
        assert_eq!(check_game(&journal::read(dir.path()).unwrap()), Ok(()));
    }
}

#[test]
fn a_setting_that_makes_no_sense_is_named() {
    let output = server().env("PACMAN_BURST", "many").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "pacman: PACMAN_BURST is `many`; expected a whole number\n");
}

/// The player is killed while the reply to its nth request is on the way, and started again.
#[tokio::test]
async fn a_killed_careful_player_goes_on_where_it_was() {
    for nth in 0..10 {
        let (board_dir, player_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let board = Board::start(server_config(board_dir.path())).await;
        let plan = Plan { way: Way::ToPlayer, nth, trouble: Trouble::Hold };
        let proxy = Proxy::start(&board.url, plan).await;
        let mut player = client("careful", &proxy.url, player_dir.path()).spawn().unwrap();
        proxy.strike().await;
        player.kill().unwrap();
        player.wait().unwrap();
        let again = careful::play(&client_config(&board.url, player_dir.path()), &mut ()).await;
        assert_eq!(again.unwrap().moves, 4, "killed at reply {nth}");
        assert_eq!(check_game(&board.journal().await), Ok(()), "killed at reply {nth}");
    }
}

/// The server is killed while it holds the nth request's reply, and started again on the same disk
/// and port.
#[tokio::test]
async fn a_killed_server_has_its_state_back_and_the_game_goes_on() {
    for nth in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Server::start(&mut server(), dir.path(), "127.0.0.1:0");
        let plan = Plan { way: Way::ToPlayer, nth, trouble: Trouble::Hold };
        let proxy = Proxy::start(&first.url, plan).await;
        let config = client_config(&proxy.url, dir.path());
        let game = tokio::spawn(async move { careful::play(&config, &mut ()).await });
        proxy.strike().await;
        first.kill();
        let listen = first.url.trim_start_matches("http://").to_owned();
        let second = Server::start(&mut server(), dir.path(), &listen);
        game.await.unwrap().unwrap_or_else(|error| panic!("killed at reply {nth}: {error}"));
        let told = Board::at(second.url.clone()).journal().await;
        assert_eq!(check_game(&told), Ok(()), "killed at reply {nth}");
        assert_eq!(journal::read(dir.path()).unwrap(), told);
    }
}

/// A file may not grow past the limit (setrlimit(2), RLIMIT_FSIZE): the write that reaches it is
/// cut short and the rest refused with EFBIG, as on a full disk with ENOSPC. SIGXFSZ is ignored, or
/// it would kill the server.
#[tokio::test]
async fn a_disk_without_room_refuses_the_change_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"trap '' XFSZ; ulimit -f 1; exec "$0" server"#, PACMAN]);
    let mut server_process = Server::start(&mut limited, dir.path(), "127.0.0.1:0");
    let board = Board::at(server_process.url.clone());
    let mut answers = Vec::new();
    let refused = loop {
        let key = format!("key-{}", answers.len());
        let answer = board.post("/move", &a_move("left", Some(&key))).await;
        if answer.status != 200 {
            break answer;
        }
        answers.push(answer.parse::<Location>());
        assert!(answers.len() < 12, "the limit never struck");
    };
    assert_eq!(refused.refusal(), (503, RetryableError));
    let good = answers.last().copied().expect("some changes fit");
    assert_eq!(board.find().await, good, "the refused change is not seen");
    assert_eq!(journal::read(dir.path()).unwrap().len(), answers.len());
    let size = std::fs::metadata(dir.path().join(journal::FILE)).unwrap().len();
    let whole_lines = std::fs::read_to_string(dir.path().join(journal::FILE)).unwrap();
    assert!(size > 0 && whole_lines.ends_with("}\n"), "no part of a record is left: {whole_lines}");

    // With room again, after a crash, the same order is applied once.
    server_process.kill();
    let roomy = Server::start(&mut server(), dir.path(), "127.0.0.1:0");
    let board = Board::at(roomy.url.clone());
    assert_eq!(board.find().await, good);
    let key = format!("key-{}", answers.len());
    let again: Location = board.post("/move", &a_move("left", Some(&key))).await.parse();
    assert_eq!((again.x, again.clock), (good.x - 1, good.clock + 1));
}
