//! Logs of both programs: to the standard error, at the level that `RUST_LOG` names (`info` if it
//! names none).

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;

/// Starts logging. A second call in the same process changes nothing.
pub fn to_stderr() {
    let level = std::env::var("RUST_LOG").ok().and_then(|level| level.parse().ok());
    let started = tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
    if let Err(already) = started {
        tracing::debug!(%already, "logging goes on as it was");
    }
}
