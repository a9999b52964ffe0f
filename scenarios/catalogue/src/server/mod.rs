//! A server of the catalogue: a file for each product, and a database that counts how often each was looked at.

pub mod hurried;
pub mod truthful;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use redb::{Database, ReadableTable, TableDefinition};
use scenario_programs::setting;

use crate::http;

const VIEWS: TableDefinition<'_, u32, u64> = TableDefinition::new("views");

/// How long it takes to put a reply together, from what other services say.
const WORK: Duration = Duration::from_millis(10);

/// Products and counts, on a disk.
#[derive(Clone, Debug)]
pub struct Shop {
    products: PathBuf,
    views: Option<Arc<Database>>,
}

impl Shop {
    /// What the directory `products` holds, counted in the directory `data`. The counts are statistics: where they cannot
    /// be read, because the host lost its power while they were made for instance, they begin anew, and where even that
    /// is not possible nothing is counted.
    pub fn open(products: &Path, data: &Path) -> Shop {
        let views = open(data).inspect_err(|error| eprintln!("catalogue cannot count: {error}"));
        Shop { products: products.to_path_buf(), views: views.ok().map(Arc::new) }
    }

    /// The directories that the environment says, or those of a host of its own.
    pub(crate) fn from_env() -> Shop {
        let products = setting("CATALOGUE_PRODUCTS", "/srv/catalogue");
        let data = setting("CATALOGUE_DATA", "/var/lib/catalogue");
        Shop::open(products.as_ref(), data.as_ref())
    }

    /// Counts that this product was looked at. After the first write that fails, redb refuses everything until the
    /// database is opened again (`StorageError::PreviousIo`).
    pub(crate) async fn count(&self, id: u32) -> Result<(), redb::Error> {
        let views = self.views.clone();
        let views = views.ok_or_else(|| io::Error::other("the counts cannot be opened"))?;
        let counted = tokio::task::spawn_blocking(move || {
            let transaction = views.begin_write()?;
            {
                let mut table = transaction.open_table(VIEWS)?;
                let count = table.get(id)?.map_or(0, |count| count.value());
                table.insert(id, count + 1)?;
            }
            transaction.commit()?;
            Ok(())
        });
        counted.await.unwrap_or_else(|error| Err(io::Error::other(error).into()))
    }

    /// What is known of this product; `None` where there is none.
    pub(crate) async fn look_up(&self, id: u32) -> io::Result<Option<Vec<u8>>> {
        let file = self.products.join(format!("{id}.json"));
        let read =
            tokio::task::spawn_blocking(move || fs::read(file)).await.map_err(io::Error::other)?;
        let product = match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        tokio::time::sleep(WORK).await;
        Ok(Some(product))
    }
}

fn open(data: &Path) -> Result<Database, redb::Error> {
    fs::create_dir_all(data)?;
    let file = data.join("views.redb");
    let anew = |_| {
        fs::remove_file(&file).map_err(redb::DatabaseError::from)?;
        Database::create(&file)
    };
    Ok(Database::create(&file).or_else(anew)?)
}

/// A server's program: `app` on what the environment says.
async fn run(app: impl Fn(Shop) -> Router) -> ExitCode {
    let app = app(Shop::from_env());
    http::run("catalogue", &setting("CATALOGUE_LISTEN", "0.0.0.0:8080"), app).await
}

/// Writes the file of each product into this directory.
///
/// # Errors
/// Those of the file system.
pub fn stock(products: &Path) -> io::Result<()> {
    fs::create_dir_all(products)?;
    for product in crate::product::all() {
        fs::write(products.join(format!("{}.json", product.id)), serde_json::to_vec(&product)?)?;
    }
    Ok(())
}
