//! The database: SQLite (one writer, a pool of readers) or PostgreSQL (a pool), behind one set of queries.
//!
//! A call is one hop to a thread of the database's own around one closure, and a write is one transaction. No connection is held
//! across an `.await`, no HTTP happens inside a transaction. The query functions of the sub-modules take a [`Db`], so that a
//! step can put several into one transaction: what belongs together is committed together.

pub mod activities;
pub mod actors;
pub mod arriving;
pub mod audit;
pub mod catalogue;
pub mod client_requests;
pub mod continuity;
pub mod deliveries;
mod first;
pub mod followers;
pub mod hooks;
mod hops;
pub mod host_signatures;
pub mod inboxes;
pub mod items;
pub mod listen;
pub mod loading;
pub mod messages;
pub mod pins;
pub mod posts;
pub mod proofs;
pub mod public;
pub mod quotes;
pub mod reach;
pub mod reactions;
pub mod registers;
pub mod relays;
pub mod remote;
pub mod reports;
pub mod rotations;
#[allow(missing_docs)]
pub mod schema;
pub mod secrets;
pub mod snapshot;
pub mod sources;
mod statement;
pub mod survey;
pub mod target_posts;
pub mod target_receipts;
pub mod targets;
pub mod tokens;
pub mod turns;
pub mod uploads;
pub mod websub;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diesel::connection::{Connection, SimpleConnection};
use diesel::pg::PgConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use thiserror::Error;

use crate::metrics::{self, Hop};
use crate::store::hops::Hops;
use crate::store::statement::statement;

/// The migrations for SQLite.
pub const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
/// Their twins for PostgreSQL.
pub const POSTGRES_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Connections that read at the same time on SQLite.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL per process.
const POSTGRES_CONNECTIONS: u32 = 12;
/// Threads that talk to PostgreSQL, somewhat more than connections.
const POSTGRES_THREADS: usize = 16;
/// How long to wait for a connection from the pool.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a transaction that lost a race (deadlock, serialisation) is tried anew.
const TRANSACTION_TRIES: u32 = 5;
/// How often a migration of PostgreSQL that met a deadlock is tried anew; each costs about a second.
const MIGRATION_TRIES: u32 = 30;
/// Most values bound in one statement; SQLite allows 32,766.
pub const BINDS_MAX: usize = 500;

/// A connection to either database, lent to one closure.
pub enum Db<'c> {
    /// SQLite.
    Lite(&'c mut SqliteConnection),
    /// PostgreSQL.
    Pg(&'c mut PgConnection),
}

/// Runs one diesel expression on whichever connection a [`Db`] holds: the same body, compiled for each.
#[macro_export]
macro_rules! on {
    ($db:expr, $c:ident => $body:expr) => {
        match $db {
            $crate::store::Db::Lite(connection) => {
                let $c = &mut **connection;
                $body
            }
            $crate::store::Db::Pg(connection) => {
                let $c = &mut **connection;
                $body
            }
        }
    };
}

/// What a query gives.
pub type Queried<T> = Result<T, DieselError>;

/// Why the database could not do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The URL has another scheme than the two that we know.
    #[error(
        "database.url `{0}` is neither `sqlite:<file>` nor `postgres://user@host/name`; correct it in the configuration"
    )]
    Url(String),
    /// It cannot be opened or reached.
    #[error(
        "the database {url} cannot be reached: {problem}; check database.url, that the server runs and that its folder exists"
    )]
    Unreachable {
        /// The URL without its password.
        url: String,
        /// The driver's words.
        problem: String,
    },
    /// A migration failed.
    #[error("the database {url} cannot be migrated: {problem}")]
    Migration {
        /// The URL without its password.
        url: String,
        /// The driver's words.
        problem: String,
    },
    /// A query failed. What the driver says stands in the text, because that is all that a line of the log shows of an error:
    /// an operator must read there that the disk is full.
    #[error("the database failed to {what}: {}", .r#source)]
    Query {
        /// What was tried, as a verb phrase.
        what: &'static str,
        /// The driver's words; not said again as the error's source.
        r#source: DieselError,
    },
    /// No connection came free, or the worker thread ended.
    #[error("the database could not be asked to {what}: {problem}")]
    Busy {
        /// What was tried, as a verb phrase.
        what: &'static str,
        /// What happened.
        problem: String,
    },
}

