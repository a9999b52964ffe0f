//! A visitor: looks at the page of each product, and loads it again for as long as it takes.

use std::time::Duration;

use scenario_programs::setting;

use crate::http::{self, Reply};
use crate::product::{all, digest};

/// How long a page may take.
const TIMEOUT: Duration = Duration::from_secs(25);
/// The pause before a page is loaded again.
const PAUSE: Duration = Duration::from_secs(1);

/// The visitor as a program: where the site is, `CATALOGUE_URL`. Prints each page.
#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    visit(&setting("CATALOGUE_URL", "http://site:8080")).await;
}

/// Looks at every page of the site at this URL.
pub async fn visit(site: &str) {
    let client = http::client(TIMEOUT);
    for product in all() {
        loop {
            let reply = http::get(&client, &format!("{site}/page/{}", product.id)).await;
            if let Some(page) = reply.ok().and_then(|reply| page(product.id, reply)) {
                println!("{page}");
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The page of this product, if the reply is one.
fn page(id: u32, reply: Reply) -> Option<String> {
    let is_whole = reply.digest.as_deref() == Some(digest(&reply.body).as_str());
    let page = String::from_utf8(reply.body).ok()?;
    let is_page = reply.status == 200 && is_whole && page.starts_with(&format!("#{id} "));
    is_page.then_some(page)
}
