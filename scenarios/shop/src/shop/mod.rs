//! Shops: each has orders, asks for the payment, and ships.

mod book;
pub mod careful;
pub mod hurried;

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::Ordered;
use crate::config::Config;
use crate::proto::answer::State;
use crate::proto::payment_client::PaymentClient;
use crate::proto::{Answer, Order};

pub use book::{Book, Fate, fate_of};

/// How long a shop waits for an answer, at first.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the payment service may be silent before a connection to it counts as lost.
const SILENCE: Duration = Duration::from_secs(10);

/// The payment service, from a shop.
#[derive(Clone, Debug)]
pub struct Payment {
    client: PaymentClient<Channel>,
    authorization: tonic::metadata::MetadataValue<tonic::metadata::Ascii>,
}

impl Payment {
    /// The service that the settings name, and how long a request may take. It is connected to when it is needed.
    ///
    /// # Panics
    /// The settings are wrong.
    pub fn new(config: &Config, patience: Option<Duration>) -> Payment {
        let endpoint = Endpoint::from_shared(config.payment.clone());
        // A host that lost its power says nothing: without a ping the connection would stay in use.
        let mut endpoint = endpoint
            .expect("SHOP_PAYMENT is a URL")
            .connect_timeout(SILENCE)
            .http2_keep_alive_interval(PATIENCE)
            .keep_alive_timeout(SILENCE);
        if let Some(patience) = patience {
            endpoint = endpoint.timeout(patience);
        }
        let authorization = format!("Bearer {}", config.token).parse();
        let authorization = authorization.expect("SHOP_TOKEN is ASCII");
        Payment { client: PaymentClient::new(endpoint.connect_lazy()), authorization }
    }

    /// Asks once for the money.
    ///
    /// # Errors
    /// Those of tonic.
    pub async fn charge(&mut self, order: Ordered) -> Result<State, Status> {
        let request = self.request(order);
        known(self.client.charge(request).await?.into_inner())
    }

    /// Asks once to give it back.
    ///
    /// # Errors
    /// Those of tonic.
    pub async fn void(&mut self, order: Ordered) -> Result<State, Status> {
        let request = self.request(order);
        known(self.client.void(request).await?.into_inner())
    }

    fn request(&self, order: Ordered) -> Request<Order> {
        let mut request = Request::new(Order { number: order.number, cents: order.cents });
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }
}

fn known(answer: Answer) -> Result<State, Status> {
    match State::try_from(answer.state) {
        Ok(state) if state != State::Unspecified => Ok(state),
        _ => Err(Status::unknown(format!("the payment service answered {}", answer.state))),
    }
}
