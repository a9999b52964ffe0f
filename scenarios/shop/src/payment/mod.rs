//! The payment service: gRPC over a ledger in SQLite.

mod ledger;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};

use crate::config::Config;
use crate::proto::answer::State;
use crate::proto::payment_server::{Payment, PaymentServer};
use crate::proto::{Answer, Order};

pub use ledger::{Ledger, state_of};

/// How long a request may take, its arrival included.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest message, in bytes.
const MESSAGE_MAX: usize = 4096;

/// The service as a host's program: settings from the environment.
#[tokio::main]
pub async fn main() -> ExitCode {
    match Server::bind(&Config::from_env()).await {
        Ok(server) => {
            println!("payment: listens on {}", server.address);
            server.serve().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("payment: cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A service that has its port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
    ledger: Arc<Ledger>,
    token: String,
}

impl Server {
    /// Takes the port.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn bind(config: &Config) -> io::Result<Server> {
        let listener = TcpListener::bind(&config.listen).await?;
        let address = listener.local_addr()?;
        let ledger = Arc::new(Ledger::new(&config.data));
        Ok(Server { listener, address, ledger, token: config.token.clone() })
    }

    /// Serves for good.
    pub async fn serve(self) {
        let payment = PaymentServer::new(Service { ledger: self.ledger });
        let expected = format!("Bearer {}", self.token);
        let known = move |request: Request<()>| {
            let shown = request.metadata().get("authorization").map(|value| value.as_bytes());
            if shown == Some(expected.as_bytes()) {
                Ok(request)
            } else {
                Err(Status::unauthenticated("who is this?"))
            }
        };
        let payment = payment.max_decoding_message_size(MESSAGE_MAX);
        let server = tonic::transport::Server::builder()
            .timeout(PATIENCE)
            .http2_keepalive_interval(Some(PATIENCE))
            .http2_keepalive_timeout(Some(PATIENCE))
            .add_service(InterceptedService::new(payment, known))
            .serve_with_incoming(TcpListenerStream::new(self.listener));
        if let Err(error) = server.await {
            eprintln!("payment: {error}");
        }
    }
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
