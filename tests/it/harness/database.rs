//! A fresh database of either kind, and a look into it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl};
use heraut::store::Store;
use tempfile::TempDir;

use super::cluster;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A database of one test; it goes away with it.
pub struct Database {
    pub kind: Kind,
    pub url: String,
    place: Place,
}

enum Place {
    File { path: PathBuf, _folder: TempDir },
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
        let mut server = PgConnection::establish(cluster).unwrap();
        server.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).unwrap();
        server.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).unwrap();
        let mut url = url::Url::parse(cluster).unwrap();
        url.set_path(&name);
        Self { kind: Kind::Postgres, url: url.into(), place: Place::Server { name, cluster: cluster.to_owned() } }
    }

    /// An empty SQLite database in that folder.
    pub fn within(folder: TempDir) -> Self {
        let path = folder.path().join("heraut.db");
        let url = format!("sqlite:{}", path.display());
        Self { kind: Kind::Sqlite, url, place: Place::File { path, _folder: folder } }
    }

    /// The crate's own way in; it applies the migrations.
    pub fn store(&self) -> Store {
        Store::open(&self.url).unwrap()
    }

    /// Runs statements.
    pub fn execute(&self, sql: &str) {
        match &self.place {
            Place::File { .. } => self.sqlite().batch_execute(sql).unwrap(),
            Place::Server { .. } => self.postgres().batch_execute(sql).unwrap(),
        }
    }

    /// Begins a transaction in which nobody else can add an activity: who publishes waits for its end.
    pub fn hold_publishing(&self) -> Holding {
        match &self.place {
            Place::File { .. } => {
                let mut connection = self.sqlite();
                connection.batch_execute("BEGIN IMMEDIATE").unwrap();
                Holding::Sqlite(connection)
            }
            Place::Server { .. } => {
                let mut connection = self.postgres();
                connection.batch_execute("BEGIN; LOCK TABLE activities IN SHARE MODE").unwrap();
                Holding::Postgres(connection)
            }
        }
    }

    /// The one number that a query gives.
    pub fn number(&self, select: &str) -> i64 {
        let query = diesel::sql_query(format!("SELECT CAST(({select}) AS BIGINT) AS n"));
        let row: Number = match &self.place {
            Place::File { .. } => query.get_result(&mut self.sqlite()).unwrap(),
            Place::Server { .. } => query.get_result(&mut self.postgres()).unwrap(),
        };
        row.n
    }

    /// The lines that a query with one column `t` gives.
    pub fn lines(&self, select: &str) -> Vec<String> {
        let rows: Vec<Line> = match &self.place {
            Place::File { .. } => diesel::sql_query(select).load(&mut self.sqlite()).unwrap(),
            Place::Server { .. } => diesel::sql_query(select).load(&mut self.postgres()).unwrap(),
        };
        rows.into_iter().map(|row| row.t).collect()
    }

    fn sqlite(&self) -> SqliteConnection {
        let Place::File { path, .. } = &self.place else { unreachable!() };
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout=20000").unwrap();
        connection
    }

    fn postgres(&self) -> PgConnection {
        PgConnection::establish(&self.url).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Server { name, cluster } = &self.place
            && let Ok(mut connection) = PgConnection::establish(cluster)
        {
            // A failure here only leaves a database behind in a cluster that goes away.
            let _ = connection.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}
