//! A real TCP proxy between player and board that does one thing wrong, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToBoard,
    ToPlayer,
}

/// What goes wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Both connections are reset; the message is lost.
    Reset,
    /// The message is lost, the connection stays open.
    Lose,
    /// The message arrives, then both connections are reset.
    ResetAfter,
    /// Only the first half arrives, then the connection ends.
    Truncate,
    /// One bit of the message is flipped, counted from its first byte's lowest bit.
    Flip(usize),
    /// The message is held, for good, and the test is told.
    Hold,
}

/// One thing that goes wrong: with the `nth` message (from 0) on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub way: Way,
    pub nth: usize,
    pub trouble: Trouble,
}

/// The running proxy.
pub(crate) struct Proxy {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    plan: Plan,
    board: String,
    to_board: AtomicUsize,
    to_player: AtomicUsize,
    struck: AtomicBool,
    told: Notify,
}

impl Proxy {
    /// Between whoever connects to `url` and the board at `board` (host and port).
    pub(crate) async fn start(board: &str, plan: Plan) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            plan,
            board: board.trim_start_matches("http://").to_owned(),
            to_board: AtomicUsize::new(0),
            to_player: AtomicUsize::new(0),
            struck: AtomicBool::new(false),
            told: Notify::new(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((player, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&shared).carry(player));
            }
        });
        Proxy { url, state }
    }

    /// Whether the planned trouble has happened.
    pub(crate) fn struck(&self) -> bool {
        self.state.struck.load(Ordering::SeqCst)
    }

    /// Waits until it has.
    pub(crate) async fn strike(&self) {
        self.state.told.notified().await;
    }
}

/// What becomes of a connection after a message.
enum Next {
    GoOn,
    Reset,
    End,
}

impl State {
    async fn carry(self: Arc<State>, mut player: TcpStream) {
        let Ok(mut board) = TcpStream::connect(&self.board).await else { return };
        let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
        // A request, and a reply, is written in one piece on loopback, and is one message here.
        loop {
            let next = tokio::select! {
                read = player.read(&mut up) => match read {
                    Ok(n) if n > 0 => self.pass(Way::ToBoard, &mut up[..n], &mut board).await,
                    _ => Next::End,
                },
                read = board.read(&mut down) => match read {
                    Ok(n) if n > 0 => self.pass(Way::ToPlayer, &mut down[..n], &mut player).await,
                    _ => Next::End,
                },
            };
            match next {
                Next::GoOn => {}
                Next::End => return,
                Next::Reset => {
                    // Closing with a zero linger time sends a reset (socket(7)).
                    player.set_zero_linger().unwrap();
                    board.set_zero_linger().unwrap();
                    return;
                }
            }
        }
    }

    async fn pass(&self, way: Way, message: &mut [u8], to: &mut TcpStream) -> Next {
        let count = match way {
            Way::ToBoard => &self.to_board,
            Way::ToPlayer => &self.to_player,
        };
        let nth = count.fetch_add(1, Ordering::SeqCst);
        if way != self.plan.way || nth != self.plan.nth {
            return written(to.write_all(message).await);
        }
        self.struck.store(true, Ordering::SeqCst);
        self.told.notify_one();
        match self.plan.trouble {
            Trouble::Reset => Next::Reset,
            Trouble::Lose => Next::GoOn,
            Trouble::ResetAfter => {
                let _ = to.write_all(message).await;
                Next::Reset
            }
            Trouble::Truncate => {
                let _ = to.write_all(&message[..message.len() / 2]).await;
                Next::End
            }
            Trouble::Flip(bit) => {
                message[bit / 8 % message.len()] ^= 1 << (bit % 8);
                written(to.write_all(message).await)
            }
            Trouble::Hold => std::future::pending().await,
        }
    }
}

fn written(result: std::io::Result<()>) -> Next {
    match result {
        Ok(()) => Next::GoOn,
        Err(_) => Next::End,
    }
}
