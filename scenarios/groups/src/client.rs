//! A machine of GROUP1, which has values kept by GROUP2.

use std::io;

use reqwest::{Client, Method, StatusCode};
use tokio::time::sleep;

use crate::http::{self, Patience};

/// GROUP2, as it looks from GROUP1.
#[derive(Debug)]
pub struct Group {
    url: String,
    client: Client,
}

impl Group {
    /// Behind the balancer at `http://balancer:8080`.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn at(url: &str) -> io::Result<Group> {
        Ok(Group { url: url.to_string(), client: http::client()? })
    }

    /// Has a value kept, and comes back when it is.
    pub async fn keep(&self, name: &str, value: &str) {
        self.ask(Method::PUT, name, value).await;
    }

    /// Asks for a value until it is known what it is; nothing if there is none.
    pub async fn value(&self, name: &str) -> Option<String> {
        self.ask(Method::GET, name, "").await
    }

    /// Asks until there is an answer: what is asked here may be asked twice.
    async fn ask(&self, method: Method, name: &str, value: &str) -> Option<String> {
        let mut patience = Patience::FIRST;
        loop {
            let url = format!("{}/values/{name}", self.url);
            let request = self.client.request(method.clone(), url).body(value.to_string());
            if let Ok(reply) = patience.with(request).send().await {
                match (reply.status(), reply.text().await) {
                    (StatusCode::OK, Ok(value)) => return Some(value),
                    (StatusCode::NOT_FOUND, _) => return None,
                    _ => {}
                }
            }
            patience = patience.doubled();
            sleep(patience.pause()).await;
        }
    }
}
