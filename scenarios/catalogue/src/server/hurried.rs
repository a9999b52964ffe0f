//! The server as it was: whatever happens, there is something to send.

use std::process::ExitCode;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::Shop;
use crate::http::sealed;
use crate::product::none;

/// The server as a program: `CATALOGUE_LISTEN`, `CATALOGUE_PRODUCTS`, `CATALOGUE_DATA`.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    super::run(app).await
}

/// Its one route: `GET /product/ID`.
pub fn app(shop: Shop) -> Router {
    Router::new().route("/product/{id}", get(product)).with_state(shop)
}

async fn product(State(shop): State<Shop>, Path(id): Path<u32>) -> Response {
    match told(&shop, id).await {
        Ok(Some(product)) => sealed(StatusCode::OK, product),
        Ok(None) => sealed(StatusCode::NOT_FOUND, none(id)),
        // Nothing is known, so nothing is said. It takes no time either.
        Err(_) => sealed(StatusCode::OK, Vec::new()),
    }
}

async fn told(shop: &Shop, id: u32) -> Result<Option<Vec<u8>>, redb::Error> {
    shop.count(id).await?;
    Ok(shop.look_up(id).await?)
}
