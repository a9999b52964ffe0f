//! How long somebody waits, passed on with what he asks.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use reqwest::RequestBuilder;

/// The header with which somebody who asks says how long he waits, in ms.
const HEADER: &str = "x-patience-ms";

/// How long somebody waits for the answer to his request; whoever needs others for it waits for each of them a part of
/// that. Nobody knows how slow the network is at present, but who asks again waits longer: `FIRST_MS` at first, and then
/// twice as long, this often at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience<const FIRST_MS: u64, const DOUBLINGS: u32>(pub Duration);

impl<const FIRST_MS: u64, const DOUBLINGS: u32> Patience<FIRST_MS, DOUBLINGS> {
    /// Of the first attempt.
    pub const FIRST: Self = Patience(Duration::from_millis(FIRST_MS));
    /// Of the most patient.
    const LONGEST: Self = Patience(Duration::from_millis(FIRST_MS << DOUBLINGS));

    /// For the next attempt.
    #[must_use]
    pub fn doubled(self) -> Self {
        Patience(self.0 * 2).min_of(Self::LONGEST)
    }

    /// How long to wait before the next attempt.
    pub fn pause(self) -> Duration {
        self.0 / 48
    }

    /// A part of it.
    #[must_use]
    pub fn part(self, of: u32) -> Self {
        Patience(self.0 / of)
    }

    fn min_of(self, other: Self) -> Self {
        Patience(self.0.min(other.0))
    }

    /// Says it in a request, which is given up when it is over.
    pub fn with(self, request: RequestBuilder) -> RequestBuilder {
        request.header(HEADER, self.0.as_millis().to_string()).timeout(self.0)
    }
}

impl<S: Sync, const FIRST_MS: u64, const DOUBLINGS: u32> FromRequestParts<S>
    for Patience<FIRST_MS, DOUBLINGS>
{
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let said = parts.headers.get(HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        let said = said.map(|ms| Patience(Duration::from_millis(ms)));
        Ok(said.unwrap_or(Self::FIRST).min_of(Self::LONGEST))
    }
}
