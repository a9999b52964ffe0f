//! The shop that asks once, and takes it that a payment of which it knows nothing has gone one way.

use std::process::ExitCode;

use super::{Book, Fate, PATIENCE, Payment};
use crate::config::Config;
use crate::proto::answer::State;
use crate::{ORDERS, Ordered, Stock};

/// The shop that cancels what it knows nothing of, as a host's program: settings from the environment.
#[tokio::main]
pub async fn cancels() -> ExitCode {
    serve(&Config::from_env(), Fate::Cancelled).await;
    ExitCode::SUCCESS
}

/// The shop that ships what it knows nothing of: the payment will have gone well.
#[tokio::main]
pub async fn ships_anyway() -> ExitCode {
    serve(&Config::from_env(), Fate::Shipped).await;
    ExitCode::SUCCESS
}

/// Serves all orders that were not served yet. `unknown` is what becomes of one when nothing is known of its payment.
pub async fn serve(config: &Config, unknown: Fate) {
    let mut payment = Payment::new(config, Some(PATIENCE));
    let mut book = Book::new(&config.data);
    for order in ORDERS {
        if book.fate(order.number).is_none() {
            let fate = fate(&mut payment, order, unknown).await;
            book.write(order.number, fate);
        }
    }
}

async fn fate(payment: &mut Payment, order: Ordered, unknown: Fate) -> Fate {
    match payment.charge(order).await {
        Ok(State::Charged) if order.stock == Stock::There => Fate::Shipped,
        Ok(State::Charged) => {
            // The money goes back.
            let _ = payment.void(order).await;
            Fate::Cancelled
        }
        Ok(_) => Fate::Cancelled,
        Err(_) => unknown,
    }
}
