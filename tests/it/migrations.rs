//! The migrations, replayed on an empty database, give what `src/store/schema.rs` says, on both databases.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, connection::SimpleConnection};
use diesel_migrations::MigrationHarness;
use heraut::post::lane::Lane;
use heraut::store::{POSTGRES_MIGRATIONS, SQLITE_MIGRATIONS};

use crate::harness::{Database, Kind, both};

/// Columns by table and name: the type, and whether it may be null.
type Columns = BTreeMap<(String, String), (String, bool)>;

const SCHEMA: &str = include_str!("../../src/store/schema.rs");

/// What `schema.rs` says, and the primary key of each table.
fn wanted(kind: Kind) -> (Columns, BTreeMap<String, Vec<String>>) {
    let (mut columns, mut keys) = (Columns::new(), BTreeMap::new());
    for table in SCHEMA.split("diesel::table! {").skip(1) {
        let (head, body) = table.split_once('{').unwrap();
        let (name, key) = head.trim().trim_end_matches(')').split_once('(').unwrap();
        let name = name.trim();
        keys.insert(name.to_owned(), key.split(',').map(|column| column.trim().to_owned()).collect());
        for line in body.split('}').next().unwrap().lines() {
            let Some((column, said)) = line.trim().trim_end_matches(',').split_once("->") else { continue };
            let said = said.trim();
            let bare = said.strip_prefix("Nullable<").map(|inner| inner.trim_end_matches('>'));
            let sql_type = sql_type(bare.unwrap_or(said), kind).to_owned();
            columns.insert((name.to_owned(), column.trim().to_owned()), (sql_type, bare.is_some()));
        }
    }
    (columns, keys)
}

fn sql_type(diesel: &str, kind: Kind) -> &'static str {
    match (diesel, kind) {
        ("BigInt", _) => "bigint",
        ("Integer", _) => "integer",
        ("SmallInt", _) => "smallint",
        ("Text", _) => "text",
        ("Bool", _) => "boolean",
        ("Binary", Kind::Sqlite) => "blob",
        ("Binary", Kind::Postgres) => "bytea",
        (other, _) => panic!("schema.rs has the type {other}, which this test does not know"),
    }
}

fn tables(db: &Database) -> Vec<String> {
    let tables = match db.kind {
        Kind::Sqlite => "SELECT name AS t FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        Kind::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS t FROM information_schema.tables WHERE table_schema = 'public'"
        }
    };
    db.lines(tables).into_iter().filter(|table| table != "__diesel_schema_migrations").collect()
}

/// What the database has.
fn found(db: &Database) -> Columns {
    let mut columns = Columns::new();
    for table in tables(db) {
        let query = match db.kind {
            Kind::Sqlite => format!(
                "SELECT name || ' ' || lower(type) || ' ' || CASE WHEN \"notnull\" = 1 THEN 'NO' ELSE 'YES' END AS t \
                 FROM pragma_table_info('{table}')"
            ),
            Kind::Postgres => format!(
                "SELECT CAST(column_name || ' ' || data_type || ' ' || is_nullable AS TEXT) AS t \
                 FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
            ),
        };
        for line in db.lines(&query) {
            let [column, sql_type, nullable] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            columns.insert((table.clone(), column.to_owned()), (sql_type.to_owned(), nullable == "YES"));
        }
    }
    columns
}

fn primary_key(db: &Database, table: &str) -> Vec<String> {
    db.lines(&match db.kind {
        Kind::Sqlite => format!("SELECT name AS t FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk"),
        Kind::Postgres => format!(
            "SELECT CAST(a.attname AS TEXT) AS t FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid \
             AND a.attnum = ANY(i.indkey) WHERE i.indrelid = '{table}'::regclass AND i.indisprimary \
             ORDER BY array_position(i.indkey, a.attnum)"
        ),
    })
}

