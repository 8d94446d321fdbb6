//! A fresh database of either kind, and a way in beside the gateway.

use std::sync::Arc;

use tempfile::TempDir;

use super::cluster::Cluster;
use super::sql::{self, Kind};

/// A database; it goes away with the value.
pub struct Database {
    pub kind: Kind,
    pub url: String,
    place: Place,
}

enum Place {
    File { _folder: TempDir },
    Server { name: String, cluster: Arc<Cluster> },
}

impl Database {
    /// An empty SQLite file, in a temporary folder: set `TMPDIR` to have it on another disk.
    pub fn sqlite() -> Self {
        let folder = tempfile::Builder::new().prefix("heraut-bench-").tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("heraut.db").display());
        Self { kind: Kind::Sqlite, url, place: Place::File { _folder: folder } }
    }

    /// An empty database in a cluster.
    pub fn postgres(cluster: &Arc<Cluster>) -> Self {
        let name = format!("bench_{}", hex::encode(rand::random::<[u8; 6]>()));
        let url = sql::create(cluster.url(), &name);
        Self { kind: Kind::Postgres, url, place: Place::Server { name, cluster: cluster.clone() } }
    }

    /// The cluster that it is in, if it is in one.
    pub fn cluster(&self) -> Option<&Cluster> {
        match &self.place {
            Place::File { .. } => None,
            Place::Server { cluster, .. } => Some(cluster),
        }
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

    /// Bytes of all tables and indexes.
    pub fn bytes(&self) -> i64 {
        match &self.place {
            Place::File { .. } => {
                self.execute("PRAGMA wal_checkpoint(TRUNCATE)");
                self.number(
                    "SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)",
                )
            }
            Place::Server { name, .. } => self.number(&format!("SELECT pg_database_size('{name}')")),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Server { name, cluster } = &self.place {
            sql::remove(cluster.url(), name);
        }
    }
}
