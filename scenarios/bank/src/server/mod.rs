//! The bank: a service of gRPC over a ledger in SQLite.

mod ledger;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bizarro_remedy::idempotency::{HEADER, Key};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::config::Config;
use crate::proto::bank_server::{Bank, BankServer};
use crate::proto::{Account, Answer, Money, Withdrawal};

pub use ledger::{Ledger, balance_of};

/// How long a request may take, its arrival included.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest message, in bytes.
const MESSAGE_MAX: usize = 4096;

/// The bank as a host's program: settings from the environment.
#[tokio::main]
pub async fn main() -> ExitCode {
    match Server::bind(&Config::from_env()).await {
        Ok(server) => {
            println!("bank: listens on {}", server.address);
            server.serve().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bank: cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A bank that has its port.
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
        let bank =
            BankServer::new(Service { ledger: self.ledger }).max_decoding_message_size(MESSAGE_MAX);
        let expected = format!("Bearer {}", self.token);
        let known = move |request: Request<()>| {
            let shown = request.metadata().get("authorization").map(|value| value.as_bytes());
            if shown == Some(expected.as_bytes()) {
                Ok(request)
            } else {
                Err(Status::unauthenticated("who is this?"))
            }
        };
        let bank = tonic::service::interceptor::InterceptedService::new(bank, known);
        let server = tonic::transport::Server::builder()
            .timeout(PATIENCE)
            .http2_keepalive_interval(Some(PATIENCE))
            .http2_keepalive_timeout(Some(PATIENCE))
            .add_service(bank)
            .serve_with_incoming(TcpListenerStream::new(self.listener));
        if let Err(error) = server.await {
            eprintln!("bank: {error}");
        }
    }
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
