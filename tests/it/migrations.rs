//! The migrations, replayed on an empty database, give what `src/store/schema.rs` says, on both databases.

use std::collections::BTreeMap;
use std::fmt::Write as _;

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

fn differences(wanted: &Columns, found: &Columns) -> String {
    let mut text = String::new();
    for (column, said) in wanted {
        if found.get(column) != Some(said) {
            writeln!(text, "{column:?}: schema.rs says {said:?}, the database has {:?}", found.get(column)).unwrap();
        }
    }
    for (column, has) in found.iter().filter(|(column, _)| !wanted.contains_key(column)) {
        writeln!(text, "{column:?}: the database has {has:?}, schema.rs does not know it").unwrap();
    }
    text
}

both! {
    async fn the_migrations_replayed_equal_the_schema_that_the_code_is_compiled_with(db: Database) {
        drop(db.store());
        let (columns, keys) = wanted(db.kind);
        assert!(keys.len() >= 20, "schema.rs was not read: {keys:?}");
        let differences = differences(&columns, &found(&db));
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