enum Pools {
    Lite { path: String, writer: Mutex<SqliteConnection>, readers: Pool<ConnectionManager<SqliteConnection>> },
    Pg { url: String, pool: Pool<ConnectionManager<PgConnection>> },
}

/// The database of this installation. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pools: Arc<Pools>,
    reads: Arc<Hops>,
    /// On SQLite one thread, so that those who wait to write keep nobody from reading.
    writes: Arc<Hops>,
    commits: Arc<AtomicU64>,
}

#[derive(Debug)]
struct SqliteSettings;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for SqliteSettings {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        connection.batch_execute(SQLITE_PRAGMAS).map_err(diesel::r2d2::Error::QueryError)?;
        connection.batch_execute(READER_PRAGMAS).map_err(diesel::r2d2::Error::QueryError)
    }
}

/// `synchronous=FULL`: what was acknowledged survives a power cut, not only a `kill -9`.
const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout=10000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; \
                              PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;";
/// In KiB, half of what is usual: whatever is written empties the pages of every reader, and the system keeps them too.
const READER_PRAGMAS: &str = "PRAGMA cache_size=-1000;";

impl Store {
    /// Opens the database, makes it if it is a SQLite file that does not exist, and applies pending migrations.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let pools = if let Some(path) = url.strip_prefix("sqlite:") {
            open_sqlite(url, path)?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url)?
        } else {
            return Err(StoreError::Url(redact(url)));
        };
        let (reads, writes) = match pools {
            Pools::Lite { .. } => (Arc::new(Hops::new(SQLITE_READERS as usize)?), Arc::new(Hops::new(1)?)),
            Pools::Pg { .. } => {
                let both = Arc::new(Hops::new(POSTGRES_THREADS)?);
                (both.clone(), both)
            }
        };
        Ok(Self { pools: Arc::new(pools), reads, writes, commits: Arc::default() })
    }

    /// Reads: `f` sees the database and must not change it. `what` completes "the database failed to …".
    pub async fn read<T, F>(&self, what: &'static str, f: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Db<'_>) -> Queried<T> + Send + 'static,
    {
        let pools = self.pools.clone();
        let _timing = metrics::database(Hop::Read);
        self.reads
            .run(what, move || match &*pools {
                Pools::Lite { readers, .. } => {
                    let mut connection = readers.get().map_err(|e| busy(what, &e))?;
                    f(&mut Db::Lite(&mut connection)).map_err(|source| StoreError::Query { what, source })
                }
                Pools::Pg { pool, .. } => {
                    let mut connection = pool.get().map_err(|e| busy(what, &e))?;
                    f(&mut Db::Pg(&mut connection)).map_err(|source| StoreError::Query { what, source })
                }
            })
            .await
            .inspect_err(|_| metrics::database_failed(Hop::Read))
    }

    /// Writes in one transaction: all of `f` or nothing. On PostgreSQL `f` runs again when it lost a race, so it must have no
    /// effect but on the database.
    pub async fn write<T, F>(&self, what: &'static str, f: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Db<'_>) -> Queried<T> + Send + 'static,
    {
        self.write_as(what, Wait::ForTheDisk, f).await
    }

    /// As [`Store::write`], and on SQLite without waiting for the disk: a power cut may undo it, though nothing that [`Store::write`]
    /// wrote before or after. For what is of no use to anyone after a power cut: a lease, whose holder is gone then. On PostgreSQL
    /// it waits, because a server that crashes leaves the holder alive, and two would hold the lease.
    pub async fn write_lazily<T, F>(&self, what: &'static str, f: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Db<'_>) -> Queried<T> + Send + 'static,
    {
        self.write_as(what, Wait::ForNothing, f).await
    }

    async fn write_as<T, F>(&self, what: &'static str, wait: Wait, f: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Db<'_>) -> Queried<T> + Send + 'static,
    {
        let (pools, commits) = (self.pools.clone(), self.commits.clone());
        let _timing = metrics::database(Hop::Write);
        self.writes
            .run(what, move || {
                let written = write_now(&pools, what, wait, &f);
                // Whether it failed or not: a connection that breaks after COMMIT leaves open which.
                commits.fetch_add(1, Ordering::Release);
                written
            })
            .await
            .inspect_err(|_| metrics::database_failed(Hop::Write))
    }

    /// Whether other processes may be at work on this database. On SQLite one process serves.
    pub fn is_shared(&self) -> bool {
        matches!(&*self.pools, Pools::Pg { .. })
    }

    /// Counts the writes of this process. Who sees the same number twice knows that this process changed nothing in between.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }
}

