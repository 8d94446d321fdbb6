//! Filling an empty database from a backup, in one transaction: all of it is there in the end, or nothing.
//!
//! An older backup is loaded into the schema of its own time, which the migrations then bring up to date as they would have
//! done with the database itself.

use std::path::PathBuf;

use diesel::RunQueryDsl;
use diesel::backend::Backend;
use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use thiserror::Error;

use crate::store::audit::{self, Entry};
use crate::store::catalogue::{self, Kind, MIGRATIONS_TABLE, Table, quoted};
use crate::store::snapshot::{Engine, Own, connect};
use crate::store::{
    POSTGRES_MIGRATIONS, Queried, SQLITE_MIGRATIONS, SQLITE_PRAGMAS, StoreError, inboxes, proofs, redact, sources,
};

/// Why a database cannot be filled.
#[derive(Debug, Error)]
pub enum LoadError {
    /// It holds something.
    #[error(
        "the database {url} is not empty: its table {table} has rows. A backup is restored only into a new database: give \
         another database.url, or move the old SQLite file (with its -wal and -shm) away, or make a new PostgreSQL database; \
         and run no other command before `heraut restore`, because every other one sets up what the configuration names"
    )]
    NotEmpty {
        /// The URL without its password.
        url: String,
        /// The table.
        table: String,
    },
    /// It belongs to another program.
    #[error("the database {url} has tables of another program ({table}); restore into a database of its own")]
    Foreign {
        /// The URL without its password.
        url: String,
        /// A table that is there.
        table: String,
    },
    /// A migration that the backup had is not in this program.
    #[error(
        "the backup has the schema {version}, which this program (heraut {own}) does not know: it was made by a newer one; \
         install that version or a later one, and restore with it"
    )]
    Newer {
        /// The version of the migration.
        version: String,
        /// The version of this program.
        own: &'static str,
    },
    /// A migration failed.
    #[error("the database cannot be migrated: {0}")]
    Migration(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A database that is being filled. Dropped without [`Loading::finish`], it is as it was before.
pub struct Loading {
    connection: Own,
    url: String,
    /// Stands after the connection: it is dropped after it.
    made: MadeFile,
}

/// A SQLite file that this made, and takes away again unless it was filled.
struct MadeFile(Option<PathBuf>);

impl Drop for MadeFile {
    fn drop(&mut self) {
        let Some(path) = &self.0 else { return };
        for end in ["", "-wal", "-shm"] {
            let mut file = path.clone().into_os_string();
            file.push(end);
            // What cannot be removed is empty, and the next attempt takes it.
            let _ = std::fs::remove_file(file);
        }
    }
}

impl Loading {
    /// Opens the database, making a SQLite file that is not there, and begins. Others wait with their writing, and on
    /// PostgreSQL also with their start.
    pub fn begin(url: &str) -> Result<Self, LoadError> {
        let path = url.strip_prefix("sqlite:").map(PathBuf::from);
        let made = MadeFile(path.filter(|path| !path.exists()));
        let mut loading = Self { connection: connect(url, false)?, url: url.to_owned(), made };
        let begun = match &mut loading.connection {
            Own::Lite(c) => diesel::connection::SimpleConnection::batch_execute(c, SQLITE_PRAGMAS)
                .and_then(|()| AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE")),
            // The lock that `Store::open` takes while it migrates; it ends with the connection.
            Own::Pg(c) => diesel::connection::SimpleConnection::batch_execute(c, "SELECT pg_advisory_lock(4847254)")
                .and_then(|()| AnsiTransactionManager::begin_transaction(c)),
        };
        begun.map_err(|source| failed("begin to restore", source))?;
        Ok(loading)
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        self.connection.engine()
    }

    /// Makes sure that the database is empty, and gives it the schema that these migrations made. Gives its tables.
    pub fn prepare(&mut self, versions: &[String]) -> Result<Vec<Table>, LoadError> {
        if let Some(version) = versions.iter().find(|version| !known(self.engine()).contains(version)) {
            return Err(LoadError::Newer { version: version.clone(), own: env!("CARGO_PKG_VERSION") });
        }
        let there = self.tables()?;
        self.check_empty(&there)?;
        let applied = self.applied()?;
        if applied != versions {
            for table in there.iter().rev() {
                let drop = format!("DROP TABLE {}", quoted(&table.name));
                self.connection.batch(&drop).map_err(|source| failed("replace an empty table", source))?;
            }
            self.migrate(|version| versions.iter().any(|v| v == version))?;
        }
        if self.engine() == Engine::Sqlite {
            let later = self.connection.batch("PRAGMA defer_foreign_keys=ON");
            later.map_err(|source| failed("begin to restore", source))?;
        }
        let tables = self.tables()?;
        self.triggers("DISABLE", &tables)?;
        Ok(tables)
    }

    /// Rows come as they were, so no trigger may change them. Foreign keys stay, and the end of the transaction undoes it. SQLite
    /// has no such switch: there, triggers only count versions, which may be higher.
    fn triggers(&mut self, switch: &str, tables: &[Table]) -> Result<(), LoadError> {
        if self.engine() == Engine::Sqlite {
            return Ok(());
        }
        let each = tables.iter().map(|table| format!("ALTER TABLE {} {switch} TRIGGER USER;", quoted(&table.name)));
        let switched = self.connection.batch(&each.collect::<String>());
        switched.map_err(|source| failed("switch the triggers of its tables", source))
    }

    fn tables(&mut self) -> Result<Vec<Table>, LoadError> {
        catalogue::tables(&mut self.connection.db()).map_err(|source| failed("read its catalogue", source))
    }

    fn check_empty(&mut self, tables: &[Table]) -> Result<(), LoadError> {
        let url = redact(&self.url);
        let Some(first) = tables.first() else { return Ok(()) };
        if !tables.iter().any(|table| table.name == MIGRATIONS_TABLE) {
            return Err(LoadError::Foreign { url, table: first.name.clone() });
        }
        for table in tables.iter().filter(|table| table.name != MIGRATIONS_TABLE) {
            if self.has_rows(table)? {
                return Err(LoadError::NotEmpty { url, table: table.name.clone() });
            }
        }
        Ok(())
    }

    fn has_rows(&mut self, table: &Table) -> Result<bool, LoadError> {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            n: i64,
        }
        let query = format!("SELECT COUNT(*) AS n FROM (SELECT 1 FROM {} LIMIT 1) r", quoted(&table.name));
        let query = diesel::sql_query(query);
        let count: Queried<Count> = match &mut self.connection {
            Own::Lite(c) => query.get_result(c),
            Own::Pg(c) => query.get_result(c),
        };
        Ok(count.map_err(|source| failed("count the rows of a table", source))?.n > 0)
    }

    fn applied(&mut self) -> Result<Vec<String>, LoadError> {
        let applied = match &mut self.connection {
            Own::Lite(c) => c.applied_migrations(),
            Own::Pg(c) => c.applied_migrations(),
        };
        let applied = applied.map_err(|e| LoadError::Migration(e.to_string()))?;
        let mut versions: Vec<String> = applied.iter().map(ToString::to_string).collect();
        versions.sort();
        Ok(versions)
    }

    /// Applies those of the pending migrations that are wanted, in order.
    fn migrate(&mut self, wanted: impl Fn(&str) -> bool) -> Result<(), LoadError> {
        match &mut self.connection {
            Own::Lite(c) => migrate::<_, Sqlite>(c, SQLITE_MIGRATIONS, wanted),
            Own::Pg(c) => migrate::<_, Pg>(c, POSTGRES_MIGRATIONS, wanted),
        }
    }

    /// Inserts rows as they are, after [`Loading::prepare`]. They are given as a JSON array of objects as
    /// [`crate::store::snapshot::Snapshot::rows`] makes them. Of `columns` those that the rows have; the others take their
    /// default. Gives how many were inserted.
    pub fn insert(&mut self, table: &str, columns: &[&catalogue::Column], rows: &str) -> Result<usize, LoadError> {
        let query = match self.engine() {
            Engine::Sqlite => sqlite_insert(table, columns),
            Engine::Postgres => postgres_insert(table, columns),
        };
        let query = diesel::sql_query(query).bind::<Text, _>(rows);
        let inserted = match &mut self.connection {
            Own::Lite(c) => query.execute(c),
            Own::Pg(c) => query.execute(c),
        };
        inserted.map_err(|source| failed("insert rows of the backup", source))
    }

    /// Brings the schema up to date, frees every lease (whoever held one does not run on this database), lets sequences go on
    /// after the highest number, adds the entry to the audit log, and commits.
    pub fn finish(mut self, entry: &Entry) -> Result<(), LoadError> {
        let tables = self.tables()?;
        self.triggers("ENABLE", &tables)?;
        self.migrate(|_| true)?;
        self.complete(entry).map_err(|source| failed("complete the restored database", source))?;
        self.made.0 = None;
        Ok(())
    }

    fn complete(&mut self, entry: &Entry) -> Queried<()> {
        let mut db = self.connection.db();
        inboxes::free_all(&mut db, entry.at)?;
        sources::free_all(&mut db)?;
        super::hooks::free_all(&mut db)?;
        super::websub::doubt_all(&mut db, entry.at)?;
        crate::store::registers::free_all(&mut db)?;
        proofs::free_all(&mut db)?;
        audit::add(&mut db, entry)?;
        match &mut self.connection {
            Own::Lite(c) => AnsiTransactionManager::commit_transaction(c),
            Own::Pg(c) => {
                diesel::connection::SimpleConnection::batch_execute(c, POSTGRES_SEQUENCES)?;
                AnsiTransactionManager::commit_transaction(c)
            }
        }
    }
}

/// SQLite counts on by itself.
const POSTGRES_SEQUENCES: &str = r#"
DO $$
DECLARE r record;
BEGIN
  FOR r IN
    SELECT c.oid::regclass AS relation, a.attname, pg_get_serial_sequence(c.oid::regclass::text, a.attname) AS sequence
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
      AND pg_get_serial_sequence(c.oid::regclass::text, a.attname) IS NOT NULL
  LOOP
    EXECUTE format('SELECT setval(%L, (SELECT MAX(%I) FROM %s))', r.sequence, r.attname, r.relation);
  END LOOP;
END $$"#;

/// The versions of the migrations that this program has, ascending.
pub fn known(engine: Engine) -> Vec<String> {
    let versions = match engine {
        Engine::Sqlite => MigrationSource::<Sqlite>::migrations(&SQLITE_MIGRATIONS).map(|m| names(&m)),
        Engine::Postgres => MigrationSource::<Pg>::migrations(&POSTGRES_MIGRATIONS).map(|m| names(&m)),
    };
    // They are compiled in; a name that is no version does not compile.
    versions.unwrap_or_default()
}

fn names<DB: Backend>(migrations: &[Box<dyn Migration<DB>>]) -> Vec<String> {
    let mut names: Vec<String> = migrations.iter().map(|m| m.name().version().to_string()).collect();
    names.sort();
    names
}

fn migrate<C, DB>(c: &mut C, from: EmbeddedMigrations, wanted: impl Fn(&str) -> bool) -> Result<(), LoadError>
where
    C: MigrationHarness<DB>,
    DB: Backend,
{
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| LoadError::Migration(e.to_string());
    let mut pending = c.pending_migrations(from).map_err(failed)?;
    pending.sort_by_key(|migration| migration.name().version().as_owned());
    for migration in pending.iter().filter(|migration| wanted(&migration.name().version().to_string())) {
        c.run_migration(migration).map_err(failed)?;
    }
    Ok(())
}

fn failed(what: &'static str, source: DieselError) -> LoadError {
    LoadError::Store(StoreError::Query { what, source })
}

fn names_of(columns: &[&catalogue::Column]) -> String {
    columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}

fn sqlite_insert(table: &str, columns: &[&catalogue::Column]) -> String {
    let values = columns.iter().map(|column| {
        let value = format!("value ->> '$.{}'", quoted(&column.name).replace('\'', "''"));
        match column.kind {
            Kind::Integer => format!("CAST({value} AS INTEGER)"),
            Kind::Boolean => format!("CASE {value} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"),
            Kind::Text => value,
            Kind::Bytes => format!("unhex({value})"),
        }
    });
    let values = values.collect::<Vec<_>>().join(", ");
    format!("INSERT INTO {} ({}) SELECT {values} FROM json_each($1)", quoted(table), names_of(columns))
}

fn postgres_insert(table: &str, columns: &[&catalogue::Column]) -> String {
    let values = columns.iter().map(|column| {
        let value = format!("r.{}", quoted(&column.name));
        match column.kind {
            Kind::Integer => format!("CAST({value} AS BIGINT)"),
            Kind::Boolean => format!("CAST({value} AS BOOLEAN)"),
            Kind::Text => value,
            Kind::Bytes => format!("decode({value}, 'hex')"),
        }
    });
    let values = values.collect::<Vec<_>>().join(", ");
    let members = columns.iter().map(|column| format!("{} TEXT", quoted(&column.name))).collect::<Vec<_>>().join(", ");
    // As they were, also where the database would number them itself.
    format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {values} FROM json_to_recordset(CAST($1 AS JSON)) AS r({members})",
        quoted(table),
        names_of(columns)
    )
}
