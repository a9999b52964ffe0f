//! Networked Pac-Man, the running example of "Challenges with distributed systems" (Amazon
//! Builders' Library): a board kept by one server, and players who reach it over HTTP.
//!
//! The crate is an ordinary program. It does not know that it may be run on simulated hosts, and
//! nothing in it is there for that purpose.
//!
//! Each program is a plain function that takes its settings from the environment:
//!
//! ```
//! use std::process::ExitCode;
//! let programs: [fn() -> ExitCode; 3] =
//!     [pacman::server::main, pacman::client::naive::main, pacman::client::careful::main];
//! ```
//!
//! Map: [`game`] says what is played and what a right game looks like; [`board`] is the state of
//! the board as a plain value; [`journal`] keeps it on disk; [`protocol`] and [`seal`] are what
//! goes over the wire; [`server`] is the board's program; [`client`] holds the two players, the
//! naive one and the careful one.

pub mod board;
pub mod client;
pub mod config;
pub mod game;
pub mod journal;
pub mod log;
pub mod protocol;
pub mod seal;
pub mod server;
