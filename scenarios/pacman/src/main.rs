//! `pacman server`, `pacman client naive`, `pacman client careful`, for one machine: loopback, and
//! a new directory for each process. Environment variables and options change that, options last.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pacman::client::{self, GameError, Narrator, careful, naive};
use pacman::config::{ClientConfig, ServerConfig};
use pacman::{log, server};

/// Networked Pac-Man: a board and two kinds of players.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Keep the board.
    Server {
        /// Address and port to listen on [default: 127.0.0.1:8080, environment: PACMAN_LISTEN]
        #[arg(long)]
        listen: Option<String>,
        /// Directory of the journal [default: a new one, environment: PACMAN_DATA]
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Play one game.
    #[command(subcommand)]
    Client(Player),
}

#[derive(Subcommand)]
enum Player {
    /// The client as one writes it in a hurry.
    Naive(PlayerOptions),
    /// The client that handles every outcome.
    Careful(PlayerOptions),
}

#[derive(clap::Args)]
struct PlayerOptions {
    /// Where the board is [default: http://127.0.0.1:8080, environment: PACMAN_BOARD]
    #[arg(long)]
    board: Option<String>,
    /// Directory of the careful player's progress [default: a new one, environment: PACMAN_DATA]
    #[arg(long)]
    data: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log::to_stderr();
    match cli.role {
        Role::Server { listen, data } => match ServerConfig::for_one_machine().with_env() {
            Ok(mut config) => {
                config.listen = listen.unwrap_or(config.listen);
                config.data = data.unwrap_or(config.data);
                server::run(config).await
            }
            Err(error) => client::report(Err(GameError::Config(error))),
        },
        Role::Client(player) => client::report(play(player).await),
    }
}

async fn play(player: Player) -> Result<client::Slain, GameError> {
    match player {
        Player::Naive(options) => naive::play(&options.config()?, &mut Narrator).await,
        Player::Careful(options) => careful::play(&options.config()?, &mut Narrator).await,
    }
}

impl PlayerOptions {
    fn config(self) -> Result<ClientConfig, GameError> {
        let mut config = ClientConfig::for_one_machine().with_env().map_err(GameError::Config)?;
        config.board = self.board.unwrap_or(config.board);
        config.data = self.data.unwrap_or(config.data);
        Ok(config)
    }
}
