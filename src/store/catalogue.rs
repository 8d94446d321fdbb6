//! What a database says of itself: its tables, their columns and what refers to what. Backup and restore go by this and not by
//! a list of ours, so that no table can be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use diesel::pg::PgConnection;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use diesel::{QueryableByName, RunQueryDsl};
use serde::{Deserialize, Serialize};

use crate::store::{Db, Queried};

/// The table in which diesel notes the migrations that were applied.
pub const MIGRATIONS_TABLE: &str = "__diesel_schema_migrations";

/// What a column holds, whatever the engine calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A whole number of at most 64 bits.
    Integer,
    /// True or false; SQLite stores 1 or 0.
    Boolean,
    /// Text, and any type that we do not know, as the engine writes it.
    Text,
    /// Bytes.
    Bytes,
}

/// A column that is stored, not computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in the order of the database.
    pub columns: Vec<Column>,
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    of: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
}

#[derive(QueryableByName)]
struct Reference {
    #[diesel(sql_type = Text)]
    of: String,
    #[diesel(sql_type = Text)]
    to: String,
}

/// `LIKE` takes `_` for any character, hence the `substr`.
const SQLITE_COLUMNS: &str = "SELECT m.name AS \"of\", c.name AS name, c.type AS kind FROM sqlite_master m \
     JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND substr(m.name, 1, 7) <> 'sqlite_' ORDER BY m.name, c.cid";
const SQLITE_REFERENCES: &str = "SELECT m.name AS \"of\", f.\"table\" AS \"to\" FROM sqlite_master m \
     JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";
/// A partitioned table is one table; its partitions are not tables of their own.
const POSTGRES_COLUMNS: &str = "SELECT CAST(c.relname AS TEXT) AS \"of\", CAST(a.attname AS TEXT) AS name, \
     CAST(format_type(a.atttypid, NULL) AS TEXT) AS kind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_attribute a ON a.attrelid = c.oid WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') \
     AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY c.relname, a.attnum";
const POSTGRES_REFERENCES: &str = "SELECT CAST(c.relname AS TEXT) AS \"of\", CAST(p.relname AS TEXT) AS \"to\" \
     FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid \
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE f.contype = 'f' AND n.nspname = current_schema()";

/// All tables of the database, each after those that it refers to.
pub fn tables(db: &mut Db<'_>) -> Queried<Vec<Table>> {
    let (columns, references) = match db {
        Db::Lite(c) => sqlite(c)?,
        Db::Pg(c) => postgres(c)?,
    };
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in columns {
        let table = tables.entry(row.of.clone()).or_insert_with(|| Table { name: row.of, columns: Vec::new() });
        table.columns.push(Column { name: row.name, kind: Kind::of(&row.kind) });
    }
    let references: Vec<_> = references.into_iter().map(|r| (r.of, r.to)).collect();
    let order = order(tables.keys().cloned().collect(), &references);
    Ok(order.into_iter().filter_map(|name| tables.remove(&name)).collect())
}

fn sqlite(c: &mut SqliteConnection) -> Queried<(Vec<ColumnRow>, Vec<Reference>)> {
    Ok((diesel::sql_query(SQLITE_COLUMNS).load(c)?, diesel::sql_query(SQLITE_REFERENCES).load(c)?))
}

fn postgres(c: &mut PgConnection) -> Queried<(Vec<ColumnRow>, Vec<Reference>)> {
    Ok((diesel::sql_query(POSTGRES_COLUMNS).load(c)?, diesel::sql_query(POSTGRES_REFERENCES).load(c)?))
}

impl Kind {
    fn of(declared: &str) -> Self {
        match declared.to_ascii_lowercase().as_str() {
            "integer" | "bigint" | "smallint" | "int" => Self::Integer,
            "boolean" => Self::Boolean,
            "blob" | "bytea" => Self::Bytes,
            _ => Self::Text,
        }
    }
}

/// Names in an order in which each stands after those that it refers to, and else by the alphabet. Of a circle, the rest comes
/// last; our tables have none, and a test says so.
fn order(mut left: BTreeSet<String>, references: &[(String, String)]) -> Vec<String> {
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let waits = |name: &String| references.iter().any(|(of, to)| of == name && to != name && left.contains(to));
        let ready: Vec<String> = left.iter().filter(|name| !waits(name)).cloned().collect();
        if ready.is_empty() {
            ordered.extend(left);
            break;
        }
        left.retain(|name| !ready.contains(name));
        ordered.extend(ready);
    }
    ordered
}

/// A name as both engines take it in a statement.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], references: &[(&str, &str)], expected: &[&str]) {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        let references: Vec<_> = references.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(order(names, &references), expected);
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        check(&["a", "b", "c"], &[], &["a", "b", "c"]);
        check(&["a", "b", "c"], &[("a", "b"), ("b", "c")], &["c", "b", "a"]);
        check(&["a", "b"], &[("a", "a"), ("a", "b"), ("a", "elsewhere")], &["b", "a"]);
        check(&["a", "b", "c"], &[("a", "b"), ("b", "a")], &["c", "a", "b"]);
    }
}
