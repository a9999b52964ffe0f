//! What a general knows before the battle.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use bizarro_remedy::agreement::{General, Setting, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// What the commander orders, and all obey.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Order {
    /// What is done if nobody says anything.
    Retreat,
    /// To the city.
    Attack,
}

impl Order {
    /// The other one.
    pub fn other(self) -> Order {
        match self {
            Order::Retreat => Order::Attack,
            Order::Attack => Order::Retreat,
        }
    }
}

impl AsRef<[u8]> for Order {
    fn as_ref(&self) -> &[u8] {
        match self {
            Order::Retreat => b"retreat",
            Order::Attack => b"attack",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Order::Retreat => "retreat",
            Order::Attack => "attack",
        })
    }
}

/// How generals speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// OM(m).
    Oral,
    /// SM(m).
    Signed,
}

impl FromStr for Manner {
    type Err = String;
    fn from_str(text: &str) -> Result<Manner, String> {
        match text {
            "oral" => Ok(Manner::Oral),
            "signed" => Ok(Manner::Signed),
            _ => Err("`oral` or `signed`".to_string()),
        }
    }
}

/// What a general knows before the battle.
#[derive(Clone, Debug)]
pub struct Camp {
    /// How many generals there are, how many traitors are reckoned with, and who commands.
    pub setting: Setting,
    /// Who this is.
    pub me: General,
    /// What is ordered, if this is the commander.
    pub order: Order,
    /// How they speak.
    pub manner: Manner,
    /// Host and port of each general.
    pub addresses: Vec<String>,
    /// When the first round begins, by everybody's clock.
    pub start: SystemTime,
    /// How long a round is: longer than a letter takes, plus the error of the clocks.
    pub round: Duration,
    /// His key, for signed messages.
    pub key: SigningKey,
    /// Everybody's public key.
    pub keys: Vec<VerifyingKey>,
}

impl Camp {
    /// The addresses of all as numbers, in the order of the generals. Their sockets are of IPv4.
    ///
    /// # Errors
    /// A name leads nowhere.
    pub async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let mut all = Vec::new();
        for address in &self.addresses {
            let found = tokio::net::lookup_host(address).await?.find(SocketAddr::is_ipv4);
            all.push(found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, &**address))?);
        }
        Ok(all)
    }
}
