//! The shop that asks until it knows, or else takes the payment back: what can be revoked need not be agreed on in time.

use std::process::ExitCode;
use std::time::Duration;

use bizarro_remedy::outcome::{self, Outcome};
use bizarro_remedy::retry::{Backoff, Patience, Retry, Safe};
use scenario_programs::ended;
use tonic::Status;

use super::{Book, Fate, PATIENCE, Payment};
use crate::config::Config;
use crate::proto::answer::State;
use crate::{ORDERS, Ordered, Stock};

/// The order's number is a key: asking twice is as good as once.
const RETRY: Retry = Retry {
    backoff: Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5) },
    safe: Safe::Always,
    patience: Patience { first: PATIENCE, longest: Duration::from_secs(15) },
    deadline: Duration::from_secs(500),
};

/// The shop as a host's program: settings from the environment.
#[tokio::main]
pub async fn main() -> ExitCode {
    ended("shop", serve(&Config::from_env()).await)
}

/// Serves all orders that were not served yet.
///
/// # Errors
/// A payment can neither be had nor given back for so long that the shop gives up. The next start goes on with it.
pub async fn serve(config: &Config) -> Result<(), String> {
    let mut payment = Payment::new(config, None);
    let mut book = Book::new(&config.data);
    for order in ORDERS {
        if book.fate(order.number).is_none() {
            let fate = fate(config, &mut payment, order).await;
            book.write(order.number, fate);
        }
        if book.fate(order.number) == Some(Fate::Void) {
            void(config, &mut payment, order).await?;
            book.write(order.number, Fate::Cancelled);
        }
    }
    Ok(())
}

/// Asks for the payment for as long as the customer waits. Whatever is no certain payment is to be void: that nothing was
/// heard does not mean that it is not taken later.
async fn fate(config: &Config, payment: &mut Payment, order: Ordered) -> Fate {
    let retry = Retry { deadline: config.customer, ..RETRY };
    let charged = retry.call(async |_| of(payment.charge(order).await)).await;
    match charged {
        Outcome::Success(State::Charged) if order.stock == Stock::There => Fate::Shipped,
        Outcome::Success(State::Declined | State::Voided) => Fate::Cancelled,
        _ => Fate::Void,
    }
}

async fn void(config: &Config, payment: &mut Payment, order: Ordered) -> Result<(), String> {
    let retry = Retry { deadline: config.deadline, ..RETRY };
    match retry.call(async |_| of(payment.void(order).await)).await {
        Outcome::Success(_) => Ok(()),
        other => Err(format!("order {} cannot be made void: {other}", order.number)),
    }
}

fn of(answer: Result<State, Status>) -> Outcome<State> {
    match answer {
        Ok(state) => Outcome::Success(state),
        Err(status) => outcome::tonic::of_status(status),
    }
}
