//! A fresh database of either kind, and a way in beside the gateway.

use std::path::PathBuf;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl};
use tempfile::TempDir;

use super::cluster::Cluster;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A database; it goes away with the value.
pub struct Database {
    pub kind: Kind,
    pub url: String,
    place: Place,
}

enum Place {
    File { path: PathBuf, _folder: TempDir },
    Server { name: String, cluster: Arc<Cluster> },
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    t: String,
}

impl Database {
    /// An empty SQLite file, in a temporary folder: set `TMPDIR` to have it on another disk.
    pub fn sqlite() -> Self {
        let folder = tempfile::Builder::new().prefix("heraut-bench-").tempdir().unwrap();
        let path = folder.path().join("heraut.db");
        Self {
            kind: Kind::Sqlite,
            url: format!("sqlite:{}", path.display()),
            place: Place::File { path, _folder: folder },
        }
    }

    /// An empty database in a cluster.
    pub fn postgres(cluster: &Arc<Cluster>) -> Self {
        let name = format!("bench_{}", hex::encode(rand::random::<[u8; 6]>()));
        server(cluster, &format!("CREATE DATABASE {name} TEMPLATE template0"));
        let mut url = url::Url::parse(cluster.url()).unwrap();
        url.set_path(&name);
        Self { kind: Kind::Postgres, url: url.into(), place: Place::Server { name, cluster: cluster.clone() } }
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
        match &self.place {
            Place::File { .. } => self.open_sqlite().batch_execute(sql).unwrap(),
            Place::Server { .. } => self.open_postgres().batch_execute(sql).unwrap(),
        }
    }

    /// The one number that a query gives.
    pub fn number(&self, select: &str) -> i64 {
        let query = diesel::sql_query(format!("SELECT CAST(({select}) AS BIGINT) AS n"));
        let row: Number = match &self.place {
            Place::File { .. } => query.get_result(&mut self.open_sqlite()).unwrap(),
            Place::Server { .. } => query.get_result(&mut self.open_postgres()).unwrap(),
        };
        row.n
    }

    /// The lines that a query with one column `t` gives.
    pub fn lines(&self, select: &str) -> Vec<String> {
        let rows: Vec<Line> = match &self.place {
            Place::File { .. } => diesel::sql_query(select).load(&mut self.open_sqlite()).unwrap(),
            Place::Server { .. } => diesel::sql_query(select).load(&mut self.open_postgres()).unwrap(),
        };
        rows.into_iter().map(|row| row.t).collect()
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

    fn open_sqlite(&self) -> SqliteConnection {
        let Place::File { path, .. } = &self.place else { unreachable!() };
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout=60000").unwrap();
        connection
    }

    fn open_postgres(&self) -> PgConnection {
        PgConnection::establish(&self.url).unwrap()
    }
}

fn server(cluster: &Cluster, statement: &str) {
    PgConnection::establish(cluster.url()).unwrap().batch_execute(statement).unwrap();
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Server { name, cluster } = &self.place
            && let Ok(mut connection) = PgConnection::establish(cluster.url())
        {
            // A failure here only leaves a database behind in a cluster that goes away.
            let _ = connection.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}