/// What a transaction waits for when it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Until it survives a power cut.
    ForTheDisk,
    /// Until others see it.
    ForNothing,
}

fn write_now<T>(
    pools: &Pools,
    what: &'static str,
    wait: Wait,
    f: &dyn Fn(&mut Db<'_>) -> Queried<T>,
) -> Result<T, StoreError> {
    match pools {
        Pools::Lite { path, writer, .. } => {
            let mut connection = match writer.lock() {
                Ok(connection) => connection,
                Err(poisoned) => renew(path, writer, poisoned, what)?,
            };
            write_to_sqlite(&mut connection, wait, f).map_err(|source| StoreError::Query { what, source })
        }
        Pools::Pg { pool, .. } => {
            let mut connection = pool.get().map_err(|e| busy(what, &e))?;
            let mut tries = 0;
            loop {
                tries += 1;
                match connection.transaction(|c| f(&mut Db::Pg(c))) {
                    Err(error) if tries < TRANSACTION_TRIES && lost_a_race(&error) => {}
                    other => return other.map_err(|source| StoreError::Query { what, source }),
                }
            }
        }
    }
}

/// The log of SQLite is one: whoever waits for the disk next waits for all that stands in it before.
fn write_to_sqlite<T>(
    connection: &mut SqliteConnection,
    wait: Wait,
    f: &dyn Fn(&mut Db<'_>) -> Queried<T>,
) -> Queried<T> {
    if wait == Wait::ForTheDisk {
        return connection.immediate_transaction(|c| f(&mut Db::Lite(c)));
    }
    connection.batch_execute("PRAGMA synchronous=NORMAL")?;
    let written = connection.immediate_transaction(|c| f(&mut Db::Lite(c)));
    connection.batch_execute("PRAGMA synchronous=FULL")?;
    written
}

/// A step panicked inside a transaction: its connection is in the middle of something, and a new one takes its place. The
/// database rolls back what the old one had begun.
fn renew<'m>(
    path: &str,
    writer: &'m Mutex<SqliteConnection>,
    poisoned: PoisonError<MutexGuard<'m, SqliteConnection>>,
    what: &'static str,
) -> Result<MutexGuard<'m, SqliteConnection>, StoreError> {
    let mut connection = poisoned.into_inner();
    *connection = SqliteConnection::establish(path).map_err(|e| busy(what, &e))?;
    connection.batch_execute(SQLITE_PRAGMAS).map_err(|source| StoreError::Query { what, source })?;
    writer.clear_poison();
    Ok(connection)
}

fn lost_a_race(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        DieselError::DatabaseError(_, info) => info.message().contains("deadlock detected"),
        _ => false,
    }
}

fn busy(what: &'static str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Busy { what, problem: error.to_string() }
}

