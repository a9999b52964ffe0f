//! Settings: those of a host, changed by the environment.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of both programs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the payment service listens (`SHOP_LISTEN`).
    pub listen: String,
    /// Where the shop finds it (`SHOP_PAYMENT`).
    pub payment: String,
    /// A program's database, in a directory that is there (`SHOP_DATA`).
    pub data: PathBuf,
    /// What a shop has to show (`SHOP_TOKEN`).
    pub token: String,
    /// How long a customer waits for the payment (`SHOP_CUSTOMER_S`).
    pub customer: Duration,
    /// How long the shop tries to give money back (`SHOP_DEADLINE_S`).
    pub deadline: Duration,
}

impl Config {
    /// Those of a host, with what the environment says.
    pub fn from_env() -> Config {
        let or = |name: &str, usual: &str| env::var(name).unwrap_or_else(|_| usual.to_string());
        let seconds = |name: &str, usual: &str| {
            let text = or(name, usual);
            Duration::from_secs(text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
        };
        Config {
            listen: or("SHOP_LISTEN", "0.0.0.0:50051"),
            payment: or("SHOP_PAYMENT", "http://payment:50051"),
            data: or("SHOP_DATA", "/data.db").into(),
            token: or("SHOP_TOKEN", "shop-1"),
            customer: seconds("SHOP_CUSTOMER_S", "5"),
            deadline: seconds("SHOP_DEADLINE_S", "500"),
        }
    }
}
