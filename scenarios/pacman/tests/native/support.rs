//! A board that runs within the test, and a plain way to talk to it.

use std::path::Path;
use std::time::Duration;

use pacman::board::Applied;
use pacman::config::{ClientConfig, Patience, ServerConfig};
use pacman::game;
use pacman::protocol::{ErrorBody, ErrorCode, Location};
use pacman::seal;
use pacman::server::Server;
use serde::de::DeserializeOwned;

/// Settings of a board on a free port, with its journal in `data`.
pub(crate) fn server_config(data: &Path) -> ServerConfig {
    let listen = "127.0.0.1:0".to_owned();
    ServerConfig { listen, data: data.to_owned(), burst: 10_000, ..ServerConfig::for_host() }
}

/// Settings of a player who waits as briefly as loopback allows.
pub(crate) fn client_config(board: &str, data: &Path) -> ClientConfig {
    let patience = Patience {
        first_reply: Duration::from_millis(150),
        longest_reply: Duration::from_secs(2),
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(100),
        deadline: Duration::from_secs(20),
        attempts_min: 3,
    };
    ClientConfig { board: board.to_owned(), user: game::USER.into(), data: data.into(), patience }
}

/// A board that is served until the test's runtime ends.
pub(crate) struct Board {
    pub(crate) url: String,
    http: reqwest::Client,
}

impl Board {
    pub(crate) async fn start(config: ServerConfig) -> Board {
        let server = Server::bind(config).await.expect("the board starts");
        let url = format!("http://{}", server.address());
        tokio::spawn(server.serve());
        Board::at(url)
    }

    pub(crate) fn at(url: String) -> Board {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Board { url, http }
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send(self.http.get(self.address(target))).await
    }

    pub(crate) async fn get_sealed(&self, target: &str) -> Answer {
        let seal = seal::request("GET", target, 7, b"");
        self.send(self.http.get(self.address(target)).header(seal::HEADER, seal)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(self.http.post(self.address(path)).body(body.to_owned())).await
    }

    pub(crate) async fn post_with_seal(&self, path: &str, body: &str, seal: &str) -> Answer {
        let request = self.http.post(self.address(path)).header(seal::HEADER, seal);
        self.send(request.body(body.to_owned())).await
    }

    pub(crate) async fn post_sealed(&self, path: &str, body: &str) -> Answer {
        let seal = seal::request("POST", path, 7, body.as_bytes());
        self.post_with_seal(path, body, &seal).await
    }

    pub(crate) async fn journal(&self) -> Vec<Applied> {
        self.get("/journal").await.parse()
    }

    pub(crate) async fn find(&self) -> Location {
        self.get("/find?user=8765309&name=pacman").await.parse()
    }

    fn address(&self, target: &str) -> String {
        format!("{}{target}", self.url)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let header = |headers: &reqwest::header::HeaderMap| {
            let seal = headers.get(seal::HEADER).map(|seal| seal.to_str().unwrap().to_owned());
            seal.unwrap_or_default()
        };
        let request_seal = header(request.headers());
        let reply = self.http.execute(request).await.expect("the board answers");
        let (status, reply_seal) = (reply.status().as_u16(), header(reply.headers()));
        let body = reply.bytes().await.unwrap();
        assert_eq!(reply_seal, seal::reply(&request_seal, status, &body), "every reply is sealed");
        Answer { status, body: String::from_utf8(body.to_vec()).unwrap() }
    }
}

/// What the board answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, ErrorCode) {
        let body: ErrorBody =
            serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{self:?}: {error}"));
        (self.status, body.error)
    }
}

/// The body of a move.
pub(crate) fn a_move(direction: &str, key: Option<&str>) -> String {
    let key = key.map(|key| format!(r#","key":"{key}""#)).unwrap_or_default();
    format!(r#"{{"user":"8765309","piece":"pacman","direction":"{direction}"{key}}}"#)
}
