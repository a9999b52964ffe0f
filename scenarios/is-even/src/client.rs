//! `isEven` with the arithmetic on another machine: as one writes it in a hurry, and with an answer to UNKNOWN.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};

/// Where a host's client finds the math server.
pub const SERVER: &str = "http://math:8080";

fn http() -> ClientBuilder {
    Client::builder().no_proxy().redirect(redirect::Policy::none())
}

fn made(http: ClientBuilder) -> Client {
    http.build().expect("a client without TLS can be made")
}

fn print(number: u64, is_even: bool) {
    println!("{number} {}", if is_even { "even" } else { "odd" });
}

/// Whatever is not 0 is odd.
pub mod hurried {
    use super::*;

    /// How long a reply is waited for.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// The client as a host's program.
    #[tokio::main]
    pub async fn main() -> ExitCode {
        run(SERVER).await;
        ExitCode::SUCCESS
    }

    /// Asks about all numbers, and prints the answers.
    pub async fn run(server: &str) {
        let http = made(http().timeout(PATIENCE));
        for number in crate::NUMBERS {
            print(number, is_even(&http, server, number).await);
        }
    }

    /// Whether the number is even.
    pub async fn is_even(http: &Client, server: &str, number: u64) -> bool {
        let url = format!("{server}/mod?number={number}&divisor=2");
        let text = match http.get(url).send().await {
            Ok(reply) => reply.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        };
        text == "0"
    }
}

/// Asks until there is an answer: for a pure function, twice is as good as once.
pub mod asks_again {
    use bizarro_remedy::outcome::Outcome;
    use bizarro_remedy::outcome::reqwest::{Redirects, of_sent};
    use bizarro_remedy::retry::{Backoff, Patience, Retry, Safe};

    use super::*;

    const RETRY: Retry = Retry {
        backoff: Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5) },
        safe: Safe::Always,
        patience: Patience { first: Duration::from_secs(1), longest: Duration::from_secs(15) },
        // A swarm strikes up to sixteen times in a run, and a partition lasts 30 s.
        deadline: Duration::from_secs(500),
    };

    /// The client as a host's program.
    #[tokio::main]
    pub async fn main() -> ExitCode {
        match run(SERVER).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("is-even: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Asks about all numbers, and prints the answers.
    ///
    /// # Errors
    /// There is no answer for so long that it gives up.
    pub async fn run(server: &str) -> Result<(), String> {
        let http = made(http());
        for number in crate::NUMBERS {
            let outcome = RETRY.call(async |_| is_even(&http, server, number).await).await;
            match outcome {
                Outcome::Success(is_even) => print(number, is_even),
                other => return Err(format!("nobody knows whether {number} is even: {other}")),
            }
        }
        Ok(())
    }

    /// What is known of the number after asking once.
    pub async fn is_even(http: &Client, server: &str, number: u64) -> Outcome<bool> {
        let url = format!("{server}/mod?number={number}&divisor=2");
        match of_sent(http.get(url).send().await, Redirects::Refused).await {
            Outcome::Success(body) => match &body[..] {
                b"0" => Outcome::Success(true),
                b"1" => Outcome::Success(false),
                _ => Outcome::Unknown("the answer is no remainder of 2".into()),
            },
            other => other.map(|_| false),
        }
    }
}
