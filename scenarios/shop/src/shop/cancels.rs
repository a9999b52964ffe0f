//! The shop that cancels an order when it knows nothing of the payment.

use std::process::ExitCode;

use super::{Book, Fate, PATIENCE, Payment, report};
use crate::config::Config;
use crate::proto::answer::State;
use crate::{ORDERS, Ordered, Stock};

/// The shop as a host's program: settings from the environment.
#[tokio::main]
pub async fn main() -> ExitCode {
    serve(&Config::from_env()).await;
    report(Ok(()))
}

/// Serves all orders that were not served yet.
pub async fn serve(config: &Config) {
    let mut payment = Payment::new(config, Some(PATIENCE));
    let mut book = Book::new(&config.data);
    for order in ORDERS {
        if book.fate(order.number).is_none() {
            let fate = fate(&mut payment, order).await;
            book.write(order.number, fate);
        }
    }
}

async fn fate(payment: &mut Payment, order: Ordered) -> Fate {
    match payment.charge(order).await {
        Ok(State::Charged) if order.stock == Stock::There => Fate::Shipped,
        Ok(State::Charged) => {
            // The money goes back.
            let _ = payment.void(order).await;
            Fate::Cancelled
        }
        Ok(_) => Fate::Cancelled,
        Err(_) => Fate::Cancelled,
    }
}
