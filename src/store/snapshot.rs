//! The whole database as it was at one instant, read row by row while others go on writing.
//!
//! A connection of its own and one read transaction: on SQLite a deferred one, which in WAL mode keeps no writer waiting; on
//! PostgreSQL `REPEATABLE READ, READ ONLY`. Nothing is migrated and nothing is written.

use std::path::Path;

use diesel::connection::{Connection, DefaultLoadingMode, SimpleConnection};
use diesel::pg::{PgConnection, PgRowByRowLoadingMode};
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use diesel::{QueryableByName, RunQueryDsl};

use crate::store::catalogue::{self, Kind, MIGRATIONS_TABLE, Table, quoted};
use crate::store::{Db, StoreError, redact};

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A connection of its own, without a pool.
pub(super) enum Own {
    Lite(SqliteConnection),
    Pg(PgConnection),
}

impl Own {
    pub(super) fn db(&mut self) -> Db<'_> {
        match self {
            Self::Lite(c) => Db::Lite(c),
            Self::Pg(c) => Db::Pg(c),
        }
    }

    pub(super) fn engine(&self) -> Engine {
        match self {
            Self::Lite(_) => Engine::Sqlite,
            Self::Pg(_) => Engine::Postgres,
        }
    }

    pub(super) fn batch(&mut self, sql: &str) -> diesel::QueryResult<()> {
        match self {
            Self::Lite(c) => c.batch_execute(sql),
            Self::Pg(c) => c.batch_execute(sql),
        }
    }
}

/// Tables are read from their beginning by one process, so that two backups of what did not change have the same digests.
const POSTGRES_BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; \
     SET LOCAL synchronize_seqscans = off; SET LOCAL max_parallel_workers_per_gather = 0";

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    t: String,
}

/// A database at one instant. Ends when it is dropped.
pub struct Snapshot {
    connection: Own,
    /// Its tables, each after those that it refers to.
    pub tables: Vec<Table>,
    /// The versions of the migrations that were applied, ascending.
    pub versions: Vec<String>,
}

impl Snapshot {
    /// Opens the database of that URL. It must be there and have been migrated once; a SQLite file is not made.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let mut connection = connect(url, true)?;
        let begin = match connection.engine() {
            Engine::Sqlite => "PRAGMA busy_timeout=10000; PRAGMA temp_store=MEMORY; BEGIN",
            Engine::Postgres => POSTGRES_BEGIN,
        };
        let failed = |source| StoreError::Query { what: "begin a snapshot", source };
        connection.batch(begin).map_err(failed)?;
        // The first read is the instant of the snapshot.
        let tables = catalogue::tables(&mut connection.db()).map_err(failed)?;
        if !tables.iter().any(|table| table.name == MIGRATIONS_TABLE) {
            let problem = "it has no tables of Heraut; is it the database that the gateway runs on?".to_owned();
            return Err(StoreError::Unreachable { url: redact(url), problem });
        }
        let mut snapshot = Self { connection, tables, versions: Vec::new() };
        snapshot.versions = snapshot.read_versions()?;
        Ok(snapshot)
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        self.connection.engine()
    }

    fn read_versions(&mut self) -> Result<Vec<String>, StoreError> {
        let query = format!("SELECT CAST(version AS TEXT) AS t FROM {MIGRATIONS_TABLE} ORDER BY version");
        let mut versions = Vec::new();
        self.lines(&query, |line| {
            versions.push(line.to_owned());
            Ok::<(), StoreError>(())
        })?;
        Ok(versions)
    }

    /// Gives every row of a table as one line of JSON: an object with a member per column, whose value is null or a text:
    /// integers in decimal (they may need 63 bits, and JSON numbers have 53), booleans as `true` or `false`, bytes in hex. Only
    /// one row at a time is in memory.
    pub fn rows<E>(&mut self, table: &Table, each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E>
    where
        E: From<StoreError>,
    {
        self.rows_where(table, None, each)
    }

    /// The same, of those rows alone for which a condition of ours holds.
    pub fn rows_where<E>(
        &mut self,
        table: &Table,
        condition: Option<&str>,
        each: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E>
    where
        E: From<StoreError>,
    {
        let query = match self.engine() {
            Engine::Sqlite => sqlite_rows(table, condition),
            Engine::Postgres => postgres_rows(table, condition),
        };
        self.lines(&query, each)
    }

    fn lines<E>(&mut self, query: &str, mut each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E>
    where
        E: From<StoreError>,
    {
        let failed = |source| E::from(StoreError::Query { what: "read a table", source });
        let query = diesel::sql_query(query);
        match &mut self.connection {
            Own::Lite(c) => {
                for line in query.load_iter::<Line, DefaultLoadingMode>(c).map_err(failed)? {
                    each(&line.map_err(failed)?.t)?;
                }
            }
            Own::Pg(c) => {
                for line in query.load_iter::<Line, PgRowByRowLoadingMode>(c).map_err(failed)? {
                    each(&line.map_err(failed)?.t)?;
                }
            }
        }
        Ok(())
    }
}

/// A connection to the database of a URL. `existing`: a SQLite file that is not there is an error and is not made.
pub(super) fn connect(url: &str, existing: bool) -> Result<Own, StoreError> {
    let unreachable = |problem: String| StoreError::Unreachable { url: redact(url), problem };
    if let Some(path) = url.strip_prefix("sqlite:") {
        if existing && !Path::new(path).exists() {
            return Err(unreachable("the file is not there".to_owned()));
        }
        return SqliteConnection::establish(path).map(Own::Lite).map_err(|e| unreachable(e.to_string()));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return PgConnection::establish(url).map(Own::Pg).map_err(|e| unreachable(e.to_string()));
    }
    Err(StoreError::Url(redact(url)))
}

fn filter(condition: Option<&str>) -> String {
    condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default()
}

fn sqlite_rows(table: &Table, condition: Option<&str>) -> String {
    let members = table.columns.iter().map(|column| {
        let name = quoted(&column.name);
        let value = match column.kind {
            Kind::Integer | Kind::Text => format!("CAST({name} AS TEXT)"),
            Kind::Boolean => format!("CASE WHEN {name} IS NULL THEN NULL WHEN {name} THEN 'true' ELSE 'false' END"),
            // hex() makes an empty text of null.
            Kind::Bytes => format!("CASE WHEN {name} IS NOT NULL THEN lower(hex({name})) END"),
        };
        format!("'{}', {value}", column.name.replace('\'', "''"))
    });
    let members = members.collect::<Vec<_>>().join(", ");
    format!("SELECT json_object({members}) AS t FROM {}{}", quoted(&table.name), filter(condition))
}

fn postgres_rows(table: &Table, condition: Option<&str>) -> String {
    let columns = table.columns.iter().map(|column| {
        let name = quoted(&column.name);
        match column.kind {
            Kind::Integer | Kind::Text | Kind::Boolean => format!("CAST({name} AS TEXT) AS {name}"),
            Kind::Bytes => format!("encode({name}, 'hex') AS {name}"),
        }
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    format!(
        "SELECT CAST(row_to_json(r) AS TEXT) AS t FROM (SELECT {columns} FROM {}{}) r",
        quoted(&table.name),
        filter(condition)
    )
}
