//! Runs real, unmodified programs on a simulated Linux, with every failure of every request and reply.
//!
//! A test describes hosts, each with a program: a plain function, such as the `main` of a service.
//! The programs run natively, but every system call they make goes to a simulated kernel: network,
//! disks, clocks and threads are simulated, time is virtual, and a run comes out the same every time.
//!
//! ```no_run
//! # mod bank { pub fn main() {} }
//! # mod teller { pub fn run(_: &str, _: &bizarro::History) {} }
//! use bizarro::prelude::*;
//!
//! #[bizarro::test]
//! fn money_is_never_made_or_lost(world: &mut World) {
//!     world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
//!
//!     let history = world.history("bank");
//!     world.host("bank").env("RUST_LOG", "info").program(bank::main);
//!     world.host("teller").workload({
//!         let history = history.clone();
//!         move || teller::run("http://bank:8080", &history) // the run ends when the workload does
//!     });
//!
//!     world.check("nothing is withdrawn twice", |run| {
//!         let taken: u64 = run.history("bank").iter().filter_map(|op| op.result::<u64>().ok()).sum();
//!         if taken <= 100 { Ok(()) } else { Err(format!("{taken} taken from 100")) }
//!     });
//!     world.eventually("the teller is served again", secs(30)); // after the last fault
//! }
//! ```
//!
//! `cargo test` (or `cargo nextest run`) makes, for each such test:
//! 1. the **baseline**: one run without faults, and a second one that has to be equal (the self-check);
//! 2. the **matrix**: for each request/reply of the baseline and each of the eight steps at which it can
//!    fail, a run in which it does;
//! 3. 16 runs under **random schedules**.
//!
//! A run in which a property does not hold fails the test; the last line of the failure is the one
//! command that repeats it. `cargo bizarro` (the crate `cargo-bizarro`) does the same for one test at a
//! time, in release mode, and shows the matrix.
//!
//! # What is true of every run
//! No thread panics, no run ends in a deadlock or passes the virtual deadline, and nothing asks for what is not simulated (that makes
//! the result *inconclusive*). To these come [`always!`], [`sometimes!`], [`reachable!`] and [`unreachable!`] in
//! the programs, and [`World::check`] and [`World::eventually`] in the test.
//!
//! # How a test runs
//! The test process itself is only the *supervisor*. It starts its own binary again as a *world
//! process*, with a shared object preloaded that holds the simulator, a fixed environment and `/` as its directory; there the
//! test function describes the hosts once more, and each run is a fork of that process. So:
//! - the description must be the same in both processes: it must not depend on environment variables, the current directory, time or randomness;
//! - programs, and what their closures captured, are each host's own copy (see [`Host`]);
//! - checks run in the test's own process.
//!
//! # Speed
//! A run costs what its programs cost natively, and no waiting. Under `cargo test` these are debug builds; most
//! of their work is in libraries, which can be optimised all the same:
//! ```toml
//! [profile.dev.package."*"]
//! opt-level = 2
//! ```
//! `cargo bizarro` builds in release mode. The simulator is always optimised; building it takes a while, once
//! per profile.
//!
//! # Environment variables
//! | variable | meaning |
//! |---|---|
//! | `BIZARRO_PLAN` | make this one run and nothing else, such as `player>board POST /move #3 deliver-reply=lost` |
//! | `BIZARRO_SEEDS` | how many random schedules are tried |
//! | `BIZARRO_MATRIX` | `0`: not the matrix |
//! | `BIZARRO_GROUPS` | `1`: the matrix is asked between groups of hosts, and not between hosts |
//! | `BIZARRO_PAIRS` | how many pairs of faults the matrix tries; none without it |
//! | `BIZARRO_RUNS`, `BIZARRO_TIME` | a swarm of so many runs, or of so many real seconds |
//! | `BIZARRO_SWARM_SEED` | what a swarm's plans are drawn from; 1 without it |
//! | `BIZARRO_DIRECTED` | `0`: a swarm takes no notice of what its runs came to |
//! | `BIZARRO_REGRESSIONS` | `0`: plans that broke the test are neither kept in `bizarro-regressions` nor run first |
//! | `BIZARRO_TRACE` | `1`: print every system call of the run that `BIZARRO_PLAN` asks for |
//! | `BIZARRO_FORKS` | `0`: the matrix makes every run from its beginning; `1`: it forks those that begin alike where their faults strike; otherwise where that is faster. The same in every result |
//! | `BIZARRO_HOOKS` | `0`: every system call is trapped; slower, and the same in every result |
//! | `BIZARRO_JOBS` | how many world processes work at once; 1 without it |
//! | `BIZARRO_WATCHDOG` | real seconds that a run may take before it is called lost; 30 without it |
//!
//! # Features
//! `supervisor` (default) brings everything a test needs, and builds the simulator once. A production
//! crate that only wants the assertions and [`History`] switches it off.

// Elsewhere a test only says that it cannot run.
#![cfg_attr(not(worlds), allow(dead_code))]

mod assert;
#[cfg(feature = "supervisor")]
mod blueprint;
#[cfg(feature = "supervisor")]
mod check;
#[cfg(feature = "supervisor")]
mod clock;
#[cfg(feature = "supervisor")]
mod explore;
mod group;
#[cfg(all(feature = "supervisor", worlds))]
mod guest;
mod history;
#[cfg(feature = "supervisor")]
mod host;
#[cfg(feature = "supervisor")]
mod incident;
#[cfg(feature = "supervisor")]
mod judge;
#[cfg(all(feature = "supervisor", worlds))]
mod lab;
#[cfg(feature = "supervisor")]
mod link;
mod milestone;
#[cfg(feature = "supervisor")]
mod mistake;
#[cfg(feature = "supervisor")]
mod program;
#[cfg(feature = "supervisor")]
mod run;
#[cfg(feature = "supervisor")]
pub mod supervisor;
mod traitor;
#[cfg(feature = "supervisor")]
mod world;
#[cfg(feature = "supervisor")]
mod zone;

pub use history::{History, Op};
pub use milestone::milestone;
pub use traitor::traitor;

#[cfg(all(feature = "supervisor", worlds))]
pub use lab::Lab;

/// Models of objects, and checkers of histories.
#[cfg(feature = "supervisor")]
pub use bizarro_check;

#[cfg(feature = "supervisor")]
pub use {
    bizarro_fault::{Network, Nodes, Timing},
    bizarro_macros::test,
    bizarro_record::{
        Ending, Event, Exchange, Injection, LeapHandling, Memory, Nanos, Plan, RunRecord,
    },
    explore::Explore,
    host::Host,
    incident::Incidents,
    link::{Latency, Link},
    run::{OpView, Run},
    world::World,
    zone::Switch,
};

/// What a test file wants: `use bizarro::prelude::*;`.
///
/// [`unreachable!`](crate::unreachable) is not among it: it would hide the standard one.
pub mod prelude {
    #[cfg(feature = "supervisor")]
    pub use crate::{
        Explore, Host, LeapHandling, Link, Network, Nodes, OpView, Run, Switch, Timing, World,
    };
    pub use crate::{History, Op, always, reachable, sometimes};
    use std::time::Duration;

    /// `n` seconds.
    pub const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// `n` milliseconds.
    pub const fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// `n` microseconds.
    pub const fn micros(n: u64) -> Duration {
        Duration::from_micros(n)
    }
}

/// What macros expand to. Not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use crate::assert::look;
    #[cfg(feature = "supervisor")]
    pub use crate::supervisor::test;
    pub use bizarro_call::present as in_world;
    pub use bizarro_record::PropertyKind;
}
