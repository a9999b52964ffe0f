//! Tellers: they ask the bank for each customer's money, and hand it out.

mod book;
pub mod careful;
pub mod naive;

use std::time::Duration;

use bizarro_remedy::idempotency::{HEADER, Key};
use bizarro_remedy::outcome::{self, Outcome};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::ACCOUNT;
use crate::config::Config;
use crate::proto::answer::Result as Verdict;
use crate::proto::bank_client::BankClient;
use crate::proto::{Answer, Withdrawal};

pub use book::{Book, Entry, entries};

/// How long tellers wait for an answer, at first.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a bank may be silent before a connection to it counts as lost.
const SILENCE: Duration = Duration::from_secs(10);

/// The bank, from a teller's counter.
#[derive(Clone, Debug)]
pub struct Bank {
    client: BankClient<Channel>,
    authorization: tonic::metadata::MetadataValue<tonic::metadata::Ascii>,
}

impl Bank {
    /// The bank that the settings name, and how long a request may take. It is connected to when it is needed.
    ///
    /// # Panics
    /// The settings are wrong.
    pub fn new(config: &Config, patience: Option<Duration>) -> Bank {
        let endpoint = Endpoint::from_shared(config.bank.clone()).expect("BANK_URL is a URL");
        // A bank that lost its power says nothing: without a ping the connection would stay in use.
        let mut endpoint = endpoint
            .connect_timeout(SILENCE)
            .http2_keep_alive_interval(PATIENCE)
            .keep_alive_timeout(SILENCE);
        if let Some(patience) = patience {
            endpoint = endpoint.timeout(patience);
        }
        let authorization =
            format!("Bearer {}", config.token).parse().expect("BANK_TOKEN is ASCII");
        Bank { client: BankClient::new(endpoint.connect_lazy()), authorization }
    }

    /// Asks once for money.
    ///
    /// # Errors
    /// Those of tonic.
    pub async fn withdraw(&mut self, cents: u64, key: Option<&Key>) -> Result<Verdict, Status> {
        let mut request = Request::new(Withdrawal { account: ACCOUNT.to_string(), cents });
        request.metadata_mut().insert("authorization", self.authorization.clone());
        if let Some(key) = key {
            let value = key.to_header().to_str().ok().and_then(|text| text.parse().ok());
            request.metadata_mut().insert(HEADER, value.expect("a key is ASCII"));
        }
        let Answer { result } = self.client.withdraw(request).await?.into_inner();
        match Verdict::try_from(result) {
            Ok(verdict @ (Verdict::Success | Verdict::InsufficientFunds)) => Ok(verdict),
            _ => Err(Status::unknown(format!("the bank answered {result}"))),
        }
    }

    /// What is known after asking once.
    pub async fn ask(&mut self, cents: u64, key: &Key) -> Outcome<Verdict> {
        match self.withdraw(cents, Some(key)).await {
            Ok(verdict) => Outcome::Success(verdict),
            Err(status) => outcome::tonic::of_status(status),
        }
    }
}
