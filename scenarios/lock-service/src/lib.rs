//! A lock service, a file store and two clients: figures 8-4 and 8-5 of *Designing Data-Intensive Applications*.
//!
//! | part | what it is |
//! |---|---|
//! | [`locks`] | who holds which lock: the state that all lock servers have |
//! | [`raft`] | how they agree about it, and what each keeps on its disk |
//! | [`server`] | a lock server: leases, and HTTP for clients and for the other servers |
//! | [`store`] | keeps the file, with a fence or without |
//! | [`client`] | adds a line to the file under the lock |

pub mod client;
pub mod database;
pub mod locks;
#[allow(clippy::result_large_err, reason = "the traits of openraft name its errors")]
pub mod raft;
pub mod server;
pub mod store;

use std::time::Duration;

use axum::Router;
use scenario_programs::http;
use tokio::net::TcpListener;

/// How long a lock is granted for.
pub const TTL: Duration = Duration::from_secs(5);
/// The name of the lock that guards the file.
pub const LOCK: &str = "file";
/// How long to wait before what did not work is tried again.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// How long the head of a request may take, and then its body.
const SLOWEST: Duration = Duration::from_secs(2);

/// HTTP as lock servers and store serve it: a request's body has so many bytes at most.
async fn serve_http(listener: TcpListener, app: Router, body_max: usize) {
    http::serve(listener, http::whole(app, SLOWEST, body_max), SLOWEST).await;
}
