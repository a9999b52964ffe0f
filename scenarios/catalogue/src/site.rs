//! The site: a page for each product. It believes no reply that is none, so it shows no wrong page; where it has no
//! product to show it has no page.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use scenario_programs::setting;

use crate::http::{self, sealed};
use crate::product::verified;

/// How long the catalogue may take: longer than a balancer that asks three servers.
const TIMEOUT: Duration = Duration::from_secs(20);

struct Site {
    catalogue: String,
    client: reqwest::Client,
}

/// The site as a program: `CATALOGUE_LISTEN`, and where the catalogue is, `CATALOGUE_URL`.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    let catalogue = setting("CATALOGUE_URL", "http://balancer:8080");
    http::run("site", &setting("CATALOGUE_LISTEN", "0.0.0.0:8080"), app(catalogue)).await
}

/// Its one route: `GET /page/ID`, made of what the catalogue at this URL says.
pub fn app(catalogue: String) -> Router {
    let site = Site { catalogue, client: http::client(TIMEOUT) };
    Router::new().route("/page/{id}", get(page)).with_state(Arc::new(site))
}

async fn page(State(site): State<Arc<Site>>, Path(id): Path<u32>) -> Response {
    let url = format!("{}/product/{id}", site.catalogue);
    let told = http::get(&site.client, &url).await;
    let told = told.map(|r| verified(id, r.status, r.digest.as_deref(), &r.body));
    match told {
        Ok(Ok(Some(product))) => sealed(StatusCode::OK, product.line().into_bytes()),
        Ok(Ok(None)) => sealed(StatusCode::NOT_FOUND, Vec::new()),
        Ok(Err(_)) | Err(_) => sealed(StatusCode::BAD_GATEWAY, Vec::new()),
    }
}