fn differences(kind: Kind, wanted: &Columns, found: &Columns) -> String {
    let mut text = String::new();
    for (column, said) in wanted {
        // What SQLite calls INTEGER has 64 bits, and only under that name a key is the row's own number.
        let key = ("integer".to_owned(), false);
        if found.get(column) != Some(said)
            && !(kind == Kind::Sqlite && said.0 == "bigint" && found.get(column) == Some(&key))
        {
            writeln!(text, "{column:?}: schema.rs says {said:?}, the database has {:?}", found.get(column)).unwrap();
        }
    }
    for (column, has) in found.iter().filter(|(column, _)| !wanted.contains_key(column)) {
        writeln!(text, "{column:?}: the database has {has:?}, schema.rs does not know it").unwrap();
    }
    text
}

/// Applies the first migration alone: the schema of the first commit.
fn migrate_to_the_base(db: &Database) {
    match db.kind {
        Kind::Sqlite => {
            let mut connection = SqliteConnection::establish(db.url.strip_prefix("sqlite:").unwrap()).unwrap();
            connection.batch_execute("PRAGMA journal_mode=WAL").unwrap();
            connection.run_next_migration(SQLITE_MIGRATIONS).unwrap();
        }
        Kind::Postgres => {
            PgConnection::establish(&db.url).unwrap().run_next_migration(POSTGRES_MIGRATIONS).unwrap();
        }
    }
}

both! {
    async fn what_was_owed_before_there_were_turns_is_news_and_no_warning(db: Database) {
        migrate_to_the_base(&db);
        let mut sql = "INSERT INTO agencies (id, name, domain, provisioned, created_at) VALUES (1, 'a', 'a.example', TRUE, 1);
            INSERT INTO actors (id, agency_id, handle, handle_domain, kind, language, profile, url, provisioned, created_at,
            updated_at) VALUES (1, 1, 'h', 'a.example', 'Organization', 'nl', '{}', 'https://a.example/1', TRUE, 1, 1);
            INSERT INTO inboxes (id, url, host, created_at) VALUES (1, 'https://b.example/inbox', 'b.example', 1);"
            .to_owned();
        for (activity, state) in [(1, 0), (2, 4), (3, 1), (4, 0)] {
            sql += &format!(
                "INSERT INTO activities (id, actor_id, kind, bytes, created_at) VALUES ({activity}, 1, 'Create', '{{}}', 1);
                 INSERT INTO deliveries (activity_id, inbox_id, state, created_at) VALUES ({activity}, 1, {state}, 1);"
            );
        }
        db.execute(&sql);
        drop(db.store());
        assert_eq!(db.number("SELECT COUNT(*) FROM deliveries"), 4);
        let turns = db.lines("SELECT CAST(turn AS TEXT) AS t FROM deliveries WHERE state IN (0, 4)");
        let lanes: Vec<Lane> = turns.iter().map(|turn| Lane::of_turn(turn.parse().unwrap()).0).collect();
        assert_eq!(lanes, [Lane::News; 3], "also what is held, and is owed again one day");
    }

    async fn the_migrations_replayed_equal_the_schema_that_the_code_is_compiled_with(db: Database) {
        drop(db.store());
        let (columns, keys) = wanted(db.kind);
        assert!(keys.len() >= 20, "schema.rs was not read: {keys:?}");
        let differences = differences(db.kind, &columns, &found(&db));
        assert!(differences.is_empty(), "{differences}");
        for (table, key) in keys {
            assert_eq!(primary_key(&db, &table), key, "the primary key of {table}");
        }
    }

    async fn opening_a_database_that_is_up_to_date_changes_nothing(db: Database) {
        drop(db.store());
        let before = (db.lines("SELECT version AS t FROM __diesel_schema_migrations"), found(&db));
        drop(db.store());
        assert_eq!(before, (db.lines("SELECT version AS t FROM __diesel_schema_migrations"), found(&db)));
        assert!(!before.0.is_empty());
    }
}
