//! A fresh database of either kind, and a look into it.

use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
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

/// A transaction that others wait for.
pub enum Holding {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Holding {
    /// Runs these statements in it, and ends it.
    pub fn release(self, sql: &str) {
        let last = format!("{sql}; COMMIT");
        match self {
            Self::Sqlite(mut connection) => connection.batch_execute(&last).unwrap(),
            Self::Postgres(mut connection) => connection.batch_execute(&last).unwrap(),
        }
    }
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

    /// Begins a transaction in which nobody else can add an activity: who publishes waits for its end.
    pub fn hold_publishing(&self) -> Holding {
        match sql::sqlite(&self.url) {
            Some(mut connection) => {
                connection.batch_execute("BEGIN IMMEDIATE").unwrap();
                Holding::Sqlite(connection)
            }
            None => {
                let mut connection = sql::postgres(&self.url);
                connection.batch_execute("BEGIN; LOCK TABLE activities IN SHARE MODE").unwrap();
                Holding::Postgres(connection)
            }
        }
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
