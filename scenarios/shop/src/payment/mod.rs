//! The payment service: gRPC over a ledger in SQLite.

mod ledger;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use scenario_programs::{ended, grpc};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

use crate::config::Config;
use crate::proto::answer::State;
use crate::proto::payment_server::{Payment, PaymentServer};
use crate::proto::{Answer, Order};

pub use ledger::{Ledger, state_of};

/// The service as a host's program: settings from the environment.
#[tokio::main]
pub async fn main() -> ExitCode {
    ended("payment", run(&Config::from_env()).await)
}

/// Serves for good, and says where.
///
/// # Errors
/// The port is taken.
pub async fn run(config: &Config) -> io::Result<()> {
    let listener = TcpListener::bind(&config.listen).await?;
    println!("payment: listens on {}", listener.local_addr()?);
    serve(listener, config).await
}

/// Serves for good on this socket.
///
/// # Errors
/// Those of the socket.
pub async fn serve(listener: TcpListener, config: &Config) -> io::Result<()> {
    let ledger = Arc::new(Ledger::new(&config.data));
    let payment =
        PaymentServer::new(Service { ledger }).max_decoding_message_size(grpc::MESSAGE_MAX);
    grpc::serve(listener, payment, &config.token).await.map_err(io::Error::other)
}

#[derive(Debug)]
struct Service {
    ledger: Arc<Ledger>,
}

impl Service {
    /// SQLite waits for the disk. What has begun goes on even if the shop hangs up.
    async fn decide(
        &self,
        order: Order,
        decide: fn(&Ledger, Order) -> Result<State, Status>,
    ) -> Result<Response<Answer>, Status> {
        if order.number == 0 || order.cents == 0 {
            return Err(Status::invalid_argument("an order has a number and costs something"));
        }
        let ledger = Arc::clone(&self.ledger);
        let decided = tokio::task::spawn_blocking(move || decide(&ledger, order)).await;
        let state = decided.map_err(|error| Status::internal(error.to_string()))??;
        Ok(Response::new(Answer { state: state.into() }))
    }
}

#[tonic::async_trait]
impl Payment for Service {
    async fn charge(&self, request: Request<Order>) -> Result<Response<Answer>, Status> {
        self.decide(request.into_inner(), Ledger::charge).await
    }

    async fn void(&self, request: Request<Order>) -> Result<Response<Answer>, Status> {
        self.decide(request.into_inner(), Ledger::void).await
    }
}
