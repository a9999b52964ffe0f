//! The server that says what is: a count that fails is no reason to know less of a product, and what cannot be read is an
//! error with the status of one.

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
    if let Err(error) = shop.count(id).await {
        eprintln!("catalogue does not count: {error}");
    }
    match shop.look_up(id).await {
        Ok(Some(product)) => sealed(StatusCode::OK, product),
        Ok(None) => sealed(StatusCode::NOT_FOUND, none(id)),
        Err(error) => {
            eprintln!("catalogue cannot read product {id}: {error}");
            sealed(StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
        }
    }
}
