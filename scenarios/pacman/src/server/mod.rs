//! The board's program.
//!
//! It is written to be killed: there is no orderly shutdown, because everything that was answered
//! is on the disk and everything else was not answered.

mod guard;
mod handlers;
mod refusal;
mod sealing;
mod store;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::config::ServerConfig;

pub use guard::{KeepAlive, Throttle};
pub use store::{Failure, Store};

/// How often the journal is tried at the start before the server gives up, and the pause in
/// between: a disk that is full now need not be in a moment.
const OPEN_ATTEMPTS: u32 = 20;
const OPEN_PAUSE: Duration = Duration::from_millis(500);

/// The server as a host's program: settings from the environment, defaults of
/// [`ServerConfig::for_host`].
#[tokio::main]
pub async fn main() -> ExitCode {
    crate::log::to_stderr();
    match ServerConfig::for_host().with_env() {
        Ok(config) => run(config).await,
        Err(error) => {
            eprintln!("pacman: {error}");
            ExitCode::from(2)
        }
    }
}

/// Serves until the process ends; prints where it listens. The exit code is 1 when it cannot start.
pub async fn run(config: ServerConfig) -> ExitCode {
    let served = match Server::bind(config).await {
        Ok(server) => {
            println!("pacman: the board listens on http://{}", server.address());
            server.serve().await
        }
        Err(error) => Err(error),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pacman: the board cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A server that has its state and its port, and accepts connections as soon as it is served.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: axum::Router,
}

impl Server {
    /// Reads the journal and takes the port.
    ///
    /// # Errors The journal cannot be read or is damaged ([`crate::journal::Journal::open`]), or
    /// the port is taken.
    pub async fn bind(config: ServerConfig) -> io::Result<Server> {
        let store = open(&config).await?;
        let state = handlers::Shared::new(Arc::new(store), &config);
        let listener = TcpListener::bind(&config.listen).await.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {}: {error}", config.listen))
        })?;
        let address = listener.local_addr()?;
        Ok(Server { listener, address, app: handlers::router(state) })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests, for good.
    ///
    /// # Errors
    /// Those of the listening socket.
    pub async fn serve(self) -> io::Result<()> {
        axum::serve(self.listener, self.app).await
    }
}

async fn open(config: &ServerConfig) -> io::Result<Store> {
    let mut attempt = 1;
    loop {
        let data = config.data.clone();
        let opened = tokio::task::spawn_blocking(move || Store::open(&data)).await?;
        match opened {
            Err(error) if attempt < OPEN_ATTEMPTS && error.kind() != io::ErrorKind::InvalidData => {
                tracing::warn!(%error, attempt, "the journal cannot be opened, trying again");
            }
            done => {
                let wrap = |error: io::Error| {
                    io::Error::new(error.kind(), format!("{}: {error}", config.data.display()))
                };
                return done.map_err(wrap);
            }
        }
        attempt += 1;
        tokio::time::sleep(OPEN_PAUSE).await;
    }
}
