//! A fresh database of either kind, and a look into it.

use std::sync::atomic::{AtomicU32, Ordering};

use heraut::store::Store;
use tempfile::TempDir;

use super::cluster;
use super::sql::{self, Kind};

/// A database of one test; it goes away with it.
pub struct Database {
    pub kind: Kind,
    pub url: String,
    place: Place,
}

enum Place {
    File { _folder: TempDir },
    Server { name: String, cluster: String },
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Database {
    /// An empty database.
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::within(tempfile::Builder::new().prefix("heraut-it-").tempdir().unwrap()),
            Kind::Postgres => Self::on(cluster::url()),
        }
    }

    /// An empty database on a PostgreSQL cluster.
    pub fn on(cluster: &str) -> Self {
        let name = format!("it_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let url = sql::create(cluster, &name);
        Self { kind: Kind::Postgres, url, place: Place::Server { name, cluster: cluster.to_owned() } }
    }

    /// An empty SQLite database in that folder.
    pub fn within(folder: TempDir) -> Self {
        let url = format!("sqlite:{}", folder.path().join("heraut.db").display());
        Self { kind: Kind::Sqlite, url, place: Place::File { _folder: folder } }
    }

    /// The crate's own way in; it applies the migrations.
    pub fn store(&self) -> Store {
        Store::open(&self.url).unwrap()
    }

    /// Runs statements.
    pub fn execute(&self, sql: &str) {
        sql::execute(&self.url, sql);
    }

    /// The one number that a query gives.
    pub fn number(&self, select: &str) -> i64 {
        sql::number(&self.url, select)
    }

    /// The lines that a query with one column `t` gives.
    pub fn lines(&self, select: &str) -> Vec<String> {
        sql::lines(&self.url, select)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Server { name, cluster } = &self.place {
            sql::remove(cluster, name);
        }
    }
}