fn open_sqlite(url: &str, path: &str) -> Result<Pools, StoreError> {
    let unreachable = |problem: String| StoreError::Unreachable { url: url.to_owned(), problem };
    let mut writer = SqliteConnection::establish(path).map_err(|e| unreachable(e.to_string()))?;
    writer.batch_execute(SQLITE_PRAGMAS).map_err(|e| unreachable(e.to_string()))?;
    // Two commands may start at once: the second waits here until the first has migrated, and then finds nothing to do.
    writer.immediate_transaction(|c| c.run_pending_migrations(SQLITE_MIGRATIONS).map(|_| ())).map_err(
        |e: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration {
            url: url.to_owned(),
            problem: e.to_string(),
        },
    )?;
    let readers = Pool::builder()
        .max_size(SQLITE_READERS)
        .connection_timeout(CONNECTION_TIMEOUT)
        .connection_customizer(Box::new(SqliteSettings))
        .build(ConnectionManager::new(path))
        .map_err(|e| unreachable(e.to_string()))?;
    Ok(Pools::Lite { path: path.to_owned(), writer: Mutex::new(writer), readers })
}

fn open_postgres(url: &str) -> Result<Pools, StoreError> {
    let unreachable = |problem: String| StoreError::Unreachable { url: redact(url), problem };
    let mut first = PgConnection::establish(url).map_err(|e| unreachable(e.to_string()))?;
    // Two processes may start at once: the second waits here until the first has migrated.
    first.batch_execute("SELECT pg_advisory_lock(4847254)").map_err(|e| unreachable(e.to_string()))?;
    let migrated = migrate_postgres(&mut first);
    first.batch_execute("SELECT pg_advisory_unlock(4847254)").map_err(|e| unreachable(e.to_string()))?;
    migrated.map_err(|e| StoreError::Migration { url: redact(url), problem: e.to_string() })?;
    let pool = Pool::builder()
        .max_size(POSTGRES_CONNECTIONS)
        .min_idle(Some(1))
        .connection_timeout(CONNECTION_TIMEOUT)
        .build(ConnectionManager::new(url))
        .map_err(|e| unreachable(e.to_string()))?;
    Ok(Pools::Pg { url: url.to_owned(), pool })
}

/// Applies pending migrations. A process of an older version may be at work on the tables: who waits for it the wrong way round is
/// told of a deadlock, and begins the migration anew.
fn migrate_postgres(connection: &mut PgConnection) -> diesel::migration::Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        match connection.run_pending_migrations(POSTGRES_MIGRATIONS) {
            Err(error) if tries < MIGRATION_TRIES && error.to_string().contains("deadlock detected") => {}
            other => return other.map(|_| ()),
        }
    }
}

/// Until the transaction ends, no other transaction takes in items for this actor: two of its sources that say the same at the
/// same time must make one post. SQLite has one writer anyhow.
pub fn lock_actor(db: &mut Db<'_>, actor: crate::ids::ActorId) -> Queried<()> {
    use diesel::RunQueryDsl;
    match db {
        Db::Lite(_) => Ok(()),
        Db::Pg(c) => statement("SELECT pg_advisory_xact_lock($1)")
            .bind::<diesel::sql_types::BigInt, _>(actor)
            .execute(*c)
            .map(|_| ()),
    }
}

/// A database URL without its password.
fn redact(url: &str) -> String {
    url::Url::parse(url).map_or_else(
        |_| url.split('@').next_back().unwrap_or_default().to_owned(),
        |mut parsed| {
            if parsed.password().is_some() {
                let _ = parsed.set_password(Some("…"));
            }
            parsed.to_string()
        },
    )
}

/// Reads a column that holds JSON of ours.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Queried<T> {
    serde_json::from_str(text).map_err(|e| DieselError::DeserializationError(Box::new(e)))
}

/// Writes a column that holds JSON of ours.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Queried<String> {
    serde_json::to_string(value).map_err(|e| DieselError::SerializationError(Box::new(e)))
}

/// Reads a column that a type of ours refuses: the row was changed by hand.
pub(crate) fn odd_row<T, E: std::fmt::Display>(result: Result<T, E>) -> Queried<T> {
    result.map_err(|e| DieselError::DeserializationError(e.to_string().into()))
}
