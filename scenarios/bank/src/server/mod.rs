//! The bank: a service of gRPC over a ledger in SQLite.

mod ledger;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use bizarro_remedy::idempotency::{HEADER, Key};
use scenario_programs::{ended, grpc};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

use crate::config::Config;
use crate::proto::bank_server::{Bank, BankServer};
use crate::proto::{Account, Answer, Money, Withdrawal};

pub use ledger::{Ledger, balance_of};

/// The bank as a host's program: settings from the environment.
#[tokio::main]
pub async fn main() -> ExitCode {
    ended("bank", run(&Config::from_env()).await)
}

/// Serves for good, and says where.
///
/// # Errors
/// The port is taken.
pub async fn run(config: &Config) -> io::Result<()> {
    let listener = TcpListener::bind(&config.listen).await?;
    println!("bank: listens on {}", listener.local_addr()?);
    serve(listener, config).await
}

/// Serves for good on this socket.
///
/// # Errors
/// Those of the socket.
pub async fn serve(listener: TcpListener, config: &Config) -> io::Result<()> {
    let ledger = Arc::new(Ledger::new(&config.data));
    let bank = BankServer::new(Service { ledger }).max_decoding_message_size(grpc::MESSAGE_MAX);
    grpc::serve(listener, bank, &config.token).await.map_err(io::Error::other)
}

#[derive(Debug)]
struct Service {
    ledger: Arc<Ledger>,
}

#[tonic::async_trait]
impl Bank for Service {
    async fn withdraw(&self, request: Request<Withdrawal>) -> Result<Response<Answer>, Status> {
        let key = match request.metadata().get(HEADER) {
            Some(value) => match Key::from_header(value.as_bytes()) {
                Ok(key) => Some(key),
                Err(error) => return Err(Status::invalid_argument(error.to_string())),
            },
            None => None,
        };
        let withdrawal = request.into_inner();
        if withdrawal.cents == 0 {
            return Err(Status::invalid_argument("nothing cannot be withdrawn"));
        }
        let ledger = Arc::clone(&self.ledger);
        // SQLite waits for the disk. What has begun goes on even if the teller hangs up.
        let done = tokio::task::spawn_blocking(move || ledger.withdraw(key.as_ref(), &withdrawal));
        let answer = done.await.map_err(|error| Status::internal(error.to_string()))??;
        Ok(Response::new(answer))
    }

    async fn balance(&self, request: Request<Account>) -> Result<Response<Money>, Status> {
        let (ledger, account) = (Arc::clone(&self.ledger), request.into_inner().account);
        let read = tokio::task::spawn_blocking(move || ledger.balance(&account));
        let cents = read.await.map_err(|error| Status::internal(error.to_string()))??;
        Ok(Response::new(Money { cents }))
    }
}
