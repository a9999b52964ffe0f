//! Settings of the programs: defaults for a host of its own, defaults for one machine, environment
//! variables.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::game;

/// A setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    variable: &'static str,
    found: String,
    expected: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is `{}`; expected {}", self.variable, self.found, self.expected)
    }
}

impl std::error::Error for ConfigError {}

/// Settings of the board's server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address and port to listen on (`PACMAN_LISTEN`).
    pub listen: String,
    /// Directory of the journal (`PACMAN_DATA`).
    pub data: PathBuf,
    /// A user silent for longer than this is given up (`PACMAN_KEEP_ALIVE_MS`).
    pub keep_alive: Duration,
    /// Requests a user may send at once, after a rest (`PACMAN_BURST`).
    pub burst: u32,
    /// Requests a user may send in a second, in the long run (`PACMAN_RATE`).
    pub per_second: u32,
}

impl ServerConfig {
    /// For a host of its own: every interface, port 8080, `/var/lib/pacman`.
    pub fn for_host() -> ServerConfig {
        ServerConfig {
            listen: "0.0.0.0:8080".into(),
            data: "/var/lib/pacman".into(),
            keep_alive: Duration::from_secs(300),
            burst: 50,
            per_second: 50,
        }
    }

    /// For one machine: loopback only, and a new directory for each process, so that each starts a
    /// new game.
    pub fn for_one_machine() -> ServerConfig {
        let (listen, data) = ("127.0.0.1:8080".into(), own_temp_dir("board"));
        ServerConfig { listen, data, ..ServerConfig::for_host() }
    }

    /// These settings, replaced where the environment says so.
    ///
    /// # Errors
    /// A variable whose value cannot be understood.
    pub fn with_env(self) -> Result<ServerConfig, ConfigError> {
        Ok(ServerConfig {
            listen: text("PACMAN_LISTEN", self.listen),
            data: text("PACMAN_DATA", self.data),
            keep_alive: millis("PACMAN_KEEP_ALIVE_MS", self.keep_alive)?,
            burst: number("PACMAN_BURST", self.burst)?,
            per_second: number("PACMAN_RATE", self.per_second)?,
        })
    }
}

/// Settings of a player.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where the board is, without a slash at the end (`PACMAN_BOARD`).
    pub board: String,
    /// Who plays (`PACMAN_USER`).
    pub user: String,
    /// The careful player's directory (`PACMAN_DATA`); the naive one keeps nothing.
    pub data: PathBuf,
    /// How long to wait.
    pub patience: Patience,
}

/// How long a player waits, and for what; the naive one waits for replies only.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the reply of the first attempt (`PACMAN_TIMEOUT_MS`). The careful player doubles it after
    /// every attempt that left it in doubt; the naive one knows nothing else.
    pub first_reply: Duration,
    /// For a reply, at most.
    pub longest_reply: Duration,
    /// Between the first and the second attempt, at most (`PACMAN_PAUSE_MS`); doubled after every
    /// attempt.
    pub first_pause: Duration,
    /// Between two attempts, at most.
    pub longest_pause: Duration,
    /// For one operation, with all its attempts (`PACMAN_DEADLINE_MS`).
    pub deadline: Duration,
    /// Attempts made before the deadline counts: a player that was itself stopped for minutes has
    /// not tried.
    pub attempts_min: u32,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            first_reply: Duration::from_secs(1),
            longest_reply: Duration::from_secs(10),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(3),
            deadline: Duration::from_secs(90),
            attempts_min: 5,
        }
    }
}

impl ClientConfig {
    /// For a host of its own: the board is the host `board`.
    pub fn for_host() -> ClientConfig {
        ClientConfig {
            board: "http://board:8080".into(),
            user: game::USER.into(),
            data: "/var/lib/pacman".into(),
            patience: Patience::default(),
        }
    }

    /// For one machine: the board is on loopback, and each process has a new directory.
    pub fn for_one_machine() -> ClientConfig {
        let (board, data) = ("http://127.0.0.1:8080".into(), own_temp_dir("player"));
        ClientConfig { board, data, ..ClientConfig::for_host() }
    }

    /// These settings, replaced where the environment says so.
    ///
    /// # Errors
    /// A variable whose value cannot be understood.
    pub fn with_env(self) -> Result<ClientConfig, ConfigError> {
        let usual = self.patience;
        Ok(ClientConfig {
            board: text("PACMAN_BOARD", self.board),
            user: text("PACMAN_USER", self.user),
            data: text("PACMAN_DATA", self.data),
            patience: Patience {
                first_reply: millis("PACMAN_TIMEOUT_MS", usual.first_reply)?,
                first_pause: millis("PACMAN_PAUSE_MS", usual.first_pause)?,
                deadline: millis("PACMAN_DEADLINE_MS", usual.deadline)?,
                ..usual
            },
        })
    }
}

fn own_temp_dir(role: &str) -> PathBuf {
    std::env::temp_dir().join(format!("pacman-{role}-{}", std::process::id()))
}

fn text<T: From<String>>(variable: &'static str, default: T) -> T {
    std::env::var(variable).map_or(default, T::from)
}

fn number<T: FromStr>(variable: &'static str, default: T) -> Result<T, ConfigError> {
    let Ok(found) = std::env::var(variable) else { return Ok(default) };
    found.parse().map_err(|_| ConfigError { variable, found, expected: "a whole number" })
}

fn millis(variable: &'static str, default: Duration) -> Result<Duration, ConfigError> {
    let Ok(found) = std::env::var(variable) else { return Ok(default) };
    let parsed = found.parse().map(Duration::from_millis);
    parsed.map_err(|_| ConfigError { variable, found, expected: "a whole number of milliseconds" })
}
